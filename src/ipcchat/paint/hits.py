"""What a search found as rows: one each, however long the text is.

    > 20 Nov 09:02 #lab          ann │ …has anyone got port 5555 free?

The words that were looked for are in sight: a text that is too long begins shortly before them.
"""

from collections.abc import Callable, Iterable, Sequence

from wcwidth import iter_graphemes

from ipcchat.clock import local, now
from ipcchat.entries import Entry
from ipcchat.paint.cells import clip, columns, span
from ipcchat.paint.row import Part, Row, clipped, row
from ipcchat.paint.theme import nick_style

__all__ = ["HitRows"]

Marks = Callable[[str], Sequence[tuple[int, int]]]
"""Where the words are in a text: from, to, in code points, ascending, apart."""

_ROOM = 18
"""Columns of a room's name, at most."""
_WIDE = 60
"""Columns from which a row has the time of another day, too."""


class HitRows:
    """Makes the rows, and remembers them until the width or what is told of rooms changes.

    `room` names a room by its number; `own` says whether an account is one's own.
    """

    def __init__(
        self,
        marks: Marks,
        room: Callable[[int], str],
        own: Callable[[int], bool],
        time_format: str,
    ) -> None:
        self._marks = marks
        self._room = room
        self._own = own
        self._time_format = time_format
        self._laid: object = None
        self._wide = (0, 0, 0)
        """Columns of time, room and nick."""
        self._rows: dict[tuple[int, int, bool], Row] = {}

    def lay(self, entries: Sequence[Entry], width: int) -> None:
        """The rows of all these are in the same columns from now on."""
        rooms = {entry.room: self._room(entry.room) for entry in entries}
        laid = (len(entries), width, rooms, now().date())
        if laid == self._laid:
            return
        self._laid = laid
        self._rows.clear()
        most = max(4, width // 6)
        self._wide = (
            max((columns(self._stamp(entry.time, width)) for entry in entries), default=0),
            min(_ROOM, most, max(map(columns, rooms.values()), default=0)),
            min(10, most),
        )

    def row(self, entry: Entry, width: int, selected: bool) -> Row:
        """A message's row; `lay` was called with it."""
        key = (entry.room, entry.seq, selected)
        if key not in self._rows:
            self._rows[key] = self._made(entry, width, selected)
        return self._rows[key]

    def _made(self, entry: Entry, width: int, selected: bool) -> Row:
        stamp, room, nick = self._wide
        pick = " pick" if selected else ""
        who = f"{nick_style(entry.nick, self._own(entry.by))}{pick}"
        head: list[Part] = [
            (pick.strip(), "> " if selected else "  "),
            (f"time{pick}", _right(self._stamp(entry.time, width), stamp) + " "),
            (pick.strip(), _left(self._room(entry.room), room) + " "),
            (who, _right(entry.nick, nick)),
            (f"rule{pick}", " │ " if width >= _WIDE else " "),
        ]
        style = f"{'me' if entry.style == 'me' else ''}{pick}".strip()
        left = width - sum(columns(text) for _, text in head)
        return row(*clipped([*head, *self._text(entry.text, left, style)], width))

    def _text(self, text: str, most: int, style: str) -> Iterable[Part]:
        text = " ".join(text.split())
        marks = self._marks(text)
        start, end = _excerpt(text, marks, most)
        if start:
            yield style, "…"
        at = start
        for first, last in marks:
            first, last = max(first, at), min(last, end)
            if first < last:
                yield style, text[at:first]
                yield f"{style} found".strip(), text[first:last]
                at = last
        yield style, text[at:end]
        if end < len(text):
            yield style, "…"

    def _stamp(self, time: int, width: int) -> str:
        at, today = local(time), now()
        clock = at.strftime(self._time_format)
        if at.date() == today.date():
            return clock
        if width < _WIDE:
            return f"{at.day} {at:%b}" if at.year == today.year else f"{at:%b %Y}"
        day = f"{at.day} {at:%b}" if at.year == today.year else f"{at.day} {at:%b %Y}"
        return f"{day} {clock}"


def _excerpt(text: str, marks: Sequence[tuple[int, int]], most: int) -> tuple[int, int]:
    """The stretch of a text that shows in so many columns, ellipses counted: from, to. It has the
    first mark in it, as far as that fits."""
    if columns(text) <= most:
        return 0, len(text)
    start = 0
    if marks and columns(text[: marks[0][1]]) > most - 1:
        start = _before(text, marks[0][0], most // 3)
    left = most - (start > 0)
    end = start + len(clip(text[start:], left))
    if end < len(text):
        end = start + len(clip(text[start:], left - 1))
    return start, end


def _before(text: str, at: int, most: int) -> int:
    """Where the last so many columns before a place begin."""
    used = 0
    for cluster in reversed([*iter_graphemes(text[:at])]):
        used += span(cluster)
        if used > most:
            break
        at -= len(cluster)
    return at


def _left(text: str, wide: int) -> str:
    """A text at the left of so many columns."""
    shown = clip(text, wide)
    return shown + " " * (wide - columns(shown))


def _right(text: str, wide: int) -> str:
    """A text at the right of so many columns."""
    shown = clip(text, wide)
    return " " * (wide - columns(shown)) + shown
