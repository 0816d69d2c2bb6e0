"""The server as a whole: starting, watching over connections, draining.

    async with Server(settings) as server:
        await server.wait_closed()

It owns the journal, the listeners and every task. Draining goes: stop listening, stop reading,
let the journal commit, let the replies and the feed out, say `bye`, close.
"""

import asyncio
import contextlib
import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from msgspec import Struct

from ipcchat import names, paths
from ipcchat.entries import SERVER, now_ms
from ipcchat.errors import FileError, RemoteProtocolError, SettingError
from ipcchat.fanout.outlet import Tick
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft
from ipcchat.journal.journal import Journal
from ipcchat.search.index import Index
from ipcchat.server.access import OPERATOR, Peer
from ipcchat.server.admission import Admission
from ipcchat.server.connection import LINGER, Connection
from ipcchat.server.effects import Effects
from ipcchat.server.eventlog import EventLog
from ipcchat.server.hub import Hub
from ipcchat.server.listener import Listener, refuse_plain
from ipcchat.server.login import Door
from ipcchat.server.operations import loop_name
from ipcchat.server.requests import Gate
from ipcchat.settings import ServerSettings
from ipcchat.sockets.listening import open_tcp, open_unix, raise_descriptors
from ipcchat.sockets.stream import Stream
from ipcchat.trust.security import Security
from ipcchat.wire.messages import Bye, Error
from ipcchat.wire.protocol import State

__all__ = ["Server"]

_FIXED = (
    "listen",
    "unix",
    "data",
    "control",
    "headless",
    "loop",
    "plaintext",
    "plaintext_anywhere",
    "backlog",
    "batch_drafts",
    "feed_batches",
    "pending_drafts",
    "pages_in_flight",
    "operator_nick",
    "presence_grace",
    "presence_interval",
)
"""Settings that a running server can't change."""
_COMEBACK = (200, 1000)
"""Clients of a server that shuts down are asked to come back after so many ms, at random."""


class Server:
    """A chat server. Use it as an async context manager, or call `start` and `close`."""

    def __init__(
        self, settings: ServerSettings, reread: Callable[[], ServerSettings] | None = None
    ) -> None:
        """`reread` gives the settings as they are now, for `reload`; it may raise SettingError."""
        self.settings = settings
        self._reread = reread
        self.log = EventLog(settings.log_level)
        self.addresses: list[str] = []
        """Where it listens: `127.0.0.1:5555`, `[::]:5555`, a Unix socket's path."""
        self.control_path: Path | None = None
        """The control socket, or None where there is none (data in memory)."""
        self.tick: Tick
        self._admission: Admission
        self._hub: Hub
        self._door: Door
        self._gate: Gate
        self._journal: Journal
        self._index: Index | None = None
        self._listeners: list[Listener] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._run: asyncio.Task[None] | None = None
        self._numbers = 0
        self._security: Security
        self._closed = asyncio.Event()

    # --- life -------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that is shown; `NO_TLS` without TLS."""
        return self._security.fingerprint

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Opens the journal and the sockets, then accepts.

        Raises JournalError and its kin, ListenError, SettingError; nothing is left open then.
        """
        settings = self.settings
        await asyncio.to_thread(names.prepare)
        data = None if settings.data == paths.MEMORY else Path(settings.data or paths.data_dir())
        self._journal = await open_journal(
            data,
            batch_drafts=settings.batch_drafts,
            feed_batches=settings.feed_batches,
            pending_drafts=settings.pending_drafts,
            report=lambda text: self.log.error("journal", text),
        )
        try:
            await self._make_operator()
        except BaseException:
            await self._journal.close()
            raise
        self._security = Security(data)
        self._admission = Admission(settings)
        report = partial(self.log.warning, "search")
        self._index = Index(data, self._journal.epoch, report) if settings.search else None
        self._hub = Hub(
            settings, self._journal, self.log, self._admission, self._security, self._index
        )
        self._hub.reread = self._reload
        self._hub.data = paths.MEMORY if data is None else str(data)
        self.tick = self._hub.tick
        self._door = Door(self._hub)
        self._gate = Gate(self._hub)
        try:
            await asyncio.to_thread(self._certify, settings)
            await self._listen(data)
        except BaseException:
            await self._stop_listening()
            await self._close_files()
            raise
        self._hub.addresses = self.addresses
        self._run = asyncio.get_running_loop().create_task(self._serve(), name="ipcchat server")
        for shown in self.addresses:
            self.log.info("listening", f"listening on {shown}")
        self.log.info("loop", f"running on {loop_name()}")

    async def _make_operator(self) -> None:
        """The operator's account, at the first start."""
        if OPERATOR in self._journal.state.credentials:
            return
        nick = names.check_nick(self.settings.operator_nick)
        draft = Draft(
            account=SERVER,
            id=secrets.token_hex(16),
            kind="account",
            time=now_ms(),
            name=nick,
            key=names.key(nick),
            skeleton=names.skeleton(nick),
            credential=OPERATOR,
            role="operator",
            open=True,
        )
        await self._journal.append([draft])

    async def _listen(self, data: Path | None) -> None:
        settings = self.settings
        self._admission.fit(raise_descriptors(), settings.pages_in_flight)
        self._note_shortage()
        if not settings.listen and not settings.unix:
            raise SettingError(
                "there is nowhere to listen; give --listen HOST:PORT, or --unix PATH"
            )
        sockets: list[tuple[socket.socket, str]] = []
        try:
            for address in settings.listen:
                sockets += [(sock, "tcp") for sock in await open_tcp(address, settings.backlog)]
            if settings.plaintext and not settings.plaintext_anywhere:
                for sock, _ in sockets:
                    refuse_plain(sock.getsockname()[0])
            if settings.unix:
                path = Path(settings.unix)
                sockets.append((open_unix(path, 0o666, settings.backlog), "unix"))
            if settings.control or data is not None:
                self.control_path = Path(
                    settings.control or paths.control_path(data or paths.MEMORY)
                )
                sockets.append((open_unix(self.control_path, 0o600, settings.backlog), "control"))
        finally:
            for sock, kind in sockets:
                self._listeners.append(self._listener(sock, kind))
        self.addresses = [item.address for item in self._listeners if item.kind != "control"]

    def _note_shortage(self) -> None:
        if text := self._admission.shortage:
            self.log.warning("descriptors", text)

    def _listener(self, sock: socket.socket, kind: str) -> Listener:
        admission = None if kind == "control" else self._admission
        shown = self._security
        if kind != "tcp" or shown.context is None:
            return Listener(sock, kind, self._connection, self.log, admission)
        return Listener(
            sock, kind, self._connection, self.log, admission, shown.context, shown.fingerprint
        )

    def _certify(self, settings: ServerSettings) -> None:
        """Loads the certificate, where there is TLS. Raises SettingError, FileError."""
        if not settings.plaintext:
            self._security.load(settings.tls_cert, settings.tls_key)

    async def _serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                feed = group.create_task(Effects(self._hub).run())
                pager = group.create_task(self._hub.pager.run())
                searches = group.create_task(self._hub.searches.run())
                watch = group.create_task(self._watch())
                self._accepting = [group.create_task(item.run()) for item in self._listeners]
                await self._hub.stopping.wait()
                await self._drain(feed)
                for task in (pager, searches, watch):
                    task.cancel()
        finally:
            await self._stop_listening()
            for connection in tuple(self._hub.connections.values()):
                connection.abort()
            self._hub.presence.close()
            await self._close_files()
            self._closed.set()

    async def _close_files(self) -> None:
        if self._index is not None:
            await self._index.close()  # first: it reads the journal
        await self._journal.close()

    async def _stop_listening(self) -> None:
        for task in self._accepting:
            task.cancel()
        for task in self._accepting:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for listener in self._listeners:
            listener.close()
        self._accepting, self._listeners = [], []

    async def _drain(self, feed: asyncio.Task[None]) -> None:
        self.log.info("draining", "the server is shutting down")
        await self._stop_listening()
        for connection in self._hub.connections.values():
            connection.stop_reading()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_timeout):
                await self._hub.settled.wait()
        await self._close_files()
        await feed
        for connection in tuple(self._hub.connections.values()):
            wait = random.randint(*_COMEBACK)
            connection.close(Bye(code="shutdown", text="the server shuts down", wait_ms=wait))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_timeout):
                await self._hub.empty.wait()

    def shutdown(self) -> None:
        """Asks for an orderly end; `wait_closed` tells when it has come."""
        self._hub.stop()

    async def wait_closed(self) -> None:
        """Returns when the server has ended. Raises what ended it, where that was an error."""
        await self._closed.wait()
        if self._run is not None:
            await self._run

    async def close(self) -> None:
        """Shuts down and waits for it."""
        if self._run is not None:
            self.shutdown()
            await self.wait_closed()

    def reload(self) -> None:
        """Reads the settings again. Bad ones are logged and change nothing."""
        try:
            self._reload()
        except SettingError as error:
            self.log.error("reload", error.text)

    def _reload(self) -> None:
        if self._reread is None:
            return
        before, after = self.settings, self._reread()
        after = replace(after, plaintext=before.plaintext)  # said below; a port is one or the other
        try:
            self._certify(after)
        except FileError as error:
            raise SettingError(error.text, error.hint) from None
        for listener in self._listeners:
            if listener.kind == "tcp" and self._security.context is not None:
                listener.change_tls(self._security.context, self._security.fingerprint)
        fixed = [name for name in _FIXED if getattr(before, name) != getattr(after, name)]
        self.settings = self._hub.settings = self._admission.limits = after
        self._gate.rates.change(after.say_burst, after.say_rate)
        self.log.level = after.log_level
        self.log.info("reload", "the settings were read again")
        if after.max_clients != before.max_clients:
            self._note_shortage()
        for name in fixed:
            self.log.warning("reload", f"{name} takes effect at the next start")

    # --- connections ------------------------------------------------------------------

    async def open_console(self) -> socket.socket:
        """A socket that is logged in to as the operator at the server's terminal."""
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        connection = self._connection(Peer("console", "console", operator=True))
        Stream(asyncio.get_running_loop(), ours, connection)
        return theirs

    def _connection(self, peer: Peer) -> Connection:
        self._numbers += 1
        return Connection(self, peer, self._numbers)

    def opened(self, connection: Connection) -> None:
        """A connection's socket is ready."""
        self._hub.opened(connection)

    def received(self, connection: Connection, values: list[Struct | RemoteProtocolError]) -> None:
        """Values were read: the door's until there is a session, then the gate's."""
        session = self._hub.sessions.get(connection.number)
        if session is None:
            if values:
                self._admission.greeted(connection.number, connection.heard)
            values = self._door.received(connection, values)
            session = self._hub.sessions.get(connection.number)
        if values and session is not None:
            self._gate.received(connection, session, values)

    def lost(self, connection: Connection) -> None:
        """A connection has ended."""
        self._admission.lost(connection.number)
        self._hub.lost(connection)

    async def _watch(self) -> None:
        """Ends connections that are past a deadline."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        shortest = min(
            settings.first_frame_timeout,
            settings.login_timeout,
            settings.frame_timeout,
            settings.idle_after,
            settings.reply_timeout,
            4 * LINGER,
        )
        while True:
            await asyncio.sleep(shortest / 4)
            now = loop.time()
            for connection in tuple(self._hub.connections.values()):
                connection.note_progress(now)
                self._check(connection, now)

    def _check(self, connection: Connection, now: float) -> None:
        settings = self.settings
        alive = max(connection.heard, connection.progress)
        if connection.closing:
            if now - max(connection.closing, connection.progress) > LINGER:
                connection.abort()
        elif connection.unsent and now - connection.progress > settings.reply_timeout:
            self.log.info("too_slow", f"{connection.peer.address} takes nothing")
            connection.close(Error(code="too_slow"))
        elif connection.number not in self._hub.sessions:
            waited = now - connection.opened_at
            if waited > settings.login_timeout:
                connection.close(Error(code="idle", text="no login"))
            elif connection.wire.state is State.OPEN and waited > settings.first_frame_timeout:
                connection.close(Error(code="idle", text="no hello"))
        elif connection.reading and 0 < connection.partial < now - settings.frame_timeout:
            self.log.info("idle", f"{connection.peer.address} does not complete a frame")
            connection.close(Error(code="idle", text="a frame was not completed"))
        elif connection.reading and now - alive > settings.idle_after:
            self.log.info("idle", f"{connection.peer.address} is silent")
            connection.close(Bye(code="idle"))
