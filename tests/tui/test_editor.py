"""What is being typed: history, drafts of rooms, completion from the one table of commands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from tests.support import serve

from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.model import Model
from ipcchat.client.session import Session
from ipcchat.commands import COMMANDS
from ipcchat.entries import Entry
from ipcchat.settings import ClientSettings
from ipcchat.tui.app import made
from ipcchat.tui.editor import Editor
from ipcchat.tui.screen import ChatScreen
from ipcchat.wire.messages import FollowOk, Member, Room

ANN, BOB, BEA, ZOE = 1, 2, 3, 4


def build(role: str = "member") -> tuple[Model, Editor]:
    """An editor in `#lab`, where bob, bea and Zoë are, and which has `#lobby` beside it."""
    model = Model("host", "ann")
    model.login(ANN, "ann", role)
    for number, name in ((1, "#lab"), (2, "#lobby")):
        room = model.add_room(Room(number, name))
        model.placed(room, "e" * 32, FollowOk(1, from_=0, head=0, first=1), resumed=False)
    people = [Member(ANN, "ann", "online"), Member(BOB, "bob", "online")]
    people += [Member(BEA, "bea", "online"), Member(ZOE, "Zoë", "away")]
    model.set_members(model.rooms[1], people)
    editor = Editor()
    editor.attach(model, lambda: None)
    return model, editor


def say(model: Model, seq: int, by: int, nick: str) -> None:
    model.apply(Entry(1, seq, seq, by, nick, "message", f"{seq:032x}", "hi"))


def tab(editor: Editor, typed: str, times: int = 1, step: int = 1) -> str:
    """What becomes of a text after so many Tabs at its end."""
    editor.buffer.document = Document(typed)
    for _ in range(times):
        editor.complete(step)
    assert editor.buffer.cursor_position == len(editor.text)
    return editor.text


# --- completion ---------------------------------------------------------------------------


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_tab_knows_every_command_of_the_table(row: object) -> None:
    command = next(item for item in COMMANDS if item is row)
    _, editor = build(command.role)
    space = " " if command.arguments else ""
    typed = f"/{command.name[:-1]}"
    found = {tab(editor, typed, times) for times in range(1, len(COMMANDS) + 1)}
    assert f"/{command.name}{space}" in found
    assert found <= {f"/{item.name}{' ' if item.arguments else ''}" for item in COMMANDS}


def test_tab_offers_operators_commands_to_operators_alone() -> None:
    assert tab(build("operator")[1], "/shut") == "/shutdown"
    assert tab(build()[1], "/shut") == "/shut"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("/jo", "/join "),
        ("/join #lo", "/join #lobby"),
        ("/join LO", "/join #lobby"),
        ("/help to", "/help topic"),
        ("/save --lo", "/save --loaded"),
        ("zo", "Zoë: "),
        ("ask zo", "ask Zoë"),
        ("ask @zo", "ask @Zoë"),
        ("see #lob", "see #lobby"),
        ("/topic ask zo", "/topic ask Zoë"),
        ("//jo", "//jo"),
        ("nobody", "nobody"),
        ("", ""),
    ],
)
def test_tab_completes_the_word(typed: str, shown: str) -> None:
    assert tab(build()[1], typed) == shown


def test_tab_again_is_the_next_one_and_shift_tab_the_one_before() -> None:
    _, editor = build()
    assert [tab(editor, "b", times) for times in (1, 2, 3)] == ["bob: ", "bea: ", "bob: "]
    assert [tab(editor, "b", times, -1) for times in (1, 2)] == ["bea: ", "bob: "]


def test_the_other_choices_are_shown_until_something_is_typed() -> None:
    _, editor = build()
    tab(editor, "b")
    assert editor.hint == "bob: bea:"
    editor.insert("hi")
    editor.complete(1)
    assert editor.text == "bob: hi"
    assert editor.hint == ""
    tab(editor, "zo")
    assert editor.hint == ""  # there is one only


def test_who_spoke_last_comes_first_and_oneself_last() -> None:
    model, editor = build()
    say(model, 1, BOB, "bob")
    assert tab(editor, "b") == "bob: "
    say(model, 2, BEA, "bea")
    assert tab(editor, "b") == "bea: "
    model.set_members(model.rooms[1], [Member(ANN, "ann", "online"), Member(BOB, "anna", "online")])
    assert [tab(editor, "an", times) for times in (1, 2)] == ["anna: ", "ann: "]


def test_tab_in_the_middle_keeps_what_follows() -> None:
    _, editor = build()
    editor.buffer.document = Document("ask zo about it", len("ask zo"))
    editor.complete(1)
    assert editor.text == "ask Zoë about it"
    assert editor.buffer.cursor_position == len("ask Zoë")
    editor.complete(1)  # the only one stays
    assert editor.text == "ask Zoë about it"


# --- drafts -------------------------------------------------------------------------------


def test_each_room_has_its_draft() -> None:
    model, editor = build()
    editor.insert("half a sente")
    editor.buffer.cursor_position = 4
    model.current = 2
    editor.follow_room()
    assert editor.text == ""
    editor.insert("elsewhere")
    assert sorted(editor.drafts) == ["elsewhere", "half a sente"]
    model.current = 1
    editor.follow_room()
    assert (editor.text, editor.buffer.cursor_position) == ("half a sente", 4)
    model.current = 2
    editor.follow_room()
    assert editor.text == "elsewhere"


def test_what_was_typed_before_there_was_a_room_stays() -> None:
    model = Model("host", "ann")
    editor = Editor()
    editor.attach(model, lambda: None)
    editor.insert("typed while connecting")
    editor.follow_room()
    model.add_room(Room(7, "#lobby"))
    editor.follow_room()
    assert model.current == 7
    assert editor.text == "typed while connecting"
    model.add_room(Room(8, "#lab"))
    model.current = 8
    editor.follow_room()
    assert editor.text == ""


def test_a_line_that_was_not_sent_comes_back_unless_another_is_typed() -> None:
    _, editor = build()
    editor.insert("first")
    taken = editor.take()
    assert (taken, editor.text) == ("first", "")
    editor.restore(taken)
    assert (editor.text, editor.buffer.cursor_position) == ("first", 5)
    editor.restore("second")
    assert editor.text == "first"


# --- with keys, on a running screen -------------------------------------------------------


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - prompt_toolkit tells nobody
            await asyncio.sleep(0.002)


class Keyboard:
    """Types on a running screen."""

    def __init__(self, screen: ChatScreen, pipe: PipeInput) -> None:
        self.screen = screen
        self._pipe = pipe

    async def type(self, keys: str, shows: str) -> None:
        """Keys, and the input that they lead to; what is drawn then is drawn."""
        drawn = self.screen.app.render_counter
        self._pipe.send_text(keys)
        editor = self.screen.editor
        await until(lambda: editor.text == shows and self.screen.app.render_counter > drawn)


@asynccontextmanager
async def keyboard() -> AsyncIterator[Keyboard]:
    async with serve() as server:
        settings = ClientSettings(server=server.addresses[0], plaintext=True)
        credentials = Credentials("ann", "0" * 32)
        session = Session(parse_address(settings.server), credentials, settings)
        await session.start()
        with create_pipe_input() as pipe:
            screen = made(session, settings, input=pipe, output=DummyOutput())
            async with asyncio.TaskGroup() as group:
                group.create_task(screen.run())
                await until(lambda: screen.app.is_running and bool(session.model.rooms))
                yield Keyboard(screen, pipe)
                screen.leave()
        await session.close()


UP, DOWN, ENTER, ALT_ENTER = "\x1b[A", "\x1b[B", "\r", "\x1b\r"


@pytest.mark.asyncio
async def test_up_and_down_go_through_what_was_typed() -> None:
    async with keyboard() as keys:
        for line in ("one", "/names", "//three"):
            await keys.type(line, line)
            await keys.type(ENTER, "")
        await keys.type("unfinished", "unfinished")
        await keys.type(UP, "//three")
        await keys.type(UP, "/names")
        await keys.type(UP, "one")
        await keys.type(DOWN, "/names")
        await keys.type(DOWN + DOWN, "unfinished")


@pytest.mark.asyncio
async def test_ctrl_c_clears_and_up_brings_it_back() -> None:
    async with keyboard() as keys:
        await keys.type("a long thought", "a long thought")
        await keys.type("\x03", "")
        assert keys.screen.app.is_running
        await keys.type(UP, "a long thought")


@pytest.mark.asyncio
async def test_a_line_of_several_rows_is_one_message() -> None:
    async with keyboard() as keys:
        await keys.type("one", "one")
        await keys.type(ALT_ENTER, "one\n")
        await keys.type("two\n", "one\ntwo\n")  # Ctrl+J
        await keys.type("three", "one\ntwo\nthree")
        await keys.type(UP, "one\ntwo\nthree")  # a row up
        assert keys.screen.editor.buffer.document.cursor_position_row == 1
        await keys.type(ENTER, "")
        room = keys.screen.session.model.rooms[keys.screen.model.current]
        await until(lambda: getattr(room.lines[-1], "text", "") == "one\ntwo\nthree")


@pytest.mark.asyncio
async def test_tab_and_what_readline_knows() -> None:
    async with keyboard() as keys:
        await keys.type("/he\t", "/help ")
        await keys.type("\x15", "")  # Ctrl+U
        await keys.type("one two", "one two")
        await keys.type("\x17", "one ")  # Ctrl+W
        await keys.type("\x01\x0b", "")  # Ctrl+A, Ctrl+K
        await keys.type("\x19", "one ")  # Ctrl+Y


@pytest.mark.asyncio
async def test_ctrl_r_finds_what_was_typed() -> None:
    async with keyboard() as keys:
        for line in ("the quick fox", "something else"):
            await keys.type(line, line)
            await keys.type(ENTER, "")
        keys._pipe.send_text("\x12quick")
        await until(lambda: keys.screen.searching)
        await keys.type(ENTER, "the quick fox")
        assert not keys.screen.searching
