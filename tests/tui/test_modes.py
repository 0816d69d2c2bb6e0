"""What takes the keys from the input and gives them back: search, switcher, question, bare view."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from tests.glass import flat
from tests.support import serve
from tests.terminal import clockless

from ipcchat.actions.question import Question
from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.settings import ClientSettings
from ipcchat.tui.app import made
from ipcchat.tui.modes import Asking
from ipcchat.tui.screen import ChatScreen

pytestmark = pytest.mark.asyncio

CTRL_C, ENTER, ESC, BACKSPACE, UP, DOWN = "\x03", "\r", "\x1b", "\x7f", "\x1b[A", "\x1b[B"
CTRL_G, CTRL_N, CTRL_P, CTRL_R, CTRL_S, CTRL_U, CTRL_W = map(chr, (7, 14, 16, 18, 19, 21, 23))
ALT_L, PAGE_UP = "\x1bl", "\x1b[5~"
PASTE = "\x1b[200~{}\x1b[201~"
LINES = 60


class Window(DummyOutput):
    """A terminal that nobody sees."""

    def get_size(self) -> Size:
        return Size(rows=24, columns=80)


class Desk:
    """Somebody at a screen of 80×24 without lists."""

    def __init__(self, screen: ChatScreen, pipe: PipeInput) -> None:
        self.screen = screen
        self._pipe = pipe

    def type(self, keys: str) -> None:
        self._pipe.send_text(keys)

    def rows(self) -> list[str]:
        """What the screen shows."""
        frame = self.screen.shell.frame(80, 24)
        if frame.bare is not None:
            return list(frame.bare)
        return [clockless("".join(flat(row) for _, _, row in line)) for line in frame.lines]

    async def shows(self, holds: Callable[[list[str]], bool]) -> list[str]:
        try:
            async with asyncio.timeout(10):
                while not holds(self.rows()):  # noqa: ASYNC110 - prompt_toolkit tells nobody
                    await asyncio.sleep(0.002)
        except TimeoutError:
            raise AssertionError("\n".join(self.rows())) from None
        return self.rows()

    async def input(self, text: str) -> list[str]:
        """Waits until that is the last row."""
        return await self.shows(lambda rows: rows[-1] == text)

    async def press(self, keys: str, text: str) -> list[str]:
        """Presses keys, and waits until that is the last row."""
        self.type(keys)
        return await self.input(text)

    @property
    def place(self) -> object:
        """Where in the past one is."""
        room = self.screen.places.room()
        assert room is not None
        return self.screen.scrollback.anchor(room)

    @property
    def room(self) -> str:
        room = self.screen.places.room()
        assert room is not None
        return room.name


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """In `#lobby`, where 60 lines were said; `#lab` and `#garden` beside it."""
    async with serve() as server:
        settings = ClientSettings(
            server=server.addresses[0], plaintext=True, pane_left=999, pane_right=999
        )
        session = Session(parse_address(settings.server), Credentials("ann", "0" * 32), settings)
        await session.start()
        with create_pipe_input() as pipe:
            screen = made(session, settings, input=pipe, output=Window())
            async with asyncio.TaskGroup() as group:
                group.create_task(screen.run())
                one = Desk(screen, pipe)
                # it lives: commands are done from then on
                await one.shows(lambda _: session.on_change == screen.changed)
                for name in ("#lab", "#garden"):
                    one.type(f"/join {name}\r")
                    await one.shows(lambda _: one.room == name)  # noqa: B023
                one.type("\x1b1")
                await one.shows(lambda _: one.room == "#lobby")
                for number in range(LINES):
                    session.submit(session.model.current, f"line {number}")
                await one.shows(lambda rows: rows[-3].endswith(f"│ line {LINES - 1}"))
                yield one
                screen.leave()
        await session.close()


# --- the search ---------------------------------------------------------------------------


async def test_the_search_follows_what_is_typed_and_esc_goes_back() -> None:
    async with desk() as one:
        await one.press("a draft", "> a draft")
        before = one.rows()
        await one.press(CTRL_S, "search:")
        rows = await one.press("line 2", "search: line 2")
        assert any("line 29" in row for row in rows)  # the last that has it
        rows = await one.press("0", "search: line 20")
        assert any(row.endswith("│ line 20") for row in rows)
        await one.press(BACKSPACE, "search: line 2")
        await one.press(CTRL_U + "LINE 7", "not found in what is loaded: LINE 7")
        await one.press(CTRL_U + "nobody", "not found in what is loaded: nobody")
        assert await one.press(ESC, "> a draft") == before
        assert one.place is None


async def test_enter_stays_and_the_place_is_kept() -> None:
    async with desk() as one:
        await one.press(CTRL_S + "line 10", "search: line 10")
        await one.press(ENTER, ">")
        rows = one.rows()
        assert any(row.endswith("│ line 10") for row in rows)
        assert one.place is not None
        await one.press("x", "> x")
        assert one.rows()[:-1] == rows[:-1]
        # searching again and leaving it leads back here, not to the end
        await one.press(CTRL_S + "line 5", "search: line 5")
        await one.press(CTRL_C, "> x")
        assert one.rows()[:-1] == rows[:-1]


async def test_again_is_the_one_before_and_ctrl_r_the_one_after() -> None:
    async with desk() as one:
        await one.press(CTRL_S + "line 1", "search: line 1")

        def found() -> str:
            """What is marked in the lowest row that is."""
            marked = [
                "".join(text for _, text in row.parts).rpartition(" ")[2]
                for line in one.screen.shell.frame(80, 24).lines
                for _, _, row in line
                if ("found", "line 1") in row.parts
            ]
            return marked[-1] if marked else ""

        assert found() == "19"
        place = one.place
        one.type(CTRL_S * 3)
        await one.shows(lambda _: one.place != place)
        earlier = one.place
        for key in (CTRL_R * 3, CTRL_P * 3 + CTRL_N * 3, UP * 3 + DOWN * 3):
            one.type(key)
            await one.shows(lambda _: one.place == place)
        one.type(UP * 3)
        await one.shows(lambda _: one.place == earlier)
        one.type(ESC)
        await one.input(">")
        assert one.place is None


async def test_a_long_query_shows_its_end() -> None:
    async with desk() as one:
        query = "words " * 20 + "end"
        one.type(CTRL_S + query)
        await one.shows(lambda rows: rows[-1].endswith("end"))
        assert all(len(row) <= 80 for row in one.rows())


# --- the switcher -------------------------------------------------------------------------


async def test_some_letters_are_enough() -> None:
    async with desk() as one:
        await one.press("a draft", "> a draft")
        rows = await one.press(CTRL_G, "room:")
        assert {"#lobby", "#lab", "#garden"} <= {row[2:] for row in rows[-4:-1]}
        rows = await one.press("gd", "room: gd")
        assert rows[-2] == "> #garden"
        await one.press(ENTER, ">")
        assert one.room == "#garden"
        await one.press(CTRL_G + "lob\r", "> a draft")
        assert one.room == "#lobby"


async def test_the_choice_moves_round_and_esc_goes_nowhere() -> None:
    async with desk() as one:
        await one.press(CTRL_G, "room:")

        def chosen() -> str:
            return next(row for row in one.rows()[-4:] if row.startswith("> "))

        seen = []
        for _ in range(4):
            seen.append(chosen())
            one.type(DOWN)
            await one.shows(lambda _: chosen() != seen[-1])
        assert len(set(seen)) == 3
        assert seen[3] == seen[0]
        for key in (UP, CTRL_P, "\x1b[Z"):
            before = chosen()
            one.type(key)
            await one.shows(lambda _: chosen() != before)  # noqa: B023
        await one.press("no such", "room: no such")
        assert "no such room" in one.rows()[-2]
        await one.press(CTRL_W, "room: no")
        await one.press(CTRL_U, "room:")
        await one.press("x" + ENTER, ">")  # nothing fits: one stays
        assert one.room == "#lobby"
        for key in (ESC, CTRL_C):
            await one.press(CTRL_G + "lab", "room: lab")
            await one.press(key, ">")
            assert one.room == "#lobby"


async def test_a_paste_is_typed_there() -> None:
    async with desk() as one:
        await one.press(CTRL_G + PASTE.format("lab"), "room: lab")
        await one.press(ENTER, ">")
        assert one.room == "#lab"


# --- questions ----------------------------------------------------------------------------


async def test_a_question_has_the_keys_and_the_draft_stays() -> None:
    async with desk() as one:
        done: list[str] = []
        await one.press("a draft", "> a draft")

        async def ask(key: str) -> str:
            done.clear()
            answers = {"y": lambda: done.append("y")}
            one.screen.ask(Question(" well?  y yes · n no", answers, lambda: done.append("no")))
            await one.shows(lambda rows: rows[-2] == " well?  y yes · n no")
            one.type(key)
            await one.shows(lambda rows: "well?" not in rows[-2])
            assert one.rows()[-1] == "> a draft"
            return done[0]

        assert [await ask(key) for key in ("y", "Y")] == ["y", "y"]
        for key in ("n", "x", ESC, ENTER, CTRL_C, CTRL_G, UP, "日"):
            assert await ask(key) == "no"
        # a paste is no answer
        done.clear()
        one.screen.ask(Question(" well?  y yes", {"y": lambda: done.append("y")}))
        one.type(PASTE.format("yes\nyes"))
        one.type("y")
        await one.shows(lambda rows: "well?" not in rows[-2])
        assert done == ["y"]
        assert not isinstance(one.screen.panes.mode, Asking)
        await one.input("> a draft")


# --- the bare view ------------------------------------------------------------------------


async def test_the_bare_view_is_what_was_said_and_any_key_returns() -> None:
    async with desk() as one:
        await one.press("a draft", "> a draft")
        before = one.rows()
        for key in ("x", ESC, ENTER, CTRL_C, UP):
            one.type(ALT_L)
            rows = await one.shows(lambda rows: rows[-1] == "(to copy from · any key returns)")
            assert rows[-2] == f"ann: line {LINES - 1}"
            assert len(rows) == 24
            one.type(key)
            assert await one.input("> a draft") == before


async def test_the_bare_view_shows_the_past_where_one_is() -> None:
    async with desk() as one:
        one.type(PAGE_UP)
        rows = await one.shows(lambda rows: "-MORE(" in rows[-2])
        lowest = rows[-3].partition("│ ")[2]
        one.type(ALT_L)
        rows = await one.shows(lambda rows: "any key returns" in rows[-1])
        assert rows[-2] == f"ann: {lowest}"


async def test_the_bare_view_has_a_message_that_is_longer_than_the_screen() -> None:
    async with desk() as one:
        session = one.screen.session
        session.submit(session.model.current, "word " * 700 + "the end")
        room = one.screen.places.room()
        assert room is not None
        await one.shows(lambda rows: rows[-3].endswith("the end") and not room.pending)
        one.type(ALT_L)
        rows = await one.shows(lambda rows: "any key returns" in rows[-1])
        assert rows[-2].endswith("the end")
