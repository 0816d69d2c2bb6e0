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
    _searchable(ann, "/search key from:ann")
    ann.wait(re.compile(r"1\. in @bob, \d\d:\d\d, ann: the key is under the mat\n").search)  # type: ignore[arg-type]
    ann.wait("1 message has that")
    ann.line("/search")
    ann.wait("there is no more of what was found. /search WORDS")
    ann.line("/search --show 1")
    text = ann.wait("around number 1, in @bob:\n")
    text = ann.wait(re.compile(r"\d\d:\d\d you: good\n").search)  # type: ignore[arg-type]
    around = text[text.index("around number 1") :]
    assert re.search(r"\n1\. \d\d:\d\d you: the key is under the mat\n", around)
    assert re.search(r"\n\d\d:\d\d bob: found it\n", around)
    for line, told in (
        ("/search --show 2", "there is no result 2. they go from 1 to 1\n"),
        ("/search --show key", "/search --show needs the number of a result. /search --show 3\n"),
    ):
        ann.line(line)
        ann.wait(told)
    bob.line("/away lunch")
    bob.wait("you are away: lunch: /back ends it")
    ann.line("/whois bob")
    ann.wait(re.compile(r"bob is away since \d\d:\d\d: lunch\n").search)  # type: ignore[arg-type]
    ann.line("/part")
    ann.wait("@bob is hidden until one of you says something: /query bob shows it")


def _searchable(one: Spoken, line: str) -> None:
    """Searches until what was said lately can be found."""
    answer = re.compile(r"(?:have|has) that.*\n|is hidden.*\n")
    for _ in range(100):
        count = len(answer.findall(one.text))
        one.line(line)
        told = answer.findall(one.wait(lambda said, count=count: len(answer.findall(said)) > count))  # type: ignore[misc]
        if "not searchable yet" not in told[-1]:
            return
    raise AssertionError(one.text)


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


def test_after_a_room_is_gone_nothing_is_sent_anywhere(tmp_path: Path) -> None:
    with (
        serve_process(tmp_path / "server") as server,
        spoken(server.address, "bob", home=tmp_path / "bob") as bob,
    ):
        bob.wait("now in #lobby")
        bob.line("/join --private #plans")
        bob.wait("now in #plans, private")
        with spoken(server.address, "ann", home=tmp_path / "ann") as ann:
            ann.wait("now in #lobby")
            bob.line("/invite ann")
            ann.wait("bob invites you to #plans")
            ann.line("/join #plans")
            ann.wait("now in #plans, private")
            ann.type("our secret")
            bob.line("/uninvite ann")
            bob.wait("you removed ann")
            ann.type(" is out\r")
            choose, gone = "not sent: choose a room first: /join ROOM\n", "not sent in #plans: our"
            ann.wait(lambda said: choose in said or gone in said)
            if choose in ann.text:  # else it was on its way when the room went, and refused
                ann.wait(lambda said: said.endswith("> our secret is out"))
                ann.type("\x15")
            ann.wait("bob removed you from #plans\n")
            ann.line("/join #lobby")
            ann.wait(lambda said: said.count("now in #lobby") == 2)
            ann.line("hello bob")
            bob.wait("ann: hello bob\n")
            assert "secret" not in bob.text


def test_what_a_room_has_to_tell_of_its_past_comes_after_its_lines(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        with spoken(server.address, "bob", home=tmp_path / "bob") as bob:
            bob.wait("now in #lobby")
            bob.line("/join #lab")
            bob.wait("now in #lab")
            bob.line("one")
            bob.line("two")
            with spoken(server.address, "ann", home=tmp_path / "ann") as ann:
                ann.wait("now in #lobby")
                ann.line("/join #lab")
                text = ann.wait(re.compile(r"#lab: 2 messages since .*\n").search)  # type: ignore[arg-type]
                places = [text.index(said) for said in ("now in #lab", "bob: two", "#lab: 2 mess")]
                assert places == sorted(places), text


def test_what_is_hidden_is_not_called_nothing(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        with (
            spoken(server.address, "bob", home=tmp_path / "bob") as bob,
            spoken(server.address, "ann", home=tmp_path / "ann") as ann,
        ):
            ann.wait("now in #lobby")
            bob.wait("now in #lobby")
            bob.line("a wombat")
            ann.wait("bob: a wombat\n")
            ann.line("/ignore bob")
            ann.wait("bob")
            _searchable(ann, "/search wombat")
            ann.wait("all that was found is hidden: you ignore who said it: /ignore lists whom\n")
