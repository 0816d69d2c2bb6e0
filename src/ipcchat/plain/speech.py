"""When what there is to say is said.

While something is being typed, or asked, nothing else is, for 20 seconds at most: a reader is not
interrupted in the middle of a word. What waits is not copied; it stays in the model. Where the
output can't take more, nothing is asked of the model either.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from ipcchat.client.session import Session
from ipcchat.plain.keyboard import Keyboard
from ipcchat.plain.teller import Teller
from ipcchat.plain.terminal import Terminal

__all__ = ["Speech"]

_PATIENCE = 20.0
"""Seconds without a key after which what is typed no longer holds back what is to be said."""
_TURN = 200
"""Sentences that are written in one turn of the loop."""


class Speech:
    """Owns what was asked to be said, and the time at which it is."""

    def __init__(
        self,
        session: Session,
        terminal: Terminal,
        keyboard: Keyboard,
        asked: Callable[[], str],
        ring: Callable[[], None],
    ) -> None:
        """Made inside a running loop. `asked`: the question that waits for its answer; empty: none.
        `ring`: whoever looks after what asks for attention may sound now."""
        self._session = session
        self._model = session.model
        self._terminal = terminal
        self._keyboard = keyboard
        self._asked = asked
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self.teller = Teller(session.model, self._loop.time)
        self._telling: Iterator[str] | None = None
        self._queue: deque[Iterator[str]] = deque()
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.away = False
        """Whether another program has the terminal."""

    @property
    def _held(self) -> bool:
        return self.away or bool(self._asked()) or bool(self._keyboard.text)

    def say(self, said: Iterable[str]) -> None:
        """Says these sentences, as soon as something may be said."""
        self._queue.append(iter(said))
        self.soon()

    def say_now(self, said: Sequence[str]) -> None:
        """Says them whatever is being typed, and before them what was to be said earlier."""
        waiting = [sentence for source in self._queue for sentence in source]
        self._queue.clear()
        self._write([*waiting, *said])

    def forget(self) -> None:
        """What was to be said is not."""
        self._queue.clear()

    def soon(self) -> None:
        """There may be something to say, or it may be said now."""
        self._model.focused = not self._held
        if self._turn is None and not self._closed:
            self._turn = self._loop.call_soon(self._terminal.guarded(self._speak))

    def close(self) -> None:
        """The end: what may still be said is, and the line that was being typed stays."""
        self._closed = self.teller.ending = True
        for timer in (self._turn, self._timer):
            if timer is not None:
                timer.cancel()
        self._turn = self._timer = None
        self._terminal.write(self._keyboard.hidden())
        if said := "\n".join(islice(self._sentences(), _TURN)):
            self._terminal.write(f"{said}\n")

    # --- turns ------------------------------------------------------------------------

    def _speak(self) -> None:
        """Says what there is to say, as far as it may be said now."""
        self._turn = None
        if self.away or self._terminal.waits:
            return  # the end of either brings one back here
        if self._held and (left := self._keyboard.at + _PATIENCE - self._loop.time()) > 0:
            self._wake(left)
            return
        said = list(islice(self._sentences(), _TURN))
        if said:
            self._write(said)
        self._ring()
        if len(said) >= _TURN:
            self.soon()
            return
        self._mark_read()
        if self.teller.due is not None:
            self._wake(self.teller.due - self._loop.time())

    def _wake(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(0.01, seconds), self.soon)

    def _sentences(self) -> Iterator[str]:
        """What is to be said; who stops in the midst goes on there the next time."""
        while self._queue:
            source = self._queue[0]
            # Not `yield from`, which would end the source when this generator is given up.
            for said in source:
                yield said
            if self._queue and self._queue[0] is source:
                self._queue.popleft()
        if self._telling is None:
            self._telling = self.teller.tell()
        for said in self._telling:
            yield said
        self._telling = None

    def _write(self, said: Sequence[str]) -> None:
        """Sentences, above the line that is being typed; a question is repeated after them."""
        asked = self._asked()
        lines = [*said, asked] if asked and asked != said[-1] else said
        hidden, text = self._keyboard.hidden(), "\n".join(lines)
        self._terminal.write(f"{hidden}{text}\n{self._keyboard.shown()}")
        self._keyboard.at = self._loop.time()

    def _mark_read(self) -> None:
        room = self._model.rooms.get(self._model.current)
        if room is not None and room.live and (room.unread or room.read_seq < room.seq):
            self._session.mark_read(room.number)
