"""One connection: bytes in, values out; frames in, bytes out.

Everything to be sent goes through one queue, in order. While the transport takes bytes, it is
written straight away (replies of a tick leave in one write); while it is paused, the queue holds
references. What may happen to them:

* replies and their like are never dropped: past `reply_bytes` the connection is not read, past
  `reply_timeout` without progress it is closed;
* a room's batches are dropped whole when they pass `queue_bytes`, and its subscription falls
  back to its cursor;
* state (presence) is not queued at all: the client is told later that it is out of date.

Nothing here blocks, reorders, or starts tasks.
"""

import asyncio
from collections import deque
from typing import Protocol, cast

from msgspec import Struct

from ipcchat.errors import RemoteProtocolError
from ipcchat.server.access import Peer, unacknowledged
from ipcchat.settings import ServerSettings
from ipcchat.wire import codec
from ipcchat.wire import protocol as wire
from ipcchat.wire.messages import Bye, Changed, Error

__all__ = ["Connection", "Owner", "Source", "Tick"]

# One buffer for all connections: a chunk is decoded before the next read begins.
_BUFFER = memoryview(bytearray(16 * 1024))
"""Its size is what one connection is read in a turn of the loop."""
_WRITE = 64 * 1024
"""Queued frames are joined to writes of about so many bytes."""
LINGER = 1.0
"""Seconds that a closing connection may take to read its last frame."""

_REPLIES, _PARKED, _DRAINING = 1, 2, 4


class Source(Protocol):
    """What sends batches: a subscription."""

    def step(self) -> None:
        """The connection takes bytes again."""


class Owner(Protocol):
    """Who gets what a connection reads."""

    settings: ServerSettings
    tick: "Tick"

    def opened(self, connection: "Connection") -> None: ...

    def received(
        self, connection: "Connection", values: list[Struct | RemoteProtocolError]
    ) -> None: ...

    def lost(self, connection: "Connection") -> None: ...


class Tick:
    """The connections that have something to send at the end of this turn of the loop."""

    __slots__ = ("_connections", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._connections: list[Connection] = []

    def add(self, connection: "Connection") -> None:
        """The connection's `pump` is called soon, once."""
        if not self._connections:
            self._loop.call_soon(self._flush)
        self._connections.append(connection)

    def _flush(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.pump()


class Connection(asyncio.BufferedProtocol):
    """One peer's byte stream, either way."""

    __slots__ = (
        "_batch_bytes",
        "_dirty",
        "_gone",
        "_held",
        "_held_at",
        "_loop",
        "_owner",
        "_parked",
        "_paused",
        "_queue",
        "_reply_bytes",
        "_sent",
        "_stale",
        "_waiting",
        "closing",
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
        "transport",
        "wire",
    )

    def __init__(self, owner: Owner, peer: Peer, number: int) -> None:
        self._owner = owner
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
        self.closing = 0.0
        """When it began to close, in seconds of the loop's clock; 0 while it is open."""
        self.partial = 0.0
        """When the frame began that is not complete yet, without the time of pauses; 0: none."""
        self._held_at = 0.0
        self.opened_at = self.heard = self.progress = self._loop.time()
        self.transport: asyncio.Transport | None = None
        self._queue: deque[tuple[Source | None, int, bytes]] = deque()
        self._batch_bytes = 0
        self._reply_bytes = 0
        self._paused = False
        self._dirty = False
        self._held = 0
        self._parked: list[Struct | RemoteProtocolError] = []
        self._waiting: dict[Source, None] | None = None
        self._stale: set[str] | None = None
        self._sent = 0
        """Bytes given to the transport, ever; those of them that the peer has taken: `_gone`."""
        self._gone = 0

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
        return False  # the transport closes itself once everything is sent

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = self.closing or self._loop.time()
        self._queue.clear()
        self._parked = []
        self._waiting = None
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

    # --- bytes out --------------------------------------------------------------------

    def send(self, message: Struct) -> None:
        """Queues a reply or an event that is never dropped."""
        self.send_frames(codec.encode(message))

    def send_frames(self, frames: bytes) -> None:
        """The same for encoded frames."""
        if self.closing:
            return
        self._queue.append((None, 0, frames))
        self._reply_bytes += len(frames)
        if self._reply_bytes > self._owner.settings.reply_bytes:
            self._hold(_REPLIES)
        if not self._paused and not self._dirty:
            self._dirty = True
            self._owner.tick.add(self)

    def reply(self, frames: bytes) -> None:
        """The same for replies that are complete for this turn: written at once where possible."""
        if self._queue or self._paused or self.closing:
            self.send_frames(frames)
        else:
            self._sent += len(frames)
            self.transport.write(frames)  # type: ignore[union-attr]

    def send_state(self, frames: bytes, topic: str) -> None:
        """Sends frames that only the latest of counts, or notes that `topic` is out of date."""
        if self._paused:
            if self._stale is None:
                self._stale = set()
            self._stale.add(topic)
        else:
            self.send_frames(frames)

    def deliver(self, subscription: Source, first: int, frames: bytes) -> bool:
        """Sends a batch that starts with seq `first`; false when the queue is over its bound."""
        if self.closing:
            return True
        if not self._paused and not self._queue:
            self._sent += len(frames)
            self.transport.write(frames)  # type: ignore[union-attr]
            return True
        self._queue.append((subscription, first, frames))
        self._batch_bytes += len(frames)
        if not self._paused:
            self.pump()
            return True
        return self._batch_bytes <= self._owner.settings.queue_bytes

    def drop(self, subscription: Source) -> int | None:
        """Drops the subscription's unwritten batches; the first seq dropped, or None."""
        dropped = None
        kept: deque[tuple[Source | None, int, bytes]] = deque()
        for item in self._queue:
            if item[0] is subscription:
                self._batch_bytes -= len(item[2])
                if dropped is None:
                    dropped = item[1]
            else:
                kept.append(item)
        self._queue = kept
        return dropped

    def pump(self) -> None:
        """Writes what is queued until the transport is full."""
        self._dirty = False
        queue = self._queue
        while queue and not self._paused:
            parts: list[bytes] = []
            size = 0
            while queue and size < _WRITE:
                subscription, _, data = queue.popleft()
                parts.append(data)
                size += len(data)
                if subscription is None:
                    self._reply_bytes -= len(data)
                else:
                    self._batch_bytes -= len(data)
            self._sent += size
            if self.transport is not None:
                self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._held & _REPLIES and self._reply_bytes * 2 <= self._owner.settings.reply_bytes:
            self._release(_REPLIES)
        if self.idle:
            self._drained()

    @property
    def idle(self) -> bool:
        """Whether a page may be written: nothing waits, and the transport takes bytes."""
        return not self._paused and not self._queue

    @property
    def takes(self) -> bool:
        """Whether the transport takes bytes at present."""
        return not self._paused

    def when_idle(self, subscription: Source) -> None:
        """The subscription's `step` is called once the connection is idle."""
        if self._waiting is None:
            self._waiting = {}
        self._waiting[subscription] = None

    def _drained(self) -> None:
        if self._stale:
            stale, self._stale = self._stale, None
            for topic in sorted(stale):
                self.send(Changed(what=topic))
        if self._waiting:
            waiting, self._waiting = self._waiting, None
            for subscription in waiting:
                subscription.step()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.progress = self._loop.time()
        self.pump()

    @property
    def unsent(self) -> int:
        """Bytes that wait here and in the transport."""
        size = self._batch_bytes + self._reply_bytes
        if self.transport is not None:
            size += self.transport.get_write_buffer_size()
        return size

    def note_progress(self, now: float) -> None:
        """Called from time to time: bytes that the peer's side has taken since count as life."""
        gone = self._sent
        if self.transport is not None and gone > self._gone:
            gone -= self.transport.get_write_buffer_size() + unacknowledged(self.transport)
        if gone > self._gone:
            self._gone = gone
            self.progress = now

    # --- the end ----------------------------------------------------------------------

    def close(self, message: Bye | Error) -> None:
        """Says why, then closes: what is queued goes first, the peer gets LINGER to read it. What
        it sends is discarded, not refused: a reset would take that last frame away."""
        if self.closing or self.transport is None:
            return
        self._queue.append((None, 0, codec.encode(message)))
        self.closing = self._loop.time()
        parts = [data for _, _, data in self._queue]
        self._queue.clear()
        self._batch_bytes = self._reply_bytes = 0
        self.transport.write(b"".join(parts))
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
        self._queue.clear()
        self._batch_bytes = self._reply_bytes = 0
        if self.transport is not None:
            self.transport.abort()
