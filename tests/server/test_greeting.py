"""The first bytes of a connection, at ports with and without TLS: who goes on, who is answered.

    python -m tests.server.test_greeting LOOP PEM

is the server of the memory test: it prints its address, then for each line that it reads the
connections that it has and its resident bytes.
"""

import asyncio
import dataclasses
import datetime
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from tests.loops import LOOPS
from tests.support import RawClient, encoded, frame

from ipcchat.errors import RemoteProtocolError
from ipcchat.fanout.outlet import Tick
from ipcchat.server.access import Peer
from ipcchat.server.admission import Admission, Stage
from ipcchat.server.connection import Connection
from ipcchat.server.eventlog import EventLog
from ipcchat.server.greeting import PEEK, TLS_REQUIRED, Greeting, classify, judge
from ipcchat.server.listener import Listener
from ipcchat.settings import ServerSettings
from ipcchat.sockets.listening import open_tcp
from ipcchat.wire.messages import Error, Hello, HelloOk

CLIENT_HELLO = bytes([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) + bytes(500)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALERT = bytes.fromhex("15030100020246")


# --- a small server -----------------------------------------------------------------------


@dataclasses.dataclass
class Numbers:
    """Limits."""

    pending_clients: int = 64
    pending_per_address: int = 16
    clients_per_address: int = 16
    max_clients: int = 12_000
    handshake_timeout: float = 5.0


class Desk:
    """Answers `hello`, and after it sends as many bytes of frames as its `device` says."""

    def __init__(self, limits: Numbers) -> None:
        self.settings = ServerSettings()
        self.tick = Tick(asyncio.get_running_loop())
        self.log = EventLog("debug")
        self.admission = Admission(limits)
        self.connections: dict[int, Connection] = {}
        self.address = ""
        self._number = 0

    def make(self, peer: Peer) -> Connection:
        self._number += 1
        return Connection(self, peer, self._number)

    def opened(self, connection: Connection) -> None:
        self.connections[connection.number] = connection

    def received(self, connection: Connection, values: list[Struct | RemoteProtocolError]) -> None:
        for value in values:
            if isinstance(value, Hello):
                self.admission.greeted(connection.number, 0.0)
                assert self.admission.logged_in(connection.number)
                ok = HelloOk(value.id, version=1, epoch="e", nonce="n", methods=[], limits={})
                connection.send(ok)
                for _ in range(int(value.device or "0") // 10_000):
                    connection.send_frames(frame(b"x" * 9996))
            elif isinstance(value, RemoteProtocolError):
                connection.close(Error(code=value.code))

    def lost(self, connection: Connection) -> None:
        self.admission.lost(connection.number)
        del self.connections[connection.number]


@asynccontextmanager
async def desk(tls: ssl.SSLContext | None, **limits: float) -> AsyncIterator[Desk]:
    (sock,) = await open_tcp("127.0.0.1:0", 1000)
    server = Desk(dataclasses.replace(Numbers(), **limits))  # type: ignore[arg-type]
    listener = Listener(sock, "tcp", server.make, server.log, server.admission, tls)
    server.address = listener.address
    async with asyncio.TaskGroup() as group:
        accepting = group.create_task(listener.run())
        try:
            yield server
        finally:
            accepting.cancel()
            listener.close()
            for connection in tuple(server.connections.values()):
                connection.abort()
    await until(lambda: not server.connections)
    assert (server.admission.pending, len(server.admission)) == (0, 0)


def make_certificate(path: Path) -> Path:
    """A key and a self-signed certificate for localhost, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(path)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return server_context(make_certificate(tmp_path_factory.mktemp("tls") / "server.pem"))


def where(server: Desk) -> tuple[str, int]:
    host, _, port = server.address.rpartition(":")
    return host, int(port)


async def tls_client(server: Desk) -> RawClient:
    return RawClient(*await asyncio.open_connection(*where(server), ssl=client_context()))


async def ask_raw(server: Desk, data: bytes) -> bytes:
    """What a peer gets that sends `data`, until the server closes: within a second."""
    reader, writer = await asyncio.open_connection(*where(server))
    try:
        writer.write(data)
        async with asyncio.timeout(1):
            return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of anything that can be looked at
            await asyncio.sleep(0.001)


# --- what speaks --------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=PEEK), st.binary(max_size=64))
def test_one_verdict_however_much_is_there(head: bytes, more: bytes) -> None:
    whole = classify((head + more)[:PEEK])
    for tls in (False, True):
        verdict = judge(head + more, tls)
        assert verdict == judge((head + more)[:PEEK], tls)
        assert not (verdict.goes_on and verdict.answer)
    if head[0] == 0:
        assert whole is Greeting.FRAME is classify(head[:1])
        assert judge(head, False).goes_on and not judge(head, True).goes_on
    if judge(head + more, True).goes_on:
        assert head[:1] == b"\x16"


@pytest.mark.parametrize("count", range(1, PEEK))
def test_a_verb_that_has_begun_is_http(count: int) -> None:
    for line in (b"GET / HTTP/1.1", b"POST /x HTTP", b"OPTIONS * HTTP/1.1", b"PRI * HTTP/2.0"):
        assert classify(line[:count]) is Greeting.HTTP
    assert classify(b"GETTING"[: count + 3]) is (Greeting.HTTP if not count else Greeting.OTHER)


@pytest.mark.asyncio
async def test_a_plain_client_hears_that_the_port_speaks_tls(tls: ssl.SSLContext) -> None:
    async with desk(tls) as server:
        host, port = where(server)
        client = await RawClient.open(f"{host}:{port}")
        client.writer.write(encoded(Hello(1, [1])))
        error = await client.take(lambda value: isinstance(value, Error))
        assert (error.code, error.text) == ("tls_required", TLS_REQUIRED)
        async with asyncio.timeout(1):
            assert await client.reader.read() == b""
        await client.close()


@pytest.mark.asyncio
async def test_a_tls_client_hears_that_the_port_is_plain() -> None:
    async with desk(None) as server:
        assert await ask_raw(server, CLIENT_HELLO) == ALERT
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            await tls_client(server)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.asyncio
async def test_http_is_answered_in_http(tls: ssl.SSLContext, secure: bool) -> None:
    async with desk(tls if secure else None) as server:
        head, _, body = (await ask_raw(server, GET)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 400 ")
        assert b"Content-Length: %d" % len(body) in head and b"ipcchat-client" in body


@pytest.mark.asyncio
async def test_anything_else_is_closed_at_a_tls_port(tls: ssl.SSLContext) -> None:
    async with desk(tls) as server:
        for data in (b"SSH-2.0-x\r\n", b"\xff" * 600, b"\x16\x99" + bytes(600), b"\n" * 512):
            with suppress(ConnectionResetError):
                assert await ask_raw(server, data) == b""
        answer = await ask_raw(server, b"\x16\x03\x01\x00\x05hello")  # a hello that is none
        assert answer[:1] in (b"\x15", b"")


@pytest.mark.asyncio
async def test_at_a_plain_port_the_rest_is_the_frame_readers() -> None:
    async with desk(None) as server:
        answer = await ask_raw(server, b"SSH-2.0-x\r\n")
        assert b'"too_long"' in answer


@pytest.mark.asyncio
async def test_the_answer_survives_a_peer_that_goes_on_sending() -> None:
    async with desk(None) as server:
        answer = await ask_raw(server, GET + bytes(60_000))
        assert answer.startswith(b"HTTP/1.0 400 ")


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.asyncio
async def test_the_first_byte_may_come_alone(tls: ssl.SSLContext, secure: bool) -> None:
    async with desk(tls if secure else None) as server:
        reader, writer = await asyncio.open_connection(*where(server))
        await until(lambda: server.admission.pending == 1)
        hello = encoded(Hello(1, [1])) if not secure else b"\x16"
        writer.write(hello[:1])
        await until(lambda: bool(server.connections) or secure)
        writer.write(hello[1:])
        if not secure:
            assert b'"nonce"' in await reader.readuntil(b"}")
        writer.close()
        await writer.wait_closed()


# --- deadlines and places -----------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", CLIENT_HELLO[:100]])
@pytest.mark.asyncio
async def test_silence_and_half_a_handshake_are_bounded(tls: ssl.SSLContext, sent: bytes) -> None:
    async with desk(tls, handshake_timeout=0.2) as server:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await ask_raw(server, sent) == b""
        assert 0.15 <= loop.time() - began < 1
        await until(lambda: server.admission.pending == 0)
        assert not server.connections


@pytest.mark.asyncio
async def test_a_handshake_that_trickles_is_bounded_as_a_whole(tls: ssl.SSLContext) -> None:
    async with desk(tls, handshake_timeout=0.3) as server:
        loop = asyncio.get_running_loop()
        with socket.create_connection(where(server)) as sock:
            began = loop.time()
            with suppress(BrokenPipeError, ConnectionResetError):
                for byte in CLIENT_HELLO:  # five seconds of it
                    sock.send(bytes([byte]))
                    await asyncio.sleep(0.01)
            assert loop.time() - began < 1


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.asyncio
async def test_logins_pass_a_crowd_of_the_silent(tls: ssl.SSLContext, secure: bool) -> None:
    async with desk(tls if secure else None) as server:
        with ExitStack() as stack:
            for index in range(200):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                with suppress(BlockingIOError):
                    sock.connect(where(server))
                if index % 2:
                    with suppress(OSError):
                        sock.send(CLIENT_HELLO[:20] if secure else b"\0\0\1\0")
            await until(lambda: server.admission.dropped >= 184 - 16)
            for _ in range(20):
                assert server.admission.pending <= 16
                async with asyncio.timeout(1):
                    client = (
                        await tls_client(server) if secure else await RawClient.open(server.address)
                    )
                    assert isinstance(await client.ask(Hello(1, [1])), HelloOk)
                await client.close()
            assert len(server.log.last(1000)) <= 200
            warned = [line for line in server.log.last(1000) if line.level != "debug"]
            assert len(warned) == 1, warned


@pytest.mark.asyncio
async def test_who_is_dropped_is_gone_at_every_stage(tls: ssl.SSLContext) -> None:
    async with desk(tls, pending_per_address=1) as server:
        silent = await asyncio.open_connection(*where(server))
        await until(lambda: server.admission.pending == 1)
        half = await asyncio.open_connection(*where(server))
        half[1].write(CLIENT_HELLO[:50])
        assert await silent[0].read() == b""
        made = await tls_client(server)
        assert await half[0].read() == b""
        await until(lambda: len(server.connections) == 1)
        (connection,) = server.connections.values()
        ticket = server.admission._numbers[connection.number]
        await until(lambda: ticket.stage is Stage.CONNECTED)
        last = await tls_client(server)
        with suppress(ConnectionResetError):
            assert await made.reader.read() == b""
        assert isinstance(await last.ask(Hello(1, [1])), HelloOk)
        for writer in (silent[1], half[1]):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        for client in (made, last):
            await client.close()


# --- over TLS -----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_much_is_sent_to_a_slow_reader_over_tls(tls: ssl.SSLContext) -> None:
    size = 8_000_000
    async with desk(tls) as server:
        client = await tls_client(server)
        client.send(Hello(1, [1], device=str(size)))
        await until(lambda: len(server.connections) == 1)
        (connection,) = server.connections.values()
        await until(lambda: not connection.takes and connection.unsent > 1_000_000)
        got = 0
        while got < size:
            data = await client.reader.read(65_536)
            assert data
            got += len(data)
        await until(lambda: connection.takes and not connection.unsent)
        connection.note_progress(connection.opened_at + 1)
        assert connection.progress == connection.opened_at + 1
        await client.close()


@pytest.mark.asyncio
async def test_the_last_words_arrive_over_tls(tls: ssl.SSLContext) -> None:
    async with desk(tls) as server:
        client = await tls_client(server)
        assert isinstance(await client.ask(Hello(1, [1])), HelloOk)
        client.writer.write(b"\xff" * 100)
        error = await client.take(lambda value: isinstance(value, Error))
        assert error.code == "too_long"
        async with asyncio.timeout(1):
            assert await client.reader.read() == b""
        await until(lambda: not server.connections)
        await client.close()


@pytest.mark.parametrize(
    ("loop", "kib"), [one for one in (("std", 45), ("uv", 32)) if one[0] in LOOPS]
)
def test_an_idle_tls_connection_is_small(tmp_path: Path, loop: str, kib: int) -> None:
    pem = make_certificate(tmp_path / "server.pem")
    command = [sys.executable, "-m", "tests.server.test_greeting", loop, str(pem)]
    root = Path(__file__).parents[2]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        ) as server,
        ExitStack() as stack,
    ):
        stack.callback(server.kill)
        assert server.stdin is not None and server.stdout is not None
        host, _, port = server.stdout.readline().strip().rpartition(":")
        context = client_context()

        def connect() -> None:
            sock = socket.create_connection((host, int(port)), 10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrapped = stack.enter_context(context.wrap_socket(sock))
            wrapped.sendall(encoded(Hello(1, [1])))
            assert wrapped.recv(4096)

        def resident() -> tuple[int, int]:
            print(file=server.stdin, flush=True)
            count, size = server.stdout.readline().split()  # type: ignore[union-attr]
            return int(count), int(size)

        for _ in range(30):
            connect()
        few, before = resident()
        for _ in range(300):
            connect()
        many, after = resident()
        assert (few, many) == (30, 330)
        assert (after - before) / 300 / 1024 <= kib


def _resident() -> int:
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.run(command, capture_output=True, check=True).stdout) * 1024


async def _measured(pem: Path) -> None:
    async with desk(server_context(pem)) as server:
        print(server.address, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(len(server.connections), _resident(), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as runner:
        runner.run(_measured(Path(sys.argv[2])))
