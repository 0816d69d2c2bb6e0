"""The first moments, and a terminal that lags: nothing typed is lost, nobody else waits."""

import os
import pty
from contextlib import suppress
from pathlib import Path

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output
from tests.client.peer import until
from tests.support import free_port, serve_process
from tests.terminal import Terminal, terminal

from ipcchat.terminal.outlet import Outlet


@pytest.mark.parametrize("wait", [0.0, 0.15, 0.3])
def test_lines_typed_ahead_are_said_as_they_were_typed(tmp_path: Path, wait: float) -> None:
    with serve_process(tmp_path / "server", "--data", ":memory:") as server:
        with terminal("client", server.address, "--name", "ann", home=tmp_path / "ann") as ann:
            if wait:
                ann.pump(wait)  # somewhere in the start, wherever that is on this machine
            ann.type("first words\r/join #den\rin the den\rhalf a li")
            ann.wait(lambda text: "#den(" in text and "in the den" in text)
            ann.wait(lambda text: text.split("\n")[-1] == "> half a li")
            assert "first words" not in talk(ann)
            ann.press("ctrl-c")
            ann.line("/join #lobby")
            ann.wait(lambda text: "first words" in text and "in the den" not in text)
            assert ann.text().count("first words") == 1


def talk(shown: Terminal) -> str:
    return "\n".join(shown.text().split("\n")[1:-2])


def test_where_nobody_listens_connect_leads_back(tmp_path: Path) -> None:
    nowhere = free_port()
    with serve_process(tmp_path / "server", "--data", ":memory:") as server:
        with terminal("client", server.address, "--name", "ann", home=tmp_path / "ann") as ann:
            ann.wait(":#lobby(")
            ann.line(f"/connect 127.0.0.1:{nowhere}")
            ann.wait(f"cannot reach 127.0.0.1:{nowhere}: connection refused")
            ann.wait(":#lobby(")
            ann.line("still here")
            ann.wait("│ still here")


def test_new_messages_where_one_is_do_not_hold_up_the_next_room(tmp_path: Path) -> None:
    with serve_process(tmp_path / "server", "--data", ":memory:") as server:
        with (
            terminal("client", server.address, "--name", "ann", home=tmp_path / "ann") as ann,
            terminal("client", server.address, "--name", "bob", home=tmp_path / "bob") as bob,
        ):
            for shown in (ann, bob):
                shown.wait(":#lobby(")
                shown.line("/join #den")
                shown.wait(":#den(")
            for number in range(40):
                bob.line(f"line {number}")
            ann.wait("line 39")
            ann.press("pgup")
            ann.wait("-MORE(")
            for number in range(3):
                bob.line(f"news {number}")
            bob.line("/join #lobby")
            bob.line("and here")
            ann.wait(lambda text: "H: 1:#lobby(1) 2:#den(3)" in text)
            ann.type("\x1ba")
            ann.wait(lambda text: "1:#lobby(" in text.split("\n")[-2] and "and here" in text)


def test_a_terminal_that_is_not_read_holds_nobody_up(tmp_path: Path) -> None:
    port = free_port()
    serve = ("server", "--listen", f"127.0.0.1:{port}", "--data", str(tmp_path / "data"))
    more = ("--set", "say_burst=0")
    with terminal(*serve, *more, home=tmp_path / "server", columns=200, rows=50) as console:
        console.wait(":#lobby(")
        address = f"127.0.0.1:{port}"
        with terminal("client", address, "--name", "ann", home=tmp_path / "ann") as ann:
            ann.wait(":#lobby(")
            # More than a pty takes by itself; the console's is not read meanwhile.
            for number in range(60):
                ann.line(f"({number}) " + "long " * 60)
                ann.wait(f"({number}) long")
            ann.line("done")
            ann.wait("│ done")
        console.wait(lambda text: "│ done" in text)
        missed = [n for n in range(60) if f"({n})".encode() not in console.raw]
        assert missed, "the pty was full: frames were left out"
        assert 0 not in missed and 59 not in missed


@pytest.mark.asyncio
async def test_what_the_terminal_does_not_take_waits_and_goes_in_order() -> None:
    outer, inner = pty.openpty()
    try:
        with os.fdopen(inner, "w", closefd=False) as file:
            size = Size(rows=24, columns=80)
            drained: list[bool] = []
            outlet = Outlet(
                Vt100_Output(file, lambda: size, "xterm", enable_cpr=False),
                lambda: drained.append(True),
            )
            os.set_blocking(outer, False)
            text = "".join(f"{number:07}" for number in range(20_000))
            outlet.send(text)
            assert outlet.waits
            outlet.send("end")
            seen = b""

            def take() -> bool:
                nonlocal seen
                with suppress(BlockingIOError):
                    seen += os.read(outer, 65536)
                return len(seen) >= len(text) + 3

            await until(take)
            assert drained == [True]
            assert seen.decode() == text + "end"
            assert not outlet.waits
            outlet.end()
    finally:
        os.close(outer)
        os.close(inner)


def test_ctrl_d_at_the_servers_screen_asks_while_others_are_there(tmp_path: Path) -> None:
    port = free_port()
    serve = ("server", "--listen", f"127.0.0.1:{port}", "--data", ":memory:")
    with terminal(*serve, home=tmp_path / "server") as console:
        console.wait(":#lobby(")
        address = f"127.0.0.1:{port}"
        with terminal("client", address, "--name", "ann", home=tmp_path / "ann") as ann:
            ann.wait(":#lobby(")
            console.type("\x04")
            console.wait("1 other connected: shut down?")
            console.type("n")
            ann.line("all is well")
            console.wait("│ all is well")
            ann.line("/quit")
            assert ann.ended() == 0
        console.wait("1 connected")
        console.type("\x04")
        assert console.ended() == 0
