"""The quick switcher: what is typed, what fits it, and which of these is chosen.

The rules of this file:

- A name fits where it has the characters of the query in order, whatever their case and accents.
- A better fit comes first: the whole name, its beginning, the beginning of a word, beginnings of
  words, a stretch inside a word, anything else. Then the shorter name, then the order given.
- Nothing here raises for an empty list or an odd query.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from wcwidth import iter_graphemes

from ipcchat.text import clean_line
from ipcchat.tui.finder import MAX_QUERY, loose, without_last

__all__ = ["Candidate", "Choice", "Match", "Picker", "match", "parts"]

_SEPARATORS = frozenset("#@-_. ")
_EXACT, _PREFIX, _WORD, _WORDS, _INSIDE, _SCATTERED = (tier * 1_000_000 for tier in range(6, 0, -1))
_RUN = 1
"""What a further stretch costs."""
_INNER = 1000
"""What a stretch costs besides that begins inside a word."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a query fits a name."""

    score: int
    """Higher is better."""
    positions: tuple[int, ...]
    """The name's grapheme clusters that fit, as indexes, ascending."""


@dataclass(frozen=True, slots=True)
class _Folded:
    """A name as it is searched."""

    text: str
    clusters: tuple[int, ...]
    """For each character of the text, the name's cluster that it comes from."""
    begins: frozenset[int]
    """Characters of the text where a word begins."""


@lru_cache(maxsize=8192)
def _folded(name: str) -> _Folded:
    """Kept, so that a key folds nothing: a name of 64 characters takes about 10 µs."""
    pieces: list[str] = []
    clusters: list[int] = []
    begins: list[int] = []
    before = ""
    for index, cluster in enumerate(name if name.isascii() else iter_graphemes(name)):
        camel = before.islower() and cluster.isupper()
        if not before or camel or (before in _SEPARATORS and cluster not in _SEPARATORS):
            begins.append(len(clusters))
        piece = loose(cluster)
        pieces.append(piece)
        clusters += [index] * len(piece)
        before = cluster
    return _Folded("".join(pieces), tuple(clusters), frozenset(begins))


def match(query: str, name: str) -> Match | None:
    """How a query fits a name as it is shown; None where it doesn't. An empty query fits all.

    Spaces in the query need not be in the name.
    """
    wanted = loose(query)
    folded = _folded(name)
    found = _match(wanted, folded)
    if found is None and " " in wanted:
        found = _match(wanted.replace(" ", ""), folded)
    return found


def _match(wanted: str, folded: _Folded) -> Match | None:
    if not wanted:
        return Match(0, ())
    text = folded.text
    at = text.find(wanted)
    if at < 0:
        return _scattered(wanted, folded)
    # A `#` or `@` that was not typed doesn't count.
    head = 1 if text[:1] in ("#", "@") and wanted[0] != text[0] else 0
    if text.startswith(wanted, head):
        whole = len(text) == head + len(wanted)
        return _made(_EXACT if whole else _PREFIX, range(head, head + len(wanted)), folded)
    inside = at
    while at >= 0:
        if at in folded.begins:
            return _made(_WORD, range(at, at + len(wanted)), folded)
        at = text.find(wanted, at + 1)
    words = _scattered(wanted, folded) if len(wanted) > 1 else None
    if words is not None and words.score > _INSIDE:
        return words
    return _made(_INSIDE, range(inside, inside + len(wanted)), folded)


def _scattered(wanted: str, folded: _Folded) -> Match | None:
    """The fit of fewest stretches, as many as can be from the beginnings of words; the leftmost of
    several."""
    text, begins = folded.text, folded.begins
    at = -1
    for char in wanted:  # most names don't fit at all
        at = text.find(char, at + 1)
        if at < 0:
            return None
    # For each place of the character before: cost of the best way there, and the way.
    ways: dict[int, tuple[int, tuple[int, ...]]] = {-2: (0, ())}
    for char in wanted:
        further: dict[int, tuple[int, tuple[int, ...]]] = {}
        best: tuple[int, tuple[int, ...]] | None = None
        waiting = iter(ways.items())
        ahead = next(waiting, None)
        at = text.find(char)
        while at >= 0:
            while ahead is not None and ahead[0] < at:
                if best is None or ahead[1][0] < best[0]:
                    best = ahead[1]
                ahead = next(waiting, None)
            if best is not None:
                cost, way = best[0] + _RUN + (0 if at in begins else _INNER), best[1]
                beside = ways.get(at - 1)
                if beside is not None and beside[0] <= cost:
                    cost, way = beside
                further[at] = cost, (*way, at)
            at = text.find(char, at + 1)
        ways = further
    cost, way = min(ways.values(), key=lambda found: found[0])
    return _made((_WORDS if cost < _INNER else _SCATTERED) - cost, way, folded)


def _made(score: int, places: Iterable[int], folded: _Folded) -> Match:
    clusters = folded.clusters
    return Match(score, tuple(dict.fromkeys([clusters[place] for place in places])))


def parts(name: str, positions: Sequence[int]) -> list[tuple[str, bool]]:
    """A name in stretches, for drawing: each with whether it fits the query."""
    made: list[tuple[str, bool]] = []
    marked = frozenset(positions)
    for index, cluster in enumerate(iter_graphemes(name)):
        fits = index in marked
        if made and made[-1][1] == fits:
            made[-1] = made[-1][0] + cluster, fits
        else:
            made.append((cluster, fits))
    return made


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where one may go."""

    name: str
    """As it is shown, with its `#` or `@`."""
    number: int
    """The room's, or the person's account."""
    unread: int = 0
    mentions: int = 0
    current: bool = False
    """Whether one is there."""
    kind: Literal["room", "person"] = "room"

    @property
    def identity(self) -> tuple[str, int]:
        """What stays while names and counts change."""
        return self.kind, self.number


@dataclass(frozen=True, slots=True)
class Choice:
    """A candidate that fits."""

    candidate: Candidate
    positions: tuple[int, ...] = ()
    """The clusters of its name that fit the query."""


class Picker:
    """Owns the query and the selection."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = tuple(candidates)
        for candidate in self._candidates:
            _folded(candidate.name)
        self._query = ""
        self._index = 0
        self._choices = self._fitting()

    @property
    def choices(self) -> list[Choice]:
        """What fits, the best first. While nothing is typed: mentions, unread, the others in the
        order given, and last where one is."""
        return self._choices

    @property
    def index(self) -> int:
        """Which of the choices is selected; 0 where there is none."""
        return self._index

    @property
    def selected(self) -> Candidate | None:
        """Where Enter leads."""
        return self._choices[self._index].candidate if self._choices else None

    @property
    def query(self) -> str:
        """What was typed. A change selects the best fit."""
        return self._query

    @query.setter
    def query(self, text: str) -> None:
        query = clean_line(text)[:MAX_QUERY]
        if query != self._query:
            self._query = query
            self._choices = self._fitting()
            self._index = 0

    def type(self, text: str) -> None:
        """Adds to the query."""
        self.query = self._query + text

    def backspace(self) -> None:
        """Takes the last cluster off the query."""
        self.query = without_last(self._query)

    def clear_word(self) -> None:
        """Takes the last word off the query, as Ctrl+W does."""
        self.query = re.sub(r"\S*\s*$", "", self._query, count=1)

    def move(self, by: int) -> None:
        """Selects another choice, around the ends."""
        if self._choices:
            self._index = (self._index + by) % len(self._choices)

    def update(self, candidates: Iterable[Candidate]) -> None:
        """Others are there, or their counts changed; what was selected stays so if it fits."""
        kept = self.selected
        self._candidates = tuple(candidates)
        self._choices = self._fitting()
        self._index = 0
        for index, choice in enumerate(self._choices):
            if kept is not None and choice.candidate.identity == kept.identity:
                self._index = index
                break

    def _fitting(self) -> list[Choice]:
        if not self._query.strip():
            return [Choice(candidate) for candidate in sorted(self._candidates, key=_urgency)]
        found = [
            (-fit.score, len(candidate.name), index, Choice(candidate, fit.positions))
            for index, candidate in enumerate(self._candidates)
            if (fit := match(self._query.strip(), candidate.name)) is not None
        ]
        found.sort(key=lambda row: row[:3])
        return [choice for *_, choice in found]


def _urgency(candidate: Candidate) -> tuple[bool, int]:
    return candidate.current, 0 if candidate.mentions else 1 if candidate.unread else 2
