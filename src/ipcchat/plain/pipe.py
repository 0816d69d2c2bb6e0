"""Lines that come from a pipe or a file, done one after the other.

The rules of this file:

- Nothing is done before one is in the room that was asked for; where that was refused, or a command
  that leads elsewhere fails, nothing is said in the room where one is instead: that is the end.
- Any other line that can't be done is told, and the next one is done. At the end that is an error.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from ipcchat.client.model import Pending
from ipcchat.client.session import Session
from ipcchat.commands.rows import by_name
from ipcchat.errors import EXIT_USAGE, IpcchatError, UsageError
from ipcchat.plain.terminal import Terminal

__all__ = ["Pipe"]

_AHEAD = 50
"""Lines that wait for the server at most; then no more is read."""
_LAST = 3.0
"""Seconds that the entries of what was acknowledged may take at the end."""
_LONGEST = 256 * 1024
"""Characters that are a line even without an end: they can't be a message anyway."""


class Screen(Protocol):
    """What lines are done to."""

    session: Session

    @property
    def asked(self) -> bool: ...
    @property
    def busy(self) -> bool: ...
    def answer(self, key: str) -> None: ...
    def submit(self, line: str) -> None: ...


class Pipe:
    """Owns the lines that were read and are not done yet."""

    def __init__(self, screen: Screen, terminal: Terminal) -> None:
        self._screen = screen
        self._terminal = terminal
        self._lines: deque[str] = deque()
        self._rest = ""
        self._ended = False
        self._moved = asyncio.Event()
        self._number = 0
        """The line that is being done."""
        self._said: deque[tuple[int, Pending]] = deque()
        """Lines that wait for their outcome, each with its number."""
        self._failed: dict[int, IpcchatError] = {}
        """What was not done, and why."""
        self._refused: IpcchatError | None = None

    @property
    def error(self) -> IpcchatError | None:
        """What kept the lines from their room, or the first of them that was not done, and how many
        more there are."""
        if self._refused is not None or not self._failed:
            return self._refused
        number = min(self._failed)
        first, more = self._failed[number], len(self._failed) - 1
        kind = UsageError if first.exit_code == EXIT_USAGE else IpcchatError
        others = f" (and {more:,} more line{'s' * (more != 1)})" if more else ""
        return kind(f"line {number:,} was not done{others}: {first.text}", first.hint)

    def failed(self, error: IpcchatError) -> None:
        """The line that is being done can't be."""
        if self._number:
            self._failed.setdefault(self._number, error)

    def chars(self, chars: str) -> None:
        """Something was read; no more is until it is done."""
        *lines, self._rest = (self._rest + chars).split("\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = ""
        self._lines.extend(line.removesuffix("\r") for line in lines)
        if lines:
            self._terminal.pause()
        self.look()

    def end(self) -> None:
        """Nothing more will be read."""
        if self._rest:
            self._lines.append(self._rest)
            self._rest = ""
        self._ended = True
        self.look()

    def look(self) -> None:
        """Something has changed that may have been waited for."""
        self._moved.set()

    async def run(self) -> None:
        """Does every line; returns at the end, once all that was said has an outcome. `error` says
        what went wrong."""
        arrival = self._screen.session.arrival
        await self._until(lambda: arrival.done)
        self._refused = arrival.error
        while self._refused is None:
            await self._until(lambda: self._ended or bool(self._lines))
            if not self._lines:
                break
            line = self._lines.popleft()
            self._number += 1
            if self._screen.asked:
                self._screen.answer(line.strip()[:1])
            elif line.strip():
                # What a command does comes after what was said before it.
                most = 1 if line.startswith("/") else _AHEAD
                await self._until(partial(self._calm, most))
                self._submit(line)
            await self._until(lambda: not self._screen.busy)
            if self._number in self._failed and _goes(line):
                break
            if not self._lines and not self._ended:
                self._terminal.resume()
        await self._until(lambda: not (self._sending or self._screen.busy))
        self._settle()
        with suppress(TimeoutError):  # what was done is said, too, as soon as it comes back
            async with asyncio.timeout(_LAST):
                await self._until(lambda: not self._expected)

    def _submit(self, line: str) -> None:
        """Does a line, and remembers what was said by it."""
        self._settle()
        before = self._last
        self._screen.submit(line)
        if self._last is not before and self._last is not None:
            self._said.append((self._number, self._last))

    @property
    def _last(self) -> Pending | None:
        """What was said last in the current room, while it waits."""
        model = self._screen.session.model
        room = model.rooms.get(model.current)
        return room.pending[-1] if room is not None and room.pending else None

    def _settle(self) -> None:
        """Lets go of what has its outcome."""
        while self._said and self._said[0][1].state != "sending":
            number, pending = self._said.popleft()
            if pending.state == "failed":
                self._failed[number] = IpcchatError(pending.reason)

    @property
    def _expected(self) -> bool:
        """Whether something was acknowledged whose entry has not come yet."""
        rooms = self._screen.session.model.rooms.values()
        return any(item.state == "sent" for room in rooms for item in room.pending)

    def _calm(self, most: int) -> bool:
        return self._sending < most

    @property
    def _sending(self) -> int:
        return sum(pending.state == "sending" for _, pending in self._screen.session.unsent)

    async def _until(self, fulfilled: Callable[[], bool]) -> None:
        while not fulfilled():
            self._moved.clear()
            await self._moved.wait()


def _goes(line: str) -> bool:
    """Whether a line leads to another room."""
    words = line.split(maxsplit=1)
    command = by_name(words[0][1:].lower()) if words and words[0].startswith("/") else None
    return command is not None and command.goes
