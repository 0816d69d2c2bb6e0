"""The input line as rows: wrapped at the width, with the place of the cursor. Pure."""

from dataclasses import dataclass

from wcwidth import iter_graphemes

from ipcchat.paint.cells import columns, span
from ipcchat.paint.row import Part, Row, row

__all__ = ["InputRows", "lay"]

_TAB = "    "


@dataclass(frozen=True, slots=True)
class InputRows:
    """All rows of the input; `cursor` is its column and row among them."""

    rows: list[Row]
    cursor: tuple[int, int]

    def window(self, height: int, first: int) -> tuple[int, list[Row]]:
        """At most so many of them, the cursor's among them, from near `first` on."""
        line = self.cursor[1]
        first = min(max(first, line - height + 1), line)
        first = max(0, min(first, len(self.rows) - height))
        return first, self.rows[first : first + height]


def lay(
    prompt: str, text: str, cursor: int, width: int, selected: tuple[int, int] | None = None
) -> InputRows:
    """The rows of a text behind a prompt; continued rows are indented by as much.

    `cursor`: an index of the text. `selected`: from, to; shown in another style. Rows break
    between clusters, so that what is typed never moves what stands before it. Controls are shown
    as `^A`.
    """
    indent = columns(prompt)
    if indent + len(_TAB) > width:  # what is widest is to have its place
        prompt, indent = "", 0
    room = max(1, width - indent)
    rows: list[Row] = []
    parts: list[Part] = [("prompt", prompt)]
    used = index = 0
    place = (indent, 0)

    def end_row() -> None:
        nonlocal parts, used
        rows.append(row(*parts))
        parts = [("", " " * indent)]
        used = 0

    for cluster in _clusters(text):
        shown = _shown(cluster)
        wide = columns(shown)
        if used + wide > room and used:
            end_row()
        if index <= cursor < index + len(cluster):
            place = (indent + used, len(rows))
        if cluster == "\n":
            end_row()
        else:
            inside = selected is not None and selected[0] <= index < selected[1]
            style = "selected" if inside else ""
            if parts[-1][0] == style and len(parts) > 1:
                parts[-1] = (style, parts[-1][1] + shown)
            else:
                parts.append((style, shown))
            used += wide
        index += len(cluster)
    if cursor >= index:
        if used >= room:
            end_row()
        place = (indent + used, len(rows))
    rows.append(row(*parts))
    return InputRows(rows, place)


def _clusters(text: str) -> list[str]:
    return list(text) if text.isascii() else list(iter_graphemes(text))


def _shown(cluster: str) -> str:
    if cluster == "\t":
        return _TAB
    if cluster == "\n":
        return ""
    if len(cluster) == 1 and (cluster < " " or cluster == "\x7f"):
        return "^" + chr(ord(cluster) ^ 64)
    if span(cluster) == 0:
        return "\ufffd"  # one, however many marks there are: it may be no wider than a row
    return cluster
