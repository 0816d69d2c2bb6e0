"""One live connection: bytes in, values out, in order; requests and their replies.

The rules of this file:

- `ask` never blocks. A reply is handed over in its place between the events: what the server said
  before it was applied before.
- One turn of the loop applies values for a few milliseconds at most; while some are left, nothing
  is read. So a flood never holds up the keyboard.
- Silence is answered by a ping, longer silence by giving the connection up. It counts only while
  reading is not paused.
- The server's limit of requests in flight is kept; what is over it waits here, up to a bound.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

from msgspec import Struct

from ipcchat.client import intake
from ipcchat.entries import Entry
from ipcchat.errors import (
    ConnectionLost,
    IpcchatError,
    ProtocolError,
    Refused,
    RemoteProtocolError,
)
from ipcchat.settings import ClientSettings
from ipcchat.trust.identity import NO_TLS, Identity, new_nonce, transcript
from ipcchat.wire.messages import (
    Away,
    Bye,
    Direct,
    Error,
    Hello,
    HelloOk,
    Join,
    Login,
    LoginOk,
    Ping,
    RoomInvite,
    RoomUninvite,
    Search,
    Whois,
)
from ipcchat.wire.protocol import Protocol, Role, State

__all__ = ["VERSION", "Credentials", "Done", "Link"]

VERSION = 1
"""The protocol version this client speaks."""

# One buffer for all links: a chunk is decoded before the next read begins.
_BUFFER = memoryview(bytearray(64 * 1024))
_BUDGET = 0.002
"""Seconds of a turn of the loop that may be spent on applying values."""
_STRIDE = 64
"""Values between two looks at the clock."""
_IN_FLIGHT = 64
"""Requests in flight where the server names no limit."""
_WAITING = 10_000
"""Requests that may wait for their turn."""

_NEEDS: dict[type[Struct], tuple[str, str]] = {
    Away: ("away", "does not know who is away"),
    Direct: ("direct", "has no direct messages"),
    RoomInvite: ("private", "has no private rooms"),
    RoomUninvite: ("private", "has no private rooms"),
    Search: ("search", "has no search"),
    Whois: ("whois", "does not tell who has a nick"),
}
"""The feature that a request needs, and what a server without it lacks."""

Done: TypeAlias = Callable[[Any], None]
"""Gets the reply: the `ok`, an `Error`, or None when the connection was lost before it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who one is for the server."""

    nick: str
    secret: str = field(default="", repr=False)
    """What proved the account before it had a key."""
    identity: Identity | None = None
    """The key; without it and a secret the kernel says who one is (`peer`)."""
    asked: bool = False
    """Whether the user asked for that very nick."""
    quiet: bool = False
    """Not shown in presence or member lists."""
    moved: Callable[[str], None] | None = field(default=None, repr=False)
    """Called, off the loop, with the epoch of the server at which the account has moved from the
    secret to the key."""
    moved_at: frozenset[str] = frozenset()
    """Epochs at which it has moved already."""
    invite: str = field(default="", repr=False)
    """The token of a join link."""
    token: str = field(default="", repr=False)
    """What an operator gave to a script; then nothing else counts."""
    device: str = ""
    """A new connection of the same device replaces the old one."""

    def login(self, nick: str, hello: HelloOk, fingerprint: str) -> Login:
        """The request, under that nick; `fingerprint`: of the certificate that the server showed.
        Raises ProtocolError."""
        if self.token:
            return Login(0, "token", token=self.token, quiet=self.quiet)
        secret = "" if hello.epoch in self.moved_at else self.secret
        local = "peer" in hello.methods and not self.asked  # the system says who one is
        if local or self.identity is None or "key" not in hello.methods:
            method = "secret" if self.secret and not local else "peer"
            return Login(0, method, nick=nick, secret=secret, invite=self.invite, quiet=self.quiet)
        nonce = new_nonce()
        try:
            signed = transcript(fingerprint, hello.nonce, nonce)
        except ValueError:
            raise ProtocolError("the server's nonce is none", "bad_field") from None
        return Login(
            0,
            "key",
            nick=nick,
            secret=secret,
            key=self.identity.public,
            nonce=nonce,
            signature=self.identity.sign(signed),
            invite=self.invite,
            quiet=self.quiet,
        )


class Link(asyncio.BufferedProtocol):
    """One connection, from the dial to the loss."""

    def __init__(
        self,
        settings: ClientSettings,
        event: Callable[[Struct], None],
        applied: Callable[[], None],
    ) -> None:
        """`event` gets each event; `applied` is called once after those of a chunk."""
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._event = event
        self._applied = applied
        self._wire = Protocol(Role.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._values: deque[Struct | RemoteProtocolError] = deque()
        self._pumping = False
        self._asked: dict[int, Done] = {}
        self._waiting: deque[tuple[Struct, Done]] = deque()
        self._cap = _IN_FLIGHT
        self._id = 0
        self._heard = self._loop.time()
        self._pinged = False
        self._timer: asyncio.TimerHandle | None = None
        self.features: frozenset[str] = frozenset()
        """What the server can do besides the first day's protocol."""
        self.why: IpcchatError | None = None
        """Why the connection was or will be lost, where that is known."""
        self.wait_ms = 0
        """For how long the server asked not to come back."""
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is gone."""

    # --- the socket -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._heard = self._loop.time()
        self._arm()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        self._pinged = False
        self._values.extend(self._wire.receive(_BUFFER[:nbytes]))
        if not self._pumping:
            self._pump()

    def eof_received(self) -> bool:
        return False  # a frame that was cut off is no news: the connection is lost anyway

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._values:
            self._handle(self._values.popleft())
        if self.why is None and isinstance(exc, OSError) and exc.strerror:
            self.why = ConnectionLost(exc.strerror.lower())
        left = [*self._asked.values(), *(done for _, done in self._waiting)]
        self._asked.clear()
        self._waiting.clear()
        for done in left:
            done(None)
        self._applied()
        if not self.lost.done():
            self.lost.set_result(None)

    @property
    def reason(self) -> str:
        """Why the connection was lost, as a sentence."""
        return self.why.text if self.why is not None else "the server closed the connection"

    @property
    def open(self) -> bool:
        """Whether requests can be made."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Sends what was asked, then closes; nothing more is read."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: IpcchatError | None = None) -> None:
        """Closes at once."""
        self.why = self.why or why
        if self._transport is not None:
            self._transport.abort()

    # --- values in --------------------------------------------------------------------

    def _pump(self) -> None:
        """Applies what was read, for as long as the budget lasts."""
        end = self._loop.time() + _BUDGET
        values = self._values
        while values:
            for _ in range(min(_STRIDE, len(values))):
                self._handle(values.popleft())
            if values and self._loop.time() > end:
                break
        self._applied()
        if values:
            if not self._pumping:
                self._pumping = True
                self._pause()
            self._loop.call_soon(self._pump)
        elif self._pumping:
            self._pumping = False
            self._resume()

    def _pause(self) -> None:
        if self.open:
            cast(asyncio.Transport, self._transport).pause_reading()

    def _resume(self) -> None:
        self._heard = self._loop.time()
        if self.open:
            cast(asyncio.Transport, self._transport).resume_reading()

    def _handle(self, value: Struct | RemoteProtocolError) -> None:
        if type(value) is Entry:
            self._event(value)
        elif isinstance(value, RemoteProtocolError):
            self._broken(value)
        elif isinstance(value, Bye):
            self.wait_ms = value.wait_ms
            self.why = self.why or intake.farewell(value)
            self.close()
        elif isinstance(value, Error) and value.id is None:
            self.why = self.why or intake.farewell(value)
            self.close()
        elif (request := getattr(value, "id", None)) is not None:
            self._replied(request, value)
        else:
            self._event(value)

    def _broken(self, error: RemoteProtocolError) -> None:
        if error.closes:
            self.abort(error)
        elif error.request in self._asked:
            self._replied(error.request, Error(error.code, error.text, id=error.request))

    def _replied(self, request: int, reply: Struct) -> None:
        done = self._asked.pop(request, None)
        if done is None:
            return
        if self._waiting and self.open:
            self._write(*self._waiting.popleft())
        done(reply)

    # --- requests out -----------------------------------------------------------------

    def ask(self, request: Struct, done: Done) -> None:
        """Sends a request; its `id` is set here. `done` is called exactly once, never at once."""
        if not self.open:
            self._loop.call_soon(done, None)
        elif len(self._asked) < self._cap:
            self._write(request, done)
        elif len(self._waiting) < _WAITING:
            self._waiting.append((request, done))
        else:
            self._loop.call_soon(done, Error("too_many", retry=True, wait_ms=1000))

    def _write(self, request: Struct, done: Done) -> None:
        self._id += 1
        request.id = self._id  # type: ignore[attr-defined]
        try:
            data = self._wire.send(request)
        except ProtocolError as error:
            self._loop.call_soon(done, Error(error.code, error.text))
            return
        self._asked[self._id] = done
        cast(asyncio.Transport, self._transport).write(data)

    async def request(self, request: Struct) -> Any:
        """Asks and waits for the `ok`. Raises Refused (`unknown_type`, without asking, where the
        server lacks what is needed), ConnectionLost."""
        private = isinstance(request, Join) and request.private
        feature, lack = _NEEDS[RoomInvite] if private else _NEEDS.get(type(request), ("", ""))
        if feature and feature not in self.features:
            raise Refused("unknown_type", f"this server {lack}")
        future: asyncio.Future[Any] = self._loop.create_future()
        self.ask(request, partial(_settle, future))
        reply = await future
        if reply is None:
            raise ConnectionLost(self.reason)
        if isinstance(reply, Error):
            raise intake.refused(reply)
        return reply

    # --- who one is -------------------------------------------------------------------

    async def login(self, who: Credentials) -> tuple[HelloOk, LoginOk]:
        """Greets the server and logs in.

        A taken nick that was not asked for gives way to `nick-2` … `nick-9`. Raises Refused,
        ProtocolError, ConnectionLost.
        """
        try:
            hello: HelloOk = await self.request(Hello(0, [VERSION], device=who.device))
        except Refused as error:
            if error.code == "bad_version":
                raise ProtocolError(
                    f"{error.text}; this client speaks version {VERSION}", "bad_version"
                ) from None
            raise
        hello.epoch = intake.clean_name(hello.epoch)
        self.features = frozenset(hello.features)
        for number in range(1, 10):
            nick = who.nick if number == 1 else f"{who.nick[:30]}-{number}"
            try:
                request = who.login(nick, hello, self.fingerprint)
                ok: LoginOk = await self.request(request)
            except Refused as error:
                if error.code != "nick_taken":
                    raise
                if who.asked or number == 9:
                    raise Refused(
                        error.code, f"the nick {nick} is taken", hint="choose another: --name NAME"
                    ) from None
            else:
                break
        ok = intake.clean_login(ok)
        self._cap = max(1, min(hello.limits.get("requests", _IN_FLIGHT), 1024))
        return hello, ok

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that the server showed on this connection; see `NO_TLS`."""
        tls = cast(asyncio.Transport, self._transport).get_extra_info("ssl_object")
        return NO_TLS if tls is None else hashlib.sha256(tls.getpeercert(True)).hexdigest()

    # --- life -------------------------------------------------------------------------

    def _arm(self) -> None:
        """Looks again when, without a further byte, there will be something to do."""
        now, settings = self._loop.time(), self._settings
        due = self._heard + (settings.dead_after if self._pinged else settings.ping_after)
        least = settings.ping_after / 20
        self._timer = self._loop.call_later(max(least, due - now), self._check)

    def _check(self) -> None:
        if not self._pumping and self.open:
            self._look()
        self._arm()

    def _look(self) -> None:
        silent = self._loop.time() - self._heard
        if silent >= self._settings.dead_after:
            self.abort(ConnectionLost(f"no sign of life for {silent:.0f} s"))
        elif silent >= self._settings.ping_after and not self._pinged:
            self._pinged = True
            if self._wire.state is State.READY:
                self.ask(Ping(0), _ignore)


def _ignore(reply: object) -> None:
    """A reply that says nothing."""


def _settle(future: asyncio.Future[Any], reply: object) -> None:
    if not future.done():
        future.set_result(reply)
