"""A subscription is a cursor; live delivery is its fast path.

    OFF → PAGING    follow
    PAGING          waits until the connection is idle; attaches where it can, else reads a page
    PAGING → LIVE   in one step without await: nothing is missing, or what is missing lies in the
                    room's tail and fits
    LIVE            [a..b] with next == a is sent; next > b is skipped; anything else → PAGING
    LIVE → PAGING   the queue is over its bound: the room's unwritten batches are dropped, and
                    next is the first seq dropped
    ANY → OFF       unfollow, follow again, close: the ticket changes, a page on its way is
                    discarded

Joining, resuming and being too slow are this one mechanism, so memory per follower is bounded
by the queue's bound and a page, whatever the backlog.
"""

from enum import Enum, auto
from typing import Protocol

from msgspec import Struct

from ipcchat.entries import Entry
from ipcchat.errors import JournalError
from ipcchat.fanout.pager import Pager
from ipcchat.fanout.room import BATCH, Room, batches
from ipcchat.journal.journal import Journal
from ipcchat.wire import codec
from ipcchat.wire.messages import Gap, Live, Unfollowed

__all__ = ["PAGE", "Outlet", "Phase", "Subscription"]

PAGE = 60 * 1024
"""A page closes before so many bytes, and holds at least one entry."""
_ROWS = 420
"""A page reads at most so many rows: the shortest entry makes a frame of 147 bytes."""


class Outlet(Protocol):
    """Where the batches go: a connection."""

    @property
    def closing(self) -> float:
        """Not 0: it takes nothing more."""

    @property
    def idle(self) -> bool:
        """Whether a page may be written."""

    @property
    def takes(self) -> bool:
        """Whether the transport takes bytes at present."""

    def when_idle(self, subscription: "Subscription") -> None:
        """The subscription's `step` is called once it is idle."""

    def send(self, message: Struct) -> None:
        """An event that is never dropped."""

    def deliver(self, subscription: "Subscription", first: int, frames: bytes) -> bool:
        """A batch that starts with seq `first`; false when the queue is over its bound."""

    def drop(self, subscription: "Subscription") -> int | None:
        """Drops the subscription's unwritten batches; the first seq dropped, or None."""


class Phase(Enum):
    """Where a subscription stands."""

    OFF = auto()
    PAGING = auto()
    LIVE = auto()


class Subscription:
    """One connection's place in one room."""

    __slots__ = ("_journal", "_pager", "_ticket", "connection", "next", "phase", "room")

    def __init__(
        self, connection: Outlet, room: Room, journal: Journal, pager: Pager, first: int
    ) -> None:
        self.connection = connection
        self.room = room
        self._journal = journal
        self._pager = pager
        self.next = first
        """seq of the next entry to send."""
        self.phase = Phase.PAGING
        self._ticket = 0

    def skip_to(self, first: int) -> None:
        """Leaves out what lies before seq `first`, and says so."""
        self.connection.send(Gap(room=self.room.number, from_=self.next - 1, first=first))
        self.next = first

    # --- PAGING -----------------------------------------------------------------------

    def step(self) -> None:
        """Goes on from PAGING: attaches, asks for a page, or waits for the connection."""
        connection, room = self.connection, self.room
        if connection.closing or self.phase is not Phase.PAGING:
            return
        if not connection.idle:
            connection.when_idle(self)
            return
        missing = room.recent(self.next) if self.next <= room.delivered else []
        if missing is None or sum(map(len, missing)) > BATCH:
            self._ticket += 1
            ticket = self._ticket
            self._pager.ask(connection, lambda: self._page(ticket))
            return
        if missing:
            connection.deliver(self, self.next, b"".join(missing))
        self.next = max(self.next, room.delivered + 1)  # it may begin with what is still to come
        self.phase = Phase.LIVE
        room.followers[self] = None
        connection.send(Live(room=room.number, head=self.next - 1))

    async def _page(self, ticket: int) -> None:
        if self._ticket != ticket:
            return
        if not self.connection.takes:
            # A page of another room came first: this one waits until that has gone out.
            self.connection.when_idle(self)
            return
        room, after = self.room, self.next - 1
        try:
            entries = await self._journal.read(
                room.number, after=after, upto=room.delivered, limit=_ROWS, size=PAGE
            )
        except JournalError:
            self.cancel()
            self.connection.send(Unfollowed(room=room.number, code="internal"))
            return
        if self._ticket != ticket or self.connection.closing:
            return
        self._write(entries)
        self.step()

    def _write(self, entries: list[Entry]) -> None:
        frames: list[bytes] = []
        size = 0
        for entry in entries:
            if entry.seq > self.room.delivered:
                break
            frame = codec.encode(entry)
            size += len(frame)
            if size > PAGE and frames:
                break
            frames.append(frame)
        first = entries[0].seq if entries else self.room.delivered + 1
        if first > self.next:
            self.skip_to(first)
        for count, data in batches(frames):
            # Paused or not: a page is bounded, and the next one waits until this has gone out.
            self.connection.deliver(self, self.next, data)
            self.next += count

    # --- LIVE -------------------------------------------------------------------------

    def offer(self, first: int, last: int, data: bytes) -> None:
        """The room's batch [first..last]."""
        if self.next == first:
            self.next = last + 1
            if not self.connection.deliver(self, first, data):
                self._fall_back()
        elif self.next <= last:
            self._fall_back()

    def _fall_back(self) -> None:
        dropped = self.connection.drop(self)
        if dropped is not None:
            self.next = dropped
        self.phase = Phase.PAGING
        self.room.followers.pop(self, None)
        self.step()

    # --- OFF --------------------------------------------------------------------------

    def cancel(self) -> None:
        """No further entry is queued; a page on its way is discarded."""
        self._ticket += 1
        self.phase = Phase.OFF
        self.room.followers.pop(self, None)
