"""What tests and benchmarks share: the one way to start a server, and a bare client.

TLS, limits and the like change here, in one place.
"""

import asyncio
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from ipcchat.entries import Entry
from ipcchat.errors import RemoteProtocolError
from ipcchat.server.server import Server
from ipcchat.settings import ServerSettings
from ipcchat.trust.identity import NO_TLS, Identity, new_nonce, transcript
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Error,
    Follow,
    FollowOk,
    Hello,
    Join,
    Live,
    Login,
    LoginOk,
    Say,
)
from ipcchat.wire.protocol import Protocol, Role

__all__ = [
    "PLAINTEXT",
    "Process",
    "RawClient",
    "draft",
    "free_port",
    "serve",
    "serve_process",
    "server_settings",
]

T = TypeVar("T")
PLAINTEXT = "IPCCHAT_TESTS_TLS" not in os.environ
"""Whether servers and clients speak without TLS where nothing else is said. The harness and the
benchmarks can do both."""


def draft() -> str:
    """A fresh draft id."""
    return secrets.token_hex(16)


def server_settings(**changes: Any) -> ServerSettings:
    """Settings of a server for tests: loopback, any port, plain, no limit of how fast one speaks,
    and nothing kept unless `data` is given."""
    usual = {"listen": ("127.0.0.1:0",), "data": ":memory:", "say_burst": 0, "plaintext": PLAINTEXT}
    return ServerSettings(**{**usual, **changes})


@asynccontextmanager
async def serve(**changes: Any) -> AsyncIterator[Server]:
    """A server in this process; `server.addresses[0]` is where it listens."""
    async with Server(server_settings(**changes)) as server:
        yield server


@dataclass
class Process:
    """A server in a process of its own."""

    popen: subprocess.Popen[str]
    address: str
    data: Path

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        """kill -9, then waits for the end."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> int:
        """SIGTERM, then waits; returns the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=20)


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment whose user directories all lie below `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IPCCHAT_")}
    return {
        **kept,
        "IPCCHAT_PLAINTEXT": str(PLAINTEXT).lower(),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        **more,
    }


def free_port() -> int:
    """A port that stays free until it is listened on: not one that the system gives to others."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@contextmanager
def serve_process(home: Path, *flags: str, port: int = 0, **env: str) -> Iterator[Process]:
    """`ipcchat-server --headless` on loopback; ended with the block."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    data = home / "server-data"
    command = [sys.executable, "-m", "ipcchat", "server", "--headless"]
    command += ["--listen", f"127.0.0.1:{port or free_port()}", "--data", str(data)]
    command += ["--set", "say_burst=0", *flags]
    with (home / "server.log").open("a") as log:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(home, **env),
        )
    assert popen.stdout is not None
    try:
        line = popen.stdout.readline()
        if not line.startswith("listening on "):
            popen.wait(timeout=20)
            raise RuntimeError(f"no server: {line!r} {(home / 'server.log').read_text()}")
        yield Process(popen, line.removeprefix("listening on ").strip(), data)
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(timeout=20)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
        popen.stdout.close()


class RawClient:
    """A client with nothing between a test and the wire: requests out, values in, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.wire = Protocol(Role.CLIENT)
        self.values: list[Struct | RemoteProtocolError] = []
        """What was received and not yet taken."""
        self.account = 0
        self.nick = ""
        self.epoch = ""
        self._id = 0

    @classmethod
    async def open(cls, address: str) -> "RawClient":
        """Connects to `host:port` or a Unix socket's path."""
        if "/" in address:
            return cls(*await asyncio.open_unix_connection(address))
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host.strip("[]"), int(port)))

    @classmethod
    @asynccontextmanager
    async def login(
        cls,
        address: str,
        nick: str,
        secret: str | None = None,
        identity: Identity | None = None,
        **more: Any,
    ) -> AsyncIterator["RawClient"]:
        """A logged-in client, closed with the block; by a key where one is given."""
        client = await cls.open(address)
        try:
            hello = await client.ask(Hello(client.next_id(), [1], device=more.pop("device", "")))
            client.epoch = hello.epoch
            if identity is None:
                proof = {"method": "secret", "secret": secret or secrets.token_hex(16)}
            else:
                nonce = new_nonce()
                signature = identity.sign(transcript(NO_TLS, hello.nonce, nonce))
                proof = {"method": "key", "key": identity.public, "nonce": nonce}
                proof["signature"] = signature
            ok = await client.ask(Login(client.next_id(), nick=nick, **{**proof, **more}))
            assert isinstance(ok, LoginOk), ok
            client.account, client.nick = ok.account, ok.nick
            yield client
        finally:
            await client.close()

    def next_id(self) -> int:
        self._id += 1
        return self._id

    def send(self, message: Struct) -> None:
        self.writer.write(self.wire.send(message))

    async def receive(self) -> bool:
        """Reads a chunk; false at the end of the stream."""
        data = await self.reader.read(256 * 1024)
        self.values += self.wire.receive(data)
        return bool(data)

    async def take(self, wanted: Callable[[Any], bool]) -> Any:
        """The first value that is wanted, taken out of the order; others stay."""
        seen = 0
        while True:
            for index in range(seen, len(self.values)):
                if wanted(self.values[index]):
                    return self.values.pop(index)
            seen = len(self.values)
            if not await self.receive():
                raise EOFError(f"the server closed; left: {self.values[-3:]}")

    async def ask(self, request: Any) -> Any:
        """The reply to a request: `ok` or `error`."""
        self.send(request)
        return await self.take(lambda value: getattr(value, "id", None) == request.id)

    async def say(self, room: int, text: str, id: str | None = None) -> Any:
        return await self.ask(Say(self.next_id(), room, id or draft(), text))

    async def join(self, name: str) -> int:
        ok = await self.ask(Join(self.next_id(), draft(), name=name))
        assert not isinstance(ok, Error), ok
        return int(ok.room)

    async def follow(self, room: int, **more: Any) -> FollowOk:
        ok = await self.ask(Follow(self.next_id(), room, **more))
        assert isinstance(ok, FollowOk), ok
        return ok

    async def live(self, room: int) -> Live:
        live = await self.take(lambda value: isinstance(value, Live) and value.room == room)
        assert isinstance(live, Live)
        return live

    async def entries(self, room: int, count: int) -> list[Entry]:
        """The next `count` entries of a room."""
        return [
            await self.take(lambda value: isinstance(value, Entry) and value.room == room)
            for _ in range(count)
        ]

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


def frame(payload: bytes) -> bytes:
    """A frame by hand."""
    return len(payload).to_bytes(4, "big") + payload


def encoded(message: Struct) -> bytes:
    """A message's frame, whatever the state."""
    return codec.encode(message)
