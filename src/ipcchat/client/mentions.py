"""Which texts name the user: the nick, and the words that count besides it."""

import re
from collections.abc import Iterable

from ipcchat.text import fold

__all__ = ["Mentions"]


class Mentions:
    """Whole words, whatever their case."""

    def __init__(self, nick: str, highlight: Iterable[str]) -> None:
        self._highlight = tuple(highlight)
        self.name(nick)

    def name(self, nick: str) -> None:
        """The user's nick is another one."""
        words = [re.escape(fold(word)) for word in (nick, *self._highlight) if word]
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)" if words else r"(?!)")

    def among(self, text: str) -> bool:
        """Whether one of the words is in a text."""
        return bool(self._words.search(text.lower() if text.isascii() else fold(text)))
