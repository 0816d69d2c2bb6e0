"""Private rooms by command, lists of rooms, and what a room's past is said to be."""

import re
import time
from datetime import UTC, datetime

import pytest
from tests.actions.face import ListFace, facing, together
from tests.actions.test_composing import said, typing
from tests.client.peer import until
from tests.client.test_session import here
from tests.support import serve

from ipcchat.actions.moments import day, moment
from ipcchat.entries import Entry

pytestmark = pytest.mark.asyncio


def kinds(face: ListFace, name: str) -> list[tuple[str, str]]:
    """Who did what in a room, besides saying something."""
    room = face.model.room_by_name(name)
    assert room is not None
    entries = (line for line in room.lines if isinstance(line, Entry))
    return [(line.nick, line.kind) for line in entries if line.kind != "message"]


def lines(face: ListFace, name: str) -> list[str]:
    """What stands in a room."""
    room = face.model.room_by_name(name)
    return [line.text for line in room.lines] if room is not None else []


async def in_room(face: ListFace, name: str) -> None:
    await until(lambda: face.model.room_by_name(name) is not None and here(face.session))


async def test_a_private_room_is_for_those_who_are_invited() -> None:
    async with together("ann", "bob", "eve") as (ann, bob, eve):
        assert await ann.type("/join --private #plans") == []
        assert ann.model.rooms[ann.model.current].name == "#plans"
        ann.session.submit(ann.model.current, "a secret")
        await until(lambda: said(ann, "#plans") == ["a secret"])
        unknown = await bob.type("/join #plans")
        assert unknown == ["! no such room, or not one that is open to you"]
        assert await bob.type("/join --private #plans") == unknown
        assert await bob.type("/list plans") == ["no such room"]
        assert await ann.type("/invite bbo") == ["! nobody has that nick: bbo – did you mean bob?"]
        assert await ann.type("/invite ann") == ["! that is you – /part leaves the room"]
        assert await ann.type("/invite bob") == []
        await until(lambda: ("ann", "invite") in kinds(ann, "#plans"))
        assert await ann.type("/invite bob") == ["bob is invited to #plans already"]
        await until(lambda: bool(bob.model.invited))
        assert await bob.type("/list plans") == ["#plans  private · ann invited you: /join #plans"]
        assert (await bob.type("/rooms"))[-1].strip() == (
            "#plans  private · ann invited you: /join #plans"
        )
        assert await bob.type("/join #plans") == []
        past = "#plans: what was said before you came is not shown to you"
        await until(lambda: past in lines(bob, "#plans"))
        assert said(bob, "#plans") == []
        await in_room(bob, "#plans")
        await until(lambda: ("bob", "join") in kinds(ann, "#plans"))
        await until(lambda: len(ann.model.rooms[ann.model.current].members) == 2)
        assert await ann.type("/invite bob") == ["bob is in #plans already"]
        assert await bob.type("/uninvite ann") == [
            "! you may not do that – who invited somebody takes that back; who made the room, or "
            "an operator, removes"
        ]
        await bob.type("/invite eve")
        await until(lambda: bool(eve.model.invited))
        await bob.type("/uninvite eve")
        await until(lambda: not eve.model.invited)
        assert await bob.type("/uninvite eve") == ["eve is neither in #plans nor invited"]
        assert await eve.type("/join #plans") == unknown
        await ann.type("/uninvite bob")
        await until(lambda: bob.model.room_by_name("#plans") is None)
        assert await bob.type("/join #plans") == unknown


async def test_an_invitation_can_be_declined() -> None:
    async with together("ann", "bob") as (ann, bob):
        await ann.type("/join --private #plans")
        await ann.type("/invite bob")
        await until(lambda: bool(bob.model.invited))
        assert await bob.type("/part plans") == ["you declined the invitation to #plans"]
        await until(lambda: ("bob", "decline") in kinds(ann, "#plans") and not bob.model.invited)
        assert await bob.type("/join #plans") == ["! no such room, or not one that is open to you"]


async def test_what_is_open_needs_no_invitation() -> None:
    async with serve() as server, facing(server.addresses[0], "ann") as ann:
        hint = "anybody may /join #lobby; /join --private ROOM is for those you invite"
        for line in ("/invite bob", "/uninvite bob", "/invite 5"):
            assert await ann.type(line) == [f"! #lobby is open to everybody – {hint}"]
        ann.model.role = "operator"
        assert await ann.type("/invite 5") == [
            "! #lobby is open to everybody – /link 5 makes a join link"
        ]
        ann.model.role = "member"
        assert await ann.type("/join --private #lobby") == [
            "! #lobby is there, and open to everybody – take another name"
        ]
        await ann.type("/part")
        assert await ann.type("/join --private #lobby") == [
            "! there is a room of that name already – take another name"
        ]


async def test_leaving_a_private_room_asks() -> None:
    async with together("ann", "bob") as (ann, bob):
        await ann.type("/join --private #plans")
        await ann.type("/invite bob")
        await until(lambda: bool(bob.model.invited))
        await bob.type("/join #plans")
        keys, _ = typing(bob)
        keys.submit("/part")
        keys.submit("typed after it")
        await until(lambda: bool(bob.questions))
        assert bob.questions[0].text == (
            "only an invitation leads back to #plans, and not to what was said: "
            "leave all the same?  y yes · n no"
        )
        await until(lambda: said(ann, "#plans") == ["typed after it"])
        bob.questions[0].answers["y"]()
        await until(lambda: bob.model.room_by_name("#plans") is None)
        await until(lambda: ("bob", "part") in kinds(ann, "#plans"))


async def test_lists_have_members_messages_and_topics() -> None:
    async with together("ann", "bob") as (ann, bob):
        await ann.type("/join #lab")
        await ann.type("/topic Week 9")
        for number in range(3):
            ann.session.submit(ann.model.current, f"line {number}")
        await until(lambda: len(said(ann, "#lab")) == 3)
        assert await ann.type("/join --private #plans") == []
        await ann.type("/topic secret")
        assert await ann.type("/list") == [
            "#lobby  2 members  0 messages",
            "#lab     1 member  3 messages  Week 9",
            "#plans   1 member  0 messages  private · secret",
        ]
        assert await ann.type("/list *LAB*") == ["#lab  1 member  3 messages  Week 9"]
        assert await ann.type("/list nothing") == ["no such room"]
        assert [line.split("  ")[-1] for line in await ann.type("/rooms")] == [
            "#lobby",
            "Week 9",
            "private · secret",
        ]
        # and the past of a room is told at its door
        assert await bob.type("/join #lab") == []
        told = f"#lab: 3 messages since {day(time.time_ns() // 1_000_000)}"
        await until(lambda: told in lines(bob, "#lab"))
        assert lines(bob, "#lab")[-4:] == ["line 0", "line 1", "line 2", told], "below the page"
        assert await bob.type("/join #lobby") == []
        assert await bob.type("/join #lab") == []  # one is there already


async def test_rooms_are_numbered_as_on_the_screen() -> None:
    async with together("ann", "bob", "Abe") as (ann, bob, _abe):
        await ann.type("/msg bob hi")
        await ann.type("/join #lab")
        await ann.type("/msg abe hi")
        await until(lambda: said(bob, "@ann") == ["hi"])
        await bob.type("/reply ann: hi")
        await until(lambda: said(ann, "@bob") == ["hi", "ann: hi"])
        assert [line.split() for line in await ann.type("/rooms")] == [
            ["1", "#lobby"],
            ["2", "#lab"],
            ["3", "@Abe"],
            ["4", "@bob", "1", "unread"],
        ]


async def test_times_are_as_short_as_they_can_be() -> None:
    now = datetime.now(UTC).astimezone()
    ms = int(now.timestamp() * 1000)
    assert moment(ms) == f"{now:%H:%M}"
    assert moment(ms, "%H.%M.%S") == f"{now:%H.%M.%S}"
    assert re.fullmatch(r"\d\d? \w{3}", day(ms))
    past = int(datetime(2019, 11, 3, 12, tzinfo=UTC).timestamp() * 1000)
    assert day(past) == "3 Nov 2019"
    assert re.fullmatch(r"3 Nov 2019 \d\d:\d\d", moment(past))


async def test_mentions_are_a_lower_bound_where_not_all_is_loaded() -> None:
    async with serve() as server, facing(server.addresses[0], "bob") as bob:
        async with facing(server.addresses[0], "ann") as ann:
            await ann.type("/join #lab")
            await ann.type("/join #lobby")
        await bob.type("/join #lab")
        for _ in range(8):
            bob.session.submit(bob.model.current, "ann!")
        await until(lambda: not bob.session.unsent)
        async with facing(server.addresses[0], "ann", page=5) as ann:
            room = ann.model.room_by_name("#lab")
            assert room is not None
            await until(lambda: room.mentions == 5)
            assert room.more_mentions
            assert any("8 unread, 5+ mentions" in line for line in await ann.type("/rooms"))
            await ann.session.fetch_older(room.number, 5)
            assert (room.mentions, room.more_mentions) == (8, False)
            assert any("8 unread, 8 mentions" in line for line in await ann.type("/rooms"))


async def test_what_was_meant_for_a_lost_room_is_said_nowhere() -> None:
    async with together("ann", "ann", "bob") as (ann, other, bob):
        await ann.type("/query bob")
        ann.session.submit(ann.model.current, "hi")
        await until(lambda: other.model.room_by_name("@bob") is not None)
        keys, draft = typing(ann)
        await other.type("/part @bob")
        await until(lambda: ann.model.room_by_name("@bob") is None)
        assert [line.text for line in ann.model.loose] == ["@bob was left on another device"]
        keys.submit("for bob alone")
        assert ann.lines == ["! not sent: choose a room first: /join ROOM"]
        assert draft.text == "for bob alone"
        # nor where one comes in by what somebody else does, or at another device
        await other.type("/join #lab")
        await until(lambda: ann.model.room_by_name("#lab") is not None)
        bob.session.submit(bob.model.room_by_name("@ann").number, "and?")  # type: ignore[union-attr]
        await until(lambda: ann.model.room_by_name("@bob") is not None)
        assert ann.model.current == 0
        await ann.type("/msg bob wait")
        assert ann.model.current == 0
        keys.submit("for bob alone")
        await ann.type("/join #lobby")
        keys.submit("for all")
        await until(lambda: said(ann, "#lobby") == ["for all"])
        assert said(bob, "@ann") == ["hi", "and?", "wait"]
        # what one leaves here is left for a neighbour
        await ann.type("/part")
        assert ann.model.current
