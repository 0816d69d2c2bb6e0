"""A row of the screen: pieces of text with their styles, made once and never changed.

A style is names separated by spaces (`nick3 own`), which a theme turns into colours. What a row
sends to the terminal keeps every cluster at its own column, whatever the terminal thinks of the
widths of those before it; the line was erased before.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ipcchat.paint.cells import clip, clusters, columns, doubt, shown, span
from ipcchat.paint.theme import Theme

__all__ = ["BLANK", "Part", "Row", "clipped", "row"]

Part: TypeAlias = tuple[str, str]
"""Style and text. Texts have no controls: `wrap` takes newlines and tabs out."""


class Row:
    """What `row` makes. Equal rows look alike."""

    __slots__ = ("_drawn", "_key", "parts", "width")

    def __init__(self, parts: tuple[Part, ...], width: int) -> None:
        self.parts = parts
        self.width = width
        """Columns."""
        self._key: tuple[Theme, int, int] | None = None
        self._drawn = ""

    @property
    def text(self) -> str:
        """The text alone."""
        return "".join(text for _, text in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and (self is other or self.parts == other.parts)

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Row({self.parts!r})"

    def draw(self, theme: Theme, left: int, limit: int) -> str:
        """The escapes and text that show the row from column `left` on (0 is the first), in an
        erased line, in at most `limit` columns. The cursor is at that column."""
        key = (theme, left, limit)
        if key != self._key:
            self._drawn = "".join(_draw(self.parts, theme, left, limit))
            self._key = key
        return self._drawn


def _draw(parts: Sequence[Part], theme: Theme, left: int, limit: int) -> Iterable[str]:
    column = left
    for style, text in parts:
        yield theme.sgr(style)
        if text.isascii():
            yield text[: max(0, left + limit - column)]
            column += len(text)
            continue
        for cluster in clusters(text):
            wide, most = span(cluster), doubt(cluster)
            column += wide
            if column > left + limit:
                return
            if not most:
                # Where lines are not wrapped, tmux puts a mark behind the last column's letter on
                # the letter before.
                at_edge = column == left + limit and len(cluster) > 1
                yield f"\x1b[?7h{cluster}\x1b[?7l" if at_edge else cluster
                continue
            if column - wide - left + most > limit:
                # It could reach into what stands beside: its first character alone can't.
                cluster, most = cluster[0], max(1, span(cluster[0]))
            yield f"{cluster}\x1b[{column + 1}G"
            # What it may have covered beyond its place.
            if (over := min(most - wide, left + limit - column)) > 0:
                yield f"\x1b[{over}X"


def row(*parts: Part) -> Row:
    """The row of these pieces, one behind the other."""
    kept = tuple((style, shown(text)) for style, text in parts if text)
    return Row(kept, sum(columns(text) for _, text in kept))


def clipped(parts: Iterable[Part], most: int) -> list[Part]:
    """As much of the pieces as fits into so many columns."""
    made: list[Part] = []
    for style, text in parts:
        piece = clip(text, most)
        made.append((style, piece))
        most -= columns(piece)
        if len(piece) < len(text):
            break
    return made


BLANK = row()
"""A row with nothing in it."""
