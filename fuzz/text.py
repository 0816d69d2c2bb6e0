"""Whatever a string holds, surrogates included: cleaning never fails, twice is once, and nothing
that a terminal or a reader could be fooled by is let through: no control but newline and tab, no
surrogate, private or unassigned code point (the emoji planes aside), no line or paragraph
separator, no format character but joiners and an emoji flag's tags, no pile of marks. A name, topic
or message is refused by TextError or stays what it is when checked again. All of it is UTF-8."""

import random
import unicodedata
from collections.abc import Callable

from fuzz.strings import hostile
from fuzz.target import Target, require
from ipcchat import text
from ipcchat.errors import TextError

__all__ = ["Text", "forbidden"]

_KEPT = frozenset("\n\t\u200c\u200d\U000e007f")
_TAGS = frozenset(map(chr, (*range(0xE0030, 0xE003A), *range(0xE0061, 0xE007B))))
_BAD = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
_CHECKS: tuple[Callable[[str], str], ...] = (
    text.check_text,
    text.check_topic,
    text.check_nick,
    text.check_room,
)


def forbidden(s: str) -> str:
    """The first character of a string that must never reach a screen; empty: there is none."""
    if s.isascii() and s.isprintable():
        return ""
    for char in s:
        if unicodedata.category(char) in _BAD and char not in _KEPT and not _emoji(char):
            return char
    return ""


def _emoji(char: str) -> bool:
    """A flag's tag, or an emoji that is newer than Python's table."""
    return char in _TAGS or "\U0001f000" <= char <= "\U0001faff"


class Text(Target):
    name = "text"
    weight = 30

    def make(self, chance: random.Random) -> str:
        return hostile(chance)

    def check(self, case: str) -> None:
        cleaned = _safe(text.clean_text(case))
        require(text.clean_text(cleaned) == cleaned, "cleaning twice changes it", cleaned)
        require(unicodedata.is_normalized("NFC", cleaned), "not NFC", cleaned)
        require(_marks(cleaned) <= text.MAX_MARKS, "a pile of marks", cleaned)
        line = _safe(text.clean_line(case))
        require(text.clean_line(line) == line, "cleaning a line twice changes it", line)
        require("\n" not in line and "\t" not in line, "a line with an end in it", line)
        for check in _CHECKS:
            try:
                made = _safe(check(case))
            except TextError as error:
                require(error.code in ("bad_text", "bad_name"), "another code", error.code)
                require("\n" not in error.text, "an error of several lines", error.text)
            else:
                require(check(made) == made, "checking twice changes it", made)
        for piece in text.split_text(case):
            require(text.check_text(piece) == piece, "a piece that is no message", piece)
        nick = text.safe_nick(case, "guest")
        require(text.check_nick(nick) == nick, "no nick", nick)
        spelt = text.visible(case)
        spelt.encode()
        require(not forbidden(spelt), "something invisible is left", spelt)
        require(text.visible(spelt) == spelt, "spelling out twice changes it", spelt)
        text.fold(line).encode()


def _safe(made: str) -> str:
    made.encode()
    require(not forbidden(made), "let through", forbidden(made), made)
    return made


def _marks(s: str) -> int:
    """The most nonspacing marks in a row, selectors left out."""
    most = count = 0
    for char in s:
        if unicodedata.category(char) in ("Mn", "Me"):
            count += not ("\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef")
            most = max(most, count)
        elif unicodedata.category(char) not in ("Mc", "Cf"):
            count = 0
    return most
