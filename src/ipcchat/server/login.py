"""From a connection to a session: `hello` and `login`.

A known credential is its account; an unknown one makes an account with the nick that was asked
for, durable before the login is answered.
"""

import asyncio
import secrets
from functools import partial

from msgspec import Struct

from ipcchat import names, text
from ipcchat.entries import now_ms
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
from ipcchat.server.hub import Hub
from ipcchat.server.requests import answer_error, refusal
from ipcchat.trust.identity import NO_TLS
from ipcchat.wire.messages import FEATURES, Error, Hello, HelloOk, Login, LoginOk, Ok, Ping
from ipcchat.wire.protocol import State

__all__ = ["VERSION", "Door"]

VERSION = 1
"""The protocol version this server speaks."""


_TRIES = 32
"""Logins that a connection may have refused: each costs the check of a signature."""


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
            if connection.closing:
                break
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
        self._tell(
            connection,
            HelloOk(
                hello.id,
                version=VERSION,
                epoch=self._hub.journal.epoch,
                nonce=connection.nonce,
                methods=access.methods(connection.peer),
                features=[it for it in FEATURES if it != "search" or self._hub.index is not None],
                limits=self._limits,
            ),
        )

    def _login(self, connection: Connection, login: Login) -> bool:
        """True where the answer waits for the journal."""
        known = self._hub.journal.state
        try:
            credential = access.credential(connection.peer, login, connection.nonce)
            older = access.moving(connection.peer, login)
            account = known.credentials.get(credential)
            if account is not None:
                self._enter(connection, login, account, credential)
                return False
            draft = self._newcomer(connection.number, connection.peer, login, credential, older)
        except (Refused, TextError) as error:
            self._refuse(connection, refusal(login.id, error))
            return False
        connection.in_flight += 1
        self._hub.began(1)
        future = self._hub.journal.append([draft])
        future.add_done_callback(partial(self._decided, connection, login, credential))
        return True

    def _newcomer(
        self, number: int, peer: access.Peer, login: Login, credential: str, older: str
    ) -> Draft:
        """The draft of a new account, or of one that moves. Raises Refused, TextError: what is
        certain already makes no draft, so that strangers leave nothing behind."""
        self._hub.admission.check_room(number)
        known = self._hub.journal.state
        now = now_ms()
        moves = older in known.credentials
        if login.method == "token":
            raise Refused("bad_proof", "that token is unknown, or was revoked")
        nick = login.nick or (access.login_name(peer.uid) if login.method == "peer" else "")
        nick = "" if moves else names.check_nick(nick)
        key, skeleton = names.key(nick), names.skeleton(nick)
        opened = peer.trusted or self._hub.settings.access == "open"
        invite = ""
        if not opened and not moves and known.admitted.get(credential, 0) <= now:
            try:
                invite = access.token_hash(login.invite) if login.invite else ""
            except ValueError:
                raise Refused("bad_invite") from None
            found = known.invites.get(invite)
            if found is None or found.expires <= now:
                self._hub.ask(key, nick, credential, peer)
                raise Refused("bad_invite" if login.invite else "not_invited")
        holder = known.reserved.get(key)
        if not moves and (key in known.nick_keys or (holder is not None and holder.until > now)):
            raise Refused("nick_taken")
        if not moves and skeleton in known.nick_skeletons:
            raise Refused("look_alike")
        return Draft(
            account=0,
            id=secrets.token_hex(16),
            kind="account",
            time=now,
            name=nick,
            key=key,
            skeleton=skeleton,
            credential=credential,
            older=older,
            invite=invite,
            open=opened,
        )

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
            self._refuse(connection, Error(id=login.id, code=code, text=CODES[code].text))
        elif not connection.closing:
            account = self._hub.journal.state.credentials.get(credential)
            if account is None:  # another connection has moved it to a key meanwhile
                text = CODES["bad_proof"].text
                self._refuse(connection, Error(id=login.id, code="bad_proof", text=text))
            else:
                self._enter(connection, login, account, credential)
        connection.answered()

    def _enter(
        self,
        connection: Connection,
        login: Login,
        account: int,
        credential: str,
    ) -> None:
        if self._hub.journal.state.banned(account, now_ms()):
            connection.close(Error(id=login.id, code="banned", text=CODES["banned"].text))
            return
        try:
            session = self._hub.login(connection, account, login.quiet, credential)
        except Refused as error:
            connection.close(refusal(login.id, error))
            return
        secured = connection.peer.fingerprint != NO_TLS
        successor = self._hub.security.successor if secured else ""
        self._tell(
            connection,
            LoginOk(
                login.id,
                account=account,
                nick=session.nick,
                role=session.role,
                moved=login.method == "key" and bool(login.secret),
                successor=successor,
            ),
        )

    def _refuse(self, connection: Connection, error: Error) -> None:
        """Refuses a login, and after several of them the connection."""
        connection.send(error)
        connection.refused += 1
        if connection.refused >= _TRIES:
            connection.close(Error(code="too_many", text="too many logins were refused"))

    def _tell(self, connection: Connection, message: Struct) -> None:
        """Sends what moves the state on. Not where the stream has ended behind this request: the
        error that says so is among the values left, and closes."""
        if connection.wire.state is not State.CLOSED:
            connection.send_frames(connection.wire.send(message))
