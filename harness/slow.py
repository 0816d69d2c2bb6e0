"""One of many followers stops reading for half a minute, while a room is busy.

    python -m harness.slow [--followers 500] [--pairs 5] [--rate 200] [--stop 30]

Texts of 1,000 bytes are said at 200 a second to 500 followers with small socket buffers. One more,
in a process of its own, gets SIGSTOP, and SIGCONT half a minute later. Pairs of runs, with it and
without it, take turns, each on a new server. Wanted: the others' p99 of delivery is at most 1.2
times as long; the server's memory is bounded; the stopped one falls back to its cursor, which it
sees by a further `live`, stays connected, and has every entry in the end.

The server's deadlines for who takes nothing are longer than the stop: this is about those who come
back in time.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import serve_process

from harness.report import Stopwatch, report
from ipcchat.server.subscription import PAGE

__all__ = ["slow"]

QUEUE = 64 * 1024
"""`queue_bytes` of the server: the least it takes."""
HIGH = 16 * 1024
"""`high_water` of the server: what waits below the queue."""
SLACK = 4 << 20
"""Bytes by which the medians of two servers' peak memory may differ beyond the queue and a page:
SQLite's cache and the thread that reads the pages (2 MiB), and what an allocator does not repeat
from run to run. The backlog of a stop of 30 s is 7 MiB, so memory that grows with it shows."""
RATIO = 1.2
"""How much longer the others' p99 may be."""
PATIENCE = 120
"""Seconds after which a process of the harness is given up."""


class Readers:
    """Followers in a process of their own."""

    def __init__(self, popen: "subprocess.Popen[str]") -> None:
        self.popen = popen

    @classmethod
    @contextmanager
    def open(cls, address: str, count: int) -> Iterator["Readers"]:
        """So many, live; ended with the block."""
        command = [sys.executable, "-m", "harness.readers", address, "--count", str(count)]
        popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
        )
        assert popen.stdout is not None
        try:
            if popen.stdout.readline() != "ready\n":
                raise RuntimeError("the followers did not come up")
            yield cls(popen)
        finally:
            if popen.poll() is None:
                popen.send_signal(signal.SIGCONT)
                popen.kill()
            popen.communicate()

    def finish(self, last: int) -> dict[str, Any]:
        """The figures, once all have the entry `last`."""
        out, _ = self.popen.communicate(f"{last}\n", timeout=PATIENCE)
        found: dict[str, Any] = json.loads(out)
        return found


def _peak(pid: int) -> int:
    """The most memory that a process has had, in bytes (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this needs Linux")


def _run(followers: int, rate: float, stop: float, *, stopped: bool) -> dict[str, Any]:
    """One run: figures of the others, of the server, and of the stopped one, where there is."""
    before, after = min(2.0, stop), max(2.0, stop / 10)
    flags = {"queue_bytes": QUEUE, "high_water": HIGH}
    flags |= {"reply_timeout": int(stop) + 60, "idle_after": int(stop) + PATIENCE}
    sets = [f"--set={name}={value}" for name, value in flags.items()]
    talk = ["--rate", str(rate), "--seconds", str(before + stop + after)]
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_process(Path(folder), *sets) as server,
        Readers.open(server.address, followers) as others,
        Readers.open(server.address, int(stopped)) as one,
    ):
        talker = subprocess.Popen(
            [sys.executable, "-m", "harness.talker", server.address, *talk],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(before)
            if stopped:
                one.popen.send_signal(signal.SIGSTOP)
            time.sleep(stop)
            if stopped:
                one.popen.send_signal(signal.SIGCONT)
            said: dict[str, Any] = json.loads(talker.communicate(timeout=PATIENCE)[0])
        finally:
            talker.kill()
            talker.wait()
        last = said["last"]
        found = {"said": said, "others": others.finish(last)}
        if stopped:
            found["one"] = one.finish(last)
        found["server"] = {"peak": _peak(server.popen.pid)}
    return found


def slow(followers: int, *, pairs: int, rate: float, stop: float) -> dict[str, object]:
    """Runs it; returns the figures."""
    runs: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for pair in range(pairs):
        for stopped in (True, False) if pair % 2 else (False, True):
            found = _run(followers, rate, stop, stopped=stopped)
            runs[stopped].append(found)
            print(f"{'with' if stopped else 'without'}: {json.dumps(found)}", file=sys.stderr)

    def median(stopped: bool, part: str, name: str) -> float:
        return statistics.median(run[part][name] for run in runs[stopped])

    with_it, without = (median(stopped, "others", "p99_ms") for stopped in (True, False))
    growth = median(True, "server", "peak") - median(False, "server", "peak")
    every = [*runs[True], *runs[False]]
    heard = [(run, run[part]) for run in every for part in ("others", "one") if part in run]
    share = {"others": followers, "one": 1}
    missing = sum(
        run["said"]["acked"] * share[part] - (run[part]["heard"] - run[part]["doubled"])
        for run in every
        for part in share
        if part in run
    )
    return {
        "followers": followers,
        "pairs": pairs,
        "acked": sum(run["said"]["acked"] for run in every),
        "p99_ms": with_it,
        "p99_ms_without": without,
        "ratio": round(with_it / without, 2),
        "peak_mib": round(median(True, "server", "peak") / 2**20, 1),
        "peak_mib_without": round(median(False, "server", "peak") / 2**20, 1),
        "growth_kib": round(growth / 1024),
        "bound_kib": round((QUEUE + PAGE + SLACK) / 1024),
        "fallbacks": min(run["one"]["fallbacks"] for run in runs[True]),
        "others_fallbacks": sum(run["others"]["fallbacks"] for run in every),
        "lost": missing,
        "doubled": sum(found["doubled"] for _, found in heard),
        "gaps": sum(found["gaps"] for _, found in heard),
        "whole": all(not found["gaps"] and not found["doubled"] for _, found in heard)
        and not missing,
        "bounded": growth <= QUEUE + PAGE + SLACK,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--followers", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--stop", type=float, default=30, help="seconds")
    options = parser.parse_args()
    watch = Stopwatch()
    figures: dict[str, Any] = slow(
        options.followers, pairs=options.pairs, rate=options.rate, stop=options.stop
    )
    clean = (
        figures.pop("whole")
        and figures["bounded"]
        and figures["ratio"] <= RATIO
        and figures["fallbacks"] >= 1
    )
    return report("slow", clean, {**figures, "seconds": watch.seconds})


if __name__ == "__main__":
    sys.exit(main())
