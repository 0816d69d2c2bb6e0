"""The screen on real ptys, at a real server: what people type, and what they then see."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import Process, RawClient, serve_process
from tests.terminal import Terminal, terminal

from ipcchat.entries import Entry
from ipcchat.text import MAX_LINES
from ipcchat.wire.messages import Topic

CTRL_HOME, CTRL_END = "\x1b[1;5H", "\x1b[1;5F"
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:[34][0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
"""An escape that sets a colour."""

# The log file of `serve_process` is left to the garbage collector.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that keeps nothing; each test has a room of its own."""
    with serve_process(tmp_path_factory.mktemp("server"), "--data", ":memory:") as process:
        yield process


@contextmanager
def client(
    server: Process, nick: str, room: str, home: Path, *flags: str, **more: Any
) -> Iterator[Terminal]:
    """A client's screen, as soon as it shows the room."""
    args = ("client", server.address, "--name", nick, "--room", room, *flags)
    with terminal(*args, home=home, **more) as shown:
        shown.child.delaybeforesend = None  # the terminal is raw by then: nothing echoes
        ready(shown, room)
        yield shown


class Bot:
    """Somebody in a room, at the wire: one connection for each call."""

    def __init__(self, address: str, room: str, nick: str = "bot") -> None:
        self._address, self._room, self._nick = address, room, nick
        self._secret = (nick.encode().hex() + "0" * 32)[:32]

    def say(self, *texts: str, topic: str = "") -> None:
        """Says each text, in order; sets the topic."""

        async def run() -> None:
            async with RawClient.login(self._address, self._nick, self._secret) as client:
                room = await client.join(self._room)
                for text in texts:
                    await client.say(room, text)
                if topic:
                    await client.ask(Topic(client.next_id(), "f" * 32, room, topic))

        asyncio.run(run())

    def heard(self) -> list[Entry]:
        """Every entry of the room, as the server has them."""

        async def run() -> list[Entry]:
            async with RawClient.login(self._address, self._nick, self._secret) as client:
                room = await client.join(self._room)
                ok = await client.follow(room, last=1000)
                return await client.entries(room, ok.head - ok.from_)

        return asyncio.run(run())

    def texts(self) -> list[str]:
        """What was said in the room."""
        return [entry.text for entry in self.heard() if entry.kind == "message"]


def rows(shown: Terminal) -> list[str]:
    return shown.text().split("\n")


def talk(shown: Terminal) -> list[str]:
    """The rows between topic line and status line."""
    return rows(shown)[1:-2]


def ready(shown: Terminal, room: str) -> None:
    shown.wait(lambda text: f":{room}(" in text)


def numbers(shown: Terminal) -> list[int]:
    """The numbers of the lines that show."""
    return [int(found) for found in re.findall(r"line (\d+)", "\n".join(talk(shown)))]


def panes(shown: Terminal) -> tuple[bool, bool]:
    """Whether the rooms show at the left, and the members at the right."""
    row = talk(shown)[0].ljust(shown.screen.columns)
    return row.startswith(">1 #"), row[-20:].startswith("│ ")


def fits(shown: Terminal, room: str, nick: str) -> bool:
    """Whether topic line, status line and input are where they belong, each over its whole row."""
    lines = rows(shown)
    cells = [shown.screen.buffer[index] for index in (0, shown.screen.lines - 2)]
    return (
        lines[0].startswith(f" {room} — about sockets")
        and re.match(rf" \[\d\d:\d\d\]  PLAIN!  {nick}\b", lines[-2]) is not None
        and f"1:{room}(" in lines[-2]
        and lines[-1] == ">"
        and all(
            row[column].reverse or row[column].bg != "default"
            for row in cells
            for column in range(shown.screen.columns)
        )
    )


def test_it_fits_small_and_large_windows(server: Process, tmp_path: Path) -> None:
    bot = Bot(server.address, "#fit")
    bot.say(*(f"line {number}" for number in range(60)), "last one", topic="about sockets")
    with client(server, "ann", "#fit", tmp_path, columns=40, rows=10) as ann:
        for columns, lines, left, right in [
            (40, 10, False, False),
            (80, 24, False, False),
            (100, 24, True, False),
            (200, 50, True, True),
            (40, 10, False, False),
        ]:
            ann.resize(columns, lines)
            # Above what was said last and the topic every row has a line of its own: nothing is
            # cut off, nothing overlaps.
            count = lines - 3 - (3 if columns == 40 else 2)
            wanted = list(range(60 - count, 60))
            ann.wait(
                lambda text: (
                    fits(ann, "#fit", "ann")
                    and panes(ann) == (left, right)  # noqa: B023
                    and "last one" in text
                    and numbers(ann) == wanted  # noqa: B023
                )
            )
        ann.press("f1")
        ann.wait(
            lambda text: "/join [--private] ROOM" in text and "-MORE(" in text
        )  # from its beginning
        ann.resize(12, 6)  # not made for it, but it lives
        ann.wait(lambda text: text.split("\n")[-1].startswith(">"))
        ann.resize(80, 24)
        ann.type(CTRL_END)
        fits_again = ann.wait(
            lambda text: "/keys lists the keys" in " ".join(text.replace("│", " ").split())
        )
        assert "about sockets" in fits_again


def _paged(before: list[int], now: list[int]) -> bool:
    """Whether a full window shows what comes directly before."""
    whole = len(now) == len(before) and now == list(range(now[0], now[-1] + 1))
    return whole and now[0] < before[0] <= now[-1] + 1


def test_the_past_stays_where_it_is(server: Process, tmp_path: Path) -> None:
    bot = Bot(server.address, "#past")
    bot.say(*(f"line {number}" for number in range(450)))
    with client(server, "pia", "#past", tmp_path, "--set", "page=100") as pia:
        pia.wait("line 449")
        pia.press("pgup", "pgup")
        pia.wait("-MORE(40)-")  # a window has 21 rows; one of them stays
        assert numbers(pia) == list(range(389, 410))
        # what comes later does not move it
        bot.say("line 450", "line 451")
        pia.wait("-MORE(42)-")
        assert numbers(pia) == list(range(389, 410))
        # nor does another size: the lowest line stays
        pia.resize(60, 12)
        pia.wait(lambda _: numbers(pia) == list(range(401, 410)))
        pia.resize(100, 24)
        pia.wait(lambda _: numbers(pia) == list(range(389, 410)))
        # at the top older lines are fetched, and the view stays
        pia.type(CTRL_HOME)
        # (the rule above the oldest one gives way to what came before)
        pia.wait(lambda _: numbers(pia) == list(range(349, 370)))
        # page after page, and no line is left out
        while "bot made #past" not in pia.text():
            before = numbers(pia)
            pia.press("pgup")
            pia.wait(lambda text: _paged(before, numbers(pia)) or "bot made" in text)  # noqa: B023
        pia.wait(lambda _: numbers(pia) == list(range(19)))
        # a command's answer and one's own words show at the end, wherever one was
        pia.line("/names")
        pia.wait("│ #past: bot")
        pia.wait(lambda text: "-MORE" not in text)
        pia.press("pgup")
        pia.wait("-MORE(")
        pia.line("here I am")
        pia.wait(lambda text: "here I am" in "\n".join(talk(pia)) and "-MORE" not in text)
        pia.press("pgup")
        pia.wait("-MORE(")
        pia.type(CTRL_END)
        pia.wait(lambda text: "-MORE" not in text)
        assert "here I am" in talk(pia)[-1]
        # what arrives elsewhere is told
        pia.line("/join #other")
        ready(pia, "#other")
        bot.say("pia: are you there?")
        pia.wait("1:#past(1!,1)")
        pia.type("\x1ba")  # Alt+A
        pia.wait(lambda _: talk(pia)[-1].endswith("bot │ pia: are you there?"))


def test_what_is_said_goes_as_it_is(server: Process, tmp_path: Path) -> None:
    bot = Bot(server.address, "#said")
    bot.say("welcome")
    alone = ("--set", "pane_left=999", "--set", "pane_right=999")
    with client(server, "sam", "#said", tmp_path, *alone, columns=100, rows=60) as sam:
        sam.wait("welcome")
        sam.line("//slash and all")
        sam.wait("│ /slash and all")
        sam.line("/jion #secret")
        sam.wait("unknown command /jion – did you mean /join?")
        # other scripts
        for said in ("می\u200cخواهم", "हिन्दी", "日本語", "🎉👨\u200d👩\u200d👧\u200d👦🇩🇪", "naïve"):
            sam.line(f"<{said}>")
        sam.line("that was all")
        sam.wait("│ that was all")
        sam.raw = b""
        sam.type("\x0c")  # Ctrl+L
        sam.wait(lambda _: "naïve>".encode() in sam.raw)
        for said in ("می\u200cخواهم", "हिन्दी", "日本語", "🎉", "🇩🇪", "👨\u200d👩\u200d👧\u200d👦"):
            assert said.encode() in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", sam.raw)
        # pastes: short ones wait in the input; long ones ask
        sam.paste("if x:\n\treturn 1\n")
        sam.wait("if x:")
        sam.press("enter")
        sam.wait("│ if x:")
        sam.wait(re.compile(r"│         return 1").search)  # type: ignore[arg-type]
        lines = [f"row {number}" for number in range(30)]
        sam.paste("\r".join(lines))
        sam.wait("paste 30 lines?  s send · j join lines · c cancel")
        sam.press("enter")
        sam.wait(lambda text: "paste 30 lines?" not in text)
        sam.wait(lambda _: rows(sam)[-1] == ">")
        sam.paste("\r\n".join(lines))
        sam.wait("paste 30 lines?")
        sam.type("s")
        sam.wait("│ row 29")
        sam.paste("\n".join(lines[:6]))
        sam.wait("paste 6 lines?")
        sam.type("j")
        sam.wait("> row 0 row 1 row 2 row 3 row 4 row 5")
        sam.press("ctrl-c")
        sam.wait(lambda text: text.split("\n")[-1] == ">")
        sam.paste("\n".join("x" for _ in range(MAX_LINES + 1)))
        sam.wait(f"(more than {MAX_LINES} can't be one message)")
        sam.type("c")
        # a long one is there to its end
        long = "word " * 799 + "endof"
        sam.line(long)
        sam.wait(lambda text: "endof" in "\n".join(talk(sam)) and text.split("\n")[-1] == ">")
        seen = " ".join(row.partition("│")[2].strip() for row in talk(sam))
        assert seen.count("word") == 799
    assert bot.texts() == [
        "welcome",
        "/slash and all",
        *(f"<{said}>" for said in ("می\u200cخواهم", "हिन्दी", "日本語")),
        "<🎉👨\u200d👩\u200d👧\u200d👦🇩🇪>",
        "<naïve>",
        "that was all",
        "if x:\n\treturn 1",
        "\n".join(lines),
        long,
    ]


def test_commands_do_what_they_say(server: Process, tmp_path: Path) -> None:
    with (
        client(server, "una", "#deeds", tmp_path / "una", columns=120, rows=40) as una,
        client(server, "tom", "#deeds", tmp_path / "tom", columns=120, rows=40) as tom,
    ):
        una.line("/me waves")
        for shown in (una, tom):
            shown.wait("* │ una waves")
        una.line("/topic")
        una.wait("#deeds: no topic")
        una.line("/topic Week 9:  sockets")
        for shown in (una, tom):
            shown.wait("una set the topic: Week 9:  sockets")
            shown.wait(lambda text: text.startswith(" #deeds — Week 9:  sockets"))
        tom.line("/topic")
        tom.wait("#deeds: Week 9:  sockets")
        una.line("/nick ursula")
        una.wait("you are now known as ursula")
        una.wait("ursula@127.0.0.1")
        tom.wait("una is now known as ursula")
        una.line("/nick tom")
        una.wait("-- │ ")
        una.wait(lambda text: "taken" in text or "in use" in text)
        tom.line("hello ursula")
        una.wait("│ hello ursula")
        una.line("/names")
        una.wait("#deeds: tom, ursula")
        una.line("/join cellar")
        ready(una, "#cellar")
        una.wait("ursula made #cellar")
        una.line("/names #deeds")
        una.wait("#deeds: tom, ursula")
        una.line("/names #nowhere")
        una.wait("there is no room #nowhere")
        una.line("/list *cell*")
        una.wait(re.compile(r"│ #cellar +1 member ").search)  # type: ignore[arg-type]
        una.line("/list #nosuchroom")
        una.wait("no such room")
        una.line("only here")
        una.wait("│ only here")
        assert "only here" not in tom.text()
        una.line("/clear")
        una.wait(lambda text: "only here" not in text and "PgUp brings it back" in text)
        una.press("pgup")
        una.wait("│ only here")
        una.line("/help")
        una.wait("/topic [TEXT] – show the topic, or set it")
        assert "/shutdown" not in una.text()
        una.type(CTRL_END)
        una.wait("//text says a line that begins with a slash")
        assert "/shutdown" not in una.text()
        una.line("/help leave")
        una.wait("/part [ROOM] – leave this room, or another")
        una.line("/keys")
        una.wait("PgUp – scroll up; at the top it fetches older history")
        # out of one room, and out of the last
        una.line("/part")
        una.wait(lambda _: "#cellar" not in una.text() and "1:#deeds(" in rows(una)[-2])
        una.line("/part #deeds")
        una.wait(lambda text: text.startswith(" ipcchat") and "#deeds" not in text.split("\n")[-2])
        tom.wait("ursula left")
        una.line("is anybody there")
        una.wait("not sent: choose a room first")
        una.wait(lambda _: rows(una)[-1] == "> is anybody there")
        una.press("ctrl-c")
        una.line("/list deeds")
        una.wait(re.compile(r"#deeds +1 member +\d+ messages +Week 9:  sockets").search)  # type: ignore[arg-type]
        una.line("/join #deeds")
        una.wait("│ hello ursula")
        tom.wait("ursula left and came back")
        una.line("/quit")
        assert una.ended() == 0
        assert una.raw.endswith(b"\x1b[?1049l") or b"\x1b[?1049l" in una.raw[-200:]
        # Ctrl+C and Ctrl+D never lose what is typed
        tom.type("half a sente")
        tom.wait("> half a sente")
        tom.type("\x04")
        tom.press("ctrl-c")
        tom.wait(lambda text: text.split("\n")[-1] == ">")
        tom.press("up")
        tom.wait("> half a sente")
        tom.press("ctrl-c")
        tom.wait(lambda text: text.split("\n")[-1] == ">")
        tom.type("\x04")
        assert tom.ended() == 0
        assert COLOUR.search(tom.raw)
    said = Bot(server.address, "#deeds").heard()
    assert [(entry.kind, entry.text, entry.style) for entry in said] == [
        ("create", "#deeds", ""),
        ("message", "waves", "me"),
        ("topic", "Week 9:  sockets", ""),
        ("message", "hello ursula", ""),
    ]


def test_nothing_unsent_is_left_behind_by_surprise(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server", "--data", ":memory:") as server:
        with client(server, "max", "#lobby", tmp_path / "max", NO_COLOR="1") as shown:
            shown.line("said in time")
            shown.wait("│ said in time")
            server.kill()
            shown.wait("reconnecting…")
            shown.line("said too late")
            shown.wait("│ … said too late")
            shown.line("/quit")
            shown.wait("1 line not sent, kept for next time: quit all the same?")
            shown.type("n")
            shown.wait(lambda text: "quit all the same" not in text)
            shown.line("/exit")
            shown.wait("quit all the same?")
            # Its keys are there in a small window, too.
            shown.resize(40, 10)
            shown.wait(lambda text: "y yes · n no" in " ".join(text.split()))
            shown.type("y")
            assert shown.ended() == 0
            assert b"\x1b[0;7m" in shown.raw  # bars are told by reverse, nothing by colour
            assert not COLOUR.search(shown.raw)
