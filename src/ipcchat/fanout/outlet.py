"""What goes out on one connection: in order, at once or from one bounded queue.

While the transport takes bytes, it is written straight away (replies of a tick leave in one write);
while it is paused, the queue holds references. What may happen to them:

* replies and their like are never dropped: past `reply_bytes` the connection is not read, past
  `reply_timeout` without progress it is closed;
* a room's batches are dropped whole when they pass `queue_bytes`, and its subscription falls
  back to its cursor;
* state (presence) is not queued at all: the client is told later that it is out of date.

While nothing waits, rooms may send to the socket itself (`lend`); before anything has to wait they
are told to stop.

Nothing here blocks, reorders, or starts tasks.
"""

import asyncio
from collections import deque
from typing import Protocol

from msgspec import Struct

from ipcchat.fanout.room import Sink
from ipcchat.settings import ServerSettings
from ipcchat.wire import codec
from ipcchat.wire.messages import Changed

__all__ = ["Outlet", "Owner", "Source", "Tick"]

_WRITE = 64 * 1024
"""Queued frames are joined to writes of about so many bytes."""


class Source(Protocol):
    """What sends batches: a subscription."""

    @property
    def sent(self) -> int:
        """Bytes that were sent to the lent socket."""

    def step(self) -> None:
        """The connection takes bytes again."""

    def shut(self) -> None:
        """Gives the lent socket back."""


class Owner(Protocol):
    """Whose connection it is."""

    settings: ServerSettings
    tick: "Tick"


class Tick:
    """The connections that have something to send at the end of this turn of the loop."""

    __slots__ = ("_loop", "_outlets")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._outlets: list[Outlet] = []

    def add(self, outlet: "Outlet") -> None:
        """Its `pump` is called soon, once."""
        if not self._outlets:
            self._loop.call_soon(self.flush)
        self._outlets.append(outlet)

    def flush(self) -> None:
        """The turn ends here already."""
        while self._outlets:
            outlets, self._outlets = self._outlets, []
            for outlet in outlets:
                try:
                    outlet.pump()
                except Exception as error:  # a fault of ours: the others go on
                    told = {"message": "a connection could not be written", "exception": error}
                    self._loop.call_exception_handler(told)


class Outlet(asyncio.BufferedProtocol):
    """The writing half of a connection."""

    __slots__ = (
        "_batch_bytes",
        "_dirty",
        "_lent",
        "_owner",
        "_paused",
        "_queue",
        "_reply_bytes",
        "_sent",
        "_stale",
        "_waiting",
        "closing",
        "transport",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.transport: asyncio.Transport | None = None
        self.closing = 0.0
        """When it began to close, in seconds of the loop's clock; 0 while it is open."""
        self._queue: deque[tuple[Source | None, int, bytes]] = deque()
        self._batch_bytes = 0
        self._reply_bytes = 0
        self._paused = False
        self._dirty = False
        self._waiting: dict[Source, None] | None = None
        self._lent: dict[Source, None] | None = None
        """Who sends to the socket."""
        self._stale: set[str] | None = None
        self._sent = 0

    def flooded(self, whether: bool) -> None:
        """More replies wait than may, or no longer."""
        raise NotImplementedError

    # --- what is sent -----------------------------------------------------------------

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
            self.flooded(True)
        if not self._paused:
            self._pump_soon()

    def reply(self, frames: bytes) -> None:
        """The same for replies that are complete for this turn: written at once where possible."""
        if self._queue or self._paused or self.closing:
            self.send_frames(frames)
        else:
            self._write(frames)

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
            self._write(frames)
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

    # --- the socket, lent to rooms ----------------------------------------------------

    @property
    def sink(self) -> Sink | None:
        """The socket to which a room may send while the connection is idle; none with TLS."""
        return None if self.transport is None else self.transport.get_extra_info("sink")

    @property
    def lent(self) -> bool:
        """Whether a room sends to the socket: nothing waits then."""
        return bool(self._lent)

    def lend(self, subscription: Source) -> None:
        """The subscription's room sends to the socket from now on. Before anything has to wait,
        `shut` is called."""
        if self._lent is None:
            self._lent = {}
        self._lent[subscription] = None

    def give_back(self, subscription: Source, sent: int, rest: bytes | memoryview = b"") -> None:
        """The room does so no longer; it was so many bytes. `rest`: what the socket did not take
        of its last batch."""
        if self._lent is not None:
            self._lent.pop(subscription, None)
        self._sent += sent
        if rest:
            self._write(rest)

    def recall(self) -> None:
        """No room sends to the socket any more."""
        while self._lent:
            next(iter(self._lent)).shut()

    # --- what waits -------------------------------------------------------------------

    def _write(self, data: bytes | memoryview) -> None:
        self._sent += len(data)
        if self.transport is not None:
            self.transport.write(data)

    def _pump_soon(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._owner.tick.add(self)

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
            self._write(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._reply_bytes * 2 <= self._owner.settings.reply_bytes:
            self.flooded(False)
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
        if self.idle:
            self._pump_soon()

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
        self.recall()

    def resume_writing(self) -> None:
        self._paused = False
        self.pump()

    @property
    def sent(self) -> int:
        """Bytes that were given to the transport and its socket, ever."""
        return self._sent + sum(subscription.sent for subscription in self._lent or ())

    @property
    def unsent(self) -> int:
        """Bytes that wait here and in the transport."""
        size = self._batch_bytes + self._reply_bytes
        if self.transport is not None:
            size += self.transport.get_write_buffer_size()
        return size

    def clear(self) -> list[bytes]:
        """Takes all that is queued; nothing follows it."""
        self.recall()
        parts = [data for _, _, data in self._queue]
        self._queue.clear()
        self._batch_bytes = self._reply_bytes = 0
        self._waiting = None
        return parts
