"""`ipcchat-client tail`: each entry of a room once, in order, for ever, as a part of a pipe."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.programs import make_room, program, ran, say
from tests.support import Process, serve_process

from ipcchat.cli import client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def room(server: Process) -> str:
    """A room with five entries: its making, and one to four."""
    name = make_room(server.address)
    say(server.address, name, "one", "two", "three", "four")
    return name


def tail(server: Process, *flags: str) -> tuple[str, ...]:
    return ("client", "tail", "--server", server.address, "--name", "bot", *flags)


def test_json_has_every_entry_from_the_first_on(server: Process, home: Path, room: str) -> None:
    done = ran(home, *tail(server, "--json", "--after", "0", "--count", "5", room))
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["seq"] for entry in found] == [1, 2, 3, 4, 5]
    assert [entry["kind"] for entry in found] == ["create"] + 4 * ["message"]
    assert [entry["text"] for entry in found] == [room, "one", "two", "three", "four"]
    assert {entry["room"] for entry in found} == {room}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[1]["time"])
    assert found[1]["nick"].startswith("talker-")


def test_after_a_number_come_the_later_ones(server: Process, home: Path, room: str) -> None:
    done = ran(home, *tail(server, "--json", "--after", "3", "--count", "2", room))
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [4, 5]


def test_the_last_ones_as_plain_text(server: Process, home: Path, room: str) -> None:
    say(server.address, room, "two\nlines")
    done = ran(home, *tail(server, "--last", "3", "--count", "3", room.lstrip("#")), TZ="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    *lines, first, second = done.stdout.splitlines()
    assert [re.sub(r"\d\d:\d\d <talker-\d+>", "TIME <NICK>", line) for line in lines] == [
        "TIME <NICK> three",
        "TIME <NICK> four",
    ]
    assert first.endswith("> two")
    assert second == "      lines"


def test_without_a_start_the_last_ten_come(server: Process, home: Path, room: str) -> None:
    say(server.address, room, *[str(number) for number in range(10)])
    done = ran(home, *tail(server, "--json", "--count", "10", room))
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == list("0123456789")


def test_a_count_of_none_prints_nothing(server: Process, home: Path, room: str) -> None:
    done = ran(home, *tail(server, "--count", "0", room))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_said_comes_at_once(server: Process, home: Path, room: str) -> None:
    with program(home, *tail(server, "--json", "--last", "1", room)) as following:
        assert json.loads(following.line())["text"] == "four"
        for text in ("five", "six 日本語 🎉"):
            say(server.address, room, text)
            assert json.loads(following.line())["text"] == text


def test_direct_messages_are_tailed_by_nick(server: Process, home: Path) -> None:
    send = ("client", "send", "--server", server.address, "--name")
    for name in ("bot", "dora"):
        assert ran(home, *send, name, "#lobby", "here I am").returncode == 0
    after = ("--json", "--after", "1")  # the making of the room, which whoever comes first does
    with program(home, *tail(server, *after, "@dora")) as following:
        other = ("client", "tail", "--server", server.address, "--name", "dora", *after, "@bot")
        with program(home, *other) as answering:
            assert ran(home, *send, "dora", "@bot", "a word").returncode == 0
            for lines, name in ((following, "@dora"), (answering, "@bot")):
                entry = json.loads(lines.line())
                assert (entry["room"], entry["nick"], entry["text"]) == (name, "dora", "a word")
    done = ran(home, *tail(server, "@nobody-there"))
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr.startswith("ipcchat-client: nobody has that nick")


def test_a_restarted_server_leaves_no_gap_and_no_double(tmp_path: Path) -> None:
    seqs: list[int] = []
    with serve_process(tmp_path / "server") as server:
        port = server.port
        say(server.address, "#lobby", "a", "b")
        arguments = tail(server, "--json", "--after", "0", "#lobby")
        with program(tmp_path / "home", *arguments) as following:
            seqs += [json.loads(following.line())["seq"] for _ in range(3)]
            for _ in range(2):
                server.kill()
                with serve_process(tmp_path / "server", port=port) as server:
                    say(server.address, "#lobby", "c", "d")
                    seqs += [json.loads(following.line())["seq"] for _ in range(2)]
                    say(server.address, "#lobby", "e")
                    seqs.append(json.loads(following.line())["seq"])
                    server.kill()
            following.signal(signal.SIGINT)
            assert following.ended() == 130
    assert seqs == list(range(1, 10))


# --- how it ends --------------------------------------------------------------------------


def test_a_reader_that_goes_away_is_a_quiet_end(server: Process, home: Path, room: str) -> None:
    with program(home, *tail(server, "--after", "0", room)) as following:
        following.line()
        following.close_output()
        # without anything more being said
        assert following.ended() == 0
        assert following.errors() == ""


def test_ctrl_c_is_a_quiet_end(server: Process, home: Path, room: str) -> None:
    with program(home, *tail(server, "--after", "0", room)) as following:
        following.line()
        following.signal(signal.SIGINT)
        assert following.ended() == 130
        assert following.errors() == ""


def test_ctrl_c_ends_it_where_nobody_reads_for_now(server: Process, home: Path, room: str) -> None:
    """A full pipe keeps neither the entries from being counted nor the program from ending."""
    text = "x" * 4000
    say(server.address, room, *[text for _ in range(150)])  # more than a pipe and we hold
    with program(home, *tail(server, "--after", "0", room)) as following:
        following.line()
        following.signal(signal.SIGINT)
        assert following.ended() == 130


def test_a_slow_reader_gets_everything(server: Process, home: Path, room: str) -> None:
    text = "x" * 4000
    say(server.address, room, *[f"{number} {text}" for number in range(150)])
    with program(home, *tail(server, "--json", "--after", "0", room)) as following:
        seqs = [json.loads(following.line())["seq"] for _ in range(155)]
    assert seqs == list(range(1, 156))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said(server: Process, home: Path, room: str) -> None:
    done = ran(home, *tail(server, room), redirect=">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-client: cannot write the output: no space left on device\n"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_closed_standard_output_is_said(
    flags: tuple[str, ...], server: Process, home: Path, room: str
) -> None:
    done = ran(home, *tail(server, *flags, room), redirect=">&-")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-client: cannot write the output: it is closed\n"


def test_an_unknown_room_is_refused(server: Process, home: Path) -> None:
    done = ran(home, *tail(server, "#nowhere"))
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr == "ipcchat-client: there is no room #nowhere\n"


def test_errors_never_go_to_standard_output(server: Process, home: Path) -> None:
    done = ran(home, *tail(server, "#nowhere"), redirect="2>&-")
    assert (done.returncode, done.stdout) == (77, "")


def test_no_server_is_one_line_and_a_hint(home: Path) -> None:
    done = ran(home, "client", "tail", "--server", "unix:/nowhere/at/all", "#lobby")
    assert (done.returncode, done.stdout) == (69, "")
    assert len(done.stderr.splitlines()) <= 2
    assert "/nowhere/at/all" in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--last", "-1"), "no whole number"),
        (("--count", "½"), "no whole number"),
        (("--after", "²"), "no whole number"),
        (("--last", "1", "--after", "1"), "not allowed with"),
        (("--js",), "unrecognized arguments: --js"),
        (("#second",), "unrecognized arguments: #second"),
    ],
)
def test_a_wrong_command_line_is_said(
    flags: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.main(["tail", "#lobby", *flags]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
