"""Operators on real ptys: what they order happens to others, and everybody sees why."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from tests.client.peer import quick, until
from tests.client.test_session import here, lobby, notes
from tests.support import free_port, serve
from tests.terminal import Terminal, terminal

from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.tui.app import made
from ipcchat.tui.operator import OperatorDesk

LINK = re.compile(r"ipcchat://127\.0\.0\.1:\d+/\?invite=[\w-]{43}")
STRANGERS = """
from dataclasses import replace
from ipcchat.server.listener import Listener

usual = Listener._peer
Listener._peer = lambda *given: replace(usual(*given), trusted=False)
"""
"""Whoever comes by TCP counts as from another machine, which no address of a test is."""


@contextmanager
def console(home: Path, *flags: str, **more: Any) -> Iterator[tuple[Terminal, str]]:
    """The server's own screen, and where it listens."""
    where = f"127.0.0.1:{free_port()}"
    args = ("server", "--listen", where, "--data", ":memory:", *flags)
    with terminal(*args, home=home / "server", columns=more.pop("columns", 120), **more) as shown:
        ready(shown)
        yield shown, where


@contextmanager
def client(where: str, nick: str, home: Path, **more: Any) -> Iterator[Terminal]:
    """Somebody in the lobby."""
    args = ("client", where, "--name", nick)
    with terminal(*args, home=home / nick, columns=100, **more) as shown:
        ready(shown)
        yield shown


def ready(shown: Terminal) -> None:
    shown.wait(lambda text: re.search(r"1:#lobby\([1-9]", text) is not None)


def after_the_screen(shown: Terminal) -> list[str]:
    """What was said once the terminal was as before."""
    left = shown.raw.rpartition(b"\x1b[?1049l")[2].decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", left)
    return [line.rstrip() for line in plain.split("\n") if line.strip()]


def test_what_a_room_has_to_tell_of_its_past_is_in_sight(tmp_path: Path) -> None:
    with console(tmp_path, "--set", "say_burst=0") as (_, where):
        with client(where, "ann", tmp_path) as ann, client(where, "bob", tmp_path) as bob:
            bob.line("/join #big")
            bob.wait("2:#big(1)")
            for number in range(30):
                bob.line(f"line {number}")
            bob.wait("│ line 29")
            ann.line("/join #big")
            ann.wait(re.compile(r"│ line 29 *\n(.*\n)*.*#big: 30 messages since").search)  # type: ignore[arg-type]


def test_operators_order_and_members_do_not(tmp_path: Path) -> None:
    with (
        console(tmp_path) as (desk, where),
        client(where, "ann", tmp_path) as ann,
        client(where, "bob", tmp_path) as bob,
    ):
        ann.line("/kick bob")
        ann.wait("/kick is for operators")
        desk.line("/op ann")
        desk.wait("ann is an operator now")
        ann.line("/kick bob being loud")
        for shown in (ann, desk):
            shown.wait("ann removed bob: being loud")
        ann.wait("you are an operator now: /help")
        bob.wait("ann removed you from #lobby: being loud")
        bob.wait(lambda text: "1:#lobby(" not in text)
        bob.line("/join #lobby")
        ready(bob)
        bob.wait("ann removed bob: being loud")
        ann.wait("1:#lobby(3)")
        ann.line("/ki")
        ann.wait("did you mean /kick?")
        ann.type("/ban bo\t")
        ann.wait("> /ban bob")
        ann.type(" 10min")
        ann.press("enter")
        ann.wait("/ban can't use 10min")
        ann.line("/ban operator")
        ann.wait("you may not do that – operators can't be banned: /deop")
        ann.line("/bans")
        ann.wait("nobody is banned")
        ann.line("/deop operator")
        ann.wait("the server's own operator stays one")
        # out, with a sentence
        desk.line("/ban bob 1h spam")
        desk.wait("bob is banned for 1h")
        assert bob.ended() == 77
        assert after_the_screen(bob)[0].startswith("ipcchat-client: you are banned here")
        desk.line("/bans")
        desk.wait(re.compile(r"bob  until \w{3} \d+ \w{3} \d{4} \d\d:\d\d").search)  # type: ignore[arg-type]
        desk.line("/unban bob")
        desk.wait("bob is not banned")
        with client(where, "bob", tmp_path) as again:
            desk.line("/release bob")
            desk.wait("the nick bob is free")
            again.wait("you are now known as bob-")
        desk.line("/deop ann")
        desk.wait("ann is a member now")
        ann.line("/bans")
        ann.wait("/bans is for operators")
        ann.wait("you are no operator any more")
        ann.press("ctrl-u")
        ann.line("/links")
        ann.wait("/links is for operators")


def test_an_invite_is_shown_listed_and_ended(tmp_path: Path) -> None:
    with console(tmp_path, columns=88) as (desk, where):
        desk.line("/link 3 2d")
        text = desk.wait(lambda text: LINK.search(text) is not None)
        assert "for 3 people, for 2d: this join link" in text
        link = LINK.search(text)
        assert link is not None
        # from the first column on, to be copied
        assert re.search(r"^" + re.escape(link[0]), text, re.MULTILINE)
        assert link[0].startswith(f"ipcchat://{where}/")
        token = link[0].rpartition("=")[2]
        short = hashlib.sha256(token.encode()).hexdigest()[:8]
        desk.line("/links")
        desk.wait(re.compile(rf"{short}  for 3 more  until .* by operator").search)  # type: ignore[arg-type]
        desk.line("/revoke zz")
        desk.wait("no invite begins with zz – /links lists them")
        desk.line(f"/revoke {short}")
        desk.wait(f"the invite {short} is worth nothing now")
        desk.line("/links")
        desk.wait("there are no invites")


@pytest.mark.timeout(90)
def test_who_is_not_invited_asks_and_is_admitted(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(STRANGERS)
    with console(tmp_path, PYTHONPATH=str(hooks), rows=14) as (desk, where):
        with terminal("client", where, "--name", "bob", home=tmp_path / "bob") as bob:
            assert bob.ended() == 77
            said = after_the_screen(bob)
            assert len(said) == 2
            assert said[0].startswith("ipcchat-client: you are not invited")
            assert said[1] == "  ask for a link, or let an operator type /admit NICK"
        # seen although there is no room for the log here
        desk.wait(re.compile(r"bob @127\.0\.0\.1:\d+ asks to join · /admit bob").search)  # type: ignore[arg-type]
        assert " connected" not in desk.text()
        desk.line("/admit carl")
        desk.wait("nobody asks to join as carl")
        desk.line("/admit bob")
        desk.wait("bob may join now, within 24 hours")
        with client(where, "bob", tmp_path) as bob:
            bob.line("here I am")
            desk.wait("│ here I am")
        # or by a link, once
        desk.line("/link")
        link = LINK.search(desk.wait(lambda text: LINK.search(text) is not None))
        assert link is not None
        with client(link[0], "carl", tmp_path) as carl:
            carl.line("me too")
            desk.wait("│ me too")
        with terminal("client", link[0], "--name", "dora", home=tmp_path / "dora") as dora:
            assert dora.ended() == 77
            first, hint = after_the_screen(dora)
            assert first.startswith("ipcchat-client: that invite is unknown, used up or expired")
            assert hint == "  ask for a link, or let an operator type /admit NICK"
            assert link[0].rpartition("=")[2] not in dora.raw.decode()


@pytest.mark.asyncio
async def test_a_crowd_that_asks_to_join_does_not_fill_the_room() -> None:
    async with serve() as server:
        session = Session(await server.open_console(), Credentials("operator"), quick())
        with create_pipe_input() as keys:
            await session.start(10)
            await until(lambda: here(session))
            desk = OperatorDesk(session)
            screen = made(session, quick(), desk, input=keys, output=DummyOutput())
            async with asyncio.TaskGroup() as group:
                shown = group.create_task(screen.run())
                for number in range(9):
                    server.log.warning("asks", f"n{number} asks to join")
                server.log.info("last", "the last line")
                await until(lambda: desk._log and desk._log[-1].event == "last")
                screen.leave()
                await shown
            assert notes(lobby(session)) == [
                *(f"n{number} asks to join" for number in range(5)),
                "others ask to join, too: the log has them",
            ]
            await session.close()


def test_plain_shows_in_the_smallest_window(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with console(tmp_path, "--unix", str(path)) as (desk, where):
        args = ("client", where, "--name", "a-nick-that-is-as-long-as-they-g")
        with terminal(*args, home=tmp_path / "ann", columns=40, rows=10) as ann:
            ann.wait("PLAIN!  1:#lobby(")
            row = ann.text().split("\n")[-2]
            column = row.index("PLAIN!")
            cells = [ann.screen.buffer[8][place] for place in range(column - 1, column + 7)]
            warning = {(cell.fg, cell.bold, cell.reverse) for cell in cells[1:-1]}
            assert len(warning) == 1
            assert (cells[0].fg, cells[0].bold, cells[0].reverse) not in warning
            ann.resize(100, 24)
            ann.wait(f"PLAIN!  a-nick-that-is-as-long-as-they-g@{where}")
        args = ("client", f"unix:{path}", "--name", "bea")
        with terminal(*args, home=tmp_path / "bea") as bea:
            ready(bea)
            assert "PLAIN" not in bea.text()
        assert "PLAIN" not in desk.text()
