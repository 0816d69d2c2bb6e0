"""200 clients in one room, 10 of them talking at 50 messages a second in all.

    python -m benchmarks.room [--clients 200] [--talkers 10] [--rate 50] [--seconds 20]

The server is a process of its own with a durable journal; the clients are the public API's own.
Checked: every client has every message, in the same order, without a gap in seq. Printed: the
latency from `say` to a client's hands, and the server's CPU. Ends with one JSON line.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from tests.support import PLAINTEXT, serve_process

from benchmarks import ending
from benchmarks.machine import describe
from ipcchat.client.chat import Chat, connect
from ipcchat.entries import Entry
from ipcchat.settings import ClientSettings

ROOM = "#lobby"
PLAIN = ClientSettings(plaintext=PLAINTEXT)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, from its own clock (Linux; elsewhere 0)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


async def listen(chat: Chat, total: int, ready: asyncio.Semaphore) -> tuple[list[Entry], list[int]]:
    """The next `total` entries that one client hears, and when it heard them (ms)."""
    entries: list[Entry] = []
    times: list[int] = []
    async for entry in chat.follow(ROOM, last=1, kinds=None):
        if entry.kind == "create":  # all that there is: what is said from now on will be heard
            ready.release()
            continue
        entries.append(entry)
        times.append(time.time_ns() // 1_000_000)
        if len(entries) == total:
            break
    return entries, times


async def talk(chat: Chat, number: int, count: int, interval: float, start: float) -> None:
    """Says `count` lines, one every `interval` seconds."""
    loop = asyncio.get_running_loop()
    for line in range(count):
        await asyncio.sleep(max(0.0, start + line * interval - loop.time()))
        await chat.say(ROOM, f"{number}.{line}")


async def measure(address: str, options: argparse.Namespace, state: Path) -> dict[str, object]:
    total = int(options.rate * options.seconds) // options.talkers * options.talkers
    ready = asyncio.Semaphore(0)
    chats: list[Chat] = []
    try:
        for number in range(options.clients):
            chat = connect(address, name=f"user{number}", state_dir=state, settings=PLAIN)
            chats.append(await chat.__aenter__())
        async with asyncio.TaskGroup() as group:
            hearing = [group.create_task(listen(chat, total, ready)) for chat in chats]
            for _ in hearing:
                await ready.acquire()
            interval = options.talkers / options.rate
            start = asyncio.get_running_loop().time()
            for number in range(options.talkers):
                offset = start + number / options.rate
                group.create_task(
                    talk(chats[number], number, total // options.talkers, interval, offset)
                )
        heard = [task.result() for task in hearing]
    finally:
        for chat in chats:
            await chat.__aexit__(None, None, None)
    first = [(entry.seq, entry.text) for entry in heard[0][0]]
    same = sum([(entry.seq, entry.text) for entry in entries] == first for entries, _ in heard)
    gaps = sum(
        after.seq != before.seq + 1 for entries, _ in heard for before, after in pairwise(entries)
    )
    late = sorted(
        when - entry.time
        for entries, times in heard
        for entry, when in zip(entries, times, strict=True)
    )
    return {
        "clients": options.clients,
        "messages": total,
        "deliveries": len(late),
        "same_order": same,
        "gaps": gaps,
        "latency_ms": {
            "p50": statistics.median(late),
            "p99": late[int(len(late) * 0.99)],
            "max": late[-1],
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--talkers", type=int, default=10)
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second in all")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    machine = describe()
    for name, value in machine.items():
        print(f"{name:8} {value}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with serve_process(home) as server:
            before = cpu_seconds(server.popen.pid)
            figures = asyncio.run(measure(server.address, options, home / "state"))
            figures["server_cpu_s"] = round(cpu_seconds(server.popen.pid) - before, 2)
    for name, figure in figures.items():
        print(f"{name:14} {figure}")
    print(json.dumps({"benchmark": "room", **figures, "machine": machine}))
    good = figures["same_order"] == options.clients and figures["gaps"] == 0
    return 0 if good else 1


if __name__ == "__main__":
    ending.run(main)
