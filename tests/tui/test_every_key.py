"""Every key of the table, pressed in one long session on a pty: what the screen shows then.

The table here names every deed and every one of its keys; Alt is pressed in each way that terminals
send it: Esc and the key apart, both at once, and as one sequence where there is one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.support import Process, serve_process
from tests.terminal import Terminal, clockless
from tests.tui.test_screen import Bot, client, numbers, panes, ready, rows, talk

from ipcchat.tui.keys import KEYS

SENT = {
    "escape": "\x1b",
    "enter": "\r",
    "tab": "\t",
    "s-tab": "\x1b[Z",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "c-home": "\x1b[1;5H",
    "c-end": "\x1b[1;5F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "delete": "\x1b[3~",
    **dict(zip(("f1", "f2", "f3", "f4"), ("\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS"), strict=True)),
    **{f"f{n}": f"\x1b[{code}~" for n, code in ((5, 15), (6, 17), (7, 18), (8, 19), (9, 20))},
    "f12": "\x1b[24~",
    **{f"c-{chr(code + 96)}": chr(code) for code in range(1, 27) if code not in (9, 13)},
}
"""What prompt_toolkit calls a key → what xterm sends."""
ALONE = {("escape", "home"): "\x1b[1;3H", ("escape", "end"): "\x1b[1;3F"}
"""Alt keys that xterm has a sequence for."""
ROOMS = ("#one", "#two", "#three", "#r4", "#r5", "#r6", "#r7", "#r8", "#r9")
LINES = 300
MENTIONS = (200, 220, 240)
"""Lines of `#one` that name the user."""


def ways(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The writes that a keyboard may make of keys after each other."""
    apart = tuple(SENT.get(key, key) for key in keys)
    made = [apart]
    if keys[0] == "escape":
        made.append(("".join(apart),))
    if keys in ALONE:
        made.append((ALONE[keys],))
    return made


@dataclass
class Session:
    """The one session, and those around it."""

    shown: Terminal
    server: Process
    bot: Bot
    said: int = 0

    def press(self, writes: tuple[str, ...]) -> None:
        for write in writes:
            self.shown.type(write)

    def go(self, number: int) -> None:
        self.shown.type(f"\x1b{number}")
        self.shown.wait(lambda _: self.room() == number)

    def room(self) -> int:
        """The number of the room that shows."""
        found = re.search(r"  (\d):#", rows(self.shown)[-2]) or re.search(
            r"(\d):#\w+\(\d+\)", self.shown.text()
        )
        return int(found[1]) if found else 0

    def input(self) -> str:
        """The last row."""
        return rows(self.shown)[-1]

    def typed(self, text: str) -> None:
        """Types a text, and waits until it stands in the input."""
        self.shown.type(text)
        self.wait_input(f"> {text}".rstrip())

    def wait_input(self, text: str) -> None:
        self.shown.wait(lambda _: self.input() == text)

    def scrolled(self) -> bool:
        return "-MORE(" in rows(self.shown)[-2]

    def fresh(self) -> str:
        """Words that were not there before."""
        self.said += 1
        return f"words {self.said} of many"

    def rest(self) -> None:
        """The first room at its end, with an empty input and both lists."""
        self.shown.press("ctrl-c")
        self.shown.wait(lambda text: "any key returns" not in text)
        self.shown.type("\x03\x1b1\x1b[1;5F")
        self.shown.wait(lambda _: self.input() == ">" and self.room() == 1 and not self.scrolled())
        assert panes(self.shown) == (True, True)


def middle(on: Session) -> list[str]:
    """The talk without the lists beside it."""
    return [row.ljust(120)[18:100].rstrip() for row in talk(on.shown)]


Press = Callable[[], None]
Deed = Callable[[Session, Press], None]
DEEDS: dict[str, Deed] = {}


def deed(name: str) -> Callable[[Deed], Deed]:
    def add(function: Deed) -> Deed:
        DEEDS[name] = function
        return function

    return add


# --- the input ----------------------------------------------------------------------------


@deed("send")
def send(on: Session, press: Press) -> None:
    words = on.fresh()
    on.typed(words)
    press()
    on.shown.wait(lambda _: middle(on)[-1].endswith(f"ann │ {words}"))
    on.wait_input(">")


@deed("newline")
def newline(on: Session, press: Press) -> None:
    on.typed("first")
    press()
    on.shown.type("second")
    on.shown.wait(lambda _: rows(on.shown)[-2:] == ["> first", "  second"])
    on.shown.press("enter")
    on.shown.wait(lambda _: "│ first" in talk(on.shown)[-2] and "│ second" in talk(on.shown)[-1])


@deed("complete")
def complete(on: Session, press: Press) -> None:
    on.typed("/hel")
    press()
    on.wait_input("> /help")
    on.shown.type("x")
    on.wait_input("> /help x")


@deed("complete-back")
def complete_back(on: Session, press: Press) -> None:
    on.typed("/n")
    on.shown.press("tab")
    on.shown.wait(lambda _: on.input() != "> /n")
    first = on.input()
    press()
    on.shown.wait(lambda _: on.input() != first)
    on.shown.press("tab")
    on.wait_input(first)


@deed("earlier-input")
def earlier_input(on: Session, press: Press) -> None:
    words = on.fresh()
    on.shown.line(words)
    on.typed("a draft")
    press()
    on.wait_input(f"> {words}")
    on.shown.press("down")
    on.wait_input("> a draft")


@deed("later-input")
def later_input(on: Session, press: Press) -> None:
    on.shown.line(on.fresh())
    on.typed("another draft")
    on.shown.press("up", "up")
    on.shown.wait(lambda _: on.input() != "> another draft")
    press()
    press()
    on.wait_input("> another draft")


@deed("editor")
def editor(on: Session, press: Press) -> None:
    on.typed("half")
    on.shown.raw = b""
    press()
    on.wait_input("> edited: half")
    left, entered = (on.shown.raw.index(b"\x1b[?1049" + end) for end in (b"l", b"h"))
    assert left < on.shown.raw.index(b"the editor has the terminal") < entered
    assert on.room() == 1


@deed("clear")
def clear(on: Session, press: Press) -> None:
    on.typed("a thought")
    press()
    on.wait_input(">")
    press()
    on.shown.press("up")
    on.wait_input("> a thought")


# --- rooms --------------------------------------------------------------------------------


@deed("next-room")
def next_room(on: Session, press: Press) -> None:
    on.typed("stays here")
    press()
    on.shown.wait(lambda _: on.room() == 2 and on.input() == ">")
    on.go(9)
    press()
    on.shown.wait(lambda _: on.room() == 1 and on.input() == "> stays here")


@deed("previous-room")
def previous_room(on: Session, press: Press) -> None:
    press()
    on.shown.wait(lambda _: on.room() == 9)
    press()
    on.shown.wait(lambda _: on.room() == 8)


def _numbered(number: int) -> Deed:
    def number_key(on: Session, press: Press) -> None:
        on.go(1 + number % 9)
        press()
        on.shown.wait(lambda text: on.room() == number and text.startswith(f" {ROOMS[number - 1]}"))

    return number_key


DEEDS.update({f"room-{number}": _numbered(number) for number in range(1, 10)})


@deed("switch")
def switch(on: Session, press: Press) -> None:
    on.typed("a draft")
    press()
    on.shown.wait(lambda _: on.input() == "room:")
    on.shown.type("thr")
    on.shown.wait(lambda _: on.input() == "room: thr" and rows(on.shown)[-2].startswith("> #three"))
    on.shown.press("enter")
    on.shown.wait(lambda _: on.room() == 3 and on.input() == ">")
    press()
    on.shown.wait(lambda _: on.input() == "room:")
    on.shown.press("esc")
    on.shown.wait(lambda _: on.room() == 3 and on.input() == ">")
    on.go(1)
    on.wait_input("> a draft")


@deed("activity")
def activity(on: Session, press: Press) -> None:
    words = on.fresh()
    Bot(on.server.address, "#three").say("something")
    Bot(on.server.address, "#two").say(f"ann: {words}")
    on.shown.wait(lambda _: re.search(r"2:#two\(1!,1\) 3:#three\(1\)", rows(on.shown)[-2]))  # type: ignore[arg-type,return-value]
    press()
    on.shown.wait(lambda _: on.room() == 2 and f"ann: {words}" in talk(on.shown)[-1])
    press()
    on.shown.wait(lambda _: on.room() == 3 and "something" in talk(on.shown)[-1])
    press()
    on.shown.wait("nothing new")


# --- the past -----------------------------------------------------------------------------


@deed("page-up")
def page_up(on: Session, press: Press) -> None:
    for _ in range(4):
        before = middle(on)
        press()
        # A row of the page before stays.
        on.shown.wait(lambda _: on.scrolled() and middle(on)[-1] == before[0])  # noqa: B023


@deed("page-down")
def page_down(on: Session, press: Press) -> None:
    on.shown.press("pgup", "pgup")
    on.shown.wait(lambda _: on.scrolled())
    press()
    press()
    on.shown.wait(lambda _: not on.scrolled())


@deed("top")
def top(on: Session, press: Press) -> None:
    press()
    on.shown.wait(lambda _: on.scrolled() and numbers(on.shown)[0] < 202)


@deed("bottom")
def bottom(on: Session, press: Press) -> None:
    last = talk(on.shown)[-1]
    on.shown.press("pgup", "pgup")
    on.shown.wait(lambda _: on.scrolled())
    press()
    on.shown.wait(lambda _: not on.scrolled() and talk(on.shown)[-1] == last)


@deed("unread")
def unread(on: Session, press: Press) -> None:
    words = on.fresh()
    on.go(2)
    on.bot.say(f"{words}: the first", *(f"{words}: {n}" for n in range(40)))
    on.shown.wait(lambda _: "1:#one(41)" in rows(on.shown)[-2])
    on.go(1)
    on.shown.wait(f"{words}: 39")
    assert "the first" not in "\n".join(talk(on.shown))
    press()
    on.shown.wait(lambda text: f"{words}: the first" in text and " new " in text and on.scrolled())


def _mentioned(on: Session, number: int) -> bool:
    """Whether that line shows, and no other mention below it."""
    return number in numbers(on.shown) and numbers(on.shown)[-1] < number + 20


@deed("previous-mention")
def previous_mention(on: Session, press: Press) -> None:
    for number in reversed(MENTIONS):
        press()
        on.shown.wait(lambda _: on.scrolled() and _mentioned(on, number))  # noqa: B023


@deed("next-mention")
def next_mention(on: Session, press: Press) -> None:
    on.shown.type(SENT["f2"] * len(MENTIONS))
    on.shown.wait(lambda _: on.scrolled() and _mentioned(on, MENTIONS[0]))
    for number in MENTIONS[1:]:
        press()
        on.shown.wait(lambda _: _mentioned(on, number))  # noqa: B023


@deed("search")
def search(on: Session, press: Press) -> None:
    on.typed("a draft")
    before = talk(on.shown)
    press()
    on.wait_input("search:")
    on.shown.type("line 210")
    on.shown.wait(lambda _: on.scrolled() and 210 in numbers(on.shown))
    on.shown.press("esc")
    on.shown.wait(lambda _: talk(on.shown) == before and on.input() == "> a draft")
    press()
    on.wait_input("search:")
    on.shown.type("line 21")
    press()  # the one before
    press()
    on.shown.wait(lambda _: on.scrolled() and 217 in numbers(on.shown))
    on.shown.press("enter")
    on.wait_input("> a draft")
    assert 217 in numbers(on.shown)


@deed("results")
def results(on: Session, press: Press) -> None:
    on.shown.line("/search 110 in:#one")
    on.wait_input("1 of 1: 110 in:#one")
    on.shown.press("esc")
    on.wait_input(">")
    on.typed("a draft")
    before = talk(on.shown)
    press()
    on.wait_input("1 of 1: 110 in:#one")
    assert rows(on.shown)[-2].startswith("> ")
    assert "line 110" in rows(on.shown)[-2]
    on.shown.press("esc")
    on.shown.wait(lambda _: talk(on.shown) == before and on.input() == "> a draft")


@deed("back")
def back(on: Session, press: Press) -> None:
    on.go(2)
    before = talk(on.shown)
    on.shown.line("/search 90 in:#one")
    on.wait_input("1 of 1: 90 in:#one")
    on.shown.press("enter")
    on.shown.wait(lambda _: on.room() == 1 and on.scrolled() and 90 in numbers(on.shown))
    press()
    on.shown.wait(lambda _: on.room() == 2 and talk(on.shown) == before and on.input() == ">")


@deed("bare")
def bare(on: Session, press: Press) -> None:
    on.typed("a draft")
    before = clockless(on.shown.text())
    press()
    on.shown.wait("any key returns")
    assert "│" not in on.shown.text()
    assert ">1 #one" not in on.shown.text()
    on.shown.type("x")
    on.shown.wait(lambda text: clockless(text) == before)


# --- the screen ---------------------------------------------------------------------------


@deed("mouse")
def mouse(on: Session, press: Press) -> None:
    on.shown.raw = b""
    press()
    on.shown.wait(lambda _: b"\x1b[?1000h" in on.shown.raw)
    on.shown.type("\x1b[<64;60;10M\x1b[<64;60;10M")  # the wheel
    on.shown.wait(lambda _: on.scrolled())
    on.shown.type("\x1b[<0;3;4M\x1b[<0;3;4m")  # a click on the third room
    on.shown.wait(lambda _: on.room() == 3)
    press()
    on.shown.wait(lambda _: b"\x1b[?1000l" in on.shown.raw)


@deed("help")
def help_key(on: Session, press: Press) -> None:
    on.typed("a draft")
    press()
    on.shown.wait(lambda text: "/join [--private] ROOM" in text and on.input() == "> a draft")


@deed("rooms")
def rooms_key(on: Session, press: Press) -> None:
    press()
    on.shown.wait(lambda _: panes(on.shown) == (False, True))
    press()
    on.shown.wait(lambda _: panes(on.shown) == (True, True))


@deed("members")
def members_key(on: Session, press: Press) -> None:
    press()
    on.shown.wait(lambda _: panes(on.shown) == (True, False))
    press()
    on.shown.wait(lambda _: panes(on.shown) == (True, True))


@deed("redraw")
def redraw(on: Session, press: Press) -> None:
    on.typed("a draft")
    before = clockless(on.shown.text())
    on.shown.noise("\x1b[5;1Hkernel: something\x1b[0K\r\n happened")
    assert clockless(on.shown.text()) != before
    press()
    on.shown.wait(lambda text: clockless(text) == before)


@deed("suspend")
def suspend(on: Session, press: Press) -> None:
    on.typed("a draft")
    before = clockless(on.shown.text())
    on.shown.raw = b""
    press()
    on.shown.wait(lambda _: b"\x1b[?1049l" in on.shown.raw)
    on.shown.wait("in the shell")
    on.shown.raw = b""
    on.shown.press("enter")
    on.shown.wait(lambda text: clockless(text) == before)
    assert b"\x1b[?1049h" in on.shown.raw


# --- the end ------------------------------------------------------------------------------


@deed("discard")
def discard(on: Session, press: Press) -> None:
    on.server.kill()
    on.shown.wait("reconnecting…")
    words = on.fresh()
    on.shown.line(words)
    on.shown.wait("– Enter retries")
    on.typed("x")
    on.shown.type("\x01")  # Ctrl+A: with something in the input it deletes that
    press()
    on.wait_input(">")
    assert words in on.shown.text()
    press()
    on.shown.wait(lambda text: words not in text and "Enter retries" not in text)


@deed("quit")
def quit_key(on: Session, press: Press) -> None:
    on.typed("x")
    on.shown.type("\x01")
    press()  # deletes the x
    on.wait_input(">")
    press()
    assert on.shown.ended() == 0
    assert b"\x1b[?1049l" in on.shown.raw[-300:]


LAST = ("discard", "quit")


# --- the session --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    home = tmp_path_factory.mktemp("keys")
    script = home / "editor.sh"
    script.write_text('echo the editor has the terminal; sed -i "s/^/edited: /" "$1"\n')
    with serve_process(home / "server", "--data", ":memory:") as server:
        bot = Bot(server.address, "#one")
        bot.say(*(f"line {n}" + (" for ann" if n in MENTIONS else "") for n in range(LINES)))
        for name in ROOMS[1:]:
            Bot(server.address, name).say(f"welcome to {name}")
        flags = ("--set", "page=100", "--set", "outbox_expiry=1", "--set", "joins=none")
        with client(
            server,
            "ann",
            "#one",
            home / "ann",
            *flags,
            columns=120,
            shell=True,
            EDITOR=f"sh {script}",
        ) as shown:
            session = Session(shown, server, bot)
            for name in ROOMS[1:]:
                shown.line(f"/join {name}")
                ready(shown, name)
            yield session


CASES = [
    (row.deed, writes)
    for row in sorted(KEYS, key=lambda row: LAST.index(row.deed) if row.deed in LAST else -1)
    for keys in row.keys
    for writes in ways(keys)
]


def test_every_key_is_tried() -> None:
    assert sorted(DEEDS) == sorted(row.deed for row in KEYS)
    for row in KEYS:
        for keys in row.keys:
            assert all(key in SENT or len(key) == 1 for key in keys), keys


@pytest.mark.parametrize(("name", "writes"), CASES, ids=lambda part: ascii(part))
def test_key(name: str, writes: tuple[str, ...], on: Session) -> None:
    if name not in LAST:
        on.rest()
    DEEDS[name](on, lambda: on.press(writes))
