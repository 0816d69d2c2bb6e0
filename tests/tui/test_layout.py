"""The layout on a screen of any size: every line, nothing twice, nothing outside, and the input."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.glass import cells, flat

from ipcchat.actions.question import Question
from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.model import Model
from ipcchat.client.session import Session
from ipcchat.entries import Entry
from ipcchat.paint.bare import lines as bare_lines
from ipcchat.paint.cells import clusters, span
from ipcchat.paint.row import BLANK
from ipcchat.paint.rows import RowMaker
from ipcchat.settings import ClientSettings
from ipcchat.terminal.frame import Frame
from ipcchat.tui.editor import Editor
from ipcchat.tui.finding import Finding
from ipcchat.tui.layout import LEFT, RIGHT, compose
from ipcchat.tui.modes import Asking, Bare, Mode, Switching
from ipcchat.tui.operator import OperatorDesk
from ipcchat.tui.panes import Panes
from ipcchat.tui.results import Results, Ways
from ipcchat.tui.scrollback import Scrollback
from ipcchat.wire.messages import FollowOk, Member, Room, SearchOk

pytestmark = pytest.mark.asyncio

LAB, DEN = 1, 2
TEXTS = (
    "a line",
    "日本語 🎉 🇩🇪 👨\u200d👩\u200d👧\u200d👦 " * 6,
    "one\ntwo\n\tthree",
    "שלום हिन्दी e\u0301" * 9,
)
TYPED = ("", "hi", "日本語 " * 40, "one\ntwo\nthree\nfour", "x" * 400)
SIZES = st.tuples(st.integers(1, 250), st.integers(1, 80))


class Sight:
    """The parts of a screen with two rooms, many people and wide texts."""

    def __init__(self, *, desk: bool = False, rooms: bool = True, lines: int = 60) -> None:
        settings = ClientSettings(server="127.0.0.1:9", plaintext=True, pane_left=60, pane_right=80)
        session = Session(parse_address(settings.server), Credentials("ann", "0" * 32), settings)
        self.model: Model = session.model
        self.model.login(1, "ann", "operator" if desk else "member")
        self.model.set_state("online")
        if rooms:
            self._fill(lines)
        self.editor = Editor()
        self.editor.attach(self.model, lambda: None)
        self.maker = RowMaker(self.model, "%H:%M")
        self.scrollback = Scrollback(self.model, self.maker, lambda room: None)
        operator = OperatorDesk(session) if desk else None
        self.panes = Panes(self.model, settings, self.scrollback, self.editor, operator)

    def _fill(self, lines: int) -> None:
        for number, name, topic in ((LAB, "#lab", "Woche 9: 日本語 " * 9), (DEN, "#密室", "")):
            room = self.model.add_room(Room(number, name, topic=topic))
            self.model.placed(room, "e" * 32, FollowOk(number, 0, lines, 1), resumed=False)
        self.model.set_members(
            self.model.rooms[LAB],
            [Member(n, "日本語の名前" if n == 5 else f"nick{n}", "online") for n in range(1, 100)],
        )
        for seq in range(1, lines + 1):
            text = TEXTS[seq % len(TEXTS)]
            self.model.apply(
                Entry(LAB, seq, seq, 2, "日本語の名前", "message", f"{seq:032x}", text)
            )

    def frame(self, columns: int, lines: int) -> Frame:
        return compose(self.panes, columns, lines)

    # --- modes ------------------------------------------------------------------------

    def asked(self) -> Mode:
        return Asking(Question(" quit 日本語 all the same?" * 3 + "  y yes · n no", {}), self.end)

    def switched(self) -> Mode:
        return Switching(self.model, lambda number: None, lambda nick: None, self.end)

    def lost(self) -> Mode:
        mode = self.switched()
        for char in "日本語 no such room":
            mode.press(char, char)
        return mode

    def found(self) -> Mode:
        draw: Callable[[], None] = lambda: None  # noqa: E731
        room = self.model.rooms[LAB]
        mode = Finding(self.model, room, self.scrollback, self.maker, draw, self.end)
        for char in "日本":
            mode.press(char, char)
        return mode

    def listed(self) -> Mode:
        nothing: Any = lambda *said: None  # noqa: E731
        ways = Ways(nothing, nothing, nothing, nothing, nothing, self.end)
        items = [line for line in self.model.rooms[LAB].lines if isinstance(line, Entry)]
        return Results(self.model, "日本", SearchOk(1, items[::-1]), nothing, ways, "%H:%M")

    def end(self) -> None:
        self.panes.mode = None


MODES: dict[str, Callable[[Sight], Mode | None]] = {
    "none": lambda sight: None,
    "asking": Sight.asked,
    "switching": Sight.switched,
    "nothing to switch to": Sight.lost,
    "finding": Sight.found,
    "what was found": Sight.listed,
}


def check(frame: Frame, columns: int, lines: int) -> None:
    """Exactly the screen's lines; pieces from left to right, apart, inside; the cursor inside."""
    assert len(frame.lines) == lines
    for line in frame.lines:
        end = 0
        for left, limit, row in line:
            assert end <= left
            assert limit > 0
            end = left + limit
            assert end <= columns
            assert row.parts
    x, y = frame.cursor
    assert 0 <= x < columns
    assert 0 <= y < lines


def kept(frame: Frame) -> None:
    """What stands in a piece fits into it: nothing relies on being cut off."""
    for y, line in enumerate(frame.lines):
        for _, limit, row in line:
            assert row.width <= limit, (y, limit, row.text)


async def settled(turns: int = 3) -> None:
    """The loop has done what waited: the input's history is loaded, a search has found."""
    for _ in range(turns):
        await asyncio.sleep(0)


@given(SIZES, st.sampled_from([*MODES]), st.booleans(), st.sampled_from(TYPED), st.booleans())
async def test_every_line_is_there_once(
    size: tuple[int, int], mode: str, desk: bool, typed: str, scrolled: bool
) -> None:
    sight = Sight(desk=desk)
    sight.editor.insert(typed)
    columns, lines = size
    sight.frame(columns, lines)
    if scrolled:
        sight.scrollback.page(-1)
    sight.panes.mode = MODES[mode](sight)
    await settled()
    frame = sight.frame(columns, lines)
    check(frame, columns, lines)
    if columns >= 20:
        kept(frame)
    assert 0 <= frame.talk < lines
    if lines >= 5:
        assert frame.lines[0][0][2] == sight.panes.topic(columns)
        assert sum(line[:1] == ((0, columns, sight.panes.status(columns)),) for line in frame.lines)


@given(SIZES, st.sampled_from(TYPED), st.booleans(), st.booleans())
async def test_what_is_typed_shows_at_the_cursor(
    size: tuple[int, int], typed: str, desk: bool, asked: bool
) -> None:
    columns, lines = size
    sight = Sight(desk=desk)
    sight.editor.insert(typed + "Z")
    sight.panes.mode = sight.asked() if asked else None
    frame = sight.frame(columns, lines)
    await settled()
    x, y = frame.cursor
    row = frame.lines[y][0][2] if frame.lines[y] else BLANK
    before = cells(row).get(x - 1, ("", ""))[0]
    if before != "Z":  # it filled its row: the cursor stands in the next, or on it
        above = flat(frame.lines[y - 1][0][2]) if y and frame.lines[y - 1] else ""
        assert above.endswith("Z") or flat(row).endswith("Z") or lines < 7, (x, y, row, above)
    assert y >= lines - max(1, lines // 3)


@given(SIZES.filter(lambda size: size[0] >= 40 and size[1] >= 10), st.booleans())
async def test_a_question_is_there_to_its_end(size: tuple[int, int], desk: bool) -> None:
    sight = Sight(desk=desk)
    sight.panes.mode = sight.asked()
    frame = sight.frame(*size)
    await settled()
    shown = " ".join(flat(line[0][2]) for line in frame.lines if line)
    assert " ".join(shown.split()).count("y yes · n no") == 1


@pytest.mark.parametrize("desk", [False, True])
@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 50)])
async def test_who_is_where(size: tuple[int, int], desk: bool) -> None:
    columns, lines = size
    sight = Sight(desk=desk)
    frame = sight.frame(columns, lines)
    await settled()
    top = 1 + (OperatorDesk.height if desk and lines >= 20 else 0)
    assert frame.talk == top
    wide = columns >= 80
    talk = (LEFT, columns - LEFT - RIGHT)
    wanted = [(0, LEFT), talk, (columns - RIGHT, RIGHT)] if wide else [(0, columns)]
    for line in frame.lines[top : lines - 2]:
        assert [(left, limit) for left, limit, _ in line] == wanted
    assert frame.lines[top][0][2].text.startswith(">1 #lab") == wide
    assert frame.cursor == (2, lines - 1)
    sight.panes.toggle("rooms")
    sight.panes.toggle("members")
    frame = sight.frame(columns, lines)
    assert all(len(line) == 1 for line in frame.lines[top:])


@pytest.mark.parametrize("size", [(1, 1), (40, 10), (200, 50), (3, 80), (250, 2)])
async def test_it_can_be_shown_before_there_is_a_room(size: tuple[int, int]) -> None:
    sight = Sight(rooms=False)
    sight.model.note(0, "connecting to 日本語", "info")
    frame = sight.frame(*size)
    await settled()
    check(frame, *size)
    if size >= (40, 10):
        assert any("connecting to 日本語" in row.text for line in frame.lines for _, _, row in line)


@given(SIZES, st.integers(-1, 59))
async def test_the_bare_view_fits(size: tuple[int, int], lowest: int) -> None:
    columns, lines = size
    sight = Sight()
    mode = Bare(lambda width, height: bare_lines(sight.model, lowest, width, height), sight.end)
    shown = mode.bare(columns, lines)
    assert shown
    # The terminal wraps: a cluster of two columns may leave one free at the end of each row.
    taken = [_wrapped(line, columns) for line in shown]
    assert sum(taken) <= lines or len(shown) == 2  # one that is longer: its end shows
    if columns >= 40:
        assert shown[-1] == "(to copy from · any key returns)"


def _wrapped(line: str, columns: int) -> int:
    """The rows that a terminal makes of a line."""
    rows, used = 1, 0
    for cluster in clusters(line):
        wide = span(cluster)
        if used + wide > columns and used:
            rows += 1
            used = 0
        used += wide
    return rows
