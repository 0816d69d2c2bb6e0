"""What one says, until it has an outcome: in order, across lost connections, exactly once.

The rules of this file:

- A room has one unresolved say at a time, and it is tried again, with the same draft id, before
  the next one. Only an outcome ends it: the `ok`, a refusal not marked `retry`, or its entry.
- Without an outcome for `outbox_expiry` it becomes a draft (`failed`): nothing is sent by surprise.
- Before a line whose outcome is open is discarded, the server is asked to withdraw it: it answers
  with the place that the line has after all, or refuses that id for ever.
- Nothing here blocks or awaits. A room's queue is bounded; past the bound a line fails at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from ipcchat.client import intake
from ipcchat.client.link import Link
from ipcchat.client.queries import new_draft
from ipcchat.client.room import Pending
from ipcchat.errors import ConnectionLost, IpcchatError, Refused
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import Done, Error, Say, Withdraw

__all__ = ["LIMIT", "Outbox", "Outcome", "new_draft"]

LIMIT = 10_000
"""Lines of a room that may wait."""
_PAUSE = 1.0
"""Seconds before a new try where the server names none."""
_LONGEST_PAUSE = 60.0

Outcome: TypeAlias = Done | IpcchatError
"""Where a line is now, or why it is not."""
Settled: TypeAlias = Callable[[Outcome], None]


@dataclass(slots=True, eq=False)
class _Item:
    """A line without an outcome."""

    pending: Pending
    settled: Settled | None
    expiry: asyncio.TimerHandle | None = None
    pause: asyncio.TimerHandle | None = None
    """Runs while a new try is put off."""
    flying: bool = False
    """The server was asked on the present connection, and has not answered."""
    tried: bool = False
    """It was sent at least once: the server may have it."""
    given_up: bool = False
    """Expired or discarded: not sent again by itself."""
    withdrawing: bool = False


class Outbox:
    """Owns what waits to be said; the lines themselves belong to the model."""

    def __init__(
        self,
        settings: ClientSettings,
        changed: Callable[[Pending], None],
        dropped: Callable[[Pending], None],
    ) -> None:
        """`changed`: a line has another state. `dropped`: it was discarded for good."""
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._changed = changed
        self._dropped = dropped
        self._link: Link | None = None
        self._rooms: dict[int, deque[_Item]] = {}
        self._open: dict[str, _Item] = {}
        """Lines given up whose outcome is open, by draft id."""
        self.trouble = ""
        """Why the server could not take a line when it was last asked; empty: it could."""
        self.idle = asyncio.Event()
        """Set while nothing waits to be said."""
        self.idle.set()

    # --- the connection ---------------------------------------------------------------

    def up(self, link: Link) -> None:
        """Logged in: what has no outcome is asked again."""
        self._link = link
        for item in tuple(self._open.values()):
            self._withdraw(item)
        for number in tuple(self._rooms):
            self._send(number)

    def down(self) -> None:
        """No connection: everything waits."""
        self._link = None

    def close(self, why: IpcchatError | None = None) -> None:
        """Nothing is sent any more; what waits is settled with the error that ended it."""
        self._link = None
        items = [item for queue in self._rooms.values() for item in queue]
        self._rooms.clear()
        for item in (*items, *self._open.values()):
            self._stop(item)
        for item in items:
            self._settle(item, why or ConnectionLost("the connection was closed"))
        self._open.clear()

    def renumber(self, numbers: dict[int, int]) -> None:
        """Rooms have other numbers: old → new. Below 1: not known yet."""
        self._rooms = {numbers.get(old, old): queue for old, queue in self._rooms.items()}
        for number in tuple(self._rooms):
            self._send(number)

    # --- saying -----------------------------------------------------------------------

    def submit(self, pending: Pending, settled: Settled | None = None) -> None:
        """Takes a line; `settled` is called once, with its outcome or ConnectionLost."""
        queue = self._rooms.setdefault(pending.room, deque())
        pending.state, pending.reason = "sending", ""
        item = _Item(pending, settled)
        if len(queue) >= LIMIT:
            self._finish(item, Refused("too_many", "too many lines wait to be sent"))
            return
        item.expiry = self._loop.call_later(self._settings.outbox_expiry, self._expire, item)
        queue.append(item)
        self.idle.clear()
        if queue[0] is item:
            self._send(pending.room)

    def adopt(self, pending: Pending) -> None:
        """Takes a failed line of an earlier run, whose outcome is open: the server may have it."""
        self._open[pending.draft] = _Item(pending, None, tried=True, given_up=True)

    def _send(self, number: int) -> None:
        """Sends the room's first line, where that may be done now."""
        queue = self._rooms.get(number)
        if not queue:
            self._rooms.pop(number, None)
            if not self._rooms:
                self.idle.set()
            return
        item, pending = queue[0], queue[0].pending
        if self._link is None or number < 1 or item.flying or item.pause is not None:
            return
        item.flying = item.tried = True
        self.trouble = ""
        request = Say(0, number, pending.draft, pending.text, pending.style)
        self._link.ask(request, partial(self._answered, item))

    def _answered(self, item: _Item, reply: Struct | None) -> None:
        item.flying = False
        if reply is None:
            return  # lost: asked again when there is a connection
        if not isinstance(reply, Error):
            assert isinstance(reply, Done)
            self._finish(item, reply)
        elif not reply.retry:
            self._finish(item, intake.refused(reply))
        elif not item.given_up:
            self.trouble = intake.refused(reply).text
            item.pause = self._loop.call_later(_pause(reply), self._again, item)

    def _again(self, item: _Item) -> None:
        item.pause = None
        self._send(item.pending.room)

    def seen(self, room: int, draft: str) -> None:
        """An entry with that draft id has come: whatever happened to the `ok`, it was said."""
        self._open.pop(draft, None)
        queue = self._rooms.get(room)
        if queue and queue[0].pending.draft == draft and not queue[0].flying:
            self._stop(queue[0])
            self._finish(queue[0], Done(0, room))

    def _finish(self, item: _Item, outcome: Outcome) -> None:
        """The line has its outcome."""
        pending = item.pending
        self.trouble = ""
        self._stop(item)
        self._open.pop(pending.draft, None)
        if isinstance(outcome, Done):
            pending.state, pending.reason, pending.seq = "sent", "", outcome.seq
        else:
            pending.state, pending.reason = "failed", outcome.text
        self._leave(item)
        self._changed(pending)
        self._settle(item, outcome)

    def _leave(self, item: _Item) -> None:
        """Takes the line out of its room's queue; the next one has its turn."""
        queue = self._rooms.get(item.pending.room)
        if queue is not None and item in queue:
            queue.remove(item)
            self._send(item.pending.room)

    def _settle(self, item: _Item, outcome: Outcome) -> None:
        settled, item.settled = item.settled, None
        if settled is not None:
            settled(outcome)

    def _stop(self, item: _Item) -> None:
        if item.expiry is not None:
            item.expiry.cancel()
        if item.pause is not None:
            item.pause.cancel()
            item.pause = None

    # --- giving up --------------------------------------------------------------------

    def _find(self, draft: str) -> _Item | None:
        every = (item for queue in self._rooms.values() for item in queue)
        return next((item for item in every if item.pending.draft == draft), None)

    def _expire(self, item: _Item) -> None:
        self._give_up(item)
        seconds = self._settings.outbox_expiry
        time = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
        item.pending.state = "failed"
        item.pending.reason = f"not sent within {time}"
        self._changed(item.pending)
        self._settle(item, ConnectionLost("no answer to what was said"))

    def _give_up(self, item: _Item) -> None:
        item.given_up = True
        self._stop(item)
        if item.tried:
            self._open[item.pending.draft] = item
        self._leave(item)

    def give_up(self, pending: Pending, reason: str) -> None:
        """A line is not sent any more; it is the user's again."""
        item = self._find(pending.draft)
        if item is not None:
            self._give_up(item)
            self._settle(item, ConnectionLost(reason))
        pending.state, pending.reason = "failed", reason
        self._changed(pending)

    def retry(self, pending: Pending, settled: Settled | None = None) -> None:
        """Sends a failed line again: as the same draft while its outcome is open, else anew."""
        if pending.state != "failed":
            return
        if self._open.pop(pending.draft, None) is None:
            pending.draft = new_draft()
        self.submit(pending, settled)
        self._changed(pending)

    def discard(self, pending: Pending) -> None:
        """Gives a line up. It is dropped at once where the server can't have it, else once the
        server has withdrawn it; a line that was said after all stays, as `sent`."""
        item = self._open.get(pending.draft) or self._find(pending.draft)
        if item is not None and not item.given_up:
            self._give_up(item)
            self._settle(item, ConnectionLost("discarded"))
        if item is None or not item.tried:
            if pending.state != "sent":
                self._dropped(pending)
            return
        item.withdrawing = True
        pending.state, pending.reason = "failed", "being taken back"
        self._changed(pending)
        self._withdraw(item)

    def _withdraw(self, item: _Item) -> None:
        if self._link is not None and item.withdrawing:
            self._link.ask(Withdraw(0, item.pending.draft), partial(self._withdrawn, item))

    def _withdrawn(self, item: _Item, reply: Struct | None) -> None:
        pending = item.pending
        if reply is None or self._open.get(pending.draft) is not item:
            return  # asked again when there is a connection; or it has an outcome by now
        if isinstance(reply, Done) and reply.seq:
            self._finish(item, reply)
        elif isinstance(reply, Error) and reply.retry:
            item.pause = self._loop.call_later(_pause(reply), self._withdraw, item)
        else:
            self._open.pop(pending.draft)
            self._dropped(pending)


def _pause(error: Error) -> float:
    """Seconds before the next try."""
    return min(error.wait_ms / 1000, _LONGEST_PAUSE) or _PAUSE
