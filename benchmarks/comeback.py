"""How soon 200 clients are back after the server was killed, on a small and on a large journal.

    python -m benchmarks.comeback [--clients 200] [--entries 1000000] [--rounds 3] [--folder DIR]

The clients are the public API's own, in one process; all follow one room. A round: kill -9; the
server comes back for half of the clients alone, who say 1,000 lines; kill -9; it comes back for
all. Measured from its `listening on` until all are logged in again, and until each has every line
that it missed and one that is said after the start. Printed: medians of the rounds on a journal of
1,000 entries and on one of 1,000,000. Ends with one JSON line; fails where a client has a gap.
"""

import argparse
import asyncio
import hashlib
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

from tests.support import PLAINTEXT, Process, serve_process

from benchmarks.machine import describe
from ipcchat.client.chat import Chat, connect
from ipcchat.journal import LOBBY, open_journal, tables
from ipcchat.journal.drafts import Draft
from ipcchat.journal.schema import NAME, pack
from ipcchat.journal.schema import connect as connect_journal
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import Ping

SMALL = 1000
MISSED = 1000
TALKERS = 10
IMPATIENT = ClientSettings(plaintext=PLAINTEXT, retry_first=0.05, retry_early=0.1, retry_late=0.1)
PATIENCE = 120
"""Seconds that a step may take."""


# --- a journal with a past ----------------------------------------------------------------


async def fill(folder: Path, count: int) -> None:
    """Makes a journal of so many messages in the first room, by one account."""
    journal = await open_journal(folder)
    draft = os.urandom(16).hex()
    name = Draft(0, draft, "account", 1, name="past", key="past", credential="past", open=True)
    await journal.append([name])
    await journal.close()
    await asyncio.to_thread(_fill, folder / NAME, count)


def _fill(path: Path, count: int) -> None:
    with closing(connect_journal(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        room, head = db.execute("SELECT number, head FROM rooms WHERE key = ?", (LOBBY,)).fetchone()
        (account,) = db.execute("SELECT number FROM accounts WHERE key = 'past'").fetchone()
        drafts = [os.urandom(16) for _ in range(count)]
        now = time.time_ns() // 1_000_000 - count
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, 'past', 'message', ?, ?, '', 0, '')",
            (
                (pack(room, head + number), now + number, account, draft, _text(number))
                for number, draft in enumerate(drafts, 1)
            ),
        )
        db.executemany(
            "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, '', ?)",
            _outcomes(drafts, account, room, head, now),
        )
        db.execute("UPDATE rooms SET head = ? WHERE number = ?", (head + count, room))
        tables.set_meta(db, "applied", int(tables.meta(db, "applied")) + count)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _text(number: int) -> str:
    return f"message {number} of what people said here, in a sentence of usual length"


def _outcomes(
    drafts: list[bytes], account: int, room: int, head: int, now: int
) -> Iterator[tuple[int, bytes, int, int, int, bytes]]:
    """The rows in the order of their key, which is many times as fast to insert."""
    for index in sorted(range(len(drafts)), key=drafts.__getitem__):
        content = hashlib.blake2b(_text(index + 1).encode(), digest_size=8).digest()
        yield account, drafts[index], room, head + index + 1, now + index + 1, content


# --- the clients --------------------------------------------------------------------------


class Client:
    """One of the 200: what it heard, and when it had what."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.seqs: list[int] = []
        self.gaps = 0
        self._grown = asyncio.Event()

    async def listen(self) -> None:
        """Hears the last entry that there is, and each one after it."""
        async for entry in self.chat.follow(LOBBY, last=1, kinds=None):
            self.gaps += bool(self.seqs) and entry.seq != self.seqs[-1] + 1
            self.seqs.append(entry.seq)
            self._grown.set()

    async def reach(self, seq: int) -> float:
        """Waits for the entry of that number; returns the time."""
        while not self.seqs or self.seqs[-1] < seq:
            self._grown.clear()
            await self._grown.wait()
        return time.perf_counter()

    async def back(self) -> float:
        """Waits for an answer of the server; returns the time."""
        await self.chat.request(Ping(0))
        return time.perf_counter()


class Host:
    """A server that is killed and started again on the same data and ports."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = ExitStack()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._second = free.getsockname()[1]
        self.server: Process
        self.port = 0
        self.listening = 0.0
        """When it said so."""

    @property
    def addresses(self) -> tuple[str, str]:
        """The second one is not always there."""
        return f"127.0.0.1:{self.port}", f"127.0.0.1:{self._second}"

    async def start(self, *, whole: bool = True) -> float:
        """Starts it on both addresses, or on the first; returns the seconds it took."""
        start = time.perf_counter()
        await asyncio.to_thread(self._start, whole)
        return self.listening - start

    def _start(self, whole: bool) -> None:
        more = ["--listen", self.addresses[1]] if whole else []
        server = serve_process(self._home, *more, port=self.port)
        self.server = self._stack.enter_context(server)
        self.listening = time.perf_counter()
        self.port = self.server.port

    async def kill(self) -> None:
        await asyncio.to_thread(self.server.kill)

    def close(self) -> None:
        self._stack.close()


async def _round(host: Host, clients: list[Client]) -> tuple[float, float, float]:
    """One round: seconds to start, to be back, to be caught up."""
    await host.kill()
    await host.start(whole=False)
    here = clients[::2][:TALKERS]
    said = await asyncio.gather(
        *(
            it.chat.say(LOBBY, f"missed {line}")
            for it in here
            for line in range(MISSED // len(here))
        )
    )
    last = max(entry.seq for entry in said)
    if any(it.seqs[-1] >= last for it in clients[1::2]):
        raise SystemExit("who was to be away was there")
    await host.kill()
    async with asyncio.TaskGroup() as group:
        backs = [group.create_task(it.back()) for it in clients]
        says = group.create_task(clients[0].chat.say(LOBBY, "after the start"))
        spent = await host.start()
        mark = await says
        heard = [group.create_task(it.reach(mark.seq)) for it in clients]
    back = max(task.result() for task in backs) - host.listening
    return spent, back, max(task.result() for task in heard) - host.listening


async def measure(home: Path, count: int, entries: int, rounds: int) -> dict[str, float]:
    """The figures on a journal of so many entries."""
    start = time.perf_counter()
    await fill(home / "server-data", entries)
    filled = time.perf_counter() - start
    host = Host(home)
    try:
        async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE * (rounds + 1)):
            await host.start()
            clients = []
            for number in range(count):
                address = host.addresses[number % 2]
                chat = connect(
                    address, name=f"user{number}", state_dir=home / "state", settings=IMPATIENT
                )
                clients.append(Client(await stack.enter_async_context(chat)))
            async with asyncio.TaskGroup() as group:
                listening = [group.create_task(it.listen()) for it in clients]
                await asyncio.gather(*(it.reach(1) for it in clients))
                first = await clients[0].chat.say(LOBBY, "here we are")
                await asyncio.gather(*(it.reach(first.seq) for it in clients))
                times = [await _round(host, clients) for _ in range(rounds)]
                for task in listening:
                    task.cancel()
    finally:
        host.close()
    medians = [round(statistics.median(column), 2) for column in zip(*times, strict=True)]
    return {
        "entries": entries,
        "filled_s": round(filled, 1),
        **dict(zip(("start_s", "back_s", "caught_up_s"), medians, strict=True)),
        "slowest_s": round(max(caught for _, _, caught in times), 2),
        "gaps": sum(it.gaps for it in clients),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are made, on the disk meant")
    options = parser.parse_args()
    machine = describe()
    for name, value in machine.items():
        print(f"{name:8} {value}")
    figures = []
    for entries in (SMALL, options.entries):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            run = measure(Path(folder), options.clients, entries, options.rounds)
            figures.append(asyncio.run(run))
    print("\n   entries  filled s  start s  back s  caught up s  slowest s")
    for row in figures:
        print(
            f"{row['entries']:10,}  {row['filled_s']:8}  {row['start_s']:7}  {row['back_s']:6}"
            f"  {row['caught_up_s']:11}  {row['slowest_s']:9}"
        )
    print(
        json.dumps(
            {
                "benchmark": "comeback",
                "clients": options.clients,
                "small": figures[0],
                "large": figures[1],
                "machine": machine,
            }
        )
    )
    return 1 if any(row["gaps"] for row in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
