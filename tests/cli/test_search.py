"""`ipcchat-client search`: what was said, as a part of a pipe; nothing of what is not one's own."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.programs import make_room, ran, say
from tests.support import Process, RawClient, draft, serve_process

from ipcchat.cli import client
from ipcchat.wire.messages import Direct, Done, Join, Search, SearchOk


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def room(server: Process) -> str:
    """A room in which bananas were spoken of; the index has it."""
    name = make_room(server.address)
    texts = ["a green banana", "Résumé, 東京, 100 % done", "BANANAS\nin two lines", "an apple"]
    say(server.address, name, *texts)
    asyncio.run(indexed(server.address, "apple"))
    return name


async def indexed(address: str, words: str) -> None:
    """Waits until somebody finds what was said last in a room, and so all that was said there."""
    async with RawClient.login(address, f"waiting-{draft()[:8]}") as anybody:
        await found_by(anybody, words, 1)


async def found_by(client: RawClient, words: str, count: int) -> None:
    """Waits until a client finds so many."""
    async with asyncio.timeout(20):
        while True:
            page = await client.ask(Search(client.next_id(), words))
            assert isinstance(page, SearchOk), page
            if len(page.items) == count:
                return


def search(server: Process, *words: str, name: str = "bot") -> tuple[str, ...]:
    return ("client", "search", "--server", server.address, "--name", name, *words)


def said(output: str) -> list[str]:
    """The texts of NDJSON."""
    return [json.loads(line)["text"] for line in output.splitlines()]


def test_what_was_found_is_a_line_each_the_newest_last(
    server: Process, home: Path, room: str
) -> None:
    done = ran(home, *search(server, "banana"), TZ="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    shape = r"\d{4}-\d\d-\d\d \d\d:\d\d (#\S+) <talker-\d+> (.*)"
    found = [re.fullmatch(shape, line) for line in done.stdout.splitlines()]
    assert [match.groups() for match in found if match] == [
        (room, "a green banana"),
        (room, "BANANAS\u240ain two lines"),
    ]
    assert None not in found


def test_json_is_that_of_tail(server: Process, home: Path, room: str) -> None:
    done = ran(home, *search(server, "--json", "resume", "東"))
    assert (done.returncode, done.stderr) == (0, "")
    tail = ("client", "tail", "--server", server.address, "--name", "bot", "--json")
    tailed = ran(home, *tail, "--after", "2", "--count", "1", room)
    assert done.stdout == tailed.stdout != ""


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (("--from", "nobody-said-this"), None),
        (("in:{room}", "apple"), ["an apple"]),
        (("apple in:{room} after:2020-01-01",), ["an apple"]),
        (("apple", "--room", "{bare}"), ["an apple"]),
        (("apple", "--before", "2020-01-01"), []),
        (("apple before:2020-01-01",), []),
        (("banana", "green"), ["a green banana"]),
        (('"green banana"',), ["a green banana"]),
        (('"banana green"',), []),
    ],
)
def test_flags_and_operators_narrow_it(
    words: tuple[str, ...], texts: list[str] | None, server: Process, home: Path, room: str
) -> None:
    filled = [word.format(room=room, bare=room.lstrip("#")) for word in words]
    done = ran(home, *search(server, "--json", *filled))
    if texts is None:
        assert (done.returncode, done.stdout) == (77, "")
        assert "nobody has that nick" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0 if texts else 1, "")
        assert said(done.stdout) == texts


def test_of_more_than_the_limit_there_are_the_newest(server: Process, home: Path) -> None:
    name = make_room(server.address)
    say(server.address, name, *[f"coconut {number}" for number in range(230)])
    asyncio.run(indexed(server.address, '"coconut 229"'))
    all_of_them = [f"coconut {number}" for number in range(230)]
    done = ran(home, *search(server, "--json", "coconut"))
    assert (done.returncode, said(done.stdout)) == (0, all_of_them[-100:])
    assert "--limit 0" in done.stderr
    for limit in (3, 205, 1000):
        done = ran(home, *search(server, "--json", "coconut", "--limit", str(limit)))
        assert (done.returncode, done.stderr) == (0, "")
        assert said(done.stdout) == all_of_them[-limit:]
    assert said(ran(home, *search(server, "--json", "coconut", "--limit=0")).stdout) == all_of_them
    done = ran(home, *search(server, "coconut", "--limit=0"), redirect="| head -1")
    assert done.stdout.endswith("coconut 0\n") and not done.stderr


def test_a_limit_of_how_fast_one_asks_is_kept(tmp_path: Path) -> None:
    texts = [f"coconut {number}" for number in range(150)]
    with serve_process(tmp_path / "a") as server:
        say(server.address, "#lobby", *texts)
        asyncio.run(indexed(server.address, "149"))
    slow = ("--set", "say_burst=1", "--set", "say_rate=2")
    with serve_process(tmp_path / "a", *slow) as server:
        done = ran(tmp_path, *search(server, "--json", "--limit=0", "coconut"))
        assert (done.returncode, done.stderr) == (0, "")
        assert said(done.stdout) == texts


def test_nothing_found_is_1_and_silence(server: Process, home: Path, room: str) -> None:
    done = ran(home, *search(server, "durian"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_what_others_say_among_themselves_is_not_found(server: Process, home: Path) -> None:
    async def secret() -> None:
        async with (
            RawClient.login(server.address, "ann") as ann,
            RawClient.login(server.address, "bob"),
        ):
            made = await ann.ask(Join(ann.next_id(), draft(), name="#hidden", private=True))
            talk = await ann.ask(Direct(ann.next_id(), draft(), nick="bob"))
            for answer in (made, talk):
                assert isinstance(await ann.say(answer.room, "a secret mango"), Done)
            await ann.say(await ann.join("#lobby"), "no mango here")
            await found_by(ann, "mango", 3)

    asyncio.run(secret())
    done = ran(home, *search(server, "--json", "mango"))
    assert said(done.stdout) == ["no mango here"]
    unknown = ran(home, *search(server, "mango", "--room", "#unheard-of"))
    hidden = ran(home, *search(server, "mango", "--room", "#hidden"))
    assert (unknown.returncode, unknown.stdout) == (77, "")
    assert (hidden.returncode, hidden.stdout) == (77, "")
    assert hidden.stderr == unknown.stderr.replace("unheard-of", "hidden")


def test_direct_messages_are_searched_by_name_and_not_made(server: Process, home: Path) -> None:
    send = ("client", "send", "--server", server.address, "--name")
    ran(home, *send, "dora", "#lobby", "here I am")
    done = ran(home, *search(server, "papaya", "--room", "@dora"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert ran(home, *send, "bot", "@dora", "a ripe papaya").returncode == 0
    deadline = time.monotonic() + 20
    while ran(home, *search(server, "papaya")).returncode == 1:
        assert time.monotonic() < deadline
    for flags in (
        ("papaya", "--room", "@DORA"),
        ("papaya in:@dora after:1h before:2050-01-01",),
        ("papaya",),
    ):
        done = ran(home, *search(server, "--json", *flags))
        assert (done.returncode, done.stderr) == (0, "")
        (line,) = done.stdout.splitlines()
        assert json.loads(line)["room"] == "@dora"
    done = ran(home, *search(server, "--json", "papaya", name="dora"))
    assert json.loads(done.stdout)["room"] == "@bot"
    done = ran(home, *search(server, "papaya", "--room", "@nobody-there"))
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr.startswith("ipcchat-client: nobody has that nick")


# --- how it ends --------------------------------------------------------------------------


def test_no_server_is_one_line_and_a_hint(home: Path) -> None:
    done = ran(home, "client", "search", "--server", "unix:/nowhere/at/all", "word")
    assert (done.returncode, done.stdout) == (69, "")
    assert "/nowhere/at/all" in done.stderr


@pytest.mark.parametrize("words", ["!?", '""', " ".join(map(str, range(100)))])
def test_what_can_not_be_searched_for_is_a_wrong_command_line(
    words: str, server: Process, home: Path
) -> None:
    done = ran(home, *search(server, words))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ipcchat-client: ")


def test_a_closed_standard_output_is_said(server: Process, home: Path, room: str) -> None:
    done = ran(home, *search(server, "banana"), redirect=">&-")
    assert done.returncode == 1
    assert done.stderr == "ipcchat-client: cannot write the output: it is closed\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to search for"),
        (("word", "--limit", "-1"), "no whole number"),
        (("word", "--after", "someday"), "someday"),
        (("word", "after:someday"), "someday"),
        (("word", "--from", "a b"), "a nick has no spaces"),
        (("word", "--room", "#a b"), "a room's name has no spaces"),
        (("word", "--room", "@#x"), "a nick begins with"),
        (("word", "--room", "#a", "in:#b"), "in"),
        (("word", "--js"), "unrecognized arguments: --js"),
    ],
)
def test_a_wrong_command_line_is_said(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.main(["search", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
