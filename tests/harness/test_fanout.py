"""benchmarks/fanout.py where things go wrong: peers that fail, lose or say nothing, and signals."""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import fanout, load, machine
from benchmarks.peer import Peer, crowd, wait_for
from benchmarks.peers import PEERS, Floor

if machine.few_processors():
    pytest.skip(machine.few_processors(), allow_module_level=True)
if shutil.which("cc") is None:
    pytest.skip("this needs a C compiler", allow_module_level=True)

ROOT = Path(__file__).parents[2]
PACED = load.Cell("paced", 3, rate=50, seconds=0.3)
QUIET = load.Cell("quiet", 3, rate=10, seconds=0.3)

SERVER = """
import asyncio, sys
members, count = [], 0
async def serve(reader, writer):
    global count
    while line := await reader.readline():
        if line == b"+\\n":
            members.append(writer)
            writer.write(line)
            continue
        count += 1
        if count % 2 or "lossy" not in sys.argv:
            for member in members:
                member.write(line)
async def main():
    print("started", flush=True)
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""


class Lines(Floor):
    """A server that passes lines on as the floor does; or fails in a way."""

    def __init__(self, name: str, *, code: str = SERVER) -> None:
        self.name = name
        self.base = "good"
        self.code = code

    def command(self, port: int, folder: Path) -> list[str]:
        return [sys.executable, "-c", self.code, str(port), self.name]


GOOD = Lines("good")
BROKEN = Lines("broken", code="raise SystemExit('no such luck')")


def _measure(*turns: tuple[load.Cell, Peer]) -> fanout.Found:
    return fanout.measure(argparse.Namespace(repeat=1, tls=False), turns)


def test_a_peer_that_fails_loses_its_turn_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = _measure((PACED, BROKEN), (PACED, GOOD))
    (failure,) = found.failed
    assert (failure.cell, failure.peer) == ("paced", "broken")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "1 paced: broken FAILED: the server ended with 1"
    assert told[1] == "  its log: no such luck"
    assert list(found.cells["paced"]) == ["good"]
    (figures,) = found.cells["paced"]["good"]
    assert figures.sent == figures.seen > 0
    assert figures.lacking == figures.lost == figures.idle_kib == 0


def test_the_floor_passes_everything_on_to_everybody() -> None:
    (floor,) = (peer for peer in PEERS if peer.name == "C floor")
    flood = load.Cell("flood", 30, window=256, seconds=0.5)
    for figures in _measure((PACED, floor), (flood, floor)).cells.values():
        (one,) = figures["C floor"]
        assert one.sent == one.seen > 0
        assert one.lacking == 0


def test_the_line_has_ratios_versions_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    found = _measure((PACED, GOOD), (PACED, BROKEN))
    peers = [GOOD, BROKEN]
    fanout.report(found, peers, {peer.name: "1.2" for peer in peers}, "good")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    figures = told["cells"]["paced"]["good"]
    assert (figures["base"], figures["ratio"], figures["generator_bound"]) == ("good", 1, False)
    assert [failure["peer"] for failure in told["failed"]] == ["broken"]
    assert told["peers"] == {"good": "1.2", "broken": "1.2"}
    assert told["lifted"] == {"good": "", "broken": ""}


def test_the_generator_sleeps_between_its_messages() -> None:
    """At 1,500 a second it polls all the time where it counts in milliseconds."""
    cell = load.Cell("paced", 1, rate=1500, seconds=1)
    (figures,) = _measure((cell, GOOD)).cells["paced"]["good"]
    assert figures.sent == pytest.approx(1500, rel=0.02)
    assert figures.generator < 0.5


def test_what_is_lost_for_everybody_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (figures,) = _measure((QUIET, Lines("lossy"))).cells["quiet"]["lossy"]
    assert figures.lacking == 0
    assert figures.lost == figures.sent - figures.seen > 0
    assert figures.messages_per_s == pytest.approx(figures.seen / QUIET.seconds, rel=0.2)
    found = fanout.Found(cells={"quiet": {"lossy": [figures]}})
    fanout.report(found, [Lines("lossy")], {"lossy": "-"}, "good")
    assert f"  {figures.lost} MESSAGES LOST\n" in capsys.readouterr().out


def test_another_who_has_the_port_is_not_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        popen = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        try:
            with pytest.raises(RuntimeError, match="does not listen"):
                wait_for(port, popen, seconds=0.3)
        finally:
            popen.kill()
            popen.wait()


def test_a_mute_peer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peer.PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(TimeoutError):
        crowd(GOOD, mute.getsockname()[1], 1, 1)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--repeat", "0"], "--repeat needs 1 or more"),
        (["--tls", "--peers", "redis"], "redis takes no turns with --tls"),
        (["--peers", "nats", "--cells", "crowd 1/s x 10000"], "none of these peers takes part in"),
    ],
)
def test_what_can_not_be_asked_is_one_line(
    flags: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["fanout", *flags])
    assert fanout.main() == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(said)


def test_nobody_there_to_measure_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fanout", "--peers", "nats", "redis"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fanout.main() == 69
    out, err = capsys.readouterr()
    assert (out, err) == ("", "not installed: redis, nats\n")


@pytest.mark.parametrize(
    "peer",
    [peer for peer in PEERS if peer.installed and peer.name != "C floor"],
    ids=lambda it: it.name,
)
def test_every_installed_peer_tells_its_version(peer: Peer) -> None:
    assert all(part.isdigit() for part in peer.version().split("."))


ENDED = """
import pathlib, sys, tempfile, time
from benchmarks import ending
from tests.harness.test_fanout import GOOD
def main():
    with tempfile.TemporaryDirectory() as folder, GOOD.running(pathlib.Path(folder)) as (pid, _):
        print(pid, flush=True)
        time.sleep(60)
ending.run(main)
"""


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGTERM, ""), (signal.SIGHUP, ""), (signal.SIGINT, "interrupted\n")],
)
def test_the_servers_end_with_a_benchmark_that_is_told_to(
    number: signal.Signals, said: str
) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", ENDED]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as popen:
        assert popen.stdout is not None
        server = int(popen.stdout.readline())
        popen.send_signal(number)
        _, err = popen.communicate(timeout=20)
    assert (popen.returncode, err) == (128 + number, said)
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
