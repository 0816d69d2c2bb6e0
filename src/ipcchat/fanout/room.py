"""A room while somebody follows it: what was handed out, the recent frames, the followers.

An entry is encoded once, joined to a batch once, and the same `bytes` go to every follower.
Delivery is fed by the journal's committed feed alone, in order.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice
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


class Follower(Protocol):
    """Who is handed the room's batches: a live subscription."""

    def offer(self, first: int, last: int, data: bytes) -> None:
        """The batch of the entries [first..last]."""


class Room:
    """Owns what was delivered of one room. Its methods do not await."""

    __slots__ = (
        "_batches",
        "_fresh",
        "_left",
        "_reached",
        "_tail",
        "_tail_bytes",
        "_tail_limit",
        "_weight",
        "cost",
        "delivered",
        "flushed_at",
        "followers",
        "number",
        "subscribers",
    )

    def __init__(self, number: int, delivered: int, tail_bytes: int) -> None:
        self.number = number
        self.delivered = delivered
        """seq of the last entry handed out; everything up to it can be read."""
        self.followers: dict[Follower, None] = {}
        """Live subscriptions, in the order they came."""
        self.subscribers = 0
        """All subscriptions, live or catching up; without any the room is forgotten."""
        self.flushed_at = float("-inf")
        """When the last flush ended, in seconds of the loop's clock."""
        self.cost = 0.0
        """Seconds that it took."""
        self._fresh: list[bytes] = []
        self._batches: list[tuple[int, int, bytes]] = []
        """Of the flush under way: first and last seq, and the bytes."""
        self._weight = 1
        """How many followers one counts for in this flush."""
        self._left: list[Follower] = []
        """Who has not had them."""
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
        self._fresh += frames
        self._tail += zip([entry.draft for entry in entries], frames, strict=True)
        self._tail_bytes += sum(map(len, frames))
        return True

    @property
    def collected(self) -> bool:
        """Whether something waits for the next flush."""
        return bool(self._fresh)

    @property
    def flushing(self) -> bool:
        """Whether a flush is under way."""
        return bool(self._left)

    def begin(self) -> None:
        """Begins to hand what was collected to whoever follows at this moment; see `step`."""
        frames, self._fresh = self._fresh, []
        self.cost = 0.0
        self._batches = []
        for count, data in batches(frames):
            first = self.delivered + 1
            self.delivered += count
            self._batches.append((first, self.delivered, data))
        size = sum(len(data) for _, _, data in self._batches)
        self._weight = 1 + size // _LIGHT
        self._left = list(self.followers)
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
        """Goes on with the flush for at most so many followers, fewer where each gets much; how
        many it were, in the same measure.

        Who attaches meanwhile has these batches already, and skips them; who fell back or left
        meanwhile is not served.
        """
        left, followers = self._left, self.followers
        weight = self._weight
        served = min(max(1, most // weight), len(left))
        for _ in range(served):
            follower = left.pop()
            for first, last, data in self._batches:
                if follower in followers:
                    follower.offer(first, last, data)
        if not left:
            self._batches = []
        return max(1, served) * weight

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
