"""What a delivery costs: ipcchat and other servers, in one run, taking turns.

    python -m benchmarks.fanout [--repeat 5] [--tls] [--cells NAME …] [--peers NAME …]

The server is pinned to one processor, the generator (`fanout.c`: Linux and a C compiler) to
another; it says so when it was the bottleneck itself, and `gen` is the part of its processor that
it needed. Texts have 100 bytes, ten senders say them. `flood`: each keeps 256 messages in flight,
and writes those together that it may send together; `a write each` is the load of senders who
don't know of each other's next message. `paced`: so many messages a second in all; every delivery
is timed. Printed are medians: the server's CPU for each delivery by its own clock, deliveries and
messages a second as they were seen, latencies, peak memory, and ratios to Redis, which stores
nothing; from 1,000 members on the memory of one that does nothing (what a server freed when it
started is used again first: the more members, the truer). `C floor` (`floor.c`) is what the system
takes by itself.

A peer that fails or does not answer loses its turn: a line says what happened, the others go on,
and the exit code is 1. What was lost for everybody, or for some members, stands beside the figures.

`--tls`: ipcchat alone, each server without TLS and with it, and the ratio is TLS ÷ plain. The
generator makes the connections of both itself (OpenSSL 3). Besides: connections a second that are
made, say hello, hear the answer and are closed, eight at a time. Ends with one JSON line.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.shim import NoCompiler, NoLibrary

from benchmarks import ending
from benchmarks.fanoutreport import as_json, median, show_cells, show_handshakes, show_peers
from benchmarks.load import (
    Cell,
    Figures,
    Generators,
    Handshakes,
    compile_generators,
    dialed_turn,
    handshakes,
    turn,
)
from benchmarks.machine import describe, few_processors
from benchmarks.peer import Peer
from benchmarks.peers import PEERS, TWINS, Ipcchat

__all__ = ["main"]

T = TypeVar("T")

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
        peers=("ipcchat", "redis", "C floor", "durable", "durable, TLS"),
    ),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A turn that came to nothing."""

    cell: str
    peer: str
    error: str


@dataclass(slots=True)
class Found:
    """The turns of a run."""

    cells: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    """Cell → peer → its turns."""
    handshakes: dict[str, list[Handshakes]] = field(default_factory=dict)
    """Peer → its turns."""
    ciphers: set[str] = field(default_factory=set)
    failed: list[Failure] = field(default_factory=list)


def measure(options: argparse.Namespace, turns: Sequence[tuple[Cell, Peer]]) -> Found:
    """All turns, the failed among them. Raises NoCompiler, NoLibrary."""
    found = Found()
    with tempfile.TemporaryDirectory() as place:
        made = compile_generators(Path(place), dialing=options.tls)
        for count in range(1, options.repeat + 1):
            for cell, peer in turns:
                _measure_cell(found, made, cell, peer, count)
            for peer in dict.fromkeys(peer for _, peer in turns):
                if made.handshakes is not None and isinstance(peer, Ipcchat):
                    _measure_handshakes(found, made.handshakes, peer, count)
    return found


def _measure_cell(found: Found, made: Generators, cell: Cell, peer: Peer, count: int) -> None:
    def take(folder: Path) -> Figures:
        if made.handshakes is None or not isinstance(peer, Ipcchat):
            return turn(peer, cell, made.fanout, folder)
        figures, cipher = dialed_turn(peer, cell, made.fanout, folder)
        found.ciphers |= {cipher} if peer.tls else set()
        return figures

    figures = _try(found, cell.name, peer, count, take)
    if figures is not None:
        found.cells.setdefault(cell.name, {}).setdefault(peer.name, []).append(figures)


def _measure_handshakes(found: Found, generator: Path, peer: Ipcchat, count: int) -> None:
    shaken = _try(
        found, "handshakes", peer, count, lambda folder: handshakes(peer, generator, folder)
    )
    if shaken is not None:
        found.handshakes.setdefault(peer.name, []).append(shaken)


def _try(found: Found, cell: str, peer: Peer, count: int, take: Callable[[Path], T]) -> T | None:
    """A turn in a folder of its own; None, and said why, where it fails."""
    label = f"{count} {cell}: {peer.name}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            taken = take(Path(folder))
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            said = " ".join(str(error).split())[:300] or type(error).__name__
            print(f"{label} FAILED: {said}", file=sys.stderr, flush=True)
            if wrote := _last_lines(Path(folder) / "log"):
                print(f"  its log: {wrote}", file=sys.stderr, flush=True)
            found.failed.append(Failure(cell, peer.name, said))
            return None
    print(label, file=sys.stderr, flush=True)
    return taken


def _last_lines(log: Path, lines: int = 3, width: int = 300) -> str:
    """In one line; empty without any."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])[-width:]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tls", action="store_true", help="ipcchat with TLS against without")
    parser.add_argument("--cells", nargs="*", choices=[cell.name for cell in CELLS])
    names = [peer.name for peer in (*PEERS, *TWINS)]
    parser.add_argument("--peers", nargs="*", choices=names)
    return parser


def _turns(options: argparse.Namespace) -> list[tuple[Cell, Peer]]:
    """What is asked for. Raises ValueError where that can't be."""
    peers = TWINS if options.tls else PEERS
    names = [peer.name for peer in peers]
    for name in options.peers or ():
        if name not in names:
            kind = "with --tls" if options.tls else "without --tls"
            raise ValueError(f"{name} takes no turns {kind}: choose of {'; '.join(names)}")
    if options.repeat < 1:
        raise ValueError("--repeat needs 1 or more")
    turns = [
        (cell, peer)
        for cell in CELLS
        for peer in peers
        if (not options.cells or cell.name in options.cells)
        and (not options.peers or peer.name in options.peers)
        and (not cell.peers or peer.name in cell.peers)
    ]
    if not turns:
        raise ValueError(f"none of these peers takes part in {', '.join(options.cells)}")
    return turns


def main() -> int:
    options = _parser().parse_args()
    try:
        turns = _turns(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if lacking := few_processors():
        print(lacking, file=sys.stderr)
        return 69
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chosen = dict.fromkeys(peer for _, peer in turns)
    peers = [peer for peer in chosen if peer.installed]
    if not peers:
        print(f"not installed: {', '.join(peer.name for peer in chosen)}", file=sys.stderr)
        return 69
    for peer in chosen:
        if peer not in peers:
            print(f"{peer.name} is not installed: left out", file=sys.stderr)
    versions = {peer.name: peer.version() for peer in peers}
    try:
        found = measure(options, [(cell, peer) for cell, peer in turns if peer in peers])
    except (NoCompiler, NoLibrary) as error:
        print(error, file=sys.stderr)
        return 69
    report(found, peers, versions, "plain" if options.tls else "redis")
    return 1 if found.failed else 0


def report(found: Found, peers: Sequence[Peer], versions: dict[str, str], against: str) -> None:
    """The head, the tables and the line of JSON."""
    cells = {
        cell: {peer: median(several) for peer, several in turns.items()}
        for cell, turns in found.cells.items()
    }
    shaken = {peer: median(several) for peer, several in found.handshakes.items()}
    machine = describe()
    for name, value in machine.items():
        print(f"{name:8} {value}")
    if found.ciphers:
        print(f"TLS      {', '.join(sorted(found.ciphers))}; the certificate is not checked")
    print("peers, and what is lifted or set for the load")
    show_peers(versions, peers)
    show_cells(cells, peers, against)
    if shaken:
        show_handshakes(shaken, peers)
    figures = {
        "cells": {cell: as_json(turns, peers) for cell, turns in cells.items()},
        "handshakes": as_json(shaken, peers),
        "failed": [asdict(failure) for failure in found.failed],
        "peers": versions,
        "lifted": {peer.name: peer.lifted for peer in peers},
    }
    print(json.dumps({"benchmark": "fanout", **figures, "machine": machine}))


if __name__ == "__main__":
    ending.run(main)
