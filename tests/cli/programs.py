"""`python -m ipcchat …` as a script uses it: bytes in, exit code and bytes out."""

import asyncio
import itertools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import RawClient, environment

from ipcchat.entries import Entry
from ipcchat.wire.messages import Done, History, HistoryOk

__all__ = ["Program", "home_of", "make_room", "messages", "program", "ran", "say"]

_numbers = itertools.count(1)


def home_of(place: Path) -> Path:
    """A home directory with what a login makes in it."""
    (place / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def _environment(home: Path, **more: str) -> dict[str, str]:
    found = environment(home_of(home), **more)
    found.pop("PYTHONUNBUFFERED", None)  # it hides what goes wrong with a buffer at the end
    return {name: value for name, value in found.items() if value}  # empty: not set at all


def ran(
    home: Path,
    *arguments: str,
    given: bytes = b"",
    redirect: str = "",
    seconds: float = 20,
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, with streams redirected as a shell does. Whatever happens, there is no
    traceback."""
    command = [sys.executable, "-m", "ipcchat", *arguments]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", *command] if redirect else command,
        input=given,
        capture_output=True,
        env=_environment(home, **env),
        cwd=home,
        timeout=seconds,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


class Program:
    """One that runs: all three streams are pipes."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self.place = ""
        """Where it listens, for who wants to note it."""
        self._kept: dict[int, bytes] = {}

    def type(self, data: bytes) -> None:
        """Writes to its standard input, which stays open."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def close_input(self) -> None:
        """The end of its standard input."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def close_output(self) -> None:
        """Nobody reads its standard output any more."""
        assert self.popen.stdout is not None
        self.popen.stdout.close()

    def line(self, seconds: float = 15) -> str:
        """The next line of its standard output."""
        assert self.popen.stdout is not None
        return self._line(self.popen.stdout.fileno(), seconds)

    def error_line(self, seconds: float = 15) -> str:
        """The next line of its standard error."""
        assert self.popen.stderr is not None
        return self._line(self.popen.stderr.fileno(), seconds)

    def _line(self, fd: int, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        data = self._kept.get(fd, b"")
        while b"\n" not in data:
            left = deadline - time.monotonic()
            ready = select.select([fd], [], [], max(0.0, left))[0]
            assert ready, f"no line within {seconds} s: {data!r}"
            chunk = os.read(fd, 65536)
            assert chunk, f"ended, with {data!r}"
            data += chunk
        line, _, self._kept[fd] = data.partition(b"\n")
        return line.decode()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.popen.send_signal(number)

    def ended(self, seconds: float = 15) -> int:
        """Waits for its end; its exit code."""
        return self.popen.wait(timeout=seconds)

    def errors(self) -> str:
        """What is left on its standard error, up to the end."""
        assert self.popen.stderr is not None
        kept = self._kept.pop(self.popen.stderr.fileno(), b"")
        return (kept + self.popen.stderr.read()).decode()


@contextmanager
def program(home: Path, *arguments: str, **env: str) -> Iterator[Program]:
    """Starts it; ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "ipcchat", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(home, **env),
        cwd=home,
    ) as popen:
        try:
            yield Program(popen)
        finally:
            popen.kill()


# --- the server and what it has -----------------------------------------------------------


def make_room(address: str) -> str:
    """A new room at the server; its name."""
    name = f"#room-{next(_numbers)}"
    say(address, name)
    return name


def say(address: str, room: str, *texts: str) -> None:
    """Somebody says these texts; makes the room where there is none."""

    async def talk() -> None:
        async with RawClient.login(address, f"talker-{next(_numbers)}") as client:
            number = await client.join(room)
            for text in texts:
                assert isinstance(await client.say(number, text), Done)

    asyncio.run(talk())


def messages(address: str, room: str) -> list[Entry]:
    """What was said in a room, up to now."""

    async def read() -> list[Entry]:
        found: list[Entry] = []
        async with RawClient.login(address, f"reader-{next(_numbers)}") as client:
            number, more = await client.join(room), True
            while more:
                after = found[-1].seq if found else 0
                page = await client.ask(History(client.next_id(), number, after=after, limit=1000))
                assert isinstance(page, HistoryOk), page
                found, more = found + page.entries, page.more
        return [entry for entry in found if entry.kind == "message"]

    return asyncio.run(read())
