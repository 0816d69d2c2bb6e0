"""The main job, over real ptys: a console and two clients talk; nothing is lost by a crash."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.support import free_port, serve_process
from tests.terminal import Terminal, terminal


def ready(shown: Terminal) -> None:
    shown.wait(lambda text: "#lobby" in text and "connecting" not in text)


@pytest.mark.timeout(180)
def test_people_talk_and_a_crash_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    listen, server_home = f"127.0.0.1:{port}", tmp_path / "server"
    serve = ("server", "--listen", listen, "--data", str(tmp_path / "data"))
    with terminal(*serve, home=server_home, columns=120, rows=30) as console:
        ready(console)
        with (
            terminal("client", listen, "--name", "ann", home=tmp_path / "ann") as ann,
            terminal("client", listen, "--name", "bob", home=tmp_path / "bob") as bob,
        ):
            ready(ann)
            ready(bob)
            # everybody sees everybody, the operator too
            console.wait(lambda text: "ann" in text and "bob" in text)
            ann.line("hello from ann 🎉 日本語")
            for shown in (ann, bob, console):
                shown.wait("hello from ann")
            assert "日" in bob.text()
            bob.line("hi ann, bob here")
            console.line("the operator takes part")
            for shown in (ann, bob, console):
                shown.wait("hi ann, bob here")
                shown.wait("the operator takes part")
            # who comes later sees what was said
            with terminal("client", listen, "--name", "carl", home=tmp_path / "carl") as carl:
                carl.wait("hello from ann")
                carl.wait("the operator takes part")
                carl.line("/quit")
                assert carl.ended() == 0
            # an unknown command goes nowhere
            ann.line("/sav everything")
            ann.wait("/save")
            # saved
            ann.line("/save talk.txt")
            ann.wait("saved")
            saved = (tmp_path / "ann" / "talk.txt").read_text()
            for said in ("hello from ann 🎉 日本語", "hi ann, bob here", "the operator takes part"):
                assert saved.count(said) == 1
            assert "everything" not in saved
            # the server gets SIGKILL; what is typed meanwhile is kept
            console.kill()
            ann.wait("reconnecting")
            ann.line("typed while nobody listened")
            ann.wait("typed while nobody listened")
            with terminal(*serve, home=server_home, columns=120, rows=30) as again:
                ready(again)
                for shown in (again, bob, ann):
                    shown.wait("typed while nobody listened", seconds=30)
                bob.line("and all is well")
                for shown in (again, bob, ann):
                    shown.wait("and all is well")
                for said in ("hello from ann", "hi ann, bob here", "typed while", "all is well"):
                    for shown in (ann, bob):
                        assert shown.text().count(said) == 1, shown.text()
                ann.line("/save talk.json")
                ann.wait(lambda text: text.count("saved ") == 2)
                lines = (tmp_path / "ann" / "talk.json").read_text().splitlines()
                seqs = [int(re.search(r'"seq":\s*(\d+)', line)[1]) for line in lines]  # type: ignore[index]
                assert seqs == list(range(1, len(seqs) + 1))
                ann.line("/quit")
                assert ann.ended() == 0
                again.line("/shutdown")
                again.wait(lambda text: "shut down?" in text)
                again.type("y")
                assert again.ended() == 0


def test_a_killed_client_has_its_unsent_lines_as_drafts(tmp_path: Path) -> None:
    client = ("client", f"127.0.0.1:{free_port()}", "--name", "ann")
    port = int(client[1].rpartition(":")[2])
    with terminal_at(client, tmp_path, port) as ann:
        ann.wait("reconnecting")
        ann.line("said to nobody")
        ann.wait("… said to nobody")
        unsent = tmp_path / "ann" / "state" / "ipcchat" / "profiles" / "ann" / "unsent.json"
        ann.wait(lambda _: unsent.exists() and "said to nobody" in unsent.read_text())
        ann.kill()
    with (
        serve_process(tmp_path / "server", port=port) as server,
        terminal(*client, home=tmp_path / "ann") as ann,
        terminal("client", server.address, "--name", "bob", home=tmp_path / "bob") as bob,
    ):
        ready(bob)
        ann.wait("not sent: left from last time")
        ann.wait("1 not sent: Enter retries, Del discards")
        assert "said to nobody" not in bob.text()
        ann.press("enter")
        bob.wait("said to nobody")
        ann.wait(lambda text: "left from last time" not in text)
        assert ann.text().count("said to nobody") == 1


@contextmanager
def terminal_at(client: tuple[str, ...], tmp_path: Path, port: int) -> Iterator[Terminal]:
    """A client whose server has just gone."""
    with ExitStack() as stack:
        with serve_process(tmp_path / "server", port=port):
            ann = stack.enter_context(terminal(*client, home=tmp_path / "ann"))
            ready(ann)
        yield ann


def test_no_server_is_said_in_one_line(tmp_path: Path) -> None:
    with terminal("client", f"127.0.0.1:{free_port()}", home=tmp_path / "ann") as ann:
        assert ann.ended() == 69
        shown = ann.text()
        assert "cannot reach" in shown
        assert "ipcchat-server" in shown
        assert "Traceback" not in shown
