"""One turn of a server under a load: what fanout.py repeats, compares and prints.

The generators are C: `fanout.c`, which is given sockets that are connected and joined, or makes
its connections itself (`dial.c`), and `handshakes.c`.
"""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.shim import compile_program

from benchmarks.peer import Peer, crowd, orders, script_line
from benchmarks.peers import HELLO, Ipcchat, scripts

__all__ = [
    "Cell",
    "Figures",
    "Generators",
    "Handshakes",
    "apart",
    "compile_generators",
    "dialed_turn",
    "handshakes",
    "turn",
]

SENDERS = 10
HANDSHAKES = 2000
AT_ONCE = 8
"""Connections that are being made: half of what a server lets one address have."""
CROWD = 1000
"""Members from which on the memory of an idle connection is told."""
_PATIENCE = 60.0
"""Seconds that a generator may take beyond those of its load: 20 of them wait for the last."""
_HERE = Path(__file__).parent
_OPENSSL = dict.fromkeys(("libssl.so.3", "libcrypto.so.3"), "OpenSSL 3 (libssl3)")


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load."""

    name: str
    members: int
    window: int = 0
    rate: float = 0
    seconds: float = 3
    burst: bool = True
    """Whether messages that a sender may send at once leave in one write."""
    peers: tuple[str, ...] = ()
    """Empty: all."""


@dataclass(slots=True)
class Figures:
    """What one turn showed."""

    us_per_delivery: float
    deliveries_per_s: float
    messages_per_s: float
    """Those that the reference member saw."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    peak_mib: float
    idle_kib: float
    """Memory of a joined connection that does nothing; 0: not told, with fewer than `CROWD`
    members. What a server freed when it started is used again first, so the more members, the
    truer."""
    sent: int
    seen: int
    """By the reference member."""
    lost: int
    """Sent and not seen by it: mostly those that nobody got."""
    lacking: int
    """Members that did not get as much as the reference."""
    generator: float
    """The part of its processor that the generator needed."""


@dataclass(slots=True)
class Handshakes:
    """Connections that are made, answered once and closed, some at a time."""

    per_s: float
    cpu_ms: float
    """The server's CPU for each."""
    generator: float


@dataclass(frozen=True, slots=True)
class Generators:
    """The compiled programs."""

    fanout: Path
    handshakes: Path | None = None
    """Where they make their connections themselves."""


def compile_generators(folder: Path, *, dialing: bool) -> Generators:
    """`dialing`: those that make their connections themselves. Raises NoCompiler, NoLibrary."""
    source = _HERE / "fanout.c"
    if not dialing:
        return Generators(compile_program(source, folder))
    dial = str(_HERE / "dial.c")
    return Generators(
        compile_program(source, folder, "-DDIAL", dial, libraries=_OPENSSL),
        compile_program(_HERE / "handshakes.c", folder, dial, libraries=_OPENSSL),
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


def apart() -> None:
    """Pins a generator: to the last processor; the servers have the first."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _arguments(cell: Cell) -> list[str]:
    given = [SENDERS, cell.members, cell.window, cell.rate, cell.seconds]
    return [*map(str, given), str(int(cell.rate > 0)), str(int(cell.burst))]


def _figures(cell: Cell, printed: str, spent_ns: int, peak_kib: int, idle_kib: float) -> Figures:
    sent, seen, lacking, seconds, cpu, p50, p99, top = map(float, printed.split())
    deliveries = seen * cell.members
    return Figures(
        us_per_delivery=spent_ns / 1000 / max(1.0, deliveries),
        deliveries_per_s=deliveries / seconds,
        messages_per_s=seen / seconds,
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        max_ms=top / 1000,
        peak_mib=peak_kib / 1024,
        idle_kib=idle_kib,
        sent=int(sent),
        seen=int(seen),
        lost=int(sent - seen),
        lacking=int(lacking),
        generator=cpu / seconds,
    )


# --- sockets that the generator is given ----------------------------------------------------


def turn(peer: Peer, cell: Cell, generator: Path, folder: Path) -> Figures:
    """Starts a server, loads it, ends it.

    Raises RuntimeError, OSError, subprocess.SubprocessError; what the server wrote is in
    `folder/log`, for those below, too.
    """
    with peer.running(folder) as (pid, port):
        sockets: list[socket.socket] = []
        try:
            before = memory_kib(pid, "VmRSS")
            sockets = crowd(peer, port, SENDERS, cell.members)
            time.sleep(0.2)
            idle = _idle(pid, before, cell)
            return _load(peer, cell, generator, pid, sockets, idle)
        finally:
            for sock in sockets:
                sock.close()


def _idle(pid: int, before: int, cell: Cell) -> float:
    """KiB for each connection, since there were `before`."""
    if cell.members < CROWD:
        return 0
    return (memory_kib(pid, "VmRSS") - before) / (SENDERS + cell.members)


def _load(
    peer: Peer, cell: Cell, generator: Path, pid: int, sockets: list[socket.socket], idle: float
) -> Figures:
    start = cpu_ns(pid)
    ran = subprocess.run(
        [str(generator), *_arguments(cell)],
        input=orders(peer, SENDERS, sockets),
        capture_output=True,
        text=True,
        check=False,
        close_fds=False,
        preexec_fn=apart,
        timeout=cell.seconds + _PATIENCE,
    )
    spent = cpu_ns(pid) - start
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip() or f"the generator ended with {ran.returncode}")
    return _figures(cell, ran.stdout, spent, memory_kib(pid, "VmHWM"), idle)


# --- connections that the generator makes ---------------------------------------------------


class _Dialing:
    """A generator that runs, spoken to in lines."""

    def __init__(self, popen: "subprocess.Popen[str]") -> None:
        self._popen = popen

    def tell(self, lines: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(lines)
        self._popen.stdin.flush()

    def hear(self) -> str:
        """The next line. Raises RuntimeError where it ended instead."""
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError(self._popen.stderr.read().strip() or "the generator was ended")
        return line.strip()


@contextmanager
def _dialing(command: list[str], seconds: float) -> Iterator[_Dialing]:
    """Killed when it takes longer than so many seconds."""
    pipe = subprocess.PIPE
    popen = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, preexec_fn=apart
    )
    watch = threading.Timer(seconds, popen.kill)
    watch.daemon = True
    watch.start()
    with popen:  # closes its input, by which it ends
        try:
            yield _Dialing(popen)
        except BaseException:
            popen.kill()
            raise
        finally:
            watch.cancel()


def dialed_turn(peer: Ipcchat, cell: Cell, generator: Path, folder: Path) -> tuple[Figures, str]:
    """Like `turn`, with connections of the generator's own; and their cipher."""
    with peer.running(folder) as (pid, port):
        before = memory_kib(pid, "VmRSS")
        command = [str(generator), *_arguments(cell), str(port), str(int(peer.tls))]
        with _dialing(command, cell.seconds + cell.members / 100 + _PATIENCE) as dialing:
            dialing.tell(scripts(peer, SENDERS, cell.members))
            cipher = dialing.hear()
            time.sleep(0.2)
            idle = _idle(pid, before, cell)
            start = cpu_ns(pid)
            dialing.tell("\n")
            printed = dialing.hear()
            spent = cpu_ns(pid) - start
            peak = memory_kib(pid, "VmHWM")
        return _figures(cell, printed, spent, peak, idle), cipher


def handshakes(peer: Ipcchat, generator: Path, folder: Path) -> Handshakes:
    """Starts a server, makes connections that say hello and go, ends it."""
    with peer.running(folder) as (pid, port):
        command = [str(generator), str(port), str(int(peer.tls)), str(HANDSHAKES), str(AT_ONCE)]
        start = cpu_ns(pid)
        with _dialing(command, _PATIENCE) as dialing:
            dialing.tell(script_line([HELLO]))
            seconds, cpu = map(float, dialing.hear().split())
            spent = cpu_ns(pid) - start
    return Handshakes(HANDSHAKES / seconds, spent / 1e6 / HANDSHAKES, cpu / seconds)
