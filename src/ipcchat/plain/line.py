r"""The line that is being typed, at the end of what was written; what each change writes.

The rules of this file:

- Text is only appended; what goes is taken back by `\b`, a space and `\b`, on its own row alone.
  Where it reaches further up, or over a cluster whose width terminals disagree on, the line is
  written once more on a fresh row.
- A row that is full is ended here (a space, then `\r`), so that it is known on which row the
  cursor is: terminals wrap only when the next character comes.
- `text` is what the screen shows after the prompt, always.
"""

from dataclasses import dataclass
from unicodedata import category

from wcwidth import iter_graphemes, wcwidth, width

__all__ = ["PROMPT", "TypedLine"]

PROMPT = "> "
_TAB = "    "
"""What a tab shows as."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A grapheme cluster where it was written."""

    text: str
    row: int
    column: int
    sure: bool
    """Whether all terminals give it the same width."""


class TypedLine:
    """Owns what is being typed. Every method returns what is to be written."""

    def __init__(self, columns: int = 80) -> None:
        self._cells: list[_Cell] = []
        self._row = 0
        self._column = 0
        self._lost = False
        """Whether the cursor may be on another row than thought."""
        self._columns = max(columns, 8)
        self.shown = False
        """Whether prompt and text stand on the screen."""

    @property
    def text(self) -> str:
        """What was typed."""
        return "".join(cell.text for cell in self._cells)

    def resize(self, columns: int) -> None:
        """The window has another width: terminals may have moved what stands there."""
        if columns != self._columns:
            self._columns = max(columns, 8)
            self._lost = bool(self._cells)

    # --- the whole line ---------------------------------------------------------------

    def show(self) -> str:
        """Prompt and text on a fresh row."""
        text = self.text
        self._cells, self._row, self._column, self._lost = [], 0, len(PROMPT), False
        self.shown = True
        return PROMPT + self._write(text)

    def hide(self) -> str:
        """Makes place for something else: an empty prompt goes, a text is left standing."""
        if not self.shown:
            return ""
        self.shown = False
        if self._cells:
            return "\n"
        return _erased(len(PROMPT))

    def end(self) -> str:
        """The text is left standing as it is, and nothing is typed any more."""
        self._cells = []
        written, self.shown = "\n" if self.shown else "", False
        return written

    # --- changes ----------------------------------------------------------------------

    def insert(self, text: str) -> str:
        """Text at the end."""
        if not text:
            return ""
        return self.become(self.text + text)

    def backspace(self) -> str:
        """The last cluster goes."""
        return self._cut(max(0, len(self._cells) - 1))

    def word(self) -> str:
        """The last word goes, with what space is behind it."""
        kept = len(self._cells)
        while kept and self._cells[kept - 1].text.isspace():
            kept -= 1
        while kept and not self._cells[kept - 1].text.isspace():
            kept -= 1
        return self._cut(kept)

    def become(self, text: str) -> str:
        """Another text: what both begin with stays."""
        clusters = list(iter_graphemes(text))
        same = 0
        for cell, cluster in zip(self._cells, clusters, strict=False):
            if cell.text != cluster:
                break
            same += 1
        rest = "".join(clusters[same:])
        cut = self._cut(same, rest)
        return cut if cut.startswith("\n") else cut + self._write(rest)

    def _cut(self, kept: int, then: str = "") -> str:
        """All clusters but the first `kept` go; `then` is what follows, where that is written at
        once, on a fresh row."""
        if kept >= len(self._cells):
            return ""
        first, gone = self._cells[kept], self._cells[kept:]
        del self._cells[kept:]
        if not self.shown:
            return ""
        if self._lost or first.row != self._row or not all(cell.sure for cell in gone):
            text = self.text + then
            self._cells = [_Cell(cluster, 0, 0, True) for cluster in iter_graphemes(text)]
            return "\n" + self.show()
        count, self._column = self._column - first.column, first.column
        return _erased(count)

    def _write(self, text: str) -> str:
        written: list[str] = []
        for cluster in iter_graphemes(text):
            if not self.shown:
                self._cells.append(_Cell(cluster, 0, 0, True))
                continue
            written += self._place(cluster)
        return "".join(written)

    def _place(self, cluster: str) -> list[str]:
        """Writes a cluster; returns the pieces of that."""
        if cluster in ("\n", "\r\n"):
            self._cells.append(_Cell(cluster, self._row, self._column, True))
            self._row, self._column = self._row + 1, 0
            return ["\n"]
        seen = _TAB if cluster == "\t" else cluster
        span = len(_TAB) if cluster == "\t" else max(0, width(cluster))
        sure = _sure(cluster) and span > 0
        written: list[str] = []
        if self._column + span > self._columns and not self._lost:
            written.append(" " * (self._columns - self._column) + " \r")
            self._row, self._column = self._row + 1, 0
        self._cells.append(_Cell(cluster, self._row, self._column, sure))
        written.append(seen)
        self._column += span
        # Past a width that is in doubt, whether the row is full can't be known near its end.
        if not all(cell.sure for cell in self._cells[-self._columns :]):
            self._lost = self._lost or self._far() >= self._columns
        if self._column >= self._columns:
            if self._lost:
                self._column = 0
            else:
                written.append(" \r")
                self._row, self._column = self._row + 1, 0
        return written

    def _far(self) -> int:
        """The column that the cursor may be in at most, on this row."""
        doubt = sum(
            2 * len(cell.text)
            for cell in self._cells[-self._columns :]
            if cell.row == self._row and not cell.sure
        )
        return self._column + doubt


def _erased(columns: int) -> str:
    return "\b" * columns + " " * columns + "\b" * columns


def _sure(cluster: str) -> bool:
    """Whether all terminals give it the same width: a character, with marks above and below."""
    if len(cluster) == 1:
        return category(cluster) != "Mc"
    if category(cluster[0]) in ("Mc", "Cf") or wcwidth(cluster[0]) < 1:
        return False
    return all(category(char) == "Mn" and not "\ufe00" <= char <= "\ufe0f" for char in cluster[1:])
