"""A line of the model as rows: time, nick, text, and what stands between lines.

    09:02      ann │ anyone got port 5555 free?
    ──────────────────── Fri 20 Nov 2026 ────────────────────
    - - - - - - - - - - - - -  new  - - - - - - - - - - - - -
    09:04      bob │ @you yes

Rows are made once for a width and kept in a bounded cache; what is not on the screen has none.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from ipcchat.client.lines import Hole
from ipcchat.client.model import Line, Model, Notice, Pending, RoomView
from ipcchat.clock import local
from ipcchat.entries import Entry
from ipcchat.facts import fact
from ipcchat.paint.cells import clip, columns
from ipcchat.paint.row import Part, Row, row
from ipcchat.paint.theme import nick_style
from ipcchat.paint.wrap import wrap

__all__ = ["Layout", "RowMaker"]

_CACHE = 4096
"""Lines whose rows are kept."""
_NICK = 10
"""Columns of a nick, where there is room."""
_TEXT = 11
"""Columns that the text has at least, beside time and nick."""
_SEPARATOR = " │ "

Spans = Callable[[str, str], Iterable[tuple[int, int]]]
"""Where a query is in a text: from, to, in code points, in order."""


def _none(text: str, query: str) -> Iterable[tuple[int, int]]:
    return ()


@dataclass(frozen=True, slots=True)
class Layout:
    """What rows depend on besides their line."""

    width: int
    stamp: int
    """Columns of the time."""

    @property
    def nick(self) -> int:
        """Columns of the nick."""
        return _NICK if self.width >= 60 else max(4, self.width // 6)

    @property
    def narrow(self) -> bool:
        """Whether time, nick and separator would leave the text too few columns."""
        return self.width < self.stamp + 1 + self.nick + len(_SEPARATOR) + _TEXT


class RowMaker:
    """Makes the rows of lines, and remembers them."""

    def __init__(self, model: Model, time_format: str) -> None:
        self._model = model
        self._time_format = time_format
        self._layout = Layout(80, columns(local(0).strftime(time_format)))
        self._cache: OrderedDict[tuple[object, ...], list[Row]] = OrderedDict()
        self._query = ""
        self._spans: Spans = _none
        self._pointed = (0, 0)

    @property
    def state(self) -> object:
        """What rows depend on besides the model."""
        return self._layout, self._time_format, self._query, self._pointed

    def resize(self, width: int) -> None:
        """Rows are made for another width from now on."""
        if width != self._layout.width:
            self._layout = Layout(max(1, width), self._layout.stamp)
            self._cache.clear()

    def configure(self, time_format: str) -> None:
        """Times are written like this from now on."""
        self._time_format = time_format
        self._layout = Layout(self._layout.width, columns(local(0).strftime(time_format)))
        self._cache.clear()

    def mark(self, query: str, spans: "Spans") -> None:
        """Marks what a search found from now on: `spans(text, query)`; none for an empty query."""
        self._query, self._spans = query, spans

    def point(self, room: int, seq: int) -> None:
        """Marks an entry from now on, besides what a search found; 0, 0: none."""
        self._pointed = (room, seq)

    def rows(self, room: RoomView, index: int) -> list[Row]:
        """The rows of a room's line, with what stands before it."""
        line = room.lines[index]
        before = room.lines[index - 1] if index else None
        day = before is None or _day(before.time) != _day(line.time)
        new = self._new(room, line, before)
        hidden = isinstance(line, Entry) and self._model.ignores(line)
        pointed = isinstance(line, Entry) and (room.number, line.seq) == self._pointed
        more = (day, new, hidden, pointed, self._model.nick, self._query)
        key = (room.number, room.first_key + index, id(line), *more)
        found = self._cache.get(key)
        if found is None:
            found = self._make(line, day, new, hidden)
            if pointed and not hidden:
                found[day + (new > 0)] = self._point(found[day + (new > 0)])
            self._cache[key] = found
            if len(self._cache) > _CACHE:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        return found

    def _new(self, room: RoomView, line: Line, before: Line | None) -> int:
        """How many new entries begin with this line; 0 where none do."""
        if not isinstance(line, Entry) or line.seq <= room.read_seq or not room.read_seq:
            return 0
        if isinstance(before, Entry) and before.seq > room.read_seq:
            return 0
        if isinstance(before, Hole):
            return room.seq - line.seq + 1 if before.after <= room.read_seq else 0
        if isinstance(before, Notice) and line.seq != max(room.read_seq, room.start) + 1:
            return 0
        return room.seq - line.seq + 1

    def _make(self, line: Line, day: bool, new: int, hidden: bool) -> list[Row]:
        made: list[Row] = []
        width = self._layout.width
        if day:
            made.append(_rule(local(line.time), width))
        if new:
            made.append(_marker(width))
        if hidden:
            return made
        return made + (self.notice(line) if isinstance(line, Notice) else self._entry(line))

    def _point(self, first: Row) -> Row:
        """An entry's first row with a `>` behind its time, or its nick where there is no time."""
        (_, head), *others = first.parts
        end = -2 if self._layout.narrow else -1
        return row(("pick", head[:end] + ">" + head[end + 1 or len(head) :]), *others)

    def notice(self, line: Notice) -> list[Row]:
        """The rows of a local line alone."""
        if line.level == "bare":
            return self._body([], line.text, "")
        style = f"{'notice' if line.level == 'info' else line.level}"
        head = self._head(line.time, "--" if line.level != "help" else "", style)
        return self._body(head, line.text, style)

    def _entry(self, entry: Entry) -> list[Row]:
        own = entry.by == self._model.account
        if entry.kind == "message" and entry.style != "me":
            head = self._head(entry.time, entry.nick, nick_style(entry.nick, own))
            style = "mention" if self._model.mentions(entry) else ""
            return self._body(head, entry.text, style)
        if entry.kind == "message":
            head = self._head(entry.time, "*", nick_style(entry.nick, own))
            style = "mention" if self._model.mentions(entry) else "me"
            return self._body(head, f"{entry.nick} {entry.text}", style)
        head = self._head(entry.time, "--", "notice")
        return self._body(head, fact(entry.kind, entry.nick, entry.text), "notice")

    def pending(self, pending: Pending) -> list[Row]:
        """The rows of one's own line that has no entry yet."""
        mark = ""
        style = ""
        if pending.state == "sending":
            mark, style = "… ", "pending"
        elif pending.state == "failed":
            mark, style = "! ", "failed"
        nick = self._model.nick
        head = self._head(pending.time, nick, nick_style(nick, own=True))
        said = pending.text if pending.style != "me" else f"{nick} {pending.text}"
        made = self._body(head, mark + said, style)
        if pending.state == "failed":
            why = f"not sent: {pending.reason}" if pending.reason else "not sent"
            blank = self._head(None, "", "")
            made += self._body(blank, f"{why} – Enter retries, Del discards", "failed")
        return made

    def _head(self, time: int | None, nick: str, style: str) -> list[Part]:
        """Time, nick at the right of its columns, separator; the nick alone where it is narrow."""
        layout = self._layout
        nick = clip(nick, layout.width // 2 - 2 if layout.narrow else layout.nick)
        if layout.narrow:
            return [(style, f"{nick}: ")] if nick else []
        stamp = "" if time is None else local(time).strftime(self._time_format)
        return [
            ("time", stamp + " " * (layout.stamp - columns(stamp) + 1)),
            ("", " " * (layout.nick - columns(nick))),
            (style, nick),
            ("rule", _SEPARATOR),
        ]

    def _body(self, head: list[Part], text: str, style: str) -> list[Row]:
        indent = sum(columns(part) for _, part in head)
        first, *others = wrap(text, self._layout.width - indent)
        made = [row(*head, *self._marked(first, style))]
        under: list[Part] = [("", " " * indent)]
        if head and not self._layout.narrow:
            under = [("", " " * (indent - len(_SEPARATOR))), ("rule", _SEPARATOR)]
        return made + [row(*under, *self._marked(other, style)) for other in others]

    def _marked(self, text: str, style: str) -> Iterable[Part]:
        """The text in its style, what a search found in another."""
        end = 0
        for start, stop in self._spans(text, self._query) if self._query else ():
            yield style, text[end:start]
            yield "found", text[start:stop]
            end = stop
        yield style, text[end:]


def _day(time: int) -> int:
    # No zone's days begin elsewhere than at a quarter of an hour.
    return _day_of(time // 900_000)


@lru_cache(maxsize=4096)
def _day_of(quarter: int) -> int:
    return local(quarter * 900_000).toordinal()


def _rule(day: datetime, width: int) -> Row:
    return row(("rule", f" {day:%a} {day.day} {day:%b %Y} ".center(width, "─")[:width]))


def _marker(width: int) -> Row:
    words = " new "
    left = "- " * ((width - len(words)) // 4)
    right = " -" * ((width - len(words) - len(left)) // 2)
    return row(("marker", (left.rstrip() + words + right.lstrip())[:width]))
