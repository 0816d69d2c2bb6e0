"""A subscription is a cursor; live delivery is its fast path.

    OFF → PAGING    follow
    PAGING          waits until the connection is idle; attaches where it can, else reads a page
    PAGING → LIVE   in one step without await: nothing is missing, or what is missing lies in the
                    room's tail and fits
    LIVE            [a..b] with next == a is sent; next > b is skipped; anything else → PAGING
    LIVE → PAGING   the queue is over its bound: the room's unwritten batches are dropped, and
                    next is the first seq dropped
    LIVE → OPEN     nothing waits in the connection, and it shows its socket: the room sends to
                    that itself, and next is the room's own
    OPEN → LIVE     the socket is full, or the connection has something else that waits
    ANY → OFF       unfollow, follow again, close: the ticket changes, a page on its way is
                    discarded; who is removed gets first what the room has collected

Joining, resuming and being too slow are this one mechanism, so memory per follower is bounded
by the queue's bound and a page, whatever the backlog.
"""

from enum import Enum, auto

from ipcchat.entries import Entry
from ipcchat.errors import JournalError
from ipcchat.fanout.outlet import Outlet
from ipcchat.fanout.pager import Pager
from ipcchat.fanout.room import BATCH, Room, batches
from ipcchat.journal.journal import Journal
from ipcchat.wire import codec
from ipcchat.wire.messages import Gap, Live, Unfollowed

__all__ = ["PAGE", "Phase", "Subscription"]

PAGE = 60 * 1024
"""A page closes before so many bytes, and holds at least one entry."""
_ROWS = 420
"""A page reads at most so many rows: the shortest entry makes a frame of 147 bytes."""


class Phase(Enum):
    """Where a subscription stands."""

    OFF = auto()
    PAGING = auto()
    LIVE = auto()
    OPEN = auto()


class Subscription:
    """One connection's place in one room."""

    __slots__ = (
        "_journal",
        "_next",
        "_pager",
        "_since",
        "_ticket",
        "connection",
        "phase",
        "room",
    )

    def __init__(
        self, connection: Outlet, room: Room, journal: Journal, pager: Pager, first: int
    ) -> None:
        self.connection = connection
        self.room = room
        self._journal = journal
        self._pager = pager
        self._next = first
        self._since = 0
        """The bytes that the room had handed out when the place was opened."""
        self.phase = Phase.PAGING
        self._ticket = 0

    @property
    def next(self) -> int:
        """seq of the next entry to send."""
        return self.room.place(self)[0] if self.phase is Phase.OPEN else self._next

    @property
    def sent(self) -> int:
        """Bytes that the room has sent since the place was opened."""
        return self.room.place(self)[1] - self._since

    def skip_to(self, first: int) -> None:
        """Leaves out what lies before seq `first`, and says so."""
        self.connection.send(Gap(room=self.room.number, from_=self._next - 1, first=first))
        self._next = first

    # --- PAGING -----------------------------------------------------------------------

    def step(self) -> None:
        """Goes on from PAGING: attaches, asks for a page, or waits for the connection."""
        connection, room = self.connection, self.room
        if self.phase is Phase.LIVE:
            self._open()
        if connection.closing or self.phase is not Phase.PAGING:
            return
        if not connection.idle:
            connection.when_idle(self)
            return
        missing = room.recent(self._next) if self._next <= room.delivered else []
        if missing is None or sum(map(len, missing)) > BATCH:
            self._ticket += 1
            ticket = self._ticket
            self._pager.ask(connection, lambda: self._page(ticket))
            return
        if missing:
            connection.deliver(self, self._next, b"".join(missing))
        self._next = max(self._next, room.delivered + 1)  # it may begin with what is still to come
        self.phase = Phase.LIVE
        room.attach(self)
        connection.send(Live(room=room.number, head=self._next - 1))
        if connection.sink is not None:
            connection.when_idle(self)

    async def _page(self, ticket: int) -> None:
        if self._ticket != ticket:
            return
        if not self.connection.takes:
            # A page of another room came first: this one waits until that has gone out.
            self.connection.when_idle(self)
            return
        room, after = self.room, self._next - 1
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
        if first > self._next:
            self.skip_to(first)
        for count, data in batches(frames):
            # Paused or not: a page is bounded, and the next one waits until this has gone out.
            self.connection.deliver(self, self._next, data)
            self._next += count

    # --- LIVE -------------------------------------------------------------------------

    def offer(self, first: int, last: int, data: bytes) -> None:
        """The room's batch [first..last]."""
        if self._next == first:
            self._next = last + 1
            if not self.connection.deliver(self, first, data):
                self._fall_back()
        elif self._next <= last:
            self._fall_back()

    def _fall_back(self) -> None:
        dropped = self.connection.drop(self)
        if dropped is not None:
            self._next = dropped
        self.phase = Phase.PAGING
        self.room.detach(self)
        self.step()

    # --- OPEN -------------------------------------------------------------------------

    def _open(self) -> None:
        sink = self.connection.sink
        if sink is None or self.connection.closing:
            return
        if not self.connection.idle:
            self.connection.when_idle(self)
        elif self.room.open(self, sink, self._next):
            self.phase = Phase.OPEN
            self._since = self.room.place(self)[1]
            self.connection.lend(self)

    def shut(self) -> None:
        """The connection has something that waits."""
        self._next, handed = self.room.shut(self)
        self._return(handed)

    def stuck(self, last: int, rest: memoryview, handed: int) -> None:
        """The socket did not take this part of the batch that ends with `last`."""
        self._next = last + 1
        self._return(handed, rest)

    def _return(self, handed: int, rest: bytes | memoryview = b"") -> None:
        self.phase = Phase.LIVE
        self.connection.give_back(self, handed - self._since, rest)
        self.connection.when_idle(self)

    # --- OFF --------------------------------------------------------------------------

    def conclude(self) -> None:
        """The last entry that it may have was collected: what it has not had of them goes out, or
        waits, whatever waits already; nothing follows. Who is still behind goes without."""
        if self.phase is Phase.OPEN:
            self.shut()
        if self.phase is Phase.LIVE:
            for first, last, data in self.room.rest(self._next):
                self._next = last + 1
                self.connection.deliver(self, first, data)
        self.cancel()

    def cancel(self) -> None:
        """No further entry is queued; a page on its way is discarded."""
        self._ticket += 1
        if self.phase is Phase.OPEN:
            self.connection.give_back(self, self.sent)
        self.phase = Phase.OFF
        self.room.detach(self)
