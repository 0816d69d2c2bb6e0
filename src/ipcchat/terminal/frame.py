"""A frame: everything the screen shows at one moment, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ipcchat.paint.row import Row

__all__ = ["Frame", "Line", "Piece"]

Piece: TypeAlias = tuple[int, int, Row]
"""The first column, how many columns there are, and what stands in them."""
Line: TypeAlias = tuple[Piece, ...]
"""The pieces of one line of the screen, from left to right; nothing overlaps."""


@dataclass(slots=True)
class Frame:
    """One line for each of the screen's, from the top."""

    lines: list[Line] = field(default_factory=list)
    cursor: tuple[int, int] = (0, 0)
    """Column and line."""
    talk: int = 0
    """The line where the talk begins."""
    bare: Sequence[str] | None = None
    """Instead of all that: lines that the terminal itself wraps, so that they can be copied."""
