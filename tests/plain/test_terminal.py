"""The terminal itself: modes that are put back, keys, pastes, pipes, and a program that stops."""

import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.plain.spoken import DRIVER, ROOT, Spoken, spoken
from tests.support import Process, environment, serve_process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serve_process(tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where who was here before has the key still."""
    return tmp_path_factory.mktemp("homes")


def pair(one: Spoken, other: Spoken) -> None:
    for client in (one, other):
        client.wait("now in #lobby")


def test_what_arrives_while_one_types_waits_for_the_line(server: Process, homes: Path) -> None:
    with (
        spoken(server.address, "ann", home=homes / "ann") as ann,
        spoken(server.address, "bob", home=homes / "bob") as bob,
        spoken(server.address, "eve", home=homes / "eve") as eve,
    ):
        pair(ann, bob)
        eve.wait("now in #lobby")
        ann.type("half a wo")
        ann.wait("> half a wo")
        bob.line("interrupting")
        eve.wait("bob: interrupting")
        ann.type("rd\r")
        ann.wait("> half a word\nbob: interrupting\n")
        assert "wo\r\n" not in ann.raw.decode()
        ann.type("to be cleared")
        ann.wait("> to be cleared")
        bob.line("again")
        eve.wait("bob: again")
        assert "bob: again" not in ann.text
        ann.type("\x03")
        ann.wait("bob: again\n")
        ann.type("\x1b[A")
        ann.wait("> to be cleared")


def test_who_stops_typing_hears_what_waited_and_has_the_line_again(
    server: Process, homes: Path
) -> None:
    with (
        spoken(server.address, "ann", "hasty", home=homes / "ann") as ann,
        spoken(server.address, "bob", home=homes / "bob") as bob,
    ):
        pair(ann, bob)
        ann.type("half a line")
        ann.wait("> half a line")
        bob.line("one that waits")
        ann.wait("bob: one that waits\n")
        text = ann.wait(lambda said: said.endswith("\n> half a line"))
        assert text.count("> half a line") == 2


def test_keys_edit_and_no_sequence_becomes_text(server: Process, homes: Path) -> None:
    with (
        spoken(server.address, "ann", home=homes / "ann") as ann,
        spoken(server.address, "bob", home=homes / "bob") as bob,
    ):
        pair(ann, bob)
        ann.type("one 日本👨‍👩‍👧\x7f\x7fx wrong\x17right")
        ann.wait("> one 日x right")
        for keys in ("\x1b[D", "\x1b[1;5C", "\x1bOP", "\x1b[200~", "\x1bb", "\x1b[3~"):
            ann.type(keys)
        ann.wait(lambda _: ann.raw.count(b"\a") >= 5)
        ann.type("\r")
        bob.wait("ann: one 日x right\n")
        ann.type("bo\t")
        ann.wait("> bob: ")
        ann.type("\x15/jo\t")
        ann.wait("> /join ")
        ann.type("\x15\x1b[A")
        ann.wait("> one 日x right")
        ann.type("\x1b[B")
        ann.wait(lambda text: text.endswith("> "))


def test_a_paste_stays_one_message_and_a_long_one_asks(server: Process, homes: Path) -> None:
    with (
        spoken(server.address, "ann", home=homes / "ann") as ann,
        spoken(server.address, "bob", home=homes / "bob") as bob,
    ):
        pair(ann, bob)
        ann.type("def f():\r\treturn 1\r")
        ann.wait("> def f():\n    return 1")
        ann.type("\r")
        bob.wait("ann, 2 lines:\n  def f():\n      return 1\n")
        pasted = "\r".join(f"row {n}" for n in range(1, 8))
        ann.type(pasted)
        ann.wait("paste 7 lines? s send, j join lines, c cancel")
        ann.type("c")
        ann.wait(lambda text: text.endswith("> c\n> "))
        ann.type(pasted)
        ann.wait(lambda text: text.count("paste 7 lines?") == 2)
        ann.type("j\r")
        ann.wait("> row 1 row 2 row 3 row 4 row 5 row 6 row 7")
        ann.type("\x15")
        ann.type(pasted)
        ann.wait(lambda text: text.count("paste 7 lines?") == 3)
        ann.type("s")
        bob.wait("ann, 7 lines:\n  row 1\n")
        bob.wait("  row 7\n")
        assert bob.count("row 1") == 1


def test_a_pipe_is_said_line_by_line(server: Process, homes: Path) -> None:
    with spoken(server.address, "bob", home=homes / "bob") as bob:
        bob.wait("now in #lobby")
        home = homes / "pia"
        (home / "run").mkdir(mode=0o700, parents=True)
        lines = [f"from a pipe {n}" for n in range(120)]
        done = subprocess.run(
            [sys.executable, str(DRIVER), server.address, "pia"],
            input="\n".join([*lines, "/topic from a pipe", "/nosuch", "the last"]),
            capture_output=True,
            text=True,
            timeout=30,
            env={**environment(home), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )
        assert done.returncode == 2
        assert not set(done.stdout) & set("\x1b\b\r\a>")
        assert "now in #lobby" in done.stdout
        assert "you set the topic: from a pipe" in done.stdout
        assert "unknown command /nosuch" in done.stdout
        assert "pia:" not in done.stdout
        bob.wait("pia: the last\n")
        for line in lines:
            assert bob.text.count(f"pia: {line}\n") == 1
        bob.wait("pia set the topic: from a pipe\n")


@pytest.mark.parametrize("end", ["quit", "error", "term"])
def test_the_terminal_is_as_it_was(tmp_path: Path, end: str) -> None:
    with serve_process(tmp_path / "server") as server:
        extra = ["fails"] if end == "error" else []
        script = 'stty -a >before; "$@"; echo code $?; stty -a >after; echo looked; exec sleep 60'
        command = ["sh", "-c", script, "sh", sys.executable, str(DRIVER), server.address, "ann"]
        with spoken(home=tmp_path / "a", command=[*command, *extra]) as ann:
            before = ann.modes()
            ann.wait("now in #lobby")
            assert not ann.modes()[3] & termios.ICANON
            ann.type("half")
            ann.wait("> half")
            if end == "term":
                children = subprocess.run(
                    ["pgrep", "-P", str(ann.child.pid)], capture_output=True, text=True, check=True
                )
                os.kill(int(children.stdout.split()[0]), signal.SIGTERM)
            else:
                ann.type("\x15/quit\r" if end != "error" else "\r")
            code = {"quit": 0, "error": 1, "term": 143}[end]
            ann.wait(f"code {code}\n")
            ann.wait("looked\n")
            assert ann.modes() == before
            shown = [(tmp_path / "a" / name).read_text() for name in ("before", "after")]
            assert shown[0] == shown[1] or not shown[1]


def test_ctrl_z_stops_and_what_was_typed_is_there_again(server: Process, homes: Path) -> None:
    script = '"$@"; echo stopped; stty -a | grep -o " icanon"; fg >/dev/null; echo over'
    command = ["bash", "-m", "-c", script, "bash", sys.executable, str(DRIVER)]
    with spoken(home=homes / "ann", command=[*command, server.address, "ann"]) as ann:
        ann.wait("now in #lobby")
        ann.type("half")
        ann.wait("> half")
        ann.type("\x1a")
        ann.wait("stopped\n icanon\n")
        ann.wait(lambda text: text.endswith("> half"))
        ann.type(" done")
        ann.wait("> half done")
        ann.type("\x03")
        ann.line("/quit")
        ann.wait("over")


def test_the_operator_hears_the_log_and_is_not_suspended(server: Process, homes: Path) -> None:
    with spoken(server.address, "ann", "operator", home=homes / "ann") as ann:
        ann.wait("now in #lobby")
        ann.type("\x1a")
        ann.wait(lambda _: b"\a" in ann.raw)
        ann.line("/help shutdown")
        ann.wait("/shutdown: stop the server")


def test_the_editor_edits_the_line(server: Process, homes: Path) -> None:
    editor = homes / "editor"
    editor.write_text('#!/bin/sh\nstty -a | grep -q " icanon" && printf "edited\\ntext\\n" >"$1"\n')
    editor.chmod(0o700)
    with (
        spoken(server.address, "ann", home=homes / "ann", EDITOR=str(editor), VISUAL="") as ann,
        spoken(server.address, "bob", home=homes / "bob") as bob,
    ):
        pair(ann, bob)
        ann.line("/editor")
        ann.wait("> edited\ntext")
        ann.type("\r")
        bob.wait("ann, 2 lines:\n  edited\n  text\n")
        editor.write_text("#!/bin/sh\nexit 3\n")
        ann.line("/editor")
        ann.wait("editor ended with 3. the draft is as it was")


def test_another_server_is_handed_back(server: Process, homes: Path) -> None:
    with spoken(server.address, "ann", home=homes / "ann") as ann:
        ann.wait("now in #lobby")
        ann.line("/connect other:5555")
        ann.wait("to other:5555")
        assert ann.ended() == 0
