"""Listening sockets: opening them, and the accept loop.

The loop accepts by itself, so that limits come before costs: an accepted socket first needs a
place (`admission`), then shows by its first byte what speaks there (`greeting`), and only then
becomes a connection, with TLS or without.

Running out of file descriptors pauses accepting; it neither ends the server nor fills the log.
"""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ipcchat.errors import EXIT_RUNTIME, EXIT_SETTING, ListenError, SettingError
from ipcchat.server.access import Peer, peer_uid
from ipcchat.server.admission import Admission, Source, Ticket, source_of
from ipcchat.server.connection import Connection
from ipcchat.server.eventlog import EventLog
from ipcchat.server.greeting import Reception
from ipcchat.trust.identity import NO_TLS

if TYPE_CHECKING:
    import ssl

__all__ = [
    "Listener",
    "open_tcp",
    "open_unix",
    "parse_address",
    "raise_descriptors",
    "refuse_plain",
]

_MANY = 1 << 20
_ELSEWHERE = "choose another path: --unix PATH, or --data DIR"
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY = 0.2
"""Seconds between two tries to accept while there are no descriptors left."""
_QUIET = 60.0
"""Seconds after a line of the log in which its like are not written."""
_PACE = 0.001
"""Seconds between two looks for a place."""


def parse_address(address: str) -> tuple[str, int]:
    """`HOST:PORT`, `[::1]:5555`, `:6000` or `6000` as (host, port); no host is all interfaces.

    Raises SettingError.
    """
    host, _, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise SettingError(f"listen: {address!r}: write an IPv6 address as [::1]:5555")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise SettingError(
            f"listen: {address!r} is not an address", "write HOST:PORT, :PORT or PORT"
        )
    return host, int(port)


def _listen_error(where: str, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"cannot listen on {where}: the port is in use",
            "is a server running already?  choose another port: --listen :6000",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ListenError(
            f"cannot listen on {where}: no permission",
            "ports below 1024 need it; choose another: --listen :5555",
            EXIT_SETTING,
        )
    reason = (error.strerror or str(error)).lower()
    hint = "name an address of this machine, or a path that can be made"
    return ListenError(f"cannot listen on {where}: {reason}", hint, EXIT_RUNTIME)


def _bind(family: int, address: tuple[object, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


async def open_tcp(address: str, backlog: int) -> list[socket.socket]:
    """Listening sockets for an address: IPv4 and IPv6 where it has no host.

    With port 0 both get the same port. Raises SettingError, ListenError.
    """
    host, port = parse_address(address)
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(
            host or None,
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except OSError:
        hint = f"name an address of this machine, or none: --listen :{port}"
        raise ListenError(f"cannot listen on {address}: unknown host", hint) from None
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, where in sorted(infos, key=lambda info: info[0]):
            bound = (where[0], port, *where[2:])
            try:
                sock = _bind(family, bound, backlog)
            except OSError as error:
                if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue  # no IPv6 on this machine
                raise _listen_error(f"{host or '*'}:{port}", error) from None
            sockets.append(sock)
            port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def raise_descriptors() -> int:
    """Lets this process have as many open files as the system allows; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = _MANY
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def open_unix(path: Path, mode: int, backlog: int) -> socket.socket:
    """A listening Unix socket; one that nobody listens on any more is replaced.

    Raises ListenError.
    """
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenError(f"cannot listen on {path}: there is a file of that name", _ELSEWHERE)
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(os.fspath(path))
            except PermissionError as error:
                raise _listen_error(str(path), error) from None
        raise ListenError(f"cannot listen on {path}: another server listens there", _ELSEWHERE)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        path.unlink(missing_ok=True)
        sock.bind(os.fspath(path))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _listen_error(str(path), error) from None
    finally:
        os.umask(before)
    return sock


def _shown(address: tuple[object, ...]) -> str:
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Listener:
    """One listening socket and its accept loop.

    Without `admission` everybody is let in at once, and nobody's first byte is looked at: the
    control socket. With `tls` it is a TLS port.
    """

    def __init__(
        self,
        sock: socket.socket,
        kind: str,
        make: Callable[[Peer], Connection | None],
        log: EventLog,
        admission: Admission | None = None,
        tls: "ssl.SSLContext | None" = None,
        fingerprint: str = NO_TLS,
    ) -> None:
        self._sock = sock
        self.kind = kind
        self._log = log
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self._reception = Reception(make, log, admission, tls, fingerprint)
        self._written: dict[str, float] = {}
        """Event → when it was written into the log last."""
        name = sock.getsockname()
        self.path = Path(name) if isinstance(name, str) else None
        """Of a Unix socket: where it lies."""
        self.address = name if isinstance(name, str) else _shown(name)
        """As shown: `127.0.0.1:5555`, or the path."""

    def change_tls(self, tls: "ssl.SSLContext", fingerprint: str) -> None:
        """Another certificate: counts for later connections."""
        self._reception.tls, self._reception.fingerprint = tls, fingerprint

    def _peer(self, sock: socket.socket, address: tuple[object, ...]) -> Peer:
        if sock.family != socket.AF_UNIX:
            source = source_of(str(address[0]))
            return Peer("tcp", _shown(address), trusted=not source.counted, source=source)
        uid = peer_uid(sock)
        where = "local" if uid is None else f"uid {uid}"
        if self.kind == "control":
            return Peer("control", where, uid, operator=uid == os.getuid())
        return Peer("unix", where, uid, source=Source(where, False))

    async def run(self) -> None:
        """Accepts until it is cancelled; what is not yet a connection then is closed."""
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    await self._accept(group)
                    await asyncio.sleep(0)  # a flood leaves the connections their turns
            finally:
                self._reception.close()

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        try:
            sock, address = await self._loop.sock_accept(self._sock)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._note("warning", "accept", f"no connection is accepted: {error.strerror}")
                await asyncio.sleep(_RETRY)
            return  # anything else is the fault of a peer that is gone again
        try:
            peer = self._peer(sock, address)
            if sock.family != socket.AF_UNIX:
                # A reply and the entry behind it are two small writes: without this the second
                # waits for the peer's delayed acknowledgement, 40 ms.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ticket = None
            if self._admission is not None:
                ticket = await self._place(self._admission, peer.source)
                if ticket is None:
                    self._note("warning", "full", f"{peer.address} is turned away: max_clients")
                    sock.close()
                    return
        except OSError:
            sock.close()
            return
        except BaseException:
            sock.close()
            raise
        self._reception.receive(group, sock, peer, ticket)

    async def _place(self, admission: Admission, source: Source) -> Ticket | None:
        """A place, as soon as there is one; None where there is none to wait for."""
        while True:
            entry = admission.enter(source, self._loop.time())
            if entry.drop:
                self._note("info", "pending", "too many before login: the oldest make room")
            for victim in entry.drop:
                victim.close()
            if entry.ticket is not None or not entry.wait:
                return entry.ticket
            await asyncio.sleep(_PACE)

    def _note(self, level: str, event: str, text: str) -> None:
        """Writes into the log what would fill it if it were written each time."""
        now = self._loop.time()
        if now - self._written.get(event, float("-inf")) >= _QUIET:
            self._written[event] = now
            self._log.write(level, event, text)

    def close(self) -> None:
        """Stops listening; a Unix socket's file is removed."""
        self._sock.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def refuse_plain(host: str) -> None:
    """Raises SettingError where another machine could reach a port without TLS there."""
    if source_of(host).counted:
        raise SettingError(
            f"no plaintext on {host}: others could listen in",
            "listen on loopback alone: --listen 127.0.0.1:5555; or set plaintext_anywhere = true in"
            " the configuration file",
        )
