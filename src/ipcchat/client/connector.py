"""The one place where a client's connections are made; what secures them is decided here.

The rules of this file:

- With `trust`, TCP is TLS 1.3. The application's protocol hears of a connection, and can say
  something, only after the server has shown that it is the one: until then a gate holds the place.
- A connection that is used was verified by OpenSSL against what is known of the server. What is
  met for the first time is looked at first, on a connection that carries nothing and is dropped.
- Never a fall back: not from an authority to a pinned certificate, not from TLS to plain.
"""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv6Address, ip_address
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ipcchat.address import Address
from ipcchat.errors import ConnectionLost, SettingError, Unreachable, Untrusted
from ipcchat.trust.certificate import fingerprint, shown
from ipcchat.trust.pins import Pin, Trust

if TYPE_CHECKING:
    import ssl

__all__ = ["NoAnswer", "Trust", "dial"]

P = TypeVar("P", bound=asyncio.BaseProtocol)
T = TypeVar("T")
Info = tuple[Any, ...]
"""A row of `getaddrinfo`."""

_EYEBALLS = 0.25
"""Seconds before the next address of a host is tried beside the one before (RFC 8305)."""
_START = "is the server running?  start one: ipcchat-server"
_HINTS = {
    errno.ECONNREFUSED: _START,
    errno.ENOENT: _START,
    errno.EACCES: "the socket belongs to somebody else",
}


class NoAnswer(Unreachable):
    """Nobody has answered yet: trying on may help."""


async def dial(
    address: Address | socket.socket,
    factory: Callable[[], P],
    seconds: float,
    trust: Trust,
) -> P:
    """Connects a new protocol to a server, or to a socket that is connected already.

    On Unix and ready sockets plainly. Raises Unreachable: nobody listens, no
    route, no such host; NoAnswer after so many seconds; ConnectionLost: cut off before the server
    had shown itself; Untrusted: it is not the one, which no new try mends; SettingError: plain to
    another machine; FileError: what is known of servers can't be read or written.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            if isinstance(address, socket.socket):
                return await _attach(address, factory)
            if address.path:
                _, protocol = await loop.create_unix_connection(factory, address.path)
                return protocol
            if trust.plaintext:
                await _refuse_downgrade(address, trust)
                sock = await _reach(address)
                if not trust.plaintext_anywhere:
                    _check_near(sock, address)
                return await _attach(sock, factory)
            gate = await _secured(address, trust)
            return gate.open(factory)
    except TimeoutError:
        raise NoAnswer(f"cannot reach {address}: no answer", "is that the right address?") from None
    except (socket.gaierror, UnicodeError) as error:
        again = getattr(error, "errno", 0) == socket.EAI_AGAIN
        why = "its name can't be looked up" if again else "unknown host"
        raise Unreachable(f"cannot reach {address}: {why}", "check the server's name") from None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = _HINTS.get(error.errno or 0, "")
        raise Unreachable(f"cannot reach {address}: {why.lower()}", hint) from None


async def _refuse_downgrade(address: Address, trust: Trust) -> None:
    """A server that is known to speak TLS is not spoken to plainly, but on this very machine, where
    ports change hands."""
    known = trust.expected
    if trust.plaintext_anywhere and not known:
        known = "pinned" if await asyncio.to_thread(trust.pins.find, address) else ""
    if known:
        raise SettingError(
            f"no plain connection to {address}: it is known by its certificate",
            f"leave out --plaintext, or: ipcchat-client forget {address}",
        )


async def _attach(sock: socket.socket, factory: Callable[[], P], **tls: Any) -> P:
    """A protocol on a connected socket, which is closed where that fails."""
    loop = asyncio.get_running_loop()
    try:
        _, protocol = await loop.create_connection(factory, sock=sock, **tls)
    except BaseException:
        sock.close()
        raise
    return protocol


def _check_near(sock: socket.socket, address: Address) -> None:
    """Refuses a plain connection that leaves the machine, whatever the host's name says."""
    ip = ip_address(sock.getpeername()[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not ip.is_loopback:
        sock.close()
        raise SettingError(
            f"no plain connection to {address}: {ip} is not this machine, others could listen in",
            "leave out --plaintext, or set plaintext_anywhere = true in the configuration file",
        )


# --- who is it ----------------------------------------------------------------------------


async def _secured(address: Address, trust: Trust) -> "_Gate":
    """A connection to the server, shown to be the one."""
    pin = await asyncio.to_thread(trust.pins.find, address)
    if pin is None:
        return await _first(address, trust)
    known = (*pin.fingerprints, *pin.before)
    if trust.expected and not pin.authority and trust.expected not in known:
        raise Untrusted(
            f"the link names another certificate for {address} than is known: "
            f"{shown(trust.expected)}, known is {shown(pin.fingerprints[-1])}",
            f"{_ASK}; if the link is right: ipcchat-client forget {address}",
        )
    gate = await _known(address, pin)
    if gate.der in pin.certificates[1:]:
        await gate.keep(asyncio.to_thread(trust.pins.seen, address, gate.der))
    return gate


async def _first(address: Address, trust: Trust) -> "_Gate":
    """The first contact: as the link says, else an authority, else what is there is remembered."""
    import ssl

    pins, der = trust.pins, b""
    if trust.expected:
        der = await _presented(address)
        if fingerprint(der) != trust.expected:
            raise Untrusted(
                f"{address} shows another certificate than the link names: "
                f"{shown(fingerprint(der))}, the link has {shown(trust.expected)}",
                f"{_BETWEEN}: ask who sent the link for a new one",
            )
    try:
        gate = await _shake(address, Pin())
    except ssl.SSLCertVerificationError:
        der = der or await _presented(address)
        gate = await _known(address, Pin((der,)))
        pin = await gate.keep(asyncio.to_thread(pins.remember, address, der))
    else:
        if der and gate.der != der:
            gate.close()
            raise _changed(address, Pin((der,)), gate.der)
        pin = await gate.keep(asyncio.to_thread(pins.remember_authority, address))
    # Another client may have been there first, and have seen another server.
    if not pin.authority and gate.der not in pin.certificates:
        gate.close()
        raise _changed(address, pin, gate.der)
    return gate


async def _known(address: Address, pin: Pin) -> "_Gate":
    """A connection to the server of which this is known."""
    import ssl

    try:
        gate = await _shake(address, pin, known=True)
    except ssl.SSLCertVerificationError as error:
        raise await _refusal(address, pin, error) from None
    if not pin.authority and gate.der not in pin.certificates:
        gate.close()
        raise _changed(address, pin, gate.der)
    return gate


async def _presented(address: Address) -> bytes:
    """The certificate that is shown there, in DER; nothing is said, and nothing trusted."""
    gate = await _shake(address, None)
    gate.close()
    return gate.der


async def _refusal(address: Address, pin: Pin, error: "ssl.SSLCertVerificationError") -> Untrusted:
    """Why OpenSSL refused it, for people."""
    why = error.verify_message
    if pin.authority:
        return Untrusted(
            f"{address} shows a certificate that no authority vouches for, as one did: {why}",
            f"{_BETWEEN}, or its certificate ran out: ask its operator; "
            f"if it has a new one of its own: ipcchat-client forget {address}",
        )
    der = await _presented(address)
    if der not in pin.certificates:
        return _changed(address, pin, der)
    return Untrusted(
        f"the certificate of {address} can't be used: {why}",
        f"is this machine's clock right?  else ask its operator for a new one; "
        f"then: ipcchat-client forget {address}",
    )


def _changed(address: Address, pin: Pin, der: bytes) -> Untrusted:
    return Untrusted(
        f"{address} shows another certificate than before: {shown(fingerprint(der))}, "
        f"known is {shown(pin.fingerprints[-1])}",
        f"{_BETWEEN}, or it was set up anew: {_ASK}; "
        f"if it is the new one: ipcchat-client forget {address}",
    )


_BETWEEN = "somebody may be between you and the server"
_ASK = "ask its operator for the fingerprint"


# --- TLS ----------------------------------------------------------------------------------


class _Gate(asyncio.Protocol):
    """Holds the place of the application's protocol through the handshake; hears and says nothing.

    Reading pauses with the handshake's end, so that what a server sends at once waits.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._heir: asyncio.BaseProtocol | None = None
        self.der = b""
        """The server's certificate."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()
        self.der = transport.get_extra_info("ssl_object").getpeercert(True)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._heir is not None:  # it was on its way when the heir came
            self._heir.connection_lost(exc)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def keep(self, work: Awaitable[T]) -> T:
        """Does some work; the connection ends where that fails."""
        try:
            return await work
        except BaseException:
            self.close()
            raise

    def open(self, factory: Callable[[], P]) -> P:
        """Puts the application's protocol in its place. Raises ConnectionLost."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionLost("the server closed the connection")
        try:
            protocol = factory()
            self._heir = protocol
            transport.set_protocol(protocol)
            transport.resume_reading()  # what waits is handed over in a later turn
            protocol.connection_made(transport)
        except BaseException:
            transport.abort()
            raise
        return protocol


async def _shake(address: Address, pin: Pin | None, *, known: bool = False) -> _Gate:
    """A connection after its handshake. Without a pin, whatever is shown is taken.

    Raises ssl.SSLCertVerificationError, Untrusted, ConnectionLost, Unreachable, OSError.
    """
    import ssl

    context = await asyncio.to_thread(_unverified if pin is None else pin.context)
    sock = await _reach(address)
    host = address.host.partition("%")[0]
    try:
        return await _attach(sock, _Gate, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError:
        raise
    except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError):
        raise ConnectionLost(f"{address} closed the connection before it was secured") from None
    except ssl.SSLError as error:
        raise _unsecured(address, error.reason or "", known) from None


def _unverified() -> "ssl.SSLContext":
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _unsecured(address: Address, reason: str, known: bool) -> Untrusted | Unreachable:
    """What the end of a handshake means, by OpenSSL's name for it."""
    if "UNSUPPORTED_PROTOCOL" in reason:
        return Untrusted(f"{address} does not speak TLS 1.3", f"{_BETWEEN}: {_OPERATOR}")
    # What a plain port of ours answers, too.
    older = "PROTOCOL_VERSION" in reason
    if "ALERT" in reason and not older:
        why = reason.lower().replace("_", " ")
        return Unreachable(f"no secure connection to {address}: {why}", "is it an ipcchat server?")
    spoken = "TLS 1.3" if older else "TLS"
    if known:
        return Untrusted(
            f"{address} does not speak {spoken} any more",
            f"{_BETWEEN}, or it was started with --plaintext: {_OPERATOR}",
        )
    return Untrusted(
        f"{address} does not speak {spoken}",
        f"an old server, or somebody in between; if it runs with --plaintext: "
        f"ipcchat-client --plaintext {address}",
    )


_OPERATOR = "ask its operator"


# --- sockets ------------------------------------------------------------------------------


async def _reach(address: Address) -> socket.socket:
    """A connected socket: the addresses of the host race, each a little later than the one before.

    Raises OSError.
    """
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    left = deque(_interleaved(infos))
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        while left or running:
            if left:
                running.add(loop.create_task(_connect(left.popleft())))
            done, _ = await asyncio.wait(
                running,
                timeout=_EYEBALLS if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    errors.append(error)
    finally:
        for task in running:
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(result, socket.socket):
                result.close()
    refused = (error for error in errors if isinstance(error, ConnectionRefusedError))
    raise next(refused, errors[-1] if errors else OSError("no address"))


def _interleaved(infos: Iterable[Info]) -> Iterable[Info]:
    """IPv6 and IPv4 in turn, in the order that the system prefers."""
    families: dict[int, list[Info]] = {}
    for info in infos:
        families.setdefault(info[0], []).append(info)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [info for info in turns if info is not None]


async def _connect(info: Info) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
