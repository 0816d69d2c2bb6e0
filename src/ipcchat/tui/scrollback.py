"""The scrollback: which rows show, and where one is in the past.

The place is `tail`, or an anchor: the key of the lowest line that shows and how many of its rows
do. It is never a line's index and never a height, so older history can be put before the lines,
new ones after them, and the window be resized, without the view moving. Only what shows has rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ipcchat.client.model import Model, RoomView
from ipcchat.paint.row import BLANK, Row
from ipcchat.paint.rows import RowMaker

__all__ = ["Anchor", "Scrollback"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in the past: the lowest line that shows, and how many of its rows."""

    key: int
    rows: int


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
        self.height = 1
        """Rows of the last drawing."""

    # --- where one is -----------------------------------------------------------------

    def _room(self) -> RoomView | None:
        return self._model.rooms.get(self._model.current)

    def anchor(self, room: RoomView) -> Anchor | None:
        """The place in a room; None: the tail."""
        anchor = self._anchors.get(room.number)
        if anchor is None:
            return None
        if not room.lines or anchor.key < room.first_key:
            return None  # the line is gone: the room was cleared, or started over
        if anchor.key >= room.first_key + len(room.lines):
            return None
        return anchor

    @property
    def more(self) -> int:
        """Lines below what shows; 0 at the tail."""
        room = self._room()
        anchor = self.anchor(room) if room is not None else None
        if room is None or anchor is None:
            return 0
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
        if room.read_seq > room.start:
            self.to_index(min(room.after(room.read_seq), len(room.lines) - 1))
        else:
            self.to_top()  # it is not loaded yet, or the oldest one

    def page(self, direction: int) -> None:
        """A window's height up (-1) or down (1), less a row."""
        self.move(direction * max(1, self.height - 1))

    def move(self, count: int) -> None:
        """So many rows down, or up where negative."""
        room = self._room()
        if room is None:
            return
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
        self._anchors[room.number] = Anchor(room.first_key + index, rows)

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
            upwards += reversed(self._maker.rows(room, index)[: anchor.rows])
            index -= 1
        while len(upwards) < height and index >= 0:
            upwards += reversed(self._maker.rows(room, index))
            index -= 1
        if index < 0 and room.number not in self._cleared:
            self._older(room)
        shown = upwards[:height][::-1]
        return [BLANK] * (height - len(shown)) + shown
