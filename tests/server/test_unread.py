"""Unread counts at login, read markers between devices, who is away, who somebody is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.server.visitor import SECONDS
from tests.support import RawClient, draft, serve

from ipcchat.journal.sight import HIDDEN_ROOMS
from ipcchat.server.server import Server
from ipcchat.wire.messages import (
    Away,
    Direct,
    Error,
    Join,
    Marker,
    Nick,
    Part,
    Ping,
    Presence,
    Read,
    Room,
    RoomInvite,
    Rooms,
    Say,
    Topic,
    Whois,
    WhoisOk,
)

pytestmark = pytest.mark.asyncio
LOBBY = 1
TOP = 2**53 - 1


@asynccontextmanager
async def two(**changes: Any) -> AsyncIterator[tuple[Server, RawClient, RawClient]]:
    """A server, ann and bob."""
    async with (
        asyncio.timeout(3 * SECONDS),
        serve(presence_interval=0.001, **changes) as server,
        device(server, "ann") as ann,
        device(server, "bob") as bob,
    ):
        yield server, ann, bob


def device(server: Server, nick: str, **more: Any) -> Any:
    """One more connection of who has that nick."""
    return RawClient.login(server.addresses[0], nick, nick.encode().hex().ljust(32, "0"), **more)


async def done(client: RawClient, cls: Callable[..., Struct], **fields: Any) -> Any:
    """The acceptance of a request."""
    if "draft" in cls.__struct_fields__:  # type: ignore[attr-defined]
        fields["draft"] = draft()
    found = await client.ask(cls(id=client.next_id(), **fields))
    assert not isinstance(found, Error), (cls, fields, found)
    return found


async def item(client: RawClient, room: int) -> Room:
    (found,) = (await done(client, Rooms, room=room)).items
    assert isinstance(found, Room)
    return found


async def counts(client: RawClient, room: int) -> tuple[int, int]:
    """What is unread, and how much there is."""
    found = await item(client, room)
    return found.unread, found.messages


async def marked(client: RawClient) -> Marker:
    """The next marker that another device moved."""
    found = await client.take(lambda value: isinstance(value, Marker))
    assert isinstance(found, Marker)
    return found


def reply_to(number: int) -> Callable[[Any], bool]:
    return lambda value: getattr(value, "id", None) == number


async def quiet_now(client: RawClient) -> None:
    """No marker has come."""
    await client.ask(Ping(client.next_id()))
    assert not [value for value in client.values if isinstance(value, Marker)]


# --- counts -------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False])
async def test_messages_alone_count(tmp_path: Path, kept: bool) -> None:
    data = str(tmp_path) if kept else ":memory:"
    async with two(data=data) as (server, ann, bob):
        room = await ann.join("#tea")
        assert await counts(bob, room) == (0, 0)  # its `create` is none
        await bob.join("#tea")
        await done(ann, Topic, room=room, text="green")
        assert await counts(bob, room) == (0, 0)
        for number in range(3):
            await ann.say(room, str(number))
            await done(ann, Topic, room=room, text=f"topic {number}")
        await done(bob, Nick, nick="rob")
        assert await counts(bob, room) == (3, 3)
        assert (await item(bob, room)).head == 8
        assert await counts(ann, room) == (0, 3)  # what one says oneself is read
        async with device(server, "bob") as again:  # right at login
            (found,) = (await done(again, Rooms, name="#tea")).items
            assert (found.unread, found.read) == (3, 0)


async def test_reading_takes_off_what_is_up_to_there() -> None:
    async with two() as (_, ann, bob):
        for number in range(5):
            await ann.say(LOBBY, str(number))  # 2 to 6
            await done(ann, Topic, room=LOBBY, text=f"{number}") if number == 1 else None
        unread = {0: 5, 1: 5, 2: 4, 3: 3, 4: 3, 5: 2, 7: 0}
        for seq, left in unread.items():
            await done(bob, Read, room=LOBBY, seq=seq)
            assert (await item(bob, LOBBY)).unread == left
        for seq in (0, 3, 6):  # never backwards
            await done(bob, Read, room=LOBBY, seq=seq)
            found = await item(bob, LOBBY)
            assert (found.read, found.unread) == (7, 0)
        await done(bob, Read, room=LOBBY, seq=TOP)  # nor beyond what is there
        assert (await item(bob, LOBBY)).read == 7
        await ann.say(LOBBY, "new")
        assert (await item(bob, LOBBY)).unread == 1


async def test_saying_is_reading_unless_a_script_does() -> None:
    async with two() as (server, ann, bob), device(server, "bob", quiet=True) as script:
        for number in range(3):
            await ann.say(LOBBY, str(number))
        said = await script.say(LOBBY, "beep")
        found = await item(bob, LOBBY)
        assert (found.read, found.unread) == (0, 4)
        await quiet_now(bob)
        said = await bob.say(LOBBY, "hello")
        found = await item(bob, LOBBY)
        assert (found.read, found.unread) == (said.seq, 0)
        # A script's reading counts: it asked for that.
        await ann.say(LOBBY, "more")
        await done(script, Read, room=LOBBY, seq=said.seq + 1)
        assert (await item(bob, LOBBY)).unread == 0


async def test_counts_are_right_after_thousands_were_missed(tmp_path: Path) -> None:
    async with two(data=str(tmp_path)) as (server, ann, bob):
        await bob.join("#lobby")
        await bob.say(LOBBY, "here")
        await bob.close()
        asked = [Say(ann.next_id(), LOBBY, draft(), "x") for _ in range(3000)]
        for start in range(0, len(asked), 500):
            for request in asked[start : start + 500]:
                ann.send(request)
            last = asked[start + 499].id
            await ann.take(reply_to(last))
        await done(ann, Topic, room=LOBBY, text="all said")
        async with device(server, "bob") as bob, device(server, "bob") as second:
            for client in (bob, second):
                found = await item(client, LOBBY)
                assert (found.unread, found.messages, found.read) == (3000, 3001, 2)
            await done(bob, Read, room=LOBBY, seq=1002)
            assert await marked(second) == Marker(LOBBY, 1002)
            assert (await item(second, LOBBY)).unread == 2000


async def test_what_one_may_not_read_is_not_unread() -> None:
    async with two() as (_, ann, bob):
        room = (await done(ann, Join, name="#den", private=True)).room
        for number in range(4):
            await ann.say(room, str(number))
        await done(ann, RoomInvite, room=room, nick="bob")
        await done(bob, Join, room=room)
        assert await counts(bob, room) == (0, 0)
        await done(bob, Read, room=room, seq=2)  # below what is open to him
        assert await counts(bob, room) == (0, 0)
        await ann.say(room, "for both")
        assert await counts(bob, room) == (1, 1)
        assert await counts(ann, room) == (0, 5)
        await done(bob, Part, room=room)
        for number in range(3):
            await ann.say(room, str(number))
        await done(ann, RoomInvite, room=room, nick="bob")
        await done(bob, Join, room=room)
        assert await counts(bob, room) == (0, 0)


async def test_a_direct_message_waits_unread_for_who_is_away(tmp_path: Path) -> None:
    data = str(tmp_path)
    async with two(data=data) as (_, ann, bob):
        await bob.close()
        room = (await done(ann, Direct, nick="bob")).room
        await ann.say(room, "one")
        await ann.say(room, "two")
    async with two(data=data) as (_, ann, bob):
        items = (await done(bob, Rooms)).items
        (found,) = [it for it in items if it.access == "direct"]
        assert (found.room, found.name, found.peer) == (room, "@ann", ann.account)
        assert (found.unread, found.messages, found.joined) == (2, 2, True)
        await done(bob, Read, room=room, seq=2)
        await done(bob, Part, room=room)
        assert (await item(bob, room)).unread == 1
        await ann.say(room, "three")
        found = await item(bob, room)
        assert (found.unread, found.read, found.joined) == (2, 2, True)


async def test_counts_and_markers_are_there_after_a_restart(tmp_path: Path) -> None:
    data = str(tmp_path)
    async with two(data=data) as (_, ann, bob):
        for number in range(5):
            await ann.say(LOBBY, str(number))
            await done(ann, Topic, room=LOBBY, text=str(number))
        await done(bob, Read, room=LOBBY, seq=4)
        before = await item(bob, LOBBY)
        assert before.unread == 3
    async with two(data=data) as (_, ann, bob):
        found = await item(bob, LOBBY)
        assert (found.read, found.unread, found.messages) == (4, 3, 5)
        await ann.say(LOBBY, "after")
        assert (await item(bob, LOBBY)).unread == 4


# --- markers between devices --------------------------------------------------------------


async def test_a_marker_reaches_the_other_devices_of_the_account_alone() -> None:
    async with two() as (server, ann, bob), device(server, "bob") as second:
        for number in range(4):
            await ann.say(LOBBY, str(number))
        await done(bob, Read, room=LOBBY, seq=3)
        assert await marked(second) == Marker(LOBBY, 3)
        said = await second.say(LOBBY, "here")
        assert await marked(bob) == Marker(LOBBY, said.seq)
        await quiet_now(ann)
        await quiet_now(second)
        room = (await done(ann, Direct, nick="bob")).room
        await ann.say(room, "psst")
        await done(second, Read, room=room, seq=2)
        assert await marked(bob) == Marker(room, 2)
        await quiet_now(ann)


async def test_markers_never_go_backwards_whatever_is_asked_at_once() -> None:
    async with two() as (server, ann, bob), device(server, "bob") as second:
        for number in range(40):
            await ann.say(LOBBY, str(number))
        order = [30, 2, 41, 7, 12, 39, 1, 41, 0]
        for seq in order:
            for client in (bob, second):
                client.send(Read(client.next_id(), LOBBY, seq))
        seen: list[int] = []
        await ann.ask(Ping(ann.next_id()))
        while not seen or seen[-1] < 41:
            seen.append((await marked(bob)).seq)
        assert seen == sorted(seen)
        assert (await item(second, LOBBY)).read == 41


@pytest.mark.parametrize("room", [0, 999, HIDDEN_ROOMS + 5, 3 * HIDDEN_ROOMS, TOP])
async def test_what_is_refused_marks_nothing(room: int) -> None:
    async with two() as (server, _, bob), device(server, "bob") as second:
        for request in (Read(900, room, 1), Say(901, room, draft(), "hi")):
            assert (await bob.ask(request)).code == "no_room"
        blank = Say(902, LOBBY, draft(), " ")
        assert isinstance(await bob.ask(blank), Error)
        await done(bob, Read, room=LOBBY, seq=1)
        assert await marked(second) == Marker(LOBBY, 1)


# --- away and whois -----------------------------------------------------------------------


async def test_away_is_told_with_its_text_and_ends_with_back() -> None:
    async with two() as (_, ann, bob):
        await done(ann, Away, text="  lunch\nuntil one\x1b[31m ")
        told = await bob.take(lambda value: isinstance(value, Presence) and value.text != "")
        assert (told.account, told.status, told.room) == (ann.account, "away", 0)
        assert "\x1b" not in told.text and "\n" not in told.text and told.text == told.text.strip()
        found = await done(bob, Whois, nick="ann")
        assert (found.status, found.text) == ("away", told.text)
        since = found.since
        await done(ann, Away, away=False)
        back = await bob.take(lambda value: isinstance(value, Presence))
        assert (back.status, back.text) == ("online", "")
        found = await done(bob, Whois, nick="ann")
        assert (found.status, found.text) == ("online", "") and found.since >= since
        await done(ann, Away, away=False)  # twice is once
        await done(ann, Away)
        await bob.take(lambda value: isinstance(value, Presence) and value.status == "away")


async def test_away_is_the_accounts_on_every_device_and_makes_no_entry() -> None:
    async with (
        two(presence_grace=0.001) as (server, ann, bob),
        device(server, "ann", device="phone") as phone,
    ):
        await done(phone, Away, text="walking")
        found = await done(ann, Whois, nick="ann")
        assert (found.status, found.text) == ("away", "walking")
        await phone.close()
        assert (await done(bob, Whois, nick="ann")).status == "away"
        assert (await item(bob, LOBBY)).head == 1
        await ann.close()
        gone = await bob.take(
            lambda value: isinstance(value, Presence) and value.status == "offline"
        )
        assert gone.text == ""
        found = await done(bob, Whois, nick="ann")
        assert (found.status, found.text, found.since) == ("offline", "", 0)
        async with device(server, "ann"):
            found = await done(bob, Whois, nick="ann")
            assert (found.status, found.text) == ("online", "")


async def test_a_text_is_bounded() -> None:
    async with two() as (_, ann, bob):
        await done(ann, Away, text="x" * 2048)
        found = await done(bob, Whois, nick="ann")
        assert found.status == "away" and 0 < len(found.text) < 2048


async def test_whois_names_the_rooms_that_both_may_know_of() -> None:
    async with two() as (server, ann, bob), device(server, "eve") as eve:
        await ann.join("#open")
        den = (await done(ann, Join, name="#den", private=True)).room
        await done(ann, Join, name="#own", private=True)
        await done(ann, Direct, nick="bob")
        await done(ann, RoomInvite, room=den, nick="bob")
        assert (await done(bob, Whois, nick="ann")).rooms == ["#open"]
        await done(bob, Join, room=den)
        for client, rooms in ((bob, ["#open", "#den"]), (eve, ["#open"])):
            found = await done(client, Whois, nick="ANN")
            assert isinstance(found, WhoisOk)
            assert (found.account, found.nick, found.role) == (ann.account, "ann", "member")
            assert (sorted(found.rooms), found.more) == (sorted(rooms), 0)
        own = await done(ann, Whois, nick="ann")
        assert sorted(own.rooms) == ["#den", "#open", "#own"]
        await done(bob, Part, room=den)
        assert (await done(bob, Whois, nick="ann")).rooms == ["#open"]
        for nick in ("nobody", "", "@ann", "\x00"):
            refused = await bob.ask(Whois(bob.next_id(), nick))
            assert isinstance(refused, Error) and refused.code == "no_account"
