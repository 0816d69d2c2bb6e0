"""A TCP proxy that spoils connections: it cuts, resets, stalls or half-closes them at random bytes.

What is forwarded is forwarded unchanged; a spoiled connection ends, mostly in the middle of a
frame. A stalled or half-closed one stays open until its time is up.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter

__all__ = ["FATES", "Proxy"]

FATES = ("cut", "cut", "cut", "reset", "reset", "reset", "stall", "half-close")
"""As often as each is to happen."""
_STALL = 3.0
"""Seconds; longer than the harness's clients wait for a sign of life."""
_CHUNK = 16384


class _Budget:
    """Bytes that a connection may carry, both directions together."""

    def __init__(self, left: float) -> None:
        self.left = left
        self.spent = asyncio.Event()


class Proxy:
    """Listens on loopback and forwards to one server. Use it as a context manager."""

    def __init__(self, port: int, chance: random.Random, *, least: int, most: int) -> None:
        """A connection meets its fate after `least` to `most` bytes."""
        self._port = port
        self._chance = chance
        self._range = least, most
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self.peace = False
        """No new connection is spoiled any more."""
        self.fates: Counter[str] = Counter()
        """How many connections met which."""
        self._spoiled = asyncio.Event()

    @property
    def address(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_for(self, count: int) -> None:
        """Waits until so many connections are spoiled."""
        while self.fates.total() < count:
            self._spoiled.clear()
            await self._spoiled.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ends = [writer]
        try:
            with contextlib.suppress(
                OSError, asyncio.CancelledError
            ):  # cancelled: by us, at the end
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
                ends.append(up_writer)
                await self._forward((reader, up_writer), (up_reader, writer))
        finally:
            for end in ends:
                end.transport.abort()

    async def _forward(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        budget = _Budget(float("inf") if self.peace else self._chance.randint(*self._range))
        async with asyncio.TaskGroup() as group:
            pumps = [group.create_task(_pump(*way, budget)) for way in ways]
            spent = group.create_task(budget.spent.wait())
            await asyncio.wait((*pumps, spent), return_when=asyncio.FIRST_COMPLETED)
            if budget.spent.is_set():
                fate = self._chance.choice(FATES)
                self.fates[fate] += 1
                self._spoiled.set()
                await self._spoil(fate, [writer for _, writer in ways])
            for job in (*pumps, spent):
                job.cancel()

    async def _spoil(self, fate: str, writers: list[asyncio.StreamWriter]) -> None:
        if fate == "reset":
            for writer in writers:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fate == "half-close":
            self._chance.choice(writers).write_eof()
            await asyncio.sleep(_STALL)
        elif fate == "stall":
            await asyncio.sleep(_STALL)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: _Budget
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            if budget.spent.is_set():
                continue  # what comes now is for nobody
            kept = data[: int(min(len(data), budget.left))]
            budget.left -= len(kept)
            writer.write(kept)
            await writer.drain()
            if not budget.left:
                budget.spent.set()
