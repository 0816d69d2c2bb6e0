"""Direct rooms, private rooms and search for scripts."""

import asyncio

import pytest
from tests.client.peer import Peer, scripted
from tests.client.test_chat import Place, connect, take, texts
from tests.support import serve

from ipcchat.errors import IpcchatError, Refused, TextError

pytestmark = pytest.mark.asyncio
__all__ = ["connect"]


async def test_a_direct_room_is_named_by_a_nick(connect: Place) -> None:
    async with serve() as server:
        address = server.addresses[0]
        async with connect(address) as ann, connect(address, "bob") as bob:
            entry = await ann.say("@bob", "psst")
            assert [it.text for it in await bob.history("@ann")][-1:] == ["psst"]
            feed = bob.follow("@ann", last=1)
            assert (await take(feed, 1))[0].seq == entry.seq
            await ann.say("@BOB", "again")
            assert texts(await take(feed, 1)) == ["again"]
            room = await ann.direct("bob")
            assert (room.name, room.access, room.peer) == ("@bob", "direct", bob.account)
            await bob.nick("robert")
            assert (await ann.direct("robert")).room == room.room
            with pytest.raises(Refused):
                await ann.say("@nobody", "x")
            with pytest.raises(TextError):
                await ann.say("@", "x")


async def test_a_nick_that_changes_hands_is_another_room(connect: Place) -> None:
    async with serve() as server:
        address = server.addresses[0]
        async with connect(address) as ann, connect(address, "bob") as bob:
            first = await ann.say("@bob", "to the first")
            await bob.nick("robert")
            with pytest.raises(Refused) as refused:
                for _ in range(10_000):
                    assert (await ann.say("@bob", "still")).room == first.room
            assert refused.value.code == "no_account"


async def test_a_private_room_and_its_invitations(connect: Place) -> None:
    async with serve() as server:
        address = server.addresses[0]
        async with connect(address) as ann, connect(address, "bob") as bob:
            den = await ann.join("#den", private=True)
            assert (den.access, den.joined) == ("private", True)
            await ann.invite("#den", "@bob")
            assert [(it.name, it.invited) for it in await bob.rooms() if it.invited] == [
                ("#den", "ann")
            ]
            await bob.join("#den")
            await bob.say("#den", "in")
            await ann.uninvite("#den", "bob")
            with pytest.raises(Refused) as refused:
                await bob.say("#den", "out")
            assert refused.value.code == "no_room"


async def test_search_goes_through_all_pages(connect: Place) -> None:
    async with serve() as server:
        address = server.addresses[0]
        async with connect(address) as ann, connect(address, "bob") as bob:
            await ann.join("#lab")
            for number in range(120):
                await ann.say("#lab", f"wombat {number}")
            await bob.say("#lobby", "wombat elsewhere")
            for _ in range(500):
                if len([it async for it in ann.search("wombat")]) == 121:
                    break
                await asyncio.sleep(0.01)
            found = [it.text async for it in ann.search("wombat", room="#lab")]
            assert found == [f"wombat {number}" for number in reversed(range(120))]
            assert [it.nick async for it in ann.search("wombat", nick="bob")] == ["bob"]


async def test_away_and_whois(connect: Place) -> None:
    async with serve() as server:
        address = server.addresses[0]
        async with connect(address) as ann, connect(address, "bob") as bob:
            await ann.away("at lunch")
            found = await bob.whois("ann")
            assert (found.nick, found.status, found.text) == ("ann", "away", "at lunch")
            await ann.back()
            assert (await bob.whois("ann")).status == "online"


async def test_a_server_without_them_is_not_asked(connect: Place) -> None:
    async with scripted() as peer, asyncio.TaskGroup() as group:
        entering = group.create_task(lacking(connect, peer))
        line = await peer.accept()
        await line.login()
        refused = await entering
    assert {error.text for error in refused} == {
        "this server has no direct messages",
        "this server has no private rooms",
        "this server has no search",
        "this server does not know who is away",
        "this server does not tell who has a nick",
    }


async def lacking(connect: Place, peer: Peer) -> list[IpcchatError]:
    refused: list[IpcchatError] = []
    async with connect(peer.address) as chat:
        for asked in (
            chat.direct("bob"),
            chat.join("#den", private=True),
            anext(chat.search("x")),
            chat.away(),
            chat.whois("bob"),
        ):
            with pytest.raises(Refused) as error:
                await asked
            refused.append(error.value)
    return refused
