"""The room on the screen is lost: what is typed on goes nowhere, and is not lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support import RawClient, draft
from tests.tui.test_modes import CTRL_G, CTRL_N, CTRL_P, CTRL_U, ENTER, Desk, desk

from ipcchat.wire.messages import Direct, Join, Part, RoomInvite, RoomUninvite

pytestmark = pytest.mark.asyncio

NOT_SENT = "not sent: choose a room first"


@asynccontextmanager
async def private() -> AsyncIterator[tuple[Desk, RawClient, int]]:
    """In bob's `#plans`, with three other rooms beside it; bob is in all of them."""
    async with (
        desk() as one,
        RawClient.login(one.screen.settings.server, "bob", "b" * 32) as bob,
    ):
        for name in ("#lobby", "#lab", "#garden"):
            await bob.join(name)
        ok = await bob.ask(Join(bob.next_id(), draft(), "#plans", private=True))
        await bob.ask(RoomInvite(bob.next_id(), draft(), ok.room, "ann"))
        one.type("/join #plans" + ENTER)
        await one.shows(lambda rows: rows[0].startswith(" #plans private"))
        yield one, bob, ok.room


async def removed(one: Desk, bob: RawClient, room: int) -> list[str]:
    """bob takes her out; the screen says so."""
    await bob.ask(RoomUninvite(bob.next_id(), draft(), room, "ann"))
    return await one.shows(lambda rows: any("removed you from #plans" in row for row in rows))


def said(one: Desk) -> list[str]:
    """Every own line, in whatever room, sent or not."""
    made = []
    for room in one.screen.model.rooms.values():
        made += [item.text for item in room.pending]
        mine = one.screen.model.account
        made += [getattr(line, "text", "") for line in room.lines if getattr(line, "by", 0) == mine]
    return made


async def test_what_is_typed_on_goes_nowhere_and_stays() -> None:
    async with private() as (one, bob, room):
        await one.press("the password", "> the password")
        rows = await removed(one, bob, room)
        assert sum("#plans" in row for row in rows) == 1  # in one line, and nowhere else
        assert one.screen.model.current == 0
        assert "no room: Ctrl+N" in rows[0]
        await one.input("> the password")
        one.type(" is tulip" + ENTER)
        await one.shows(lambda rows: any(NOT_SENT in row for row in rows))
        assert one.rows()[-1] == "> the password is tulip"
        one.type(ENTER)
        await one.shows(lambda rows: sum(NOT_SENT in row for row in rows) == 2)
        assert not [text for text in said(one) if "tulip" in text or "password" in text]
        assert one.rows()[-1] == "> the password is tulip"


async def test_enter_in_the_same_breath_as_the_removal_sends_nothing_elsewhere() -> None:
    async with private() as (one, bob, room):
        await one.press("for the members", "> for the members")
        await bob.ask(RoomUninvite(bob.next_id(), draft(), room, "ann"))
        while one.screen.model.current:  # noqa: ASYNC110 - no look at the screen in between
            await asyncio.sleep(0)
        one.type(ENTER)
        await one.shows(lambda rows: any(NOT_SENT in row for row in rows))
        assert "for the members" not in said(one)
        await one.input("> for the members")


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (CTRL_N, "#lobby"),
        (CTRL_P, "#garden"),
        ("\x1b2", "#lab"),
        (CTRL_G + "garden" + ENTER, "#garden"),
    ],
)
async def test_the_text_goes_along_to_where_one_goes(keys: str, name: str) -> None:
    async with private() as (one, bob, room):
        await one.press("half a thought", "> half a thought")
        await removed(one, bob, room)
        one.type(keys)
        rows = await one.shows(lambda rows: rows[0].startswith(f" {name}"))
        assert rows[-1] == "> half a thought"
        await one.press(CTRL_U, ">")
        one.type("here" + ENTER)
        await one.shows(lambda rows: rows[-3].endswith("│ here"))


async def test_both_drafts_stay_where_the_other_room_has_one() -> None:
    async with private() as (one, bob, room):
        one.type("\x1b1")
        await one.shows(lambda rows: rows[0].startswith(" #lobby"))
        await one.press("of the lobby", "> of the lobby")
        one.type("\x1b4")
        await one.shows(lambda rows: rows[0].startswith(" #plans"))
        await one.press("of the plans", "> of the plans")
        await removed(one, bob, room)
        one.type(CTRL_N)
        rows = await one.shows(lambda rows: rows[0].startswith(" #lobby"))
        assert [row.strip() for row in rows[-2:]] == ["> of the lobby", "of the plans"]
        one.type(CTRL_N)
        await one.shows(lambda rows: rows[0].startswith(" #lab"))
        await one.input(">")
        one.type(CTRL_P)
        await one.shows(lambda rows: rows[-1].strip() == "of the plans")


async def test_alt_a_goes_to_what_is_new_from_no_room() -> None:
    async with private() as (one, bob, room):
        await removed(one, bob, room)
        lobby = one.screen.model.room_by_name("#lobby")
        assert lobby is not None
        await bob.say(lobby.number, "something new")
        await one.shows(lambda rows: "H: 1:#lobby(" in rows[-2])
        one.type("\x1ba")
        await one.shows(lambda rows: rows[-3].endswith("something new"))


async def test_a_room_that_comes_by_itself_takes_nobody_there() -> None:
    async with private() as (one, bob, room):
        await one.press("for the members", "> for the members")
        await removed(one, bob, room)
        ok = await bob.ask(Direct(bob.next_id(), draft(), nick="ann"))
        await bob.say(ok.room, "are you there?")
        await one.shows(lambda rows: "4:@bob(1!)" in rows[-2])
        assert one.screen.model.current == 0
        one.type(ENTER)
        await one.shows(lambda rows: any(NOT_SENT in row for row in rows))
        assert "for the members" not in said(one)


async def test_a_direct_room_put_away_on_another_device_is_told_of() -> None:
    async with private() as (one, _, _):
        one.type("/query bob" + ENTER)
        await one.shows(lambda rows: rows[0].startswith(" @bob"))
        room = one.screen.model.current
        one.type("hello" + ENTER + "for bob alone")
        await one.input("> for bob alone")
        async with RawClient.login(one.screen.settings.server, "ann", "0" * 32) as elsewhere:
            await elsewhere.ask(Part(elsewhere.next_id(), draft(), room))
            await one.shows(
                lambda rows: any("@bob was left on another device" in row for row in rows)
            )
        one.type(ENTER)
        await one.shows(lambda rows: any(NOT_SENT in row for row in rows))
        assert "for bob alone" not in said(one)
        await one.input("> for bob alone")


async def test_commands_go_on_and_lead_to_a_room() -> None:
    async with private() as (one, bob, room):
        await removed(one, bob, room)
        await one.press("//to nobody", "> //to nobody")
        one.type(ENTER)
        await one.shows(lambda rows: any(NOT_SENT in row for row in rows))
        one.type(CTRL_U + "/me waves" + ENTER)
        await one.shows(lambda rows: any("you are in no room" in row for row in rows))
        await one.input("> /me waves")
        one.type(CTRL_U + "/join #lab" + ENTER + "hello" + ENTER)
        await one.shows(lambda rows: rows[0].startswith(" #lab") and rows[-3].endswith("hello"))
