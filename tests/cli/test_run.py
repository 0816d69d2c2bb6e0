"""How every command starts and ends: its help, its exit code, and what nobody foresaw."""

import asyncio
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.programs import home_of, ran
from tests.support import environment, serve
from tests.terminal import Terminal, terminal

from ipcchat.cli import client, server

COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "ipcchat-server": (server.main, []),
    **{
        f"ipcchat-server {name}": (server.main, [name])
        for name in ("status", "invite", "token", "op", "kick", "ban", "bans", "certificate")
    },
    "ipcchat-client": (client.main, []),
    "ipcchat-client forget": (client.main, ["forget"]),
    "ipcchat-client send": (client.main, ["send"]),
    "ipcchat-client tail": (client.main, ["tail"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main, arguments = COMMANDS[name]
    assert main([*arguments, "--help"]) == 0
    shown = capsys.readouterr()
    examples, _, usage = shown.out.partition("\n\n")
    assert examples.startswith("examples:\n")
    assert name in examples
    assert usage.startswith(f"usage: {name} ")
    assert shown.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main, arguments = COMMANDS[name]
    assert main([*arguments, "--version"]) == 0
    shown = capsys.readouterr()
    assert re.fullmatch(rf"{name.split()[0]} \d+\.\d+\.\d+\n", shown.out)
    assert shown.err == ""


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--nonsense", "--versio"])
def test_an_unknown_or_shortened_flag_is_a_usage_error(
    name: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main, arguments = COMMANDS[name]
    needed = {"send": 1, "tail": 1, "token": 1, "op": 1, "kick": 2, "ban": 1, "forget": 1}
    room = ["lobby"] * needed.get(name.split()[-1], 0)
    assert main([*arguments, *room, flag]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"unrecognized arguments: {flag}" in shown.err


def test_a_flag_without_a_value_may_stand_before_a_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert client.main(["--plaintext", "send", "#lobby"]) == 2
    assert "nothing to say" in capsys.readouterr().err


def test_help_of_the_client_names_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert client.main(["--help"]) == 0
    assert "commands: forget, identity, search, send, tail" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_help_through_a_full_disk(tmp_path: Path) -> None:
    done = ran(tmp_path, "server", "--help", redirect=">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-server: cannot write the output: no space left on device\n"


def test_help_that_nobody_reads(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        code = "client.main(['--help'])"
        done = script(tmp_path, "from ipcchat.cli import client", code, out=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


# --- what nobody foresaw ------------------------------------------------------------------


def script(
    home: Path, before: str, code: str, out: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Runs a small program of ours: its exit code is what `code` evaluates to."""
    env = environment(home_of(home))
    env.pop("PYTHONUNBUFFERED", None)
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{before}\nsys.exit({code})"],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        timeout=20,
        check=False,
    )


FAILING = """
from ipcchat.cli import run
from ipcchat.errors import Refused

def fail():
    raise {error}
"""


def failing(home: Path, error: str) -> subprocess.CompletedProcess[str]:
    return script(home, FAILING.format(error=error), "run.command('ipcchat-test', fail)")


def test_its_traceback_is_in_a_file_and_one_line_on_the_screen(tmp_path: Path) -> None:
    done = failing(tmp_path, "ValueError('seven \\x1b[31m')")
    assert (done.returncode, done.stdout) == (1, "")
    what, where = done.stderr.splitlines()
    assert what.startswith("ipcchat-test: this should not happen: ValueError('seven ")
    assert "\x1b" not in what
    assert where.startswith("  the details are in ~/state/ipcchat/ipcchat-test-")
    assert where.endswith(".traceback")
    path = tmp_path / where.partition("~/")[2]
    text = path.read_text()
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in fail" in text
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_said_where_no_file_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    done = failing(tmp_path, "ValueError('seven')")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-test: this should not happen: ValueError('seven')\n"


def test_an_error_within_a_group_is_that_error(tmp_path: Path) -> None:
    group = "ExceptionGroup('tasks', [ExceptionGroup('more', [Refused('no_room', hint='look')])])"
    done = failing(tmp_path, group)
    assert done.returncode == 77
    assert done.stderr == "ipcchat-test: no such room, or not one that is open to you\n  look\n"
    assert not (tmp_path / "state").exists()


def test_an_interrupt_is_a_quiet_end(tmp_path: Path) -> None:
    done = failing(tmp_path, "KeyboardInterrupt")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# --- the screen ---------------------------------------------------------------------------


def test_the_screen_needs_a_terminal(tmp_path: Path) -> None:
    done = ran(tmp_path, "client", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ipcchat-client send" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["host", "--server", "host"], 2, "the server is named twice"),
        (["--room", "a b"], 78, "--room: 'a b' is no value for room; a room's name has no spaces"),
        (["--name", "a b"], 78, "--name: 'a b' is no value for name; a nick has no spaces"),
        (["--set", "time_format=%"], 78, "time_format; a time is written like %H:%M"),
        (["host:port"], 78, "host:port"),
    ],
)
def test_a_wrong_command_line_of_the_screen(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert client.main(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) <= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.asyncio
async def test_the_screen_ends_by_a_signal_and_leaves_the_terminal_as_it_was(
    number: signal.Signals, tmp_path: Path
) -> None:
    def watch(shown: Terminal) -> int:
        shown.wait("#lobby")
        shown.child.kill(number)
        return shown.ended()

    async with serve() as running:
        place = running.addresses[0]
        with terminal("client", place, "--name", "ann", home=tmp_path) as shown:
            assert await asyncio.to_thread(watch, shown) == 128 + number
            assert "Traceback" not in shown.text()
            # the other screen was left, and the pasting that is marked as such
            assert shown.raw.rfind(b"\x1b[?1049l") > shown.raw.rfind(b"\x1b[?1049h")
            assert shown.raw.rfind(b"\x1b[?2004l") > shown.raw.rfind(b"\x1b[?2004h")


@pytest.mark.asyncio
async def test_a_terminal_that_is_gone_is_a_quiet_end(tmp_path: Path) -> None:
    def lose(shown: Terminal) -> int:
        shown.wait("#lobby")
        child: Any = shown.child
        child.ptyproc.fileobj.close()  # as a window that is closed
        child.closed = child.ptyproc.closed = True
        code = int(child.wait())
        assert not list(tmp_path.rglob("*.traceback"))
        return code

    async with serve() as running:
        with terminal("client", running.addresses[0], "--name", "ann", home=tmp_path) as shown:
            assert await asyncio.to_thread(lose, shown) == 128 + signal.SIGHUP
