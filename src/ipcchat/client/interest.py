"""What of all that happens the user wants to know: mentions, who is ignored, which rooms are loud,
who came and went.

The rules of this file:

- It only answers; the model asks it once for each entry, the screen for each line it draws.
- Whoever was met under an ignored nick stays ignored under another one, until that nick is taken
  off the list. Who is met is told by the model: what one reads in the history is no meeting, as
  the nick may have been somebody else's then.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias, cast

from ipcchat import names
from ipcchat.entries import SERVER, Entry
from ipcchat.settings import ClientSettings
from ipcchat.text import fold

__all__ = ["Alert", "Interest", "Loudness", "Moves"]

_NAMED = 8
"""Names of those who joined, and of those who left, that a line shows."""

Loudness: TypeAlias = Literal["all", "mentions", "none"]
"""Which messages of a room ask for attention."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A message that asks for attention, whether it is being looked at or not."""

    room: int
    entry: Entry
    mention: bool


class Interest:
    """Follows from the settings, the user's nick, and whom the model has met."""

    def __init__(self, settings: ClientSettings, nick: str) -> None:
        self.joins = settings.joins
        """`recent`, `all` or `none`: whose coming and going is told."""
        self.dnd_until = 0
        """Milliseconds since 1970 UTC; nothing asks for attention before. 0: something may."""
        self._highlight = settings.highlight
        self._ignored = {names.key(ignored): ignored for ignored in settings.ignore}
        self._met: dict[int, str] = {}
        """Account → the key of the ignored nick it was met under."""
        self._levels = {names.key(name): level for name, level in settings.notify_rooms}
        self.name(nick)

    def renewed(self, settings: ClientSettings, nick: str) -> Self:
        """The same with other settings: who was met is known still, and `dnd_until` holds."""
        made = type(self)(settings, nick)
        made.dnd_until = self.dnd_until
        made._met = {one: key for one, key in self._met.items() if key in made._ignored}
        return made

    # --- mentions ---------------------------------------------------------------------

    def name(self, nick: str) -> None:
        """The user's nick is another one."""
        words = [re.escape(fold(word)) for word in (nick, *self._highlight) if word]
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)" if words else r"(?!)")

    def among(self, text: str) -> bool:
        """Whether one of the words that name the user is in a text: a whole one, in any case."""
        return bool(self._words.search(text.lower() if text.isascii() else fold(text)))

    @property
    def ignored(self) -> tuple[str, ...]:
        """The nicks that are ignored, as they were given."""
        return tuple(self._ignored.values())

    # --- who is ignored ---------------------------------------------------------------

    def meet(self, account: int, nick: str) -> None:
        """An account has that nick at present."""
        if self._ignored and account != SERVER and account not in self._met:
            key = names.key(nick)
            if key in self._ignored:
                self._met[account] = key

    def ignores(self, account: int, nick: str) -> bool:
        """Whether the user wants to hear nothing of an account that has, or had, that nick."""
        if not self._ignored or account == SERVER:
            return False
        return account in self._met or names.key(nick) in self._ignored

    def ignored_as(self, account: int) -> str:
        """The nick on the list that an account was met under; empty: none."""
        return self._ignored.get(self._met.get(account, ""), "")

    # --- attention --------------------------------------------------------------------

    def level(self, room: str) -> Loudness:
        """How loud a room is, by its name."""
        return cast(Loudness, self._levels.get(names.key(room), "mentions"))

    def alerts(self, room: str, mention: bool, now: int) -> bool:
        """Whether a message there asks for attention at that time (milliseconds since 1970)."""
        level = self.level(room)
        return now >= self.dnd_until and (level == "all" or (mention and level == "mentions"))


@dataclass(slots=True)
class Moves:
    """Who joined and who left, in a row, for one line."""

    _nicks: dict[int, str] = field(default_factory=dict)
    """By account, in the order of their last moves."""
    _before: dict[int, bool] = field(default_factory=dict)
    """Whether an account was here before all of it."""
    _here: dict[int, bool] = field(default_factory=dict)

    def __contains__(self, account: int) -> bool:
        return account in self._nicks

    def add(self, account: int, nick: str, joined: bool) -> None:
        """Somebody joined, or left."""
        self._before.setdefault(account, not joined)
        self._nicks.pop(account, None)
        self._nicks[account] = nick
        self._here[account] = joined

    def text(self) -> str:
        """`ann, bob joined · mei left`, without those who are where they were; for these alone,
        what the last of them did."""
        joined = [nick for one, nick in self._nicks.items() if self._here[one] > self._before[one]]
        left = [nick for one, nick in self._nicks.items() if self._here[one] < self._before[one]]
        groups = ((joined, "joined"), (left, "left"))
        told = " · ".join(f"{_few(nicks)} {what}" for nicks, what in groups if nicks)
        if told or not self._nicks:
            return told
        last, nick = next(reversed(self._nicks.items()))
        return f"{nick} {'left and came back' if self._here[last] else 'joined and left'}"


def _few(nicks: list[str]) -> str:
    more = len(nicks) - _NAMED
    return ", ".join(nicks[:_NAMED]) + (f" and {more} more" if more > 0 else "")
