"""A client of one size with so many lines, and what a user does with it: keys, pages."""

import random
import select
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.program import LONGEST, Late, Program
from benchmarks.screenfeed import DEEP, LOADED, MARKS, mark

__all__ = ["CLEAR", "TO_TAIL", "Cell", "load", "middle", "p99", "say"]

PAGE_UP, TO_TAIL, SEARCH, ENTER, CLEAR = b"\x1b[5~", b"\x1b[1;3F", b"\x13", b"\r", b"\x15"
LETTERS = b"ikovwxyz"
"""Typed where nothing else is drawn: no control sequence of a screen has them."""
BURST, PAGES, DEEP_PAGES = 20, 5, 12
"""Keys; pages up; pages up in packed history: on a large screen more than a page of
`client/lines`, so that each burst comes to one that was not unpacked before."""
QUIET = 0.015
"""Seconds of silence after which a page is drawn."""
_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Progress."""
    print(f"{time.monotonic() - _BEGAN:5.0f} s  {text}", file=sys.stderr, flush=True)


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
    deep_pages: list[float] = field(default_factory=list)
    """In packed history."""
    deep_page_cpu: list[float] = field(default_factory=list)
    depth: int = 0
    """How many marks were gone to."""
    memory: float = 0.0
    load: float = 0.0
    """Seconds from the spawn until the last line showed."""

    @property
    def at(self) -> str:
        """The size, as people write it."""
        return "{}x{}".format(*self.size)

    @property
    def is_deep(self) -> bool:
        """Whether there is packed history with marks."""
        return self.name == "ipcchat" and self.lines >= DEEP

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
        self._pages(PAGES, self.pages, self.page_cpu)

    def press_deep_pages(self) -> None:
        """Some pages up from the next mark, which a search finds."""
        if not self.is_deep or self.depth == MARKS:
            return
        marks = mark(self.depth)
        self.depth += 1
        self.on.settle(QUIET)
        self.on.write(SEARCH + marks[0].encode())
        self.on.until(marks[1].encode(), 30)
        self.on.settle(0.1)
        self.on.write(ENTER)
        self._pages(DEEP_PAGES, self.deep_pages, self.deep_page_cpu)

    def _pages(self, count: int, times: list[float], cpu: list[float]) -> None:
        on = self.on
        on.settle(QUIET)
        used = on.cpu()
        for _ in range(count):
            start = on.write(PAGE_UP)
            if not on.read(10):
                raise Late("a page up drew nothing")
            last = time.monotonic()
            times.append((max(last, on.settle(QUIET)) - start) * 1000)
        cpu.append((on.cpu() - used) / count * 1000)

    def figures(self) -> dict[str, object]:
        found: dict[str, object] = {
            "program": self.name,
            "size": self.at,
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
        if self.deep_pages:
            found["page_up_packed_ms"] = middle(self.deep_pages)
            found["page_up_packed_p99_ms"] = p99(self.deep_pages)
            found["page_up_packed_cpu_ms"] = middle(self.deep_page_cpu)
        return found


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
