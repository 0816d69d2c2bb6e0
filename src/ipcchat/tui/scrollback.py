"""The scrollback: which rows show, where one is in the past, and what is fetched for it.

The place is `tail`, or an anchor: the lowest line that shows and how many of its rows do. It is
never a line's index and never a height, so older history can be put before the lines or among them,
new ones after them, and the window be resized, without the view moving. Only what shows has rows.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipcchat.client.lines import Hole, Line
from ipcchat.client.model import Model, RoomView
from ipcchat.client.session import Session
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError
from ipcchat.paint.row import BLANK, Row
from ipcchat.paint.rows import RowMaker

__all__ = ["Anchor", "Loader", "Scrollback"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in the past: the lowest line that shows, and how many of its rows.

    Lines put in the middle of a room give those above them other keys, so that an entry is known by
    its seq, and a line that stands for others by the seq of the entry below it.
    """

    key: int
    rows: int
    seq: int = 0
    """0: a local line, which keeps its key."""
    stands: bool = False
    """Whether the line stood for others: what is right above the entry with that seq."""
    epoch: str = ""
    """The history that `seq` belongs to."""

    def holds(self, line: Line) -> bool:
        """Whether that line, which has the key, is the one."""
        if isinstance(line, Hole):
            return self.stands and line.until == self.seq
        return not self.seq or (
            isinstance(line, Entry) and line.seq == self.seq and not self.stands
        )


class Scrollback:
    """Lays the rows of the current room. `older` is called when its oldest line shows."""

    def __init__(self, model: Model, maker: RowMaker, older: Callable[[RoomView], None]) -> None:
        self._model = model
        self._maker = maker
        self._older = older
        self._anchors: dict[int, Anchor] = {}
        self._cleared: set[int] = set()
        self._shown: list[Row] = []
        self._shown_at: object = None
        self._place: object = None
        self.holds: Callable[[], bool] = bool
        """Whether what has just come shows in a moment anyway: a key need not wait for it."""
        self.missing: Callable[[RoomView, Hole, bool], None] = lambda room, hole, down: None
        """Called when a line shows that stands for others: whoever comes `down` wants those right
        after what is above it, else those right before what is below it."""
        self._down = False
        self.height = 1
        """Rows of the last drawing."""

    # --- where one is -----------------------------------------------------------------

    def _room(self) -> RoomView | None:
        return self._model.rooms.get(self._model.current)

    def anchor(self, room: RoomView) -> Anchor | None:
        """The place in a room; None: the tail."""
        anchor = self._anchors.get(room.number)
        if anchor is None or not room.lines:
            return None
        index = anchor.key - room.first_key
        if 0 <= index < len(room.lines) and anchor.holds(room.lines[index]):
            return anchor
        if not anchor.seq or anchor.epoch != room.epoch or anchor.seq <= room.top:
            return None  # the line is gone: the room was cleared, or started over
        index = room.after(anchor.seq - 1)
        line = room.lines[index] if index < len(room.lines) else None
        there = isinstance(line, Entry) and line.seq == anchor.seq
        # What is not there any more has another line in its place: right above what is below it.
        self._set(room, max(0, index if there and not anchor.stands else index - 1), anchor.rows)
        return self._anchors[room.number]

    @property
    def more(self) -> int:
        """Lines below what shows, also those that are not loaded; 0 at the tail."""
        room = self._room()
        anchor = self.anchor(room) if room is not None else None
        if room is None or anchor is None:
            return 0
        line = room.lines[anchor.key - room.first_key]
        seq = line.after if isinstance(line, Hole) else anchor.seq
        if 0 < seq < room.start:  # up to there a line is an entry, or stands for some
            below = room.start - seq + len(room.lines) - room.after(room.start)
        else:
            below = room.first_key + len(room.lines) - 1 - anchor.key
        hidden = len(self._maker.rows(room, anchor.key - room.first_key)) > anchor.rows
        return below + len(room.pending) + hidden

    def place(self, room: RoomView) -> int:
        """The index of the lowest line that shows; -1 where there is none."""
        anchor = self.anchor(room)
        return len(room.lines) - 1 if anchor is None else anchor.key - room.first_key

    def return_to(self, room: RoomView, anchor: Anchor | None) -> None:
        """Shows the place again that `anchor` gave."""
        if anchor is None:
            self._anchors.pop(room.number, None)
        else:
            self._anchors[room.number] = anchor

    def to_tail(self) -> None:
        """Shows the end again, and follows it; as it is now."""
        self._place = None
        self._down = False
        self._anchors.pop(self._model.current, None)

    def clear(self, room: RoomView) -> None:
        """Shows nothing of what was; scrolling up brings it back."""
        self._anchors.pop(room.number, None)
        self._cleared.add(room.number)
        room.clear()

    def to_top(self) -> None:
        """Shows the oldest line that is loaded."""
        room = self._room()
        if room is not None and room.lines:
            self._set(room, 0, 0)
            self.move(0)

    def to_index(self, index: int) -> None:
        """Shows a line in the middle of the window."""
        room = self._room()
        if room is not None and 0 <= index < len(room.lines):
            self._set(room, index, len(self._maker.rows(room, index)))
            self.move(self.height // 2)

    def to_start(self, room: RoomView, index: int) -> None:
        """Shows a line from its beginning, where it has more rows than the window."""
        if len(self._maker.rows(room, index)) > self.height:
            self._set(room, index, self.height)

    def to_unread(self) -> None:
        """Shows the first new line."""
        room = self._room()
        if room is None:
            return
        index = min(room.after(room.read_seq), len(room.lines) - 1)
        line = room.lines[index] if index >= 0 else None
        first = isinstance(line, Entry) and line.seq == room.read_seq + 1
        if first or room.read_seq > room.start:
            self.to_index(index)
        else:
            self.to_top()  # it is not loaded yet, or the oldest one

    def keep(self, room: RoomView, hole: Hole) -> None:
        """Entries have come in the place of that line: where what was above it showed, it stays in
        its row."""
        anchor = self.anchor(room)
        if anchor is None:
            return
        first, last = room.after(hole.after - 1), anchor.key - room.first_key
        below = anchor.rows
        for index in range(first + 1, last):
            line = room.lines[index]
            if not (isinstance(line, Entry) and hole.after < line.seq < hole.until):
                below += len(self._maker.rows(room, index))
        if first < last and below < self.height and room.number == self._model.current:
            self._set(room, first, len(self._maker.rows(room, first)))
            self.move(below)

    def page(self, direction: int) -> None:
        """A window's height up (-1) or down (1), less a row."""
        self.move(direction * max(1, self.height - 1))

    def move(self, count: int) -> None:
        """So many rows down, or up where negative."""
        room = self._room()
        if room is None:
            return
        self._down = count > 0
        if count < 0:
            self._cleared.discard(room.number)
        if not room.lines:
            self._older(room)
            return
        index, rows = self._bottom(room)
        rows += count
        while rows <= 0 and index > 0:
            index -= 1
            rows += len(self._maker.rows(room, index))
        while index < len(room.lines):
            there = len(self._maker.rows(room, index))
            if rows <= there:
                break
            rows -= there
            index += 1
        if index >= len(room.lines):
            self.to_tail()
            return
        index, rows = self._fill(room, index, max(rows, 1))
        last = index == len(room.lines) - 1 and rows >= len(self._maker.rows(room, index))
        if last and (count > 0 or not room.pending):
            self.to_tail()
            return
        self._set(room, index, rows)

    def _bottom(self, room: RoomView) -> tuple[int, int]:
        """The lowest line that shows, and its rows; pending lines count as rows below it."""
        anchor = self.anchor(room)
        if anchor is not None:
            index = anchor.key - room.first_key
            return index, min(anchor.rows, len(self._maker.rows(room, index)))
        index = len(room.lines) - 1
        pending = sum(len(self._maker.pending(item)) for item in room.pending)
        return index, len(self._maker.rows(room, index)) + pending

    def _fill(self, room: RoomView, index: int, rows: int) -> tuple[int, int]:
        """The same place, but not so high that rows of the window stay empty."""
        above, line = rows, index
        while above < self.height and line > 0:
            line -= 1
            above += len(self._maker.rows(room, line))
        if above < self.height:
            self._older(room)
        missing = self.height - above
        while missing > 0 and index < len(room.lines):
            there = len(self._maker.rows(room, index))
            step = min(missing, there - rows)
            rows += step
            missing -= step
            if missing > 0:
                if index == len(room.lines) - 1:
                    break
                index += 1
                rows = 0
        return index, rows

    def _set(self, room: RoomView, index: int, rows: int) -> None:
        line, key = room.lines[index], room.first_key + index
        if isinstance(line, Hole):
            anchor = Anchor(key, rows, line.until, stands=True, epoch=room.epoch)
        else:
            seq = line.seq if isinstance(line, Entry) else 0
            anchor = Anchor(key, rows, seq, epoch=room.epoch)
        self._anchors[room.number] = anchor

    # --- what shows -------------------------------------------------------------------

    def rows(self, width: int, height: int) -> list[Row]:
        """The rows of the current room that show: as many as there are lines, blank ones first."""
        self.height = max(1, height)
        self._maker.resize(width)
        room = self._room()
        if room is None:
            rows = [part for line in self._model.loose for part in self._maker.notice(line)]
            return [BLANK] * (height - len(rows)) + rows[max(0, len(rows) - height) :]
        self._model.loose.clear()
        anchor = self.anchor(room)
        place = (self._maker.state, room.number, anchor, height)
        state = (self._model.version, room.version, place)
        if state != self._shown_at and not (self.holds() and place == self._place):
            self._shown = self._upwards(room, anchor, height)
            self._shown_at, self._place = state, place
        return self._shown

    def _upwards(self, room: RoomView, anchor: Anchor | None, height: int) -> list[Row]:
        """From the lowest row that shows to the highest, then the other way round."""
        upwards: list[Row] = []
        if anchor is None:
            self._anchors.pop(room.number, None)
            for pending in reversed(room.pending):
                upwards += reversed(self._maker.pending(pending))
                if len(upwards) >= height:
                    break
            index = len(room.lines) - 1
        else:
            index = anchor.key - room.first_key
            line = room.lines[index]
            if isinstance(line, Hole):
                self.missing(room, line, self._down)
            upwards += reversed(self._maker.rows(room, index)[: anchor.rows])
            index -= 1
        while len(upwards) < height and index >= 0:
            line = room.lines[index]
            if isinstance(line, Hole):
                self.missing(room, line, self._down)
            upwards += reversed(self._maker.rows(room, index))
            index -= 1
        if index < 0 and room.number not in self._cleared:
            self._older(room)
        shown = upwards[:height][::-1]
        return [BLANK] * (height - len(shown)) + shown


class Loader:
    """Fetches what is to show and is not loaded, once at a time in a room. `spawn` runs a job
    beside the screen."""

    def __init__(
        self, session: Session, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._session = session
        self._model = session.model
        self._spawn = spawn
        self._fetching: set[int] = set()
        self._tried: Hole | None = None

    def older(self, room: RoomView) -> None:
        """The oldest line shows: what is before it is fetched."""
        if not room.complete:
            self._fetch(room, partial(self._session.fetch_older, room.number))

    def missing(self, view: Scrollback, room: RoomView, hole: Hole, down: bool) -> None:
        """A line shows that stands for others: some of them are fetched; tried once."""
        if hole != self._tried:
            self._fetch(room, partial(self._fill, view, room, hole, down))

    async def _fill(self, view: Scrollback, room: RoomView, hole: Hole, down: bool) -> None:
        self._tried = hole
        seq = hole.after + 1 if down else hole.until - 1
        await self._session.surroundings(room.number, seq, 2 * self._session.settings.page)
        if down:
            view.keep(room, hole)

    async def unread(self, view: Scrollback) -> None:
        """Shows the first new line, which may be far above what is loaded."""
        room = self._model.rooms.get(self._model.current)
        if room is not None and room.read_seq < room.start:
            with suppress(IpcchatError):  # then what is loaded has to do
                await self._session.surroundings(room.number, room.read_seq + 1)
        if room is not None and room.number == self._model.current:
            view.to_unread()

    def _fetch(self, room: RoomView, job: Callable[[], Coroutine[Any, Any, object]]) -> None:
        if room.loading or room.number in self._fetching or self._model.state != "online":
            return
        self._fetching.add(room.number)
        self._spawn(self._fetched(room.number, job))

    async def _fetched(self, number: int, job: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await job()
        finally:
            self._fetching.discard(number)
