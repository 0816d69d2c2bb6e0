"""Who comes in: keys, nicks, invites, tokens, and what is asked before there is a session.

`Visitor`, `hosted` and their like are for other tests of the server, too.
"""

import asyncio
import hashlib
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct, structs
from tests.support import RawClient, draft, encoded, frame, serve

from ipcchat import names
from ipcchat.errors import CODES
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft
from ipcchat.server.access import Peer
from ipcchat.server.hub import now_ms
from ipcchat.server.listener import Listener
from ipcchat.server.server import Server
from ipcchat.trust import certificate
from ipcchat.trust.identity import NO_TLS, Identity, new_nonce, transcript
from ipcchat.wire import codec
from ipcchat.wire.framing import FrameReader
from ipcchat.wire.messages import (
    REPLIES,
    Admit,
    Done,
    Error,
    Hello,
    HelloOk,
    Invite,
    Login,
    LoginOk,
    Nick,
    Ok,
    Ping,
    Revoke,
    Say,
    Shutdown,
)
from ipcchat.wire.protocol import ALLOWED, State

if TYPE_CHECKING:
    import ssl

DAY = 86_400_000
"""Milliseconds."""
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


# --- keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.asyncio
async def test_a_key_is_an_account_for_ever(secure: bool) -> None:
    who = Identity.make()
    async with serve(plaintext=not secure) as server:
        async with Visitor.meet(server.addresses[0], secure) as ann:
            assert ann.seen == server.fingerprint
            assert isinstance(await ann.enter(who, "ann"), LoginOk)
        async with Visitor.meet(server.addresses[0], secure) as again:
            ok = await again.enter(who, "another")
            assert (ok.account, ok.nick, ok.role, ok.moved) == (ann.account, "ann", "member", False)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.asyncio
async def test_a_replayed_login_is_refused(secure: bool) -> None:
    who = Identity.make()
    async with serve(plaintext=not secure) as server:
        async with Visitor.meet(server.addresses[0], secure) as ann:
            login = ann.proof(who, "ann")
            assert isinstance(await ann.told(login), LoginOk)
        async with Visitor.meet(server.addresses[0], secure) as mallory:
            assert mallory.nonce != ann.nonce
            assert code(await mallory.told(login)) == "bad_proof"
            mixed = structs.replace(mallory.proof(Identity.make()), key=who.public, id=77)
            assert code(await mallory.told(mixed)) == "bad_proof"
            assert await nobody(mallory)
        assert not server._hub.sessions


@asynccontextmanager
async def between(address: str, secure: bool) -> AsyncIterator[str]:
    """Somebody who passes on what a client and the server say over TLS; with `secure`, under a
    certificate of its own, so that it hears all of it."""
    host, _, port = address.rpartition(":")
    ended = asyncio.Event()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = anybody() if secure else None
        back, forth = await asyncio.open_connection(host, int(port), ssl=context)
        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, forth))
            group.create_task(copy(back, writer))
        ended.set()

    tls = certificate.server_context(certificate.make()) if secure else None
    listener = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=tls)
    try:
        where = listener.sockets[0].getsockname()
        yield f"{where[0]}:{where[1]}"
        async with asyncio.timeout(SECONDS):
            await ended.wait()
    finally:
        listener.close()
        await listener.wait_closed()


@pytest.mark.asyncio
async def test_a_relayed_login_is_refused() -> None:
    who = Identity.make()
    async with serve(plaintext=False) as server:
        async with between(server.addresses[0], secure=False) as wire:
            async with Visitor.meet(wire, True) as ann:
                assert isinstance(await ann.enter(who, "ann"), LoginOk), "a mere wire is none"
        async with between(server.addresses[0], secure=True) as mallory:
            async with Visitor.meet(mallory, True) as ann:
                assert ann.seen != server.fingerprint
                assert code(await ann.enter(who)) == "bad_proof"
                assert await nobody(ann)


@pytest.mark.asyncio
async def test_a_signature_for_one_way_in_is_worth_nothing_at_another(tmp_path: Path) -> None:
    who = Identity.make()
    path = str(tmp_path / "chat.sock")
    async with serve(plaintext=False, unix=path) as server, serve(plaintext=False) as other:
        tcp = server.addresses[0]
        async with Visitor.meet(tcp, True) as client:
            for seen in (NO_TLS, other.fingerprint):
                client.seen = seen
                assert code(await client.enter(who, "ann")) == "bad_proof"
        async with Visitor.meet(path) as client:
            client.seen = server.fingerprint
            assert code(await client.enter(who, "ann")) == "bad_proof"
            client.seen = NO_TLS
            assert isinstance(await client.enter(who, "ann"), LoginOk)


@pytest.mark.asyncio
async def test_an_older_account_moves_from_its_secret_to_a_key(tmp_path: Path) -> None:
    secret, who = secrets.token_hex(16), Identity.make()
    async with serve(data=str(tmp_path), control=str(tmp_path / "c")) as server:
        async with RawClient.login(server.addresses[0], "ann", secret) as old:
            account = old.account
    async with hosted(tmp_path, data=str(tmp_path)) as (server, _):
        address = server.addresses[0]
        async with Visitor.meet(address) as ann:
            assert code(await ann.enter(who, "ann", secret="0" * 32)) == "not_invited"
            ok = await ann.enter(who, "ann", secret=secret)
            assert (ok.account, ok.nick, ok.moved) == (account, "ann", True)
        async with Visitor.meet(address) as ann:
            ok = await ann.enter(who)
            assert (ok.account, ok.moved) == (account, False)
    async with hosted(tmp_path, data=str(tmp_path)) as (server, _):
        async with Visitor.meet(server.addresses[0]) as mallory:
            found = await mallory.told(Login(7, "secret", "ann", secret=secret))
            assert code(found) == "not_invited"
            found = await mallory.enter(Identity.make(), "ann", secret=secret)
            assert code(found) == "not_invited"
            assert isinstance(await mallory.enter(who), LoginOk), "the key is what counts"
    assert secret.encode() not in (tmp_path / "journal.sqlite").read_bytes()


@pytest.mark.asyncio
async def test_who_guesses_on_and_on_is_closed() -> None:
    async with serve(login_timeout=0.5) as server:
        async with brought(server.addresses[0], State.GREETED) as mallory:
            for number in range(10, 210):
                mallory.writer.write(encoded(Login(number, "key", "ann", key="0" * 64)))
            async with asyncio.timeout(SECONDS):
                data = await mallory.reader.read(-1)
            told = [codec.decode_event(payload) for payload in FrameReader().feed(data)]
            assert {code(error) for error in told[:-1]} == {"bad_proof"}
            assert isinstance(told[-1], Error) and told[-1].id is None
            assert 8 < len(told) < 100, "each try costs the server the check of a signature"


# --- nicks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owned", "wanted", "refused"),
    [
        ("ann", "ann", "nick_taken"),
        ("ann", "ANN", "nick_taken"),
        ("ann", "ａｎｎ", "nick_taken"),
        ("modern", "modem", "look_alike"),
        ("scope", "ѕсоре", "look_alike"),  # all of it Cyrillic
        ("scope", "scоpe", "bad_name"),  # one letter is
        ("ann", "operator", "nick_taken"),
        ("ann", "0perator", "look_alike"),
    ],
)
@pytest.mark.asyncio
async def test_a_nick_of_another_is_not_to_be_had(owned: str, wanted: str, refused: str) -> None:
    async with serve() as server, Visitor.meet(server.addresses[0]) as ann:
        assert isinstance(await ann.enter(Identity.make(), owned), LoginOk)
        async with Visitor.meet(server.addresses[0]) as mallory:
            assert code(await mallory.enter(Identity.make(), wanted)) == refused
            assert isinstance(await mallory.enter(Identity.make(), "mallory"), LoginOk)
            answer = await mallory.ask(Nick(mallory.next_id(), draft(), wanted))
            assert code(answer) == refused


async def past(folder: Path, owner: Identity, days: int) -> int:
    """A journal in which `ann` has been called `anna` for so many days; her account's number."""
    when = now_ms() - days * DAY
    journal = await open_journal(folder)
    try:
        credential = "key:" + owner.public
        made = Draft(0, draft(), "account", when, name="ann", key="ann", credential=credential)
        made.open = True
        await journal.append([made])
        number = journal.state.credentials[credential]
        await journal.append([Draft(number, draft(), "nick", when, name="anna", key="anna")])
    finally:
        await journal.close()
    return number


@pytest.mark.parametrize(("days", "refused"), [(0, "nick_taken"), (29, "nick_taken"), (31, "")])
@pytest.mark.asyncio
async def test_an_old_nick_is_its_owners_for_30_days(
    tmp_path: Path, days: int, refused: str
) -> None:
    owner = Identity.make()
    number = await past(tmp_path, owner, days)
    async with serve(data=str(tmp_path), control=str(tmp_path / "c")) as server:
        address = server.addresses[0]
        async with Visitor.meet(address) as mallory:
            assert code(await mallory.enter(Identity.make(), "Ann")) == refused
        if refused:
            async with Visitor.meet(address) as ann:
                assert (await ann.enter(owner)).account == number
                back = await ann.ask(Nick(ann.next_id(), draft(), "ann"))
                assert isinstance(back, Done)


# --- invites ------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_stranger_needs_an_invite_and_a_known_account_nothing(tmp_path: Path) -> None:
    who = Identity.make()
    async with hosted(tmp_path) as (server, operator):
        address = server.addresses[0]
        before = server._journal.state.last_account
        async with Visitor.meet(address) as bob:
            assert code(await bob.enter(who, "bob")) == "not_invited"
            assert await nobody(bob)
        assert server._journal.state.last_account == before
        token = await new_invite(operator)
        async with Visitor.meet(address) as bob:
            assert isinstance(await bob.enter(who, "bob", invite=token), LoginOk)
        async with Visitor.meet(address) as bob:
            assert (await bob.enter(who)).nick == "bob"


@pytest.mark.asyncio
async def test_an_open_server_takes_strangers_and_so_does_this_machine(tmp_path: Path) -> None:
    async with hosted(tmp_path, access="open") as (server, _):
        async with Visitor.meet(server.addresses[0]) as bob:
            assert isinstance(await bob.enter(Identity.make(), "bob"), LoginOk)
    path = str(tmp_path / "chat.sock")
    async with serve(unix=path) as server:
        for address in server.addresses:
            async with Visitor.meet(address) as bob:
                assert isinstance(await bob.enter(Identity.make(), f"b{len(address)}"), LoginOk)


async def _used(server: Server, operator: RawClient) -> str:
    token = await new_invite(operator)
    async with Visitor.meet(server.addresses[0]) as first:
        assert isinstance(await first.enter(Identity.make(), "first", invite=token), LoginOk)
    return token


async def _revoked(server: Server, operator: RawClient) -> str:
    token, hashed = new_token()
    await operator.ask(Invite(operator.next_id(), draft(), hashed, uses=9))
    assert isinstance(await operator.ask(Revoke(operator.next_id(), draft(), hashed)), Done)
    return token


async def _expired(server: Server, operator: RawClient) -> str:
    token, hashed = new_token()
    now = now_ms()
    made = Draft(operator.account, draft(), "invite", now, credential=hashed, seq=9, until=now)
    assert not (await server._journal.append([made]))[0].code
    return token


async def _guessed(server: Server, operator: RawClient) -> str:
    await new_invite(operator)
    return new_token()[0]


async def _hashed(server: Server, operator: RawClient) -> str:
    """What somebody has who has read the server's file."""
    _, hashed = new_token()
    await operator.ask(Invite(operator.next_id(), draft(), hashed))
    return hashed


async def _nonsense(server: Server, operator: RawClient) -> str:
    return "' OR 1=1 --"


@pytest.mark.parametrize("made", [_used, _revoked, _expired, _guessed, _hashed, _nonsense])
@pytest.mark.asyncio
async def test_an_invite_that_is_none_is_refused(tmp_path: Path, made: Any) -> None:
    async with hosted(tmp_path) as (server, operator):
        token = await made(server, operator)
        before = server._journal.state.last_account
        async with Visitor.meet(server.addresses[0]) as mallory:
            answer = await mallory.enter(Identity.make(), "mallory", invite=token)
            assert code(answer) == "bad_invite"
            assert await nobody(mallory)
        assert server._journal.state.last_account == before


@pytest.mark.asyncio
async def test_an_invite_makes_so_many_accounts_also_at_once(tmp_path: Path) -> None:
    async with hosted(tmp_path) as (server, operator):
        token = await new_invite(operator, uses=3)
        before = server._journal.state.last_account
        people = [Identity.make() for _ in range(12)]
        together = asyncio.Barrier(len(people))

        async def come(number: int, who: Identity) -> str:
            async with Visitor.meet(server.addresses[0]) as client:
                await together.wait()
                return code(await client.enter(who, f"guest{number}", invite=token))

        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            tasks = [group.create_task(come(*item)) for item in enumerate(people)]
        found = sorted(task.result() for task in tasks)
        assert found == [""] * 3 + ["bad_invite"] * 9
        assert server._journal.state.last_account == before + 3
        again = []
        for who in people:
            async with Visitor.meet(server.addresses[0]) as client:
                again.append(code(await client.enter(who, "later", invite=token)))
        assert sorted(again) == found


@pytest.mark.asyncio
async def test_who_is_admitted_is_the_key_that_asked(tmp_path: Path) -> None:
    who, other = Identity.make(), Identity.make()
    async with hosted(tmp_path) as (server, operator):
        address = server.addresses[0]
        nothing = Admit(operator.next_id(), draft(), "bob")
        assert code(await operator.ask(nothing)) == "no_account"
        async with Visitor.meet(address) as bob:
            assert code(await bob.enter(who, "bob")) == "not_invited"
        (line,) = [it for it in server.log.last(100) if it.event == "asks"]
        assert line.text.startswith("bob @127.0.0.1") and line.text.endswith("/admit bob")
        assert isinstance(await operator.ask(Admit(operator.next_id(), draft(), "bob")), Done)
        async with Visitor.meet(address) as mallory:
            assert code(await mallory.enter(other, "bob")) == "not_invited"
            assert code(await mallory.enter(other, "carl")) == "not_invited"
        async with Visitor.meet(address) as bob:
            assert (await bob.enter(who, "bob")).nick == "bob"
        async with Visitor.meet(address) as mallory:
            assert code(await mallory.enter(other, "mallory")) == "not_invited"


@pytest.mark.asyncio
async def test_who_asks_under_the_same_nick_is_not_admitted_instead(tmp_path: Path) -> None:
    who, other = Identity.make(), Identity.make()
    async with hosted(tmp_path) as (server, operator):
        address = server.addresses[0]
        for one in (who, other):
            async with Visitor.meet(address) as client:
                assert code(await client.enter(one, "bob")) == "not_invited"
        assert isinstance(await operator.ask(Admit(operator.next_id(), draft(), "bob")), Done)
        async with Visitor.meet(address) as mallory:
            assert code(await mallory.enter(other, "bob")) == "not_invited"
        async with Visitor.meet(address) as bob:
            assert isinstance(await bob.enter(who, "bob"), LoginOk)


@pytest.mark.asyncio
async def test_strangers_who_ask_do_not_fill_the_log(tmp_path: Path) -> None:
    async with hosted(tmp_path) as (server, _):
        for turn in range(3):
            async with Visitor.meet(server.addresses[0]) as mallory:
                for number in range(20):
                    with suppress(EOFError, OSError):  # it may be told to stop
                        await mallory.enter(Identity.make(), f"m{turn}x{number}")
        lines = [line for line in server.log.last(1000) if line.event == "asks"]
        assert 0 < len(lines) <= 20


# --- tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "short", new_token()[0], "é" * 43, "0" * 64])
@pytest.mark.asyncio
async def test_a_token_that_is_none_is_refused(token: str) -> None:
    async with serve() as server, Visitor.meet(server.addresses[0]) as mallory:
        before = server._journal.state.last_account
        answer = await mallory.told(Login(mallory.next_id(), "token", "robot", token=token))
        assert code(answer) == "bad_proof"
        assert await nobody(mallory)
        assert server._journal.state.last_account == before


# --- frames -------------------------------------------------------------------------------


def ping(size: int) -> bytes:
    """A ping of so many bytes."""
    head = b'{"type":"ping","id":9,"x":"'
    return frame(head + b"x" * (size - len(head) - 2) + b'"}')


@pytest.mark.asyncio
async def test_before_login_a_frame_has_4_kib() -> None:
    async with serve() as server:
        async with Visitor.meet(server.addresses[0]) as client:
            client.wire._asked[9] = Ping
            client.writer.write(ping(4096))
            assert isinstance(await client.take(lambda value: True), Ok)
            client.writer.write(ping(4097)[:4])  # not one byte of it is needed
            error = await client.take(lambda value: True)
            assert (error.code, error.id) == ("too_long", None)
            assert await client.reader.read() == b""
        async with RawClient.login(server.addresses[0], "ann") as ann:
            ann.wire._asked[9] = Ping
            ann.writer.write(ping(65536))
            assert isinstance(await ann.take(lambda value: isinstance(value, Ok)), Ok)
            ann.writer.write(ping(65537)[:4])
            error = await ann.take(lambda value: isinstance(value, Error))
            assert error.code == "too_long"


@pytest.mark.asyncio
async def test_a_frame_that_trickles_is_closed_in_time() -> None:
    async with serve(frame_timeout=0.3) as server:
        async with RawClient.login(server.addresses[0], "ann") as ann:
            loop = asyncio.get_running_loop()
            began = loop.time()
            closed = asyncio.Event()

            async def trickle() -> None:
                with suppress(OSError):
                    for byte in ping(1000):
                        ann.writer.write(bytes([byte]))
                        await ann.writer.drain()
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.01):
                                await closed.wait()
                        if closed.is_set():
                            return

            async with asyncio.TaskGroup() as group:
                group.create_task(trickle())
                error = await ann.take(lambda value: isinstance(value, Error))
                closed.set()
            assert (error.code, error.id) == ("idle", None)
            assert 0.3 <= loop.time() - began < 2


# --- every request in every state ---------------------------------------------------------

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


ORDER = sorted(REPLIES, key=lambda cls: (cls is Shutdown, cls.__name__))


ALIVE = [State.OPEN, State.GREETED, State.READY]


@pytest.mark.parametrize("state", ALIVE)
@pytest.mark.asyncio
async def test_what_a_state_does_not_allow_is_answered_so(state: State) -> None:
    async with serve() as server, brought(server.addresses[0], state) as client:
        for number, cls in enumerate(ORDER, 10):
            if cls not in ALLOWED[state]:
                error = await answer(client, sample(cls, number))
                assert (error.code, error.retry) == ("bad_state", False), cls


@pytest.mark.parametrize("state", ALIVE)
@pytest.mark.parametrize("role", ["member", "operator"])
@pytest.mark.asyncio
async def test_what_a_state_allows_gets_a_typed_answer(
    tmp_path: Path, state: State, role: str
) -> None:
    control = str(tmp_path / "control.sock")
    codes: dict[str, str] = {}
    async with serve(control=control) as server:
        address = control if role == "operator" else server.addresses[0]
        login = {"method": "peer"} if role == "operator" else {}
        async with brought(address, state, **login) as client:
            for number, cls in enumerate(ORDER, 10):
                if cls in ALLOWED[state]:
                    found = await answer(client, sample(cls, number, nick=f"nobody{number}"))
                    assert isinstance(found, REPLIES[cls] | Error)
                    codes[cls.__name__] = code(found)
        if state is State.READY and role == "operator":
            async with asyncio.timeout(SECONDS):
                await server.wait_closed()  # the last request was `shutdown`
    assert "internal" not in codes.values()
    if state is State.READY:
        assert ("forbidden" in codes.values()) == (role == "member")
    assert not [line for line in server.log.last(1000) if line.level == "error"]


@pytest.mark.asyncio
async def test_after_the_end_nothing_is_answered() -> None:
    assert not ALLOWED[State.CLOSED]
    async with serve() as server, brought(server.addresses[0], State.CLOSED) as client:
        with suppress(OSError):
            for number, cls in enumerate(ORDER, 10):
                client.writer.write(encoded(sample(cls, number)))
            async with asyncio.timeout(SECONDS):
                assert await client.reader.read() == b""


def test_names_of_the_table_are_names() -> None:
    """What `test_a_nick_of_another_is_not_to_be_had` compares is different as it is typed."""
    assert names.key("ａｎｎ") == "ann" and names.key("ѕсоре") != "scope"


@pytest.mark.asyncio
async def test_of_two_who_move_one_account_at_once_one_has_it_and_none_a_bad_name() -> None:
    secret = secrets.token_hex(16)
    async with serve() as server:
        address = server.addresses[0]
        async with RawClient.login(address, "ann", secret) as ann:
            account = ann.account
        async with AsyncExitStack() as stack:
            visitors = [await stack.enter_async_context(Visitor.meet(address)) for _ in range(3)]
            asked = [
                visitors[0].proof(Identity.make(), "\x1b]0;pwned\x07", secret=secret),
                visitors[1].proof(Identity.make(), "\x1b]0;pwned\x07", secret=secret),
                Login(visitors[2].next_id(), "secret", nick="ann", secret=secret),
            ]
            told = (visitor.told(login) for visitor, login in zip(visitors, asked, strict=True))
            answers = await asyncio.gather(*told)
        inside = [it for it in answers if isinstance(it, LoginOk)]
        assert inside and {(it.account, it.nick) for it in inside} == {(account, "ann")}
        assert {it.code for it in answers if isinstance(it, Error)} <= {"bad_proof", "bad_name"}
        assert {it.nick for it in server._journal.state.accounts.values()} == {"operator", "ann"}


@pytest.mark.asyncio
async def test_look_alikes_that_are_refused_leave_no_row() -> None:
    async with serve() as server:
        address = server.addresses[0]
        async with RawClient.login(address, "paypal"):
            before = server._journal.state.applied
            for _ in range(5):
                client = await RawClient.open(address)
                await client.ask(Hello(client.next_id(), [1]))
                login = Login(
                    client.next_id(), "secret", nick="pаypаl", secret=secrets.token_hex(16)
                )
                assert (await client.ask(login)).code in ("look_alike", "bad_name")
                await client.close()
            assert server._journal.state.applied == before
