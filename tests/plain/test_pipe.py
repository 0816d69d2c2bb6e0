"""Lines of a real pipe: said in the room that was asked for or nowhere; what fails is told."""

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.peer import ME, entry, quick, scripted
from tests.plain.spoken import ROOT, spoken
from tests.support import Process, environment, serve_process

from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.errors import IpcchatError
from ipcchat.plain.app import run
from ipcchat.wire.messages import Done, Error, Say


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server where everybody may be in one room."""
    with serve_process(tmp_path_factory.mktemp("full"), "--set", "room_limit=1") as process:
        yield process


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


def piped(address: str, home: Path, text: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    """The client with that text on its standard input, to its end."""
    (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    program = [sys.executable, "-m", "ipcchat", "client", address, "--plain"]
    return subprocess.run(
        [*program, "--name", home.name, *flags],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        env={**environment(home), "PYTHONPATH": str(ROOT / "src")},
    )


def test_a_member_of_another_room_is_heard_in_the_one_that_was_asked_for(
    server: Process, homes: Path
) -> None:
    with spoken(server.address, "bob", home=homes / "bob") as bob:
        bob.wait("now in #lobby")
        assert piped(server.address, homes / "ann", "first\n").returncode == 0
        bob.wait("ann: first\n")
        done = piped(server.address, homes / "ann", "a secret\n", "--room", "#new2")
        assert (done.returncode, done.stderr) == (0, "")
        assert "now in #new2" in done.stdout
        assert piped(server.address, homes / "ann", "last\n").returncode == 0
        bob.wait("ann: last\n")
        assert "a secret" not in bob.text
        bob.line("/join #new2")
        bob.wait("ann: a secret\n")


@pytest.mark.parametrize("how", ["flag", "command"])
def test_where_the_room_is_refused_nothing_is_said(full: Process, homes: Path, how: str) -> None:
    with spoken(full.address, f"bob-{how}", home=homes / f"bob-{how}") as bob:
        bob.wait("now in #lobby")
        home = homes / f"eve-{how}"
        assert piped(full.address, home, "first\n").returncode == 0
        if how == "flag":
            done = piped(full.address, home, "a secret\n", "--room", "#other")
            assert done.returncode == 77
        else:
            done = piped(full.address, home, "/join #other\na secret\n")
            assert done.returncode == 1
            assert "line 1 was not done: " in done.stderr
        assert "you may not do that\n" in done.stderr
        assert piped(full.address, home, "last\n").returncode == 0
        bob.wait(f"{home.name}: last\n")
        assert "a secret" not in bob.text


def test_what_was_typed_before_a_refusal_is_given_back(full: Process, homes: Path) -> None:
    with spoken(full.address, "bob-typed", home=homes / "bob-typed") as bob:
        bob.wait("now in #lobby")
        assert piped(full.address, homes / "una", "first\n").returncode == 0
        with spoken(full.address, "una", home=homes / "una", IPCCHAT_ROOM="#other") as una:
            una.wait(lambda said: said.endswith("> "))
            una.type("a secret")
            una.wait("> a secret")
            while "you are in #lobby: Enter sends the line there\n" not in una.text:
                count = una.text.count("> a secret")
                una.type("\r")
                una.wait(lambda said, count=count: said.count("> a secret") > count)  # type: ignore[misc]
            assert "a secret" not in bob.text
            una.type("\x15said here\r")
            bob.wait("una: said here\n")
            assert "a secret" not in bob.text


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("x" * 5000, 2, "line 2 was not done: "),
        ("/nosuch", 2, "line 2 was not done: unknown command /nosuch"),
        ("/rename", 2, "line 2 was not done: "),
        ("/nick bob", 1, "line 2 was not done: "),
        ("/nosuch\n/nick bob\n\n/nosuch", 2, "line 2 was not done (and 2 more lines): "),
    ],
)
def test_a_line_that_fails_is_told_and_the_others_are_said(
    server: Process, homes: Path, line: str, code: int, words: str
) -> None:
    with spoken(server.address, "bob", home=homes / "bob") as bob:
        bob.wait("now in #lobby")
        done = piped(server.address, homes / "pia", f"before\n{line}\nafter: {words}.\n")
        assert words in done.stderr
        assert done.stderr.startswith("ipcchat-client: ")
        assert len(done.stderr.splitlines()) <= 2
        assert done.returncode == code
        bob.wait(f"pia: after: {words}.\n")


@pytest.mark.asyncio
async def test_a_line_that_the_server_refuses_is_told() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\nrefused\nsaid\nrefused too\n")
    os.close(writing)
    async with scripted() as peer:
        settings = quick()
        session = Session(peer.address, Credentials("ann", "a" * 32), settings)
        async with asyncio.TaskGroup() as group:
            group.create_task(session.start(10))
            line = await peer.accept()
            await line.login()
        with os.fdopen(reading) as input:

            async def screen() -> IpcchatError:
                with pytest.raises(IpcchatError) as caught:
                    await run(session, settings, input=input, output=io.StringIO())
                return caught.value

            async with asyncio.TaskGroup() as group:
                ended = group.create_task(screen())
                await line.settle()
                said: list[str] = []
                while len(said) < 3:
                    request = await line.next()
                    if isinstance(request, Say):
                        said.append(request.text)
                        if request.text == "said":
                            line.send(Done(request.id, 1, 1, 0))
                            line.send(entry(1, "said", by=ME, draft=request.draft))
                        else:
                            line.send(Error("forbidden", "you are muted", id=request.id))
        assert said == ["refused", "said", "refused too"]
        assert ended.result().text == "line 2 was not done (and 1 more line): you are muted"
        assert ended.result().exit_code == 1
        await session.close()
