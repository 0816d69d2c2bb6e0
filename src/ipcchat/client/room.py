"""One room as a client shows it: its lines, what waits to be said, who is in it.

The rules of this file:

- The entries among `lines` are those with start < seq <= seq of the room: every one of them, in
  order, once. An entry is taken only if its seq is the next one.
- A line's key is `first_key` + its index and never changes: lines are appended, and older ones
  prepended, which lowers `first_key`. Starting over gives keys that were never used before.
- Nothing here does I/O, knows the time, or fails for what a server sent.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Literal

from ipcchat.client.interest import Moves
from ipcchat.client.lines import Level, Line, Lines, Notice
from ipcchat.entries import Cursor, Entry

__all__ = ["LIMIT", "Level", "Line", "Member", "Notice", "Pending", "RoomView", "Taken"]

LIMIT = 2_000_000
"""Lines of a room that are kept; past it the oldest tenth goes, and can be fetched again."""
_GENERATION = 1 << 40
_RECENT = 200
"""Who spoke among so many last lines is a recent speaker."""
_MOVES = 500
"""Joins and parts that one line takes; then another begins."""
_SAID = 10_000
"""Own lines whose drafts are remembered: what was left of last time is looked for among them."""


@dataclass(slots=True, eq=False)
class Pending:
    """Something said here whose entry has not come back yet."""

    draft: str
    room: int
    text: str
    style: str
    time: int
    """Milliseconds since 1970 UTC when it was submitted."""
    state: Literal["sending", "sent", "failed"] = "sending"
    """`sent`: acknowledged, its entry is on its way. `failed`: see `reason`; not sent again
    unless asked for."""
    reason: str = ""
    seq: int = 0
    """Where it is in the room, once that is known."""


@dataclass(slots=True)
class Member:
    """Somebody in the room; `status` is `online`, `away` or `offline`."""

    account: int
    nick: str
    status: str


class Taken(Enum):
    """What became of an entry that was offered."""

    NEW = auto()
    REPEAT = auto()
    """It is known, or lies before what is shown: dropped."""
    HOLE = auto()
    """Something before it is missing: dropped; the room has to be followed from its cursor."""


class RoomView:
    """Owns what is shown of one room. The model changes it; the screen only reads it."""

    __slots__ = (
        "_gap",
        "_generation",
        "_left",
        "_mark",
        "_moves",
        "_said",
        "_told",
        "epoch",
        "first",
        "first_key",
        "following",
        "joined",
        "limit",
        "lines",
        "live",
        "loading",
        "members",
        "mentions",
        "name",
        "number",
        "pending",
        "read_seq",
        "seq",
        "start",
        "topic",
        "unread",
        "version",
    )

    def __init__(self, number: int, name: str, topic: str = "", limit: int = LIMIT) -> None:
        self.number = number
        self.name = name
        """With its `#`."""
        self.topic = topic
        self.joined = True
        """Whether one is a member."""
        self.lines = Lines()
        self.first_key = 0
        """The key of the first line; line i has the key `first_key` + i."""
        self.pending: list[Pending] = []
        """Own lines without an entry yet, in order; shown after `lines`."""
        self.members: dict[int, Member] = {}
        self.epoch = ""
        """The history that `seq` belongs to; empty before the room was followed."""
        self.start = 0
        """The entries shown are those after this seq …"""
        self.seq = 0
        """… up to this one."""
        self.first = 1
        """seq of the oldest entry that the server has."""
        self.following = False
        """Whether entries are coming in from the cursor on."""
        self.live = False
        """Whether everything up to the room's head has come."""
        self.loading = False
        """Whether a page of older history is on its way."""
        self.unread = 0
        self.mentions = 0
        self.read_seq = 0
        """Entries after it are new to the user."""
        self.version = 0
        """Grows with every change that shows."""
        self.limit = limit
        self._generation = 0
        self._mark = ""
        self._gap: int | None = None
        """The key of the line that tells of left out entries, while nothing is before it."""
        self._said: dict[str, None] = {}
        """The drafts of one's own last entries."""
        self._moves = Moves()
        self._told: list[Notice] = []
        """The line of who joined and left, if it is the last, and what it was before: kept as long,
        so that each state is an object of its own; rows are remembered by identity."""
        self._left: deque[int] = deque(maxlen=_RECENT)
        """Whose leaving was told: their coming back is, too."""

    @property
    def failed(self) -> Pending | None:
        """The first line of one's own that was not sent."""
        return next((item for item in self.pending if item.state == "failed"), None)

    @property
    def cursor(self) -> Cursor | None:
        """The last entry, as a proof; None where there is none yet."""
        if not self.epoch or (self.seq and not self._mark):
            return None
        return Cursor(self.epoch, self.seq, self._mark)

    @property
    def complete(self) -> bool:
        """Whether the oldest entry is among the lines."""
        return bool(self.epoch) and self.start + 1 <= self.first

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

    def after(self, seq: int) -> int:
        """The index of the first line from an entry after that seq on; where there is none, how
        many lines there are."""
        return bisect_right(range(len(self.lines)), seq, key=self._seq_at)

    def _seq_at(self, index: int) -> int:
        """seq of the last entry up to that index; 0 where there is none."""
        for at in range(index, -1, -1):
            line = self.lines[at]
            if type(line) is Entry:
                return line.seq
        return 0

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
        follows = bool(self.lines and self._told and self.lines[-1] is self._told[-1])
        known = account in self._left or (follows and account in self._moves)
        if not (all or known or self.spoke_recently(account)):
            return
        if joined and account in self._left:
            self._left.remove(account)
        elif not joined:
            self._left.append(account)
        if not follows or len(self._told) >= _MOVES:
            follows, self._moves, self._told = False, Moves(), []
        self._moves.add(account, nick, joined)
        self._told.append(Notice(time, self._moves.text()))
        if follows:
            self.lines[-1] = self._told[-1]
            self.version += 1
        else:
            self._append(self._told[-1])

    def seen(self, member: Member, nick: str, status: str, *, mine: bool, quiet: bool) -> list[str]:
        """A member has that nick and status; what of it is news. `quiet`: the nick alone."""
        before, was = member.nick, member.status
        member.nick, member.status = nick, status
        self.version += 1
        told = []
        if before != nick:
            told.append(f"{'you are' if mine else f'{before} is'} now known as {nick}")
        if was != status and not mine and not quiet and self.spoke_recently(member.account):
            told.append(f"{nick} is {status}")
        return told

    def online(self) -> set[int]:
        """The accounts that are here at present."""
        return {one.account for one in self.members.values() if one.status == "online"}

    def removal(self, account: int) -> str:
        """Tells the account that it was removed from the room; who did it, and why, as far as one
        of the last lines says."""
        who, why = "an operator", ""
        for line in islice(reversed(self.lines), _RECENT):
            if type(line) is Entry and line.kind == "kick" and line.target == account:
                who, why = line.nick or who, line.text.partition(": ")[2]
                break
        return f"{who} removed you from {self.name}" + (f": {why}" if why else "")

    # --- lines at the end -------------------------------------------------------------

    def place(self, epoch: str, after: int, first: int, *, resumed: bool) -> None:
        """The server sends what comes after seq `after`.

        `resumed`: that was asked for by the cursor; otherwise the room starts over there.
        """
        if not resumed:
            if self.lines and self.epoch:
                self.restart()
            self.start = self.seq = after
            self._mark = ""
        self.epoch = epoch
        self.first = first
        self.following = True
        self.live = False
        self.version += 1

    def take(self, entry: Entry) -> Taken:
        """Appends an entry if it is the next one."""
        if entry.seq != self.seq + 1 or not self.epoch:
            if entry.seq <= self.seq or not self.epoch:
                return Taken.REPEAT
            self.following = self.live = False
            return Taken.HOLE
        self.seq = entry.seq
        self._mark = entry.draft
        self._append(entry)
        return Taken.NEW

    def skip(self, after: int, first: int, time: int) -> Taken:
        """The server leaves out the entries between seq `after` and seq `first`.

        What is shown starts anew after them, so that the lines stay without a hole; going back
        fetches them, and what was before.
        """
        if not self.following or first <= self.seq + 1:
            return Taken.REPEAT
        if after > self.seq:
            self.following = self.live = False
            return Taken.HOLE
        left_out = first - 1 - self.seq
        self._new_keys()
        self.start = self.seq = first - 1
        self._mark = ""
        self._gap = self.first_key
        self._append(Notice(time, f"{left_out:,} messages skipped · PgUp to load"))
        return Taken.NEW

    def note(self, notice: Notice) -> None:
        """Appends a local line."""
        self._append(notice)

    def _append(self, line: Line) -> None:
        count = self.lines.append(line)
        self.version += 1
        if count > self.limit:
            self._forget(count - self.limit + self.limit // 10)

    def _forget(self, count: int) -> None:
        self.start = self._seq_at(count - 1) or self.start
        self.lines.forget(count)
        self.first_key += count

    def own(self, entry: Entry) -> None:
        """One's own entry has come: everything up to it was seen, and its line waits no more."""
        if entry.seq > self.read_seq:
            self.read_seq = entry.seq
            self.unread = self.mentions = 0
        self._said[entry.draft] = None
        if len(self._said) > _SAID:
            del self._said[next(iter(self._said))]
        for index, pending in enumerate(self.pending):
            if pending.draft == entry.draft:
                pending.state = "sent"
                del self.pending[index]
                return

    def settle(self, shown: Container[str] = ()) -> None:
        """Lets go of what was said at a place that is shown or left behind already: its entry will
        not come again. `shown`: drafts of entries that came otherwise than at the end."""
        kept = [
            item
            for item in self.pending
            if item.draft not in self._said
            and item.draft not in shown
            and not (item.state == "sent" and 0 < item.seq <= self.seq)
        ]
        if len(kept) != len(self.pending):
            self.pending[:] = kept
            self.version += 1

    # --- lines at the beginning -------------------------------------------------------

    def prepend(self, older: list[Entry], first: int) -> int:
        """Puts a page of older entries (ascending) before the lines; how many were taken.

        Only those are that lead up to the oldest shown one without a hole. `first`: the oldest
        seq that the server has.
        """
        taken: list[Entry] = []
        for entry in reversed(older):
            if entry.seq == self.start and self.start:
                taken.append(entry)
                self.start -= 1
        # Where the server has nothing that fits, there is nothing to ask for again.
        self.first = first if taken else self.start + 1
        if taken:
            if self._gap == self.first_key:
                text = "messages above this line were skipped at first"
                self.lines[0] = Notice(self.lines[0].time, text)
            self._gap = None
            self.lines.prepend(taken[::-1])
            self.first_key -= len(taken)
            self.settle({entry.draft for entry in taken})
        self.version += 1
        return len(taken)

    # --- starting over ----------------------------------------------------------------

    def clear(self) -> None:
        """Takes the lines off the screen; they can be fetched again."""
        self._new_keys()
        self.start = self.seq

    def restart(self) -> None:
        """Forgets every line and the cursor: nothing is known of the room's history."""
        self._new_keys()
        self.epoch = self._mark = ""
        self._said.clear()
        self.start = self.seq = 0
        self.following = self.live = self.loading = False

    def _new_keys(self) -> None:
        self._generation += 1
        self.first_key = self._generation * _GENERATION
        self.lines = Lines()
        self._gap = None
        self.version += 1
