"""From a connection to a session: `hello` and `login`.

A known credential is its account; an unknown one makes an account with the nick that was asked
for, durable before the login is answered.
"""

import asyncio
import secrets
from functools import partial

from msgspec import Struct

from ipcchat import text
from ipcchat.errors import (
    CODES,
    JournalUnavailable,
    Refused,
    RemoteProtocolError,
    TextError,
)
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.server import access
from ipcchat.server.connection import Connection
from ipcchat.server.hub import Hub, now_ms
from ipcchat.server.requests import answer_error, refusal
from ipcchat.wire.messages import Error, Hello, HelloOk, Login, LoginOk, Ok, Ping

__all__ = ["VERSION", "Door"]

VERSION = 1
"""The protocol version this server speaks."""


class Door:
    """Takes what connections without a session read. Its methods do not await."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._limits = {
            "frame": 64 * 1024,
            "text": text.MAX_CHARS,
            "bytes": text.MAX_BYTES,
            "lines": text.MAX_LINES,
            "nick": text.MAX_NICK,
            "room": text.MAX_ROOM,
            "requests": hub.settings.requests_in_flight,
        }

    def received(
        self, connection: Connection, values: list[Struct | RemoteProtocolError]
    ) -> list[Struct | RemoteProtocolError]:
        """Handles values until the connection is a session; returns those left for it.

        A login that waits for the journal parks the rest.
        """
        for index, value in enumerate(values):
            if connection.number in self._hub.sessions:
                return values[index:]
            if isinstance(value, RemoteProtocolError):
                answer_error(connection, value)
            elif isinstance(value, Hello):
                self._hello(connection, value)
            elif isinstance(value, Login):
                if self._login(connection, value):
                    connection.park(values[index + 1 :])
                    break
            elif isinstance(value, Ping):
                connection.send(Ok(value.id))
        return []

    def _hello(self, connection: Connection, hello: Hello) -> None:
        if VERSION not in hello.versions:
            connection.close(
                Error(
                    id=hello.id,
                    code="bad_version",
                    text=f"this server speaks version {VERSION}",
                )
            )
            return
        connection.device = text.clean_line(hello.device)
        connection.nonce = access.new_nonce()
        connection.send_frames(
            connection.wire.send(
                HelloOk(
                    hello.id,
                    version=VERSION,
                    epoch=self._hub.journal.epoch,
                    nonce=connection.nonce,
                    methods=access.methods(connection.peer),
                    limits=self._limits,
                )
            )
        )

    def _login(self, connection: Connection, login: Login) -> bool:
        """True where the answer waits for the journal."""
        try:
            credential = access.credential(connection.peer, login)
            account = self._hub.journal.state.credentials.get(credential)
            if account is not None:
                self._enter(connection, login, account)
                return False
            nick = text.check_nick(login.nick)
        except (Refused, TextError) as error:
            connection.send(refusal(login.id, error))
            return False
        draft = Draft(
            account=0,
            id=secrets.token_hex(16),
            kind="account",
            time=now_ms(),
            name=nick,
            key=text.fold(nick),
            credential=credential,
        )
        connection.in_flight += 1
        self._hub.began(1)
        future = self._hub.journal.append([draft])
        future.add_done_callback(partial(self._decided, connection, login, credential))
        return True

    def _decided(
        self,
        connection: Connection,
        login: Login,
        credential: str,
        future: asyncio.Future[list[Outcome]],
    ) -> None:
        self._hub.ended(1)
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            code = error.code if isinstance(error, JournalUnavailable) else "busy"
            answer = Error(id=login.id, code=code, text=CODES[code].text, retry=True, wait_ms=1000)
            connection.send(answer)
        elif code := future.result()[0].code:
            connection.send(Error(id=login.id, code=code, text=CODES[code].text))
        elif not connection.closing:
            self._enter(connection, login, self._hub.journal.state.credentials[credential])
        connection.answered()

    def _enter(self, connection: Connection, login: Login, account: int) -> None:
        session = self._hub.login(connection, account, login.quiet)
        connection.send_frames(
            connection.wire.send(
                LoginOk(login.id, account=account, nick=session.nick, role=session.role)
            )
        )
