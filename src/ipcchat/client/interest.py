"""What of all that happens the user wants to know: mentions, who is ignored, which rooms are loud;
and the people in a room: who is there, came, went, is away.

The rules of this file:

- `Interest` only answers; the model asks it once for each entry, the screen for each line it draws.
- Whoever was met under an ignored nick stays ignored under another one, until that nick is taken
  off the list. Who is met is told by the model: what one reads in the history is no meeting, as
  the nick may have been somebody else's then.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, Self, TypeAlias, cast

from ipcchat import names
from ipcchat.client.lines import Line, Lines, Notice
from ipcchat.entries import SERVER, Entry
from ipcchat.settings import ClientSettings
from ipcchat.text import fold
from ipcchat.wire import messages
from ipcchat.wire.messages import Presence

__all__ = ["Alert", "Comings", "Interest", "Loudness", "Member", "Moves", "People", "Presences"]

_NAMED = 8
"""Names of those who joined, and of those who left, that a line shows."""
_MOVES = 500
"""Joins and parts that one line takes; then another begins."""
_RECENT = 200
"""Who spoke among so many last lines is a recent speaker."""
_LEFT = 200
"""Whose leaving is remembered: the last of those whose leaving was told."""

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


class Comings:
    """The line of a room that says who joined and left: one for all who do so in a row."""

    __slots__ = ("_left", "_moves", "_told")

    def __init__(self) -> None:
        self._moves = Moves()
        self._told: list[Notice] = []
        """The line, and what it was before: kept as long, so that each state is an object of its
        own; rows are remembered by identity."""
        self._left: deque[int] = deque(maxlen=_LEFT)
        """Whose leaving was told: their coming back is, too."""

    def goes_on(self, last: Line | None) -> bool:
        """Whether the room's last line is the one that told of the move before."""
        return bool(self._told) and last is self._told[-1]

    def known(self, account: int, last: Line | None) -> bool:
        """Whether their leaving was told, or the last line tells of them."""
        return account in self._left or (self.goes_on(last) and account in self._moves)

    def tell(
        self, account: int, nick: str, joined: bool, time: int, last: Line | None
    ) -> tuple[Notice, bool]:
        """The line with one more move, and whether it takes the place of the last one."""
        if joined and account in self._left:
            self._left.remove(account)
        elif not joined:
            self._left.append(account)
        follows = self.goes_on(last) and len(self._told) < _MOVES
        if not follows:
            self._moves, self._told = Moves(), []
        self._moves.add(account, nick, joined)
        self._told.append(Notice(time, self._moves.text()))
        return self._told[-1], follows


@dataclass(slots=True)
class Member:
    """Somebody in the room; `status` is `online`, `away` or `offline`."""

    account: int
    nick: str
    status: str
    text: str = ""
    """Why somebody is away, where that was told."""


class People:
    """Who is in a room: the part of a `RoomView` that is not about what is said there."""

    __slots__ = ("_comings", "access", "lines", "members", "name", "peer", "version")

    def __init__(self, name: str) -> None:
        self.name = name
        """With its `#`; that of a direct one is `@` and the other's nick."""
        self.access = "public"
        """`public`, `private` or `direct`."""
        self.peer = 0
        """Of a direct room: the other account."""
        self.members: dict[int, Member] = {}
        self.lines = Lines()
        self.version = 0
        """Grows with every change that shows."""
        self._comings = Comings()

    def note(self, notice: Notice) -> None:
        """Appends a local line."""
        raise NotImplementedError

    def set_members(self, items: Iterable[messages.Member]) -> None:
        """Everybody who is here; why somebody is away is known from before."""
        before, self.members = self.members, {}
        for item in items:
            known = before.get(item.account)
            text = known.text if known is not None and item.status == "away" else ""
            self.members[item.account] = Member(item.account, item.nick, item.status, text)

    def spoke_recently(self, account: int) -> bool:
        """Whether the account said one of the last lines."""
        return any(
            type(line) is Entry and line.by == account
            for line in islice(reversed(self.lines), _RECENT)
        )

    def nicks(self, mine: int) -> list[str]:
        """Who is here: who spoke last comes first, the account `mine` last."""
        last = islice(reversed(self.lines), _RECENT)
        spoke = [line.by for line in last if type(line) is Entry and line.by in self.members]
        order = sorted(dict.fromkeys([*spoke, *self.members]), key=lambda one: one == mine)
        return [self.members[account].nick for account in order]

    def moved(self, account: int, nick: str, joined: bool) -> bool:
        """Somebody joined or left; whether that is news."""
        if joined == (account in self.members):
            return False
        if joined:
            self.members[account] = Member(account, nick, "online")
        else:
            del self.members[account]
        self.version += 1
        return True

    def tell_move(self, account: int, nick: str, joined: bool, time: int, *, all: bool) -> None:
        """A line says who joined and left, one for all who do so in a row.

        `all`: of everybody; else of those who spoke lately, and of those it told had left.
        """
        last = self.lines[-1] if self.lines else None
        known = self._comings.known(account, last)
        if not (all or known or self.spoke_recently(account)):
            return
        notice, follows = self._comings.tell(account, nick, joined, time, last)
        if follows:
            self.lines[-1] = notice
            self.version += 1
        else:
            self.note(notice)

    def seen(
        self, member: Member, nick: str, status: str, text: str, *, mine: bool, quiet: bool
    ) -> list[str]:
        """A member has that nick and status; what of it is news. `quiet`: the nick alone."""
        before, was = member.nick, member.status
        member.nick, member.status, member.text = nick, status, text
        self.version += 1
        told = []
        if before != nick:
            told.append(f"{'you are' if mine else f'{before} is'} now known as {nick}")
        if was != status and not mine and not quiet and self.spoke_recently(member.account):
            told.append(f"{nick} is {status}" + (f": {text}" if text else ""))
        return told

    def online(self) -> set[int]:
        """The accounts that are here at present."""
        return {one.account for one in self.members.values() if one.status == "online"}

    def removal(self, account: int) -> str:
        """Tells the account that it was removed from the room; who did it, and why, as far as one
        of the last lines says."""
        who, why = "an operator", ""
        for line in islice(reversed(self.lines), _RECENT):
            if type(line) is Entry and line.kind in ("kick", "uninvite") and line.target == account:
                who, why = line.nick or who, line.text.partition(": ")[2]
                break
        return f"{who} removed you from {self.name}" + (f": {why}" if why else "")


class Presences:
    """What `presence` events change in the rooms, and what of it is news."""

    def __init__(self) -> None:
        self._before: set[int] = set()
        """Who was online when the connection was lost: their coming back is no news."""

    def lost(self, rooms: Iterable[People]) -> None:
        """The connection is lost."""
        self._before = {one for room in rooms for one in room.online()}

    def apply(
        self, event: Presence, rooms: Mapping[int, People], interest: Interest, me: int, now: int
    ) -> Iterator[tuple[int, str]]:
        """Takes a clean event at that time (ms since 1970); yields what is to be told, and in
        which room. `me`: one's own account."""
        account, nick, mine = event.account, event.nick, event.account == me
        ignored = not mine and interest.ignores(account, nick)
        if event.room:
            room = rooms.get(event.room)
            joined = event.status == "joined"
            if room is None or event.status not in ("joined", "parted"):
                return
            told = room.moved(account, nick, joined) and not mine and not ignored
            if told and room.access == "public" and interest.joins != "none":
                room.tell_move(account, nick, joined, now, all=interest.joins == "all")
            return
        quiet = ignored or (event.status == "online" and account in self._before)
        self._before.discard(account)
        for number, room in rooms.items():
            if room.peer == account and nick:
                room.name = f"@{nick}"
            member = room.members.get(account)
            if member is not None:
                news = room.seen(member, nick, event.status, event.text, mine=mine, quiet=quiet)
                yield from ((number, text) for text in news)
