"""Servers with TLS and access by invite, as users start them, and clients that are strangers."""

import io
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.cli.programs import Program, home_of, program, ran
from tests.support import environment

from ipcchat.cli import client as client_program
from ipcchat.cli import server as server_program
from ipcchat.cli.joining import reachable

__all__ = ["UNSET", "ask", "client", "client_here", "come_in", "hosting", "invite", "own_address"]

UNSET = {"IPCCHAT_PLAINTEXT": ""}


def own_address() -> str:
    """An address of this machine that is not loopback: who comes from there is a stranger."""
    for address in reachable(["0.0.0.0:1"]):
        return address.host
    pytest.skip("this machine has no address but loopback: nobody is a stranger")


@contextmanager
def hosting(home: Path, listen: str, *flags: str) -> Iterator[Program]:
    """A server on `data` in `home`; `place` is where it listens."""
    arguments = ("server", "--headless", "--listen", listen, "--data", "data", *flags)
    with program(home, *arguments, **UNSET) as running:
        line = running.line()
        assert line.startswith("listening on "), line
        running.place = line.removeprefix("listening on ")
        yield running
        running.popen.terminate()
        assert running.ended() == 0


def ask(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of `ipcchat-server` for the one in that home, run by this process."""
    given = [*arguments, "--data", str(home / "data")]
    return _here(home, server_program.main, given)


def client_here(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ipcchat-client` of somebody whose home this is, run by this process."""
    return _here(home, client_program.main, list(arguments))


def come_in(home: Path, where: str, name: str = "bob") -> None:
    """Somebody whose home this is says hi, by this process."""
    done = client_here(home, "send", "--server", where, "--name", name, "#lobby", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _here(
    home: Path, main: Callable[[list[str]], int], given: list[str]
) -> subprocess.CompletedProcess[str]:
    """Without a process of its own: a tenth of the time."""
    known = environment(home_of(home))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("IPCCHAT_PLAINTEXT", raising=False)
        for name in ("HOME", *(name for name in known if name.startswith("XDG_"))):
            patch.setenv(name, known[name])
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            code = main(given)
    return subprocess.CompletedProcess(given, code, out.getvalue(), err.getvalue())


def client(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ipcchat-client` of somebody whose home this is."""
    return ran(home, "client", *arguments, IPCCHAT_PLAINTEXT="")


def invite(home: Path, *flags: str) -> str:
    """A join link, as a shell would hand it on."""
    done = ask(home, "invite", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (word,) = shlex.split(done.stdout.splitlines()[0])
    return word
