"""Text as cells: grapheme clusters with their true width, and rows of them.

prompt_toolkit measures by character; a flag or a family emoji would count several times. A `Char`
made here carries the width of its whole cluster. Terminals do not agree on the width of a cluster
of several characters: a row remembers where such clusters stand (`Row.doubtful`), so that whoever
lays it puts the cursor back to where it belongs.
"""

import zlib
from functools import lru_cache
from typing import TypeAlias
from unicodedata import category

from prompt_toolkit.layout.screen import Char
from wcwidth import iter_graphemes, wcwidth, width

__all__ = ["Cells", "Row", "cell", "cells", "columns", "put", "row", "span"]

_REST = Char("", "")
"""The second half of a wide cell: nothing is written for it, and no other cell is equal to it."""
_SALTS = 1024


class Row(dict[int, Char]):
    """Column → cell; ready to be laid into a screen's line."""

    __slots__ = ("doubtful",)

    def __init__(self) -> None:
        self.doubtful: tuple[tuple[int, int, int], ...] = ()
        """Clusters that a terminal may draw narrower or wider: first column, columns, the most
        columns that it may take."""


Cells: TypeAlias = list[Char]
"""Clusters in order, each as wide as it says."""


class _Doubtful(Char):
    """A cluster of several characters that terminals measure differently."""

    __slots__ = ("most",)
    most: int


@lru_cache(maxsize=16384)
def span(cluster: str) -> int:
    """The columns of one cluster, as most terminals count them."""
    if len(cluster) > 1 and any(category(char) == "Mc" for char in cluster):
        # The vowels of Hindi and its kin: terminals that go by the C library give them a column,
        # and where that is not theirs, it overwrites the letter.
        return sum(1 if category(char) == "Mc" else max(0, wcwidth(char)) for char in cluster)
    return max(0, width(cluster))


@lru_cache(maxsize=16384)
def cell(cluster: str, style: str) -> Char:
    """One cluster as a cell of its true width; what has none is not shown."""
    if cluster.isascii() and len(cluster) == 1:
        return Char(cluster, style)
    made = Char("x", style)
    made.width = span(cluster)
    # A vowel sign without a letter has a column in some terminals, in others none.
    if category(cluster[0]) == "Mc" or not all(map(_is_mark, cluster[1:])):
        made = _Doubtful("x", style)
        made.width = span(cluster)
        made.most = max(made.width, sum(map(_most, cluster)))
    made.char = cluster
    return made


def _is_mark(char: str) -> bool:
    """A mark that takes no column anywhere. (Selectors are marks, and change a column's width.)"""
    return category(char) == "Mn" and not "\ufe00" <= char <= "\ufe0f"


def _most(char: str) -> int:
    """The most columns that a terminal may give to a character of its own."""
    kind = category(char)
    return 0 if kind in ("Mn", "Me", "Cf") else 2 if kind in ("So", "Sk") else max(1, wcwidth(char))


def cells(text: str, style: str) -> Cells:
    """The clusters of a text without newlines and tabs: `wrap` expands them."""
    if text.isascii():
        return [cell(char, style) for char in text]
    return [made for cluster in iter_graphemes(text) if (made := cell(cluster, style)).width]


def columns(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(map(span, iter_graphemes(text)))


def row(parts: Cells) -> Row:
    """Cells from the first column on."""
    made = Row()
    column = salt = 0
    for part in parts:
        if type(part) is _Doubtful:
            made.doubtful += ((column, part.width, part.most),)
            salt = zlib.crc32(f"{column} {part.char}".encode(), salt) % _SALTS
        # What follows a doubtful cluster is drawn again whenever that is, or was elsewhere: it may
        # have been hit.
        made[column] = part if not made.doubtful else _salted(part, salt)
        for extra in range(column + 1, column + part.width):
            made[extra] = _REST
        column += part.width
    return made


def _salted(part: Char, salt: int) -> Char:
    return _with_style(part.char, part.width, f"{part.style} class:salt{salt}")


@lru_cache(maxsize=16384)
def _with_style(char: str, wide: int, style: str) -> Char:
    made = Char("x", style)
    made.char, made.width = char, wide
    return made


def put(row: Row, part: Row, column: int) -> None:
    """Lays a row into another one, from a column on."""
    for at, char in part.items():
        row[column + at] = char
    row.doubtful += tuple((column + at, wide, most) for at, wide, most in part.doubtful)
