"""Who may do what: roles, removals, bans, tokens, how fast one speaks; asked by raw clients."""

import asyncio
import copy
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.server.visitor import (
    SECONDS,
    Visitor,
    answer,
    brought,
    code,
    hosted,
    new_token,
    sample,
)
from tests.support import RawClient, draft, frame, serve

from ipcchat.entries import SYSTEM_ROOM, Entry, now_ms
from ipcchat.journal.drafts import Draft
from ipcchat.server.requests import TABLE
from ipcchat.server.server import Server
from ipcchat.trust.identity import Identity
from ipcchat.wire.messages import (
    Admit,
    Ban,
    Bans,
    Done,
    Error,
    History,
    Invite,
    Invites,
    Join,
    Kick,
    Log,
    Login,
    LoginOk,
    Nick,
    Ok,
    Ping,
    Presence,
    Release,
    Revoke,
    Role,
    Rooms,
    Status,
    StatusOk,
    Token,
    Topic,
    Unban,
    Unfollowed,
    Withdraw,
)
from ipcchat.wire.protocol import State

ORDERS = sorted((cls for cls, row in TABLE.items() if row.role == "operator"), key=str)
LOBBY = 1


@asynccontextmanager
async def scene(folder: Path, **changes: Any) -> AsyncIterator[tuple[Server, RawClient, RawClient]]:
    """A server, its operator, and ann, who is a member."""
    async with (
        hosted(folder, access="open", **changes) as (server, operator),
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        yield server, operator, ann


async def done(client: RawClient, cls: Callable[..., Struct], **fields: Any) -> Done:
    """The acceptance of a request with a draft."""
    found = await client.ask(cls(client.next_id(), draft(), **fields))
    assert isinstance(found, Done), found
    return found


async def until(client: RawClient, wanted: Callable[[Any], bool], asked: Callable[..., Any]) -> Any:
    """The first answer that is wanted to a question that is asked again and again."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await client.ask(asked(client.next_id()))
            if wanted(found):
                return found


async def facts(server: Server, room: int = SYSTEM_ROOM, after: int = 0) -> list[Entry]:
    """The entries of a room, as the journal has them."""
    journal = server._journal
    upto = journal.state.rooms[room].head
    return await journal.read(room, after=after, upto=upto, limit=1000, size=1 << 20)


async def ended(client: RawClient) -> Any:
    """The last words of the server to a connection that it closes."""
    async with asyncio.timeout(SECONDS):
        last = await client.take(lambda value: isinstance(value, Error))
        while await client.receive():
            pass
    return last


# --- roles --------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_operators_may_is_forbidden_to_members_and_nothing_changes() -> None:
    async with serve() as server:
        async with brought(server.addresses[0], State.READY) as ann:
            before = copy.deepcopy(server._journal.state)
            lines = server.log.last(1000)
            for number, cls in enumerate(ORDERS, 10):
                for nick in ("ann", "operator", "nobody"):
                    asked = sample(cls, number, nick=nick)
                    assert code(await answer(ann, asked)) == "forbidden", cls
            assert server._journal.state == before
            assert server.log.last(1000) == lines
            assert isinstance(await answer(ann, Ping(99)), Ok), "the server is there"
    assert len(ORDERS) >= 16


@pytest.mark.parametrize(
    "claim",
    [
        {"role": "operator"},
        {"role": "operator", "operator": True, "account": 1, "uid": 0, "trusted": True},
        {"nick": "operator2", "credential": "console"},
        {"key": "console", "token": "console"},
    ],
)
@pytest.mark.asyncio
async def test_a_claimed_role_is_ignored(claim: dict[str, Any]) -> None:
    async with serve() as server:
        async with brought(server.addresses[0], State.GREETED) as mallory:
            login = {"type": "login", "id": 2, "method": "secret", "nick": "mallory"}
            login |= {"secret": secrets.token_hex(16), **claim}
            mallory.writer.write(frame(json.dumps(login).encode()))
            size = int.from_bytes(await mallory.reader.readexactly(4), "big")
            ok = json.loads(await mallory.reader.readexactly(size))
            assert ok["type"] == "ok" and ok.get("role", "member") == "member"
            assert code(await answer(mallory, Status(3))) == "forbidden"


@pytest.mark.parametrize("method", ["peer", "console", "operator", "control"])
@pytest.mark.asyncio
async def test_the_operators_way_in_is_not_on_tcp(method: str) -> None:
    async with serve() as server, Visitor.meet(server.addresses[0]) as mallory:
        refused = await mallory.told(Login(mallory.next_id(), method, "operator"))
        assert code(refused) == "bad_method"


@pytest.mark.asyncio
async def test_on_the_socket_for_all_one_is_no_operator(tmp_path: Path) -> None:
    path = str(tmp_path / "chat.sock")
    async with serve(unix=path) as server:
        assert path in server.addresses
        async with Visitor.meet(path) as client:
            ok = await client.told(Login(client.next_id(), "peer", "me"))
            assert ok.role == "member"
            assert code(await client.ask(Status(client.next_id()))) == "forbidden"


@pytest.mark.asyncio
async def test_an_operator_is_made_and_unmade_while_connected(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, ann):
        assert code(await ann.ask(Status(ann.next_id()))) == "forbidden"
        await done(operator, Role, nick="ann")
        await until(ann, lambda found: isinstance(found, StatusOk), Status)
        assert isinstance(await ann.ask(Log(ann.next_id(), last=0)), Ok)
        server.log.info("test", "for operators")
        await ann.take(lambda value: getattr(value, "text", "") == "for operators")
        own = await ann.ask(Role(ann.next_id(), draft(), "operator", "member"))
        assert code(own) == "forbidden", "the server's own stays what it is"
        await done(operator, Role, nick="ann", role="member")
        await until(ann, lambda found: code(found) == "forbidden", Status)
        assert code(await ann.ask(Role(ann.next_id(), draft(), "ann"))) == "forbidden"
        server.log.info("test", "not for members")
        await ann.ask(Ping(ann.next_id()))
        assert not any(getattr(value, "text", "") == "not for members" for value in ann.values)
        kinds = [(it.kind, it.text, it.target) for it in await facts(server) if it.kind == "role"]
        assert kinds == [("role", "operator", ann.account), ("role", "member", ann.account)]
        assert len([line for line in server.log.last(1000) if line.event == "role"]) == 2


@pytest.mark.asyncio
async def test_a_role_is_kept_and_is_the_accounts_not_the_nicks(tmp_path: Path) -> None:
    who, data = Identity.make(), {"data": str(tmp_path), "access": "open"}
    async with hosted(tmp_path, **data) as (server, operator):
        async with Visitor.meet(server.addresses[0]) as ann:
            await ann.enter(who, "ann")
            await done(operator, Role, nick="ann")
            await done(ann, Nick, nick="anna")
    async with hosted(tmp_path, **data) as (server, _):
        async with Visitor.meet(server.addresses[0]) as ann:
            assert (await ann.enter(who)).role == "operator"
            assert isinstance(await ann.ask(Status(ann.next_id())), StatusOk)
        async with Visitor.meet(server.addresses[0]) as mallory:
            assert code(await mallory.enter(Identity.make(), "anna")) == "nick_taken"
            assert (await mallory.enter(Identity.make(), "mallory")).role == "member"


# --- people -------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_each_deed_is_an_entry_and_a_line(tmp_path: Path) -> None:
    hashed = new_token()[1]
    deeds: list[tuple[str, Callable[..., Struct], dict[str, Any]]] = [
        ("kick", Kick, {"nick": "ann", "room": LOBBY, "text": "enough"}),
        ("ban", Ban, {"nick": "ann", "text": "enough"}),
        ("unban", Unban, {"nick": "ann"}),
        ("release", Release, {"nick": "ann"}),
        ("invite", Invite, {"hash": hashed}),
        ("revoke", Revoke, {"hash": hashed}),
        ("admit", Admit, {"nick": "carl"}),
        ("role", Role, {"nick": "bob"}),
        ("credential", Token, {"nick": "robot", "hash": hashed}),
    ]
    async with hosted(tmp_path) as (server, operator):
        people = []
        for nick in ("ann", "bob"):
            made = Draft(0, draft(), "account", now_ms(), name=nick, key=nick, open=True)
            made.credential = "secret:" + nick
            people.append(made)
        assert not any(it.code for it in await server._journal.append(people))
        account = server._journal.state.nick_keys["ann"]
        async with Visitor.meet(server.addresses[0]) as carl:
            assert code(await carl.enter(Identity.make(), "carl")) == "not_invited"
        await done(operator, Token, nick="robot", hash="0" * 64)  # makes the account
        for kind, cls, fields in deeds:
            room = LOBBY if kind == "kick" else SYSTEM_ROOM
            before = server._journal.state.rooms[room].head
            shown = len([it for it in server.log.last(1000) if it.event == kind])
            await done(operator, cls, **fields)
            (entry,) = await facts(server, room, before)
            assert (entry.kind, entry.by, entry.nick) == (kind, operator.account, "operator")
            if fields.get("nick") == "ann":
                assert entry.target == account, kind
            assert fields.get("text", "") in entry.text
            async with asyncio.timeout(SECONDS):
                while len([it for it in server.log.last(1000) if it.event == kind]) == shown:
                    await operator.ask(Ping(operator.next_id()))
            line = [it for it in server.log.last(1000) if it.event == kind][-1]
            assert "operator" in line.text, line


@pytest.mark.asyncio
async def test_who_is_kicked_hears_so_last(tmp_path: Path) -> None:
    async with scene(tmp_path) as (_, operator, ann):
        room = await ann.join("#den")
        await ann.follow(room, last=0)
        await done(operator, Kick, nick="ann", room=room, text="enough")
        gone = await ann.take(lambda value: isinstance(value, Unfollowed))
        (entry,) = await ann.entries(room, 1)
        assert (entry.kind, entry.text, entry.target) == ("kick", "ann: enough", ann.account)
        assert (gone.room, gone.code) == (room, "kicked")
        await operator.say(room, "now we are alone")
        await ann.ask(Ping(ann.next_id()))
        assert not any(isinstance(value, Entry) for value in ann.values)
        listed = await ann.ask(Rooms(ann.next_id(), name="#den"))
        assert not listed.items[0].joined


@pytest.mark.asyncio
async def test_who_is_banned_is_gone_and_stays_out(tmp_path: Path) -> None:
    who, other = Identity.make(), Identity.make()
    async with hosted(tmp_path, access="open") as (server, operator):
        address = server.addresses[0]
        async with (
            Visitor.meet(address) as one,
            Visitor.meet(address) as two,
            Visitor.meet(address) as bob,
        ):
            for client in (one, two):
                assert isinstance(await client.enter(who, "mallory"), LoginOk)
            await bob.enter(other, "bob")
            await done(operator, Ban, nick="mallory", text="spam")
            for client in (one, two):
                last = await ended(client)
                assert (last.code, last.text) == ("banned", "you are banned here: spam")
            assert isinstance(await bob.ask(Ping(bob.next_id())), Ok)
        async with Visitor.meet(address) as again:
            again.send(again.proof(who))
            assert (await ended(again)).code == "banned"
        (info,) = (await operator.ask(Bans(operator.next_id()))).items
        assert (info.account, info.nick, info.until) == (one.account, "mallory", 0)
        await done(operator, Unban, nick="mallory")
        async with Visitor.meet(address) as again:
            assert (await again.enter(who)).account == one.account


@pytest.mark.asyncio
async def test_a_ban_ends_in_its_time_and_spares_operators(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, _):
        spared = await operator.ask(Ban(operator.next_id(), draft(), "operator"))
        assert code(spared) == "forbidden"
        who = Identity.make()
        async with Visitor.meet(server.addresses[0]) as bob:
            number = (await bob.enter(who, "bob")).account
        await done(operator, Ban, nick="bob", seconds=60)
        (info,) = (await operator.ask(Bans(operator.next_id()))).items
        assert 0 < info.until - now_ms() <= 60_000
        over = Draft(operator.account, draft(), "ban", now_ms(), target=number, until=now_ms())
        assert not (await server._journal.append([over]))[0].code
        assert not (await operator.ask(Bans(operator.next_id()))).items
        async with Visitor.meet(server.addresses[0]) as bob:
            assert isinstance(await bob.enter(who), LoginOk)


@pytest.mark.asyncio
async def test_a_very_long_ban_can_be_listed(tmp_path: Path) -> None:
    async with scene(tmp_path) as (_, operator, _):
        await done(operator, Ban, nick="ann", seconds=2**53 - 1)
        async with asyncio.timeout(SECONDS):
            (info,) = (await operator.ask(Bans(operator.next_id()))).items
        assert info.nick == "ann" and info.until > now_ms()


@pytest.mark.asyncio
async def test_the_nick_of_a_lost_key_is_released_to_whoever_comes(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, ann):
        await done(operator, Release, nick="ann")
        async with Visitor.meet(server.addresses[0]) as new:
            ok = await new.enter(Identity.make(), "ann")
            assert ok.nick == "ann" and ok.account != ann.account
        said = await ann.say(LOBBY, "who am I?")
        (entry,) = await facts(server, LOBBY, said.seq - 1)
        assert entry.by == ann.account and entry.nick == f"ann-{ann.account}"


# --- tokens -------------------------------------------------------------------------------


@asynccontextmanager
async def robot(
    server: Server, operator: RawClient, *rooms: str, nick: str = "robot"
) -> AsyncIterator[RawClient]:
    """A script that logged in by a token for those rooms."""
    token, hashed = new_token()
    await done(operator, Token, nick=nick, hash=hashed, rooms=list(rooms))
    found = RawClient.login(server.addresses[0], "", "", method="token", token=token)
    async with found as client:
        yield client


@pytest.mark.asyncio
async def test_a_token_needs_no_invite_and_is_one_account(tmp_path: Path) -> None:
    async with hosted(tmp_path) as (server, operator):
        async with robot(server, operator) as one, robot(server, operator) as two:
            assert (one.account, one.nick) == (two.account, two.nick) and one.nick == "robot"
            assert isinstance(await one.say(LOBBY, "beep"), Done)
            assert code(await one.ask(Status(one.next_id()))) == "forbidden"


@pytest.mark.asyncio
async def test_a_token_opens_its_rooms_alone(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, ann):
        den, other = await ann.join("#den"), await ann.join("#other")
        async with robot(server, operator, "#den") as script:
            for room in (other, LOBBY, SYSTEM_ROOM, 99):
                for cls, row in TABLE.items():
                    if not row.scoped:
                        asked = sample(cls, script.next_id(), room=room)
                        assert code(await script.ask(asked)) == "forbidden", (cls, room)
            assert [it.name for it in (await script.ask(Rooms(script.next_id()))).items] == ["#den"]
            named = await script.ask(Rooms(script.next_id(), name="#other"))
            assert named.items == []
            assert isinstance(await script.say(den, "beep"), Done)
            assert isinstance(await script.ask(History(script.next_id(), den)), Struct)
            await script.follow(den, last=1)
            (entry,) = await script.entries(den, 1)
            assert entry.text == "beep"
        assert not [it for it in await facts(server, other) if it.kind == "message"]


@pytest.mark.asyncio
async def test_a_token_hears_nothing_of_other_rooms(tmp_path: Path) -> None:
    async with scene(tmp_path, presence_interval=0.0) as (server, operator, ann):
        den = await ann.join("#den")
        async with robot(server, operator, "#den") as script:
            await script.follow(den, last=0)
            await script.ask(Ping(script.next_id()))
            script.values.clear()
            await ann.follow(LOBBY, last=0)
            await ann.say(LOBBY, "a secret")
            await ann.join("#elsewhere")
            await done(ann, Nick, nick="anna")
            async with RawClient.login(server.addresses[0], "carl") as carl:
                # It has been told of her: so has everybody who is.
                await ann.take(
                    lambda value: isinstance(value, Presence) and value.account == carl.account
                )
                await ann.say(den, "the end")
                await script.take(lambda value: isinstance(value, Entry) and value.room == den)
            found = [value for value in script.values if getattr(value, "room", 0) != den]
            assert found == []


@pytest.mark.asyncio
async def test_a_token_of_an_operator_is_bound_to_its_rooms_too(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, ann):
        await ann.join("#den")
        async with robot(server, operator, "#den") as script:
            await done(operator, Role, nick="robot")
            for number, cls in enumerate(ORDERS, 100):
                asked = sample(cls, number, room=LOBBY, nick="ann")
                assert code(await script.ask(asked)) == "forbidden", cls


@pytest.mark.asyncio
async def test_nobody_gets_a_token_for_a_persons_account(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, _):
        for nick in ("ann", "operator"):
            hashed = new_token()[1]
            asked = Token(operator.next_id(), draft(), hashed, nick)
            assert code(await operator.ask(asked)) == "nick_taken"
            assert "token:" + hashed not in server._journal.state.credentials
        asked = Token(operator.next_id(), draft(), hashed, "robot", ["#nowhere"])
        assert code(await operator.ask(asked)) == "no_room"


@pytest.mark.asyncio
async def test_the_server_keeps_no_token_and_no_secret(tmp_path: Path) -> None:
    token, hashed = new_token()
    secret = secrets.token_hex(16)
    async with hosted(tmp_path, data=str(tmp_path), access="open") as (server, operator):
        await done(operator, Token, nick="robot", hash=hashed)
        address = server.addresses[0]
        async with RawClient.login(address, "", "", method="token", token=token):
            async with RawClient.login(address, "ann", secret):
                lines = " ".join(line.text for line in server.log.last(1000))
        assert isinstance(await operator.ask(Invites(operator.next_id())), Struct)
    kept = (tmp_path / "journal.sqlite").read_bytes()
    for word in (token.encode(), secret.encode(), bytes.fromhex(secret)):
        assert word not in kept
    assert token not in lines and secret not in lines
    assert hashed.encode() in kept


# --- how fast -----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_account_speaks_so_fast_over_all_its_sessions() -> None:
    secret = secrets.token_hex(16)
    async with (
        serve(say_burst=3, say_rate=5) as server,
        RawClient.login(server.addresses[0], "ann", secret) as one,
        RawClient.login(server.addresses[0], "ann", secret) as two,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        assert one.account == two.account
        for client in (one, two, one):
            assert isinstance(await client.say(LOBBY, "quick"), Done)
        number = draft()
        for client in (two, one):
            refused = await client.say(LOBBY, "too quick", number)
            assert (refused.code, refused.retry) == ("rate_limited", True)
            assert 0 < refused.wait_ms <= 201
            assert isinstance(await client.ask(Ping(client.next_id())), Ok)
            found = await client.ask(History(client.next_id(), LOBBY, limit=1))
            assert found.entries[-1].text == "quick"
        assert isinstance(await bob.say(LOBBY, "another's"), Done)
        await asyncio.sleep(refused.wait_ms / 1000)  # as it was told
        assert isinstance(await two.say(LOBBY, "too quick", number), Done)
        assert code(await one.say(LOBBY, "again")) == "rate_limited"


@pytest.mark.parametrize("cls", [Topic, Join, Nick, Withdraw])
@pytest.mark.asyncio
async def test_nobody_floods_by_other_means_than_saying(cls: type[Struct]) -> None:
    async with serve(say_burst=10, say_rate=5) as server:
        async with RawClient.login(server.addresses[0], "ann") as ann:
            codes = []
            for number in range(60):
                room = 0 if cls is Join else LOBBY
                fields = {"text": f"t{number}", "name": f"#r{number}", "nick": f"ann{number}"}
                codes.append(code(await ann.ask(sample(cls, ann.next_id(), room=room, **fields))))
            assert codes[0] in ("", "withdrawn") and "rate_limited" in codes


@pytest.mark.asyncio
async def test_an_account_is_in_so_many_rooms() -> None:
    async with serve(room_limit=3) as server:
        async with RawClient.login(server.addresses[0], "ann") as ann:
            codes = []
            for number in range(6):
                asked = sample(Join, ann.next_id(), room=0, name=f"#r{number}")
                codes.append(code(await ann.ask(asked)))
            assert codes == [""] * 3 + ["forbidden"] * 3
            again = sample(Join, ann.next_id(), room=0, name="#r1")
            assert code(await ann.ask(again)) == "", "it is there already"


@pytest.mark.asyncio
async def test_what_a_banned_account_has_sent_is_refused_by_the_journal(tmp_path: Path) -> None:
    async with scene(tmp_path) as (server, operator, ann):
        await done(operator, Ban, nick="ann")
        late = Draft(ann.account, draft(), "message", now_ms(), LOBBY, "still here")
        assert (await server._journal.append([late]))[0].code == "banned"
        with suppress(EOFError, OSError):
            async with asyncio.timeout(SECONDS):
                assert code(await ann.say(LOBBY, "still here")) == "banned"
        assert not [it for it in await facts(server, LOBBY) if it.kind == "message"]
