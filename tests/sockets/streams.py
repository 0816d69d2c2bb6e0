"""A stream on a Unix socket pair or on TCP, its peer, and a protocol that notes what it is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from ipcchat.sockets.stream import Stream

__all__ = [
    "CHUNK",
    "KINDS",
    "MUCH",
    "Recorder",
    "fill",
    "opened",
    "pair",
    "read",
    "read_all",
    "turns",
]

MUCH = bytes(range(251)) * 4000
"""More than the kernel takes of it at once: see `SMALL`."""
SMALL = 4096
"""What a socket is told to buffer; Linux makes the double of it, and loopback TCP takes more."""
CHUNK = 1000
"""What a stream here reads at most at once."""

KINDS = pytest.mark.parametrize("kind", ["unix", "tcp"])


class Recorder(asyncio.BufferedProtocol):
    """Notes what it is told, in order."""

    def __init__(self, name: str = "", log: list[str] | None = None) -> None:
        self.calls: list[str] = []
        self.heard = b""
        self.stays_open = False
        """What `eof_received` returns."""
        self.error: Exception | None = None
        """What `connection_lost` was given, and the socket's number then."""
        self.number = -1
        self._name = name
        self._log = log
        self._buffer = bytearray(CHUNK)
        self._news = asyncio.Event()

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self._news.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._note("made")

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.heard += self._buffer[:nbytes]
        if self._log is not None:
            self._log.append(self._name)
        self._note("heard")

    def eof_received(self) -> bool:
        self._note("eof")
        return self.stays_open

    def pause_writing(self) -> None:
        self._note("pause")

    def resume_writing(self) -> None:
        self._note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.number = self.transport.get_extra_info("socket").fileno()
        self._note("lost")

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._news.clear()
            await self._news.wait()

    async def told(self, call: str) -> None:
        await self.until(lambda: call in self.calls)


def pair(kind: str) -> tuple[socket.socket, socket.socket]:
    """Two ends, which buffer little."""
    if kind == "unix":
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            theirs = socket.socket()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            theirs.connect(listening.getsockname())
            ours, _ = listening.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    for sock in (ours, theirs):
        sock.setblocking(False)
    return ours, theirs


@asynccontextmanager
async def opened(
    kind: str, protocol: Recorder | None = None
) -> AsyncIterator[tuple[Stream, Recorder, socket.socket]]:
    """A stream, its protocol, and the peer's socket."""
    protocol = protocol or Recorder()
    ours, theirs = pair(kind)
    with theirs:
        stream = Stream(asyncio.get_running_loop(), ours, protocol)
        try:
            async with asyncio.timeout(20):
                yield stream, protocol, theirs
        finally:
            stream.abort()
            await protocol.told("lost")


async def read(sock: socket.socket, size: int) -> bytes:
    """So many bytes, or what comes before the end."""
    data = b""
    loop = asyncio.get_running_loop()
    while len(data) < size and (more := await loop.sock_recv(sock, size - len(data))):
        data += more
    return data


async def read_all(sock: socket.socket) -> bytes:
    """What comes before the end."""
    data = b""
    loop = asyncio.get_running_loop()
    while more := await loop.sock_recv(sock, 1 << 16):
        data += more
    return data


def fill(sock: socket.socket) -> bytes:
    """Sends until the kernel takes no more; what it has taken."""
    size = 0
    with suppress(BlockingIOError):
        while size < len(MUCH):
            size += sock.send(MUCH[size:])
    return MUCH[:size]


async def turns(count: int) -> None:
    """So many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)
