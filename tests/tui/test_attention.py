"""What a message does to the terminal: when, by which bytes, and that others' text is only text."""

import asyncio
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.programs import home_of
from tests.support import RawClient, environment, serve

from ipcchat.client.model import Model
from ipcchat.errors import IpcchatError, SettingError
from ipcchat.terminal.attention import (
    INTERVAL,
    MAX_PAYLOAD,
    Attention,
    kind_of,
    window_title,
)
from ipcchat.terminal.replies import TITLE_POP, TITLE_PUSH
from ipcchat.wire.messages import Room

TMUX = {"TMUX": "/tmp/tmux,1,0", "TERM": "tmux-256color"}
SCREEN = {"STY": "1.pts", "TERM": "screen"}


class Alarm:
    """One call at a time of the clock."""

    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at = at
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Desk:
    """Attention with a terminal that keeps what it gets, and a clock that is put on by hand."""

    def __init__(
        self,
        kind: str = "osc9",
        environ: dict[str, str] | None = None,
        *,
        command: str = "",
        title: bool = True,
        focused: bool | None = False,
    ) -> None:
        self.time = 100.0
        self.alarms: list[Alarm] = []
        self.written: list[str] = []
        self.errors: list[IpcchatError] = []
        self.failed = asyncio.Event()
        self.attention = Attention(
            kind,
            command,
            title,
            environ={"TERM": "xterm"} if environ is None else environ,
            write=self.written.append,
            failed=self._fail,
            clock=lambda: self.time,
            later=self._later,
        )
        if focused is not None:
            self.attention.focus(focused)

    def _fail(self, error: IpcchatError) -> None:
        self.errors.append(error)
        self.failed.set()

    def _later(self, seconds: float, callback: Callable[[], None]) -> Alarm:
        self.alarms.append(Alarm(self.time + seconds, callback))
        return self.alarms[-1]

    def alert(self, text: str = "hi", room: str = "#lab") -> None:
        self.attention.alert(f"ann in {room}", text, room)

    def put_on(self, seconds: float) -> None:
        """Lets time pass, with all that is due in it."""
        self.time += seconds
        for alarm in [alarm for alarm in self.alarms if alarm.at <= self.time]:
            self.alarms.remove(alarm)
            if alarm.callback:
                alarm.callback()

    def heard(self) -> str:
        text = "".join(self.written)
        self.written.clear()
        return text


# --- the bytes ----------------------------------------------------------------------------

NOTICES = {
    "bell": "\a",
    "osc9": "\x1b]9;ann in #lab: hi\a",
    "osc777": "\x1b]777;notify;ann in #lab;hi\a",
    "osc99": "\x1b]99;i=ipcchat-1:o=unfocused:d=0:p=title;ann in #lab\a"
    "\x1b]99;i=ipcchat-1:o=unfocused:d=1:p=body;hi\a",
    "off": "",
}


@pytest.mark.parametrize("kind", NOTICES)
def test_each_kind_has_its_bytes(kind: str) -> None:
    desk = Desk(kind)
    desk.alert()
    assert desk.heard() == NOTICES[kind]


@pytest.mark.parametrize("kind", ["osc9", "osc777", "osc99"])
def test_tmux_gets_it_passed_through_and_a_bell(kind: str) -> None:
    desk = Desk(kind, TMUX | SCREEN)
    desk.alert()
    inner = NOTICES[kind].replace("\x1b", "\x1b\x1b")
    assert desk.heard() == f"\x1bPtmux;{inner}\x1b\\\a"


@pytest.mark.parametrize("kind", ["osc9", "osc777", "osc99"])
def test_screen_gets_it_passed_through_and_a_bell(kind: str) -> None:
    desk = Desk(kind, SCREEN)
    desk.alert()
    assert desk.heard() == f"\x1bP{NOTICES[kind]}\x1b\\\a"


@pytest.mark.parametrize("environ", [TMUX, SCREEN])
def test_a_bell_is_no_sequence(environ: dict[str, str]) -> None:
    desk = Desk("bell", environ)
    desk.alert()
    assert desk.heard() == "\a"


def test_screen_gets_what_is_long_in_chunks_of_whole_characters() -> None:
    desk = Desk("osc9", SCREEN)
    desk.alert("𝕏" * 300)
    written = desk.heard()
    chunks = re.findall("\x1bP(.*?)\x1b\\\\", written, re.DOTALL)
    assert len(chunks) == 2
    assert all(len(chunk.encode()) <= 512 for chunk in chunks)
    assert "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks) + "\a" == written
    title = "ann in #lab: "
    shown = "𝕏" * (MAX_PAYLOAD - len(title) - 1)
    assert "".join(chunks) == f"\x1b]9;{title}{shown}…\a"


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"TERM_PROGRAM": "ghostty"}, "osc9"),
        ({"TERM_PROGRAM": "WezTerm", "TERM": "xterm-256color"}, "osc9"),
        ({"TERM": "xterm-kitty"}, "osc99"),
        ({"TERM": "xterm-ghostty"}, "osc9"),
        ({"TERM": "foot-extra"}, "osc777"),
        ({"TERM": "rxvt-unicode-256color"}, "osc777"),
        ({"TERM": "foot", "KITTY_WINDOW_ID": "1"}, "osc777"),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "KITTY_WINDOW_ID": "1"}, "osc99"),
        ({"TERM": "tmux-256color", "WEZTERM_PANE": "0"}, "osc9"),
        ({"TERM": "screen", "LC_TERMINAL": "iTerm2"}, "osc9"),
        ({"TERM": "screen", "GHOSTTY_RESOURCES_DIR": "/usr/share/ghostty"}, "osc9"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": ""}, "bell"),
        ({"TERM": "linux"}, "bell"),
        ({}, "bell"),
    ],
)
def test_auto_goes_by_the_terminal(environ: dict[str, str], kind: str) -> None:
    assert kind_of(environ) == kind
    desk = Desk("auto", {"TERM": "", **environ})
    desk.alert()
    assert desk.heard() == NOTICES[kind]


# --- what others wrote --------------------------------------------------------------------

FORMS = {
    "osc9": re.compile("\x1b\\]9;(?P<a>[^\a]*)\a"),
    "osc777": re.compile("\x1b\\]777;notify;(?P<a>[^\a;]*);(?P<b>[^\a;]*)\a"),
    "osc99": re.compile(
        "\x1b\\]99;i=ipcchat-1:o=unfocused:d=0:p=title;(?P<a>[^\a]*)\a"
        "\x1b\\]99;i=ipcchat-1:o=unfocused:d=1:p=body;(?P<b>[^\a]*)\a"
    ),
}
HOSTILE = st.one_of(
    st.text(max_size=600),
    st.text(
        st.sampled_from("\x1b\a;\n\r\t\x9c\x9b\x90\0\x7f\\]\u202e\u200d\ud800\u037ea🏳"),
        max_size=400,
    ),
)


def harmless(text: str) -> bool:
    """Text only: the formats that stay inside emoji and words are joiners and tags."""
    kinds = {unicodedata.category(char) for char in text if not 0xE0020 <= ord(char) <= 0xE007F}
    shown = not kinds & {"Cc", "Cs", "Co", "Zl", "Zp"} and ";" not in text
    return shown and len(text) <= MAX_PAYLOAD and "\u202e" not in text


@pytest.mark.parametrize("kind", FORMS)
@given(title=HOSTILE, text=HOSTILE)
def test_whatever_is_said_only_the_one_sequence_comes_out(kind: str, title: str, text: str) -> None:
    for environ in ({"TERM": "xterm"}, TMUX, SCREEN):
        desk = Desk(kind, environ)
        desk.attention.alert(title, text, title)
        written = desk.heard()
        written.encode()
        if environ is TMUX:
            head, tail = "\x1bPtmux;", "\x1b\\\a"
            assert written.startswith(head)
            assert written.endswith(tail)
            written = written[len(head) : -len(tail)].replace("\x1b\x1b", "\x1b")
        elif environ is SCREEN:
            written = re.sub("\x1bP(.*?)\x1b\\\\", r"\1", written, flags=re.DOTALL)[:-1]
        form = FORMS[kind].fullmatch(written)
        assert form
        assert all(map(harmless, form.groups()))


def test_line_ends_are_spaces_and_semicolons_commas() -> None:
    desk = Desk("osc777")
    desk.attention.alert("a;b", " one\r\ntwo\tthree\u037e \n")
    assert desk.heard() == "\x1b]777;notify;a,b;one two three,\a"


def test_no_half_emoji_is_left_at_the_cut() -> None:
    desk = Desk("osc777")
    desk.attention.alert("", "x" * (MAX_PAYLOAD - 3) + "👩\u200d👩\u200d👧")
    assert desk.heard() == f"\x1b]777;notify;;{'x' * (MAX_PAYLOAD - 3)}👩…\a"


@given(HOSTILE)
def test_a_room_of_any_name_makes_one_title(name: str) -> None:
    model = Model("host", "ann")
    model.rooms[1] = model.add_room(Room(1, "#lab"))
    model.rooms[1].name = name
    model.current = 1
    desk = Desk()
    desk.attention.begin()
    desk.attention.title(model)
    form = re.fullmatch("\x1b\\[22;2t\x1b\\]2;([^\a]*)\a", desk.heard())
    assert form
    assert harmless(form[1].replace(";", "")[:MAX_PAYLOAD])


# --- when ---------------------------------------------------------------------------------


def test_while_the_window_has_the_focus_nothing_sounds() -> None:
    desk = Desk(focused=True)
    desk.alert()
    desk.put_on(10)
    assert desk.heard() == ""
    desk.attention.focus(False)
    desk.alert()
    assert desk.heard() == NOTICES["osc9"]


@pytest.mark.parametrize("kind", ["osc9", "osc777", "osc99", "bell"])
def test_before_the_terminal_has_told_there_is_only_a_bell(kind: str) -> None:
    desk = Desk(kind, focused=None, command="no-such-program")
    desk.alert()
    assert desk.heard() == "\a"
    assert not desk.errors


def test_off_is_off_with_and_without_focus() -> None:
    for focused in (None, False, True):
        desk = Desk("off", focused=focused)
        desk.alert()
        desk.put_on(10)
        assert (desk.heard(), desk.alarms) == ("", [])


def test_what_comes_within_the_interval_is_one_summary_at_its_end() -> None:
    desk = Desk()
    desk.alert()
    desk.heard()
    for room in ("#ops", "#lab", "#ops", "#ops", "#lab"):
        desk.put_on(INTERVAL / 10)
        desk.alert("more", room)
    assert desk.heard() == ""
    desk.put_on(INTERVAL)
    assert desk.heard() == "\x1b]9;ipcchat: 5 more in #ops, #lab\a"
    # The summary is an alert, too.
    desk.alert()
    assert desk.heard() == ""
    desk.put_on(INTERVAL)
    assert desk.heard() == "\x1b]9;ipcchat: 1 more in #lab\a"
    desk.put_on(INTERVAL)
    desk.alert()
    assert desk.heard() == NOTICES["osc9"]


def test_a_summary_names_three_rooms_at_most_and_none_it_does_not_know() -> None:
    desk = Desk()
    desk.alert()
    for number in range(1200):
        desk.alert(room=f"#{number % 7}")
    desk.put_on(INTERVAL)
    assert desk.heard().endswith("\x1b]9;ipcchat: 1,200 more in #0, #1, #2 and others\a")
    desk.attention.alert("bob", "psst")
    desk.put_on(INTERVAL)
    assert desk.heard() == "\x1b]9;ipcchat: 1 more\a"


def test_who_has_looked_gets_no_summary() -> None:
    desk = Desk()
    desk.alert()
    desk.alert()
    desk.heard()
    desk.attention.focus(True)
    desk.attention.focus(False)
    desk.put_on(INTERVAL)
    assert desk.heard() == ""
    desk.alert()
    assert desk.heard() == NOTICES["osc9"]


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=30))
def test_never_two_alerts_in_an_interval_and_none_is_lost(steps: list[tuple[float, bool]]) -> None:
    desk = Desk()
    times: list[float] = []
    told = said = 0

    def listen() -> None:
        nonlocal told
        for notice in desk.written:
            more = re.search(r"([\d,]+) more", notice)
            told += int(more[1]) if more else 1
            times.append(desk.time)
        desk.written.clear()

    for seconds, speaks in [*steps, (INTERVAL, False)]:
        desk.put_on(seconds)
        listen()
        if speaks:
            said += 1
            desk.alert()
            listen()
    assert told == said
    assert all(after - before >= INTERVAL - 1e-6 for before, after in pairwise(times))


@pytest.mark.asyncio
async def test_after_close_nothing_sounds() -> None:
    desk = Desk()
    desk.alert()
    desk.alert()
    desk.heard()
    await desk.attention.close()
    desk.put_on(10)
    desk.alert()
    assert desk.heard() == ""


@pytest.mark.asyncio
async def test_the_loops_own_timer_ends_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.terminal.attention.INTERVAL", 0.02)
    heard: asyncio.Queue[str] = asyncio.Queue()
    attention = Attention("osc9", environ={}, write=heard.put_nowait, failed=lambda _: None)
    attention.focus(False)
    attention.alert("", "one")
    attention.alert("", "two", "#lab")
    assert await asyncio.wait_for(heard.get(), 5) == "\x1b]9;one\a"
    assert await asyncio.wait_for(heard.get(), 5) == "\x1b]9;ipcchat: 1 more in #lab\a"
    await attention.close()


# --- a command ----------------------------------------------------------------------------

KEEPS = """
import os, sys
told = [os.environ.get(f"IPCCHAT_ALERT_{name}") for name in ("TITLE", "TEXT", "ROOM")]
given = sys.stdin.buffer.read().decode()
with open(sys.argv[1] + "~", "w", encoding="utf-8") as file:
    file.write(repr((sys.argv[2:], told, given, os.getsid(0) == os.getpid())))
print("not on the screen")
os.replace(sys.argv[1] + "~", sys.argv[1])
"""
UTF8 = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1"}


def script(tmp_path: Path, source: str) -> str:
    """A command line that runs this source with a path to write to."""
    file = tmp_path / "hook of mine.py"
    file.write_text(source, encoding="utf-8")
    return f"{sys.executable} -S '{file}' '{tmp_path / 'got it'}'"


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  another process's doing
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_a_command_gets_the_text_and_nothing_on_its_command_line(tmp_path: Path) -> None:
    desk = Desk("command", UTF8, command=script(tmp_path, KEEPS) + " --as 'one word' $HOME")
    text = "$(touch pwned) `id` \x1b]0;x\a 'é' -rf\nbye\0"
    desk.attention.alert("ann; in #lab", text, "#lab")
    got = tmp_path / "got it"
    await until(got.exists)
    clean = "$(touch pwned) `id` \ufffd]0,x\ufffd 'é' -rf bye\ufffd"
    assert got.read_text(encoding="utf-8") == repr(
        (["--as", "one word", "$HOME"], ["ann, in #lab", clean, "#lab"], clean + "\n", True)
    )
    await desk.attention.close()
    assert (desk.heard(), desk.errors) == ("", [])


@pytest.mark.asyncio
async def test_a_command_may_be_the_client_itself(tmp_path: Path) -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "eve") as eve:
        room = await eve.join("#lobby")
        await eve.follow(room, last=0)
        await eve.live(room)
        said = tmp_path / "said"
        client = f"{sys.executable} -m ipcchat client send --server {server.addresses[0]}"
        command = f"""sh -c 'exec "$@" 2>"$0"' '{said}' {client} --name bot '#lobby' -"""
        environ = environment(home_of(tmp_path))
        desk = Desk("command", environ, command=command)
        desk.attention.alert("ann in #ops", "the printer works", "#ops")
        (entry,) = await eve.entries(room, 1)
        assert (entry.nick, entry.text) == ("bot", "the printer works")
        await until(lambda: not desk.attention._hook.running)
        assert (said.read_text(), desk.errors) == ("", [])
        await desk.attention.close()


IN_ASCII = """
import asyncio, os, sys
from ipcchat.terminal.hook import Hook

async def main():
    told = []
    hook = Hook(told.append, os.environ)
    keeps = 'printf %s "$IPCCHAT_ALERT_ROOM" >"$0"; cat >>"$0"'
    hook.configure(f"sh -c '{keeps}' {os.environ['GOT']}")
    assert hook.run("é", "𝕏", "#café")
    await asyncio.wait_for(hook._task, 10)
    assert not told, told

assert sys.getfilesystemencoding() == "ascii", sys.getfilesystemencoding()
asyncio.run(main())
"""


def test_in_a_locale_without_utf8_the_words_are_utf8_nevertheless(tmp_path: Path) -> None:
    got = tmp_path / "hé"
    source = tmp_path / "hook.py"
    source.write_text(IN_ASCII, encoding="utf-8")
    locale = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "GOT": str(got)}
    done = subprocess.run(
        [sys.executable, source],
        env={**environment(tmp_path), **locale},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert got.read_bytes().decode() == "#café𝕏\n"


@pytest.mark.asyncio
async def test_one_command_runs_at_a_time_and_close_kills_it(tmp_path: Path) -> None:
    source = (
        "import os, sys, time\n"
        "if not os.fork(): time.sleep(60)\n"
        "with open(sys.argv[1], 'a') as file: print(os.getpid(), file=file)\n"
        "time.sleep(60)\n"
    )
    desk = Desk("command", UTF8, command=script(tmp_path, source))
    desk.alert()
    got = tmp_path / "got it"
    await until(lambda: got.exists() and got.read_text().endswith("\n"))
    for _ in range(3):
        desk.put_on(INTERVAL)
        desk.alert()
    group = int(got.read_text())  # one line
    assert [alarm.at for alarm in desk.alarms] == [desk.time + INTERVAL]
    await asyncio.wait_for(desk.attention.close(), 5)
    await until(lambda: not _alive(group))
    desk.put_on(INTERVAL)
    assert int(got.read_text()) == group


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    # Who was killed and has no parent any more is a zombie until the system's first process looks.
    states = [
        stat.read_text().rpartition(")")[2].split()
        for stat in Path("/proc").glob("[0-9]*/stat")
        if stat.exists()
    ]
    return any(int(fields[2]) == group and fields[0] != "Z" for fields in states)


@pytest.mark.asyncio
async def test_a_command_that_hangs_is_killed_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipcchat.terminal.hook.TIMEOUT", 0.05)
    desk = Desk("command", UTF8, command="sleep 60")
    desk.alert()
    await asyncio.wait_for(desk.failed.wait(), 10)
    assert [str(error) for error in desk.errors] == ["notify command sleep: took more than 0 s"]
    await desk.attention.close()


@pytest.mark.asyncio
async def test_a_command_that_is_missing_is_told_once_and_the_bell_stands_in(
    tmp_path: Path,
) -> None:
    desk = Desk("command", command=f"{tmp_path / 'none'} -x")
    for _ in range(3):
        desk.alert()
        await asyncio.wait_for(desk.failed.wait(), 10)
        desk.put_on(INTERVAL)
    assert [(str(error), error.hint) for error in desk.errors] == [
        (f"notify command {tmp_path / 'none'}: No such file or directory", "/set notify bell")
    ]
    assert desk.heard() == "\a\a"
    # Another command is another matter.
    desk.failed.clear()
    desk.attention.configure("command", str(tmp_path), True)
    desk.alert()
    await asyncio.wait_for(desk.failed.wait(), 10)
    assert str(desk.errors[1]).endswith(": Permission denied")
    await desk.attention.close()


@pytest.mark.asyncio
async def test_a_command_that_fails_is_told_once_and_tried_again(tmp_path: Path) -> None:
    got = tmp_path / "got it"
    command = f"""sh -c 'echo x >>"$0"; exit 3' '{got}'"""
    desk = Desk("command", UTF8, command=command)
    desk.alert()
    await asyncio.wait_for(desk.failed.wait(), 10)
    desk.put_on(INTERVAL)
    desk.alert()
    await until(lambda: got.read_text() == "x\nx\n")
    await desk.attention.close()
    assert [str(error) for error in desk.errors] == ["notify command sh: exit code 3"]
    assert desk.heard() == ""


@pytest.mark.parametrize(
    ("command", "error"),
    [("", "notify: no command is set"), ("a 'b", "notify: a 'b: no closing quotation")],
)
def test_a_command_that_makes_no_sense_is_told_once(command: str, error: str) -> None:
    desk = Desk("command", command=command)
    assert not desk.errors
    desk.alert()
    desk.put_on(INTERVAL)
    desk.alert()
    assert [(type(one), str(one)) for one in desk.errors] == [(SettingError, error)]
    assert desk.heard() == "\a\a"


# --- the window's title -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("room", "unread", "mentions", "title"),
    [
        ("", 0, 0, "ipcchat"),
        ("", 4, 0, "(4) ipcchat"),
        ("#lab", 0, 0, "#lab – ipcchat"),
        ("#lab", 3, 0, "(3) #lab – ipcchat"),
        ("#lab", 9, 2, "(2!) #lab – ipcchat"),
    ],
)
def test_the_title_counts_what_is_unread(room: str, unread: int, mentions: int, title: str) -> None:
    assert window_title(room, unread, mentions) == title


def rooms() -> Model:
    model = Model("host", "ann")
    for number, name in ((1, "#lab"), (2, "#ops"), (3, "#pub")):
        model.add_room(Room(number, name))
    model.current = 1
    return model


def test_the_title_is_written_when_it_has_changed_and_given_back() -> None:
    desk, model = Desk(), rooms()
    desk.attention.title(model)
    assert desk.heard() == ""
    desk.attention.begin()
    desk.attention.begin()
    desk.attention.title(model)
    assert desk.heard() == f"{TITLE_PUSH}\x1b]2;#lab – ipcchat\a"
    model.rooms[2].unread, model.rooms[3].unread = 2, 1
    desk.attention.title(model)
    desk.attention.title(model)
    assert desk.heard() == "\x1b]2;(3) #lab – ipcchat\a"
    model.rooms[3].mentions = 1
    desk.attention.title(model)
    assert desk.heard() == "\x1b]2;(1!) #lab – ipcchat\a"
    desk.attention.end()
    desk.attention.end()
    assert desk.heard() == TITLE_POP
    # As after an editor, or a stop.
    desk.attention.begin()
    assert desk.heard() == f"{TITLE_PUSH}\x1b]2;(1!) #lab – ipcchat\a"


@pytest.mark.parametrize(
    ("environ", "title"),
    [({"TERM": "xterm"}, False), ({"TERM": "dumb"}, True), ({"TERM": "linux"}, True), ({}, True)],
)
def test_where_no_title_is_wanted_none_is_written(environ: dict[str, str], title: bool) -> None:
    desk = Desk(environ=environ, title=title)
    desk.attention.begin()
    desk.attention.title(rooms())
    desk.attention.end()
    assert desk.heard() == ""


def test_a_title_that_is_not_wanted_any_more_goes_at_once() -> None:
    desk, model = Desk(), rooms()
    desk.attention.begin()
    desk.attention.title(model)
    desk.heard()
    desk.attention.configure("bell", "", False)
    assert desk.heard() == TITLE_POP
    model.current = 2
    desk.attention.title(model)
    desk.attention.end()
    assert desk.heard() == ""
    desk.attention.configure("bell", "", True)
    desk.attention.begin()
    assert desk.heard() == f"{TITLE_PUSH}\x1b]2;#ops – ipcchat\a"
