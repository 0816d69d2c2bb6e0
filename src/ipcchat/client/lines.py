"""The lines of a room: the newest as they are, those before them packed.

The rules of this file:

- Lines come at the end, one by one, and at the beginning; they go at the beginning. What is between
  lies in pages of one size, so that an index finds its page.
- A page is MessagePack, a column for each field; it never changes, so a copy shares it. A line that
  is unpacked again is equal, and another object; pages read last stay unpacked. Notices are kept as
  they are.
- A line takes some 50 bytes and its text, an object 330; a full collection sees the newest alone.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Literal, TypeAlias, overload

import msgspec
from msgspec.structs import astuple

from ipcchat.entries import Entry

__all__ = ["Hole", "Level", "Line", "Lines", "Notice"]

Level: TypeAlias = Literal["info", "error", "help", "bare"]
"""`bare`: from the first column on, to be copied."""

_HOT = 16_384
"""Lines at the end that are not packed, at least."""
_PAGE = 512
"""Lines of a page."""
_UNPACKED = 64
"""Pages that stay unpacked."""
_DRAFT = 32
"""Hexadecimal digits of a draft id that half as many bytes can stand for."""


@dataclass(slots=True)
class Notice:
    """A local line, never sent: who came, an error, the output of a command."""

    time: int
    """Milliseconds since 1970 UTC."""
    text: str
    level: Level = "info"


@dataclass(slots=True)
class Hole(Notice):
    """Stands for entries that are not loaded, between others that are."""

    after: int = 0
    """The seq before the first of them …"""
    until: int = 0
    """… and the one after the last."""


Line: TypeAlias = Entry | Notice

_Ints: TypeAlias = list[int]
_Words: TypeAlias = list[str]
_Columns: TypeAlias = tuple[
    _Ints, _Ints, _Ints, _Ints, _Words, _Words, bytes | _Words, _Words, _Ints
]
_encode = msgspec.msgpack.Encoder().encode
_texts = msgspec.msgpack.Decoder(_Words).decode
_columns = msgspec.msgpack.Decoder(_Columns).decode


class _Page:
    """Lines that are packed."""

    __slots__ = ("_beside", "_others", "_texts")

    def __init__(self, lines: Sequence[Line]) -> None:
        self._beside: dict[int, Line] = {}
        """By index, ascending: the lines that are kept as they are."""
        try:
            entries = [line for line in lines if type(line) is Entry]
            self._pack(entries)
            if len(entries) < len(lines):
                self._beside = {i: one for i, one in enumerate(lines) if type(one) is not Entry}
        except (OverflowError, UnicodeEncodeError):  # a number or a text that has no encoding
            self._pack([])
            self._beside = dict(enumerate(lines))

    def _pack(self, entries: Sequence[Entry]) -> None:
        columns = zip(*map(astuple, entries), strict=True) if entries else [()] * 10
        room, seq, time, by, nick, kind, draft, text, style, target = columns
        self._texts = _encode(text)
        """What the entries say: apart, for the search."""
        self._others = _encode((room, seq, time, by, nick, kind, _shorter(draft), style, target))

    def texts(self) -> list[str | None]:
        """What each line says; None for one that is no entry."""
        made: list[str | None] = [*_texts(self._texts)]
        for index, line in self._beside.items():
            made.insert(index, line.text if type(line) is Entry else None)
        return made

    def lines(self) -> list[Line]:
        """The lines, made anew."""
        room, seq, time, by, nick, kind, draft, style, target = _columns(self._others)
        nick, kind, style = [*map(intern, nick)], [*map(intern, kind)], [*map(intern, style)]
        if isinstance(draft, bytes):
            ids = draft.hex()
            draft = [ids[at : at + _DRAFT] for at in range(0, len(ids), _DRAFT)]
        texts = _texts(self._texts)
        made: list[Line] = [
            *map(Entry, room, seq, time, by, nick, kind, draft, texts, style, target)
        ]
        for index, line in self._beside.items():
            made.insert(index, line)
        return made


def _shorter(drafts: Sequence[str]) -> bytes | Sequence[str]:
    """Draft ids as bytes, where all are as this client makes them."""
    joined = "".join(drafts)
    try:
        made = bytes.fromhex(joined)
    except ValueError:
        return drafts
    usual = {_DRAFT}.issuperset(map(len, drafts)) and made.hex() == joined
    return made if usual else drafts


class Lines(Sequence[Line]):
    """A list of lines, as far as a room needs one.

    The last `hot` lines or more are not packed; `page`: lines of a page. While one goes through it
    it must not change; a `copy` may be gone through in another thread.
    """

    __slots__ = ("_before", "_front", "_hot", "_hottest", "_page", "_pages", "_read", "_unpacked")

    def __init__(self, lines: Iterable[Line] = (), *, hot: int = _HOT, page: int = _PAGE) -> None:
        self._page = page
        self._hottest = hot + page
        self._front: list[Line] = []
        """The oldest lines, fewer than two pages, then …"""
        self._pages: list[_Page] = []
        """… full pages, then …"""
        self._hot: list[Line] = []
        """… the newest."""
        self._before = 0
        """How many are before the newest."""
        self._unpacked: OrderedDict[_Page, list[Line]] = OrderedDict()
        self._read: tuple[_Page | None, list[str | None]] = (None, [])
        """The page whose texts were asked for last."""
        for line in lines:
            self.append(line)

    def copy(self) -> "Lines":
        """The same lines, apart from what becomes of these."""
        made = Lines(hot=self._hottest - self._page, page=self._page)
        made._front, made._pages, made._hot = self._front[:], self._pages[:], self._hot[:]
        made._before = self._before
        return made

    # --- changes ----------------------------------------------------------------------

    def append(self, line: Line) -> int:
        """Puts a line at the end; how many there are then."""
        hot = self._hot
        hot.append(line)
        if len(hot) >= self._hottest:
            self._pages.append(_Page(hot[: self._page]))
            del hot[: self._page]
            self._before += self._page
        return self._before + len(hot)

    def prepend(self, lines: Sequence[Line]) -> None:
        """Puts lines, the oldest first, before all others."""
        if not self._before and len(lines) + len(self._hot) < self._hottest:
            self._hot[:0] = lines
            return
        front, size = self._front, self._page
        front[:0] = lines
        self._before += len(lines)
        while len(front) >= 2 * size:
            last = front[-size:]
            del front[-size:]
            page = _Page(last)
            self._pages.insert(0, page)
            self._keep(page, last)  # somebody is reading there

    def forget(self, count: int) -> None:
        """Takes away so many lines at the beginning."""
        front = self._front
        pages, part = divmod(max(0, count - len(front)), self._page)
        rest = self._pages[pages : pages + 1] if part else []
        left = self._look(rest[0])[part:] if rest else []
        for page in self._pages[: pages + len(rest)]:
            self._unpacked.pop(page, None)
        del self._hot[: max(0, count - self._before)]
        del self._pages[: pages + len(rest)]
        del front[:count]
        front += left
        self._before = len(front) + len(self._pages) * self._page
        self._read = (None, [])

    def __setitem__(self, index: int, line: Line) -> None:
        """Another line in place of that one."""
        index = range(len(self))[index]
        if index >= self._before:
            self._hot[index - self._before] = line
        elif index < len(self._front):
            self._front[index] = line
        else:
            number, at = divmod(index - len(self._front), self._page)
            old = self._pages[number]
            lines = self._look(old)[:]
            lines[at] = line
            page = self._pages[number] = _Page(lines)
            self._unpacked.pop(old, None)
            self._keep(page, lines)

    # --- what is there ----------------------------------------------------------------

    def __len__(self) -> int:
        return self._before + len(self._hot)

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        if isinstance(index, slice):
            every = range(len(self))[index]
            if not every:
                return []
            low, high = min(every[0], every[-1]), max(every[0], every[-1])
            return self._stretch(low, high + 1)[:: every.step]
        at = index - self._before
        if at >= 0:
            return self._hot[at]
        if index < 0:
            if index >= -len(self._hot):
                return self._hot[index]
            index += len(self)
            if index < 0:
                raise IndexError("there is no such line")
        at = index - len(self._front)
        if at < 0:
            return self._front[index]
        page = self._pages[at // self._page]
        lines = self._unpacked.get(page)
        if lines is None:
            lines = page.lines()
            self._keep(page, lines)
        else:
            self._unpacked.move_to_end(page)
        return lines[at % self._page]

    def __iter__(self) -> Iterator[Line]:
        yield from self._front
        for page in self._pages:
            yield from self._look(page)
        yield from self._hot

    def __reversed__(self) -> Iterator[Line]:
        yield from reversed(self._hot)
        for page in reversed(self._pages):
            yield from reversed(self._look(page))
        yield from reversed(self._front)

    def texts(self, start: int, stop: int) -> list[str | None]:
        """What the lines from index `start` to before `stop` say, None for one that is no entry:
        a tenth of what the lines themselves cost."""
        made: list[str | None] = []
        for page, lines, low, high in self._places(start, stop):
            if page is None:
                made += [line.text if type(line) is Entry else None for line in lines[low:high]]
                continue
            if page is not self._read[0]:
                self._read = page, page.texts()
            made += self._read[1][low:high]
        return made

    def _stretch(self, start: int, stop: int) -> list[Line]:
        made: list[Line] = []
        for page, lines, low, high in self._places(start, stop):
            made += (lines if page is None else self._look(page))[low:high]
        return made

    def _places(self, start: int, stop: int) -> Iterator[tuple[_Page | None, list[Line], int, int]]:
        """Where those lines are: of a page, or, where that is None, of a list; from, to."""
        first, size = len(self._front), self._page
        if start < first:
            yield None, self._front, start, min(stop, first)
        at = max(start, first)
        while at < min(stop, self._before):
            number, low = divmod(at - first, size)
            high = min(size, low + stop - at)
            yield self._pages[number], [], low, high
            at += high - low
        if stop > self._before:
            yield None, self._hot, max(0, start - self._before), stop - self._before

    # --- pages ------------------------------------------------------------------------

    def _look(self, page: _Page) -> list[Line]:
        """Its lines, for once."""
        return self._unpacked.get(page) or page.lines()

    def _keep(self, page: _Page, lines: list[Line]) -> None:
        self._unpacked[page] = lines
        if len(self._unpacked) > _UNPACKED:
            self._unpacked.popitem(last=False)
