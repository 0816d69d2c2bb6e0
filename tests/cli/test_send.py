"""`ipcchat-client send`: exit code 0 means that the server has stored all of it."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.programs import make_room, messages, program, ran
from tests.support import Process, RawClient, serve_process

from ipcchat.cli import client
from ipcchat.text import MAX_CHARS
from ipcchat.wire.messages import History, Rooms


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home, so one account `bot`, for all tests here."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def room(server: Process) -> str:
    return make_room(server.address)


def send(server: Process) -> tuple[str, ...]:
    return ("client", "send", "--server", server.address, "--name", "bot")


@pytest.mark.asyncio
async def test_a_follower_sees_what_was_piped_in(server: Process, home: Path) -> None:
    async with RawClient.login(server.address, "ann") as ann:
        room = await ann.join("#lobby")
        await ann.follow(room, last=0)
        await ann.live(room)
        done = ran(home, *send(server), "#lobby", "-", given=b"hi\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (entry,) = await ann.entries(room, 1)
        assert (entry.nick, entry.text, entry.kind) == ("bot", "hi", "message")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("the", "printer works", "again 🎉"), ["the printer works again 🎉"]),
        (("one\ntwo",), ["one\ntwo"]),
        (("--each-line", "one\ntwo\n\nthree"), ["one", "two", "three"]),
        (("-5", "--", "--each-line", "-"), ["-5 --each-line -"]),
    ],
)
def test_the_words_of_the_command_line_are_said(
    words: tuple[str, ...], said: list[str], server: Process, home: Path, room: str
) -> None:
    done = ran(home, *send(server), room, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert [entry.text for entry in messages(server.address, room)] == said


def test_settings_may_stand_before_the_command(server: Process, home: Path, room: str) -> None:
    done = ran(
        home, "client", "--server", server.address, "--name=bot", "send", room.lstrip("#"), "here"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [entry.text for entry in messages(server.address, room)] == ["here"]


@pytest.mark.asyncio
async def test_each_line_is_said_while_the_input_stays_open(server: Process, home: Path) -> None:
    async with RawClient.login(server.address, "lines") as ann:
        number = await ann.join("#each-line")
        await ann.follow(number, last=0)
        await ann.live(number)
        with program(home, *send(server), "--each-line", "#each-line", "-") as sending:
            for text in ("first", "second", "third"):
                sending.type(f"{text}\n".encode())
                async with asyncio.timeout(15):
                    (entry,) = await ann.entries(number, 1)
                assert entry.text == text
            sending.type(b"no line end")
            sending.close_input()
            assert sending.ended() == 0
            assert sending.errors() == ""
        (entry,) = await ann.entries(number, 1)
        assert entry.text == "no line end"


@pytest.mark.parametrize(
    ("each_line", "given"), [((), b""), (("--each-line",), b""), (("--each-line",), b"\n\n  \n")]
)
def test_an_empty_input_is_a_usage_error(
    each_line: tuple[str, ...], given: bytes, server: Process, home: Path, room: str
) -> None:
    done = ran(home, *send(server), *each_line, room, "-", given=given)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ipcchat-client: nothing to say\n  the input is empty\n"
    assert messages(server.address, room) == []


def test_input_that_is_not_utf8_is_refused_with_its_line(
    server: Process, home: Path, room: str
) -> None:
    done = ran(home, *send(server), room, "-", given=b"good\nb\xe4d\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ipcchat-client: the input is not UTF-8 (line 2)\n")
    assert messages(server.address, room) == []


def test_a_text_that_is_not_utf8_is_refused(server: Process, home: Path, room: str) -> None:
    done = ran(home, *send(server), room, "b\udce4d")
    assert (done.returncode, done.stderr) == (2, "ipcchat-client: the text is not UTF-8\n")


def test_long_input_is_split_and_all_of_it_arrives_in_order(
    server: Process, home: Path, room: str
) -> None:
    lines = [f"{number:05} " + "x" * 54 for number in range(2000)]
    done = ran(home, *send(server), room, "-", given="\n".join(lines).encode())
    assert (done.returncode, done.stderr) == (0, "")
    said = [entry.text for entry in messages(server.address, room)]
    assert len(said) > 2000 * 60 / MAX_CHARS
    assert max(map(len, said)) <= MAX_CHARS
    assert "\n".join(said).split("\n") == lines


def test_a_line_longer_than_a_message_is_split_too(server: Process, home: Path, room: str) -> None:
    text = " ".join(str(number) for number in range(4000))
    done = ran(home, *send(server), "--each-line", room, "-", given=text.encode())
    assert done.returncode == 0
    said = [entry.text for entry in messages(server.address, room)]
    assert len(said) > 1
    assert "".join(said).replace(" ", "") == text.replace(" ", "")


# --- to one person ------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_direct_message_reaches_who_is_named(server: Process, home: Path) -> None:
    async with RawClient.login(server.address, "dora") as dora:
        for text in ("for you", "and more"):  # the room is made, and used again
            done = await asyncio.to_thread(ran, home, *send(server), "@Dora", text)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        page = await dora.ask(Rooms(dora.next_id(), name="@bot"))
        (item,) = page.items
        assert (item.access, item.unread, item.joined) == ("direct", 2, True)
        said = await dora.ask(History(dora.next_id(), item.room))
        assert [entry.text for entry in said.entries][1:] == ["for you", "and more"]


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ("@nobody-there", 77, "nobody has that nick"),
        ("@", 2, "a nick has 1 to 32 characters"),
        ("@#lobby", 2, "a nick begins with"),
        ("@a b", 2, "a nick has no spaces"),
    ],
)
def test_a_nick_that_can_not_be_reached_is_said(
    target: str, code: int, words: str, server: Process, home: Path
) -> None:
    done = ran(home, *send(server), target, "hi")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"ipcchat-client: {words}")


# --- what may go wrong --------------------------------------------------------------------


def test_no_server_is_one_line_and_a_hint(tmp_path: Path) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # taken, and nobody listens
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        done = ran(tmp_path, "client", "send", "--server", address, "#lobby", "hi")
    assert (done.returncode, done.stdout) == (69, "")
    what, hint = done.stderr.splitlines()
    assert what == f"ipcchat-client: cannot reach {address}: connection refused"
    assert hint.startswith("  ")
    assert "ipcchat-server" in hint


def test_a_listener_that_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        done = ran(
            tmp_path, "client", "send", "--server", address, "--timeout", "0.5", "#lobby", "hi"
        )
    assert time.monotonic() - begun < 5
    assert done.returncode == 69
    assert done.stderr.splitlines()[0] == (
        f"ipcchat-client: cannot reach {address}: no answer within 0.5 s"
    )


@pytest.mark.asyncio
async def test_a_server_that_is_killed_while_one_sends(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        async with RawClient.login(server.address, "ann") as ann:
            room = await ann.join("#lobby")
            await ann.follow(room, last=0)
            await ann.live(room)
            flags = ("--each-line", "--timeout", "0.7", "#lobby", "-")
            with program(tmp_path / "home", *send(server), *flags) as sending:
                sending.type(b"before\n")
                (entry,) = await ann.entries(room, 1)
                assert entry.text == "before"
                server.kill()
                sending.type(b"after\n")
                assert sending.ended() == 75
                what, hint = sending.errors().splitlines()
                assert what == "ipcchat-client: not stored within 0.7 s"
                assert "before sending again" in hint


@pytest.mark.asyncio
async def test_a_server_that_comes_back_in_time_gets_all_of_it_once(tmp_path: Path) -> None:
    texts = [str(number) for number in range(300)]
    lines = [f"{text}\n".encode() for text in texts]
    with serve_process(tmp_path / "server") as server:
        port = server.port
        with program(tmp_path / "home", *send(server), "--each-line", "#lobby", "-") as sending:
            async with RawClient.login(server.address, "ann") as ann:
                room = await ann.join("#lobby")
                await ann.follow(room, last=0)
                await ann.live(room)
                sending.type(b"".join(lines[:200]))
                await ann.entries(room, 1)
            server.kill()
            sending.type(b"".join(lines[200:]))
            sending.close_input()
            with serve_process(tmp_path / "server", port=port) as again:
                assert await asyncio.to_thread(sending.ended) == 0
                assert sending.errors() == ""
                said = await asyncio.to_thread(messages, again.address, "#lobby")
                assert [entry.text for entry in said] == texts


def test_a_nick_that_somebody_has_is_refused(server: Process, home: Path, room: str) -> None:
    assert ran(home, *send(server), room, "mine").returncode == 0
    done = ran(home / "other", *send(server), room, "not mine")
    assert (done.returncode, done.stdout) == (77, "")
    assert "bot" in done.stderr
    assert "taken" in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert [entry.text for entry in messages(server.address, room)] == ["mine"]


def test_a_room_that_is_not_there_is_refused(server: Process, home: Path) -> None:
    done = ran(home, *send(server), "#nowhere", "hi")
    assert (done.returncode, done.stderr) == (77, "ipcchat-client: there is no room #nowhere\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("#lobby",), "nothing to say"),
        ((), "ROOM"),
        (("#lo bby", "hi"), "no spaces"),
        (("--timeout", "0", "#lobby", "hi"), "more than 0"),
        (("--timeout", "nan", "#lobby", "hi"), "more than 0"),
        (("--each", "#lobby", "hi"), "unrecognized arguments: --each"),
    ],
)
def test_a_wrong_command_line_is_said_without_a_server(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert client.main(["send", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err


def test_a_wrong_setting_is_another_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert client.main(["send", "--server", "1.2.3.4:x", "#lobby", "hi"]) == 78
    assert "--server: '1.2.3.4:x' is no value for server" in capsys.readouterr().err


def test_a_closed_standard_input_is_said(server: Process, home: Path) -> None:
    done = ran(home, *send(server), "#lobby", "-", redirect="<&-")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-client: cannot read standard input: it is closed\n"
