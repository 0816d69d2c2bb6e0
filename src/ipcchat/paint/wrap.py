"""Wrapping: a text and a width make rows of text. Pure.

Rows break at spaces where they can, else between clusters; no cluster is lost or split, and no
row is wider than the width (a cluster wider than that takes a row of its own and is clipped).
"""

from wcwidth import iter_graphemes

from ipcchat.paint.cells import columns as columns_of
from ipcchat.paint.cells import span

__all__ = ["TAB", "wrap"]

TAB = 8
"""Columns from one tab stop to the next."""


def wrap(text: str, columns: int) -> list[str]:
    """The rows of a text that may have several lines; at least one, none wider than `columns`."""
    columns = max(1, columns)
    rows: list[str] = []
    for line in text.split("\n"):
        if "\t" in line:
            line = _expand(line)
        if line.isascii():
            _wrap_ascii(line, columns, rows)
        else:
            _wrap_clusters(line, columns, rows)
    return rows


def _expand(line: str) -> str:
    """Tabs as spaces up to the next stop."""
    parts = line.split("\t")
    made = parts[0]
    for part in parts[1:]:
        wide = columns_of(made)
        made += " " * (TAB - wide % TAB) + part
    return made


def _wrap_ascii(line: str, columns: int, rows: list[str]) -> None:
    start, end = 0, len(line)
    while end - start > columns:
        # A space right behind the row ends it, too.
        space = line.rfind(" ", start, start + columns + 1)
        if space <= start:
            rows.append(line[start : start + columns])
            start += columns
        else:
            rows.append(line[start:space])
            start = space + 1
    rows.append(line[start:])


def _wrap_clusters(line: str, columns: int, rows: list[str]) -> None:
    row: list[str] = []
    used = 0
    space = -1  # index in `row` of the last space
    for cluster in iter_graphemes(line):
        wide = span(cluster)
        if used + wide > columns and row:
            if cluster == " ":
                rows.append("".join(row))
                row, used, space = [], 0, -1
                continue
            if space > 0:
                rows.append("".join(row[:space]))
                row = row[space + 1 :]
            else:
                rows.append("".join(row))
                row = []
            used = sum(map(span, row))
            space = -1
            if used + wide > columns and row:
                rows.append("".join(row))
                row, used = [], 0
        if cluster == " ":
            space = len(row)
        row.append(cluster)
        used += wide
    rows.append("".join(row))
