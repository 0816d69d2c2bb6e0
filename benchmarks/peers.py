"""The servers that fanout.py compares, and how each is joined and spoken to.

They store nothing but ipcchat. A limit that would stop the load is lifted here, alone; `lifted`
names all that is set otherwise than it comes.
"""

import json
import secrets
import socket
import sys
from pathlib import Path

from harness.shim import compile_program

from benchmarks.machine import installed
from benchmarks.peer import TEXT, Peer, Step, Template, exactly, orders, script_line, text, until

__all__ = ["HELLO", "PEERS", "TWINS", "Ipcchat", "scripts"]

ROOM = "flood"


def _step(message: dict[str, object], awaited: str = "ok") -> Step:
    data = json.dumps(message).encode()
    return Step(len(data).to_bytes(4, "big") + data, f'{{"type":"{awaited}"'.encode())


HELLO = _step({"type": "hello", "id": 1, "versions": [1]})


class Ipcchat(Peer):
    """This project; durable, or in memory."""

    def __init__(
        self,
        name: str,
        *settings: str,
        memory: bool = False,
        tls: bool = False,
        base: str = "redis",
    ) -> None:
        self.name = name
        self.tls = tls
        self.base = base
        self._settings = ("say_burst=0", *settings)
        self.lifted = ", ".join(self._settings)
        self._memory = memory

    def version(self) -> str:
        return installed("ipcchat")

    def command(self, port: int, folder: Path) -> list[str]:
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        data = ":memory:" if self._memory else str(folder / "data")
        command = [sys.executable, "-m", "ipcchat", "server", "--headless", "--data", data]
        command += ["--listen", f"127.0.0.1:{port}", *([] if self.tls else ["--plaintext"])]
        return [*command, *(part for setting in self._settings for part in ("--set", setting))]

    def script(self, number: int, sender: bool) -> list[Step]:
        """How a sender or a member joins. The login's method needs no answer of the server."""
        nick = f"{'s' if sender else 'm'}{number}"
        login = {"method": "secret", "nick": nick, "secret": secrets.token_hex(16), "quiet": True}
        steps = [HELLO, _step({"type": "login", "id": 2, **login})]
        if not sender:
            steps.append(_step({"type": "follow", "id": 3, "room": 1}, "live"))
        return steps

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        for step in self.script(number, sender):
            sock.sendall(step.frame)
            while not (reply := self._receive(sock)).startswith(step.awaited):
                if reply.startswith(b'{"type":"error"'):
                    raise RuntimeError(reply.decode())

    def _receive(self, sock: socket.socket) -> bytes:
        return exactly(sock, int.from_bytes(exactly(sock, 4), "big"))

    def template(self, sender: int) -> Template:
        head = b'{"type":"say","id":3,"room":1,"draft":"' + secrets.token_hex(8).encode()
        middle = b'","text":"'
        body = head + b"0" * 16 + middle + text(sender) + b'"}'
        return Template(
            len(body).to_bytes(4, "big") + body,
            time_at=4 + len(head) + 16 + len(middle) + 3,
            count_at=4 + len(head),
        )


def scripts(peer: Ipcchat, senders: int, members: int) -> str:
    """What `fanout.c` reads where it makes the connections: templates, then a script for each."""
    joining = (peer.script(number, number < senders) for number in range(senders + members))
    return orders(peer, senders, []) + "".join(map(script_line, joining))


class Redis(Peer):
    """Redis pub/sub."""

    name = "redis"
    program = "redis-server"
    lifted = "client-output-buffer-limit pubsub 0 0 0, maxclients 20000, no save, no appendonly"

    def command(self, port: int, folder: Path) -> list[str]:
        limit = ["--client-output-buffer-limit", "pubsub 0 0 0"]
        quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--maxclients", "20000"]
        return ["redis-server", "--port", str(port), "--dir", str(folder), *quiet, *limit]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        if not sender:
            sock.sendall(b"SUBSCRIBE %s\r\n" % ROOM.encode())
            until(sock, b":1\r\n")

    def template(self, sender: int) -> Template:
        head = b"*3\r\n$7\r\nPUBLISH\r\n$5\r\n%s\r\n$%d\r\n" % (ROOM.encode(), TEXT)
        return Template(head + text(sender) + b"\r\n", time_at=len(head) + 3)


class Nats(Peer):
    """NATS core."""

    name = "nats"
    program = "nats-server"
    lifted = "max_pending 1GB, write_deadline 60s"

    def command(self, port: int, folder: Path) -> list[str]:
        settings = folder / "nats.conf"
        settings.write_text(
            f'host: "127.0.0.1"\nport: {port}\nmax_pending: 1GB\nwrite_deadline: "60s"\n'
        )
        return ["nats-server", "-c", str(settings)]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        until(sock, b"\r\n")
        sock.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        until(sock, b"PONG\r\n")
        if not sender:
            sock.sendall(b"SUB %s 1\r\nPING\r\n" % ROOM.encode())
            until(sock, b"PONG\r\n")

    def template(self, sender: int) -> Template:
        head = b"PUB %s %d\r\n" % (ROOM.encode(), TEXT)
        return Template(head + text(sender) + b"\r\n", time_at=len(head) + 3)


class Mosquitto(Peer):
    """MQTT at QoS 0."""

    name = "mosquitto"
    program = "mosquitto"
    asked = ("-h",)
    lifted = "max_queued_messages 0, max_queued_bytes 0, set_tcp_nodelay true"

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
        exactly(sock, 4)
        if not sender:
            topic = len(ROOM).to_bytes(2, "big") + ROOM.encode() + b"\x00"
            sock.sendall(b"\x82" + bytes([2 + len(topic)]) + b"\x00\x01" + topic)
            exactly(sock, 5)

    def template(self, sender: int) -> Template:
        body = len(ROOM).to_bytes(2, "big") + ROOM.encode()
        size = len(body) + TEXT
        return Template(b"\x30" + bytes([size]) + body + text(sender), time_at=2 + len(body) + 3)


class Ngircd(Peer):
    """IRC."""

    name = "ngircd"
    program = "ngircd"
    lifted = (
        "MaxConnections 0, MaxConnectionsIP 0, MaxPenaltyTime 0, MaxNickLength 16, "
        "PingTimeout 600, no DNS, no Ident, no PAM"
    )

    def command(self, port: int, folder: Path) -> list[str]:
        settings = folder / "ngircd.conf"
        settings.write_text(
            f"[Global]\nName = irc.example.net\nListen = 127.0.0.1\nPorts = {port}\n"
            "ServerUID = 0\nServerGID = 0\nMotdPhrase = hello\n"
            "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxPenaltyTime = 0\n"
            "MaxNickLength = 16\nPingTimeout = 600\n"
            "[Options]\nDNS = no\nIdent = no\nPAM = no\n"
        )
        return ["ngircd", "--nodaemon", "--config", str(settings)]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        nick = f"{'s' if sender else 'm'}{number}".encode()
        sock.sendall(b"NICK %s\r\nUSER u 0 * :u\r\n" % nick)
        self._wait(sock, b" 376 ")
        if not sender:
            sock.sendall(b"JOIN #%s\r\n" % ROOM.encode())
            self._wait(sock, b" 366 ")

    def _wait(self, sock: socket.socket, numeric: bytes) -> None:
        data = b""
        while numeric not in data or not data.endswith(b"\r\n"):
            chunk = sock.recv(65536)
            if not chunk:
                raise RuntimeError(f"closed after {data!r}")
            data += chunk

    def template(self, sender: int) -> Template:
        head = b"PRIVMSG #%s :" % ROOM.encode()
        return Template(head + text(sender) + b"\r\n", time_at=len(head) + 3)


class Floor(Peer):
    """`floor.c`: the least that a server can do, for what the others cost beyond it."""

    name = "C floor"

    def version(self) -> str:
        return "-"

    def command(self, port: int, folder: Path) -> list[str]:
        return [str(compile_program(Path(__file__).with_name("floor.c"), folder)), str(port)]

    def join(self, sock: socket.socket, number: int, sender: bool) -> None:
        if not sender:
            sock.sendall(b"+\n")
            exactly(sock, 2)

    def template(self, sender: int) -> Template:
        return Template(text(sender) + b"\n", time_at=3)


PEERS: tuple[Peer, ...] = (
    Ipcchat("ipcchat"),
    Ipcchat("ipcchat, asyncio", "loop=asyncio"),
    Ipcchat("ipcchat, once a tick", "coalesce=0"),
    Ipcchat("ipcchat :memory:", memory=True),
    Redis(),
    Nats(),
    Ngircd(),
    Mosquitto(),
    Floor(),
)
"""Those that take turns in a run."""

TWINS = tuple(
    Ipcchat(f"{name}{', TLS' if tls else ''}", *settings, memory=memory, tls=tls, base=name)
    for name, memory, settings in (
        ("durable", False, ()),
        ("durable asyncio", False, ("loop=asyncio",)),
        ("memory", True, ()),
        ("memory asyncio", True, ("loop=asyncio",)),
    )
    for tls in (False, True)
)
"""What `--tls` compares: each server without TLS, then with it."""
