"""How fast the client's screen is, on a real pty.

    python -m benchmarks.tui [--lines 10000,100000,1000000] [--sizes 80x24,200x50] [--quick]
                             [--only key,flood,start]

The server is `benchmarks.screenfeed`, which only sends what is prepared. Nothing is emulated: a key
is echoed when what it typed is read from the pty, a page is drawn when the last byte has come
before 15 ms of silence.

key: clients of every size and number of lines live side by side and take turns, a burst of keys at
their end each, then pages up, so that ratios come from the same minutes; rooms of 100,000 lines and
more also from places far back, where history is packed (`client/lines`). CPU is that of all threads
of the client. flood: 100,000 messages at once, to the client with the fewest lines; done when the
last one is on the screen; a key is typed every 20 ms meanwhile. start: a key is typed at the spawn;
until its echo, in pairs with a bare application of prompt_toolkit that shows a prompt. WeeChat and
irssi, where installed, get the same keys and pages on 10,000 lines. One table, the targets, one
JSON line.
"""

import argparse
import importlib.metadata
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.program import Late, program
from benchmarks.screencell import CLEAR, TO_TAIL, Cell, load, middle, p99, say
from benchmarks.screenfeed import LOADED, MARKS, Sender, line
from benchmarks.screenreport import ratios, show, targets

BARE = """
from prompt_toolkit.application import Application
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.widgets import TextArea
prompt = TextArea(height=1, prompt="> ", multiline=False)
Application(layout=Layout(HSplit([Window(), prompt])), full_screen=True).run()
"""
PEERS = {"weechat": ["weechat", "-d", "{home}"], "irssi": ["irssi", "--home={home}", "--noconnect"]}
PEER_LINES = 10_000

RARE = [chr(code).encode() for code in range(0x1401, 0x1591)]
"""Typed during a flood: one column wide, and in none of the messages."""
PAIRS, QUICK_PAIRS, START_TIME, FEWEST = 15, 7, 60.0, 5
"""First keys of both programs; seconds after which no more begin, once there are so few."""
FLOOD, EVERY, ROW = 100_000, 0.02, 30
"""Messages; seconds between two keys; keys after which the input is cleared."""


def flood(cell: Cell, sender: Sender, name: str, number: int) -> tuple[float, list[float]]:
    """100,000 messages at once: how many a second, and milliseconds of keys meanwhile."""
    on = cell.on
    on.write(TO_TAIL)
    on.settle(0.1)
    word = chr(0x2C82 + 2 * number) * 3
    sign = word[0].encode()
    began = due = sender.flood(name, FLOOD, word)
    sent: dict[bytes, float] = {}
    echoes: list[float] = []
    typed, row, ended, kept = 0, 0, 0.0, b""
    while not ended or sent:
        now = time.monotonic()
        if now - (ended or began) > (5 if ended else 120):
            raise Late(f"the flood's {'keys were' if ended else 'last line was'} not drawn")
        if not ended and now >= due:
            due += EVERY
            if row >= ROW and not sent:  # a key that is cleared at once is never drawn
                on.write(CLEAR)
                row = 0
            else:
                letter = RARE[typed % len(RARE)]
                sent[letter] = on.write(letter)
                typed, row = typed + 1, row + 1
        data = on.read(min(0.1, due - time.monotonic()) if not ended else 0.1)
        now = time.monotonic()
        kept = kept[-2:] + data
        drawn = [letter for letter in sent if letter in kept]
        echoes += [(now - sent.pop(letter)) * 1000 for letter in drawn]
        if not ended and sign in kept:
            ended = now
    on.write(CLEAR)
    on.settle(0.1)
    return FLOOD / (ended - began), echoes


def first_key(argv: list[str], home: Path, size: tuple[int, int], shows: bytes) -> list[float]:
    """Milliseconds from the spawn until the first key's echo, and until `shows` is drawn."""
    with program(argv, home, size) as on:
        key = RARE[0]
        on.write(key)
        kept, echoed, shown = b"", 0.0, 0.0 if shows else 1.0
        again = on.spawned + 1
        while not (echoed and shown):
            now = time.monotonic()
            if now > again and not echoed:  # it was thrown away with what the terminal had
                on.write(key)
                again += 1
            if now > on.spawned + 20:
                raise Late("no key was echoed" if not echoed else "no line was drawn")
            kept = kept[-4:] + on.read(0.1)
            now = time.monotonic()
            if not echoed and key in kept:
                echoed = now
            if not shown and shows in kept:
                shown = now
        return [(echoed - on.spawned) * 1000, (shown - on.spawned) * 1000]


def start(sender: Sender, home: Path, size: tuple[int, int], pairs: int) -> dict[str, float]:
    """First keys in pairs, the client's and a bare application's, after a warm-up of both; who is
    first changes from pair to pair."""
    client, bare = sender.client("start", 200), [sys.executable, "-c", BARE]
    found: list[tuple[float, float, float]] = []
    began = time.monotonic()
    for turn in range(pairs + 1):
        if len(found) >= FEWEST and time.monotonic() - began > START_TIME:
            say(f"{len(found)} pairs of {pairs}: the time is over")
            break
        other = first_key(bare, home / "bare", size, b"")[0] if turn % 2 else 0.0
        echoed, shown = first_key(client, home / "start", size, LOADED[0].encode())
        other = other or first_key(bare, home / "bare", size, b"")[0]
        if turn:
            found.append((echoed, shown, other))
    quotients = [echoed / other for echoed, _, other in found]
    low, half, high = statistics.quantiles(quotients, n=4, method="inclusive")
    medians = (round(statistics.median(times), 1) for times in zip(*found, strict=True))
    made = dict(zip(("first_key_ms", "room_shown_ms", "bare_first_key_ms"), medians, strict=True))
    made |= {"first_key_to_bare": round(half, 3), "pairs": len(found)}
    return made | {
        "first_key_to_bare_q1": round(low, 3),
        "first_key_to_bare_q3": round(high, 3),
    }


def peers(stack: ExitStack, home: Path, sizes: list[tuple[int, int]]) -> list[Cell]:
    """Other clients that are installed, with 10,000 lines of their own `/exec`."""
    text = home / "lines.txt"
    ending = f"{line(0)[:40]} {LOADED}"
    text.write_text("\n".join([*map(line, range(1, PEER_LINES)), ending]) + "\n")
    cells = []
    for name, args in PEERS.items():
        if shutil.which(name) is None:
            say(f"left out: {name} is not installed")
            continue
        for size in sizes:
            place = home / "{}-{}x{}".format(name, *size)
            argv = [arg.format(home=place) for arg in args]
            on = stack.enter_context(program(argv, place, size))
            on.settle(1.5)
            on.write(f"/exec cat {text}\r".encode())
            cells.append(Cell(name, size, PEER_LINES, on))
    return cells


def measure(stack: ExitStack, options: argparse.Namespace) -> dict[str, object]:
    """Everything that was asked for."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    sender = Sender()
    stack.callback(sender.end)
    begun: dict[str, float] = {}
    if "start" in options.only:
        say("start")
        begun = start(sender, home, options.sizes[0], QUICK_PAIRS if options.quick else PAIRS)
    cells: list[Cell] = []
    counts = options.lines if "key" in options.only else [min(options.lines)]
    if {"key", "flood"} & set(options.only):
        for size in options.sizes:
            for count in counts:
                name = "c{}x{}-{}".format(*size, count)
                on = stack.enter_context(program(sender.client(name, count), home / name, size))
                cells.append(Cell("ipcchat", size, count, on))
        ours = list(cells)
        if "key" in options.only:
            cells += peers(stack, home, options.sizes)
        load(cells)
        if "key" in options.only:
            for press, turns in (
                (Cell.press_keys, 12),
                (Cell.press_pages, 10),
                (Cell.press_deep_pages, MARKS),
            ):
                say(press.__name__.replace("_", " "))
                for _ in range(turns - 2 if options.quick else turns):
                    for cell in random.sample(cells, len(cells)):
                        press(cell)
    floods: dict[str, dict[str, float]] = {}
    if "flood" in options.only:
        few = [cell for cell in ours if cell.lines == min(options.lines)]
        rates: dict[str, list[float]] = defaultdict(list)
        echoes: dict[str, list[float]] = defaultdict(list)
        for number in range(3 if options.quick else 8):
            for cell in few:
                at = cell.at
                say(f"flood at {at}")
                rate, times = flood(cell, sender, f"c{at}-{cell.lines}", number + 1)
                rates[at].append(rate)
                echoes[at] += times
        floods = {
            at: {
                "messages_per_s": round(statistics.median(rates[at])),
                "key_p50_ms": middle(times),
                "key_p99_ms": p99(times),
                "keys": len(times),
            }
            for at, times in echoes.items()
        }
    measured = [cell for cell in cells if cell.keys]
    wanted = targets(cells, floods, begun)
    show(measured, floods, begun, wanted)
    return {
        "cells": [cell.figures() for cell in measured],
        "flood": floods,
        "start": begun,
        "ratios": ratios(measured, begun),
        "targets": {target.name: target.figures() for target in wanted},
    }


def _sizes(text: str) -> list[tuple[int, int]]:
    pairs = (one.split("x") for one in text.split(","))
    return [(int(columns), int(rows)) for columns, rows in pairs]


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def _parts(text: str) -> list[str]:
    wrong = set(text.split(",")) - {"key", "flood", "start"}
    if wrong:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(wrong)}")
    return text.split(",")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lines", type=_numbers, default="10000,100000,1000000")
    parser.add_argument("--sizes", type=_sizes, default="80x24,200x50")
    parser.add_argument("--only", type=_parts, default="key,flood,start")
    parser.add_argument("--quick", action="store_true", help="without the most lines, fewer keys")
    options = parser.parse_args()
    if options.quick:
        options.lines = [count for count in options.lines if count <= 100_000]
    machine = describe()
    for package in ("prompt_toolkit", "wcwidth"):
        machine[package] = importlib.metadata.version(package)
    for name, value in machine.items():
        print(f"{name:14} {value}")
    try:
        with ExitStack() as stack:
            found = measure(stack, options)
    except Late as error:
        print(f"tui: {error}", file=sys.stderr)
        return 1
    print(f"ratios   {found['ratios']}")
    print(json.dumps({"benchmark": "tui", **found, "machine": machine}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
