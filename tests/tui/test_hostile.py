"""10,000 hostile texts in each field that others choose: only the text that is drawn differs.

Everything goes through the painter, as bytes, into a terminal. Whatever stands
in a field, the cells around it, the cursor, modes, title, margins, tab stops and character sets are
as they were, and the bytes hold no control but those of the renderer.
"""

import asyncio
import dataclasses
import html.parser
import io
import random
import re
import socket
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pyte
import pytest
from fuzz.strings import SEQUENCES, hostile
from fuzz.text import forbidden
from msgspec import Struct, inspect
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output
from tests.glass import cells
from wcwidth import wcwidth

from ipcchat.actions import operations
from ipcchat.cli import run
from ipcchat.client import intake
from ipcchat.client.link import Credentials
from ipcchat.client.model import Model
from ipcchat.client.session import Session
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError, Refused
from ipcchat.paint import bars
from ipcchat.paint.row import BLANK, Row, row
from ipcchat.paint.rows import RowMaker
from ipcchat.paint.theme import Depth, Theme
from ipcchat.settings import ClientSettings
from ipcchat.terminal.frame import Frame, Line
from ipcchat.terminal.painter import Painter
from ipcchat.text import clean_text
from ipcchat.transcript import as_json, as_text, write
from ipcchat.tui.operator import OperatorDesk
from ipcchat.wire import codec, messages
from ipcchat.wire.framing import FrameReader

COUNT = 10_000
WIDTH = 44
"""Columns of a field's row, between two rows of sentinels."""
EDGE = 4
"""Columns of sentinels at either side."""
HEIGHT = 200

ESCAPE = re.compile(
    r"\x1b\[[0-9;]*[mHGKJX]|\x1b\[\?(?:1|7|12|25|1004|1049|2004|2026)[hl]|\x1b\[\?1049h\x1b\[H"
)
"""What the painter itself sends; `G` and `X` keep the cursor where it belongs. A line end or a
backspace of anybody else would put cells where they don't belong."""


@cache
def texts() -> tuple[str, ...]:
    """The same in each run; every known sequence is among them, alone and inside of words. What is
    drawn by chance more than once is there once."""
    chance = random.Random("hostile")
    made = [*SEQUENCES, *(f"ab{one}cd" for one in SEQUENCES)]
    while len(made) < COUNT:
        made.append(hostile(chance, longest=5)[:28])
    return tuple(dict.fromkeys(made))


# --- a terminal, and what the renderer sends to it ----------------------------------------


def stretches(data: str) -> Iterator[str]:
    """A text in parts, each of which ends with a mark on which pyte drops what follows."""
    start = 0
    for place, char in enumerate(data, 1):
        if stops(char):
            yield data[start:place]
            start = place
    yield data[start:]


@cache
def stops(char: str) -> bool:
    return wcwidth(char) < 1 and not unicodedata.combining(char)


class Screen(pyte.Screen):
    """pyte drops what follows, in the same stretch, on a mark of no width that it can't combine."""

    def draw(self, data: str) -> None:
        for part in (data,) if data.isascii() else stretches(data):
            super().draw(part)


class Glass:
    """Rows between sentinels, drawn by the painter on a terminal."""

    def __init__(self) -> None:
        self.screen = Screen(WIDTH + 2 * EDGE, HEIGHT + 1)
        self._terminal = pyte.Stream(self.screen)
        self._sent = io.StringIO()
        size = Size(rows=HEIGHT + 1, columns=WIDTH + 2 * EDGE)
        output = Vt100_Output(self._sent, lambda: size, "xterm-256color", enable_cpr=False)
        self._rows: list[Row] = []
        theme = Theme("dark", Depth.MONO)
        self._painter = Painter(
            output,
            self._frame,
            lambda: theme,
            lambda: False,
            lambda event: None,
            lambda on: "",
            lambda: None,
        )
        self.state: object = None

    def _frame(self, columns: int, lines: int) -> Frame:
        edge = row(("bar", "#" * EDGE))
        made: list[Line] = [
            (
                (0, EDGE, edge),
                (EDGE, WIDTH, self._rows[y] if y < len(self._rows) else BLANK),
                (EDGE + WIDTH, EDGE, edge),
            )
            for y in range(HEIGHT)
        ]
        return Frame([*made, ()], cursor=(0, HEIGHT))

    def draw(self, rows: list[Row]) -> None:
        """Draws the rows, and takes in what was sent."""
        self._rows = rows
        self._painter.render(None, None)
        sent = self._sent.getvalue()
        self._sent.seek(0)
        self._sent.truncate()
        check_bytes(sent)
        self._terminal.feed(sent)
        state = state_of(self.screen)
        assert self.state in (None, state)
        self.state = state
        for y in range(HEIGHT):
            self._check(y, rows[y] if y < len(rows) else BLANK)

    def _check(self, y: int, line: Row) -> None:
        """Every cell of the row whose text is plain is where it was laid, and looks like it."""
        shown = self.screen.buffer[y]
        for column, (cluster, style) in cells(line).items():
            if cluster.isascii() and len(cluster) == 1 and column < WIDTH:
                found = shown[EDGE + column]
                # A text may begin with a mark, which then is the cell's before it.
                reverse = "bar" in style.split() or found.reverse
                assert (found.data[:1], found.reverse) == (cluster, reverse), (
                    f"row {y}, column {column}: {found} instead of {cluster!r} in {line.text!a}"
                )
        for column in (*range(EDGE), *range(EDGE + WIDTH, WIDTH + 2 * EDGE)):
            found = shown[column]
            plain = (found.fg, found.bg, found.bold, found.italics, found.underscore)
            assert (found.data[:1], found.reverse) == ("#", True), f"row {y}, column {column}"
            assert plain == ("default", "default", False, False, False)


def check_bytes(sent: str) -> None:
    """Text and the renderer's own escapes; nothing else that a terminal obeys."""
    text = ESCAPE.sub("", sent)
    assert not forbidden(text), ascii(forbidden(text))
    assert "\t" not in text


def state_of(screen: pyte.Screen) -> object:
    """What a terminal remembers besides its cells."""
    attributes = screen.cursor.attrs._replace(data=" ")
    return (
        (screen.cursor.x, screen.cursor.y, screen.cursor.hidden, attributes),
        frozenset(screen.mode),
        (screen.title, screen.icon_name),
        screen.margins,
        frozenset(screen.tabstops),
        (screen.charset, screen.g0_charset, screen.g1_charset),
        len(screen.savepoints),
    )


@pytest.fixture
def glass() -> Glass:
    return Glass()


# --- fields on the screen -----------------------------------------------------------------


def entry(text: str, *, nick: str = "bob", kind: str = "message", style: str = "") -> Entry:
    return Entry(1, 1, 1_795_000_000_000, 2, nick, kind, "0" * 32, text, style=style)


SETTINGS = {joins: ClientSettings(joins=joins) for joins in ("recent", "all")}


def model_of(*, name: str = "#lab", topic: str = "", joins: str = "recent") -> Model:
    model = Model("lab", "ann", settings=SETTINGS[joins])
    model.login(1, "ann", "member")
    model.set_state("online")
    model.add_room(messages.Room(1, name, topic=topic))
    return model


def heard(one: Entry) -> list[Row]:
    """The rows of an entry that has come in."""
    model = model_of()
    room = model.rooms[1]
    model.placed(room, "e", messages.FollowOk(1, 0, 0, 1), resumed=False)
    model.apply(one)
    return lines(model)


def lines(model: Model) -> list[Row]:
    """The first row of what a room shows last, the date aside."""
    maker = RowMaker(model, "%H:%M")
    maker.resize(WIDTH)
    room = model.rooms[1]
    return maker.rows(room, len(room.lines) - 1)[1:2]


def older(text: str) -> list[Row]:
    model = model_of()
    room = model.rooms[1]
    model.placed(room, "e", messages.FollowOk(1, 1, 1, 1), resumed=False)
    model.prepend(room, messages.HistoryOk(1, [entry(text, nick=text)], first=1, head=1))
    return lines(model)


def moved(text: str) -> list[Row]:
    model = model_of(joins="all")
    model.apply(messages.Presence(7, text, "joined", room=1))
    return lines(model)


def noted(text: str) -> list[Row]:
    model = model_of()
    model.note(1, intake.refused(messages.Error("forbidden", text)).text, "error")
    return lines(model)


def down(text: str) -> list[Row]:
    model = model_of()
    model.set_state("reconnecting", intake.farewell(messages.Bye("shutdown", text)).text)
    return [bars.status(model, WIDTH, 0)]


def members(text: str) -> list[Row]:
    model = model_of()
    people = [messages.Member(5, text), messages.Member(6, "zoe", text)]
    model.set_members(model.rooms[1], people)
    return bars.members(model, WIDTH, 2)


def rooms(text: str) -> list[Row]:
    model = model_of(name=text)
    model.rooms[1].unread = 3
    return bars.rooms(model, WIDTH, 1)


def named(text: str) -> list[Row]:
    """The status line: the room's name and one's own nick."""
    model = model_of(name=text)
    model.nick = text
    return [bars.status(model, WIDTH, 0)]


def removed(text: str) -> list[Row]:
    """Who removed one from the only room, and why: in the room, and where one is then."""
    model = model_of(name=text)
    room = model.rooms[1]
    model.placed(room, "e", messages.FollowOk(1, 0, 0, 1), resumed=False)
    model.apply(Entry(1, 1, 0, 2, text, "kick", "0" * 32, f"ann: {text}", target=1))
    shown = lines(model)
    model.apply(messages.Unfollowed(1, "kicked"))
    maker = RowMaker(model, "%H:%M")
    maker.resize(WIDTH)
    return shown + maker.notice(model.loose[-1])[:1]


def asking(text: str) -> list[Row]:
    """A line of the log about who asks to join, as it shows in the room; an invite, as listed."""
    model = model_of()
    model.note(1, intake.clean_log(messages.LogLine(0, text, "asks", text)).text)
    shown = lines(model)
    invite = intake.clean_invite(messages.InviteInfo(text, text, 1, 0))
    model.note(1, f"{invite.hash[:8]} {invite.by}", "bare")
    return shown + lines(model)


def pending(text: str) -> list[Row]:
    """An own line that was refused, with a reason that the server gave."""
    model = model_of()
    made = model.say(model.rooms[1], "0" * 32, clean_text(text), "")
    made.state = "failed"
    made.reason = intake.refused(messages.Error("bad_text", text)).text
    maker = RowMaker(model, "%H:%M")
    maker.resize(WIDTH)
    return maker.pending(made)[1:]


FIELDS: dict[str, Callable[[str], list[Row]]] = {
    "message and nick": lambda text: heard(entry(text, nick=text)),
    "topic and kind": lambda text: heard(entry(text, kind=text or "topic")),
    "history": older,
    "presence": moved,
    "error": noted,
    "farewell": down,
    "topic line": lambda text: [bars.topic(model_of(name=text, topic=text), WIDTH)],
    "status line": named,
    "rooms": rooms,
    "members": members,
    "refused line": pending,
    "removal": removed,
    "who asks to join": asking,
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_text_changes_nothing_but_its_cells(field: str, glass: Glass) -> None:
    # Equal rows look alike: each is drawn once.
    rows = list(dict.fromkeys(one for text in texts() for one in FIELDS[field](text)))
    glass.draw([BLANK] * HEIGHT)
    for first in range(0, len(rows), HEIGHT):
        glass.draw(rows[first : first + HEIGHT])


# --- a hostile server ---------------------------------------------------------------------


def filled(cls: type[Struct], chance: random.Random, **known: Any) -> Any:
    """A message with a hostile text in every field that is one, however deep."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return cls(**{field.name: _value(field, chance, known) for field in info.fields})


def _value(field: inspect.Field, chance: random.Random, known: dict[str, Any]) -> Any:
    if field.name in known:
        return known[field.name]
    return _of(field.type, chance, known)


def _of(info: inspect.Type, chance: random.Random, known: dict[str, Any]) -> Any:
    match info:
        case inspect.StrType():
            return hostile(chance, longest=8, surrogates=False)[:400]
        case inspect.IntType():
            return chance.choice((1, 2, 2**53 - 1))
        case inspect.BoolType():
            return True
        case inspect.ListType():
            return [_of(info.item_type, chance, known) for _ in range(3)]
        case inspect.DictType():
            return {_of(info.key_type, chance, known): 64}
        case inspect.UnionType():
            return _of(info.types[0], chance, known)
        case inspect.StructType():
            return filled(info.cls, chance, **known)
    raise TypeError(f"no value for {info!r}")


KNOWN: dict[type[Struct], dict[str, Any]] = {
    messages.HelloOk: {"version": 1},
    messages.LoginOk: {"account": 1},
    messages.RoomsOk: {"room": 1, "next": 0, "head": 0, "read": 0},
    messages.MembersOk: {"next": 0, "account": 1},
    messages.SessionsOk: {"next": 0},
    messages.BansOk: {"next": 0},
    messages.InvitesOk: {"next": ""},
    messages.FollowOk: {"from_": 0, "head": 0, "first": 1},
    messages.HistoryOk: {"room": 1},
}
"""What has to make sense for the client to go on."""
KINDS = ("message", "topic", "create", "rename", "kick", "")


async def lie(sock: socket.socket, chance: random.Random) -> None:
    """A server that answers each request as it should be answered, with hostile texts, and tells
    hostile events until the client has heard enough."""
    reader, writer = await asyncio.open_connection(sock=sock)
    frames = FrameReader()
    epoch = "e" + hostile(chance, longest=8, surrogates=False)
    while data := await reader.read(65536):
        for frame in frames.feed(data):
            asked = codec.decode_request(frame)
            cls = messages.REPLIES[type(asked)]
            reply = filled(cls, chance, id=asked.id, **KNOWN.get(cls, {}))
            if isinstance(reply, messages.HelloOk):
                reply.epoch = epoch
            writer.write(codec.encode(reply))
            if isinstance(asked, messages.Follow):
                for event in events(chance):
                    writer.write(codec.encode(event))
            if isinstance(asked, messages.Part):
                refusal = filled(messages.Error, chance, id=None, wait_ms=0)
                writer.write(codec.encode(refusal))
    writer.close()


def events(chance: random.Random) -> Iterator[Struct]:
    for seq in range(1, 60):
        text = hostile(chance, longest=3, surrogates=False)
        kind = chance.choice(KINDS) or text
        yield filled(Entry, chance, room=1, seq=seq, kind=kind, by=chance.choice((2, 3)))
    told: tuple[type[Struct], ...] = tuple(messages.EVENTS.values())
    for cls in told:
        if cls not in (Entry, messages.Bye, messages.Unfollowed, messages.Gap):
            yield filled(cls, chance, room=1, head=59)
    for status in ("online", "joined", "parted", "away"):
        for room in (0, 1):
            yield filled(messages.Presence, chance, account=2, status=status, room=room)


def strings(thing: object, where: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Every text that an object holds, and the way to it."""
    if isinstance(thing, str):
        yield where, thing
        return
    if isinstance(thing, int | float | bytes | None | re.Pattern) or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        parts: Iterable[tuple[str, object]] = [
            *((f"{where} key", key) for key in thing),
            *((f"{where}[{key!a}]", value) for key, value in thing.items()),
        ]
    elif isinstance(thing, list | tuple | set | frozenset):
        parts = [(f"{where}[]", one) for one in thing]
    elif isinstance(thing, Struct):
        parts = [(f"{where}.{name}", getattr(thing, name)) for name in thing.__struct_fields__]
    elif dataclasses.is_dataclass(thing):
        parts = [
            (f"{where}.{item.name}", getattr(thing, item.name))
            for item in dataclasses.fields(thing)
        ]
    elif type(thing).__module__.startswith("ipcchat."):
        names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
        parts = [(f"{where}.{name}", getattr(thing, name, None)) for name in names]
    else:
        return
    for way, part in parts:
        yield from strings(part, way, seen)


def unsafe(thing: object, where: str) -> list[str]:
    """The fields of an object that hold what was not made safe."""
    found = {way: text for way, text in strings(thing, where, set()) if clean_text(text) != text}
    return [f"{way}: {text!a:.120}" for way, text in found.items()]


@asynccontextmanager
async def lied_to(seed: str) -> AsyncIterator[Session]:
    """A session with a hostile server that has told everything it has."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    told = asyncio.Event()
    session = Session(ours, Credentials("ann"), ClientSettings(), shown="lab")

    def changed() -> None:
        room = session.model.rooms.get(1)
        if room is not None and room.seq >= 59 and room.members:
            told.set()

    session.on_change = changed
    server = asyncio.get_running_loop().create_task(lie(theirs, random.Random(seed)))
    try:
        await session.start()
        async with asyncio.timeout(10):
            await told.wait()
        assert not server.done()
        yield session
    finally:
        await session.close()
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


@pytest.mark.parametrize("seed", [f"server {number}" for number in range(12)])
@pytest.mark.asyncio
async def test_nothing_hostile_comes_out_of_the_client(seed: str) -> None:
    told: list[object] = []
    async with lied_to(seed) as session:
        session.on_event = told.append
        found = unsafe(session.model, "model")
        found += unsafe(await session.list_rooms(), "rooms")
        found += unsafe(await session.list_members("#any"), "members")
        found += unsafe(await session.history(1), "history")
        await session.fetch_older(1)
        found += unsafe(session.model, "model")
        found += unsafe(await operations.sessions(session), "sessions")
        answer: messages.StatusOk = await session.request(messages.Status(0))
        found += unsafe(intake.clean_status(answer), "status")
        found += unsafe(await operations.bans(session), "bans")
        found += unsafe(await operations.invites(session), "invites")
        await session.request(messages.Follow(0, 1))
        found += unsafe(told, "events")
        with pytest.raises(IpcchatError) as refused:
            await session.request(messages.Part(0, "0" * 32, 1))
            await session.run()
        found += unsafe((refused.value.text, refused.value.hint), "error")
    assert not found


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.asyncio
async def test_a_hostile_server_is_drawn(
    zone: str, glass: Glass, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        async with lied_to("drawn") as session:
            desk = OperatorDesk(session)
            session.on_event = desk._event
            await session.request(messages.Follow(0, 1))
            await desk._refresh()
            model = session.model
            maker = RowMaker(model, "%H:%M")
            maker.resize(WIDTH)
            room = model.rooms[1]
            glass.draw([*desk.rows(WIDTH, 6), bars.topic(model, WIDTH)])
            glass.draw(
                [one for index in range(len(room.lines)) for one in maker.rows(room, index)[:3]][
                    :HEIGHT
                ]
            )
            glass.draw([*bars.members(model, WIDTH, 20), bars.status(model, WIDTH, 0)])
    finally:
        monkeypatch.undo()
        time.tzset()


# --- beside the screen: files, standard output, standard error ----------------------------


def check_output(output: str) -> None:
    """What goes to a terminal as it is: drawn, and nothing obeyed but ends of lines and tabs."""
    assert not forbidden(output), ascii(forbidden(output))
    output.encode()
    screen = Screen(200, 50)
    before = state_of(screen)
    terminal = pyte.Stream(screen)
    terminal.feed(output.replace("\n", "\r\n") + "\x1b[H")
    assert state_of(screen) == before


@cache
def said() -> list[Entry]:
    kinds = ("message", "topic", "create", "kick", "strange")
    return [
        Entry(1, seq, seq * 1000, 2, text, kinds[seq % 5], "0" * 32, text, style="me" * (seq % 2))
        for seq, text in enumerate(texts(), 1)
    ]


def test_tail_shows_and_does_nothing_else() -> None:
    shown = [as_text(entry) for entry in said()]
    check_output("\n".join(shown))
    for line in (as_json(entry, "#lab") for entry in said()):
        assert "\n" not in line
        assert not forbidden(line)


def test_a_saved_text_shows_and_does_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "saved.txt"
    write(path, said(), "#la\x1b[2Jb\u202e")
    check_output(path.read_text(encoding="utf-8"))


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_a_saved_page_has_no_markup_but_its_own(tmp_path: Path) -> None:
    harmless, path = tmp_path / "harmless.html", tmp_path / "saved.html"
    plain = [harmless_like(one) for one in said()]
    write(harmless, plain, "#lab")
    write(path, said(), "#la<b>\u202e")
    own, found = _Tags(), _Tags()
    own.feed(harmless.read_text(encoding="utf-8"))
    page = path.read_text(encoding="utf-8")
    found.feed(page)
    assert (found.tags, found.attributes) == (own.tags, own.attributes)
    assert not forbidden(page)


def harmless_like(one: Entry) -> Entry:
    """The same entry with harmless words."""
    return Entry(one.room, one.seq, one.time, one.by, "x", one.kind, one.draft, "y", one.style)


def test_errors_of_the_commands_show_and_do_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for text in texts():
        run.report("ipcchat-client", Refused("forbidden", text, hint=text))
    check_output(capsys.readouterr().err)
