"""A siege: 1,000 attackers who never log in, and an honest client who does, again and again.

    python -m benchmarks.siege [--seconds 30] [--attackers 1000] [--together]

A third of the attackers sends nothing, a third half of a TLS hello, a third makes TLS and then
sends half of a first frame. Once they come from 127.0.0.0/8 at 16 an address, once all from the
honest client's own address. Who is dropped comes back a second later. The server has TLS, every
limit at its default and a processor of its own; the attackers share the other with the honest
client, at the lowest priority. Measured: the honest client's time from connecting to the answer to
its login; how long an attacker's connection lives, from when the kernel made it; the server's
memory before and at its most; the lines of its log but those of the honest client itself. Prints a
table and one JSON line, and fails where a bar is missed. Linux only.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from tests.support import RawClient, environment, free_port

from benchmarks.machine import describe
from ipcchat.settings import ServerSettings
from ipcchat.trust import certificate
from ipcchat.trust.identity import Identity, new_nonce, transcript
from ipcchat.wire.codec import encode
from ipcchat.wire.messages import Hello, HelloOk, Login, LoginOk

__all__ = ["main"]

SEVERAL = 16
"""Attackers an address, where they come from several."""
BACK = 1.0
"""Seconds after which who was dropped comes back, on average."""
PAUSE = 0.02
"""Seconds between two honest logins."""
WARM = 20
"""Honest logins before the siege."""
GONE = 10.0
"""Seconds that an attacker may live beyond its limit."""
CASES = {"many addresses": 0.1, "own address": 1.0}
"""Seconds that the 99th of 100 honest logins may take."""
MOST_MEMORY = 50.0
"""MB."""
MOST_LINES = 100

_usual = ServerSettings()
KINDS = {
    "silent": _usual.handshake_timeout,
    "half hello": _usual.handshake_timeout,
    "half frame": _usual.handshake_timeout + _usual.first_frame_timeout,
}
"""What an attacker sends → seconds after which its limit has come."""


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


# --- the attackers ------------------------------------------------------------------------


class Attackers:
    """All of them, in a process of their own."""

    def __init__(self, port: int, several: bool, together: bool) -> None:
        self._port = port
        self._several = several
        self._spread = (1.0, 1.0) if together else (0.0, 2.0)
        self._context = context()
        self.lives: dict[str, list[float]] = {kind: [] for kind in KINDS}
        """Seconds that the connections lived, until the server closed them."""
        self._born: dict[int, tuple[str, float]] = {}
        """Attacker → what it does, and when its connection was made."""
        self.failed = 0
        """Connections that were never made."""

    def _source(self, number: int) -> str:
        group = number // SEVERAL
        return f"127.0.{1 + group // 250}.{1 + group % 250}" if self._several else "127.0.0.1"

    async def attack(self, number: int) -> None:
        kind = list(KINDS)[number % len(KINDS)]
        while True:
            # Spread: else they would fall into step, and come in one wave a second.
            await asyncio.sleep(BACK * random.uniform(*self._spread))
            born = time.monotonic()
            with suppress(OSError):
                await self._once(number, kind)
            if number in self._born:
                del self._born[number]
                self.lives[kind].append(time.monotonic() - born)
            else:
                self.failed += 1

    async def _once(self, number: int, kind: str) -> None:
        """A connection, until its end."""
        where: dict[str, Any] = {"local_addr": (self._source(number), 0)}
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, **where)
        self._born[number] = (kind, began)
        try:
            if kind == "half hello":
                writer.write(_half_hello())
            elif kind == "half frame":
                await writer.start_tls(self._context, server_hostname="localhost")
                frame = encode(Hello(1, [1]))
                writer.write(frame[: len(frame) // 2])
            await reader.read(1)
        finally:
            writer.transport.abort()

    def report(self) -> dict[str, Any]:
        """What became of them; those who are there still have lived so long at least."""
        now = time.monotonic()
        alive: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        for kind, born in self._born.values():
            alive[kind] = max(alive[kind], now - born)
        return {
            "connections": sum(map(len, self.lives.values())) + len(self._born),
            "failed": self.failed,
            "lives": {
                kind: {
                    "count": len(lives),
                    "p50": round(percentile(lives, 0.5), 3) if lives else 0.0,
                    "max": round(max([*lives, alive[kind]]), 3),
                }
                for kind, lives in self.lives.items()
            },
        }


def _half_hello() -> bytes:
    """The first half of what a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    return hello[: len(hello) // 2]


async def attack(port: int, several: bool, count: int, seconds: float, together: bool) -> None:
    attackers = Attackers(port, several, together)
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        tasks += [group.create_task(attackers.attack(number)) for number in range(count)]
        await asyncio.sleep(seconds)
        print(json.dumps(attackers.report()), flush=True)
        for task in tasks:
            task.cancel()


# --- the server ---------------------------------------------------------------------------


@dataclass
class Fortress:
    """A server on a processor of its own."""

    pid: int
    port: int
    log: Path

    def memory(self) -> tuple[float, float]:
        """Its memory now, and at its most, in MB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        kept = dict(line.split(":", 1) for line in lines if ":" in line)
        now, most = (int(kept[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
        return now, most

    def lines(self) -> Counter[str]:
        """Event → lines of the log, without the honest client's own coming and going."""
        lines = [line.split(" ", 3) for line in self.log.read_text().splitlines()]
        return Counter(
            words[2]
            for words in lines
            if not (words[2] in ("login", "left") and words[3].startswith("honest from"))
        )


@contextmanager
def fortress(folder: Path, processor: int) -> Iterator[Fortress]:
    """`ipcchat-server --headless` on loopback, every setting at its default."""
    (folder / "run").mkdir(mode=0o700)
    port, log = free_port(), folder / "log"
    command = [sys.executable, "-m", "ipcchat", "server", "--headless"]
    command += ["--listen", f"127.0.0.1:{port}", "--data", str(folder / "data")]
    usual = environment(folder)
    del usual["IPCCHAT_PLAINTEXT"]
    with log.open("w") as errors:
        popen = subprocess.Popen(
            ["taskset", "-c", str(processor), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=usual,
        )
    assert popen.stdout is not None
    try:
        line = popen.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"no server: {log.read_text()}")
        yield Fortress(popen.pid, port, log)
    finally:
        popen.terminate()
        try:
            popen.wait(timeout=20)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
        popen.stdout.close()


# --- the honest client --------------------------------------------------------------------


class Honest:
    """Logs in over TLS, each time on a new connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._context = context()
        self._who = Identity.make()
        self.took: list[float] = []
        """Seconds, of those that succeeded; with the tries that failed before."""
        self.failures: Counter[str] = Counter()

    async def login(self) -> None:
        began = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(10):
                    await self._try()
                break
            except (OSError, EOFError) as error:  # TimeoutError, too
                self.failures[type(error).__name__] += 1
        self.took.append(time.monotonic() - began)

    async def _try(self) -> None:
        streams = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._context)
        client = RawClient(*streams)
        try:
            shown = client.writer.get_extra_info("ssl_object").getpeercert(True)
            hello = await client.ask(Hello(1, [1]))
            if not isinstance(hello, HelloOk):
                raise EOFError(str(hello))
            nonce = new_nonce()
            signed = transcript(certificate.fingerprint(shown), hello.nonce, nonce)
            login = Login(2, "key", "honest", key=self._who.public, nonce=nonce)
            login.signature = self._who.sign(signed)
            ok = await client.ask(login)
            if not isinstance(ok, LoginOk):
                raise EOFError(str(ok))
        finally:
            client.writer.transport.abort()


async def besieged(honest: Honest, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await honest.login()
        await asyncio.sleep(PAUSE)


# --- a case -------------------------------------------------------------------------------


def measure(case: str, count: int, seconds: float, together: bool = False) -> dict[str, Any]:
    """A server, a siege, and what came of it."""
    processors = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory(prefix="siege-") as place,
        fortress(Path(place), processors[0]) as server,
    ):
        os.sched_setaffinity(0, {processors[-1]})
        honest = Honest(server.port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            for _ in range(WARM):
                runner.run(honest.login())
            calm, honest.took = honest.took, []
            before, _ = server.memory()
            command = [sys.executable, "-m", "benchmarks.siege", "--attackers", str(count)]
            command += ["--seconds", str(seconds), "--attack", f"{case}:{server.port}"]
            command += ["--together"] * together
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as popen:
                try:
                    runner.run(besieged(honest, seconds))
                    out, _ = popen.communicate(timeout=60)
                finally:
                    popen.kill()
        _, most = server.memory()
        lines = server.lines()
        os.sched_setaffinity(0, set(processors))
    siege = json.loads(out)
    bars = {
        "p99": percentile(honest.took, 0.99) <= CASES[case],
        "gone": all(
            life["max"] <= limit + GONE
            for limit, life in zip(KINDS.values(), siege["lives"].values(), strict=True)
        ),
        "memory": most - before <= MOST_MEMORY,
        "log": lines.total() <= MOST_LINES,
        "attacked": siege["connections"] >= count,
    }
    return {
        "logins": len(honest.took),
        "failures": dict(honest.failures),
        "calm_p50_ms": round(1000 * percentile(calm, 0.5), 1),
        "p50_ms": round(1000 * percentile(honest.took, 0.5), 1),
        "p99_ms": round(1000 * percentile(honest.took, 0.99), 1),
        "max_ms": round(1000 * max(honest.took), 1),
        "attackers": siege,
        "memory_mb": {"before": round(before, 1), "most": round(most, 1)},
        "log_lines": dict(lines),
        "bars": bars,
        "ok": all(bars.values()),
    }


def show(case: str, found: dict[str, Any]) -> None:
    memory, siege = found["memory_mb"], found["attackers"]
    print(f"{case}: {'ok' if found['ok'] else 'MISSED'}")
    print(
        f"  honest login  p50 {found['p50_ms']} ms  p99 {found['p99_ms']} ms"
        f"  max {found['max_ms']} ms  of {found['logins']}"
        f"  (at rest p50 {found['calm_p50_ms']} ms; failures {found['failures']})"
    )
    print(f"  attackers     {siege['connections']:,} connections, {siege['failed']:,} never made")
    for kind, life in siege["lives"].items():
        print(
            f"    {kind:11} lived p50 {life['p50']:.2f} s, max {life['max']:.2f} s"
            f"  ({life['count']:,} gone; limit {KINDS[kind]:g} s)"
        )
    print(f"  memory        {memory['before']} MB before, {memory['most']} MB at most")
    print(f"  log           {sum(found['log_lines'].values())} lines: {found['log_lines']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--attackers", type=int, default=1000)
    parser.add_argument("--together", action="store_true", help="attackers come in waves")
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.attack:
        os.nice(19)
        case, _, port = options.attack.partition(":")
        several = case == next(iter(CASES))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            work = attack(int(port), several, options.attackers, options.seconds, options.together)
            runner.run(work)
        return 0
    if not sys.platform.startswith("linux"):
        print("it needs Linux: all of 127.0.0.0/8, and processors to choose", file=sys.stderr)
        return 69
    found = {
        case: measure(case, options.attackers, options.seconds, options.together)
        for case in options.case or CASES
    }
    for name, value in describe().items():
        print(f"{name:8} {value}")
    for case, figures in found.items():
        show(case, figures)
    ok = all(figures["ok"] for figures in found.values())
    print(json.dumps({"benchmark": "siege", "ok": ok, "cases": found, "machine": describe()}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
