"""What is typed behind `/search`, as words and what narrows them. Pure functions.

`words "a phrase" from:nick in:#room after:2026-11-01 before:2h`: each operator once, anywhere
among the words, in any case. A time is a day, `2026-11-01T14:00`, `today`, `yesterday`, or so long
ago (`30m`, `2h`, `7d`, `1w`), in the user's zone; `after` includes it, `before` does not. What is
in quotes, and what only has a colon in it, such as a link, is a word.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ipcchat import text
from ipcchat.commands import seconds
from ipcchat.errors import TextError, UsageError

__all__ = ["OPERATORS", "Query", "parse_query"]

OPERATORS = ("from:", "in:", "after:", "before:")
"""What narrows a search."""

_TOKEN = re.compile(r'"[^"]*"|\S+')
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?", re.ASCII | re.IGNORECASE)
_AGO = re.compile(r"[1-9][0-9]{0,4}[mhdw]")
_TIMES = "a time is 2026-11-01, 2026-11-01T14:00, today, yesterday, 2h, 7d"
_LAST = 253_370_764_800_000
"""Milliseconds at the start of the year 9999: nothing is later."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for."""

    words: str = ""
    """Words, and phrases in their quotes, with a space between them."""
    nick: str = ""
    room: str = ""
    """Its name with `#`, or `@nick`."""
    after: int = 0
    """Milliseconds since 1970 UTC, of what is found first at the earliest; 0: any."""
    before: int = 0
    """Milliseconds since 1970 UTC, which what is found comes before; 0: any."""


def parse_query(typed: str, now: datetime) -> Query:
    """What was typed, at a time of the user's zone.

    Raises UsageError for an operator that is there twice, has nothing behind it, or something that
    can't be a name or a time.
    """
    words: list[str] = []
    found: dict[str, str] = {}
    for token in _TOKEN.findall(typed):
        operator = next((one for one in OPERATORS if token.lower().startswith(one)), "")
        if not operator:
            words.append(text.clean_line(token))
            continue
        if operator in found:
            raise UsageError(f"{operator} can be there once", "search once for each")
        found[operator] = text.clean_line(token[len(operator) :])
        if not found[operator]:
            raise UsageError(f"{operator} has nothing behind it", _literal(operator))
    after = _time("after:", found.get("after:", ""), now)
    before = _time("before:", found.get("before:", ""), now)
    if before and after >= before:
        raise UsageError("nothing is after that and before that", "after: has the earlier time")
    return Query(
        " ".join(words), _nick(found.get("from:", "")), _room(found.get("in:", "")), after, before
    )


def _literal(operator: str, value: str = "") -> str:
    """How to search for what looks like an operator."""
    such = {"from:": "from:bob", "in:": "in:#lab or in:@bob"}.get(operator, f"{operator}2026-11-01")
    return f'it is {such}, and in quotes a word: "{operator}{value}"'


def _nick(value: str) -> str:
    nick = value.removeprefix("@")
    if value and not nick:
        raise UsageError("from:@ has nothing behind it", _literal("from:"))
    return nick


def _room(value: str) -> str:
    if not value or (value.startswith("@") and len(value) > 1):
        return value
    try:
        return text.check_room(value)
    except TextError as error:
        raise UsageError(f"in:{value}: {error}", _literal("in:", value)) from None


def _time(operator: str, value: str, now: datetime) -> int:
    """A time in milliseconds since 1970 UTC, at least 1; 0: none was given."""
    if not value:
        return 0
    word = value.lower()
    try:
        if _AGO.fullmatch(word):
            at = now - timedelta(seconds=seconds(word))
        elif _TIME.fullmatch(word):
            at = datetime.fromisoformat(word.upper()).astimezone()
        else:
            at = _DAYS[word](now.replace(tzinfo=None)).astimezone()
        milliseconds = at.timestamp() * 1000
    except (KeyError, ValueError, OverflowError, OSError):
        shown = f"{operator}{text.visible(value)}"
        raise UsageError(f"{shown} is no time", f"{_TIMES}; in quotes it is a word") from None
    return min(max(int(milliseconds), 1), _LAST)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


_DAYS: dict[str, Callable[[datetime], datetime]] = {
    "today": _midnight,
    "yesterday": lambda at: _midnight(at - timedelta(days=1)),
}
"""Words for days: from the time on the user's clock to that at which the day begins."""
