"""When a room hands out what was committed: at once where that is cheap, else on a grid, in slices.

* A quiet room, or one whose flush costs little, is flushed at once.
* A room whose last flush was costly rests for `coalesce` after it: what comes meanwhile leaves in
  the same `send`, which is where a delivery's cost is. Until then nobody needs it on disk either,
  but those who wait for their `ok`: `rest` tells the journal, which gathers larger batches.
* A room that has collected as much as may wait for a member (`queue_bytes`) does not rest; nor do
  more messages of it become entries until its next flush begins (`server/requests`).
* A room is served in slices of `slice_members`; rooms take turns, and between two slices the loop
  does what else there is.

At most one flush of a room is under way; what is committed meanwhile is its next one.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from ipcchat.fanout.room import Room
from ipcchat.settings import ServerSettings

__all__ = ["Delivery"]

_CHEAP = 0.05
"""The part of the grid's time that a flush may take and yet be done at once."""
_LEAD = 0.003
"""Seconds from the beginning of a small commit to its entries."""


class Delivery:
    """Owns the order in which rooms are served. Its methods do not await."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: Callable[[], ServerSettings],
        settle: Callable[[], None],
    ) -> None:
        """`settle` writes what waits for the end of the turn: a batch does not overtake it."""
        self._loop = loop
        self._settings = settings
        self._settle = settle
        self._waiting: dict[Room, asyncio.TimerHandle] = {}
        """Rooms that wait for their grid."""
        self._line: deque[Room] = deque()
        """Rooms with a flush under way."""
        self._scheduled = False
        self._last = (0.0, 0.0)
        """Of the flush that ended last: seconds that it took, and when that was."""

    def rest(self) -> float:
        """Seconds that nothing costly is handed out: what is committed sooner waits here."""
        grid = self._settings().coalesce
        if self._line:
            return grid
        cost, flushed_at = self._last
        if cost <= _CHEAP * grid:
            return 0.0
        return flushed_at + grid - self._loop.time() - _LEAD

    def ready(self, room: Room) -> None:
        """The room has collected something since its last flush began."""
        if room.flushing:
            return
        timer = self._waiting.get(room)
        if room.waiting >= self._settings().queue_bytes:  # there is enough for each `send`
            if timer is not None:
                timer.cancel()
            self._due(room)
        elif timer is None:
            grid = self._settings().coalesce
            wait = room.flushed_at + grid - self._loop.time()
            if wait > 0 and room.cost > _CHEAP * grid:
                self._waiting[room] = self._loop.call_later(wait, self._due, room)
            else:
                self._begin(room)

    def _due(self, room: Room) -> None:
        self._waiting.pop(room, None)
        self._begin(room)

    def _begin(self, room: Room) -> None:
        room.begin()
        self._line.append(room)
        if not self._scheduled:
            self._serve()

    def _serve(self) -> None:
        """One turn: a slice, of one room or of several small ones."""
        self._scheduled = True  # what begins meanwhile is served below
        self._settle()
        budget = self._settings().slice_members
        try:
            while self._line and budget > 0:
                room = self._line[0]
                start = self._loop.time()
                budget -= self._step(room, budget)
                now = self._loop.time()
                room.cost += now - start
                self._line.popleft()
                if room.flushing:
                    self._line.append(room)
                    continue
                room.flushed_at = now
                self._last = room.cost, now
                if room.collected:
                    self.ready(room)
        finally:  # whatever one follower does, the others go on
            self._scheduled = bool(self._line)
            if self._scheduled:
                self._loop.call_soon(self._serve)

    def _step(self, room: Room, most: int) -> int:
        """One that can't be served, which is a fault of ours, keeps nobody else from it."""
        while True:
            try:
                return room.step(most)
            except Exception as error:
                told = {"message": "a follower could not be served", "exception": error}
                self._loop.call_exception_handler(told)

    def finish(self) -> None:
        """Hands out everything now: there will be no more turns."""
        while self._waiting or self._line:
            for room, timer in tuple(self._waiting.items()):
                timer.cancel()
                self._due(room)
            while self._line:
                self._serve()
