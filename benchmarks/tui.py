"""How fast the client's screen is, on a real pty.

    python -m benchmarks.tui [--lines 10000,100000,1000000] [--sizes 80x24,200x50] [--quick]
                             [--only key,flood,start]

The server is `benchmarks.screenfeed`, which only sends what is prepared. Nothing is emulated: a key
is echoed when what it typed is read from the pty, a page is drawn when the last byte has come
before 15 ms of silence.

key: clients of every size and number of lines live side by side and take turns, a burst of keys at
their end each, then pages up, so that ratios come from the same minutes. CPU is that of all threads
of the client. flood: 100,000 messages at once, to the client with the fewest lines; done when the
last one is on the screen; a key is typed every 20 ms meanwhile. start: a key is typed at the spawn;
until its echo, by turns with a bare application of prompt_toolkit that shows a prompt. WeeChat and
irssi, where installed, get the same keys and pages on 10,000 lines. One table, one JSON line.
"""

import argparse
import importlib.metadata
import json
import random
import select
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.screenfeed import LOADED, LONGEST, Late, Program, Sender, line, program

BARE = """
from prompt_toolkit.application import Application
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.widgets import TextArea
prompt = TextArea(height=1, prompt="> ", multiline=False)
Application(layout=Layout(HSplit([Window(), prompt])), full_screen=True).run()
"""
PEERS = {"weechat": ["weechat", "-d", "{home}"], "irssi": ["irssi", "--home={home}", "--noconnect"]}
PEER_LINES = 10_000

PAGE_UP, TO_TAIL, CLEAR = b"\x1b[5~", b"\x1b[1;3F", b"\x15"
LETTERS = b"ikovwxyz"
"""Typed where nothing else is drawn: no control sequence of a screen has them."""
RARE = [chr(code).encode() for code in range(0x1401, 0x1591)]
"""Typed during a flood: one column wide, and in none of the messages."""
BURST, PAGES, REPEAT = 20, 5, 9
FLOOD, EVERY, ROW = 100_000, 0.02, 30
"""Messages; seconds between two keys; keys after which the input is cleared."""
QUIET = 0.015
"""Seconds of silence after which a page is drawn."""
_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Progress."""
    print(f"{time.monotonic() - _BEGAN:5.0f} s  {text}", file=sys.stderr, flush=True)


# --- figures ------------------------------------------------------------------------------


def middle(values: list[float]) -> float:
    return round(statistics.median(values), 3)


def p99(values: list[float]) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3)


@dataclass
class Cell:
    """A program, a size and a number of lines, and what was measured; times in milliseconds."""

    name: str
    size: tuple[int, int]
    lines: int
    on: Program
    keys: list[float] = field(default_factory=list)
    key_cpu: list[float] = field(default_factory=list)
    """Of a key, the mean of a burst."""
    pages: list[float] = field(default_factory=list)
    page_cpu: list[float] = field(default_factory=list)
    memory: float = 0.0
    load: float = 0.0
    """Seconds from the spawn until the last line showed."""

    def press_keys(self) -> None:
        """A burst of keys, each when the one before has been drawn."""
        on, before = self.on, 0
        on.settle()
        used = on.cpu()
        for _ in range(BURST):
            letter = random.choice([one for one in LETTERS if one != before])
            start = on.write(bytes([letter]))
            self.keys.append((on.until(bytes([letter])) - start) * 1000)
            on.settle()
            before = letter
        self.key_cpu.append((on.cpu() - used) / BURST * 1000)
        on.write(CLEAR)
        on.settle()

    def press_pages(self) -> None:
        """Some pages up from where one is."""
        on = self.on
        on.settle(QUIET)
        used = on.cpu()
        for _ in range(PAGES):
            start = on.write(PAGE_UP)
            if not on.read(10):
                raise Late("a page up drew nothing")
            last = time.monotonic()
            self.pages.append((max(last, on.settle(QUIET)) - start) * 1000)
        self.page_cpu.append((on.cpu() - used) / PAGES * 1000)

    def figures(self) -> dict[str, object]:
        return {
            "program": self.name,
            "size": "{}x{}".format(*self.size),
            "lines": self.lines,
            "key_ms": middle(self.keys),
            "key_p99_ms": p99(self.keys),
            "key_cpu_ms": middle(self.key_cpu),
            "page_up_ms": middle(self.pages),
            "page_up_p99_ms": p99(self.pages),
            "page_up_cpu_ms": middle(self.page_cpu),
            "memory_mb": round(self.memory, 1),
            "load_s": round(self.load, 2),
        }


def load(cells: list[Cell]) -> None:
    """Waits until every client shows its last line."""
    sign = LOADED[0].encode()
    kept: dict[int, bytes] = defaultdict(bytes)
    waiting = {cell.on.fd: cell for cell in cells}
    while waiting:
        for fd in select.select(list(waiting), [], [], 1)[0]:
            kept[fd] = kept[fd][-len(sign) :] + waiting[fd].on.read(0)
            if sign in kept[fd]:
                cell = waiting.pop(fd)
                cell.load = time.monotonic() - cell.on.spawned
                cell.on.settle(0.3)
                cell.memory = cell.on.memory()
                say(f"{cell.lines:,} lines at {cell.size}: {cell.memory:.0f} MB, {cell.load:.1f} s")
        if time.monotonic() - _BEGAN > LONGEST:
            raise Late("the lines were not loaded in time")


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


def start(sender: Sender, home: Path, size: tuple[int, int], repeat: int) -> dict[str, float]:
    """First keys, the two by turns, after a warm-up of each."""
    client, bare = sender.client("start", 200), [sys.executable, "-c", BARE]
    found: dict[str, list[float]] = defaultdict(list)
    for turn in range(repeat + 1):
        echoed, shown = first_key(client, home / "start", size, LOADED[0].encode())
        other, _ = first_key(bare, home / "bare", size, b"")
        if turn:
            found["first_key_ms"].append(echoed)
            found["room_shown_ms"].append(shown)
            found["bare_first_key_ms"].append(other)
    return {name: round(statistics.median(values), 1) for name, values in found.items()}


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


# --- the report ---------------------------------------------------------------------------


def ratios(cells: list[Cell], begun: dict[str, float]) -> dict[str, float]:
    """Most lines ÷ fewest for each size; page-up ÷ WeeChat's; the start ÷ a bare one's."""
    made = {}
    for size in dict.fromkeys(cell.size for cell in cells):
        ours = sorted((c for c in cells if c.size == size and c.name == "ipcchat"), key=_lines)
        most, least, at = ours[-1], ours[0], "{}x{}".format(*size)
        made[f"key_{at}"] = middle(most.keys) / middle(least.keys)
        made[f"key_cpu_{at}"] = middle(most.key_cpu) / middle(least.key_cpu)
        made[f"page_up_{at}"] = middle(most.pages) / middle(least.pages)
        for peer in (c for c in cells if c.size == size and c.name != "ipcchat"):
            made[f"page_up_to_{peer.name}_{at}"] = middle(least.pages) / middle(peer.pages)
            made[f"key_to_{peer.name}_{at}"] = middle(least.keys) / middle(peer.keys)
    if begun:
        made["first_key_to_bare"] = begun["first_key_ms"] / begun["bare_first_key_ms"]
    return {name: round(value, 3) for name, value in made.items()}


def _lines(cell: Cell) -> int:
    return cell.lines


def show(cells: list[Cell], floods: dict[str, dict[str, float]], begun: dict[str, float]) -> None:
    """The table."""
    if cells and cells[0].keys:
        print("\nprogram  size         lines  key ms  p99     CPU  page-up ms  p99     CPU     MB")
    for row in (cell.figures() for cell in cells if cell.keys):
        print(
            f"{row['program']:8} {row['size']:7} {row['lines']:10,} {row['key_ms']:7.2f}"
            f" {row['key_p99_ms']:5.2f} {row['key_cpu_ms']:6.2f} {row['page_up_ms']:10.2f}"
            f" {row['page_up_p99_ms']:6.2f} {row['page_up_cpu_ms']:6.2f} {row['memory_mb']:6.0f}"
        )
    for at, one in floods.items():
        print(
            f"flood    {at:7} {one['messages_per_s']:10,} messages/s, a key meanwhile "
            f"{one['key_p50_ms']:.1f} ms, p99 {one['key_p99_ms']:.1f} ms"
        )
    for name, value in begun.items():
        print(f"start    {name} {value}")


def measure(stack: ExitStack, options: argparse.Namespace) -> dict[str, object]:
    """Everything that was asked for."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    sender = Sender()
    stack.callback(sender.end)
    begun: dict[str, float] = {}
    if "start" in options.only:
        say("start")
        begun = start(sender, home, options.sizes[0], 7 if options.quick else REPEAT)
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
            for press, turns in ((Cell.press_keys, 12), (Cell.press_pages, 10)):
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
                at = "{}x{}".format(*cell.size)
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
    show(cells, floods, begun)
    measured = [cell for cell in cells if cell.keys]
    return {
        "cells": [cell.figures() for cell in measured],
        "flood": floods,
        "start": begun,
        "ratios": ratios(measured, begun),
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
