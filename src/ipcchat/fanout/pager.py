"""Reads of the past, shared fairly: few at a time per process, one at a time per connection.

Connections take turns: whoever had a page goes to the end of the line. What waits is bounded by
the cap on requests in flight and by the number of subscriptions of a connection.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

__all__ = ["Asker", "Pager"]

Job = Callable[[], Awaitable[None]]


class Asker(Protocol):
    """On whose behalf a job is run: a connection."""

    @property
    def closing(self) -> float: ...


class Pager:
    """Runs jobs that read. A job answers for its own errors; one that raises ends the server."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._jobs: dict[Asker, deque[Job]] = {}
        self._line: deque[Asker] = deque()
        self._wake = asyncio.Event()

    def ask(self, connection: Asker, job: Job) -> None:
        """The job is run when it is the connection's turn, unless the connection closes first."""
        jobs = self._jobs.get(connection)
        if jobs is not None:
            jobs.append(job)
            return
        self._jobs[connection] = deque([job])
        self._line.append(connection)
        self._wake.set()

    async def run(self) -> None:
        """Serves for ever; cancelled by its owner."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._slots):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        while True:
            while not self._line:
                self._wake.clear()
                await self._wake.wait()
            connection = self._line.popleft()
            jobs = self._jobs[connection]
            if not connection.closing:
                await jobs.popleft()()
            if connection.closing or not jobs:
                del self._jobs[connection]
            else:
                self._line.append(connection)
                self._wake.set()
