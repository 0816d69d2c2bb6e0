"""Raw clients that come to a server: strangers, who proves a key, any state of a connection."""

import asyncio
import hashlib
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct
from tests.support import RawClient, draft, encoded, serve

from ipcchat.errors import CODES
from ipcchat.server.access import Peer
from ipcchat.server.listener import Listener
from ipcchat.server.server import Server
from ipcchat.trust import certificate
from ipcchat.trust.identity import NO_TLS, Identity, new_nonce, transcript
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    REPLIES,
    Done,
    Error,
    Hello,
    HelloOk,
    Invite,
    Login,
    LoginOk,
    Ok,
    Say,
)
from ipcchat.wire.protocol import State

if TYPE_CHECKING:
    import ssl

__all__ = [
    "SECONDS",
    "Visitor",
    "answer",
    "anybody",
    "brought",
    "code",
    "hosted",
    "new_invite",
    "new_token",
    "nobody",
    "sample",
]

SECONDS = 5
"""For what must come soon."""


# --- who comes ----------------------------------------------------------------------------


def anybody() -> "ssl.SSLContext":
    """What a client connects with that takes any certificate."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def streams(
    address: str, secure: bool = False
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to `host:port` or a Unix socket's path."""
    if "/" in address:
        return await asyncio.open_unix_connection(address)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port), ssl=anybody() if secure else None)


class Visitor(RawClient):
    """A client that has said hello, and logs in by key."""

    nonce = ""
    """The server's, for this connection."""
    seen = NO_TLS
    """The fingerprint of the certificate that it was shown."""

    @classmethod
    @asynccontextmanager
    async def meet(cls, address: str, secure: bool = False) -> AsyncIterator["Visitor"]:
        """One that is closed with the block."""
        client = cls(*await streams(address, secure))
        try:
            if secure:
                shown = client.writer.get_extra_info("ssl_object").getpeercert(True)
                client.seen = certificate.fingerprint(shown)
            ok = await client.ask(Hello(client.next_id(), [1]))
            assert isinstance(ok, HelloOk), ok
            client.nonce = ok.nonce
            yield client
        finally:
            await client.close()

    def proof(self, who: Identity, nick: str = "", **more: Any) -> Login:
        """A login that is signed for this connection."""
        own = new_nonce()
        signed = who.sign(transcript(self.seen, self.nonce, own))
        number = self.next_id()
        return Login(number, "key", nick, key=who.public, nonce=own, signature=signed, **more)

    async def enter(self, who: Identity, nick: str = "", **more: Any) -> Any:
        """The answer to a login by key."""
        return await self.told(self.proof(who, nick, **more))

    async def told(self, login: Login) -> Any:
        """The answer to a login."""
        async with asyncio.timeout(SECONDS):
            ok = await self.ask(login)
        if isinstance(ok, LoginOk):
            self.account, self.nick = ok.account, ok.nick
        return ok


@contextmanager
def strangers() -> Iterator[None]:
    """Whoever comes by TCP counts as from another machine, which no address of a test is."""
    usual = Listener._peer

    def peer(self: Listener, sock: socket.socket, address: tuple[object, ...]) -> Peer:
        found = usual(self, sock, address)
        return replace(found, trusted=found.kind != "tcp")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Listener, "_peer", peer)
        yield


@asynccontextmanager
async def hosted(folder: Path, **changes: Any) -> AsyncIterator[tuple[Server, RawClient]]:
    """A server to which TCP brings strangers, and its operator."""
    control = str(folder / "control.sock")
    with strangers():
        async with (
            serve(control=control, **changes) as server,
            RawClient.login(control, "", method="peer", quiet=True) as operator,
        ):
            yield server, operator


# --- tokens and codes ---------------------------------------------------------------------


def new_token() -> tuple[str, str]:
    """A token, and what a server is told of it."""
    made = secrets.token_urlsafe(32)
    return made, hashlib.sha256(made.encode()).hexdigest()


async def new_invite(operator: RawClient, uses: int = 1) -> str:
    """The token of an invite for an hour."""
    token, hashed = new_token()
    asked = Invite(operator.next_id(), draft(), hashed, uses=uses, seconds=3600)
    assert isinstance(await operator.ask(asked), Done)
    return token


def code(answer: Any) -> str:
    """The code of a refusal; empty: it is none."""
    return answer.code if isinstance(answer, Error) else ""


async def nobody(client: RawClient) -> bool:
    """Whether the connection is no session: a say is refused, whoever it would be from."""
    number = client.next_id()
    client.writer.write(encoded(Say(number, 1, draft(), "it is me")))
    error = await client.take(lambda value: getattr(value, "request", None) == number or value)
    return getattr(error, "code", "") == "bad_state"


# --- any request, any state ---------------------------------------------------------------


FIELDS: dict[str, Any] = {
    "versions": [1],
    "method": "token",
    "room": 1,
    "seq": 1,
    "text": "hi",
    "name": "#den",
    "nick": "nobody",
    "hash": "0" * 64,
}
"""A value for each field that some request must have."""


def sample(cls: type[Struct], number: int, **more: Any) -> Any:
    """A request of that type."""
    names = cls.__struct_fields__
    given = {name: value for name, value in {**FIELDS, **more}.items() if name in names}
    if "draft" in names:
        given["draft"] = draft()
    return cls(id=number, **given)


async def answer(client: RawClient, request: Any) -> Any:
    """The reply to a request, in the type that it must have; events are passed over. Nothing else
    may have been read from the connection but by this."""
    client.writer.write(encoded(request))
    async with asyncio.timeout(SECONDS):
        while True:
            size = int.from_bytes(await client.reader.readexactly(4), "big")
            payload = await client.reader.readexactly(size)
            value = codec.decode_event(payload)
            if getattr(value, "id", None) == request.id:
                break
    if isinstance(value, Ok):
        return codec.decode_reply(payload, REPLIES[type(request)])
    assert isinstance(value, Error) and value.code in CODES and value.text
    return value


@asynccontextmanager
async def brought(address: str, state: State, **login: Any) -> AsyncIterator[RawClient]:
    """A connection in that state, closed with the block."""
    client = await RawClient.open(address)
    try:
        if state is State.CLOSED:
            assert code(await answer(client, Hello(1, [99]))) == "bad_version"
        elif state is not State.OPEN:
            assert isinstance(await answer(client, Hello(1, [1])), HelloOk)
        if state is State.READY:
            asked = {"method": "secret", "nick": "ann", "secret": secrets.token_hex(16), **login}
            assert isinstance(await answer(client, Login(2, **asked)), LoginOk)
        yield client
    finally:
        await client.close()
