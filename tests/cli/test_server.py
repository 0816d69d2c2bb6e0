"""`ipcchat-server` as an init system meets it: log lines, signals, exit codes; and `status`."""

import json
import os
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.programs import Program, messages, program, ran, say
from tests.terminal import terminal

from ipcchat.cli.server import main

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) (\w+) .+")


def headless(*flags: str) -> tuple[str, ...]:
    return ("server", "--headless", "--listen", "127.0.0.1:0", "--data", "data", *flags)


def address(server: Program) -> str:
    """Where it listens, as it says itself."""
    line = server.line()
    assert line.startswith("listening on 127.0.0.1:"), line
    return line.removeprefix("listening on ")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Program]:
    """One that runs on `data` in `home`."""
    with program(home, *headless()) as running:
        place = address(running)
        say(place, "#lobby", "hi")
        running.place = place
        yield running


# --- its life -----------------------------------------------------------------------------


def test_log_lines_are_structured_and_sigterm_is_an_orderly_end(tmp_path: Path) -> None:
    with program(tmp_path, *headless()) as server:
        place = address(server)
        say(place, "#lobby", "kept")
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        lines = server.errors().splitlines()
        found = [LOG_LINE.fullmatch(line) for line in lines]
        assert all(found), lines
        events = [match[2] for match in found if match]
        assert events[0] == "listening"
        assert "login" in events
        assert events[-1] == "draining"
    with program(tmp_path, *headless()) as again:
        assert [entry.text for entry in messages(address(again), "#lobby")] == ["kept"]


def test_ctrl_c_is_an_orderly_end_too(tmp_path: Path) -> None:
    with program(tmp_path, *headless("--log-level", "error")) as server:
        address(server)
        server.signal(signal.SIGINT)
        assert server.ended() == 0
        assert server.errors() == ""


def test_sighup_reads_the_settings_again(tmp_path: Path) -> None:
    file = tmp_path / "config" / "ipcchat" / "server.toml"
    file.parent.mkdir(parents=True)
    file.write_text('log_level = "info"\n')
    with program(tmp_path, *headless()) as server:
        address(server)
        assert " listening " in server.error_line()
        assert " info loop running on " in server.error_line()
        file.write_text('log_level = "nonsense"\n')
        server.signal(signal.SIGHUP)
        bad = server.error_line()
        assert " error reload " in bad
        assert "server.toml:1" in bad
        file.write_text('idle_after = 20\nbacklog = 5\ncolour = "red"\n')
        server.signal(signal.SIGHUP)
        lines = [server.error_line() for _ in range(3)]
        assert "unknown setting colour" in lines[0]
        assert lines[1].endswith(" info reload the settings were read again")
        assert lines[2].endswith(" warning reload backlog takes effect at the next start")
        server.signal(signal.SIGTERM)
        assert server.ended() == 0


def test_nobody_needs_to_read_what_it_writes(tmp_path: Path) -> None:
    with program(tmp_path, *headless("--log-level", "debug")) as server:
        place = address(server)
        server.close_output()
        assert server.popen.stderr is not None
        server.popen.stderr.close()
        say(place, "#lobby", "hi")
        assert [entry.text for entry in messages(place, "#lobby")] == ["hi"]
        server.signal(signal.SIGTERM)
        assert server.ended() == 0


def test_the_operators_screen_ends_by_sigterm(tmp_path: Path) -> None:
    arguments = ("server", "--listen", "127.0.0.1:0", "--data", "data")
    with terminal(*arguments, home=tmp_path) as console:
        console.wait("#lobby")
        console.child.kill(signal.SIGTERM)
        assert console.ended() == 0
        assert "shutting down" in console.text()
        assert "Traceback" not in console.text()


def test_the_operators_screen_as_sentences(tmp_path: Path) -> None:
    arguments = ("server", "--plain", "--listen", "127.0.0.1:0", "--data", "data")
    with terminal(*arguments, home=tmp_path) as console:
        console.wait("now in #lobby")
        assert b"\x1b" not in console.raw
        console.child.kill(signal.SIGTERM)
        assert console.ended() == 0


# --- what may go wrong at the start -------------------------------------------------------


def test_a_port_in_use(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = ran(home, "server", "--headless", "--listen", place, "--data", ":memory:")
    assert (done.returncode, done.stdout) == (1, "")
    what, hint = done.stderr.splitlines()
    assert what == f"ipcchat-server: cannot listen on {place}: the port is in use"
    assert "--listen" in hint


def test_a_second_server_on_the_same_data(server: Program, home: Path) -> None:
    done = ran(home, *headless())
    assert (done.returncode, done.stdout) == (75, "")
    what, hint = done.stderr.splitlines()
    assert f"(process {server.popen.pid})" in what
    assert "--data" in hint


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--set", "coalesce=9"), "allowed: 0s to 1s"),
        (("--set", "coalesc=0"), "did you mean coalesce?"),
        (("--log-level", "loud"), "allowed: debug, info, warning, error"),
        (("--listen", "here:now"), "'here:now' is not an address"),
        (("--config", "missing.toml"), "missing.toml: no such file"),
    ],
)
def test_a_bad_setting(
    flags: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["--headless", "--data", ":memory:", *flags]) == 78
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) <= 2


def test_a_bad_setting_of_the_environment(home: Path) -> None:
    done = ran(home, "server", "--headless", IPCCHAT_MAX_CLIENTS="many")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("ipcchat-server: IPCCHAT_MAX_CLIENTS: 'many' is no value")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("noise", "journal.sqlite"),
        ("truncated", "journal.sqlite"),
        ("foreign", "another program"),
    ],
)
def test_a_damaged_journal(damage: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "journal.sqlite"
    if damage == "truncated":
        with program(tmp_path, *headless()) as server:
            address(server)
            server.signal(signal.SIGTERM)
            assert server.ended() == 0
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.parent.mkdir()
        path.write_bytes(b"\x05" * 8192 if damage == "noise" else b"")
    if damage == "foreign":
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE recipes (name)")
    before = path.read_bytes()
    done = ran(tmp_path, *headless())
    assert (done.returncode, done.stdout) == (1, "")
    what, _ = done.stderr.splitlines()
    assert words in what
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    done = ran(tmp_path, *headless())
    assert (done.returncode, done.stdout) == (78, "")
    what, hint = done.stderr.splitlines()
    assert what == "ipcchat-server: cannot make data: file exists"
    assert "--data" in hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into a directory that is read-only")
def test_a_directory_that_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    done = ran(tmp_path, *headless())
    assert (done.returncode, done.stdout) == (78, "")
    assert len(done.stderr.splitlines()) == 2


# --- status -------------------------------------------------------------------------------


def test_status_of_one_that_runs(server: Program, home: Path) -> None:
    done = ran(home, "server", "status", "--data", "data")
    assert (done.returncode, done.stderr) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert shown["state"] == "ready"
    assert shown["listening"] == server.place
    assert shown["rooms"] == "1"
    assert shown["loop"].split()[0] in ("asyncio", "uvloop")


def test_status_as_json(server: Program, home: Path) -> None:
    # the same place by another name; the flag before the command
    done = ran(home, "server", "--data", str(home / "data"), "status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert (found["ready"], found["rooms"], found["entries"]) == (True, 1, 2)
    assert found["listening"] == [server.place]
    assert re.fullmatch(r"[0-9a-f]{32}", found["epoch"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_status_through_a_full_disk(server: Program, home: Path) -> None:
    done = ran(home, "server", "status", "--data", "data", redirect=">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-server: cannot write the output: no space left on device\n"


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_status_with_none_running(json: tuple[str, ...], home: Path) -> None:
    done = ran(home, "server", "status", "--data", "nothing-here", *json)
    assert (done.returncode, done.stdout) == (69, "")
    what, hint = done.stderr.splitlines()
    assert what == "ipcchat-server: no server runs on nothing-here"
    assert "--data" in hint


def test_status_of_one_that_was_killed(tmp_path: Path) -> None:
    with program(tmp_path, *headless()) as server:
        address(server)
        server.signal(signal.SIGKILL)
        server.ended()
    done = ran(tmp_path, "server", "status", "--data", "data")
    assert (done.returncode, done.stdout) == (69, "")


# --- the module ---------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_the_module_needs_a_program(arguments: list[str], home: Path) -> None:
    done = ran(home, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m ipcchat server|client")
