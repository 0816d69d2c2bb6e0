"""One connection: bytes in, values out; when it was heard of last, and how it ends.

What goes out is `fanout/outlet`'s.
"""

import asyncio
from typing import Protocol, cast

from msgspec import Struct

from ipcchat.errors import RemoteProtocolError
from ipcchat.fanout.outlet import Outlet, Tick
from ipcchat.server.access import Peer
from ipcchat.settings import ServerSettings
from ipcchat.sockets.kernel import unacknowledged
from ipcchat.wire import codec
from ipcchat.wire import protocol as wire
from ipcchat.wire.messages import Bye, Error

__all__ = ["LINGER", "Connection", "Owner"]

# One buffer for all connections: a chunk is decoded before the next read begins.
_BUFFER = memoryview(bytearray(16 * 1024))
"""Its size is what one connection is read in a turn of the loop."""
LINGER = 1.0
"""Seconds that a closing connection may take to read its last frame."""

_REPLIES, _PARKED, _DRAINING = 1, 2, 4


class Owner(Protocol):
    """Who gets what a connection reads."""

    settings: ServerSettings
    tick: Tick

    def opened(self, connection: "Connection") -> None: ...

    def received(
        self, connection: "Connection", values: list[Struct | RemoteProtocolError]
    ) -> None: ...

    def lost(self, connection: "Connection") -> None: ...


class Connection(Outlet):
    """One peer's byte stream, either way."""

    __slots__ = (
        "_held",
        "_held_at",
        "_loop",
        "_parked",
        "_taken",
        "device",
        "heard",
        "in_flight",
        "nonce",
        "number",
        "opened_at",
        "partial",
        "peer",
        "progress",
        "refused",
        "wire",
    )

    def __init__(self, owner: Owner, peer: Peer, number: int) -> None:
        super().__init__(owner)
        self._owner: Owner = owner
        self._loop = asyncio.get_running_loop()
        self.peer = peer
        self.number = number
        self.wire = wire.Protocol(wire.Role.SERVER)
        self.device = ""
        self.nonce = ""
        self.in_flight = 0
        """Requests that have no reply yet."""
        self.refused = 0
        """Logins that were refused."""
        self.partial = 0.0
        """When the frame began that is not complete yet, without the time of pauses; 0: none."""
        self._held_at = 0.0
        self.opened_at = self.heard = self.progress = self._loop.time()
        self._held = 0
        self._parked: list[Struct | RemoteProtocolError] = []
        self._taken = 0
        """Bytes that the peer's side has, when that was looked at last."""

    # --- bytes in ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._owner.settings.high_water)
        self.opened_at = self._loop.time()  # with TLS: after the handshake
        self._owner.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.heard = self._loop.time()
        if self.closing:
            return
        values = self.wire.receive(_BUFFER[:nbytes])
        if not self.wire.partial:
            self.partial = 0.0
        elif values or not self.partial:
            self.partial = self.heard
        if self._held & _PARKED:
            self._parked += values
        elif values:
            self._owner.received(self, values)

    def eof_received(self) -> bool:
        if not self.closing and self.transport is not None:
            last = b"".join(self.clear())
            self.closing = self._loop.time()
            self.transport.write(last)
        return False  # the transport closes itself once that is sent

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = self.closing or self._loop.time()
        self.clear()
        self._parked = []
        self._owner.lost(self)

    def park(self, values: list[Struct | RemoteProtocolError]) -> None:
        """Keeps values, bounded by the one chunk that they came in, until requests in flight have
        been answered; nothing is read until then."""
        self._parked = values
        self._hold(_PARKED)

    def answered(self, count: int = 1) -> None:
        """So many requests have got their reply."""
        self.in_flight -= count
        if self._held & _PARKED and self.in_flight * 2 <= self._owner.settings.requests_in_flight:
            self._loop.call_soon(self._unpark)

    def _unpark(self) -> None:
        values, self._parked = self._parked, []
        self._release(_PARKED)
        if values and not self.closing:
            self._owner.received(self, values)

    def stop_reading(self) -> None:
        """The server drains: no further request is taken."""
        self._parked = []
        self._hold(_DRAINING)

    @property
    def reading(self) -> bool:
        """Whether the peer's silence is the peer's own."""
        return not self._held

    def _hold(self, why: int) -> None:
        if not self._held and self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        if not self._held:
            self._held_at = self._loop.time()
        self._held |= why

    def _release(self, why: int) -> None:
        if not self._held & why:
            return
        self._held &= ~why
        if not self._held:
            self.heard = self._loop.time()
            if self.partial:
                self.partial += self.heard - self._held_at
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def flooded(self, whether: bool) -> None:
        if whether:
            self._hold(_REPLIES)
        else:
            self._release(_REPLIES)

    # --- signs of life ----------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self.progress = self._loop.time()
        self._taken = self._look()

    def resume_writing(self) -> None:
        self.progress = self._loop.time()
        super().resume_writing()

    def _look(self) -> int:
        sent = self.sent
        if self.transport is not None and sent > self._taken:
            sent -= self.transport.get_write_buffer_size() + unacknowledged(self.transport)
        return sent

    def note_progress(self, now: float) -> None:
        """Called from time to time: bytes that the peer's side has taken since count as life."""
        alive = now - max(self.heard, self.progress) < self._owner.settings.idle_after / 4
        if alive and self.lent:
            return  # nothing waits, and adding up what its rooms have sent costs a little for each
        taken = self._look()
        if taken > self._taken:
            self._taken = taken
            self.progress = now

    # --- the end ----------------------------------------------------------------------

    def close(self, message: Bye | Error) -> None:
        """Says why, then closes: what is queued goes first, the peer gets LINGER to read it. What
        it sends is discarded, not refused: a reset would take that last frame away."""
        if self.closing or self.transport is None:
            return
        last = b"".join([*self.clear(), codec.encode(message)])
        self.closing = self._loop.time()
        self.transport.write(last)
        self._parked = []
        self._held = 0
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        try:
            self.transport.write_eof()
            self.transport.resume_reading()
        except OSError:  # the peer is gone already
            self.transport.abort()

    def abort(self) -> None:
        """Closes at once; nothing more is sent."""
        self.closing = self.closing or self._loop.time()
        self.clear()
        if self.transport is not None:
            self.transport.abort()
