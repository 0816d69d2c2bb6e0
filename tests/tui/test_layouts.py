"""The screen at 40×10, 80×24 and 200×50, full of text that terminals measure in their own ways."""

import re
import signal
from collections.abc import Iterator

import pyte
import pytest
from tests.support import Process, serve_process
from tests.terminal import Terminal, clockless
from tests.tui.test_screen import Bot, client, rows, talk

from ipcchat.tui.layout import LEFT, RIGHT

SIZES = [(40, 10), (80, 24), (200, 50)]
WIDE = (
    "日本語のテキスト",
    "日" * 40,
    "flags 🇩🇪🇫🇷🇯🇵 end",
    "family 👨\u200d👩\u200d👧\u200d👦 end",
    "heart ❤️ and thumb 👍🏽 end",
    "marks e\u0301\u0323 n\u0303o\u0308 end",
    "שלום עולם end",
    "हिन्दी में end",
    "混ぜる mixed 🎉 words " * 9,
    "x" * 300,
)
NICK = "日本語の名前"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server"), "--data", ":memory:") as process:
        for name in ("#密室", "#three"):
            Bot(process.address, name).say("welcome")
        Bot(process.address, "#wide").say(topic="Woche 9: 日本語 🇩🇪 " * 4)
        Bot(process.address, "#wide", NICK).say(*WIDE, *(f"line {n}" for n in range(60)), *WIDE)
        Bot(process.address, "#wide").say("the last")
        yield process


@pytest.fixture(scope="module")
def shown(server: Process, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    flags = ("--set", "pane_left=80", "--set", "pane_right=100", "--set", "joins=none")
    with client(server, "ann", "#three", tmp_path_factory.mktemp("ann"), *flags) as made:
        made.line("/join #密室")
        made.wait("2:#密")
        made.line("/join #wide")
        made.wait("3:#wide(")
        yield made


def cell(shown: Terminal, x: int, y: int) -> pyte.screens.Char:
    return shown.screen.buffer[y][x]


def edges(columns: int) -> tuple[int, int]:
    """The columns of the talk: the first, and the one behind the last."""
    return LEFT if columns >= 80 else 0, columns - (RIGHT if columns >= 100 else 0)


def fault(shown: Terminal, below: int = 1) -> str:
    """What does not stand where it belongs; `below`: rows under the status line."""
    columns, lines = shown.screen.columns, shown.screen.lines
    start, end = edges(columns)
    status = lines - 1 - below
    for y in (0, status):
        for x in range(columns):
            if not (cell(shown, x, y).reverse or cell(shown, x, y).bg != "default"):
                return f"the bar in row {y} has a hole at {x}"
    if not rows(shown)[status].startswith(" ["):
        return "there is no status line"
    separator = start + _separator(end - start)
    for y in range(1, status):
        if start and cell(shown, start - 1, y).data != "│":
            return f"row {y}: no rule at the right of the rooms"
        if end < columns and cell(shown, end, y).data != "│":
            return f"row {y}: no rule at the left of the members"
        middle = "".join(cell(shown, x, y).data for x in range(start, end))
        if not re.search(r"[─]{4}| - - ", middle) and middle.strip():
            if cell(shown, separator, y).data != "│":
                return f"row {y}: no separator at {separator}: {middle!r}"
            if middle.count("│") != 1:
                return f"row {y}: {middle!r}"
    return ""


def _separator(width: int) -> int:
    """Where the separator stands in a talk of that width: time, nick, a blank."""
    return 5 + 1 + (10 if width >= 60 else max(4, width // 6)) + 1


def whole(shown: Terminal, below: int = 1) -> None:
    """Everything is where it belongs, as soon as it is drawn."""
    shown.wait(lambda _: not fault(shown, below))


def resize(shown: Terminal, columns: int, lines: int) -> None:
    """Another size, drawn; at the end of the room."""
    shown.resize(columns, lines)
    shown.type("\x1b[1;5F")
    shown.wait(lambda _: rows(shown)[-1] == ">" and "the last" in "".join(talk(shown)[-4:]))


@pytest.mark.parametrize(("columns", "lines"), [*SIZES, (40, 10)])
def test_every_row_is_in_its_columns(shown: Terminal, columns: int, lines: int) -> None:
    resize(shown, columns, lines)
    whole(shown)
    seen: list[str] = []
    while "made #wide" not in shown.text():
        seen.append(shown.text())
        before = clockless(shown.text())
        shown.press("pgup")
        shown.wait(lambda text: clockless(text) != before and "-MORE(" in text)  # noqa: B023
        whole(shown)
    everything = "\n".join([*seen, shown.text()])
    for words in ("日本語のテキスト", "flags", "family", "heart", "שלום", "line 0", "line 59"):
        assert words in re.sub(r"(?<=[^\x00-\x7f]) ?", "", everything) or words in everything
    shown.type("\x1b[1;5F")
    shown.wait(lambda text: "-MORE(" not in text)


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_nothing_of_a_line_is_lost(shown: Terminal, columns: int, lines: int) -> None:
    resize(shown, columns, lines)
    start, end = edges(columns)
    found = 0
    for y in range(1, lines - 2):
        text = "".join(cell(shown, x, y).data for x in range(start, end))
        found += text.partition("│")[2].count("x")
    if lines > 20:  # it fits whole
        assert found == 300 + sum("mixed" in row for row in talk(shown)) or found >= 300
    else:
        assert found > 0


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_what_opens_leaves_all_else_in_place(shown: Terminal, columns: int, lines: int) -> None:
    resize(shown, columns, lines)
    whole(shown)
    before = clockless(shown.text())
    # the quick switcher
    shown.type("\x07")
    shown.wait(lambda _: rows(shown)[-1] == "room:")
    shown.wait("> #")
    whole(shown, below=4)
    shown.type("密")
    shown.wait(lambda _: rows(shown)[-1].startswith("room: 密"))
    whole(shown, below=2)
    shown.press("esc")
    shown.wait(lambda text: clockless(text) == before)
    # the search
    shown.type("\x13")
    shown.wait(lambda _: rows(shown)[-1] == "search:")
    shown.type("family")
    shown.wait(lambda _: rows(shown)[-1] == "search: family" and "family" in "\n".join(talk(shown)))
    whole(shown)
    shown.press("esc")
    shown.wait(lambda text: clockless(text) == before)
    # a question, whatever room it takes
    shown.paste("\n".join("日本語" for _ in range(9)))
    shown.wait(lambda text: "c cancel" in " ".join(text.split()))
    taken = 2 if columns == 40 else 1
    whole(shown, below=1 + taken)
    shown.type("c")
    shown.wait(lambda text: clockless(text) == before)
    # several rows of input
    shown.type("日本語 " * 12 + "\n" + "second")
    shown.wait(lambda _: rows(shown)[-1] == "  second")
    column, line = shown.screen.cursor.x, shown.screen.cursor.y
    assert (column, line) == (8, lines - 1)
    shown.press("ctrl-c")
    shown.wait(lambda text: clockless(text) == before)


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_what_was_found_is_in_its_columns_and_leads_there(
    shown: Terminal, columns: int, lines: int
) -> None:
    resize(shown, columns, lines)
    before = clockless(shown.text())
    shown.line("/search end in:#wide")
    shown.wait(lambda _: rows(shown)[-1] == "12 of 12: end in:#wide")
    status = next(y for y, row in enumerate(rows(shown)) if row.startswith(" ["))
    whole(shown, below=lines - 1 - status)
    listed = rows(shown)[status + 2 : -1]
    assert len(listed) >= min(4, lines - 6)
    assert listed[-1].startswith("> ")
    for y in range(status + 2, lines - 1):
        row = [cell(shown, x, y) for x in range(columns)]
        # its words are in sight, and stand out by more than colour
        assert "end" in "".join(char.data for char in row if char.underscore), listed
    shown.press("up", "enter")
    shown.wait(lambda _: rows(shown)[-1] == ">" and "\u05e9\u05dc\u05d5\u05dd" in shown.text())
    whole(shown)
    shown.press("esc")
    shown.wait(lambda text: clockless(text)[80:] == before[80:] or clockless(text) == before)


def test_the_mouse_leaves_what_was_found_in_place(shown: Terminal) -> None:
    resize(shown, 80, 24)
    shown.line("/mouse on")
    shown.line("/search end in:#wide")
    shown.wait(lambda _: rows(shown)[-1].startswith("12 of 12"))
    shown.type("\x1b[<64;60;5M\x1b[<0;3;3M\x1b[<0;3;3m")  # the wheel, and a click on a room
    shown.press("up")
    shown.wait(lambda _: rows(shown)[-1].startswith("11 of 12") and "#wide" in rows(shown)[0])
    shown.press("esc")
    shown.wait(lambda _: rows(shown)[-1] == ">")
    shown.line("/mouse off")
    shown.line("the last")


def test_a_search_that_takes_its_time_can_be_given_up(server: Process, shown: Terminal) -> None:
    resize(shown, 80, 24)
    server.popen.send_signal(signal.SIGSTOP)
    try:
        shown.line("/search end in:#wide")
        shown.wait("searching: Esc ends it")
        shown.press("esc")
        shown.wait(lambda text: "searching: Esc ends it" not in text)
    finally:
        server.popen.send_signal(signal.SIGCONT)
    shown.line("the last")
    shown.wait(lambda _: rows(shown)[-1] == ">" and talk(shown)[-1].endswith("the last"))
    assert "12 of 12" not in shown.text()


def test_help_fits_at_every_size(shown: Terminal) -> None:
    resize(shown, 80, 24)
    shown.line("/help")
    shown.wait(
        lambda text: "/join [--private] ROOM" in text and "-MORE(" in text
    )  # from its beginning
    for columns, lines in SIZES:
        shown.resize(columns, lines)
        shown.type("\x1b[1;5F")
        shown.wait(lambda text: "/keys lists the keys" in " ".join(text.replace("│", " ").split()))
        whole(shown)
    shown.line("/keys")
    shown.wait("Enter – send the line")
    for columns, lines in SIZES:
        shown.resize(columns, lines)
        shown.type("\x1b[1;5F")
        shown.wait("suspend")
        whole(shown)


def test_another_size_keeps_the_lowest_line(shown: Terminal) -> None:
    shown.resize(80, 24)
    whole(shown)
    shown.type("\x13line 30\r")
    shown.wait(lambda text: "-MORE(" in text and "line 30" in text and rows(shown)[-1] == ">")
    lowest = lowest_line(shown)
    for columns, lines in [(40, 10), (200, 50), (60, 12), (120, 33), (80, 24)]:
        shown.resize(columns, lines)
        shown.wait(lambda _: not fault(shown) and lowest_line(shown) == lowest)


def lowest_line(shown: Terminal) -> str:
    """The number of the last line of the talk; "" where it is another one."""
    start, end = edges(shown.screen.columns)
    last = shown.screen.lines - 3
    text = "".join(cell(shown, x, last).data for x in range(start, end))
    found = re.search(r"line (\d+) *$", text)
    return found[1] if found else ""
