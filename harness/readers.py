"""Followers that are not the bottleneck: raw frames, one process, no event loop.

    python -m harness.readers ADDRESS [--count 500] [--receive 16384] [--last 0]

Each follows the lobby from its last so many entries on, through a small receive buffer and segments
as on Ethernet, so that the kernel keeps little for who does not read. Frames are split by their
length; of an entry only its seq is looked at, and the time at which it was said, with which
`harness.talker` begins every text. Prints `ready` when all are live; reads the seq up to which to
go on from standard input; then prints one JSON line.
"""

import argparse
import json
import os
import selectors
import socket
import struct
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any

__all__ = ["LOBBY", "STAMP", "Raw", "main"]

LOBBY = 1
STAMP = 20
"""Digits of the time at which a text was said: nanoseconds of the monotonic clock."""
_SEGMENT = 1448
_ENTRY = b'{"type":"entry","room":%d,"seq":' % LOBBY
_LIVE = b'{"type":"live"'


class Raw:
    """One connection, logged in."""

    def __init__(self, address: str, nick: str, receive: int = 0) -> None:
        """`receive`: bytes of the receive buffer; 0: the system's choice."""
        host, _, port = address.rpartition(":")
        self.sock = socket.socket()
        if receive:  # before the connection is made: the window is agreed on then
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
        self.sock.connect((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        """The beginning of a frame whose end has not come."""
        self.ask({"type": "hello", "id": 1, "versions": [1]})
        secret = os.urandom(16).hex()
        login = {"type": "login", "id": 2, "method": "secret", "nick": nick, "secret": secret}
        self.ask({**login, "quiet": True})

    def send(self, message: dict[str, object]) -> None:
        payload = json.dumps(message).encode()
        self.sock.sendall(struct.pack(">I", len(payload)) + payload)

    def ask(self, message: dict[str, object]) -> dict[str, Any]:
        """The reply to a request; what comes before it is dropped."""
        self.send(message)
        while True:
            size = int.from_bytes(self._exactly(4), "big")
            reply: dict[str, Any] = json.loads(self._exactly(size))
            if reply.get("id") == message["id"]:
                if reply["type"] != "ok":
                    raise SystemExit(f"refused: {reply}")
                return reply

    def _exactly(self, size: int) -> bytes:
        data = self.sock.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise SystemExit("the server closed the connection")
        return data

    def frames(self) -> tuple[bytes, list[tuple[int, int]]]:
        """Takes in what has come: the bytes, and where in them each whole payload lies."""
        got = self.sock.recv(65_536)
        if not got:
            raise SystemExit("the server closed the connection")
        data = self.rest + got
        found = []
        place = 0
        while len(data) - place >= 4:
            end = place + 4 + int.from_bytes(data[place : place + 4], "big")
            if end > len(data):
                break
            found.append((place + 4, end))
            place = end
        self.rest = data[place:]
        return data, found


class Follower(Raw):
    """One who follows the lobby."""

    def __init__(self, address: str, nick: str, receive: int, last: int) -> None:
        super().__init__(address, nick, receive)
        reply = self.ask({"type": "follow", "id": 3, "room": LOBBY, "last": last})
        self.next = int(reply["from"]) + 1
        """seq of the next entry."""
        self.lives = self.heard = self.gaps = self.doubled = 0
        self.sock.setblocking(False)

    def hear(self, late: "array[int]") -> None:
        """Takes in what has come; adds each entry's microseconds on the way to `late`."""
        data, found = self.frames()
        now = time.monotonic_ns()
        for seq, said in _entries(data, found):
            if not seq:
                self.lives += 1
                continue
            late.append((now - said) // 1000)
            self.heard += 1
            self.gaps += seq > self.next
            self.doubled += seq < self.next
            self.next = max(self.next, seq + 1)


_last: tuple[bytes, list[tuple[int, int]]] = b"", []


def _entries(data: bytes, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of each entry its seq, and when it was said; (0, 0) for a `live`.

    Most of what comes has just come to the follower before, byte for byte: that is compared.
    """
    global _last
    if data == _last[0]:
        return _last[1]
    entries = []
    for start, end in found:
        if data.startswith(_ENTRY, start):
            place = start + len(_ENTRY)
            text = data.index(b'"text":"', start, end) + 8
            seq = int(data[place : data.index(b",", place)])
            entries.append((seq, int(data[text : text + STAMP])))
        elif data.startswith(_LIVE, start):
            entries.append((0, 0))
    _last = data, entries
    return entries


def _hear(people: list[Follower], late: "array[int]") -> None:
    """Takes in what comes until standard input has a line."""
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for follower in people:
            selector.register(follower.sock, selectors.EVENT_READ, follower)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    return
                key.data.hear(late)


def _wait(people: list[Follower], late: "array[int]", done: Callable[[Follower], bool]) -> None:
    """Takes in what comes until all are done."""
    with selectors.DefaultSelector() as selector:
        for follower in people:
            if not done(follower):
                selector.register(follower.sock, selectors.EVENT_READ, follower)
        while selector.get_map():
            for key, _ in selector.select():
                key.data.hear(late)
                if done(key.data):
                    selector.unregister(key.fd)


def run(address: str, count: int, receive: int, last: int) -> dict[str, object]:
    """Follows until told to stop; the figures."""
    people = [
        Follower(address, f"r{os.getpid()}x{number}", receive, last) for number in range(count)
    ]
    late = array("Q")
    """Microseconds of every delivery."""
    _wait(people, late, lambda follower: follower.lives > 0)
    print("ready", flush=True)
    cpu, start = time.process_time(), time.monotonic()
    _hear(people, late)
    cpu = (time.process_time() - cpu) / (time.monotonic() - start)
    goal = int(sys.stdin.readline())
    _wait(people, late, lambda follower: follower.next > goal)
    for follower in people:
        follower.sock.close()
    times = sorted(late)
    return {
        "heard": len(times),
        "doubled": sum(it.doubled for it in people),
        "gaps": sum(it.gaps for it in people),
        "fallbacks": sum(it.lives - 1 for it in people),
        "p50_ms": round(times[len(times) // 2] / 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] / 1000, 2),
        "max_ms": round(times[-1] / 1000, 2),
        "cpu": round(cpu, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("address")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--receive", type=int, default=16_384)
    parser.add_argument("--last", type=int, default=0)
    options = parser.parse_args()
    figures = run(options.address, options.count, options.receive, options.last)
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
