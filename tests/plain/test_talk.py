"""The main job in sentences, over real ptys: nothing is lost, doubled or interrupted."""

import re
from pathlib import Path

import pytest
from tests.plain.spoken import spoken
from tests.support import serve_process


@pytest.mark.timeout(120)
def test_people_talk_and_a_crash_loses_nothing(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        port = server.port
        with (
            spoken(server.address, "ann", home=tmp_path / "ann") as ann,
            spoken(server.address, "bob", home=tmp_path / "bob") as bob,
        ):
            ann.wait("now in #lobby")
            bob.wait("now in #lobby")
            ann.line("hello from ann 🎉 日本語")
            bob.wait("ann: hello from ann 🎉 日本語\n")
            bob.line("hi ann, bob here")
            ann.wait("(to you) bob: hi ann, bob here\n")
            ann.wait(lambda _: b"\a" in ann.raw)
            ann.line("/me waves")
            bob.wait("* ann waves\n")
            with spoken(server.address, "carl", home=tmp_path / "carl") as carl:
                carl.wait("ann: hello from ann")
                carl.wait("* ann waves\n")
                carl.line("/quit")
                assert carl.ended() == 0
            ann.line("/sav everything")
            ann.wait("unknown command /sav. did you mean /save?")
            ann.line("/save talk.txt")
            ann.wait("saved")
            saved = (tmp_path / "ann" / "talk.txt").read_text()
            for said in ("hello from ann 🎉 日本語", "hi ann, bob here"):
                assert saved.count(said) == 1
            assert "everything" not in saved
            server.kill()
            ann.wait("connection lost, trying again")
            bob.wait("connection lost, trying again")
            ann.line("typed while nobody listened")
            with serve_process(tmp_path / "server", port=port):
                bob.wait("connected again", seconds=30)
                bob.wait("ann: typed while nobody listened\n", seconds=30)
                ann.wait("connected again", seconds=30)
                bob.line("and all is well")
                ann.wait("bob: and all is well\n")
                for one in (ann, bob):
                    for said in ("hello from ann", "hi ann, bob", "typed while", "all is well"):
                        assert one.text.count(said) == 1, one.text
                ann.line("/save talk.json")
                ann.wait(lambda text: text.count("saved ") == 2)
                lines = (tmp_path / "ann" / "talk.json").read_text().splitlines()
                seqs = [int(re.search(r'"seq":\s*(\d+)', line)[1]) for line in lines]  # type: ignore[index]
                assert seqs == list(range(1, len(seqs) + 1))
                bob.type("\x04")
                assert bob.ended() == 0
                ann.line("/quit")
                assert ann.ended() == 0


def test_a_line_left_from_last_time_is_told_and_sent_when_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "ann"
    with serve_process(tmp_path / "server") as server:
        port = server.port
        with spoken(server.address, "ann", home=home) as ann:
            ann.wait("now in #lobby")
            server.kill()
            ann.wait("connection lost")
            ann.line("said to nobody")
            ann.line("/quit")
            ann.wait("1 line not sent, kept for next time: quit all the same? y yes, n no")
            ann.type("n")
            ann.line("/quit")
            ann.wait(lambda text: text.count("quit all the same") == 2)
            ann.type("yes\r")
            assert ann.ended() == 0
    with (
        serve_process(tmp_path / "server", port=port) as server,
        spoken(server.address, "bob", home=tmp_path / "bob") as bob,
        spoken(server.address, "ann", home=home) as ann,
    ):
        bob.wait("now in #lobby")
        ann.wait('not sent: left from last time. It was: "said to nobody". /retry or /discard')
        assert "said to nobody" not in bob.text
        ann.line("/retry")
        bob.wait("ann: said to nobody\n")
        ann.wait("you: said to nobody\n")


def test_other_rooms_are_counted_and_mentions_there_are_said(tmp_path: Path) -> None:
    with (
        serve_process(tmp_path / "server") as server,
        spoken(server.address, "ann", home=tmp_path / "ann") as ann,
        spoken(server.address, "bob", home=tmp_path / "bob") as bob,
    ):
        ann.wait("now in #lobby")
        bob.wait("now in #lobby")
        bob.line("/join #ops")
        bob.wait("now in #ops, 1 here")
        for word in ("one", "two"):
            bob.line(f"line {word}")
        ann.line("/join ops")
        ann.wait("now in #ops, 2 here")
        ann.wait("bob: line two\n")
        ann.line("/join #lobby")
        ann.wait(lambda text: text.count("now in #lobby") == 2)
        bob.line("not for her")
        ann.wait("1 new in #ops\n")
        bob.line("ann: do you hear?")
        ann.wait("(to you) in #ops, bob: ann: do you hear?\n")
        assert "not for her" not in ann.text
        ann.line("/join #ops")
        ann.wait("bob: not for her\n")
        ann.line("/topic the week's plan")
        bob.wait("ann set the topic: the week's plan\n")
        bob.line("/part")
        bob.wait(lambda text: text.count("now in #lobby") == 2)


def test_history_is_said_page_by_page(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server") as server:
        with (
            spoken(server.address, "eve", home=tmp_path / "eve") as eve,
            spoken(server.address, "bob", home=tmp_path / "bob") as bob,
        ):
            for one in (bob, eve):
                one.wait("now in #lobby")
            for n in range(30):
                bob.line(f"line {n}")
            eve.wait("bob: line 29\n")
            bob.line("/names")  # its answer comes behind what eve has heard
            bob.wait("#lobby: bob, eve")
            bob.line("/history 5")
            bob.wait("#lobby is loaded from its beginning on")
            bob.line("/find line 2")
            bob.wait("lines\n")
        with spoken(server.address, "ann", home=tmp_path / "ann") as ann:
            text = ann.wait("bob: line 29\n")
            assert "bob: line 20\n" in text
            assert "bob: line 19\n" not in text
            ann.line("/history 10")
            text = ann.wait("bob: line 19\n")
            assert text.count("bob: line 20\n") == 1
            assert text.count("bob: line 0\n") == 1
            ann.line("/names")
            ann.wait("#lobby: ann, bob")
            ann.line("/rooms")
            ann.wait(lambda said: said.count("#lobby") >= 4)


def test_an_ignored_nick_is_not_heard(tmp_path: Path) -> None:
    with (
        serve_process(tmp_path / "server") as server,
        spoken(server.address, "ann", home=tmp_path / "ann") as ann,
        spoken(server.address, "bob", home=tmp_path / "bob") as bob,
        spoken(server.address, "eve", home=tmp_path / "eve") as eve,
    ):
        for one in (ann, bob, eve):
            one.wait("now in #lobby")
        ann.line("/ignore bob")
        ann.wait(lambda said: "bob" in said.partition("/ignore bob")[2])
        bob.line("ann: you do not hear this")
        eve.wait("bob: ann: you do not hear this")
        eve.line("but this")
        ann.wait("eve: but this\n")
        assert "you do not" not in ann.text
