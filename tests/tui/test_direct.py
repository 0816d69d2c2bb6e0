"""Direct and private rooms on the screen: found by a nick, gone to first, told of as facts."""

import pytest
from tests.support import RawClient, draft
from tests.tui.test_modes import CTRL_G, ENTER, ESC, desk

from ipcchat.wire.messages import Direct, Topic

pytestmark = pytest.mark.asyncio


async def meets(bob: RawClient, nick: str) -> int:
    """The number of the direct room with somebody."""
    ok = await bob.ask(Direct(bob.next_id(), draft(), nick=nick))
    return int(ok.room)


async def test_the_switcher_finds_people_behind_an_at() -> None:
    async with desk() as one:
        address = one.screen.settings.server
        async with RawClient.login(address, "bob", "b" * 32) as bob:
            await bob.join("#lobby")
            lobby = one.screen.places.room()
            assert lobby is not None
            await one.shows(lambda _: any(m.nick == "bob" for m in lobby.members.values()))
            await one.press(CTRL_G + "bob", "room: bob")
            await one.shows(lambda rows: any("no such room" in row for row in rows))
            one.type("\x15@bo")
            await one.input("room: @bo")
            await one.shows(lambda rows: rows[-2].startswith("> @bob"))
            one.type(ENTER)
            await one.shows(lambda rows: rows[0].startswith(" @bob"))
            one.type("are you there?" + ENTER)
            room = await meets(bob, "ann")
            await bob.follow(room, last=10)
            said = await bob.take(lambda event: getattr(event, "text", "") == "are you there?")
            assert said.room == room
            # from now on it is a room like others, and he is not there twice
            await one.press(CTRL_G + "@b", "room: @b")
            rows = await one.shows(lambda rows: rows[-2].startswith("> @bob"))
            assert rows[-3].startswith(" [")  # once
            one.type(ESC)


async def test_the_switcher_asks_for_who_is_not_known() -> None:
    async with desk() as one:
        async with RawClient.login(one.screen.settings.server, "zoe", "e" * 32):
            await one.press(CTRL_G + "@zoe", "room: @zoe")
            await one.shows(lambda rows: any("Enter asks for zoe" in row for row in rows))
            one.type(ENTER)
            await one.shows(lambda rows: rows[0].startswith(" @zoe"))
        await one.press(CTRL_G + "@nobody", "room: @nobody")
        one.type(ENTER)
        await one.shows(lambda rows: any("nobody has that nick" in row for row in rows))
        assert one.room == "@zoe"


async def test_activity_is_direct_first_then_mentions_then_the_rest() -> None:
    async with desk() as one:
        async with RawClient.login(one.screen.settings.server, "bob", "b" * 32) as bob:
            lab, garden = await bob.join("#lab"), await bob.join("#garden")
            await bob.say(lab, "something")
            await bob.say(garden, "ann: look")
            await bob.say(await meets(bob, "ann"), "psst")
            await one.shows(lambda rows: "2:#lab(1) 3:#garden(1!,1) 4:@bob(1!)" in rows[-2])
            for name, text in (("@bob", "psst"), ("#garden", "ann: look"), ("#lab", "something")):
                one.type("\x1ba")
                rows = await one.shows(lambda rows: rows[0].startswith(f" {name}"))  # noqa: B023
                assert any(row.endswith(f"bob │ {text}") for row in rows), rows


async def test_a_private_room_tells_who_came_and_who_asked_them() -> None:
    async with desk() as one:
        async with RawClient.login(one.screen.settings.server, "bob", "b" * 32) as bob:
            one.type("/join --private #plans" + ENTER)
            await one.shows(lambda rows: rows[0].startswith(" #plans private"))
            one.type("/invite bob" + ENTER)
            await one.shows(lambda rows: rows[-3].endswith("ann invited bob"))
            room = await bob.join("#plans")
            await one.shows(lambda rows: rows[-3].endswith("bob came in"))
            await bob.ask(Topic(bob.next_id(), draft(), room, "secret"))
            await one.shows(lambda rows: rows[0].startswith(" #plans private — secret"))


async def test_who_is_away_sees_so() -> None:
    async with desk() as one:
        one.type("/away lunch" + ENTER)
        await one.shows(lambda rows: "  away  " in rows[-2])
        one.type("/back" + ENTER)
        await one.shows(lambda rows: "  away  " not in rows[-2])
