"""Columns: grapheme clusters, how many columns each takes, and where terminals disagree.

A flag or a family is one cluster of two columns, whatever its number of characters. Terminals do
not agree on the width of a cluster of several characters: `doubt` says how far one may reach.
"""

from functools import lru_cache
from unicodedata import category

from wcwidth import iter_graphemes, wcwidth, width

__all__ = ["clip", "clusters", "columns", "doubt", "shown", "span"]


@lru_cache(maxsize=16384)
def span(cluster: str) -> int:
    """The columns of one cluster, as most terminals count them."""
    if len(cluster) > 1 and any(category(char) == "Mc" for char in cluster):
        # The vowels of Hindi and its kin: terminals that go by the C library give them a column,
        # and where that is not theirs, it overwrites the letter.
        return sum(1 if category(char) == "Mc" else max(0, wcwidth(char)) for char in cluster)
    return max(0, width(cluster))


@lru_cache(maxsize=16384)
def doubt(cluster: str) -> int:
    """The most columns that a terminal may give to a cluster whose width they disagree on; 0 where
    they agree."""
    if len(cluster) == 1 and cluster.isascii():
        return 0
    # A vowel sign without a letter has a column in some terminals, in others none.
    if category(cluster[0]) != "Mc" and all(map(_is_mark, cluster[1:])):
        return 0
    return max(span(cluster), sum(map(_most, cluster)))


def _is_mark(char: str) -> bool:
    """A mark that takes no column anywhere. (Selectors are marks, and change a column's width.)"""
    return category(char) == "Mn" and not "\ufe00" <= char <= "\ufe0f"


def _most(char: str) -> int:
    """The most columns that a terminal may give to a character of its own."""
    kind = category(char)
    return 0 if kind in ("Mn", "Me", "Cf") else 2 if kind in ("So", "Sk") else max(1, wcwidth(char))


def clusters(text: str) -> list[str]:
    """The clusters of a text that have columns, in order."""
    return [cluster for cluster in iter_graphemes(text) if span(cluster)]


def shown(text: str) -> str:
    """A text without what has no columns of its own."""
    return text if text.isascii() else "".join(clusters(text))


def columns(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(map(span, iter_graphemes(text)))


def clip(text: str, most: int) -> str:
    """The beginning of a text that fits into so many columns."""
    if text.isascii():
        return text[: max(0, most)]
    used, end = 0, 0
    for cluster in iter_graphemes(text):
        used += span(cluster)
        if used > most:
            break
        end += len(cluster)
    return text[:end]
