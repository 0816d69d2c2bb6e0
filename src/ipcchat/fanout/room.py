"""A room while somebody follows it: what was handed out, the recent frames, the followers.

An entry is encoded once, joined to a batch once, and the same `bytes` go to every follower.
Delivery is fed by the journal's committed feed alone, in order.

A follower is *offered* batches, or its place is *open*: nothing waits for it, and the room sends
to its socket itself, which costs the kernel's `send` and touches no other object of that follower.
Its cursor is then the room's own.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from typing import Protocol

from ipcchat.entries import Entry
from ipcchat.wire import codec

__all__ = ["BATCH", "Follower", "Room", "batches"]

BATCH = 64 * 1024
"""A batch is cut at a frame's border at or below so many bytes."""


def batches(frames: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Joins frames to batches: (number of frames, bytes) each."""
    start = size = 0
    for index, frame in enumerate(frames):
        if size + len(frame) > BATCH and index > start:
            yield index - start, b"".join(frames[start:index])
            start, size = index, 0
        size += len(frame)
    if start < len(frames):
        yield len(frames) - start, b"".join(frames[start:])


_LIGHT = 16 * 1024
"""Bytes that a follower may get and count as one: copying more costs more than the call."""


class Sink(Protocol):
    """A socket that does not block."""

    def send(self, data: bytes, /) -> int:
        """How many of the bytes were taken. Raises OSError."""


class Follower(Protocol):
    """Who is handed the room's batches: a live subscription."""

    def offer(self, first: int, last: int, data: bytes) -> None:
        """The batch of the entries [first..last]."""

    def stuck(self, last: int, rest: memoryview, handed: int) -> None:
        """Its place is open no more: its socket did not take this part of the batch that ends with
        `last`, of all the bytes that were handed out up to `handed`."""

    def step(self) -> None:
        """The flush in which its place could not be opened is over."""


class _Retired:
    """In the place of a socket that is to get nothing."""

    def send(self, data: bytes, /) -> int:
        return len(data)


_RETIRED = _Retired()


class Room:
    """Owns what was delivered of one room. Its methods do not await."""

    __slots__ = (
        "_at",
        "_batches",
        "_fresh",
        "_heavy",
        "_left",
        "_offered",
        "_open",
        "_part",
        "_reached",
        "_retired",
        "_returning",
        "_served",
        "_sinks",
        "_tail",
        "_tail_bytes",
        "_tail_limit",
        "_unserved",
        "cost",
        "delivered",
        "flushed_at",
        "handed",
        "number",
        "subscribers",
        "waiting",
    )

    def __init__(self, number: int, delivered: int, tail_bytes: int) -> None:
        self.number = number
        self.delivered = delivered
        """seq of the last entry handed out; everything up to it can be read."""
        self._offered: dict[Follower, None] = {}
        self._open: dict[Follower, Sink] = {}
        self.subscribers = 0
        """All subscriptions, live or catching up; without any the room is forgotten."""
        self.flushed_at = float("-inf")
        """When the last flush ended, in seconds of the loop's clock."""
        self.cost = 0.0
        """Seconds that it took."""
        self.handed = 0
        """Bytes that were handed out, ever."""
        self.waiting = 0
        """Bytes that are collected for the next flush."""
        self._fresh: list[bytes] = []
        self._batches: list[tuple[int, int, bytes]] = []
        """Of the flush under way: first and last seq, and the bytes."""
        self._heavy = 1
        """How many followers one counts for who is offered the whole flush."""
        self._served: list[Follower] = []
        """Whose place was open when it began."""
        self._sinks: list[Sink] = []
        """Their sockets, while they are sent to: batch by batch."""
        self._part = 0
        """The batch that they are sent; those before `_at` have had it."""
        self._at = 0
        self._left: list[Follower] = []
        """To whom it is still to be offered."""
        self._retired: set[Follower] = set()
        """Whose place was open then, and is no more."""
        self._unserved: set[Follower] | None = None
        """Those behind `_at`, once somebody has asked."""
        self._returning: dict[Follower, None] = {}
        """Whose place would be open but for the flush."""
        self._reached: list[tuple[int, asyncio.Future[None]]] = []
        """Who waits for a seq to be handed out."""
        self._tail: deque[tuple[str, bytes]] = deque()
        self._tail_bytes = 0
        self._tail_limit = tail_bytes

    def collect(self, entries: list[Entry]) -> bool:
        """Takes committed entries into the next batch; false where none is to be handed out any
        more."""
        following = self.delivered + len(self._fresh) + 1
        if entries[0].seq != following:
            # Some were committed before the first follower came: it reads them.
            entries = [entry for entry in entries if entry.seq >= following]
            if not entries or entries[0].seq != following:
                return False
        frames = codec.frames(entries)
        size = sum(map(len, frames))
        self._fresh += frames
        self.waiting += size
        self._tail += zip([entry.draft for entry in entries], frames, strict=True)
        self._tail_bytes += size
        return True

    @property
    def collected(self) -> bool:
        """Whether something waits for the next flush."""
        return bool(self._fresh)

    @property
    def flushing(self) -> bool:
        """Whether a flush is under way."""
        return bool(self._batches)

    # --- followers --------------------------------------------------------------------

    @property
    def followers(self) -> int:
        """How many live subscriptions there are."""
        return len(self._offered) + len(self._open)

    def attach(self, follower: Follower) -> None:
        """From now on it is offered batches; of a flush under way it has everything."""
        self._offered[follower] = None

    def detach(self, follower: Follower) -> None:
        """It gets no batch any more."""
        self._returning.pop(follower, None)
        self._offered.pop(follower, None)
        if self._open.pop(follower, None) is not None and self.flushing:
            self._retired.add(follower)

    def open(self, follower: Follower, sink: Sink, following: int) -> bool:
        """Opens the place of a follower that waits for seq `following`, and for which nothing
        else waits. False where that is not to be; where a flush may change that, its `step` is
        called after it."""
        if follower not in self._offered:
            return False
        if self.flushing or following > self.delivered + 1:
            self._returning[follower] = None
            return False
        if following <= self.delivered:
            return False
        del self._offered[follower]
        self._open[follower] = sink
        return True

    def shut(self, follower: Follower) -> tuple[int, int]:
        """Closes an open place: from now on it is offered batches. The seq that it waits for, and
        the bytes that the room has handed out up to there."""
        place = self.place(follower)
        del self._open[follower]
        self._offered[follower] = None
        if self.flushing:
            self._retired.add(follower)
            if place[0] <= self.delivered:
                self._left.append(follower)
        return place

    def place(self, follower: Follower) -> tuple[int, int]:
        """Where a follower is whose place is open; see `shut`."""
        if self._sinks:
            if self._unserved is None:
                self._unserved = set(self._served[self._at :])
            missing = self._batches[self._part + (follower not in self._unserved) :]
            if missing:
                return missing[0][0], self.handed - sum(len(data) for _, _, data in missing)
        return self.delivered + 1, self.handed

    def rest(self, first: int) -> list[tuple[int, int, bytes]]:
        """What was collected from seq `first` on, whether it is being handed out or waits for that:
        first and last seq, and the bytes. For who is to get nothing that comes later."""
        parts = [batch for batch in self._batches if batch[0] >= first]
        last = max(self.delivered, first - 1)
        for count, data in batches(self._fresh[last - self.delivered :]):
            parts.append((last + 1, last + count, data))
            last += count
        return parts

    # --- a flush ----------------------------------------------------------------------

    def begin(self) -> None:
        """Begins to hand what was collected to whoever follows at this moment; see `step`."""
        frames, self._fresh, self.waiting = self._fresh, [], 0
        self.cost = 0.0
        self._batches = []
        for count, data in batches(frames):
            first = self.delivered + 1
            self.delivered += count
            self._batches.append((first, self.delivered, data))
        size = sum(len(data) for _, _, data in self._batches)
        self.handed += size
        self._heavy = 1 + size // _LIGHT
        self._served, self._sinks = list(self._open), list(self._open.values())
        self._part = self._at = 0
        self._unserved = None
        self._left = list(self._offered)
        self._left.reverse()
        while self._tail_bytes > self._tail_limit:
            self._tail_bytes -= len(self._tail.popleft()[1])
        if self._reached:
            self.release(self.delivered)

    def reach(self, seq: int) -> asyncio.Future[None]:
        """Done once the entries up to `seq` are handed out, or the room is forgotten."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reached.append((seq, reached))
        self.release(self.delivered)
        return reached

    def release(self, seq: int) -> None:
        """Those who wait for `seq` or less wait no longer."""
        waiting, self._reached = self._reached, []
        for wanted, reached in waiting:
            if wanted > seq:
                self._reached.append((wanted, reached))
            elif not reached.done():
                reached.set_result(None)

    def step(self, most: int) -> int:
        """Goes on with the flush for at most so many followers, fewer where each gets much at once;
        how many it were, in the same measure.

        Who attaches meanwhile has these batches already, and skips them; who fell back or left
        meanwhile is not served.
        """
        if self._sinks:  # each gets one batch, and the next one when all have had it
            weight = 1 + len(self._batches[self._part][2]) // _LIGHT
            served = self._send(max(1, most // weight))
        else:
            weight = self._heavy
            served = self._offer(max(1, most // weight))
        if not self._left and not self._sinks:
            self._finish()
        return max(1, served) * weight

    def _offer(self, most: int) -> int:
        served = min(most, len(self._left))
        for _ in range(served):
            follower = self._left.pop()
            for first, last, data in self._batches:
                if follower in self._offered:
                    follower.offer(first, last, data)
        return served

    def _send(self, most: int) -> int:
        """To those whose place is open. Its inner loop is what a delivery costs besides the
        kernel's part."""
        start = self._at
        sinks = self._sinks[start : start + most]
        if self._retired:
            for index, follower in enumerate(self._served[start : start + most]):
                if follower in self._retired:
                    sinks[index] = _RETIRED
        data = self._batches[self._part][2]
        size = len(data)
        left = iter(sinks)
        for sink in left:
            try:
                sent = sink.send(data)
            except OSError:  # it is full, or gone: its transport finds out
                sent = 0
            if sent != size:
                self._at, self._unserved = start + len(sinks) - length_hint(left), None
                self._stuck(self._served[self._at - 1], sent)
        self._at, self._unserved = start + len(sinks), None
        if self._at == len(self._sinks):
            self._part, self._at = self._part + 1, 0
            if self._part == len(self._batches):
                self._sinks = []
        return len(sinks)

    def _stuck(self, follower: Follower, sent: int) -> None:
        """What a socket did not take of the batch waits for it, and it is offered the others."""
        del self._open[follower]
        self._retired.add(follower)
        self._offered[follower] = None
        (_, last, data), *others = self._batches[self._part :]
        left = len(data) - sent + sum(len(data) for _, _, data in others)
        follower.stuck(last, memoryview(data)[sent:], self.handed - left)
        for first, last, data in others:
            if follower in self._offered:
                follower.offer(first, last, data)

    def _finish(self) -> None:
        self._batches, self._served = [], []
        self._retired.clear()
        returning, self._returning = self._returning, {}
        for follower in returning:
            follower.step()

    # --- the tail ---------------------------------------------------------------------

    def recent(self, first: int) -> list[bytes] | None:
        """The frames from seq `first` to the last delivered, or None where they are not kept."""
        count = self.delivered - first + 1
        kept = len(self._tail) - len(self._fresh)
        if count > kept:
            return None
        return [frame for _, frame in islice(self._tail, kept - count, kept)]

    def mark(self, seq: int) -> str | None:
        """The draft id of a delivered entry, or None where it is not kept here."""
        kept = len(self._tail) - len(self._fresh)
        index = kept - (self.delivered - seq) - 1
        return self._tail[index][0] if 0 <= index < kept else None
