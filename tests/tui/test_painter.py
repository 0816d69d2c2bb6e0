"""The painter on a terminal: whatever was shown before, the screen is as if drawn for the first
time; and no more is sent than has changed."""

import io
import re
from dataclasses import dataclass, field

import pyte
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from ipcchat.paint.row import Row, row
from ipcchat.paint.theme import STYLES, Depth, Theme
from ipcchat.terminal.frame import Frame, Line
from ipcchat.terminal.painter import Painter

WORDS = [
    "",
    " ",
    "a word",
    "#" * 70,
    "日本語",
    "日" * 40,
    "🇩🇪 flag",
    "❤️ heart",
    "e\u0301\u0323",
    "हिन्दी",
]
WORDS += ["👨\u200d👩\u200d👧\u200d👦!", "👍🏽", "שלום", "\u0301x", "│"]
LOOKS = ["", "nick3 own", *STYLES]
DARK, LIGHT = Theme("dark", Depth.INDEXED), Theme("light", Depth.ANSI)
PLACED = re.compile(r"\x1b\[(\d+);1H\x1b\[0m\x1b\[2K")
"""A line that is drawn again."""


@dataclass
class Glass:
    """A painter, the terminal that it writes to, and what it is to show."""

    columns: int = 40
    rows: int = 8
    frame: Frame = field(default_factory=Frame)
    theme: Theme = DARK
    mouse: bool = False

    def __post_init__(self) -> None:
        self.screen = pyte.Screen(self.columns, self.rows)
        self._terminal = pyte.Stream(self.screen)
        self._written = io.StringIO()
        self.output = Vt100_Output(
            self._written,
            lambda: Size(rows=self.rows, columns=self.columns),
            "xterm-256color",
            enable_cpr=False,
        )
        self.painter = Painter(
            self.output,
            lambda columns, lines: self.frame,
            lambda: self.theme,
            lambda: self.mouse,
            lambda event: None,
            lambda on: "\x1b[?1004h" if on else "\x1b[?1004l",
            lambda: None,
        )

    def taken(self) -> str:
        """What was sent since, now on the screen, too."""
        sent = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        self._terminal.feed(sent)
        return sent

    def draw(self, frame: Frame) -> str:
        """Shows a frame; what was sent for that."""
        self.frame = frame
        self.painter.render(None, None)
        return self.taken()

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size; prompt_toolkit says so before it draws."""
        self.columns, self.rows = columns, rows
        self.screen.resize(rows, columns)
        self.painter.erase(leave_alternate_screen=False)

    def seen(self) -> object:
        """Every cell with its looks, and the cursor."""
        cells = [[self.screen.buffer[y][x] for x in range(self.columns)] for y in range(self.rows)]
        return cells, (self.screen.cursor.x, self.screen.cursor.y, self.screen.cursor.hidden)

    def text(self) -> list[str]:
        rows = (self.screen.buffer[y] for y in range(self.rows))
        return ["".join(row[x].data for x in range(self.columns)).rstrip() for row in rows]


ROWS = st.lists(st.tuples(st.sampled_from(LOOKS), st.sampled_from(WORDS)), max_size=4).map(
    lambda parts: row(*parts)
)


@st.composite
def lines(draw: st.DrawFn, columns: int) -> Line:
    """One to three pieces beside each other."""
    edges = draw(st.lists(st.integers(1, columns - 1), max_size=2, unique=True).map(sorted))
    starts = [0, *edges]
    ends = [*edges, columns]
    return tuple((left, end - left, draw(ROWS)) for left, end in zip(starts, ends, strict=True))


@st.composite
def frames(draw: st.DrawFn, columns: int, rows: int) -> Frame:
    made = draw(st.lists(lines(columns), min_size=rows, max_size=rows))
    cursor = (draw(st.integers(0, columns - 1)), draw(st.integers(0, rows - 1)))
    return Frame(made, cursor)


def fresh(glass: Glass, frame: Frame) -> object:
    """What the same frame looks like on a terminal that has just been opened."""
    other = Glass(glass.columns, glass.rows, theme=glass.theme)
    other.draw(frame)
    return other.seen()


@given(st.data())
def test_the_screen_is_as_if_drawn_from_scratch(data: st.DataObject) -> None:
    glass = Glass(30, 6)
    frame = data.draw(frames(30, 6))
    glass.draw(frame)
    assert glass.seen() == fresh(glass, frame)
    for _ in range(data.draw(st.integers(1, 4))):
        match data.draw(st.sampled_from(["lines", "all", "size", "theme", "bare", "clear"])):
            case "lines":  # some change, most stay
                made = list(frame.lines)
                for y in data.draw(st.lists(st.integers(0, glass.rows - 1), max_size=3)):
                    made[y] = data.draw(lines(glass.columns))
                cursor = (data.draw(st.integers(0, glass.columns - 1)), frame.cursor[1])
                frame = Frame(made, cursor)
            case "all":
                frame = data.draw(frames(glass.columns, glass.rows))
            case "size":
                glass.resize(data.draw(st.integers(2, 60)), data.draw(st.integers(1, 12)))
                frame = data.draw(frames(glass.columns, glass.rows))
            case "theme":
                glass.theme = LIGHT if glass.theme is DARK else DARK
            case "bare":
                glass.draw(Frame(bare=[data.draw(st.sampled_from(WORDS)) for _ in range(3)]))
            case "clear":
                glass.painter.clear()
        glass.draw(frame)
        assert glass.seen() == fresh(glass, frame)


@given(st.data())
def test_only_lines_that_changed_are_sent(data: st.DataObject) -> None:
    glass = Glass(30, 6)
    before = data.draw(frames(30, 6))
    glass.draw(before)
    made = list(before.lines)
    for y in data.draw(st.lists(st.integers(0, 5), max_size=3)):
        made[y] = data.draw(lines(30))
    # Equal lines need not be the same ones.
    after = Frame([tuple((*piece,) for piece in line) for line in made], before.cursor)
    sent = glass.draw(after)
    changed = [y for y in range(6) if made[y] != before.lines[y]]
    assert [int(found) - 1 for found in PLACED.findall(sent)] == changed
    assert "\x1b[2J" not in sent
    assert PLACED.findall(glass.draw(after)) == []


def plain(*texts: str, cursor: tuple[int, int] = (0, 0), rows: int = 8) -> Frame:
    """Rows of text over the whole width."""
    shown: list[Row] = [row(("", text)) for text in texts]
    made: list[Line] = [((0, 40, one),) if one.parts else () for one in shown]
    return Frame(made + [()] * (rows - len(made)), cursor)


def test_a_key_costs_a_line() -> None:
    glass = Glass(40, 8)
    glass.draw(plain("the talk " * 4, "", "> a", cursor=(3, 2)))
    sent = glass.draw(plain("the talk " * 4, "", "> ab", cursor=(4, 2)))
    assert len(sent) < 80
    assert glass.text()[2] == "> ab"
    assert (glass.screen.cursor.x, glass.screen.cursor.y) == (4, 2)


def test_what_is_narrower_leaves_nothing_behind() -> None:
    glass = Glass(40, 8)
    glass.draw(plain("日" * 20, "x" * 40, "🎉" * 10))
    glass.draw(plain("日", "", "a"))
    assert glass.text() == ["日", "", "a", "", "", "", "", ""]


def test_what_is_too_wide_stays_in_its_place() -> None:
    glass = Glass(40, 8)
    long = [row(("", "日" * 40)), row(("", "x" * 90)), row(("", "👨\u200d👩\u200d👧\u200d👦" * 30))]
    beside = row(("rule", "│ beside"))
    glass.draw(Frame([((0, 20, one), (20, 20, beside)) for one in long] + [()] * 5))
    for y in range(3):
        shown = glass.screen.buffer[y]
        assert "".join(shown[x].data for x in range(20, 40)).rstrip() == "│ beside"
        assert all(shown[x].data == " " for x in range(28, 40))
    assert glass.text()[3:] == [""] * 5


def test_the_bare_view_is_text_that_the_terminal_wraps() -> None:
    glass = Glass(40, 8)
    before = plain("the talk", "> ", cursor=(2, 1))
    glass.draw(before)
    link = "https://example.org/" + "x" * 60
    sent = glass.draw(Frame(bare=["ann: hi", link, "any key returns"]))
    assert link in sent  # whole: it can be copied
    assert glass.text()[:4] == ["ann: hi", link[:40], link[40:], "any key returns"]
    assert glass.text()[4:] == [""] * 4
    assert glass.draw(Frame(bare=["later", "words"])) == ""  # it keeps still while one marks it
    glass.draw(before)
    assert glass.seen() == fresh(glass, before)
    # another size draws it anew
    glass.draw(Frame(bare=["ann: hi"]))
    glass.resize(20, 4)
    glass.draw(Frame(bare=["bob: ho"]))
    assert glass.text() == ["bob: ho", "", "", ""]


def test_every_row_is_as_it_was_laid_though_nothing_told_of_the_size() -> None:
    glass = Glass(40, 8)
    glass.draw(plain("one", "two"))
    glass.columns, glass.rows = 30, 5
    glass.screen.resize(5, 30)
    frame = plain("one", "two", rows=5)
    assert "\x1b[2J" in glass.draw(frame)
    assert glass.seen() == fresh(glass, frame)


def test_the_terminal_is_left_as_it_was_found() -> None:
    glass = Glass(40, 8, mouse=True)
    first = glass.draw(plain("one"))
    entered = re.findall(r"\x1b\[\?(\d+)h", first)
    assert {"1049", "2004", "1004", "1000", "1006"} <= set(entered)
    assert "1049" not in glass.draw(plain("two"))
    glass.mouse = False
    assert "\x1b[?1000l" in glass.draw(plain("two"))
    glass.mouse = True
    glass.draw(plain("two"))
    glass.painter.erase()
    left = glass.taken()
    assert set(re.findall(r"\x1b\[\?(\d+)l", left)) >= {"1049", "2004", "1004", "1000", "1006"}
    assert "\x1b[?7h" in left  # long lines wrap again
    assert "\x1b[?25h" in left  # the cursor shows
    glass.painter.erase()
    assert glass.taken() == ""  # once is enough
    # back again, as after a suspension: all of it is drawn
    assert "\x1b[?1049h" in glass.draw(plain("two"))
    assert glass.text()[0] == "two"
