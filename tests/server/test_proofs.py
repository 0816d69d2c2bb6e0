"""How an account is proved at the door: keys, older secrets, tokens; and what is no proof."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec import structs
from tests.server.visitor import SECONDS, Visitor, anybody, brought, code, hosted, new_token, nobody
from tests.support import RawClient, encoded, serve

from ipcchat.trust import certificate
from ipcchat.trust.identity import NO_TLS, Identity
from ipcchat.wire import codec
from ipcchat.wire.framing import FrameReader
from ipcchat.wire.messages import Error, Login, LoginOk
from ipcchat.wire.protocol import State

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


# --- older secrets ------------------------------------------------------------------------


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


# --- tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["", "short", pytest.param(new_token()[0], id="unknown"), "é" * 43, "0" * 64]
)
@pytest.mark.asyncio
async def test_a_token_that_is_none_is_refused(token: str) -> None:
    async with serve() as server, Visitor.meet(server.addresses[0]) as mallory:
        before = server._journal.state.last_account
        answer = await mallory.told(Login(mallory.next_id(), "token", "robot", token=token))
        assert code(answer) == "bad_proof"
        assert await nobody(mallory)
        assert server._journal.state.last_account == before
