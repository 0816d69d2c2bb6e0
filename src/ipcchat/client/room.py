"""One room as a client shows it: its lines, what waits to be said, who is in it.

The rules of this file:

- The tail are the entries with start < seq <= seq of the room: every one of them, in order, once.
  An entry is taken only if its seq is the next one. Before it there may be islands: stretches of
  older entries, each whole and followed by a `Hole`; they join when nothing is between them.
- A line's key is `first_key` + its index and never changes: lines are appended, and older ones
  prepended, which lowers `first_key`. Starting over gives keys that were never used before. Only
  what is above lines put in the middle has other keys then.
- Nothing here does I/O, knows the time, or fails for what a server sent.
"""

from bisect import bisect_right
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from ipcchat.client.interest import Member, People
from ipcchat.client.lines import Hole, Level, Line, Lines, Notice
from ipcchat.entries import Cursor, Entry

__all__ = ["LIMIT", "Level", "Line", "Member", "Notice", "Pending", "RoomView", "Taken"]

LIMIT = 2_000_000
"""Lines of a room that are kept; past it the oldest tenth goes, and can be fetched again."""
_GENERATION = 1 << 40
_BEFORE = 20_000
"""Entries of islands; past it those go that are farthest from where one looks."""
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


class Taken(Enum):
    """What became of an entry that was offered."""

    NEW = auto()
    REPEAT = auto()
    """It is known, or lies before what is shown: dropped."""
    HOLE = auto()
    """Something before it is missing: dropped; the room has to be followed from its cursor."""


class RoomView(People):
    """Owns what is shown of one room. The model changes it; the screen only reads it."""

    __slots__ = (
        "_gap",
        "_generation",
        "_islands",
        "_mark",
        "_said",
        "counted",
        "epoch",
        "first",
        "first_key",
        "following",
        "joined",
        "limit",
        "live",
        "loading",
        "mentions",
        "messages",
        "number",
        "pending",
        "read_seq",
        "seen_seq",
        "seq",
        "since",
        "start",
        "told",
        "topic",
        "uncounted",
        "unread",
    )

    def __init__(self, number: int, name: str, topic: str = "", limit: int = LIMIT) -> None:
        super().__init__(name)
        self.number = number
        self.messages = 0
        """Messages that one may read, when the server last said so …"""
        self.since = 0
        """… and when the first entry of those was made, in ms since 1970 UTC; 0: not known."""
        self.topic = topic
        self.joined = True
        """Whether one is a member."""
        self.first_key = 0
        """The key of the first line; line i has the key `first_key` + i."""
        self.pending: list[Pending] = []
        """Own lines without an entry yet, in order; shown after `lines`."""
        self.epoch = ""
        """The history that `seq` belongs to; empty before the room was followed."""
        self.start = 0
        """The entries of the tail are those after this seq …"""
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
        """Entries after it are new to the user; see `marker`, which changes these."""
        self.seen_seq = 0
        """What the user has looked at all the same, up to this seq: for the other devices."""
        self.counted = 0
        """`unread` are among the entries up to this seq."""
        self.uncounted = False
        """Whether only the server can tell how much is new: it is to be asked."""
        self.told = False
        """Whether the server counts, too."""
        self.limit = limit
        self._generation = 0
        self._mark = ""
        self._gap: int | None = None
        """The key of the line that tells of left out entries, while nothing is before it."""
        self._said: dict[str, None] = {}
        """The drafts of one's own last entries."""
        self._islands: list[tuple[int, int]] = []
        """The first and last seq of each stretch before the tail, in order; a `Hole` follows."""

    def renumber(self, number: int) -> None:
        """The room has that number from now on."""
        self.number = number
        for pending in self.pending:
            pending.room = number

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

    def whole(self, after: int) -> bool:
        """Whether every entry after that seq and up to `counted` is there."""
        return bool(self.epoch) and self.start <= after and self.counted <= self.seq

    @property
    def more_mentions(self) -> bool:
        """Whether there may be more than `mentions`: part of what is new is not loaded."""
        return bool(self.unread) and self.access != "direct" and not self.whole(self.read_seq)

    @property
    def complete(self) -> bool:
        """Whether the oldest entry is among the lines."""
        return bool(self.epoch) and self.top + 1 <= self.first

    @property
    def top(self) -> int:
        """The first line is that of the entry after this seq."""
        return self._islands[0][0] - 1 if self._islands else self.start

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

    def caught_up(self, head: int) -> bool:
        """The server has sent everything up to that seq; whether that is so."""
        self.following = self.live = head <= self.seq
        self.version += 1
        return self.live

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
        if self._islands:
            count = max(count, self._head())
            self._islands.clear()
        self.start = self._seq_at(count - 1) or self.start
        self.lines.forget(count)
        self.first_key += count

    def own(self, entry: Entry) -> bool:
        """One's own entry has come: its line waits no more. False: another device said it."""
        self._said[entry.draft] = None
        if len(self._said) > _SAID:
            del self._said[next(iter(self._said))]
        waiting = [pending for pending in self.pending if pending.draft == entry.draft]
        for pending in waiting:
            pending.state = "sent"
            self.pending.remove(pending)
        return bool(waiting)

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
        top = self.top
        for entry in reversed(older):
            if entry.seq == top and top:
                taken.append(entry)
                top -= 1
        # Where the server has nothing that fits, there is nothing to ask for again.
        self.first = first if taken else top + 1
        if taken:
            if self._islands:
                self._islands[0] = (top + 1, self._islands[0][1])
            else:
                self.start = top
            if self._gap == self.first_key:
                text = "messages above this line were skipped at first"
                self.lines[0] = Notice(self.lines[0].time, text)
            self._gap = None
            self.lines.prepend(taken[::-1])
            self.first_key -= len(taken)
            self.settle({entry.draft for entry in taken})
        self.version += 1
        return len(taken)

    # --- lines in between -------------------------------------------------------------

    def missing(self, low: int, high: int) -> tuple[int, int]:
        """The entries from seq `low` to `high` that are not loaded, from one to another; the first
        is after the second where all are."""
        low, high = max(low, self.first), min(high, self.start)
        for first, last in self._islands:
            if first <= low <= last:
                low = last + 1
            if first <= high <= last:
                high = first - 1
        return low, high

    def insert(self, page: list[Entry]) -> None:
        """Puts a page of entries (ascending, without a hole) where it belongs before the tail."""
        known = {line.seq: line for line in self.lines[: self._head()] if type(line) is Entry}
        fresh = [it for it in page if it.seq <= self.start and it.seq not in known]
        if not fresh:
            return
        known |= {entry.seq: entry for entry in fresh}
        if len(known) > _BEFORE:
            near = sorted(known, key=lambda seq: abs(seq - fresh[0].seq))
            known = {seq: known[seq] for seq in near[:_BEFORE]}
        if self._gap == self.first_key:  # another line tells of it now
            self.lines.forget(1)
            self.first_key += 1
            self._gap = None
        lines: list[Line] = []
        before, head, self._islands = self.start, self._head(), []
        islands: list[tuple[int, int]] = []
        for seq in sorted(known):
            if islands and islands[-1][1] == seq - 1:
                islands[-1] = (islands[-1][0], seq)
            else:
                islands.append((seq, seq))
        for index, (first, last) in enumerate(islands):
            lines += [known[seq] for seq in range(first, last + 1)]
            until = islands[index + 1][0] if islands[index + 1 :] else before + 1
            if until == last + 1:
                self.start = first - 1
                break
            self._islands.append((first, last))
            told = f"{until - last - 1:,} messages in between are not loaded"
            lines.append(Hole(known[last].time, told, after=last, until=until))
        self.lines.forget(head)
        self.lines.prepend(lines)
        self.first_key += head - len(lines)
        self.settle({entry.draft for entry in fresh})
        self.version += 1

    def _head(self) -> int:
        """How many lines are before the tail."""
        return sum(last - first + 2 for first, last in self._islands)

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
        self._islands = []
        self._gap = None
        self.version += 1
