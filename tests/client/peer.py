"""The other end for tests of the client: a scripted server, and a cable that can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from ipcchat.address import Address
from ipcchat.entries import Entry
from ipcchat.errors import RemoteProtocolError
from ipcchat.settings import ClientSettings
from ipcchat.trust.pins import Pins, Trust
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Follow,
    FollowOk,
    Hello,
    HelloOk,
    Live,
    Login,
    LoginOk,
    Members,
    MembersOk,
    Room,
    Rooms,
    RoomsOk,
)
from ipcchat.wire.protocol import Protocol, Role

T = TypeVar("T", bound=Struct)

EPOCH = "e" * 32
PLAIN = Trust(Pins(Path("/nowhere")), plaintext=True)
ME = 7
LOBBY = Room(room=1, name="#lobby", head=0, joined=True)


def quick(**changes: Any) -> ClientSettings:
    """Settings of a client whose waits take milliseconds."""
    times = {"retry_first": 0.01, "retry_early": 0.02, "retry_late": 0.05}
    return ClientSettings(**{"plaintext": True, **times, **changes})


def entry(seq: int, text: str = "", **more: Any) -> Entry:
    """An entry of the lobby by somebody else."""
    known = {"room": 1, "time": seq, "by": 2, "nick": "bob", "kind": "message"}
    return Entry(**{**known, "seq": seq, "draft": f"{seq:032x}", "text": text or f"{seq}", **more})


async def until(condition: Any, seconds: float = 10) -> None:
    """Waits until something becomes true, looking once a turn of the loop or so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a condition on plain state has no event
            await asyncio.sleep(0.001)


class Line:
    """One connection as the scripted server has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._wire = Protocol(Role.SERVER)
        self._values: list[Struct | RemoteProtocolError] = []

    async def next(self) -> Any:
        """The next request."""
        while not self._values:
            data = await self._reader.read(65536)
            if not data:
                raise EOFError
            self._values += self._wire.receive(data)
        return self._values.pop(0)

    async def expect(self, cls: type[T]) -> T:
        """The next request, which is of that class."""
        value = await self.next()
        assert isinstance(value, cls), value
        return value

    def send(self, *messages: Struct) -> None:
        """Sends messages in one chunk, allowed or not."""
        for message in messages:
            if isinstance(message, HelloOk | LoginOk):
                self._wire.send(message)
        self._writer.write(b"".join(map(codec.encode, messages)))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def login(
        self,
        nick: str = "ann",
        epoch: str = EPOCH,
        account: int = ME,
        features: Sequence[str] = (),
    ) -> Login:
        """Goes through the greeting."""
        hello = await self.expect(Hello)
        limits = {"requests": 8}
        self.send(HelloOk(hello.id, 1, epoch, "n", ["secret"], [*features], limits))
        login = await self.expect(Login)
        self.send(LoginOk(login.id, account, nick))
        return login

    async def settle(self, *, first_follow: Any = None) -> list[Follow]:
        """Answers what a session asks on arrival: rooms, members, and where it follows from.

        `first_follow` makes the answers to a `follow`; the follow requests are returned. Ends
        with the list of members.
        """
        follows: list[Follow] = []
        while True:
            request = await self.next()
            if isinstance(request, Rooms):
                self.send(RoomsOk(request.id, [LOBBY]))
            elif isinstance(request, Follow):
                follows.append(request)
                for message in (first_follow or caught_up)(request):
                    self.send(message)
            elif isinstance(request, Members):
                self.send(MembersOk(request.id, []))
                return follows

    async def ended(self) -> None:
        """Waits until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def abort(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def caught_up(request: Follow) -> list[Struct]:
    """The answer of a room where nothing was said since the cursor."""
    at = request.cursor.seq if request.cursor is not None else 0
    return [FollowOk(request.id, from_=at, head=at, first=1), Live(1, at)]


class Peer:
    """A server that does what the test says."""

    def __init__(self) -> None:
        self.address = Address("127.0.0.1", 0)
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._all: list[Line] = []

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        self._all.append(line)
        self._lines.put_nowait(line)

    async def accept(self) -> Line:
        """The next connection."""
        async with asyncio.timeout(10):
            return await self._lines.get()


@asynccontextmanager
async def scripted() -> AsyncIterator[Peer]:
    """A scripted server on a real socket."""
    peer = Peer()
    server = await asyncio.start_server(peer._connected, "127.0.0.1", 0)
    peer.address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield peer
    finally:
        server.close()
        for line in peer._all:
            await line.close()
        await server.wait_closed()


class Cable:
    """A TCP connection to a server that can be cut, or let nothing through towards the client."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.address = Address("127.0.0.1", 0)
        self.dialled = 0
        """Connections made so far."""
        self.dead = False
        """New connections are closed at once."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.up = 0
        """Bytes that went to the server."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialled += 1
        if self.dead:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        loop = asyncio.get_running_loop()
        self._tasks |= {
            loop.create_task(self._pass(reader, far_writer, False)),
            loop.create_task(self._pass(far_reader, writer, True)),
        }

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, down: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if down:
                    await self._flowing.wait()
                else:
                    self.up += len(data)
                writer.write(data)
                await writer.drain()
            writer.close()

    def hold(self) -> None:
        """Nothing comes back to the client any more."""
        self._flowing.clear()

    def cut(self) -> None:
        """Every connection is torn; new ones work, and what was held is lost."""
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._flowing.set()

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def cable(target: str) -> AsyncIterator[Cable]:
    """A cable to `host:port`."""
    made = Cable(target)
    server = await asyncio.start_server(made._connected, "127.0.0.1", 0)
    made.address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await server.wait_closed()
