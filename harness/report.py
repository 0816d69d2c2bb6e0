"""The last line of every harness: one JSON object, and the exit code that goes with it."""

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping

from benchmarks.machine import describe

from harness.shim import NoCompiler

__all__ = ["judged", "report"]


def judged(harness: str, work: Callable[[], dict[str, object]]) -> int:
    """Runs a harness, whose figures say whether it was `clean`, and prints its line; one that
    fails prints one, too. Returns the exit code."""
    start = time.monotonic()
    try:
        figures = work()
    except NoCompiler as error:
        print(error, file=sys.stderr)
        return 69
    except Exception as error:
        traceback.print_exc()
        figures = {"error": repr(error), "clean": False}
    figures["seconds"] = round(time.monotonic() - start, 1)
    return report(harness, bool(figures.pop("clean")), figures)


def report(harness: str, clean: bool, figures: Mapping[str, object]) -> int:
    """Prints the line; returns 0 where all is well, else 1."""
    line = {"harness": harness, **figures, "ok": clean, "machine": describe()}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 0 if clean else 1
