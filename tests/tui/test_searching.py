"""`/search` on the screen, at a real server: there and back, to the row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.input import create_pipe_input
from tests.support import RawClient, serve
from tests.tui.test_modes import ENTER, ESC, PAGE_UP, UP, Desk, Window

from ipcchat.address import parse_address
from ipcchat.client.lines import Hole
from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.entries import Entry
from ipcchat.settings import ClientSettings
from ipcchat.tui.app import made
from ipcchat.wire.messages import Read, Search

pytestmark = pytest.mark.asyncio

HOME, PAGE_DOWN, ALT_S = "\x1b[H", "\x1b[6~", "\x1bs"
ALT_HOME, ALT_END = "\x1b[1;3H", "\x1b[1;3F"
OLD = 400


@asynccontextmanager
async def desk(read: int = 0) -> AsyncIterator[Desk]:
    """In `#lobby`, with `#old` beside it, of whose 400 lines the last few are loaded, and so many
    were read elsewhere; bob also spoke in `#other`, where one is not."""
    async with serve() as server:
        address = server.addresses[0]
        async with RawClient.login(address, "bob", "b" * 32) as bob:
            for name, count in (("#lobby", 60), ("#old", OLD), ("#other", 1)):
                room = await bob.join(name)
                for number in range(count):
                    far = " far" if name == "#old" and number in (20, 300) else ""
                    await bob.say(room, f"{name[1:]} line {number} \u65e5\u672c\u8a9e{far}")
            while (await bob.ask(Search(bob.next_id(), "line"))).lag:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            if read:
                async with RawClient.login(address, "ann", "0" * 32) as elsewhere:
                    room = await elsewhere.join("#old")
                    await elsewhere.ask(Read(elsewhere.next_id(), room, read))
            settings = ClientSettings(
                server=address, plaintext=True, pane_left=999, pane_right=999, page=30
            )
            session = Session(
                parse_address(address), Credentials("ann", "0" * 32), settings, rooms=["#lobby"]
            )
            await session.start()
            with create_pipe_input() as pipe:
                screen = made(session, settings, input=pipe, output=Window())
                async with asyncio.TaskGroup() as group:
                    group.create_task(screen.run())
                    one = Desk(screen, pipe)
                    await one.shows(lambda _: session.on_change == screen.changed)
                    if not read:
                        one.type("/join #old\r")
                        await one.shows(lambda rows: "#old: 400 messages since" in rows[-3])
                    lobby = session.model.room_by_name("#lobby")
                    assert lobby is not None
                    screen.go_to(lobby.number)
                    await one.shows(lambda rows: rows[-3].endswith("59 \u65e5\u672c\u8a9e"))
                    yield one
                    screen.leave()
            await session.close()


def place(one: Desk) -> tuple[str, object]:
    return one.room, one.place


async def found(one: Desk, query: str, first: str) -> list[str]:
    """Searches, and waits for the list, and for its first row where it says how much there is."""
    one.type(f"/search {query}{ENTER}")
    return await one.shows(lambda rows: rows[-1] == f"{first}: {query}")


async def at(one: Desk, text: str) -> list[str]:
    """Waits until that line shows with its mark, and the input has the keys."""
    return await one.shows(
        lambda rows: (
            one.screen.panes.mode is None
            and any(row[5:6] == ">" and row.endswith(text) for row in rows)
        )
    )


async def test_there_and_back_from_the_end() -> None:
    async with desk() as one:
        before = one.rows()
        rows = await found(one, "line 20 in:#old", "11 of 11")
        assert rows[-2].startswith("> ")
        assert "#old" in rows[-2]
        assert "209" in rows[-2]
        one.type(HOME + ENTER)
        rows = await at(one, "old line 20 \u65e5\u672c\u8a9e far")
        text = "\n".join(rows)
        assert "old line 19 " in text  # with its surroundings
        assert "old line 21 " in text
        assert one.room == "#old"
        one.type(ESC)
        assert await one.shows(lambda rows: rows[0].startswith(" #lobby")) == before
        assert place(one) == ("#lobby", None)


async def test_there_and_back_from_the_past_with_a_draft() -> None:
    async with desk() as one:
        one.type(PAGE_UP)
        await one.shows(lambda rows: "-MORE(" in rows[-2])
        was, rows = place(one), one.rows()
        await found(one, "far in:#old", "2 of 2")
        assert place(one) == was  # the command has not moved it
        one.type(ESC)
        assert (await one.input(">"))[2:] == rows[2:]  # above it there may be more by now
        await one.press("half a thought", "> half a thought")
        one.type(ALT_S)
        await one.input("2 of 2: far in:#old")
        one.type(UP + ENTER)
        await at(one, "far")
        await one.input(">")  # that room has its own
        one.type(ALT_S)
        await one.input("1 of 2: far in:#old")  # as it was left
        one.type("\x1b[B" + ENTER)
        await at(one, "old line 300 \u65e5\u672c\u8a9e far")
        one.type(ESC)
        await one.input("> half a thought")
        assert place(one) == was
        assert one.rows()[2:-1] == rows[2:-1]


async def test_there_and_back_in_the_same_room() -> None:
    async with desk() as one:
        one.type("\x1b2")
        await one.shows(lambda rows: rows[-4].endswith("399 \u65e5\u672c\u8a9e"))
        for pages in (0, 2):
            one.type(PAGE_UP * pages)
            await one.shows(lambda rows: ("-MORE(" in rows[-2]) == bool(pages))  # noqa: B023
            rows = one.rows()
            for text in ("far", "line 100", "line 200"):
                await one.shows(lambda _: one.screen.model.rooms[one.screen.model.current].live)
                one.type(f"/search {text} in:#old{ENTER}")
                await one.shows(lambda _: one.screen.panes.mode is not None)
                one.type(UP + ENTER)
                await at(one, "far" if text == "far" else f"{text} \u65e5\u672c\u8a9e")
                one.type(ESC)
                # What older lines may have brought above it moves nothing.
                await one.shows(lambda now: now[2:-3] == rows[2:-3])  # noqa: B023


async def test_the_mark_goes_with_the_next_key_and_the_way_back_with_what_is_said() -> None:
    async with desk() as one:
        await found(one, "far", "2 of 2")
        one.type(ENTER)
        await at(one, "far")
        await one.press("x", "> x")
        assert not any(row[5:6] == ">" for row in one.rows())
        one.type("\x15said here" + ENTER)
        await one.shows(lambda rows: rows[-3].endswith("\u2502 said here"))
        assert not one.screen.places.jumped


async def test_the_list_asked_for_again_leaves_one_where_one_was() -> None:
    async with desk() as one:
        await found(one, "far in:#old", "2 of 2")
        one.type(ESC)
        await one.input(">")
        one.type(PAGE_UP)
        await one.shows(lambda rows: "-MORE(" in rows[-2])
        was, rows = place(one), one.rows()
        one.type(f"/search{ENTER}")
        await one.input("2 of 2: far in:#old")
        one.type(ESC)
        await one.input(">")
        assert place(one) == was
        assert one.rows()[2:-1] == rows[2:-1]


async def test_who_only_looks_has_read_nothing() -> None:
    async with desk(read=100) as one:
        old = one.screen.model.room_by_name("#old")
        assert old is not None
        before = (old.unread, old.read_seq)
        assert before[0] == OLD - 99
        await found(one, "far in:#old", "2 of 2")
        one.type(ENTER)
        await at(one, "far")
        assert one.room == "#old"
        assert (old.unread, old.read_seq) == before
        one.type(ESC)
        await one.shows(lambda rows: rows[0].startswith(" #lobby"))
        assert (old.unread, old.read_seq) == before


async def test_alt_keys_work_where_esc_leads_back() -> None:
    async with desk() as one:
        await found(one, "far", "2 of 2")
        one.type(ENTER)
        await at(one, "far")
        one.type("\x1b1")
        await one.shows(lambda rows: rows[0].startswith(" #lobby"))
        assert not one.screen.places.jumped  # he went elsewhere himself


async def test_a_hole_is_filled_as_one_reads_on() -> None:
    async with desk() as one:
        await found(one, "far in:#old", "2 of 2")
        one.type(UP + ENTER)
        await at(one, "line 20 \u65e5\u672c\u8a9e far")
        seen: list[int] = []
        while not seen or seen[-1] < OLD - 1:
            rows = await one.shows(lambda rows: "are not loaded" not in "\n".join(rows))
            shown = [int(row.split("line ")[1].split()[0]) for row in rows if "old line" in row]
            seen += [number for number in shown if not seen or number > seen[-1]]
            if seen[-1] < OLD - 1:
                one.type(PAGE_DOWN)
                await one.shows(lambda now: now != rows)  # noqa: B023
        assert seen == list(range(seen[0], OLD))


async def test_a_hole_is_filled_from_below_as_one_goes_back() -> None:
    async with desk() as one:
        await found(one, "far in:#old", "2 of 2")
        one.type(UP + ENTER)
        await at(one, "line 20 \u65e5\u672c\u8a9e far")
        one.type(ALT_END)
        await one.shows(lambda rows: rows[-4].endswith("399 \u65e5\u672c\u8a9e"))
        seen: list[int] = []
        while not seen or seen[-1] > 5:
            rows = await one.shows(lambda rows: "are not loaded" not in "\n".join(rows))
            shown = [int(row.split("line ")[1].split()[0]) for row in rows if "old line" in row]
            seen += [number for number in shown[::-1] if not seen or number < seen[-1]]
            if seen[-1] > 5:
                one.type(PAGE_UP)
                await one.shows(lambda now: now != rows)  # noqa: B023
        assert seen == list(range(OLD - 1, seen[-1] - 1, -1))


async def test_nothing_found_is_a_line_and_so_is_a_bad_query() -> None:
    async with desk() as one:
        one.type(f"/search absent{ENTER}")
        await one.shows(lambda rows: any("nothing found: absent" in row for row in rows))
        one.type(f"/search from:{ENTER}")
        await one.shows(lambda rows: any("from: has nothing behind it" in row for row in rows))
        one.type(f"/search{ENTER}")
        await one.shows(lambda rows: any("nothing was searched for yet" in row for row in rows))
        assert one.screen.panes.mode is None


async def test_a_room_one_is_not_in_is_named_and_entered_by_enter_once_more() -> None:
    async with desk() as one:
        await found(one, "other", "1 of 1")
        await one.shows(lambda rows: "#other" in rows[-2])
        asked = "you are not in #other \u2013 Enter again joins it and goes there"
        one.type(ENTER)
        await one.shows(lambda rows: any(asked in row for row in rows))
        assert len(one.screen.model.rooms) == 2
        one.type(UP)
        await one.shows(lambda rows: not any(asked in row for row in rows))
        one.type(ENTER)
        await one.shows(lambda rows: any(asked in row for row in rows))
        assert len(one.screen.model.rooms) == 2  # another key took that back
        one.type(ENTER)
        await at(one, "other line 0 \u65e5\u672c\u8a9e")
        assert one.room == "#other"
        one.type(ESC)
        await one.shows(lambda rows: rows[0].startswith(" #lobby"))
        assert len(one.screen.model.rooms) == 3


async def test_a_large_room_one_is_not_in_is_entered_at_the_place() -> None:
    async with desk() as one:
        one.screen.go_to(one.screen.model.room_by_name("#old").number)  # type: ignore[union-attr]
        one.type(f"/part{ENTER}")
        await one.shows(lambda rows: rows[0].startswith(" #lobby"))
        await found(one, "far", "2 of 2")
        one.type(UP + ENTER)
        await one.shows(lambda rows: any("Enter again" in row for row in rows))
        one.type(ENTER)
        rows = await at(one, "old line 20 \u65e5\u672c\u8a9e far")
        assert any("old line 25 " in row for row in rows)


async def test_a_direct_room_that_was_put_away_is_opened() -> None:
    async with desk() as one:
        one.type(f"/msg bob a pomegranate{ENTER}")
        await one.shows(lambda rows: any("to bob: a pomegranate" in row for row in rows))
        number = one.screen.model.room_by_name("@bob").number  # type: ignore[union-attr]
        one.type(f"/part @bob{ENTER}")
        await one.shows(lambda _: one.screen.model.room_by_name("@bob") is None)
        while not len(await searched(one, "pomegranate")):
            pass
        await found(one, "pomegranate", "1 of 1")
        one.type(ENTER)
        await at(one, "a pomegranate")
        assert one.room == "@bob"
        assert one.screen.model.current == number
        one.type(ESC)
        await one.shows(lambda rows: rows[0].startswith(" #lobby"))


async def searched(one: Desk, text: str) -> list[Entry]:
    return list((await one.screen.session.search(text)).items)


@asynccontextmanager
async def top() -> AsyncIterator[Desk]:
    """At the very top of `#old`, to which a jump led: what is below that stretch is not loaded."""
    async with desk() as one:
        await found(one, "line 20 in:#old", "11 of 11")
        one.type(HOME + ENTER)
        await at(one, "line 20 \u65e5\u672c\u8a9e far")
        one.type(ALT_HOME)
        await one.shows(lambda rows: any("old line 0 " in row for row in rows))
        old = one.screen.places.room()
        assert old is not None
        assert old.complete
        assert any(isinstance(line, Hole) for line in old.lines)
        yield one


async def test_there_and_back_to_a_stretch_that_an_earlier_jump_has_loaded() -> None:
    async with top() as one:
        rows = one.rows()
        for text in ("300", "200", "150"):
            one.type(f"/search {text} in:#old{ENTER}")
            await one.shows(lambda _: one.screen.panes.mode is not None)
            one.type(ENTER)
            await at(
                one, "300 \u65e5\u672c\u8a9e far" if text == "300" else f"{text} \u65e5\u672c\u8a9e"
            )
            one.type(ESC)
            await one.shows(lambda now: now[:-2] == rows[:-2])


async def test_the_talk_behind_the_list_stays_when_what_was_left_comes() -> None:
    async with top() as one:
        await found(one, "far", "2 of 2")
        rows = one.rows()
        talk = [row for row in rows if "old line" in row and not row.startswith((">", " "))]
        assert talk
        old = one.screen.places.room()
        assert old is not None
        before = len(old.lines)
        one.type(ENTER + UP)
        await one.shows(lambda _: len(old.lines) > before and not one.screen.scrollback.holds())
        now = [row for row in one.rows() if "old line" in row and not row.startswith((">", " "))]
        assert now == talk
        assert one.screen.panes.mode is not None


async def test_what_is_not_loaded_is_counted_below() -> None:
    async with top() as one:
        rows = one.rows()
        lowest = [int(row.split("line ")[1].split()[0]) for row in rows if "old line" in row][-1]
        assert f"-MORE({OLD - lowest})-" in rows[-2]  # and what the room says on joining


async def test_further_pages_come_at_the_oldest() -> None:
    async with desk() as one:
        await found(one, "line in:#old", "50 of 50+")
        one.type(HOME)
        await one.input("51 of 100+: line in:#old")
        for _ in range(7):
            one.type(HOME)
            await asyncio.sleep(0)
        await one.shows(lambda rows: "+" in rows[-1] and not rows[-1].startswith("51 of 100+"))
        async with asyncio.timeout(20):
            while one.screen.panes.mode.prompt()[0] != f"1 of {OLD}: ":  # type: ignore[union-attr,index]
                one.type(HOME)
                await asyncio.sleep(0.02)


async def test_the_keys_go_on_where_something_is_typed_meanwhile() -> None:
    async with desk() as one:
        one.type(f"/search far{ENTER}and then")
        await one.shows(
            lambda rows: any("found: far \u2013 /search shows it" in row for row in rows)
        )
        await one.input("> and then")
        one.type(ALT_S)
        await one.input("2 of 2: far")
        one.type(ESC)
        await one.input("> and then")


async def test_what_is_new_is_counted_and_found_however_much_it_is() -> None:
    async with desk(read=101) as one:  # the room's first entry made it
        await one.shows(lambda rows: f"#old({OLD - 100})" in rows[-2])
        old = one.screen.model.room_by_name("#old")
        assert old is not None
        assert len(old.lines) < 150
        one.screen.go_to(old.number)
        await one.shows(lambda rows: rows[-3].endswith("399 \u65e5\u672c\u8a9e"))
        one.type("\x1bu")
        rows = await one.shows(lambda rows: any(" new " in row for row in rows))
        at = next(at for at, row in enumerate(rows) if " new " in row)
        assert "line 99 " in rows[at - 1]
        assert "line 100 " in rows[at + 1]
        assert sum(" new " in row for row in rows) == 1
