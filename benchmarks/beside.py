"""A quiet room beside a flood: what does the flood cost those who have nothing to do with it?

    python -m benchmarks.beside [--repeat 3] [--seconds 5]

Ten senders flood a room of 100 members (`fanout.c`, pinned to the last processor, the server to
the first), while two people in another room say a line each 50 ms. Measured there: from `say` to
`ok`, and from `say` to the other's hands. Once in memory, once durable, once durable under the
operator's console on a screen of 200 by 50. Prints medians over the repetitions, and ends with one
JSON line.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.shim import NoCompiler, compile_program
from tests.support import RawClient, draft, free_port
from tests.terminal import Terminal, terminal

from benchmarks import ending
from benchmarks.load import apart
from benchmarks.machine import describe, few_processors
from benchmarks.peer import crowd, orders
from benchmarks.peers import Ipcchat
from ipcchat.entries import Entry
from ipcchat.wire.messages import Say

__all__ = ["main"]

SENDERS, MEMBERS, WINDOW = 10, 100, 256
PACE = 0.05
MODES = ("memory", "durable", "console")


@contextmanager
def server(mode: str, folder: Path) -> Iterator[int]:
    """A server on the first processor; its port."""
    if mode != "console":
        with Ipcchat(mode, memory=mode == "memory").running(folder) as (_, port):
            yield port
        return
    port = free_port()
    flags = ["server", "--listen", f"127.0.0.1:{port}", "--data", str(folder / "data")]
    flags += ["--plaintext", "--set", "say_burst=0"]
    with terminal(*flags, home=folder, columns=200, rows=50) as shown:
        shown.wait("#lobby")
        first = min(os.sched_getaffinity(0))
        for task in Path(f"/proc/{shown.child.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {first})
        ended = threading.Event()
        reader = threading.Thread(target=_watch, args=(shown, ended))
        reader.start()
        try:
            yield port
        finally:
            ended.set()
            reader.join()


def _watch(shown: Terminal, ended: threading.Event) -> None:
    """Somebody looks at the console: what it draws is read."""
    while not ended.is_set():
        shown.pump(0.1)


def flood(port: int, generator: Path, seconds: float) -> "subprocess.Popen[str]":
    """Starts the flood in room 1."""
    peer = Ipcchat("flood")
    sockets = crowd(peer, port, SENDERS, MEMBERS)
    told = orders(peer, SENDERS, sockets)
    arguments = [SENDERS, MEMBERS, WINDOW, 0, seconds, 0, 1]
    popen = subprocess.Popen(
        [str(generator), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        close_fds=False,
        preexec_fn=apart,
    )
    for sock in sockets:
        sock.close()
    assert popen.stdin is not None
    popen.stdin.write(told)
    popen.stdin.flush()
    return popen


async def talk(port: int, seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds to the `ok`, and to the other's hands."""
    address = f"127.0.0.1:{port}"
    oks: list[float] = []
    heard: list[float] = []
    async with RawClient.login(address, "ann") as ann, RawClient.login(address, "bob") as bob:
        room = await ann.join("#quiet")
        await bob.follow(room, last=0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            asked = Say(ann.next_id(), room, draft(), "hi")

            async def hear(start: float = start) -> None:
                await bob.take(lambda value: isinstance(value, Entry) and value.room == room)
                heard.append((time.perf_counter() - start) * 1000)

            async with asyncio.TaskGroup() as group:
                group.create_task(hear())
                await ann.ask(asked)
                oks.append((time.perf_counter() - start) * 1000)
            await asyncio.sleep(PACE)
    return oks, heard


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def measure(mode: str, generator: Path, seconds: float) -> dict[str, float]:
    """One turn."""
    with tempfile.TemporaryDirectory() as folder, server(mode, Path(folder)) as port:
        with flood(port, generator, seconds + 1) as popen:
            try:
                time.sleep(0.5)
                oks, heard = asyncio.run(talk(port, seconds))
                out, _ = popen.communicate(timeout=60)  # closes its standard input, too
            except BaseException:
                popen.kill()
                raise
        said = float(out.split()[1])
    return {
        "flood_per_s": said / (seconds + 1),
        "ok_p50_ms": percentile(oks, 0.5),
        "ok_p99_ms": percentile(oks, 0.99),
        "heard_p50_ms": percentile(heard, 0.5),
        "heard_p99_ms": percentile(heard, 0.99),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    if options.repeat < 1:
        print("--repeat needs 1 or more", file=sys.stderr)
        return 2
    if lacking := few_processors():
        print(lacking, file=sys.stderr)
        return 69
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        try:
            generator = compile_program(Path(__file__).with_name("fanout.c"), Path(place))
        except NoCompiler as error:
            print(error, file=sys.stderr)
            return 69
        for _ in range(options.repeat):
            for mode in MODES:
                found.setdefault(mode, []).append(measure(mode, generator, options.seconds))
    medians = {
        mode: {name: round(statistics.median(one[name] for one in all), 2) for name in all[0]}
        for mode, all in found.items()
    }
    for name, value in describe().items():
        print(f"{name:8} {value}")
    for mode, figures in medians.items():
        print(f"{mode:8} " + "  ".join(f"{name} {value:,}" for name, value in figures.items()))
    print(json.dumps({"benchmark": "beside", **medians, "machine": describe()}))
    return 0


if __name__ == "__main__":
    ending.run(main)
