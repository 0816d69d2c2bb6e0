"""What a delivery costs: ipcchat and other servers, in one run, taking turns.

    python -m benchmarks.fanout [--repeat 5] [--tls] [--cells NAME …] [--peers NAME …]

The server is pinned to one processor, the generator (`fanout.c`: Linux and a C compiler) to
another; it says so when it was the bottleneck itself, and `gen` is the part of its processor that
it needed. Texts have 100 bytes, ten senders say them. `flood`: each keeps 256 messages in flight,
and writes those together that it may send together; `a write each` is the load of senders who
don't know of each other's next message. `paced`: so many messages a second in all; every delivery
is timed. Printed are medians: the server's CPU for each delivery by its own clock, deliveries a
second, latencies, peak memory, and ratios to Redis, which stores nothing.

`--tls`: ipcchat alone, each server without TLS and with it, and the ratio is TLS ÷ plain. The
generator makes the connections of both itself (OpenSSL 3). Besides: connections a second that are
made, say hello, hear the answer and are closed, eight at a time. Ends with one JSON line.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.shim import NoCompiler, NoLibrary

from benchmarks.load import (
    Cell,
    Figures,
    Handshakes,
    compile_generators,
    dialed_turn,
    handshakes,
    turn,
)
from benchmarks.machine import describe
from benchmarks.peer import Peer
from benchmarks.peers import PEERS, TWINS, Ipcchat

__all__ = ["main"]

T = TypeVar("T", Figures, Handshakes)

_BUSY = 0.9
"""The generator counts as the bottleneck from this part of its processor on."""

CELLS = (
    Cell("flood 10", 10, window=256),
    Cell("flood 10, a write each", 10, window=256, burst=False),
    Cell("flood 100", 100, window=256),
    Cell("flood 1000", 1000, window=256),
    Cell("paced 100/s x 1000", 1000, rate=100, seconds=4),
    Cell("paced 1000/s x 1000", 1000, rate=1000, seconds=4),
    Cell("quiet 1/s x 100", 100, rate=1, seconds=5),
    Cell("quiet 1/s x 1000", 1000, rate=1, seconds=5),
    Cell(
        "crowd 1/s x 10000",
        10_000,
        rate=1,
        seconds=8,
        peers=("ipcchat", "redis", "durable", "durable, TLS"),
    ),
)


@dataclass(slots=True)
class Found:
    """The turns of a run."""

    cells: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    """Cell → peer → its turns."""
    handshakes: dict[str, list[Handshakes]] = field(default_factory=dict)
    """Peer → its turns."""
    ciphers: set[str] = field(default_factory=set)


def measure(options: argparse.Namespace, peers: Sequence[Peer]) -> Found:
    """All turns. Raises NoCompiler, NoLibrary."""
    cells = [cell for cell in CELLS if not options.cells or cell.name in options.cells]
    found = Found()
    with tempfile.TemporaryDirectory() as place:
        made = compile_generators(Path(place), dialing=options.tls)
        for count in range(1, options.repeat + 1):
            for cell in cells:
                for peer in peers:
                    if cell.peers and peer.name not in cell.peers:
                        continue
                    with tempfile.TemporaryDirectory() as folder:
                        if options.tls and isinstance(peer, Ipcchat):
                            figures, cipher = dialed_turn(peer, cell, made.fanout, Path(folder))
                            found.ciphers |= {cipher} if peer.tls else set()
                        else:
                            figures = turn(peer, cell, made.fanout, Path(folder))
                    found.cells.setdefault(cell.name, {}).setdefault(peer.name, []).append(figures)
                    print(f"{count} {cell.name}: {peer.name}", file=sys.stderr, flush=True)
            for peer in peers:
                if made.handshakes is None or not isinstance(peer, Ipcchat):
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    shaken = handshakes(peer, made.handshakes, Path(folder))
                found.handshakes.setdefault(peer.name, []).append(shaken)
                print(f"{count} handshakes: {peer.name}", file=sys.stderr, flush=True)
    return found


def _median(several: list[T]) -> T:
    values = [asdict(figures) for figures in several]
    middle = {name: statistics.median(value[name] for value in values) for name in values[0]}
    if "lacking" in middle:
        middle["lacking"] = max(value["lacking"] for value in values)
    return type(several[0])(**middle)


def _ratio(value: float, base: float | None) -> str:
    return "-" if base is None else f"{value / base:.2f}"


def show(cells: dict[str, dict[str, Figures]], peers: Sequence[Peer], against: str) -> None:
    """The table of the cells."""
    bases = {peer.name: peer.base for peer in peers}
    print(
        f"\n{'':22}{'us CPU':>8}{f'x {against}':>9}{'deliv/s':>11}{'msg/s':>8}{'p50 ms':>8}"
        f"{'p99 ms':>8}{'max ms':>8}{'peak MiB':>9}{'KiB idle':>9}{'gen':>6}"
    )
    for cell, turns in cells.items():
        print(cell)
        for peer, it in turns.items():
            base = turns.get(bases[peer])
            ratio = _ratio(it.us_per_delivery, base.us_per_delivery if base else None)
            note = "  GENERATOR-BOUND" if it.generator > _BUSY else ""
            note += f"  {it.lacking} LACK MESSAGES" if it.lacking else ""
            print(
                f"  {peer:20}{it.us_per_delivery:8.3f}{ratio:>9}{it.deliveries_per_s:11,.0f}"
                f"{it.messages_per_s:8,.0f}{it.p50_ms:8.1f}{it.p99_ms:8.1f}{it.max_ms:8.1f}"
                f"{it.peak_mib:9.1f}{it.idle_kib:9.1f}{it.generator:6.2f}{note}"
            )


def show_handshakes(found: dict[str, Handshakes], peers: Sequence[Peer]) -> None:
    """The table of connections that are made."""
    bases = {peer.name: peer.base for peer in peers}
    print(f"\n{'':22}{'conn/s':>8}{'ms CPU':>9}{'x plain':>9}{'server':>8}{'gen':>6}")
    for peer, it in found.items():
        base = found.get(bases[peer])
        ratio = _ratio(it.cpu_ms, base.cpu_ms if base else None)
        note = "  GENERATOR-BOUND" if it.generator > _BUSY else ""
        print(
            f"  {peer:20}{it.per_s:8,.0f}{it.cpu_ms:9.3f}{ratio:>9}"
            f"{it.per_s * it.cpu_ms / 1000:8.2f}{it.generator:6.2f}{note}"
        )


def _lifted(peers: Sequence[Peer]) -> str:
    """The limits that are lifted, and of whom."""
    names: dict[str, list[str]] = {}
    for peer in peers:
        names.setdefault(peer.lifted or "none", []).append(peer.name)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{' and '.join(those)}: {limits}" for limits, those in names.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tls", action="store_true", help="ipcchat with TLS against without")
    parser.add_argument("--cells", nargs="*", choices=[cell.name for cell in CELLS])
    names = [peer.name for peer in (*PEERS, *TWINS)]
    parser.add_argument("--peers", nargs="*", choices=names)
    return parser


def main() -> int:
    options = _parser().parse_args()
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        print("this needs two processors: one for the server, one for the load", file=sys.stderr)
        return 69
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    all_peers: Sequence[Peer] = TWINS if options.tls else PEERS
    chosen = [peer for peer in all_peers if not options.peers or peer.name in options.peers]
    peers = [peer for peer in chosen if peer.installed]
    for peer in chosen:
        if peer not in peers:
            print(f"{peer.name} is not installed: left out", file=sys.stderr)
    try:
        found = measure(options, peers)
    except (NoCompiler, NoLibrary) as error:
        print(error, file=sys.stderr)
        return 69
    cells = {
        cell: {peer: _median(several) for peer, several in turns.items()}
        for cell, turns in found.cells.items()
    }
    shaken = {peer: _median(several) for peer, several in found.handshakes.items()}
    machine = describe()
    for name, value in machine.items():
        print(f"{name:8} {value}")
    print(f"lifted   {_lifted(peers)}")
    if found.ciphers:
        print(f"TLS      {', '.join(sorted(found.ciphers))}; the certificate is not checked")
    show(cells, peers, "plain" if options.tls else "redis")
    if shaken:
        show_handshakes(shaken, peers)
    figures = {
        "cells": {
            cell: {peer: asdict(it) for peer, it in one.items()} for cell, one in cells.items()
        },
        "handshakes": {peer: asdict(it) for peer, it in shaken.items()},
    }
    print(json.dumps({"benchmark": "fanout", **figures, "machine": machine}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
