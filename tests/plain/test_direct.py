"""One person alone, and what was said somewhere, in sentences over real ptys."""

import re
import subprocess
import sys
from pathlib import Path

from tests.plain.spoken import DRIVER, ROOT, Spoken, spoken
from tests.support import environment, serve_process


def test_a_direct_message_is_heard_answered_and_found(tmp_path: Path) -> None:
    with (
        serve_process(tmp_path / "server") as server,
        spoken(server.address, "bob", home=tmp_path / "bob") as bob,
    ):
        bob.wait("now in #lobby")
        with spoken(server.address, "ann", home=tmp_path / "ann") as ann:
            ann.wait("now in #lobby, 2 here")
            _talk(ann, bob)


def _talk(ann: Spoken, bob: Spoken) -> None:
    ann.line("/msg bbo the key is under the mat")
    ann.wait("nobody has that nick: bbo. did you mean bob?")
    # it stands there again, to be put right
    ann.wait(lambda said: said.endswith("> /msg bbo the key is under the mat"))
    ann.type("\x15")
    ann.line("/msg bob the key is under the mat")
    ann.wait("to bob: the key is under the mat\n")
    bob.wait("from ann: the key is under the mat\n")
    bob.line("/reply found it")
    ann.wait("from bob: found it\n")
    ann.type("/que\t")
    ann.wait(lambda said: said.endswith("> /query "))
    ann.type("b\t")
    ann.wait(lambda said: said.endswith("> /query bob"))
    ann.type("\r")
    ann.wait("now with bob\n")
    ann.line("good")
    bob.wait("from ann: good\n")
    bob.wait(lambda _: b"\a" in bob.raw)
    ann.line("/search key from:ann")
    ann.wait(re.compile(r"1\. in @bob, \d\d:\d\d, ann: the key is under the mat\n").search)  # type: ignore[arg-type]
    ann.wait("1 message has that")
    ann.line("/search")
    ann.wait("there is no more of what was found. /search WORDS")
    bob.line("/away lunch")
    bob.wait("you are away: lunch: /back ends it")
    ann.line("/whois bob")
    ann.wait(re.compile(r"bob is away since \d\d:\d\d: lunch\n").search)  # type: ignore[arg-type]
    ann.line("/part")
    ann.wait("@bob is hidden until one of you says something: /query bob shows it")


def test_pages_of_what_was_found_go_on(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        lines = "".join(f"line {number}\n" for number in range(60))
        done = subprocess.run(
            [sys.executable, str(DRIVER), server.address, "bob"],
            input=lines,
            env={**environment(tmp_path), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with spoken(server.address, "ann", home=tmp_path / "ann", columns=100) as ann:
            ann.wait("now in #lobby")
            ann.line("/search line in:#lobby")
            text = ann.wait("the newest 50 that have that. /search: more\n")
            assert text.index("50. in #lobby") < text.index("\n1. in #lobby")
            ann.line("/search")
            text = ann.wait("60 messages have that\n")
            numbers = [int(found) for found in re.findall(r"^(\d+)\. in ", text, re.MULTILINE)]
            assert numbers == [*range(50, 0, -1), *range(60, 50, -1)]
            assert [text.count(f"bob: line {number}\n") for number in range(50)] == [1] * 50


def test_a_search_without_an_answer_can_be_given_up(tmp_path: Path) -> None:
    with (
        serve_process(tmp_path / "server") as server,
        spoken(server.address, "ann", home=tmp_path / "ann") as ann,
    ):
        ann.wait("now in #lobby")
        server.kill()
        ann.wait("connection lost")
        ann.line("/search key")
        ann.wait("searching: Ctrl+C ends it\n")
        ann.type("\x03")
        ann.wait("no longer searching\n")


def test_a_pipe_does_what_it_can_and_tells_what_not(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        done = subprocess.run(
            [sys.executable, str(DRIVER), server.address, "ann"],
            input="one\n/msg nobody my secret\ntwo\n",
            env={**environment(tmp_path), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode != 0
        assert "line 2 was not done: nobody has that nick: nobody" in done.stderr
        assert "my secret" not in done.stdout
        with spoken(server.address, "bob", home=tmp_path / "bob") as bob:
            text = bob.wait("ann: two\n")
            assert "ann: one\n" in text
            assert "secret" not in text
