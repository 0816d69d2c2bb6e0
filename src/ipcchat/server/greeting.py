"""The first bytes of a TCP connection: what speaks there, and what is answered at once.

An ipcchat frame opens with its length in four bytes, of which the first is 0 below 16 MiB (RFC
8446 5.1: a TLS handshake record opens with 22; HTTP opens with a verb). So one byte tells which
of them it is, and whoever came to the wrong kind of port hears so in its own language.

Until that byte is there a socket has a callback and a timer: no task, no protocol, no TLS object.
"""

import asyncio
import asyncio.sslproto
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ipcchat.server.access import Peer
from ipcchat.server.admission import Admission, Stage, Ticket
from ipcchat.server.connection import LINGER, Connection
from ipcchat.server.eventlog import EventLog
from ipcchat.sockets.stream import Stream
from ipcchat.trust.identity import NO_TLS
from ipcchat.wire import codec
from ipcchat.wire.messages import Error

if TYPE_CHECKING:
    import ssl

__all__ = ["PEEK", "TLS_REQUIRED", "Greeting", "Reception", "Verdict", "classify", "judge"]

PEEK = 8
"""Bytes that are looked at, at most."""
TLS_REQUIRED = "this server speaks TLS: use a current ipcchat-client, or --plaintext on both sides"
_ANSWER_LINGER = 0.5
"""Seconds in which who is turned away may read why."""
_DISCARD = 64 * 1024
"""Bytes that are read from it meanwhile."""
_TLS_BUFFER = 17 * 1024
"""What asyncio reads TLS into, of each connection: a little more than the longest record (RFC 8446
5.2), where its default is 256 KiB."""
_MALLOPT = ((-3, 256 * 1024), (-1, 512 * 1024))
"""M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc's <malloc.h>. uvloop's buffer of 256 KiB costs
what is used of it, but only as a mapping of its own; glibc gives that up when the first such
buffer is freed, unless it is told not to: 25 KiB a connection."""
_VERBS = tuple(
    verb + b" " for verb in b"GET POST HEAD PUT OPTIONS DELETE CONNECT PATCH TRACE PRI".split()
)
_PLAIN_TEXT = b"This is an ipcchat server, not a web server: connect with ipcchat-client.\n"


class Greeting(Enum):
    """What speaks."""

    FRAME = auto()
    TLS = auto()
    HTTP = auto()
    OTHER = auto()


class Verdict(NamedTuple):
    """What becomes of the connection."""

    goes_on: bool
    answer: bytes = b""
    """Sent before it is closed, where it does not go on."""


_GO = Verdict(True)
_HTTP_400 = Verdict(
    False,
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_PLAIN_TEXT), _PLAIN_TEXT),
)
# RFC 8446 6.2: an alert record, level fatal (2), description protocol_version (70).
_ALERT = Verdict(False, bytes.fromhex("15030100020246"))
_NO_TLS = Verdict(False, codec.encode(Error(code="tls_required", text=TLS_REQUIRED)))

_VERDICTS: dict[bool, dict[Greeting, Verdict]] = {
    True: {
        Greeting.FRAME: _NO_TLS,
        Greeting.TLS: _GO,
        Greeting.HTTP: _HTTP_400,
        Greeting.OTHER: Verdict(False),
    },
    # What is no frame goes on to the frame reader, whose answer is `too_long`.
    False: {
        Greeting.FRAME: _GO,
        Greeting.TLS: _ALERT,
        Greeting.HTTP: _HTTP_400,
        Greeting.OTHER: _GO,
    },
}


def classify(head: bytes) -> Greeting:
    """What speaks, by its first bytes: one suffices, and more than PEEK make no difference."""
    if head[:1] == b"\x00":
        return Greeting.FRAME
    if head[:1] == b"\x16" and head[1:2] in (b"", b"\x03"):
        return Greeting.TLS
    if head and any(verb.startswith(head[: len(verb)]) for verb in _VERBS):
        return Greeting.HTTP
    return Greeting.OTHER


def judge(head: bytes, tls: bool) -> Verdict:
    """What becomes of a connection that opens with `head`, at a port with or without TLS."""
    return _VERDICTS[tls][classify(head[:PEEK])]


def _lean_tls() -> None:
    """Makes TLS connections of this process small, on asyncio's loop and on uvloop."""
    asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none, and needs none
        for parameter, value in _MALLOPT:
            libc.mallopt(parameter, value)


class _Guest:
    """An accepted socket that is no connection yet."""

    __slots__ = ("deadline", "group", "peer", "sock", "ticket", "timer")

    def __init__(
        self,
        group: asyncio.TaskGroup,
        sock: socket.socket,
        peer: Peer,
        ticket: Ticket | None,
        deadline: float,
    ) -> None:
        self.group = group
        self.sock = sock
        self.peer = peer
        self.ticket = ticket
        self.deadline = deadline
        """When its TLS handshake must be done."""
        self.timer: asyncio.TimerHandle | None = None


class Reception:
    """Makes connections of accepted sockets, or turns them away with an answer.

    `make` gives the connection of a peer, or None where there is no room. `tls` may be replaced.
    """

    def __init__(
        self,
        make: Callable[[Peer], Connection | None],
        log: EventLog,
        admission: Admission | None = None,
        tls: "ssl.SSLContext | None" = None,
        fingerprint: str = NO_TLS,
    ) -> None:
        self._make = make
        self._log = log
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self._silent: dict[_Guest, None] = {}
        """Those whose first byte is awaited."""
        self.tls = tls
        self.fingerprint = fingerprint
        """Of the certificate that `tls` shows."""
        if tls is not None:
            _lean_tls()

    def receive(
        self, group: asyncio.TaskGroup, sock: socket.socket, peer: Peer, ticket: Ticket | None
    ) -> None:
        """Takes over a socket; its tasks are the group's. With an `admission` a ticket is given,
        which leaves when the socket is closed before it is a connection."""
        if self._admission is None or ticket is None:
            self._spawn(_Guest(group, sock, peer, None, 0.0), self._connect, None)
            return
        timeout = self._admission.limits.handshake_timeout
        guest = _Guest(group, sock, peer, ticket, self._loop.time() + timeout)
        if sock.family == socket.AF_UNIX:
            self._spawn(guest, self._connect, None)
            return
        self._silent[guest] = None
        ticket.close = partial(self._turn_out, guest)
        guest.timer = self._loop.call_later(timeout, self._turn_out, guest)
        self._loop.add_reader(sock.fileno(), self._heard, guest)
        self._heard(guest)

    def close(self) -> None:
        """Nobody's first byte is awaited any more."""
        for guest in tuple(self._silent):
            self._turn_out(guest)

    def _heard(self, guest: _Guest) -> None:
        try:
            head = guest.sock.recv(PEEK, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            head = b""
        if not head:
            self._turn_out(guest)
            return
        verdict = judge(head, self.tls is not None)
        if not verdict.goes_on and not verdict.answer:
            self._turn_out(guest)
            return
        self._attend(guest)
        if self._admission is not None and guest.ticket is not None:
            self._admission.advance(guest.ticket, Stage.HANDSHAKE, self._loop.time())
        if verdict.goes_on:
            if self.tls is not None:
                guest.peer = replace(guest.peer, fingerprint=self.fingerprint)
            self._spawn(guest, self._connect, self.tls)
        else:
            self._spawn(guest, self._answer, verdict.answer)

    def _attend(self, guest: _Guest) -> None:
        """The guest's first byte is awaited no more."""
        if self._silent.pop(guest, guest) is None:
            self._loop.remove_reader(guest.sock.fileno())
            if guest.timer is not None:
                guest.timer.cancel()

    def _turn_out(self, guest: _Guest) -> None:
        self._attend(guest)
        guest.sock.close()
        if self._admission is not None and guest.ticket is not None:
            self._admission.left(guest.ticket)

    # --- tasks ------------------------------------------------------------------------

    def _spawn(
        self,
        guest: _Guest,
        deed: Callable[..., Coroutine[None, None, bool]],
        argument: object,
    ) -> None:
        task = guest.group.create_task(deed(guest, argument))
        if guest.ticket is not None:
            guest.ticket.close = task.cancel
        task.add_done_callback(partial(self._done, guest))

    def _done(self, guest: _Guest, task: asyncio.Task[bool]) -> None:
        # Here, and not in the task: one that is cancelled at once never begins.
        if task.cancelled() or not task.result():
            self._turn_out(guest)

    async def _connect(self, guest: _Guest, tls: "ssl.SSLContext | None") -> bool:
        """True where the socket is a connection's now."""
        connection = self._make(guest.peer)
        if connection is None:
            return False
        ticket, admission = guest.ticket, self._admission
        if admission is not None and ticket is not None:
            admission.numbered(ticket, connection.number)
        try:
            if tls is None:
                Stream(self._loop, guest.sock, connection)
            else:
                await self._loop.connect_accepted_socket(
                    lambda: connection,
                    guest.sock,
                    ssl=tls,
                    ssl_handshake_timeout=max(0.001, guest.deadline - self._loop.time()),
                    ssl_shutdown_timeout=LINGER,
                )
        except OSError as error:  # ssl.SSLError, too
            self._log.debug("handshake", f"{guest.peer.address}: {error}")
            return False
        except Exception as error:  # the others' connections go on
            self._log.error("handshake", f"{guest.peer.address}: {error!r}")
            return False
        if admission is not None and ticket is not None:
            ticket.close = connection.abort
            admission.advance(ticket, Stage.CONNECTED, self._loop.time())
        return True

    async def _answer(self, guest: _Guest, answer: bytes) -> bool:
        """Says why, and reads on for a while: a reset would take the answer away."""
        try:
            guest.sock.send(answer)
            guest.sock.shutdown(socket.SHUT_WR)
            left = _DISCARD
            async with asyncio.timeout(_ANSWER_LINGER):
                while left > 0 and (data := await self._loop.sock_recv(guest.sock, 4096)):
                    left -= len(data)
        except (OSError, TimeoutError):
            pass
        return False
