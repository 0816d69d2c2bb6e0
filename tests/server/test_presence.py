"""Who is online: an account's state, told as the latest value."""

import secrets

import pytest
from tests.support import RawClient, draft, serve

from ipcchat.wire.messages import Changed, Members, Nick, Part, Presence


@pytest.mark.asyncio
async def test_coming_and_going_is_seen_by_the_others() -> None:
    async with (
        serve(presence_grace=0.01, presence_interval=0.001) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        async with RawClient.login(server.addresses[0], "bob") as bob:
            came = await ann.take(lambda v: isinstance(v, Presence) and v.nick == "bob")
            assert (came.account, came.status, came.room) == (bob.account, "online", 0)
        went = await ann.take(lambda v: isinstance(v, Presence) and v.status == "offline")
        assert went.account == bob.account


@pytest.mark.asyncio
async def test_who_is_back_within_the_grace_time_was_never_away() -> None:
    secret = secrets.token_hex(16)
    async with (
        serve(presence_grace=30, presence_interval=0.001) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        for _ in range(3):
            async with RawClient.login(server.addresses[0], "bob", secret) as bob:
                await bob.join("#lobby")
        async with RawClient.login(server.addresses[0], "carl"):
            await ann.take(lambda v: isinstance(v, Presence) and v.nick == "carl")
        statuses = [
            v.status for v in ann.values if isinstance(v, Presence) and v.account == bob.account
        ]
        assert "offline" not in statuses
        items = (await ann.ask(Members(ann.next_id(), 1))).items
        assert [(item.nick, item.status) for item in items] == [("bob", "online")]


@pytest.mark.asyncio
async def test_a_quiet_session_is_not_shown_and_not_told() -> None:
    async with (
        serve(presence_interval=0.001) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "robot", quiet=True) as robot,
        RawClient.login(server.addresses[0], "bob"),
    ):
        await ann.take(lambda v: isinstance(v, Presence) and v.nick == "bob")
        assert not [v for v in ann.values if isinstance(v, Presence) and v.nick == "robot"]
        await robot.say(1, "hi")
        assert not [v for v in robot.values if isinstance(v, Presence)]


@pytest.mark.asyncio
async def test_joins_parts_and_nicks_are_told_to_those_who_follow() -> None:
    async with (
        serve(presence_interval=0.001) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        room = await ann.join("#tea")
        await ann.take(lambda v: v == Changed(what="rooms"))
        await ann.follow(room)
        await bob.join("#tea")
        joined = await ann.take(lambda v: isinstance(v, Presence) and v.room == room)
        assert (joined.nick, joined.status) == ("bob", "joined")
        await bob.ask(Nick(bob.next_id(), draft(), "Robert"))
        await ann.take(lambda v: isinstance(v, Presence) and v.nick == "Robert" and not v.room)
        await bob.ask(Part(bob.next_id(), draft(), room))
        parted = await ann.take(lambda v: isinstance(v, Presence) and v.status == "parted")
        assert (parted.nick, parted.room) == ("Robert", room)


@pytest.mark.asyncio
async def test_member_lists_are_paged() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        for number in range(205):
            async with RawClient.login(server.addresses[0], f"user{number}") as user:
                await user.join("#lobby")
        first = await ann.ask(Members(ann.next_id(), 1))
        assert len(first.items) == 200
        second = await ann.ask(Members(ann.next_id(), 1, next=first.next))
        assert (len(second.items), second.next) == (5, 0)
        assert len({item.account for item in first.items + second.items}) == 205
        assert (await ann.ask(Members(ann.next_id(), 77))).code == "no_room"
