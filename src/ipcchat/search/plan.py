"""How a query is answered: which words are looked up, and what is tested on the text.

The words that a term stands for are found in the vocabulary. Few are looked up: they become one
expression of the full-text table. A term that stands for very many words is in so many entries
that it is cheaper to go through what the rest finds, newest first, and to test each text with GLOB:
the first page is full after a few. The costs of both are estimated and compared.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ipcchat.search.fold import grams, is_dense
from ipcchat.search.query import Term
from ipcchat.search.schema import AUTHOR

__all__ = ["Plan", "make_plan"]

_LAST = "\U0010ffff"
_MOST_WORDS = 4096
"""Words of the vocabulary that may be looked up for one term."""
_FEW_WORDS = 32
_LOOK_UP_US = 40.0
"""Microseconds, about, to begin with one word in one range of entries."""
_HIT_US = 1.5
"""… to go through one entry that a word is in."""
_TEST_US = 1.2
"""… to test one entry's text."""
# What may stand before a word that is not of the word: ASCII that is neither letter nor digit.
_BEFORE = "*[^0-9a-z\x80-\U0010ffff]"

_FOUND = "SELECT coalesce(sum(entries), 0), json_group_array(word) FROM "
_EXACT = _FOUND + "(SELECT word, entries FROM vocabulary WHERE word = ?1)"
_PREFIX = _FOUND + (
    "(SELECT word, entries FROM vocabulary WHERE word >= ?1 AND word < ?1 || ?2 LIMIT ?3)"
)
_PART = _FOUND + (
    "(SELECT v.word, entries FROM parts CROSS JOIN vocabulary AS v ON number = parts.rowid"
    " WHERE parts MATCH ?2 AND instr(v.word, ?1) LIMIT ?3)"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to find the entries of a query."""

    match: str
    """An expression of the full-text table; empty where nothing is looked up."""
    tests: tuple[str, ...]
    """GLOB patterns for a space and the folded text, all of which must fit."""
    most: int | None
    """So many entries fit the expression at most; None where that is not known."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The words that a term of one run stands for."""

    entries: int
    """Entries they are in, added up."""
    words: Sequence[str]
    pattern: str
    """The test that does the same."""

    @property
    def expression(self) -> str:
        return " OR ".join(map(_quoted, self.words))


def _quoted(token: str) -> str:
    # A token has neither quotes nor spaces: it is folded text.
    return f'"{token}"'


def _ask(
    db: sqlite3.Connection, statement: str, values: tuple[object, ...]
) -> tuple[int, list[str]]:
    entries, words = db.execute(statement, values).fetchone()
    return int(entries), json.loads(words)


def _prefixed(db: sqlite3.Connection, run: str) -> tuple[int, list[str]]:
    return _ask(db, _PREFIX, (run, _LAST, _MOST_WORDS + 1))


def _one_run(db: sqlite3.Connection, run: str) -> _Words | str:
    """What a term of one run stands for; an expression where that is a phrase."""
    if is_dense(run):
        pairs = grams(run)[:-1]
        if len(pairs) > 1:
            return _quoted(" ".join(pairs))
        if pairs:
            return _Words(*_ask(db, _EXACT, (run,)), "")
        return _Words(*_prefixed(db, run), f"*{run}*")
    if len(run) == 1:
        return _Words(*_ask(db, _EXACT, (run,)), "")
    if len(run) == 2:
        return _Words(*_prefixed(db, run), f"{_BEFORE}{run}*")
    trigrams = dict.fromkeys(run[at : at + 3] for at in range(len(run) - 2))
    match = " ".join(map(_quoted, trigrams))
    return _Words(*_ask(db, _PART, (run, match, _MOST_WORDS + 1)), f"*{run}*")


def _phrase(db: sqlite3.Connection, term: Term) -> str:
    """The expression for a term of several runs."""
    tokens = [token for run in term.runs[:-1] for token in (grams(run) if is_dense(run) else [run])]
    last = term.runs[-1]
    if is_dense(last) and len(last) > 1:
        return _quoted(" ".join(tokens + grams(last)[:-1]))
    if not is_dense(last) and (term.whole or len(last) == 1):
        return _quoted(" ".join([*tokens, last]))
    _, words = _prefixed(db, last)
    if len(words) > _FEW_WORDS:
        return f"{_quoted(' '.join([*tokens, last]))} *"
    return " OR ".join(_quoted(" ".join([*tokens, word])) for word in words)


def make_plan(
    db: sqlite3.Connection,
    terms: Sequence[Term],
    by: int,
    ranges: int,
    limit: int,
    size: int,
    total: int,
) -> Plan | None:
    """How to find `limit` entries of these terms in so many ranges, with `size` of all
    `total` entries.

    None: there are none for certain. Raises sqlite3.Error.
    """
    match = [_quoted(f"{AUTHOR}{by}")] if by else []
    open_terms: list[_Words] = []
    most: int | None = None
    for term in terms:
        found = _one_run(db, term.runs[0]) if len(term.runs) == 1 else _phrase(db, term)
        if isinstance(found, str):
            if not found:
                return None
            match.append(f"({found})")
            continue
        if not found.words:
            return None
        open_terms.append(found)
    tests = []
    for found in sorted(open_terms, key=lambda found: found.entries):
        if _worth(found, bool(match), most, ranges, limit, size, total):
            match.append(f"({found.expression})")
            most = found.entries if most is None else min(most, found.entries)
        else:
            tests.append(found.pattern)
    return Plan(" AND ".join(match), tuple(tests), most)


def _worth(
    found: _Words, looked_up: bool, most: int | None, ranges: int, limit: int, size: int, total: int
) -> bool:
    """Whether a term is looked up rather than tested."""
    if not found.pattern or len(found.words) <= _FEW_WORDS:
        return True
    if len(found.words) > _MOST_WORDS:
        return False
    passed = min(size, limit * total // max(1, found.entries) + ranges)
    if looked_up and most is not None:
        passed = min(passed, most)
    few = found.entries <= _MOST_WORDS  # then all ranges are looked up at once
    look_up = len(found.words) * _LOOK_UP_US * (1 if few else ranges)
    return look_up + min(found.entries, limit + ranges) * _HIT_US < passed * _TEST_US
