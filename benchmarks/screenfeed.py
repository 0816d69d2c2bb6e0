"""The server of a client whose screen is measured: it only sends what is prepared.

    python -m benchmarks.screenfeed

The server is this program, a process of its own that speaks just enough of the protocol on
loopback for the client to be what is slow: who joins `#lines-10000` gets 10,000 entries. It prints
its port, then obeys its standard input, a command a line:

    flood NICK COUNT WORD     makes COUNT entries, the last of which ends with WORD, prints
                              `flood TIME BYTES` (`time.monotonic`, the same in every process) and
                              sends them to who is called NICK as fast as they are taken

It ends with its standard input. The last entry of a room ends with `LOADED`; in rooms of `DEEP`
lines or more, those that `mark` is about stand far behind what a client keeps at hand.
"""

import random
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from ipcchat.entries import Entry
from ipcchat.errors import RemoteProtocolError
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Done,
    Follow,
    FollowOk,
    Hello,
    HelloOk,
    History,
    HistoryOk,
    Join,
    Live,
    Login,
    LoginOk,
    Member,
    Members,
    MembersOk,
    Ok,
    Room,
    Rooms,
    RoomsOk,
)
from ipcchat.wire.protocol import Protocol, Role

__all__ = ["DEEP", "LOADED", "MARKS", "Sender", "line", "mark"]

NICKS = ("ada", "bob", "carol", "dieter", "eve", "françois", "grace", "heidi", "ivan", "judy_k")
LOADED = "ⲀⲀⲀ"
"""Ends the last entry of a room; its letters stand nowhere else."""
DEEP, MARKS = 100_000, 8
"""The fewest lines of a room that has marks, and how many."""
_AT_HAND = 20_000
"""More lines than a client keeps as objects (`client/lines`)."""
PREFIX = "#lines-"

_WORDS = (
    "the a to of and in is it on for that this with as are be at or from not have you can we "
    "port socket listen accept server client packet loop thread lock queue buffer error works "
    "today again maybe should would tried restart latency timeout window screen draw message"
)
_WIDE = "日本語の行です|今日は天気がいいですね|한국어 메시지|👍|🎉🎉|👩‍👩‍👧|🇫🇷|❤️|中文消息"
_TEXTS = 4001
"""Different texts, repeated in this order: a prime, so that nicks and texts do not go together."""
_SECONDS = 20
_START = 1_767_225_600_000
_CHUNK = 5000
"""Entries encoded at a time."""


def _texts() -> list[str]:
    """Mostly 60–80 columns of ASCII; 5 % are long and wrap, 3 % have emoji or CJK."""
    rng = random.Random(5)
    words, wide = _WORDS.split(), _WIDE.split("|")
    made = []
    for _ in range(_TEXTS):
        kind = rng.random()
        length = rng.randint(180, 420) if kind < 0.05 else rng.randint(60, 80)
        text = ""
        while len(text) < length:
            text += rng.choice(words) + " "
        if kind > 0.97:
            text = f"{text[:40]}{rng.choice(wide)} {rng.choice(wide)} {text[40:60]}"
        made.append(text[:length].strip())
    return made


_LINES = _texts()


def line(seq: int) -> str:
    """The text of that entry."""
    return _LINES[seq % _TEXTS]


def entry(room: int, seq: int, end: str = "") -> Entry:
    """The entry of that number; `end` is put behind its text."""
    by = seq * 7 % 11 % len(NICKS)
    said = line(seq) if not end else f"{line(seq)[:40]} {end}"
    draft = f"{seq:032x}"
    return Entry(
        room, seq, _START + seq * _SECONDS * 1000, 2 + by, NICKS[by], "message", draft, said
    )


def mark(number: int) -> str:
    """Two letters that stand in one entry of a room only; 0 is the newest such entry."""
    return chr(0xA500 + 2 * number) + chr(0xA501 + 2 * number)


def _marked(head: int) -> dict[int, str]:
    """By number: the marks of the entries of a room with so many."""
    if head < DEEP:
        return {}
    step = (head - _AT_HAND) // MARKS
    return {step * (MARKS - number): mark(number) for number in range(MARKS)}


# --- the server ---------------------------------------------------------------------------


class Feed:
    """One client's connection, served by a thread of its own."""

    epoch = secrets.token_hex(8)

    def __init__(self, sock: socket.socket) -> None:
        self.nick = ""
        self._sock = sock
        self._wire = Protocol(Role.SERVER)
        self._sending = threading.Lock()
        self._rooms: dict[int, str] = {}
        self._seq: dict[int, int] = {}
        self._answers: dict[type, Callable[[Any], Struct]] = {
            Hello: lambda asked: HelloOk(asked.id, 1, self.epoch, secrets.token_hex(16), ["key"]),
            Login: self._login,
            Rooms: self._list,
            Join: self._join,
            Members: lambda asked: MembersOk(asked.id, [Member(*who) for who in self._people()]),
            Follow: self._follow,
            History: self._history,
        }

    def serve(self) -> None:
        """Answers until the client is gone."""
        with suppress(OSError), self._sock:
            while data := self._sock.recv(65536):
                for asked in self._wire.receive(data):
                    if isinstance(asked, RemoteProtocolError):
                        raise RuntimeError(f"the client sent what is no request: {asked}")
                    answer = self._answers.get(type(asked), lambda it: Ok(it.id))
                    self._send(self._wire.send(answer(asked)))
                    if isinstance(asked, Follow):
                        self._load(asked.room)

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._sock.sendall(data)

    def _people(self) -> list[tuple[int, str]]:
        return [(1, self.nick), *enumerate(NICKS, 2)]

    def _login(self, asked: Login) -> Struct:
        self.nick = asked.nick
        return LoginOk(asked.id, 1, asked.nick)

    def _list(self, asked: Rooms) -> Struct:
        return RoomsOk(
            asked.id,
            [
                Room(number, name, int(name.removeprefix(PREFIX)), len(NICKS) + 1, joined=True)
                for number, name in self._rooms.items()
                if asked.name in ("", name)
            ],
        )

    def _join(self, asked: Join) -> Struct:
        if not asked.name.removeprefix(PREFIX).isdecimal():
            raise RuntimeError(f"a room is called {PREFIX}NUMBER here, not {asked.name}")
        number = len(self._rooms) + 1
        self._rooms[number] = asked.name
        return Done(asked.id, number)

    def _follow(self, asked: Follow) -> Struct:
        after = asked.cursor.seq if asked.cursor is not None else 0
        self._seq[asked.room] = after
        head = max(after, int(self._rooms[asked.room].removeprefix(PREFIX)))
        return FollowOk(asked.id, after, head, 1)

    def _load(self, room: int) -> None:
        """Everything up to the room's head, made while it is sent."""
        head = int(self._rooms[room].removeprefix(PREFIX))
        marks = _marked(head)
        for first in range(self._seq[room] + 1, head, _CHUNK):
            last = min(first + _CHUNK, head)
            made = (entry(room, seq, marks.get(seq, "")) for seq in range(first, last))
            self._send(b"".join(codec.frames(made)))
        if self._seq[room] < head:
            self._send(codec.encode(entry(room, head, LOADED)))
            self._seq[room] = head
        self._send(codec.encode(Live(room, self._seq[room])))

    def _history(self, asked: History) -> Struct:
        head = self._seq[asked.room]
        if asked.after:
            page = range(asked.after + 1, min(head, asked.after + (asked.limit or 100)) + 1)
        else:
            end = min(asked.before or head + 1, head + 1)
            page = range(max(1, end - (asked.limit or 100)), end)
        entries = [entry(asked.room, seq) for seq in page]
        return HistoryOk(asked.id, entries, 1, head, more=bool(entries) and entries[0].seq > 1)

    def flood(self, count: int, word: str) -> None:
        """So many entries of the first room, prepared, then sent."""
        (room, *_) = self._rooms
        first = self._seq[room] + 1
        last = first + count - 1
        made = codec.frames(entry(room, seq) for seq in range(first, last))
        data = b"".join([*made, codec.encode(entry(room, last, word))])
        self._seq[room] = last
        print(f"flood {time.monotonic():.6f} {len(data)}", flush=True)
        self._send(data)


# --- from outside -------------------------------------------------------------------------


class Sender:
    """The process that is the server."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.screenfeed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        self.port = int(self.popen.stdout.readline())

    def client(self, name: str, lines: int) -> list[str]:
        """The command of a client in a room of so many lines."""
        args = [sys.executable, "-m", "ipcchat", "client", f"127.0.0.1:{self.port}"]
        return [*args, "--name", name, "--room", f"#lines-{lines}"]

    def flood(self, name: str, count: int, word: str) -> float:
        """Begins a flood of so many messages, the last of which has that word; when."""
        assert self.popen.stdin is not None and self.popen.stdout is not None
        print("flood", name, count, word, file=self.popen.stdin, flush=True)
        return float(self.popen.stdout.readline().split()[1])

    def end(self) -> None:
        """Ends it."""
        self.popen.kill()
        self.popen.communicate()


def main() -> int:
    feeds: list[Feed] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                feeds.append(Feed(sock))
                threading.Thread(target=feeds[-1].serve, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        for command in sys.stdin:
            _, nick, count, word = command.split()
            feed = next(feed for feed in reversed(feeds) if feed.nick == nick)
            threading.Thread(target=feed.flood, args=(int(count), word), daemon=True).start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
