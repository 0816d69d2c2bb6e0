"""The accept loop of a listening socket.

The loop accepts by itself, so that limits come before costs: an accepted socket first needs a
place (`admission`), then shows by its first byte what speaks there (`greeting`), and only then
becomes a connection, with TLS or without.

Running out of file descriptors pauses accepting; it neither ends the server nor fills the log.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ipcchat.errors import SettingError
from ipcchat.server.access import Peer
from ipcchat.server.admission import Admission, Source, Ticket, source_of
from ipcchat.server.connection import Connection
from ipcchat.server.eventlog import EventLog
from ipcchat.server.greeting import Reception
from ipcchat.sockets.kernel import peer_uid
from ipcchat.trust.identity import NO_TLS

if TYPE_CHECKING:
    import ssl

__all__ = ["Listener", "refuse_plain"]

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY = 0.2
"""Seconds between two tries to accept while there are no descriptors left."""
_PACE = 0.001
"""Seconds between two looks for a place."""


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
                self._log.seldom(
                    "warning", "accept", f"no connection is accepted: {error.strerror}"
                )
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
                if self._admission.full:
                    most = self._admission.most
                    self._log.seldom(
                        "warning", "full", f"{peer.address} comes, but {most:,} are here"
                    )
        except OSError:
            sock.close()
            return
        except BaseException:
            sock.close()
            raise
        self._reception.receive(group, sock, peer, ticket)

    async def _place(self, admission: Admission, source: Source) -> Ticket:
        """A place, as soon as there is one."""
        while True:
            entry = admission.enter(source, self._loop.time())
            if entry.drop:
                self._log.seldom("info", "pending", "too many before login: the oldest make room")
            for victim in entry.drop:
                victim.close()
            if entry.ticket is not None:
                return entry.ticket
            await asyncio.sleep(_PACE)

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
