"""The bare view: the talk as text alone, to be marked and copied. Long lines are the terminal's to
wrap, so that a link copied from it is whole."""

from ipcchat.client.model import Model, Notice
from ipcchat.entries import Entry
from ipcchat.facts import fact
from ipcchat.paint.cells import clusters, span

__all__ = ["lines"]

_END = "(to copy from · any key returns)"


def lines(model: Model, lowest: int, width: int, height: int) -> list[str]:
    """As many lines of the current room as fill the screen, up to the one with the index `lowest`,
    and how to get back."""
    room = model.rooms.get(model.current)
    made: list[str] = [_END[: width - 1]]
    if room is None:
        return made
    left = height - 1
    for index in range(lowest, -1, -1):
        line = room.lines[index]
        if isinstance(line, Entry) and model.ignores(line):
            continue
        for part in reversed(_text(line).expandtabs().split("\n")):
            left -= _height(part, width)
            if left < 0 and len(made) > 1:
                return made[::-1]
            made.append(part)  # the first one whole: what is too much of it scrolls off
            if left < 0:
                return made[::-1]
    return made[::-1]


def _height(text: str, width: int) -> int:
    """The rows that a terminal makes of a line: no cluster is divided at their ends."""
    if text.isascii():
        return max(1, -(-len(text) // width))
    rows, used = 1, 0
    for cluster in clusters(text):
        used += span(cluster)
        if used > width:
            rows, used = rows + 1, span(cluster)
    return rows


def _text(line: Entry | Notice) -> str:
    if isinstance(line, Notice):
        return line.text if line.level == "bare" else f"-- {line.text}"
    if line.kind != "message":
        return f"-- {fact(line.kind, line.nick, line.text)}"
    return f"* {line.nick} {line.text}" if line.style == "me" else f"{line.nick}: {line.text}"
