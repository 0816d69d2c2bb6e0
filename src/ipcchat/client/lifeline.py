"""A connection that comes back: dial, log in, and the same again whenever it is lost.

The rules of this file:

- The first contact decides: where nobody listens, the name is unknown, or what answers is no
  server, `run` raises. Once logged in, it goes on for ever, unless `patience` ends.
- The wait before a new try doubles from `retry_first` to `retry_early`, after a while to
  `retry_late`, each with full jitter, so that a thousand clients do not come back as one. What the
  server asked for by `wait_ms` is kept.
- The owner hears `up`, `event`, `applied`, `down`, in this order, without a task switch between an
  event and the reply next to it.
"""

import asyncio
import random
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from ipcchat import paths
from ipcchat.address import Address
from ipcchat.client.connector import NoAnswer, dial
from ipcchat.client.link import Credentials, Link
from ipcchat.errors import (
    ConnectionLost,
    FileError,
    IpcchatError,
    ProtocolError,
    Refused,
    SettingError,
    Untrusted,
)
from ipcchat.settings import ClientSettings
from ipcchat.trust.identity import NO_TLS
from ipcchat.trust.pins import FILE, Pins, Trust
from ipcchat.wire.messages import HelloOk, LoginOk

__all__ = ["Lifeline", "Owner", "Waking", "backoff", "boot_time"]

_MOST = 300.0
"""Seconds that a server may ask a client to stay away."""
_STABLE = 5.0
"""A connection that held for so many seconds starts the waits anew."""
_STEPS = 32
_FLUSH = 1.0
"""Seconds that the last requests may take to leave."""
LOOK = 2.0
"""Seconds between two looks."""
ASLEEP = 5.0
"""Seconds more than expected between two looks, that count as sleep: the machine's, or that of a
process that was stopped."""


class Owner(Protocol):
    """Who uses the connection. None of these may block."""

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        """Logged in."""

    def event(self, event: Struct) -> None:
        """The server told something."""

    def applied(self) -> None:
        """All events of a chunk have been handed over."""

    def down(self, why: str) -> None:
        """The connection is lost, or a try to make it has failed."""


def backoff(tries: int, outage: float, settings: ClientSettings) -> float:
    """The longest wait in seconds before the next try, `outage` seconds after the loss."""
    early = outage < settings.retry_early_for
    most = settings.retry_early if early else settings.retry_late
    return float(min(most, settings.retry_first * 2 ** min(tries, _STEPS)))


def boot_time() -> float:
    """Seconds on a clock that goes on while the machine sleeps, as the loop's own need not."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.time()


class Waking:
    """Calls `woke` soon after the machine slept, from `start` to `stop`: a laptop that wakes has
    dead connections, and should not wait for their deadlines to find out."""

    def __init__(self, woke: Callable[[], None], clock: Callable[[], float] = boot_time) -> None:
        self._woke = woke
        self._clock = clock
        self._seen = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to look, on the running loop."""
        self._seen = self._clock()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self.look)

    def look(self) -> None:
        """Looks now, and again in a while."""
        self.stop()
        before, self._seen = self._seen, self._clock()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self.look)
        if self._seen - before > LOOK + ASLEEP:
            self._woke()

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Lifeline:
    """Owns the link there is at present. `run` is to be awaited by a task of the owner."""

    def __init__(
        self,
        address: Address | socket.socket,
        credentials: Credentials,
        settings: ClientSettings,
        owner: Owner,
        *,
        insist: bool = False,
        patience: float | None = None,
        state_dir: Path | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        """`insist`: a first contact that is not answered, or cut off, is tried again too.

        `patience`: seconds without a connection after which `run` raises; None: never. A socket
        that is connected already is used once: with it, everything ends. `clock`: one that goes
        on while the machine sleeps; after that a new connection is made at once. `state_dir`: where
        it is kept which certificate a server has; None: the user's.
        """
        self.address = address
        self._credentials = credentials
        self._settings = settings
        self._owner = owner
        self._insist = insist
        self._patience = patience
        self._uniform = uniform
        self._pins = Pins((state_dir or paths.state_dir()) / FILE)
        expected = address.fingerprint if isinstance(address, Address) else ""
        self._trust = Trust(self._pins, settings.plaintext, settings.plaintext_anywhere, expected)
        self._waking = Waking(self.hurry, clock)
        self._hurry = asyncio.Event()
        self._online = asyncio.Event()
        self._failure: IpcchatError | None = None
        self._logged_in = False
        self.link: Link | None = None
        """The connection, while one is logged in."""
        self.epoch = ""
        """The identity of the server's history at the last login."""

    async def run(self) -> None:
        """Keeps the connection. Raises Unreachable, Refused, ProtocolError, ConnectionLost."""
        if not isinstance(self.address, socket.socket):
            self._waking.start()
        try:
            await self._keep()
        except IpcchatError as error:
            self._failure = error
            raise
        finally:
            self._waking.stop()
            self._failure = self._failure or ConnectionLost("the connection was closed")
            self._online.set()
            link, self.link = self.link, None
            if link is not None:
                link.close()
                await asyncio.wait([link.lost], timeout=_FLUSH)
                await _drop(link)

    async def _keep(self) -> None:
        clock = asyncio.get_running_loop().time
        lost_at, tries = clock(), 0
        while True:
            wait = 0.0
            try:
                link = await self._connect()
            except IpcchatError as error:
                if self._fatal(error):
                    raise
                last = error
                if isinstance(error, Refused):
                    wait = error.wait_ms / 1000
            else:
                began = clock()
                await link.lost
                self.link = None
                if isinstance(link.why, Refused) and link.why.code == "banned":
                    raise link.why
                last = ConnectionLost(link.reason)
                wait = link.wait_ms / 1000
                lost_at = clock()
                if lost_at - began > _STABLE:
                    tries = 0
            if isinstance(self.address, socket.socket):
                raise last
            outage = clock() - lost_at
            if self._patience is not None and outage >= self._patience:
                raise self._given_up(last)
            self._owner.down(last.text)
            longest = backoff(tries, outage, self._settings)
            tries += 1
            await self._sleep(min(wait, _MOST) + self._uniform(0, longest))

    async def _connect(self) -> Link:
        owner, settings = self._owner, self._settings
        link = await dial(
            self.address,
            lambda: Link(settings, owner.event, owner.applied),
            settings.connect_timeout,
            self._trust,
        )
        try:
            async with asyncio.timeout(settings.connect_timeout):
                hello, login = await link.login(self._credentials)
        except TimeoutError:
            await _drop(link)
            raise NoAnswer(f"cannot reach {self.address}: no answer") from None
        except ConnectionLost as error:
            if isinstance(link.why, ProtocolError):
                text = f"what answers at {self.address} is no ipcchat server"
                raise ProtocolError(text, link.why.code) from None
            raise link.why or error from None
        except BaseException:
            await _drop(link)
            raise
        self.link = link
        self.epoch = hello.epoch
        self._logged_in = True
        owner.up(link, hello, login)
        self._online.set()
        if login.successor and isinstance(self.address, Address) and link.fingerprint != NO_TLS:
            await self._announced(self.address, login.successor)
        if login.moved and self._credentials.moved is not None:
            with suppress(FileError):  # it stays in the file, where it is worth nothing here
                await asyncio.to_thread(self._credentials.moved, hello.epoch)
            gone = self._credentials.moved_at | {hello.epoch}
            self._credentials = replace(self._credentials, moved_at=gone)
        return link

    async def _announced(self, address: Address, successor: str) -> None:
        """The server will have another certificate: it is known from now on."""
        with suppress(FileError, ProtocolError, ValueError):  # as if it had not been said
            der = ssl.PEM_cert_to_DER_cert(successor)
            await asyncio.to_thread(self._pins.announce, address, der)

    def _fatal(self, error: IpcchatError) -> bool:
        if isinstance(error, Untrusted | SettingError):
            return True
        if not self._logged_in and not self._insist:
            return True
        if isinstance(error, Refused):
            return not error.retry
        return not self._logged_in and not isinstance(error, NoAnswer | ConnectionLost)

    def _given_up(self, last: IpcchatError) -> IpcchatError:
        if self._logged_in:
            return ConnectionLost(f"the connection to {self.address} is lost: {last.text}")
        return last

    async def _sleep(self, seconds: float) -> None:
        self._hurry.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def hurry(self) -> None:
        """Connects anew at once: ends the wait, and the connection that there is."""
        self._hurry.set()
        if self.link is not None:
            self.link.abort(ConnectionLost("connecting again"))

    async def online(self) -> Link:
        """Waits until one is logged in. Raises what ended the connection for good."""
        while True:
            await self._online.wait()
            if self._failure is not None:
                raise self._failure
            if self.link is not None and self.link.open:
                return self.link
            self._online.clear()

    async def request(self, request: Struct) -> Any:
        """Asks, again after each loss and each refusal marked `retry`, until there is an answer.

        Safe for what only looks or has a draft id. Raises Refused (`regressed`, where it names a
        room of another history), and what ended the connection for good. Without a connection it
        waits: limit it with `asyncio.timeout`.
        """
        epoch = self.epoch
        while True:
            link = await self.online()
            if epoch not in ("", self.epoch) and getattr(request, "room", None):
                raise Refused("regressed")
            epoch = self.epoch
            try:
                return await link.request(request)
            except ConnectionLost:
                continue
            except Refused as error:
                if not error.retry:
                    raise
                await asyncio.sleep(min(error.wait_ms / 1000, _MOST) or 1.0)


async def _drop(link: Link) -> None:
    link.abort()
    await link.lost
