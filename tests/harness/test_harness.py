"""The harness, in short: a few kills, cuts and power cuts, and that its verdict can fail."""

import json
import random
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.crash import crash
from harness.cut import cut
from harness.people import Ledger, Listener, Verdict, judge
from harness.power import power, take_back
from harness.report import judged
from harness.shim import NoCompiler, compile_shim
from harness.slow import slow

from ipcchat.entries import Entry

ZERO = ("lost", "doubled", "gaps", "reordered", "unheard", "regressed")


def assert_clean(figures: dict[str, Any]) -> None:
    assert {name: figures[name] for name in ZERO} == dict.fromkeys(ZERO, 0)
    assert figures["acked"] > 0
    assert figures["clean"]


@pytest.mark.asyncio
async def test_nothing_is_lost_when_the_server_is_killed() -> None:
    figures = await crash(2, people=3, seed=1, longest=0.5)
    assert figures["rounds"] == 2
    assert_clean(figures)


@pytest.mark.asyncio
async def test_nothing_is_lost_when_connections_are_cut() -> None:
    figures: dict[str, Any] = await cut(15, people=6, seed=1, most=20_000)
    assert figures["cuts"] >= 15
    assert_clean(figures)


@pytest.mark.asyncio
async def test_nothing_acknowledged_is_lost_when_the_power_goes(tmp_path: Path) -> None:
    try:
        compile_shim("power", tmp_path)
    except NoCompiler as error:
        pytest.skip(f"the power can't be cut here: {error}")
    # A kill may come when everything is synced, and then takes nothing back: it is tried again.
    for seed in range(6):
        figures = await power(2, people=10, seed=seed, longest=0.5)
        if figures["taken_back"]:
            break
        assert {name: figures[name] for name in ZERO} == dict.fromkeys(ZERO, 0)
    assert_clean(figures)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the server's memory from /proc")
def test_a_stopped_follower_falls_back_and_has_everything_in_the_end() -> None:
    figures = slow(5, pairs=1, rate=2000, stop=1)
    zero = ("lost", "doubled", "gaps")
    assert {name: figures[name] for name in zero} == dict.fromkeys(zero, 0)
    assert figures["acked"] == 2 * 3 * 2000
    assert figures["fallbacks"] != 0


# --- the verdict can fail -----------------------------------------------------------------


def said(seq: int, text: str) -> Entry:
    return Entry(1, seq, 0, 1, "ann", "message", f"{seq:032x}", text)


def opening() -> Entry:
    return Entry(1, 1, 0, 0, "", "create", "0" * 32, "#lobby")


JOURNAL = [opening(), said(2, "t0 1"), said(3, "t1 1"), said(4, "t0 2"), said(5, "t0 3")]
ACKED = {"t0 1": 2, "t1 1": 3, "t0 2": 4, "t0 3": 5}


def ledger(*heard: list[Entry], acked: dict[str, int] = ACKED) -> Ledger:
    made = Ledger(dict(acked))
    for entries in heard:
        listener = Listener()
        listener.entries = entries
        made.listeners.append(listener)
    return made


def test_a_whole_history_is_clean() -> None:
    verdict = judge([(ledger(JOURNAL, JOURNAL), JOURNAL)])
    assert verdict == Verdict(acked=4)
    assert verdict.clean


def test_what_the_journal_does_not_have_is_lost() -> None:
    verdict = judge([(ledger(acked={**ACKED, "t1 2": 6}), JOURNAL)])
    assert verdict == Verdict(acked=5, lost=1)


def test_what_lies_elsewhere_than_was_acknowledged_is_lost() -> None:
    assert judge([(ledger(acked={**ACKED, "t0 3": 6}), JOURNAL)]).lost == 1


def test_a_line_that_is_there_twice_is_doubled() -> None:
    twice = [*JOURNAL, said(6, "t1 1")]
    verdict = judge([(ledger(), twice)])
    assert (verdict.doubled, verdict.lost, verdict.gaps) == (1, 0, 0)


def test_an_entry_that_a_listener_gets_twice_is_doubled() -> None:
    verdict = judge([(ledger([*JOURNAL, JOURNAL[-1]]), JOURNAL)])
    assert verdict.doubled == 1
    assert verdict.unheard == 0


def test_an_entry_that_a_listener_never_gets_is_a_gap_and_unheard() -> None:
    verdict = judge([(ledger(JOURNAL[:2] + JOURNAL[3:]), JOURNAL)])
    assert verdict == Verdict(acked=4, gaps=1, unheard=1)


def test_a_listener_that_stops_short_has_not_heard_the_rest() -> None:
    verdict = judge([(ledger(JOURNAL[:3]), JOURNAL)])
    assert verdict == Verdict(acked=4, unheard=2)


def test_a_history_that_does_not_start_at_its_start_has_a_gap() -> None:
    assert judge([(ledger(JOURNAL[1:]), JOURNAL)]).gaps == 1


def test_lines_in_another_order_than_said_are_reordered() -> None:
    swapped = [opening(), said(2, "t0 2"), said(3, "t1 1"), said(4, "t0 1"), said(5, "t0 3")]
    acked = {entry.text: entry.seq for entry in swapped[1:]}
    verdict = judge([(ledger(swapped, acked=acked), swapped)])
    assert (verdict.reordered, verdict.lost, verdict.doubled, verdict.gaps) == (2, 0, 0, 0)


def test_a_listener_of_another_history_is_counted() -> None:
    made = ledger(JOURNAL)
    made.listeners[0].regressed = True
    verdict = judge([(made, JOURNAL)])
    assert verdict == Verdict(acked=4, regressed=1)
    assert not verdict.clean


# --- the power cut does something ---------------------------------------------------------


def record(offset: int, size: int, length: int, old: bytes) -> bytes:
    """As `power.c` writes it: what lay at `offset` before `length` bytes were written there."""
    return struct.pack("=QQQ", offset, length, size) + old


def test_a_power_cut_takes_back_what_was_not_synced(tmp_path: Path) -> None:
    class All(random.Random):
        """Takes everything back."""

        def random(self) -> float:
            return 0.0

    wal = tmp_path / "journal.sqlite-wal"
    wal.write_bytes(b"synced, changed, and longer")
    undo = record(8, 14, 7, b"before") + record(15, 15, 12, b"")
    (tmp_path / "journal.sqlite-wal.undo").write_bytes(undo)
    assert take_back(tmp_path, All()) == 2
    assert wal.read_bytes() == b"synced, before"
    assert not (tmp_path / "journal.sqlite-wal.undo").exists()


def test_nothing_said_is_no_success() -> None:
    assert not judge([(Ledger(), [])]).clean


def test_a_harness_that_fails_says_so_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> dict[str, object]:
        raise RuntimeError("no server")

    assert judged("crash", work) == 1
    line = json.loads(capsys.readouterr().out)
    assert (line["ok"], line["error"]) == (False, "RuntimeError('no server')")
