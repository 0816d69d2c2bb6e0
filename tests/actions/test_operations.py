"""What operators ask of a real server: roles, removals, bans, nicks, invites; and who may not."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.client.peer import cable, quick, until
from tests.client.test_session import here, lobby, made, notes, sitting
from tests.support import RawClient, draft, serve

from ipcchat.actions import operations
from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.entries import Entry
from ipcchat.errors import ConnectionLost, Refused, UsageError
from ipcchat.server.server import Server
from ipcchat.wire.messages import Changed, Role

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def desk(tmp_path: Path, **changes: Any) -> AsyncIterator[tuple[Server, Session]]:
    """A server, and its operator at the control socket."""
    async with serve(data=str(tmp_path / "data"), control=str(tmp_path / "c"), **changes) as server:
        where = parse_address(f"unix:{server.control_path}")
        session = Session(where, Credentials("op"), quick())
        try:
            await session.start(10)
            await until(lambda: here(session))
            yield server, session
        finally:
            await session.close()


def kicks(session: Session) -> list[tuple[str, str, int]]:
    lines = lobby(session).lines
    found = [line for line in lines if isinstance(line, Entry) and line.kind == "kick"]
    return [(line.nick, line.text, line.target) for line in found]


async def test_who_was_made_an_operator_is_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as (server, op), sitting(server.addresses[0]) as ann:
        with pytest.raises(Refused, match="may not"):
            await operations.kick(ann, lobby(ann).number, "ann")
        assert await operations.learn_role(ann) == "member"
        await operations.set_role(op, "ann", "operator")
        assert await operations.learn_role(ann) == ann.model.role == "operator"
        assert notes(lobby(ann)) == ["you are an operator now: /help"]
        await operations.set_role(op, "ANN", "member")
        ann.event(Changed("role"))  # as a server may tell
        await until(lambda: ann.model.role == "member")
        assert notes(lobby(ann))[-1] == "you are no operator any more"


async def test_who_is_removed_hears_by_whom_and_why(tmp_path: Path) -> None:
    async with desk(tmp_path) as (server, op), sitting(server.addresses[0], "bob") as bob:
        await until(lambda: len(lobby(op).members) == 2)
        room, account = lobby(op).number, bob.model.account
        await operations.kick(op, room, "bob", " too\tloud ")
        await until(lambda: not bob.model.rooms)
        nick = op.model.nick
        told = f"{nick} removed you from #lobby: too loud"
        assert [(line.text, line.level) for line in bob.model.loose] == [(told, "error")]
        await until(lambda: bool(kicks(op)))
        assert kicks(op) == [(nick, "bob: too loud", account)]
        await until(lambda: account not in lobby(op).members)
        await bob.join("#lobby")
        await until(lambda: here(bob))
        await until(lambda: account in lobby(op).members)
        assert notes(lobby(op)) == []
        assert kicks(bob) == kicks(op)
        with pytest.raises(Refused, match="nobody has that nick"):
            await operations.kick(op, room, "nobody")
        with pytest.raises(UsageError, match="at most 512"):
            await operations.kick(op, room, "bob", "x" * 513)


async def test_who_was_removed_while_away_hears_that_the_room_is_gone(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as (server, op),
        cable(server.addresses[0]) as wire,
        sitting(wire.address, "bob", rooms=("#lobby", "#tea")) as bob,
    ):
        wire.dead = True
        wire.cut()
        await until(lambda: bob.model.state != "online")
        await operations.kick(op, lobby(op).number, "bob")
        wire.dead = False
        await until(lambda: bob.model.room_by_name("#lobby") is None)
        assert bob.model.current == 0
        assert [line.text for line in bob.model.loose] == ["you are not in #lobby any more"]


async def test_an_order_outlives_the_connection_and_is_done_once(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as (server, op),
        cable(server.addresses[0]) as wire,
        sitting(wire.address) as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await operations.set_role(op, "ann", "operator")
        await bob.join("#lobby")
        wire.hold()
        async with asyncio.TaskGroup() as group:
            job = group.create_task(operations.kick(ann, lobby(ann).number, "bob", "once"))
            await until(lambda: bool(kicks(op)))
            assert not job.done()  # done, and not yet known
            wire.cut()
        await until(lambda: ann.model.state == "online" and lobby(ann).live)
        assert kicks(ann) == kicks(op) == [("ann", "bob: once", bob.account)]


async def test_who_is_banned_is_out_until_that_ends(tmp_path: Path) -> None:
    async with desk(tmp_path) as (server, op):
        bob = made(server.addresses[0], "bob")
        await bob.start(10)
        await operations.ban(op, "bob", 3600, "spam")
        with pytest.raises(Refused, match="you are banned here") as caught:
            async with asyncio.timeout(10):
                await bob.run()
        assert (caught.value.code, caught.value.exit_code) == ("banned", 77)
        await bob.close()
        (item,) = await operations.bans(op)
        assert (item.nick, item.until > 0) == ("bob", True)
        with pytest.raises(Refused) as caught:
            await operations.ban(op, op.model.nick)
        assert caught.value.code == "forbidden"
        await operations.unban(op, "bob")
        assert await operations.bans(op) == []
        async with sitting(server.addresses[0], "bob"):
            pass


async def test_a_released_nick_is_free(tmp_path: Path) -> None:
    async with desk(tmp_path) as (server, op), sitting(server.addresses[0], "bob") as bob:
        await operations.release(op, "bob")
        await until(lambda: bob.model.nick != "bob")
        async with RawClient.login(server.addresses[0], "bob") as other:
            assert other.nick == "bob"


async def test_an_invite_is_a_link_and_the_server_has_its_hash(tmp_path: Path) -> None:
    async with desk(tmp_path) as (server, op):
        (link,) = await operations.invite(op, 3, 86_400)
        address = parse_address(link)
        assert str(address) == server.addresses[0]
        digest = hashlib.sha256(address.invite.encode()).hexdigest()
        (item,) = await operations.invites(op)
        assert (item.hash, item.uses, item.by) == (digest, 3, op.model.nick)
        with pytest.raises(UsageError, match="no invite begins with"):
            await operations.revoke(op, digest[::-1])
        await operations.revoke(op, digest[:8].upper())
        assert await operations.invites(op) == []
        for uses, seconds in ((0, 60), (10_001, 60), (1, 0), (1, 367 * 86_400)):
            with pytest.raises(UsageError, match="an invite is for"):
                await operations.invite(op, uses, seconds)


async def test_two_invites_that_begin_alike_are_not_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as (_, op):
        for _ in range(17):  # among so many, two begin with the same digit
            await operations.invite(op, 1, 60)
        first = [item.hash[0] for item in await operations.invites(op)]
        digit = max(first, key=first.count)
        with pytest.raises(UsageError, match=f"{first.count(digit)} invites begin with {digit}"):
            await operations.revoke(op, digit)


async def test_links_are_those_that_are_known(tmp_path: Path) -> None:
    async with desk(tmp_path) as (_, op):
        known = ("ipcchat://192.168.1.5:5555/?fp=" + "a" * 64, "ipcchat://lab:5555/")
        made_of = [parse_address(link) for link in await operations.invite(op, 1, 60, known)]
        assert [str(one) for one in made_of] == ["192.168.1.5:5555", "lab:5555"]
        assert [one.fingerprint for one in made_of] == ["a" * 64, ""]
        assert len({one.invite for one in made_of}) == 1


async def test_over_tls_a_link_has_the_fingerprint(tmp_path: Path) -> None:
    async with desk(tmp_path, plaintext=False) as (server, op):
        ann = made(server.addresses[0], plaintext=False)
        try:
            await ann.start(10)
            await until(lambda: here(ann))
            await operations.set_role(op, "ann", "operator")
            (link,) = await operations.invite(ann, 1, 60)
            assert parse_address(link).fingerprint == server.fingerprint
            assert not ann.model.plain
        finally:
            await ann.close()


async def test_plain_is_what_others_could_listen_to(tmp_path: Path) -> None:
    async with desk(tmp_path) as (server, op), sitting(server.addresses[0]) as ann:
        assert ann.model.plain
        assert not op.model.plain


async def test_a_member_may_not(tmp_path: Path) -> None:
    async with serve() as server, sitting(server.addresses[0]) as ann:
        orders: list[Callable[[], Any]] = [
            lambda: operations.set_role(ann, "ann", "operator"),
            lambda: operations.kick(ann, 1, "ann"),
            lambda: operations.ban(ann, "ann"),
            lambda: operations.unban(ann, "ann"),
            lambda: operations.bans(ann),
            lambda: operations.release(ann, "ann"),
            lambda: operations.admit(ann, "ann"),
            lambda: operations.invite(ann, 1, 60, ("ipcchat://lab:5555/",)),
            lambda: operations.invites(ann),
            lambda: ann.ask(Role(0, draft(), "ann", "operator")),
        ]
        for order in orders:
            with pytest.raises(Refused) as caught:
                await order()
            assert caught.value.code == "forbidden"
        assert ann.model.role == "member"


async def test_without_a_connection_an_order_ends_after_a_while(tmp_path: Path) -> None:
    async with serve() as server:
        session = made(server.addresses[0], connect_timeout=0.5)
        await session.start(10)
        await until(lambda: here(session))
    await until(lambda: session.model.state != "online")
    with pytest.raises(ConnectionLost, match="not connected"):
        await operations.unban(session, "bob")
    await session.close()
