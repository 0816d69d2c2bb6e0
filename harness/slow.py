"""One of many followers stops reading for half a minute, while a room is busy.

    python -m harness.slow [--followers 500] [--pairs 5] [--rate 200] [--stop 30]

Texts of 1,000 bytes are said at 200 a second to 500 followers with small socket buffers. One more,
in a process of its own, gets SIGSTOP, and SIGCONT half a minute later. Pairs of runs, with it and
without it, take turns, each on a new server. Wanted: the others' p99 of delivery is at most 1.2
times as long; the server's memory is bounded; the stopped one falls back to its cursor, which it
sees by a further `live`, stays connected, and has every entry in the end.

The kernel keeps up to a megabyte for who does not read, so a short stop shows something at a higher
rate only: --stop 1 --rate 2000. The server's deadlines for who takes nothing are longer than the
stop: this is about those who come back in time.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tests.support import serve_process

from harness.report import judged
from ipcchat.fanout.subscription import PAGE

__all__ = ["slow"]

QUEUE = 64 * 1024
"""`queue_bytes` of the server: the least it takes."""
HIGH = 16 * 1024
"""`high_water` of the server: what waits below the queue."""
SLACK = 4 << 20
"""Bytes by which the peaks of two servers may differ beyond the queue and a page: what an allocator
does not repeat from run to run. Both servers have served pages before, so threads and SQLite's
caches are there. The backlog of a stop of 30 s is 7 MiB: memory that grows with it shows."""
PAST = 2000
"""Texts that are said and read in pages before a run."""
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
    def open(cls, address: str, count: int, last: int = 0) -> Iterator["Readers"]:
        """So many, live, who have read the last entries; ended with the block."""
        command = [sys.executable, "-m", "harness.readers", address]
        popen = subprocess.Popen(
            [*command, "--count", str(count), "--last", str(last)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Else it is sent SIGCONT where the shell ends that started us in the background.
            start_new_session=True,
        )
        assert popen.stdout is not None
        try:
            if popen.stdout.readline() != "ready\n":
                raise RuntimeError("the followers did not come up")
            yield cls(popen)
        finally:
            if popen.poll() is None:
                popen.kill()
            popen.communicate()

    def finish(self, last: int) -> dict[str, Any]:
        """The figures, once all have the entry `last`."""
        out, _ = self.popen.communicate(f"{last}\n", timeout=PATIENCE)
        found: dict[str, Any] = json.loads(out)
        return found


@contextmanager
def _talking(address: str, rate: float, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "harness.talker", address]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield popen
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()


def _outcome(popen: "subprocess.Popen[str]") -> dict[str, Any]:
    out, _ = popen.communicate(timeout=PATIENCE)
    found: dict[str, Any] = json.loads(out)
    return found


def _warm_up(address: str) -> None:
    """Has the server serve pages to two followers at a time."""
    with _talking(address, PAST, 1) as talker:
        last = _outcome(talker)["last"]
    with Readers.open(address, 2, last=PAST) as readers:
        readers.finish(last)


def _peak(pid: int) -> int:
    """The most memory that a process has had, in bytes (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this needs Linux")


def _run(followers: int, rate: float, stop: float, *, stopped: bool) -> dict[str, Any]:
    """One run: what was said, how the others fared and, where there is one, the stopped one."""
    before, after = min(2.0, stop), max(min(2.0, stop), stop / 10)
    flags = {"queue_bytes": QUEUE, "high_water": HIGH}
    flags |= {"reply_timeout": int(stop) + PATIENCE, "idle_after": int(stop) + PATIENCE}
    sets = [f"--set={name}={value}" for name, value in flags.items()]
    with tempfile.TemporaryDirectory() as folder, serve_process(Path(folder), *sets) as server:
        _warm_up(server.address)
        with (
            Readers.open(server.address, followers) as others,
            Readers.open(server.address, 1) if stopped else nullcontext() as one,
            _talking(server.address, rate, before + stop + after) as talker,
        ):
            time.sleep(before)
            if one is not None:
                one.popen.send_signal(signal.SIGSTOP)
            time.sleep(stop)
            if one is not None:
                one.popen.send_signal(signal.SIGCONT)
            said = _outcome(talker)
            heard = {"others": others.finish(said["last"])}
            if one is not None:
                heard["one"] = one.finish(said["last"])
            return {"said": said, **heard, "peak": _peak(server.popen.pid)}


def slow(followers: int, *, pairs: int, rate: float, stop: float) -> dict[str, object]:
    """Runs it; returns the figures."""
    runs: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    lost = 0
    heard: list[dict[str, Any]] = []
    for pair in range(pairs):
        for stopped in (True, False) if pair % 2 else (False, True):
            found = _run(followers, rate, stop, stopped=stopped)
            print("with   " if stopped else "without", json.dumps(found), file=sys.stderr)
            runs[stopped].append(found)
            for name, count in (("others", followers), ("one", 1)):
                if name in found:
                    heard.append(found[name])
                    once = found[name]["heard"] - found[name]["doubled"]
                    lost += found["said"]["acked"] * count - once
    p99, p99_without = (
        float(statistics.median(run["others"]["p99_ms"] for run in runs[stopped]))
        for stopped in (True, False)
    )
    peak, peak_without = (
        float(statistics.median(run["peak"] for run in runs[stopped])) for stopped in (True, False)
    )
    bound = QUEUE + PAGE + SLACK
    figures = {
        "followers": followers,
        "pairs": pairs,
        "acked": sum(run["said"]["acked"] for run in (*runs[True], *runs[False])),
        "lost": lost,
        "doubled": sum(found["doubled"] for found in heard),
        "gaps": sum(found["gaps"] for found in heard),
        "fallbacks": min(run["one"]["fallbacks"] for run in runs[True]),
        "stopped_s": min(round(run["one"]["max_ms"] / 1000, 1) for run in runs[True]),
        "p99_ms": round(p99, 2),
        "p99_ms_without": round(p99_without, 2),
        "ratio": round(p99 / p99_without, 2),
        "peak_mib": round(peak / 2**20, 1),
        "peak_mib_without": round(peak_without / 2**20, 1),
        "growth_kib": round((peak - peak_without) / 1024),
        "bound_kib": round(bound / 1024),
    }
    whole = not (figures["lost"] or figures["doubled"] or figures["gaps"])
    bounded = peak - peak_without <= bound
    # Who was continued too early is no proof of anything.
    fell_back = all(
        run["one"]["fallbacks"] >= 1 and run["one"]["max_ms"] >= 900 * stop for run in runs[True]
    )
    return {**figures, "clean": whole and bounded and fell_back and p99 <= RATIO * p99_without}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--followers", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--stop", type=float, default=30, help="seconds")
    options = parser.parse_args()
    return judged(
        "slow",
        lambda: slow(options.followers, pairs=options.pairs, rate=options.rate, stop=options.stop),
    )


if __name__ == "__main__":
    sys.exit(main())
