"""Text as cells: grapheme clusters with their true width, and rows of them.

prompt_toolkit measures by character; a flag or a family emoji would count several times. A `Char`
made here carries the width of its whole cluster, so that the renderer's idea of the cursor is the
terminal's.
"""

from functools import lru_cache
from typing import TypeAlias

from prompt_toolkit.layout.screen import Char
from wcwidth import iter_graphemes, width

__all__ = ["Cells", "Row", "cell", "cells", "columns", "row"]

Row: TypeAlias = dict[int, Char]
"""Column → cell; ready to be laid into a screen's line."""
Cells: TypeAlias = list[Char]
"""Clusters in order, each as wide as it says."""

_BLANK = Char(" ", "")


@lru_cache(maxsize=16384)
def cell(cluster: str, style: str) -> Char:
    """One cluster as a cell of its true width; what has none is not shown."""
    made = Char(cluster, style)
    if len(cluster) > 1 or not cluster.isascii():
        made.char = cluster
        made.width = max(0, width(cluster))
    return made


def cells(text: str, style: str) -> Cells:
    """The clusters of a text without newlines. A tab is a space: `wrap` expands them."""
    if text.isascii():
        return [cell(char, style) for char in text]
    return [made for cluster in iter_graphemes(text) if (made := cell(cluster, style)).width]


def columns(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(max(0, width(c)) for c in iter_graphemes(text))


def row(parts: Cells, start: int = 0) -> Row:
    """Cells from a column on; the second half of a wide one is blank."""
    made: Row = {}
    column = start
    for part in parts:
        made[column] = part
        for extra in range(column + 1, column + part.width):
            made[extra] = _BLANK
        column += part.width
    return made
