"""`examples/client.py`: the whole of a client, small enough to be read in a minute."""

import ast
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.programs import Program
from tests.support import serve_process

EXAMPLE = Path(__file__).parent.parent / "examples" / "client.py"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server's two addresses."""
    # pytest's own directory may be too deep for a socket's path
    path = f"/tmp/ipcchat-example-{secrets.token_hex(4)}.sock"
    with serve_process(tmp_path_factory.mktemp("server"), "--unix", path) as server:
        yield {"tcp": server.address, "unix": path}


@contextmanager
def example(place: str, nick: str, secret: str = "") -> Iterator[Program]:
    with subprocess.Popen(
        [sys.executable, EXAMPLE, place, nick, secret or secrets.token_hex(16)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as popen:
        try:
            yield Program(popen)
        finally:
            popen.kill()


def test_it_is_short_and_needs_nothing_but_python() -> None:
    text = EXAMPLE.read_text()
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100
    modules = {
        name.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for name in node.names
    }
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(ast.parse(text)))
    assert modules <= sys.stdlib_module_names


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_two_of_them_see_each_other(kind: str, places: dict[str, str]) -> None:
    ann_name, bob_name = f"ann-{kind}", f"bob-{kind}"
    with example(places[kind], ann_name) as ann:
        ann.type(f"is {bob_name} here?\n".encode())
        until(ann, f"{ann_name}: is {bob_name} here?")
        with example(places[kind], bob_name) as bob:
            # the past is seen, then what is said now, one's own too
            until(bob, f"{ann_name}: is {bob_name} here?")
            bob.type("ja, hier 🎉\n".encode())
            for client in (ann, bob):
                assert client.line() == f"{bob_name}: ja, hier 🎉"
            ann.type(b"one\ntwo\nthree\n")
            for client in (ann, bob):
                assert [client.line() for _ in range(3)] == [
                    f"{ann_name}: {text}" for text in ("one", "two", "three")
                ]
            for client in (ann, bob):
                client.close_input()
                assert client.ended() == 0
                assert client.errors() == ""


def until(client: Program, wanted: str) -> None:
    """Reads lines up to that one."""
    while client.line() != wanted:
        pass


def test_what_the_server_refuses_is_said(places: dict[str, str]) -> None:
    with example(places["tcp"], "carl") as carl:
        carl.type(b"here\n")
        until(carl, "carl: here")
        with example(places["tcp"], "carl") as other:
            assert other.ended() == 1
            assert other.errors() == "nick_taken\n"


def test_the_end_of_the_server_is_the_end_of_it(tmp_path: Path) -> None:
    with serve_process(tmp_path) as server:
        with example(server.address, "ann") as ann:
            ann.type(b"here\n")
            assert ann.line() == "ann: here"
            assert server.stop() == 0
            assert ann.ended() == 1
            assert ann.errors() == "shutdown\n"


def test_a_connection_that_breaks_is_the_end_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with example(f"127.0.0.1:{listener.getsockname()[1]}", "ann") as ann:
            listener.settimeout(15)
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()
            assert ann.ended() == 1
            assert ann.errors() == "lost\n"
