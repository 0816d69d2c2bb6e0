"""Search as one types, in the loaded lines of a room.

The rules of this file:

- A query in lower case finds text whatever its case and accents; one with a capital is exact.
- Nothing is searched while a key is handled: `step` does a slice of the work, and says when it is
  done. What is found does not depend on how the work was sliced.
- Places are keys of lines, as in `client/room`. Lines may come at both ends meanwhile, go at the
  beginning, or all be others: what is gone is not found.
- A query that was extended goes on from where the shorter one was; any other starts over.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from unicodedata import normalize

from wcwidth import iter_graphemes

from ipcchat.client.room import RoomView
from ipcchat.entries import Entry
from ipcchat.text import clean_line

__all__ = ["MAX_QUERY", "Finder", "loose", "spans", "without_last"]

MAX_QUERY = 256
"""Code points of a query; what is typed past them is dropped."""
_MOVES = 64
"""Moves that wait for the search; those past them are dropped."""
_LINES = 128
"""Lines between two looks at the clock."""
_FOREIGN = 2048
"""Code points beyond ASCII that count as so many lines: folding them costs as much."""

_ACCENTS = re.compile("[\u0300-\u036f]+")
"""The marks of Latin, Greek and Cyrillic. Those of other scripts are vowels, and count."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")


def loose(text: str) -> str:
    """A text without case and accents (`ẞ` is `ss`, `É` is `e`): `text.fold`, decomposed, less the
    marks. That of a text is that of its grapheme clusters, one after the other.

    (Not by calling `fold`: a million lines make the difference.)
    """
    if text.isascii():
        return text.lower()
    folded = normalize("NFD", normalize("NFD", _SELECTORS.sub("", text)).casefold())
    return _ACCENTS.sub("", folded) if _ACCENTS.search(folded) else folded


def without_last(text: str) -> str:
    """A text without its last grapheme cluster."""
    return "".join([*iter_graphemes(text)][:-1])


@dataclass(frozen=True, slots=True)
class _Needle:
    """What is looked for; an empty one is nowhere."""

    text: str
    exact: bool

    @classmethod
    def of(cls, query: str) -> "_Needle":
        exact = query != query.lower()
        return cls(query if exact else loose(query), exact)

    def extends(self, other: "_Needle") -> bool:
        """Whether every line with this one has the other."""
        return bool(other.text) and self.exact == other.exact and other.text in self.text


def spans(text: str, query: str) -> list[tuple[int, int]]:
    """Where a query is in a text: start and end in code points, ascending, apart; of whole grapheme
    clusters, since half of one can't be shown."""
    needle = _Needle.of(query)
    if not needle.text:
        return []
    if text.isascii():
        where = text if needle.exact else text.lower()
        size = len(needle.text)
        return _joined([(at, at + size) for at in _occurrences(where, needle.text)])
    # Where each cluster starts, in what is searched and in the text.
    searched: list[int] = []
    starts: list[int] = []
    pieces: list[str] = []
    at = start = 0
    for cluster in iter_graphemes(text):
        searched.append(at)
        starts.append(start)
        piece = cluster if needle.exact else loose(cluster)
        pieces.append(piece)
        at += len(piece)
        start += len(cluster)
    starts.append(start)
    found: list[tuple[int, int]] = []
    for at in _occurrences("".join(pieces), needle.text):
        first = bisect_right(searched, at) - 1
        last = bisect_right(searched, at + len(needle.text) - 1)
        found.append((starts[first], starts[last]))
    return _joined(found)


def _occurrences(text: str, needle: str) -> list[int]:
    found: list[int] = []
    at = text.find(needle)
    while at >= 0:
        found.append(at)
        at = text.find(needle, at + len(needle))
    return found


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches; those that meet are one."""
    made: list[tuple[int, int]] = []
    for start, end in found:
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return made


@dataclass(slots=True)
class _Sweep:
    """A stretch of lines to look through, one way, and perhaps the rest after the end."""

    by: int
    """-1: to older lines; 1: to newer ones."""
    next: int
    """The key to look at next."""
    stop: int | None
    """The last key of it; None: as far as there are lines."""
    rest: int | None = None
    """After the end it goes on at the other one, up to this key; None: it doesn't."""
    wrapped: bool = False


def _everything(entry: Entry) -> bool:
    return True


class Finder:
    """A search in one room, from the line with `bottom_key` (the lowest that shows) to older ones.

    The owner changes the query, calls `step` in each turn of the loop until it says that it is
    done, and shows the line at `position`. Lines that `shows` refuses are passed over.
    """

    def __init__(
        self, room: RoomView, bottom_key: int, shows: Callable[[Entry], bool] = _everything
    ) -> None:
        self.room = room
        self._bottom = bottom_key
        self._shows = shows
        self._query = ""
        self._needle = _Needle("", exact=False)
        self._found: int | None = None
        self._begin(bottom_key)
        self._sweep: _Sweep | None = None
        self._moves: deque[int] = deque()
        self._wrapped = False

    def _begin(self, key: int) -> None:
        """The first match is looked for from there to older lines."""
        self._start = key
        self._first = _Sweep(-1, key, None)

    @property
    def position(self) -> int | None:
        """The key of the line that was found; None where there is none (yet), or it is gone."""
        if self._found is None or not self._there(self._found):
            return None
        return self._found

    @property
    def wrapped(self) -> bool:
        """Whether the last move went on at the other end."""
        return self._wrapped

    @property
    def done(self) -> bool:
        """Whether there is nothing to do until the query, the place or the lines change."""
        if not self._needle.text:
            return True
        if self._found is None and not self._ended(self._first):
            return False
        return self._sweep is None and not self._moves

    # --- what the user does -----------------------------------------------------------

    @property
    def query(self) -> str:
        """What is looked for; empty: nothing."""
        return self._query

    @query.setter
    def query(self, text: str) -> None:
        query = clean_line(text)[:MAX_QUERY]
        if query == self._query:
            return
        needle = _Needle.of(query)
        if not needle.extends(self._needle):
            self._begin(self._bottom)
        elif self._found is not None:
            self._begin(self._found)
        self._query, self._needle = query, needle
        self._found = self._sweep = None
        self._moves.clear()
        self._wrapped = False

    def type(self, text: str) -> None:
        """Adds to the query. The search goes on at the line that was found last; moves that were
        not done yet are dropped."""
        self.query = self._query + text

    def backspace(self) -> None:
        """Takes the last cluster off the query, which starts over."""
        self.query = without_last(self._query)

    def again(self, by: int) -> None:
        """To the next older match (-1) or newer one (1), once the search is there; past the last
        one it goes on at the other end."""
        if self._needle.text and len(self._moves) < _MOVES:
            self._moves.append(-1 if by < 0 else 1)

    # --- the work ---------------------------------------------------------------------

    def step(self, budget: float, clock: Callable[[], float] = perf_counter) -> bool:
        """Searches for about `budget` seconds of the clock, at least one stretch of lines; whether
        it is done. Costs nothing when it is."""
        until = clock() + budget
        while not self.done:
            self._advance()
            if clock() >= until:
                break
        return self.done

    def _advance(self) -> None:
        """One stretch of the search, or the start of a move."""
        if self._found is None and not self._ended(self._first):
            self._found = self._look(self._first)
            return
        if self._sweep is None:
            self._sweep = self._move(self._moves.popleft())
            self._wrapped = False
        sweep = self._sweep
        found = self._look(sweep)
        if found is not None:
            self._found, self._wrapped, self._sweep = found, sweep.wrapped, None
        elif self._ended(sweep):
            if sweep.rest is not None:
                end = self._newest if sweep.by < 0 else self.room.first_key
                self._sweep = _Sweep(sweep.by, end, sweep.rest, wrapped=True)
            else:  # it is nowhere: the other moves need not look
                self._sweep = None
                self._moves.clear()

    def _move(self, by: int) -> _Sweep:
        """The way to the next match, all around to where one is."""
        if self._found is not None:
            return _Sweep(by, self._found + by, None, rest=self._found)
        # From the start to older lines there is none, but for lines that came since.
        if by < 0:
            return _Sweep(by, self._first.next, None, rest=self._start + 1)
        return _Sweep(by, self._start + 1, None, rest=self._start)

    @property
    def _newest(self) -> int:
        return self.room.first_key + len(self.room.lines) - 1

    def _there(self, key: int) -> bool:
        return self.room.first_key <= key <= self._newest

    def _ahead(self, sweep: _Sweep) -> range:
        """The keys that the sweep still has to look at, in its direction."""
        low, high = self.room.first_key, self._newest
        if sweep.by < 0:
            stop = low if sweep.stop is None else max(low, sweep.stop)
            return range(min(sweep.next, high), stop - 1, -1)
        stop = high if sweep.stop is None else min(high, sweep.stop)
        return range(max(sweep.next, low), stop + 1)

    def _ended(self, sweep: _Sweep) -> bool:
        return not self._ahead(sweep)

    def _look(self, sweep: _Sweep) -> int | None:
        """Looks at a stretch of lines; the key of the first with the needle."""
        keys = self._ahead(sweep)[:_LINES]
        if not keys:
            return None
        base = self.room.first_key
        low, high = min(keys[0], keys[-1]), max(keys[0], keys[-1])
        texts = self.room.lines.texts(low - base, high + 1 - base)
        needle, exact = self._needle.text, self._needle.exact
        ascii_needle = needle.isascii()
        foreign = 0
        for key, text in zip(keys, texts[:: sweep.by], strict=True):
            sweep.next = key + sweep.by
            if text is None:
                continue
            if exact:
                hit = needle in text
            elif text.isascii():
                hit = ascii_needle and needle in text.lower()
            else:
                hit = needle in loose(text)
                foreign += len(text)
            if hit and self._is_shown(key):
                return key
            if foreign > _FOREIGN:
                break
        return None

    def _is_shown(self, key: int) -> bool:
        line = self.room.lines[key - self.room.first_key]
        return isinstance(line, Entry) and self._shows(line)
