"""What a row shows, cell by cell: for tests that look at columns and styles."""

from ipcchat.paint.cells import clusters, span
from ipcchat.paint.row import Row

__all__ = ["cells", "flat"]


def cells(row: Row) -> dict[int, tuple[str, str]]:
    """Column → cluster and style; the second half of a wide one has none."""
    made: dict[int, tuple[str, str]] = {}
    column = 0
    for style, text in row.parts:
        for cluster in clusters(text):
            made[column] = (cluster, style)
            column += span(cluster)
    assert column == row.width
    return made


def flat(row: Row) -> str:
    """The text without blanks at its end."""
    return row.text.rstrip()
