"""Where a batch's inserts run: on the loop's own thread, or with its COMMIT on a helper thread.

    python -m benchmarks.journal [--seconds 24] [--folder DIR]

`loop` is what the journal does: BEGIN, decide and insert on the loop's thread, and COMMIT, which
syncs, on a helper thread. `helper` does all of it on the helper thread. Both use the journal's own
schema, decisions and statements (`executemany`), on a file each, with batches of 1, 16 and 256
messages; first on an idle loop, then on one that other work in Python keeps busy for most of its
time. All cases take turns in one run. Printed: the median and the 95th percentile of a batch's
time, and how much of the other work was done meanwhile. Ends with one JSON line.
"""

import argparse
import asyncio
import contextlib
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.machine import describe
from ipcchat.journal import tables
from ipcchat.journal.apply import Decision, decide
from ipcchat.journal.drafts import Draft
from ipcchat.journal.schema import connect
from ipcchat.journal.state import Overlay, State

SIZES = (1, 16, 256)
ROUNDS = 6
SLICE = 0.0004
"""Seconds of one piece of the other work."""
PIECES = 5
"""Pieces of it between two pauses; the loop has a turn after each."""
PAUSE = 0.0005
"""Seconds asked for as a pause; epoll makes about 1.1 ms of it."""


class Case:
    """A journal's file, and what storing batches in it took."""

    def __init__(self, path: Path, helper: ThreadPoolExecutor) -> None:
        self.db = connect(path)
        self.state: State = tables.load(self.db)
        self.helper = helper
        self.times: list[float] = []
        self.spent = 0.0
        self.worked = 0.0

    def begin(self, drafts: Sequence[Draft]) -> Overlay:
        """Decides and inserts, in a transaction that is left open."""
        self.db.execute("BEGIN IMMEDIATE")
        overlay = Overlay(self.state)
        decisions: list[Decision] = decide(overlay, drafts, tables.earlier(self.db, drafts).get)
        tables.write(self.db, overlay, drafts, decisions)
        return overlay

    def whole(self, drafts: Sequence[Draft]) -> Overlay:
        overlay = self.begin(drafts)
        self.db.execute("COMMIT")
        return overlay

    async def on_loop(self, drafts: Sequence[Draft]) -> None:
        overlay = self.begin(drafts)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.helper, self.db.execute, "COMMIT")
        overlay.merge()

    async def on_helper(self, drafts: Sequence[Draft]) -> None:
        loop = asyncio.get_running_loop()
        overlay = await loop.run_in_executor(self.helper, self.whole, drafts)
        overlay.merge()


def batch(size: int) -> list[Draft]:
    return [
        Draft(1, secrets.token_hex(16), "message", 1, room=1, text="what people say " * 4)
        for _ in range(size)
    ]


class OtherWork:
    """Small pieces of pure Python, as the other work of a busy loop."""

    def __init__(self) -> None:
        self.done = 0.0
        """Seconds of work done."""
        self._steps = self._measure()

    def piece(self) -> None:
        total = 0
        for number in range(self._steps):
            total += number
        self.done += SLICE

    def _measure(self) -> int:
        """How many steps make a piece, on a machine that does nothing else."""
        self._steps = 20_000
        times = []
        for _ in range(20):
            start = time.perf_counter()
            self.piece()
            times.append(time.perf_counter() - start)
        self.done = 0.0
        return int(self._steps * SLICE / min(times))

    async def run(self) -> None:
        while True:
            for _ in range(PIECES):
                self.piece()
                await asyncio.sleep(0)
            await asyncio.sleep(PAUSE)


async def store(case: Case, way: str, size: int, seconds: float, work: OtherWork | None) -> None:
    """Stores batches, one after the other, for so long."""
    put: Callable[[Sequence[Draft]], Awaitable[None]]
    put = case.on_loop if way == "loop" else case.on_helper
    other = None
    if work is not None:
        other = asyncio.get_running_loop().create_task(work.run())
        await asyncio.sleep(0.005)
    before = work.done if work is not None else 0.0
    start = now = time.perf_counter()
    while now < start + seconds:
        drafts = batch(size)
        begun = time.perf_counter()
        await put(drafts)
        now = time.perf_counter()
        case.times.append(now - begun)
    case.spent += now - start
    if other is not None and work is not None:
        case.worked += work.done - before
        other.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await other


def prepare(case: Case) -> None:
    """The room and the account that the messages need."""
    case.whole([Draft(0, secrets.token_hex(16), "join", 1, name="#lobby", key="#lobby")]).merge()
    first = Draft(
        0, secrets.token_hex(16), "account", 1, name="ann", key="ann", credential="ann", open=True
    )
    case.whole([first]).merge()


async def measure(folder: Path, seconds: float) -> dict[str, dict[str, float]]:
    work = OtherWork()
    helper = ThreadPoolExecutor(1)
    names = [
        (load, size, way)
        for load in ("idle", "busy")
        for size in SIZES
        for way in ("loop", "helper")
    ]
    cases = {name: Case(folder / "-".join(map(str, name)), helper) for name in names}
    try:
        for case in cases.values():
            prepare(case)
        each = seconds / len(names) / ROUNDS
        for turn in range(ROUNDS):
            for load, size, way in names if turn % 2 else names[::-1]:
                busy = work if load == "busy" else None
                await store(cases[load, size, way], way, size, each, busy)
    finally:
        helper.shutdown()
        for case in cases.values():
            case.db.close()
    return {
        f"{load} {size} {way}": {
            "batches": len(case.times),
            "median_ms": round(statistics.median(case.times) * 1000, 3),
            "p95_ms": round(sorted(case.times)[int(len(case.times) * 0.95)] * 1000, 3),
            "drafts_per_s": round(size * len(case.times) / case.spent),
            "other_work": round(case.worked / case.spent, 3),
        }
        for (load, size, way), case in cases.items()
    }


async def alone(seconds: float) -> float:
    """How much of the loop's time the other work takes when nothing is stored."""
    work = OtherWork()
    start = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(work.run(), seconds)
    return work.done / (time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=24.0, help="time of all cases together")
    parser.add_argument("--folder", type=Path, help="where the files are made, on the disk meant")
    options = parser.parse_args()
    machine = describe()
    for name, value in machine.items():
        print(f"{name:8} {value}")
    share = asyncio.run(alone(1.0))
    print(f"busy: other work takes {share:.0%} of the loop's time when nothing is stored\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = asyncio.run(measure(Path(folder), options.seconds))
    print("loop  drafts  inserts on   batches  median ms    p95 ms   drafts/s  other work")
    for name, row in figures.items():
        load, drafts, way = name.split()
        print(
            f"{load:4}  {drafts:>6}  {way:10}  {row['batches']:8}  {row['median_ms']:9.3f}"
            f"  {row['p95_ms']:8.3f}  {row['drafts_per_s']:9}  {row['other_work']:10.0%}"
        )
    print("\nmedian time with the inserts on the helper, relative to those on the loop")
    ratios = {}
    for load in ("idle", "busy"):
        for size in SIZES:
            here, there = figures[f"{load} {size} loop"], figures[f"{load} {size} helper"]
            ratios[f"{load} {size}"] = ratio = round(there["median_ms"] / here["median_ms"], 2)
            print(f"{load:4}  {size:>6}  {ratio:.2f}")
    print(
        json.dumps(
            {
                "benchmark": "journal",
                "other_work_alone": round(share, 3),
                "figures": figures,
                "helper_to_loop": ratios,
                "machine": machine,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
