"""A generator of says that is not the bottleneck: raw frames, one process, no event loop.

    python -m benchmarks.generator ADDRESS --senders 100 --window 1 --seconds 3

Each sender has `window` says in flight and sends the next one for each `ok`. A reply is recognised
by its bytes, never decoded. Prints one JSON line: acknowledged says, seconds, latency in ms.
"""

import argparse
import json
import os
import selectors
import socket
import struct
import sys
import time
from collections import deque

__all__ = ["main"]

_OK = b'{"type":"ok"'
_ERROR = b'{"type":"error"'


def frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


class Sender:
    """One connection, logged in."""

    def __init__(self, address: str, number: int, text: str, window: int) -> None:
        host, _, port = address.rpartition(":")
        self.sock = socket.create_connection((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secret = os.urandom(16).hex()
        self._ask({"type": "hello", "id": 1, "versions": [1]})
        self._ask(
            {
                "type": "login",
                "id": 2,
                "method": "secret",
                "nick": f"g{os.getpid()}x{number}",
                "secret": secret,
                "quiet": True,
            }
        )
        self.sock.setblocking(False)
        self._prefix = b'{"type":"say","id":3,"room":1,"draft":"' + os.urandom(8).hex().encode()
        self._suffix = b'","text":"' + text.encode() + b'"}'
        self._size = struct.pack(">I", len(self._prefix) + 16 + len(self._suffix))
        self._count = 0
        self._rest = b""
        self.window = window
        self.sent: deque[float] = deque()

    def _ask(self, message: dict[str, object]) -> None:
        self.sock.sendall(frame(json.dumps(message).encode()))
        size = int.from_bytes(self.sock.recv(4, socket.MSG_WAITALL), "big")
        reply = self.sock.recv(size, socket.MSG_WAITALL)
        if not reply.startswith(_OK):
            raise SystemExit(f"refused: {reply.decode()}")

    def say(self, count: int) -> None:
        """Sends so many says."""
        parts: list[bytes] = []
        for _ in range(count):
            self._count += 1
            parts += (self._size, self._prefix, b"%016x" % self._count, self._suffix)
        self.sent.extend([time.perf_counter()] * count)
        self.sock.send(b"".join(parts))

    def hear(self) -> int:
        """Takes in what has come; returns how many says it acknowledges."""
        data = self._rest + self.sock.recv(262_144)
        place = count = 0
        while len(data) - place >= 4:
            end = place + 4 + int.from_bytes(data[place : place + 4], "big")
            if end > len(data):
                break
            if data.startswith(_OK, place + 4):
                count += 1
            elif data.startswith(_ERROR, place + 4):
                raise SystemExit(f"refused: {data[place + 4 : end].decode()}")
            place = end
        self._rest = data[place:]
        return count


def run(address: str, senders: int, window: int, seconds: float, text: str) -> dict[str, object]:
    """The figures of one run."""
    people = [Sender(address, number, text, window) for number in range(senders)]
    with selectors.DefaultSelector() as selector:
        for sender in people:
            selector.register(sender.sock, selectors.EVENT_READ, sender)
        times: list[float] = []
        start = time.perf_counter()
        cpu = time.process_time()
        end = start + seconds
        for sender in people:
            sender.say(window)
        now = start
        while now < end:
            ready = selector.select(1)
            now = time.perf_counter()
            for key, _ in ready:
                sender = key.data
                count = sender.hear()
                if count:
                    times += [now - sender.sent.popleft() for _ in range(count)]
                    sender.say(count)
        spent = time.perf_counter() - start
        cpu = time.process_time() - cpu
    for sender in people:
        sender.sock.close()
    times.sort()
    return {
        "acked": len(times),
        "seconds": round(spent, 3),
        "per_second": round(len(times) / spent),
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
        "generator_cpu": round(cpu / spent, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("address")
    parser.add_argument("--senders", type=int, default=100)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--bytes", type=int, default=100)
    options = parser.parse_args()
    figures = run(
        options.address, options.senders, options.window, options.seconds, "x" * options.bytes
    )
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
