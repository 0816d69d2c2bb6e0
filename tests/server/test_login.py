"""From a connection to a session: methods, nicks, devices, and what is refused before."""

import asyncio
import secrets
from pathlib import Path

import pytest
from tests.support import RawClient, draft, encoded, frame, serve

from ipcchat.entries import Entry
from ipcchat.errors import RemoteProtocolError
from ipcchat.server.server import Server
from ipcchat.wire.messages import (
    Bye,
    Done,
    Error,
    Hello,
    HelloOk,
    Login,
    LoginOk,
    Nick,
    Ok,
    Ping,
    Say,
    Status,
)


async def greeted(server: Server, device: str = "") -> RawClient:
    client = await RawClient.open(server.addresses[0])
    ok = await client.ask(Hello(client.next_id(), [1], device=device))
    assert isinstance(ok, HelloOk)
    return client


@pytest.mark.asyncio
async def test_hello_tells_what_the_server_is() -> None:
    async with serve() as server:
        client = await RawClient.open(server.addresses[0])
        ok = await client.ask(Hello(client.next_id(), [1, 2]))
        assert (ok.version, ok.methods) == (1, ["key", "secret", "token"])
        assert len(ok.epoch) == len(ok.nonce) == 32
        assert ok.limits["frame"] == 65536
        await client.close()


@pytest.mark.asyncio
async def test_a_secret_is_an_account_for_ever(tmp_path: Path) -> None:
    secret = secrets.token_hex(16)
    async with serve(data=str(tmp_path)) as server:
        async with RawClient.login(server.addresses[0], "ann", secret) as ann:
            account = ann.account
    async with serve(data=str(tmp_path)) as server:
        async with RawClient.login(server.addresses[0], "another", secret) as ann:
            assert (ann.account, ann.nick) == (account, "ann")
        async with RawClient.login(server.addresses[0], "bob") as bob:
            assert bob.account != account
    assert secret.encode() not in (tmp_path / "journal.sqlite").read_bytes()


@pytest.mark.asyncio
async def test_a_nick_belongs_to_one_account() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "Ann") as ann:
        client = await greeted(server)
        taken = await client.ask(
            Login(client.next_id(), "secret", "ANN", secret=secrets.token_hex(16))
        )
        assert (taken.code, taken.retry) == ("nick_taken", False)
        ok = await client.ask(
            Login(client.next_id(), "secret", "bob", secret=secrets.token_hex(16))
        )
        assert isinstance(ok, LoginOk)
        assert (await client.ask(Nick(client.next_id(), draft(), "ann"))).code == "nick_taken"
        assert isinstance(await ann.ask(Nick(ann.next_id(), draft(), "ann")), Done)
        await client.close()


@pytest.mark.parametrize(
    ("login", "code"),
    [
        (Login(2, "secret", "ann", secret="short"), "bad_proof"),
        (Login(2, "peer", "ann"), "bad_method"),
        (Login(2, "magic", "ann"), "bad_method"),
        (Login(2, "secret", "an n", secret="0" * 32), "bad_name"),
        (Login(2, "secret", "", secret="0" * 32), "bad_name"),
    ],
)
@pytest.mark.asyncio
async def test_a_bad_login_is_refused_and_may_be_tried_again(login: Login, code: str) -> None:
    async with serve() as server:
        client = await RawClient.open(server.addresses[0])
        await client.ask(Hello(1, [1]))
        assert (await client.ask(login)).code == code
        ok = await client.ask(Login(3, "secret", "ann", secret=secrets.token_hex(16)))
        assert isinstance(ok, LoginOk)
        await client.close()


@pytest.mark.asyncio
async def test_nothing_but_hello_login_and_ping_before_the_session() -> None:
    async with serve() as server:
        client = await RawClient.open(server.addresses[0])
        client.writer.write(encoded(Say(7, 1, draft(), "hi")))
        error = await client.take(lambda value: True)
        assert isinstance(error, RemoteProtocolError) or error.code == "bad_state"
        await client.ask(Hello(8, [1]))
        assert isinstance(await client.ask(Ping(9)), Ok)
        client.writer.write(encoded(Hello(10, [1])))
        await client.close()


@pytest.mark.asyncio
async def test_no_common_version_is_said_and_closed() -> None:
    async with serve() as server:
        client = await RawClient.open(server.addresses[0])
        error = await client.ask(Hello(1, [99]))
        assert error.code == "bad_version"
        assert await client.reader.read() == b""
        await client.close()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "too_long"),
        ((4097).to_bytes(4, "big"), "too_long"),
        (bytes(4), "bad_frame"),
        (frame(b"\xff{}"), "bad_utf8"),
        (frame(b"hello"), "bad_json"),
        (frame(b"[" * 4000), "bad_json"),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_frame_gets_one_answer_and_a_close(data: bytes, code: str) -> None:
    async with serve() as server:
        client = await RawClient.open(server.addresses[0])
        client.writer.write(data)
        error = await client.take(lambda value: isinstance(value, Error))
        assert (error.code, error.id) == (code, None)
        assert await client.reader.read() == b""
        await client.close()


@pytest.mark.asyncio
async def test_who_does_not_log_in_is_closed() -> None:
    async with serve(login_timeout=0.1) as server:
        client = await greeted(server)
        error = await client.take(lambda value: isinstance(value, Error))
        assert error.code == "idle"
        await client.close()


@pytest.mark.asyncio
async def test_who_is_silent_is_closed_and_who_pings_is_not() -> None:
    async def live(client: RawClient) -> None:
        while True:
            assert isinstance(await client.ask(Ping(client.next_id())), Ok)
            await asyncio.sleep(0.02)

    async with (
        serve(idle_after=0.5) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
        asyncio.TaskGroup() as group,
    ):
        living = group.create_task(live(ann))
        bye = await bob.take(lambda value: isinstance(value, Bye))
        assert bye.code == "idle"
        assert not living.done()
        living.cancel()


@pytest.mark.asyncio
async def test_a_returning_device_replaces_its_predecessor() -> None:
    secret = secrets.token_hex(16)
    async with (
        serve() as server,
        RawClient.login(server.addresses[0], "ann", secret, device="laptop") as old,
        RawClient.login(server.addresses[0], "ann", secret, device="phone") as phone,
        RawClient.login(server.addresses[0], "ann", secret, device="laptop") as new,
    ):
        bye = await old.take(lambda value: isinstance(value, Bye))
        assert bye.code == "replaced"
        assert isinstance(await new.ask(Ping(new.next_id())), Ok)
        assert isinstance(await phone.ask(Ping(phone.next_id())), Ok)
        assert old.account == new.account == phone.account


@pytest.mark.asyncio
async def test_on_a_unix_socket_the_user_is_the_account(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    async with serve(unix=str(path)) as server:
        assert str(path) in server.addresses
        async with RawClient.login(str(path), "ann", method="peer") as one:
            async with RawClient.login(str(path), "bob", method="peer") as two:
                assert (one.account, one.nick) == (two.account, "ann") and two.nick == "ann"
                assert (await one.ask(Status(one.next_id()))).code == "forbidden"
        async with RawClient.login(str(path), "carl") as other:
            assert other.account != one.account


@pytest.mark.asyncio
async def test_the_control_socket_makes_its_own_user_an_operator(tmp_path: Path) -> None:
    control = tmp_path / "control.sock"
    async with serve(control=str(control)) as server:
        assert server.control_path == control
        assert control.stat().st_mode & 0o777 == 0o600
        async with RawClient.login(str(control), "root", method="peer", quiet=True) as client:
            status = await client.ask(Status(client.next_id()))
            assert status.ready
            assert status.listening == server.addresses
            assert client.nick == "operator"
        client = await greeted(server)
        taken = Login(client.next_id(), "secret", "Operator", secret=secrets.token_hex(16))
        assert (await client.ask(taken)).code == "nick_taken"
        await client.close()
    assert not control.exists()


@pytest.mark.asyncio
async def test_a_new_account_is_no_entry_of_any_room() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        ok = await ann.follow(1, last=10)
        entries = await ann.entries(1, ok.head)
        assert [entry.kind for entry in entries] == ["create"]
        assert isinstance(entries[0], Entry) and entries[0].by == 0


@pytest.mark.asyncio
async def test_who_listens_and_takes_what_comes_is_alive() -> None:
    async with (
        serve(idle_after=0.5) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await bob.follow(1, last=0)
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.5
        while loop.time() < end:
            said = await ann.say(1, "still here")
            heard = await bob.take(lambda value: isinstance(value, Entry))
            assert heard.seq == said.seq
            await asyncio.sleep(0.02)
        assert not any(isinstance(value, Bye) for value in bob.values)
