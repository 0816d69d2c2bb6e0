"""A shell's job: stopped, in the background, brought back; the terminal is whose turn it is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.plain.spoken import DRIVER, Spoken, spoken
from tests.support import Process, serve_process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where who was here before has the key still."""
    return tmp_path_factory.mktemp("homes")


def shell(server: Process, script: str) -> list[str]:
    """A shell with jobs, where `"$@"` is the client."""
    program = [sys.executable, str(DRIVER), server.address, "ann"]
    return ["bash", "-m", "-c", script, "bash", *program]


def stopped(ann: Spoken) -> None:
    ann.wait("now in #lobby")
    ann.type("half")
    ann.wait("> half")
    ann.type("\x1a")
    ann.wait("stopped\n")


def test_the_line_is_written_once_when_one_is_back(server: Process, homes: Path) -> None:
    command = shell(server, '"$@"; echo stopped; fg >/dev/null; echo over')
    with spoken(home=homes / "ann", command=command) as ann:
        stopped(ann)
        ann.wait(lambda said: said.endswith("> half"))
        ann.type(" done")
        text = ann.wait("half done").partition("stopped\n")[2]
        assert text.count("> half") == 1
        ann.type("\x15")
        ann.line("/quit")
        ann.wait("over")


def test_a_stopped_one_ends_when_it_is_told_to(server: Process, homes: Path) -> None:
    # Right after `kill` bash may take the job for a stopped one still (148): it is asked again.
    script = (
        '"$@"; echo stopped; kill %1; code=148;'
        " while [ $code = 148 ]; do wait %1 2>/dev/null; code=$?; sleep 0.02; done;"
        " echo code $code; stty -a; sleep 60"
    )
    command = shell(server, script)
    with spoken(home=homes / "ann", command=command) as ann:
        stopped(ann)
        ann.wait("code 143\n")
        ann.wait(" icanon")


def test_in_the_background_it_leaves_the_terminal_alone(server: Process, homes: Path) -> None:
    script = (
        '"$@"; echo stopped; bg >/dev/null; read -r words; echo "shell: $words"; jobs -r | wc -l;'
        " fg >/dev/null; echo over"
    )
    command = shell(server, script)
    with (
        spoken(home=homes / "ann", command=command) as ann,
        spoken(server.address, "bob", "hasty", home=homes / "bob") as bob,
    ):
        bob.wait("now in #lobby")
        stopped(ann)
        ann.type("typed for the shell\n")
        ann.wait("shell: typed for the shell\n1\n")
        ann.wait(lambda said: said.endswith("> half"))
        ann.type(" done\r")
        bob.wait("ann: half done\n")
        ann.line("/quit")
        ann.wait("over")
