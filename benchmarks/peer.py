"""What a server is to fanout.py: how it is started, and how its crowd comes to be.

Each runs on loopback, on a port and in a directory of its own.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import environment, free_port

__all__ = [
    "TEXT",
    "Peer",
    "Step",
    "Template",
    "crowd",
    "exactly",
    "orders",
    "script_line",
    "text",
    "until",
    "wait_for",
]

TEXT = 100
"""Bytes of a message's text."""
PATIENCE = 20.0
"""Seconds for an answer of a server that is joined, and until one is quiet."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a sender sends, and where in it the generator puts time and count."""

    data: bytes
    time_at: int
    count_at: int = -1


@dataclass(frozen=True, slots=True)
class Step:
    """A part of how a connection joins."""

    frame: bytes
    """What is sent."""
    awaited: bytes
    """How the payload of the frame begins that is waited for then."""


def text(sender: int) -> bytes:
    """A text, whose time is still zero."""
    return (b"^%02d" % sender + b"0" * 16).ljust(TEXT, b"x")


class Peer(ABC):
    """One kind of server."""

    name: str
    program: str = ""
    asked: tuple[str, ...] = ("--version",)
    """What makes the program tell its version."""
    lifted: str = ""
    """All that is lifted for the load, or set otherwise than it comes."""
    base: str = "redis"
    """The peer that it is compared with."""
    tls: bool = False

    @property
    def installed(self) -> bool:
        return not self.program or shutil.which(self.program) is not None

    def version(self) -> str:
        """The first number with a dot in what the program tells, or its first line; `?`."""
        try:
            ran = subprocess.run(
                [self.program, *self.asked], capture_output=True, text=True, timeout=PATIENCE
            )
        except (OSError, subprocess.SubprocessError):
            return "?"
        line = (ran.stdout or ran.stderr).strip().partition("\n")[0]
        number = re.search(r"\d+(\.\d+)+", line)
        return number[0] if number else line or "?"

    @abstractmethod
    def command(self, port: int, folder: Path) -> list[str]: ...

    @abstractmethod
    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        """Makes a connected socket a member, or a sender."""

    @abstractmethod
    def template(self, sender: int) -> Template: ...

    @contextmanager
    def running(self, folder: Path) -> Iterator[tuple[int, int]]:
        """A running server's process and port, on the first processor alone.

        It writes to `folder/log`. Raises RuntimeError where it does not listen.
        """
        port = free_port()
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(mine)})
        try:
            with (folder / "log").open("wb") as log:
                popen = subprocess.Popen(
                    self.command(port, folder),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment(folder, IPCCHAT_PLAINTEXT=str(not self.tls).lower()),
                )
        finally:
            os.sched_setaffinity(0, mine)
        try:
            wait_for(port, popen)
            yield popen.pid, port
        finally:
            popen.terminate()
            try:
                popen.wait(timeout=20)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


def wait_for(port: int, popen: subprocess.Popen[bytes], seconds: float = 10) -> None:
    """Until that process, and no other that has the port, listens on it. Raises RuntimeError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and popen.poll() is None:
        if _listens(port, popen.pid):
            return
        time.sleep(0.02)
    ended = f"ended with {popen.returncode}" if popen.poll() is not None else "does not listen"
    raise RuntimeError(f"the server {ended}")


def _listens(port: int, pid: int) -> bool:
    """By the system's tables (Linux, IPv4): a connection would not tell whose port it is."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    place, listening = f":{port:04X}", "0A"
    mine = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(place) and row[3] == listening}
    with suppress(FileNotFoundError):  # a descriptor or the process may go meanwhile
        return any(str(link.readlink()) in mine for link in Path(f"/proc/{pid}/fd").iterdir())
    return False


def exactly(sock: socket.socket, size: int) -> bytes:
    """Reads so many bytes. Raises RuntimeError where it is closed, TimeoutError."""
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise RuntimeError(f"closed after {data!r}")
        data += chunk
    return data


def until(sock: socket.socket, end: bytes) -> bytes:
    """Reads up to some bytes, which must be the last that came."""
    data = b""
    while not data.endswith(end):
        chunk = sock.recv(65536)
        if not chunk:
            raise RuntimeError(f"closed after {data!r}")
        data += chunk
    return data


def crowd(peer: Peer, port: int, senders: int, members: int) -> list[socket.socket]:
    """Connected and joined sockets, the senders first, which a child inherits.

    Raises TimeoutError, other OSErrors, RuntimeError; none is left open then.
    """
    sockets: list[socket.socket] = []
    try:
        for number in range(senders + members):
            sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            sockets.append(sock)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.set_inheritable(True)
            peer.join(sock, number, number < senders)
            sock.settimeout(None)
        _drain(sockets)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _drain(sockets: list[socket.socket]) -> None:
    """Reads what came meanwhile, such as who joined later."""
    quiet = False
    end = time.monotonic() + PATIENCE
    while not quiet:
        if time.monotonic() > end:
            raise TimeoutError("the server does not become quiet")
        time.sleep(0.2)
        quiet = True
        for sock in sockets:
            with suppress(BlockingIOError):
                while sock.recv(1 << 18, socket.MSG_DONTWAIT):
                    quiet = False


def orders(peer: Peer, senders: int, sockets: list[socket.socket]) -> str:
    """What `fanout.c` reads: a template for each sender, then the descriptors."""
    templates = [peer.template(sender) for sender in range(senders)]
    lines = [f"{item.time_at} {item.count_at} {item.data.hex()}\n" for item in templates]
    return "".join([*lines, *(f"{sock.fileno()}\n" for sock in sockets)])


def script_line(steps: list[Step]) -> str:
    """A script as `dial.h` describes it."""
    return " ".join(f"{step.frame.hex()} {step.awaited.hex()}" for step in steps) + "\n"
