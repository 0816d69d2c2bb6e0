"""The layout: what stands where on a screen of a size. Pure, but for what the parts remember.

topic
the operators' pane, where there are rows for it
rooms │ talk │ members, the lists where there are columns for them
status
a question, or the choices of a list
input
"""

from collections.abc import Callable
from typing import Protocol

from ipcchat.paint.row import Row
from ipcchat.terminal.frame import Frame, Line

__all__ = ["LEFT", "RIGHT", "Parts", "compose"]

LEFT, RIGHT = 18, 20
"""Columns of the lists."""
_TALK = 3
"""Lines that the talk has at least, where the screen has them."""
_DESK_FROM = 20
"""Lines of the screen from which the operators' pane shows."""
_TINY = 5
"""Lines of the screen below which there is but the talk and the input."""


class Parts(Protocol):
    """What a screen is made of. Each gives at most as many rows as it is asked for."""

    desk_height: int
    """Rows of the operators' pane; 0: there is none."""

    def shows(self, pane: str, columns: int) -> bool:
        """Whether a list (`rooms`, `members`) is to be shown in so many columns."""

    def topic(self, width: int) -> Row: ...

    def status(self, width: int) -> Row: ...

    def desk_rows(self, width: int, height: int) -> list[Row]: ...

    def room_rows(self, width: int, height: int) -> list[Row]: ...

    def talk_rows(self, width: int, height: int) -> list[Row]: ...

    def member_rows(self, width: int, height: int) -> list[Row]: ...

    def panel_rows(self, width: int, height: int) -> list[Row]:
        """A question or a list above the input."""

    def input_rows(self, width: int, height: int) -> tuple[list[Row], tuple[int, int]]:
        """The input, and where in it the cursor is: column and row."""


def compose(parts: Parts, columns: int, lines: int) -> Frame:
    """The frame of a screen of that size."""
    columns, lines = max(1, columns), max(1, lines)
    bars = 2 if lines >= _TINY else 0
    typed, (x, y) = parts.input_rows(columns, max(1, min(lines // 3, lines - bars - _TALK)))
    left = lines - bars - len(typed)
    panel = parts.panel_rows(columns, max(0, left - 1)) if left > 1 else []
    left -= len(panel)
    desk = parts.desk_height if lines >= _DESK_FROM and left > parts.desk_height + _TALK else 0
    frame = Frame()
    if bars:
        frame.lines.append(((0, columns, parts.topic(columns)),))
    if desk:
        frame.lines += _whole(parts.desk_rows(columns, desk), columns, desk)
    frame.talk = len(frame.lines)
    frame.lines += _middle(parts, columns, max(0, left - desk))
    if bars:
        frame.lines.append(((0, columns, parts.status(columns)),))
    frame.lines += _whole(panel, columns, len(panel))
    frame.cursor = (min(x, columns - 1), len(frame.lines) + y)
    frame.lines += _whole(typed, columns, len(typed))
    return frame


def _whole(rows: list[Row], columns: int, height: int) -> list[Line]:
    """Rows over the whole width; blank lines where there are too few."""
    made: list[Line] = [((0, columns, row),) if row.parts else () for row in rows[:height]]
    return made + [()] * (height - len(made))


def _middle(parts: Parts, columns: int, height: int) -> list[Line]:
    """The talk, between the lists that have room."""
    shown: list[tuple[int, int, list[Row]]] = []
    start, end = 0, columns
    sides: tuple[tuple[str, int, Callable[[int, int], list[Row]]], ...] = (
        ("rooms", LEFT, parts.room_rows),
        ("members", RIGHT, parts.member_rows),
    )
    for name, width, rows in sides:
        if parts.shows(name, columns) and end - start > width:
            if name == "rooms":
                shown.append((0, width, rows(width, height)))
                start = width
            else:
                end = columns - width
                shown.append((end, width, rows(width, height)))
    talk = (start, end - start, parts.talk_rows(end - start, height))
    shown = sorted([*shown, talk], key=lambda piece: piece[0])
    return [
        tuple((at, width, rows[y]) for at, width, rows in shown if y < len(rows) and rows[y].parts)
        for y in range(height)
    ]
