"""Who answers is the server, or nothing is said to it: TLS, pins, authorities, links."""

import asyncio
import contextlib
import fcntl
import functools
import inspect
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.loops import LOOPS

from ipcchat.address import Address
from ipcchat.client.connector import NoAnswer, dial
from ipcchat.errors import ConnectionLost, FileError, SettingError, Untrusted
from ipcchat.trust import certificate
from ipcchat.trust.certificate import fingerprint, read_certificate, server_context, shown
from ipcchat.trust.pins import Pins, Trust

HELLO = b"hello from the application"
WELCOME = b"welcome, whoever you are"


def on_each_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test on each loop that servers run on; what a loop complains of fails it."""

    @functools.wraps(test)
    def run(factory: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        complaints: list[dict[str, Any]] = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: complaints.append(context)
            )
            await test(**fixtures)

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(watched())
        assert not complaints

    own = list(inspect.signature(test).parameters.values())
    first = inspect.Parameter("factory", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]
    each = pytest.mark.parametrize("factory", LOOPS.values(), ids=LOOPS)
    return cast(Callable[..., None], each(run))


# --- certificates -------------------------------------------------------------------------


@dataclass
class Made:
    """A certificate of a test, and what can sign others."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """Key and certificate."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ) + self.certificate.public_bytes(serialization.Encoding.PEM)


def made(
    *names: str, by: Made | None = None, ca: bool = False, from_day: int = -1, to_day: int = 100
) -> Made:
    """A certificate for these names, self-signed where nobody signs it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{names} {ca}")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=from_day))
        .not_valid_after(now + timedelta(days=to_day))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                (by.key if by else key).public_key()
            ),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, ca, ca, False, False), critical=True
        )
    )
    if names:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        ).add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
                    for name in names
                ]
            ),
            critical=False,
        )
    return Made(key, builder.sign((by.key if by else key), hashes.SHA256()))


# --- both ends ----------------------------------------------------------------------------


@dataclass
class Heard:
    """What a listening socket heard."""

    address: Address
    data: bytearray = field(default_factory=bytearray)
    """All bytes of all connections: after the handshake, where there was one."""
    connections: int = 0
    """Those that came so far (with TLS: through the handshake)."""
    open: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def silence(self) -> None:
        """Not one byte was heard, on any connection."""
        while self.open:
            self.gone.clear()
            await asyncio.wait_for(self.gone.wait(), 5)
        assert bytes(self.data) == b""


Greet = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def welcome(writer: asyncio.StreamWriter) -> None:
    writer.write(WELCOME)


@asynccontextmanager
async def listen(
    context: ssl.SSLContext | None, greet: Greet = welcome, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Heard]:
    """A server that greets at once and then only listens."""
    heard = Heard(Address("localhost"))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        heard.open += 1
        try:
            with contextlib.suppress(OSError):
                await greet(writer)
                while data := await reader.read(65536):
                    heard.data += data
                    heard.gone.set()
        finally:
            writer.transport.abort()
            heard.open -= 1
            heard.gone.set()

    server = await asyncio.start_server(handle, host, port, ssl=context)
    heard.address = Address("localhost", server.sockets[0].getsockname()[1])
    try:
        yield heard
    finally:
        server.close()
        await server.wait_closed()
        while heard.open:
            heard.gone.clear()
            await asyncio.wait_for(heard.gone.wait(), 5)


class Streamed(asyncio.Protocol):
    """An application that speaks as soon as it hears of a connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.heard = bytearray()
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HELLO)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.heard += data
        if len(self.heard) >= len(WELCOME) and not self.greeted.done():
            self.greeted.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)

    async def close(self) -> None:
        assert self.transport is not None
        self.transport.close()
        await asyncio.wait_for(self.ended, 5)


class Buffered(asyncio.BufferedProtocol):
    """The same, as one that lends its buffer."""

    def __init__(self) -> None:
        self.inner = Streamed()
        self.buffer = bytearray(7)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.inner.data_received(bytes(self.buffer[:nbytes]))


def pins_at(place: Path) -> Pins:
    return Pins(place / "state" / "servers.json")


async def talk(heard: Heard, trust: Trust, factory: Callable[[], Any] = Streamed) -> None:
    """Connects, and sees to it that both ends hear each other."""
    before = len(heard.data)
    protocol = await dial(heard.address, factory, 10, trust)
    await asyncio.wait_for(protocol.greeted, 5)
    assert bytes(protocol.heard) == WELCOME
    while len(heard.data) < before + len(HELLO):
        heard.gone.clear()
        await asyncio.wait_for(heard.gone.wait(), 5)
    assert bytes(heard.data[before:]) == HELLO
    await protocol.close()


async def refused(heard: Heard, trust: Trust) -> Untrusted:
    """Connects in vain: the application never hears of it, the server not a byte of it."""
    built: list[Streamed] = []

    def factory() -> Streamed:
        built.append(Streamed())
        return built[-1]

    heard.data.clear()
    with pytest.raises(Untrusted) as caught:
        await dial(heard.address, factory, 10, trust)
    await heard.silence()
    assert not built
    assert caught.value.exit_code == 77
    assert "\n" not in caught.value.text + caught.value.hint and caught.value.hint
    return caught.value


# --- pinned on first use ------------------------------------------------------------------


@pytest.mark.parametrize("application", [Streamed, Buffered])
@on_each_loop
async def test_the_first_use_pins_and_the_next_finds_it_again(
    tmp_path: Path, application: Callable[[], Any]
) -> None:
    path = certificate.own(tmp_path / "server")
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(path)) as heard:
        await talk(heard, trust, application)
        pin = trust.pins.find(heard.address)
        assert pin is not None and pin.certificates == (read_certificate(path)[0],)
        contacts = heard.connections
        await talk(heard, trust, application)
        assert heard.connections == contacts + 1
        assert trust.pins.find(heard.address) == pin


@on_each_loop
async def test_the_connection_is_tls_1_3(tmp_path: Path) -> None:
    async with listen(server_context(certificate.make())) as heard:
        protocol = await dial(heard.address, Streamed, 10, Trust(pins_at(tmp_path)))
        assert protocol.transport is not None
        assert protocol.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        await protocol.close()


@on_each_loop
async def test_a_changed_certificate_is_refused(tmp_path: Path) -> None:
    trust = Trust(pins_at(tmp_path))
    old, new = certificate.make(), certificate.make()
    async with listen(server_context(old)) as heard:
        await talk(heard, trust)
        port = heard.address.port
    async with listen(server_context(new), port=port) as heard:
        error = await refused(heard, trust)
        for pem in (old, new):
            assert shown(read_certificate(pem)[1]) in error.text
        assert f"ipcchat-client forget localhost:{port}" in error.hint
        assert "between you and the server" in error.hint
        assert await asyncio.to_thread(trust.pins.forget, heard.address)
        await talk(heard, trust)


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)], ids=["expired", "not yet valid"])
@on_each_loop
async def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, days: tuple[int, int]
) -> None:
    pair = made("localhost", from_day=days[0], to_day=days[1])
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(pair.pem)) as heard:
        first = await refused(heard, trust)
        assert trust.pins.find(heard.address) is None
        trust.pins.remember(heard.address, pair.der)
        again = await refused(heard, trust)
        assert first.text == again.text
        assert "expired" in again.text if days[0] < -10 else "not yet valid" in again.text


@on_each_loop
async def test_a_leaf_of_a_private_authority_is_pinned_and_no_other_leaf_will_do(
    tmp_path: Path,
) -> None:
    authority = made(ca=True)
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(made("localhost", by=authority).pem)) as heard:
        await talk(heard, trust)
        await talk(heard, trust)
        port = heard.address.port
    async with listen(server_context(made("localhost", by=authority).pem), port=port) as heard:
        assert "another certificate" in (await refused(heard, trust)).text


@on_each_loop
async def test_what_a_pinned_certificate_signed_is_not_it(tmp_path: Path) -> None:
    # An operator's own certificate may be one that signs others: OpenSSL would take both.
    root = made("localhost", ca=True)
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(root.pem)) as heard:
        await talk(heard, trust)
        port = heard.address.port
    leaf = made("localhost", by=root)
    async with listen(server_context(leaf.pem), port=port) as heard:
        assert shown(fingerprint(leaf.der)) in (await refused(heard, trust)).text


@on_each_loop
async def test_a_certificate_of_a_foreign_authority_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Even one that the system trusts: this server is known by its own certificate.
    foreign = made(ca=True)
    (tmp_path / "ca.pem").write_bytes(foreign.pem)
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(certificate.make())) as heard:
        await talk(heard, trust)
        port = heard.address.port
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with listen(server_context(made("localhost", by=foreign).pem), port=port) as heard:
        assert "another certificate" in (await refused(heard, trust)).text


@on_each_loop
async def test_a_man_in_the_middle_hears_nothing(tmp_path: Path) -> None:
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(certificate.make())) as server:
        await talk(server, trust)
        server.data.clear()
        pin = trust.pins.find(server.address)
        assert pin is not None

        async def relay(writer: asyncio.StreamWriter) -> None:
            insecure = ssl.create_default_context()
            insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
            reader, onward = await asyncio.open_connection(
                "127.0.0.1", server.address.port, ssl=insecure
            )
            writer.write(await reader.readexactly(len(WELCOME)))
            onward.transport.abort()

        async with listen(server_context(certificate.make()), relay) as middle:
            trust.pins.remember(middle.address, pin.certificates[0])
            await refused(middle, trust)
        await server.silence()


@on_each_loop
async def test_of_two_first_contacts_the_first_counts(tmp_path: Path) -> None:
    trust, other = Trust(pins_at(tmp_path)), made("localhost")

    def meanwhile(*_: object) -> None:
        pins_at(tmp_path).remember(heard.address, other.der)

    context = server_context(certificate.make())
    context.sni_callback = meanwhile
    async with listen(context) as heard:
        error = await refused(heard, trust)
        assert shown(fingerprint(other.der)) in error.text


# --- successors ---------------------------------------------------------------------------


@on_each_loop
async def test_an_announced_successor_takes_over(tmp_path: Path) -> None:
    own = certificate.own(tmp_path / "server")
    old = read_certificate(own)
    following = read_certificate(certificate.successor(tmp_path / "server"))
    trust = Trust(pins_at(tmp_path), expected=old[1])
    async with listen(server_context(own)) as heard:
        await talk(heard, trust)
        port = heard.address.port
        await asyncio.to_thread(trust.pins.announce, heard.address, following[0])
        await talk(heard, trust)
        pin = trust.pins.find(heard.address)
        assert pin is not None and pin.certificates == (old[0], following[0])
    before = own.read_bytes()
    certificate.switch(tmp_path / "server")
    async with listen(server_context(own), port=port) as heard:
        await talk(heard, trust)  # the link's fingerprint, of the old one, is no contradiction
        pin = trust.pins.find(heard.address)
        assert pin is not None and pin.certificates == (following[0],)
    async with listen(server_context(before), port=port) as heard:
        await refused(heard, trust)


# --- links --------------------------------------------------------------------------------


@on_each_loop
async def test_a_link_makes_the_first_contact_safe(tmp_path: Path) -> None:
    pem = certificate.make()
    der, right = read_certificate(pem)
    async with listen(server_context(pem)) as heard:
        wrong = await refused(heard, Trust(pins_at(tmp_path), expected="0" * 64))
        assert shown("0" * 64) in wrong.text and shown(right) in wrong.text
        assert pins_at(tmp_path).find(heard.address) is None
        trust = Trust(pins_at(tmp_path), expected=right)
        await talk(heard, trust)
        await talk(heard, trust)
        pin = trust.pins.find(heard.address)
        assert pin is not None and pin.certificates == (der,)


@on_each_loop
async def test_a_link_that_contradicts_what_is_known_is_refused(tmp_path: Path) -> None:
    pem = certificate.make()
    async with listen(server_context(pem)) as heard:
        pins_at(tmp_path).remember(heard.address, made("localhost").der)
        trust = Trust(pins_at(tmp_path), expected=read_certificate(pem)[1])
        assert "the link names another" in (await refused(heard, trust)).text
        assert heard.connections == 0


# --- authorities --------------------------------------------------------------------------


@on_each_loop
async def test_what_an_authority_vouched_for_is_never_taken_for_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = made(ca=True)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(made("localhost", by=authority).pem)) as heard:
        await talk(heard, trust)
        assert heard.connections == 1
        port = heard.address.port
        pin = trust.pins.find(heard.address)
        assert pin is not None and pin.authority
    renewed = made("localhost", by=authority)
    async with listen(server_context(renewed.pem), port=port) as heard:
        await talk(heard, trust)
    others = {
        "self-signed": certificate.make(),
        "expired": made("localhost", by=authority, from_day=-9, to_day=-1).pem,
        "another name": made("elsewhere.example", by=authority).pem,
        "foreign": made("localhost", by=made(ca=True)).pem,
    }
    for pem in others.values():
        async with listen(server_context(pem), port=port) as heard:
            for expected in ("", read_certificate(pem)[1]):
                error = await refused(heard, Trust(trust.pins, expected=expected))
                assert "no authority vouches" in error.text
        assert trust.pins.find(heard.address) == pin


@on_each_loop
async def test_an_authority_vouches_for_the_name_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = made(ca=True)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(made("elsewhere.example", by=authority).pem)) as heard:
        await talk(heard, trust)
        pin = trust.pins.find(heard.address)
        assert pin is not None and not pin.authority


@on_each_loop
async def test_a_link_to_a_server_with_an_authority_lasts_beyond_its_renewal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = made(ca=True)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    pair = made("localhost", by=authority)
    trust = Trust(pins_at(tmp_path), expected=fingerprint(pair.der))
    async with listen(server_context(pair.pem)) as heard:
        await refused(heard, Trust(trust.pins, expected="1" * 64))
        await talk(heard, trust)
        port = heard.address.port
    async with listen(server_context(made("localhost", by=authority).pem), port=port) as heard:
        await talk(heard, trust)


# --- no TLS at the other end --------------------------------------------------------------


HELLO_1_2 = bytes([22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3]) + bytes(33) + bytes([0xC0, 0x2B, 0])
"""A server's first message, as somebody in between would forge it: TLS 1.2."""


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b'\x00\x00\x00\x20{"type":"error","code":"too_long"}', "does not speak TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak TLS"),
        (bytes(300), "does not speak TLS"),
        (HELLO_1_2, "does not speak TLS 1.3"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@on_each_loop
async def test_a_downgrade_is_refused(
    tmp_path: Path, known: bool, answer: bytes, text: str
) -> None:
    async def plain(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    trust = Trust(pins_at(tmp_path))
    async with listen(None, plain) as heard:
        if known:
            trust.pins.remember(heard.address, made("localhost").der)
        pin = trust.pins.find(heard.address)
        with pytest.raises(Untrusted, match=text) as caught:
            await dial(heard.address, _never, 10, trust)
        assert caught.value.exit_code == 77 and caught.value.hint
        assert ("ipcchat-client --plaintext" in caught.value.hint) == (
            not known and answer is not HELLO_1_2
        )
        # What was heard is the handshake's first message, and perhaps why it ended.
        assert HELLO not in heard.data and bytes(heard.data[:1]) in (b"\x16", b"")
        assert trust.pins.find(heard.address) == pin


def _never() -> Streamed:
    raise AssertionError("the application was told of a connection")


@on_each_loop
async def test_an_older_tls_is_refused(tmp_path: Path) -> None:
    context = server_context(certificate.own(tmp_path))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> str:
            sock, _ = listener.accept()
            with sock, pytest.raises(ssl.SSLError) as caught:
                context.wrap_socket(sock, server_side=True)
            return str(caught.value.reason)

        served = asyncio.get_running_loop().run_in_executor(None, serve)
        with pytest.raises(Untrusted, match=r"does not speak TLS 1\.3"):
            address = Address("localhost", listener.getsockname()[1])
            await dial(address, _never, 10, Trust(pins_at(tmp_path)))
        assert await served == "UNSUPPORTED_PROTOCOL"


@on_each_loop
async def test_who_never_answers_has_no_answer(tmp_path: Path) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        pass

    async with listen(None, silent) as heard:
        with pytest.raises(NoAnswer, match="no answer"):
            await dial(heard.address, Streamed, 0.1, Trust(pins_at(tmp_path)))


@pytest.mark.parametrize("begun", [b"", HELLO_1_2[:2], HELLO_1_2[:20]])
@on_each_loop
async def test_who_hangs_up_in_the_handshake_may_be_tried_again(
    tmp_path: Path, begun: bytes
) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        writer.close()

    async with listen(None, hang_up) as heard:
        with pytest.raises(ConnectionLost, match="before it was secured") as caught:
            await dial(heard.address, Streamed, 5, Trust(pins_at(tmp_path)))
        assert not isinstance(caught.value, Untrusted)


@on_each_loop
async def test_who_hangs_up_after_the_handshake_is_noticed(tmp_path: Path) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    trust = Trust(pins_at(tmp_path))
    async with listen(server_context(certificate.make()), hang_up) as heard:
        for _ in range(10):
            try:
                protocol = await dial(heard.address, Streamed, 5, trust)
            except ConnectionLost:
                continue
            await asyncio.wait_for(protocol.ended, 5)


# --- plain, where that was asked for ------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1"])
@on_each_loop
async def test_plain_on_loopback(tmp_path: Path, host: str) -> None:
    async with listen(None) as heard:
        heard.address = Address(host, heard.address.port)
        await talk(heard, Trust(pins_at(tmp_path), plaintext=True))
    assert not pins_at(tmp_path).path.exists()


def lan_address() -> str:
    """An address of this machine that is not a loopback one; empty: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with contextlib.suppress(OSError):
            sock.connect(("192.0.2.1", 9))
            return str(sock.getsockname()[0])
    return ""


@pytest.mark.parametrize("mapped", ["", "::ffff:"])
@on_each_loop
async def test_plain_elsewhere_needs_the_setting(tmp_path: Path, mapped: str) -> None:
    host = lan_address()
    if not host:
        pytest.skip("this machine has no address but loopback, where plain is allowed")
    async with listen(None, host=host) as heard:
        heard.address = Address(mapped + host, heard.address.port)
        with pytest.raises(SettingError) as caught:
            await dial(heard.address, Streamed, 5, Trust(pins_at(tmp_path), plaintext=True))
        assert host in caught.value.text and "plaintext_anywhere" in caught.value.hint
        await heard.silence()
        await talk(heard, Trust(pins_at(tmp_path), plaintext=True, plaintext_anywhere=True))


@on_each_loop
async def test_a_unix_socket_and_a_ready_one_are_plain(tmp_path: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(len(HELLO)))
        writer.close()

    server = await asyncio.start_unix_server(handle, str(tmp_path / "s"))
    ready = socket.socket(socket.AF_UNIX)
    ready.connect(str(tmp_path / "s"))
    ready.setblocking(False)
    for address in (Address(path=str(tmp_path / "s")), ready):
        protocol = await dial(address, Streamed, 5, Trust(pins_at(tmp_path)))
        assert await asyncio.wait_for(heard.get(), 5) == HELLO
        await asyncio.wait_for(protocol.ended, 5)
    server.close()
    await server.wait_closed()


# --- the file -----------------------------------------------------------------------------


@on_each_loop
async def test_with_a_damaged_file_nobody_is_spoken_to(tmp_path: Path) -> None:
    pins = pins_at(tmp_path)
    pins.path.parent.mkdir()
    pins.path.write_text("{")
    async with listen(server_context(certificate.make())) as heard:
        with pytest.raises(FileError, match="damaged"):
            await dial(heard.address, Streamed, 5, Trust(pins))
        assert heard.connections == 0
    assert pins.path.read_text() == "{"


@on_each_loop
async def test_a_slow_disk_does_not_hold_the_loop(tmp_path: Path) -> None:
    pins = pins_at(tmp_path)
    pins.path.parent.mkdir()
    async with listen(server_context(certificate.make())) as heard:
        with pins.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(NoAnswer):
                await dial(heard.address, Streamed, 0.3, Trust(pins))
        await heard.silence()
