"""The servers that fanout.py compares: how each is started, joined and spoken to.

Each runs on loopback, on a port and in a directory of its own, and stores nothing but ipcchat. A
limit that would stop the load is lifted here, alone, by a setting that is named.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import environment, free_port

__all__ = ["PEERS", "Ipcchat", "Peer", "Template", "crowd", "orders"]

ROOM = "flood"
TEXT = 100
"""Bytes of a message's text."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a sender sends, and where in it the generator puts time and count."""

    data: bytes
    time_at: int
    count_at: int = -1


def text(sender: int) -> bytes:
    """A text, whose time is still zero."""
    return (b"@%02d" % sender + b"0" * 16).ljust(TEXT, b"x")


class Peer(ABC):
    """One kind of server."""

    name: str
    program: str = ""
    lifted: str = ""
    """Limits that are lifted for the load."""

    @property
    def installed(self) -> bool:
        return not self.program or shutil.which(self.program) is not None

    @abstractmethod
    def command(self, port: int, folder: Path) -> list[str]: ...

    @abstractmethod
    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        """Makes a connected socket a member, or a sender."""

    @abstractmethod
    def template(self, sender: int) -> Template: ...

    @contextmanager
    def running(self, folder: Path) -> Iterator[tuple[int, int]]:
        """A running server's process and port, on the first processor alone."""
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
                    env=environment(folder),
                )
        finally:
            os.sched_setaffinity(0, mine)
        try:
            _wait_for(port, popen)
            yield popen.pid, port
        finally:
            popen.terminate()
            try:
                popen.wait(timeout=20)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


def _wait_for(port: int, popen: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if popen.poll() is not None:
                break
            time.sleep(0.02)
    raise RuntimeError(f"{popen.args!r} does not listen")


def _until(sock: socket.socket, end: bytes) -> bytes:
    """Reads up to some bytes, which must be the last that came."""
    data = b""
    while not data.endswith(end):
        chunk = sock.recv(65536)
        if not chunk:
            raise RuntimeError(f"closed after {data!r}")
        data += chunk
    return data


def crowd(peer: Peer, port: int, senders: int, members: int) -> list[socket.socket]:
    """Connected and joined sockets, the senders first, which a child inherits."""
    sockets = []
    for number in range(senders + members):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.set_inheritable(True)
        sockets.append(sock)
        peer.join(sock, number, number < senders)
    return sockets


def orders(peer: Peer, senders: int, sockets: list[socket.socket]) -> str:
    """What `fanout.c` reads: a template for each sender, then the descriptors."""
    templates = [peer.template(sender) for sender in range(senders)]
    lines = [f"{item.time_at} {item.count_at} {item.data.hex()}\n" for item in templates]
    return "".join([*lines, *(f"{sock.fileno()}\n" for sock in sockets)])


class Ipcchat(Peer):
    """This project; durable, or in memory."""

    lifted = "none"

    def __init__(self, name: str, *flags: str, memory: bool = False) -> None:
        self.name = name
        self._flags = flags
        self._memory = memory

    def command(self, port: int, folder: Path) -> list[str]:
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        data = ":memory:" if self._memory else str(folder / "data")
        command = [sys.executable, "-m", "ipcchat", "server", "--headless", "--data", data]
        return [*command, "--listen", f"127.0.0.1:{port}", *self._flags]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        nick = f"{'s' if sender else 'm'}{number}"
        secret = secrets.token_hex(16)
        self._ask(sock, {"type": "hello", "id": 1, "versions": [1]})
        login = {"method": "secret", "nick": nick, "secret": secret, "quiet": True}
        self._ask(sock, {"type": "login", "id": 2, **login})
        if not sender:
            self._ask(sock, {"type": "follow", "id": 3, "room": 1})
            self._receive(sock)  # live

    def _ask(self, sock: socket.socket, message: dict[str, object]) -> None:
        data = json.dumps(message).encode()
        sock.sendall(len(data).to_bytes(4, "big") + data)
        reply = self._receive(sock)
        if not reply.startswith(b'{"type":"ok"'):
            raise RuntimeError(reply.decode())

    def _receive(self, sock: socket.socket) -> bytes:
        size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "big")
        return sock.recv(size, socket.MSG_WAITALL)

    def template(self, sender: int) -> Template:
        head = b'{"type":"say","id":3,"room":1,"draft":"' + secrets.token_hex(8).encode()
        middle = b'","text":"'
        body = head + b"0" * 16 + middle + text(sender) + b'"}'
        return Template(
            len(body).to_bytes(4, "big") + body,
            time_at=4 + len(head) + 16 + len(middle) + 3,
            count_at=4 + len(head),
        )


class Redis(Peer):
    """Redis pub/sub."""

    name = "redis"
    program = "redis-server"
    lifted = "client-output-buffer-limit pubsub 0 0 0"

    def command(self, port: int, folder: Path) -> list[str]:
        limit = ["--client-output-buffer-limit", "pubsub 0 0 0"]
        quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--maxclients", "20000"]
        return ["redis-server", "--port", str(port), "--dir", str(folder), *quiet, *limit]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        if not sender:
            sock.sendall(b"SUBSCRIBE %s\r\n" % ROOM.encode())
            _until(sock, b":1\r\n")

    def template(self, sender: int) -> Template:
        head = b"*3\r\n$7\r\nPUBLISH\r\n$5\r\n%s\r\n$%d\r\n" % (ROOM.encode(), TEXT)
        return Template(head + text(sender) + b"\r\n", time_at=len(head) + 3)


class Nats(Peer):
    """NATS core."""

    name = "nats"
    program = "nats-server"
    lifted = "max_pending 1GB"

    def command(self, port: int, folder: Path) -> list[str]:
        settings = folder / "nats.conf"
        settings.write_text(
            f'host: "127.0.0.1"\nport: {port}\nmax_pending: 1GB\nwrite_deadline: "60s"\n'
        )
        return ["nats-server", "-c", str(settings)]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        _until(sock, b"\r\n")
        sock.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        _until(sock, b"PONG\r\n")
        if not sender:
            sock.sendall(b"SUB %s 1\r\nPING\r\n" % ROOM.encode())
            _until(sock, b"PONG\r\n")

    def template(self, sender: int) -> Template:
        head = b"PUB %s %d\r\n" % (ROOM.encode(), TEXT)
        return Template(head + text(sender) + b"\r\n", time_at=len(head) + 3)


class Mosquitto(Peer):
    """MQTT at QoS 0."""

    name = "mosquitto"
    program = "mosquitto"
    lifted = "max_queued_messages 0, max_queued_bytes 0"

    def command(self, port: int, folder: Path) -> list[str]:
        settings = folder / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "max_queued_bytes 0\nset_tcp_nodelay true\n"
        )
        return ["mosquitto", "-c", str(settings)]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        name = f"{'s' if sender else 'm'}{number}".encode()
        body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name
        sock.sendall(b"\x10" + bytes([len(body)]) + body)
        sock.recv(4, socket.MSG_WAITALL)
        if not sender:
            topic = len(ROOM).to_bytes(2, "big") + ROOM.encode() + b"\x00"
            sock.sendall(b"\x82" + bytes([2 + len(topic)]) + b"\x00\x01" + topic)
            sock.recv(5, socket.MSG_WAITALL)

    def template(self, sender: int) -> Template:
        body = len(ROOM).to_bytes(2, "big") + ROOM.encode()
        size = len(body) + TEXT
        return Template(b"\x30" + bytes([size]) + body + text(sender), time_at=2 + len(body) + 3)


PEERS: tuple[Peer, ...] = (
    Ipcchat("ipcchat"),
    Ipcchat("ipcchat, once a tick", "--set", "coalesce=0"),
    Ipcchat("ipcchat :memory:", memory=True),
    Redis(),
    Nats(),
    Mosquitto(),
)
"""Those that take turns in a run."""
