"""What a delivery costs: ipcchat and other servers, in one run, taking turns.

    python -m benchmarks.fanout [--repeat 5] [--seconds 3] [--cells NAME …] [--peers NAME …]

The server is pinned to one processor, the generator (`fanout.c`: Linux and a C compiler) to
another; it says so when it was the bottleneck itself. Texts have 100 bytes, ten senders say them.
`flood`: each keeps 256 messages in flight. `paced`: so many messages a second in all; every
delivery is timed. Printed are medians: the server's CPU for each delivery by its own clock,
deliveries a second, latencies, peak memory, and ratios to Redis, which stores nothing. Ends with
one JSON line.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.shim import NoCompiler, compile_program

from benchmarks.machine import describe
from benchmarks.peers import PEERS, Peer, crowd, orders

__all__ = ["main"]

SENDERS = 10
_BUSY = 0.9
"""The generator counts as the bottleneck from this part of its processor on."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load."""

    name: str
    members: int
    window: int = 0
    rate: float = 0
    seconds: float = 3


@dataclass(slots=True)
class Figures:
    """What one turn showed."""

    us_per_delivery: float
    deliveries_per_s: float
    messages_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    peak_mib: float
    idle_kib: float
    """Memory of a joined connection that does nothing."""
    lacking: int
    """Members that did not get everything."""
    generator: float
    """The part of its processor that the generator needed."""


CELLS = (
    Cell("flood 10", 10, window=256),
    Cell("flood 100", 100, window=256),
    Cell("flood 1000", 1000, window=256),
    Cell("paced 100/s x 1000", 1000, rate=100, seconds=5),
    Cell("paced 1000/s x 1000", 1000, rate=1000, seconds=5),
    Cell("quiet 1/s x 100", 100, rate=1, seconds=10),
    Cell("quiet 1/s x 1000", 1000, rate=1, seconds=10),
    Cell("crowd 1/s x 10000", 10_000, rate=1, seconds=10),
)


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process, by the scheduler's clock."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def memory_kib(pid: int, field: str) -> int:
    """`VmRSS` or `VmHWM` of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


def turn(peer: Peer, cell: Cell, generator: Path, folder: Path) -> Figures:
    """Starts a server, loads it, ends it."""
    with peer.running(folder) as (pid, port):
        sockets: list[socket.socket] = []
        try:
            before = memory_kib(pid, "VmRSS")
            sockets = crowd(peer, port, SENDERS, cell.members)
            time.sleep(0.2)
            idle = (memory_kib(pid, "VmRSS") - before) / len(sockets)
            return _load(peer, cell, generator, pid, sockets, idle)
        finally:
            for sock in sockets:
                sock.close()


def _load(
    peer: Peer, cell: Cell, generator: Path, pid: int, sockets: list[socket.socket], idle: float
) -> Figures:
    arguments = [SENDERS, cell.members, cell.window, cell.rate, cell.seconds]
    arguments.append(int(cell.rate > 0))
    start = cpu_ns(pid)
    ran = subprocess.run(
        [str(generator), *map(str, arguments)],
        input=orders(peer, SENDERS, sockets),
        capture_output=True,
        text=True,
        check=False,
        close_fds=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
    )
    spent = cpu_ns(pid) - start
    if ran.returncode:
        raise RuntimeError(f"{peer.name}, {cell.name}: {ran.stderr.strip()}")
    sent, seen, lacking, seconds, cpu, p50, p99, top = map(float, ran.stdout.split())
    deliveries = seen * cell.members
    return Figures(
        us_per_delivery=spent / 1000 / max(1.0, deliveries),
        deliveries_per_s=deliveries / seconds,
        messages_per_s=sent / seconds,
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        max_ms=top / 1000,
        peak_mib=memory_kib(pid, "VmHWM") / 1024,
        idle_kib=idle,
        lacking=int(lacking),
        generator=cpu / seconds,
    )


def measure(options: argparse.Namespace) -> dict[str, dict[str, Figures]]:
    """Cell → peer → medians."""
    cells = [cell for cell in CELLS if not options.cells or cell.name in options.cells]
    peers = [peer for peer in PEERS if not options.peers or peer.name in options.peers]
    for peer in peers:
        if not peer.installed:
            print(f"{peer.name} is not installed: left out", file=sys.stderr)
    found: dict[str, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory() as place:
        generator = compile_program(Path(__file__).with_name("fanout.c"), Path(place))
        for count in range(options.repeat):
            for cell in cells:
                for peer in peers:
                    if not peer.installed:
                        continue
                    with tempfile.TemporaryDirectory() as folder:
                        figures = turn(peer, cell, generator, Path(folder))
                    found.setdefault(cell.name, {}).setdefault(peer.name, []).append(figures)
                    print(f"{count + 1} {cell.name}: {peer.name}", file=sys.stderr, flush=True)
    return {
        cell: {peer: _median(several) for peer, several in peers.items()}
        for cell, peers in found.items()
    }


def _median(several: list[Figures]) -> Figures:
    values = [asdict(figures) for figures in several]
    middle = {name: statistics.median(value[name] for value in values) for name in values[0]}
    return Figures(**{**middle, "lacking": max(figures.lacking for figures in several)})


def show(found: dict[str, dict[str, Figures]]) -> None:
    """The table."""
    for name, value in describe().items():
        print(f"{name:8} {value}")
    print(f"lifted   {'; '.join(f'{peer.name}: {peer.lifted}' for peer in PEERS if peer.lifted)}")
    print(
        f"\n{'':22}{'us CPU':>8}{'x redis':>9}{'deliv/s':>11}{'msg/s':>8}{'p50 ms':>8}"
        f"{'p99 ms':>8}{'max ms':>8}{'peak MiB':>9}{'KiB idle':>9}"
    )
    for cell, peers in found.items():
        print(cell)
        base = peers.get("redis")
        for peer, it in peers.items():
            ratio = f"{it.us_per_delivery / base.us_per_delivery:.2f}" if base else "-"
            note = "  GENERATOR-BOUND" if it.generator > _BUSY else ""
            note += f"  {it.lacking} LACK MESSAGES" if it.lacking else ""
            print(
                f"  {peer:20}{it.us_per_delivery:8.3f}{ratio:>9}{it.deliveries_per_s:11,.0f}"
                f"{it.messages_per_s:8,.0f}{it.p50_ms:8.1f}{it.p99_ms:8.1f}{it.max_ms:8.1f}"
                f"{it.peak_mib:9.1f}{it.idle_kib:9.1f}{note}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--cells", nargs="*", choices=[cell.name for cell in CELLS])
    parser.add_argument("--peers", nargs="*", choices=[peer.name for peer in PEERS])
    options = parser.parse_args()
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        print("this needs two processors: one for the server, one for the load", file=sys.stderr)
        return 69
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        found = measure(options)
    except NoCompiler as error:
        print(error, file=sys.stderr)
        return 69
    show(found)
    figures = {
        cell: {peer: asdict(it) for peer, it in peers.items()} for cell, peers in found.items()
    }
    print(json.dumps({"benchmark": "fanout", "cells": figures, "machine": describe()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
