"""The last line of every harness: one JSON object, and the exit code that goes with it."""

import json
import time
from collections.abc import Mapping

from benchmarks.machine import describe

__all__ = ["Stopwatch", "report"]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._start, 1)


def report(harness: str, clean: bool, figures: Mapping[str, object]) -> int:
    """Prints the line; returns 0 where all is well, else 1."""
    line = {"harness": harness, **figures, "ok": clean, "machine": describe()}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 0 if clean else 1
