"""The committed feed: batches of entries on their way to the one who delivers them.

It is bounded in batches. While it is `full` the journal commits nothing; each batch taken tells
the journal, which goes on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from ipcchat.entries import Entry

__all__ = ["Feed"]


class Feed:
    """A queue with one reader. Its methods do not await."""

    def __init__(self, bound: int, taken: Callable[[], None]) -> None:
        self._batches: deque[list[Entry]] = deque()
        self._bound: float = bound
        self._taken = taken
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        return len(self._batches) >= self._bound

    def put(self, entries: list[Entry]) -> None:
        """Adds what one commit made durable; nothing, where that is no entry."""
        if entries:
            self._batches.append(entries)
            self._changed.set()

    def release(self) -> None:
        """Nobody may be left to read it: from now on it is never full."""
        self._bound = float("inf")
        self._taken()

    def end(self) -> None:
        """What is in it is still read, then the iteration ends."""
        self._ended = True
        self._changed.set()

    async def read(self) -> AsyncIterator[list[Entry]]:
        """The batches, in order; those that come while it reads have to wait for the next turn of
        the loop."""
        while True:
            while not self._batches:
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
            for _ in range(len(self._batches)):
                entries = self._batches.popleft()
                self._taken()
                yield entries
            if self._batches:
                await asyncio.sleep(0)
