"""Who comes in, and under which nick: invites, admissions, names that are taken."""

import asyncio
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.server.visitor import SECONDS, Visitor, code, hosted, new_invite, new_token, nobody
from tests.support import RawClient, draft, serve

from ipcchat import names
from ipcchat.entries import now_ms
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft
from ipcchat.server.server import Server
from ipcchat.trust.identity import Identity
from ipcchat.wire.messages import Admit, Done, Hello, Invite, Login, LoginOk, Nick, Revoke

DAY = 86_400_000
"""Milliseconds."""


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


def test_names_of_the_table_are_names() -> None:
    """What `test_a_nick_of_another_is_not_to_be_had` compares is different as it is typed."""
    assert names.key("ａｎｎ") == "ann" and names.key("ѕсоре") != "scope"


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


# --- admissions ---------------------------------------------------------------------------


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
