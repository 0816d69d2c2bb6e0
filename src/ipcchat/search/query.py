"""What is looked for: a text's terms, an author, a time.

A term is a word, or a phrase in double quotes; all terms have to occur, in any order. What is
neither a letter nor a digit only separates words, so `foo_bar` is a phrase of two. A term matches

    of one letter or digit       that word
    of two                       words that begin with it
    of three and more            words that contain it
    of Han, kana or Hangul       wherever it stands
    of several words             these words, one after the other; the last one is a beginning,
                                 unless a quote ends it

Case and accents don't count (`fold`). A quote that is not closed goes to the end.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from ipcchat.errors import EXIT_USAGE, IpcchatError
from ipcchat.search.fold import runs

__all__ = ["MOST_CHARACTERS", "MOST_TERMS", "Query", "QueryError", "Term", "terms"]

MOST_TERMS = 16
MOST_CHARACTERS = 512
_MOST_RUNS = 64
"""Words in all terms together."""
_LAST = 1 << 53
"""Numbers above can't come from JSON unharmed."""
_TERM = re.compile(r'"([^"]*)(?:"|$)|([^\s"]+)')


class Term(NamedTuple):
    """What has to occur."""

    runs: tuple[str, ...]
    """Folded; never empty."""
    whole: bool = False
    """Whether the last of several words is a whole one."""


class QueryError(IpcchatError):
    """A query that can't be answered. `code` is the wire's code for it."""

    exit_code = EXIT_USAGE
    code = "bad_query"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. Raises QueryError where it makes no sense."""

    text: str
    """Terms; may be empty where an author or a time is given: then all of theirs is found."""
    by: int = 0
    """The author's account number, or 0."""
    after: int = 0
    """Not older than this, in milliseconds since 1970 UTC; 0: any."""
    before: int = 0
    """Older than this, likewise."""
    narrowed: bool = False
    """Whether it is for one room: then it needs no more."""

    def __post_init__(self) -> None:
        if any(not 0 <= number < _LAST for number in (self.by, self.after, self.before)):
            raise QueryError("a number of the query is out of range", "leave it out, or give 0")
        if self.before and self.after >= self.before:
            raise QueryError(
                "nothing is after the one time and before the other",
                "give an earlier `after` or a later `before`",
            )
        if not terms(self.text) and not (self.by or self.after or self.before or self.narrowed):
            raise QueryError("there is nothing to search for", "give a word")


def terms(text: str) -> list[Term]:
    """The terms of a query's text, each once. Raises QueryError."""
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"the query is too long: {len(text)} characters",
            f"give {MOST_CHARACTERS} at most",
        )
    found = []
    for match in _TERM.finditer(text):
        folded = tuple(runs(match[1] or match[2] or ""))
        found.append(Term(folded, len(folded) > 1 and match[0].endswith('"')))
    kept = list(dict.fromkeys(term for term in found if term.runs))
    if text.strip() and not kept:
        raise QueryError(
            "nothing of the query can be searched for", "give a word with letters or digits"
        )
    if len(kept) > MOST_TERMS or sum(len(term.runs) for term in kept) > _MOST_RUNS:
        raise QueryError("the query has too many words", f"give {MOST_TERMS} terms at most")
    return kept
