"""What a durable say costs: the whole server against its journal, and group commit against none.

    python -m benchmarks.says [--pairs 5] [--seconds 2] [--senders 100]

Closed loop: each of 100 senders has one say of 100 bytes in flight. `journal` is the bare journal
in a process of its own; `server` the whole server, sockets included, driven by raw frames from
another process; `single` the same server with a transaction per message. The last three rows add
2 ms to every sync (Linux with a C compiler). All take turns in one run; printed are medians.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness.shim import NoCompiler, compile_shim
from tests.support import serve_process

from benchmarks import ending
from benchmarks.machine import describe
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft
from ipcchat.journal.journal import Journal

__all__ = ["main"]

_DELAY = "2000"
SINGLE = ("--set", "batch_drafts=1")


async def bare(seconds: float, senders: int) -> float:
    """Says per second of the bare journal."""
    with tempfile.TemporaryDirectory() as folder:
        journal = await open_journal(Path(folder))
        draft = secrets.token_hex(16)
        name = Draft(0, draft, "account", 1, name="a", key="a", credential="c", open=True)
        await journal.append([name])
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_read(journal))
            start = time.perf_counter()
            end = start + seconds
            tasks = [group.create_task(_say(journal, end)) for _ in range(senders)]
            counts = [await task for task in tasks]
            spent = time.perf_counter() - start
            await journal.close()
            await reading
    return sum(counts) / spent


async def _read(journal: Journal) -> None:
    async for _ in journal.feed():
        pass


async def _say(journal: Journal, end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        draft = Draft(1, secrets.token_hex(16), "message", 1, room=1, text="x" * 100)
        await journal.append([draft])
        count += 1
    return count


def _json(command: list[str], **env: str) -> dict[str, float]:
    """What a benchmark's process prints last."""
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | env,
    )
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def _server(options: argparse.Namespace, flags: tuple[str, ...], env: dict[str, str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        with serve_process(Path(folder), *flags, port=0, **env) as server:
            command = ["benchmarks.generator", server.address]
            command += ["--senders", str(options.senders), "--seconds", str(options.seconds)]
            return _json(command)["per_second"]


def _cases(options: argparse.Namespace, slowed: dict[str, str]) -> Iterator[tuple[str, float]]:
    """One turn of every case."""
    command = ["benchmarks.says", "--bare", "--seconds", str(options.seconds)]
    command += ["--senders", str(options.senders)]
    for suffix, env in (("", {}), (" +2ms", slowed)):
        if suffix and not slowed:
            return
        yield f"journal{suffix}", _json(command, **env)["per_second"]
        yield f"server{suffix}", _server(options, (), env)
        yield f"single{suffix}", _server(options, SINGLE, env)


def _measure(options: argparse.Namespace) -> dict[str, int]:
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            shim = compile_shim("slow_sync", Path(folder))
            slowed = {"LD_PRELOAD": str(shim), "SYNC_DELAY_US": _DELAY}
        except NoCompiler as error:
            print(error, file=sys.stderr)
            slowed = {}
        for _ in range(options.pairs):
            for name, rate in _cases(options, slowed):
                found.setdefault(name, []).append(rate)
    return {name: round(statistics.median(rates)) for name, rates in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--senders", type=int, default=100)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        rate = _run_bare(options)
        print(json.dumps({"per_second": round(rate)}))
        return 0
    if options.pairs < 1:
        print("--pairs needs 1 or more", file=sys.stderr)
        return 2
    rates = _measure(options)
    ratios = {
        f"{over} / {under}": round(rates[over] / rates[under], 2)
        for suffix in ("", " +2ms")
        for over, under in (
            (f"server{suffix}", f"journal{suffix}"),
            (f"server{suffix}", f"single{suffix}"),
        )
        if over in rates
    }
    for name, value in describe().items():
        print(f"{name:8} {value}")
    for name, rate in rates.items():
        print(f"{name:14} {rate:>8,} says/s")
    for name, ratio in ratios.items():
        print(f"{name:28} {ratio:>6}")
    print(json.dumps({"benchmark": "says", **rates, **ratios, "machine": describe()}))
    return 0


def _run_bare(options: argparse.Namespace) -> float:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(bare(options.seconds, options.senders))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(bare(options.seconds, options.senders))


if __name__ == "__main__":
    ending.run(main)
