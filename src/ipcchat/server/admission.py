"""Who may be connected: places before login, and places of those who have logged in.

Before login a connection is worth nothing to anybody, so places are few, and when they are used
up the newcomer always gets one and another unfinished connection goes. Which one:

1. of the newcomer's own address where that has used up its share, else of the address that has
   most of them: attackers at many addresses push out each other, never the one connection of an
   honest client (where nobody has more than one, or those of who has may not go yet, all count
   as of one address);
2. there, of the stage (silent, handshake, connected, greeted) at which most of them are: an
   honest client competes only with attackers that have come as far, and so have spent as much;
3. there, the one that is at this stage for longest: the connections at a stage leave in the order
   in which they came, and an honest client is done with each stage within milliseconds.

What remains is a flood that is faster than an honest client's stage takes. Therefore nobody is
dropped within `grace` of reaching its stage: the newcomer waits, and those behind it wait in the
kernel's queue. With 16 places and 4 ms that queue moves at 4,000 a second, so 1,000 attackers from
the honest client's own address, all ahead of it, cost it a quarter of a second; at 64 places and
many addresses, a sixteenth. When all clients of a server come back at once the opposite is wanted:
everybody makes progress, and dropping any would only bring it back. So `grace` is 100 ms at rest,
is halved while connections that made nothing of it are dropped, and doubles with each login.

Established connections are never dropped. When there are as many as may be, a few places before
login are left: who would be one too many hears so in its own language, behind TLS too, and a device
that returns gets its own place back.
"""

import sys
from collections.abc import Callable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, Protocol

from ipcchat.errors import Refused

__all__ = ["ALWAYS", "Admission", "Entry", "Limits", "Source", "Stage", "Ticket", "source_of"]

ALWAYS = 4
"""Places before login that there are however many have logged in."""
_COME_AGAIN = 5000
"""Milliseconds after which who is one too many may try again."""
_OPEN, _PAGE = 40, 2
"""Open files that are neither clients nor pages (some 27 of the journal, the index and the loop,
and what asks over the control socket), and those of a page that is read: the journal, its WAL."""
LONGEST_GRACE = 0.1
SHORTEST_GRACE = 0.004
"""Seconds."""


class Limits(Protocol):
    """The settings that count here."""

    @property
    def pending_clients(self) -> int:
        """Connections before login, in all."""

    @property
    def pending_per_address(self) -> int:
        """The same from one address."""

    @property
    def clients_per_address(self) -> int:
        """Logged in, from one address."""

    @property
    def max_clients(self) -> int:
        """All connections together."""

    @property
    def handshake_timeout(self) -> float:
        """Seconds until the first byte and the TLS handshake are there."""


class Stage(IntEnum):
    """How far a connection has come; each costs its peer more than the one before."""

    SILENT = 0
    HANDSHAKE = 1
    """A first byte is there."""
    CONNECTED = 2
    """TLS is made, where there is TLS."""
    GREETED = 3
    """A first whole frame is there."""


class Source(NamedTuple):
    """Where a connection comes from."""

    key: str
    """Connections with the same key count together."""
    counted: bool
    """Whether `clients_per_address` holds."""


def source_of(host: str) -> Source:
    """The source of an IP address as the kernel writes it: an IPv4-mapped one is its IPv4
    address, another IPv6 address is its /64, which is what one customer gets (RFC 6177)."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, IPv4Address) or address.is_loopback:
        return Source(str(address), not address.is_loopback)
    return Source(f"{IPv6Address(int(address) >> 64 << 64)}/64", True)


class Ticket:
    """One connection's place."""

    __slots__ = ("close", "number", "since", "source", "stage", "state")

    def __init__(self, source: Source, now: float) -> None:
        self.source = source
        self.stage = Stage.SILENT
        self.since = now
        """When it reached its stage."""
        self.state = "pending"
        """`pending`, `established` or `gone`."""
        self.number = 0
        """The connection's number, once there is one."""
        self.close: Callable[[], object] = _nothing
        """Ends the connection; set by whoever has it in hand."""


def _nothing() -> None:
    """There is nothing to close yet."""


class Entry(NamedTuple):
    """The answer to a newcomer. Whatever it is, those in `drop` are to be closed."""

    ticket: Ticket | None
    """The newcomer's place; None: not yet."""
    wait: float = 0.0
    """Without a ticket: seconds after which to ask again."""
    drop: tuple[Ticket, ...] = ()


class _Table:
    """The connections of one source, or of all."""

    __slots__ = ("established", "pending", "stages")

    def __init__(self) -> None:
        self.pending = 0
        self.established = 0
        self.stages: tuple[dict[Ticket, None], ...] = ({}, {}, {}, {})
        """Unfinished ones by stage, in the order in which they reached it."""

    def add(self, ticket: Ticket) -> None:
        self.stages[ticket.stage][ticket] = None
        self.pending += 1

    def discard(self, ticket: Ticket) -> None:
        """A pending one goes, or is pending no more."""
        del self.stages[ticket.stage][ticket]
        self.pending -= 1

    def move(self, ticket: Ticket, stage: Stage) -> None:
        del self.stages[ticket.stage][ticket]
        self.stages[stage][ticket] = None

    def weakest(self) -> Ticket:
        """The one to be dropped; of stages with equally many the earliest, which costs least."""
        crowded = max(self.stages, key=_size)
        return next(iter(crowded))


class Admission:
    """The tables. `limits` may be replaced at any time; times are seconds of one clock.

    A connection that was never entered (the console, the control socket) has no ticket: what is
    told of it is ignored.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._files = self._fit = sys.maxsize
        """Open files that the system allows, and the clients for which they do."""
        self.dropped = 0
        """Unfinished connections that made room for others, ever."""
        self.grace = LONGEST_GRACE
        self._graced = float("-inf")
        """When `grace` was halved last."""
        self._all = _Table()
        self._addresses: dict[str, _Table] = {}
        self._numbers: dict[int, Ticket] = {}

    @property
    def pending(self) -> int:
        """Connections before login."""
        return self._all.pending

    @property
    def established(self) -> int:
        """Connections that have logged in."""
        return self._all.established

    @property
    def most(self) -> int:
        """So many may have logged in; one where nothing fits."""
        return max(1, min(self.limits.max_clients, self._fit))

    @property
    def full(self) -> bool:
        """Whether so many have."""
        return self.established >= self.most

    def fit(self, files: int, pages: int) -> None:
        """The system allows so many open files, and so many pages are read at the same time: what
        they need is not for clients."""
        self._files, self._fit = files, files - _OPEN - _PAGE * pages - ALWAYS

    @property
    def shortage(self) -> str:
        """What to tell where there are not enough for `max_clients`; empty: there are."""
        most, wanted = self.most, self.limits.max_clients
        if most >= wanted:
            return ""
        return (
            f"the system allows {self._files:,} open files, which do for {most:,} of {wanted:,}"
            " clients (max_clients): raise its limit (ulimit -n, or LimitNOFILE= of systemd)"
        )

    def enter(self, source: Source, now: float) -> Entry:
        """A place for a newcomer."""
        drop: list[Ticket] = []
        while (victim := self._victim(source, now)) is not None:
            wait = victim.since + self.grace - now
            if wait > 0:
                return Entry(None, wait, tuple(drop))
            self.left(victim)
            drop.append(victim)
            self.dropped += 1
        if drop and now - self._graced >= self.grace:
            self._graced = now
            self.grace = max(SHORTEST_GRACE, self.grace / 2)
        ticket = Ticket(source, now)
        address = self._addresses.get(source.key)
        if address is None:
            address = self._addresses[source.key] = _Table()
        address.add(ticket)
        self._all.add(ticket)
        return Entry(ticket, 0.0, tuple(drop))

    def _victim(self, source: Source, now: float) -> Ticket | None:
        """Who must go first; None where there is room."""
        limits = self.limits
        own = self._addresses.get(source.key)
        if own is not None and own.pending >= limits.pending_per_address:
            return own.weakest()
        places = max(ALWAYS, self.most - self.established)
        if self.pending < min(limits.pending_clients, places):
            return None
        most, victim = 1, self._all.weakest()
        for address in self._addresses.values():
            if address.pending > most:
                weakest = address.weakest()
                if weakest.since + self.grace <= now:
                    most, victim = address.pending, weakest
        return victim

    def advance(self, ticket: Ticket, stage: Stage, now: float) -> None:
        """A pending connection has come so far; going back is ignored."""
        if ticket.state != "pending" or stage <= ticket.stage:
            return
        self._addresses[ticket.source.key].move(ticket, stage)
        self._all.move(ticket, stage)
        ticket.stage = stage
        ticket.since = now

    def numbered(self, ticket: Ticket, number: int) -> None:
        """The connection of a ticket has a number from now on."""
        if ticket.state != "gone":
            ticket.number = number
            self._numbers[number] = ticket

    def greeted(self, number: int, now: float) -> None:
        """The connection's first frame has come."""
        ticket = self._numbers.get(number)
        if ticket is not None:
            self.advance(ticket, Stage.GREETED, now)

    def check_room(self, number: int, replaces: int = 0) -> None:
        """Raises Refused (`too_many`) where all places of clients are taken; see `may_log_in`."""
        ticket, before = self._numbers.get(number), self._numbers.get(replaces)
        if ticket is None or ticket.state != "pending" or not self.full:
            return
        if before is None or before.state != "established":
            text = "the server has no room for one more client"
            raise Refused("too_many", text, retry=True, wait_ms=_COME_AGAIN)

    def may_log_in(self, number: int, replaces: int = 0) -> bool:
        """Whether its address has room for one more client; `replaces` is the number of a
        connection that goes when this one comes."""
        ticket = self._numbers.get(number)
        if ticket is None or ticket.state != "pending" or not ticket.source.counted:
            return True
        before = self._numbers.get(replaces)
        established = self._addresses[ticket.source.key].established
        if before is not None and before.state == "established":
            established -= before.source == ticket.source
        return established < self.limits.clients_per_address

    def logged_in(self, number: int, replaces: int = 0) -> bool:
        """The connection is a session now, in the place of another where one is given. False,
        and nothing is changed, where it may not (`may_log_in`). Raises Refused (`too_many`) where
        the server has no room."""
        self.check_room(number, replaces)
        if not self.may_log_in(number, replaces):
            return False
        ticket = self._numbers.get(number)
        if ticket is None or ticket.state != "pending":
            return True
        before = self._numbers.get(replaces)
        if before is not None and before is not ticket:
            self.left(before)
        address = self._addresses[ticket.source.key]
        for table in (address, self._all):
            table.discard(ticket)
            table.established += 1
        ticket.state = "established"
        self.grace = min(LONGEST_GRACE, self.grace * 2)
        return True

    def lost(self, number: int) -> None:
        """The connection of that number is gone."""
        ticket = self._numbers.get(number)
        if ticket is not None:
            self.left(ticket)

    def left(self, ticket: Ticket) -> None:
        """The connection is gone; told twice, it counts once."""
        if ticket.state == "gone":
            return
        address = self._addresses[ticket.source.key]
        for table in (address, self._all):
            if ticket.state == "pending":
                table.discard(ticket)
            else:
                table.established -= 1
        ticket.state = "gone"
        if self._numbers.get(ticket.number) is ticket:
            del self._numbers[ticket.number]
        if not address.pending and not address.established:
            del self._addresses[ticket.source.key]

    def __len__(self) -> int:
        """Sources that something is kept of."""
        return len(self._addresses)


def _size(stage: dict[Ticket, None]) -> int:
    return len(stage)
