"""Whether the machine has slept: a laptop that wakes has dead connections, and should not wait for
their deadlines to find out."""

import asyncio
import sys
import time
from collections.abc import Callable

__all__ = ["Waking", "boot_time"]

LOOK = 2.0
"""Seconds between two looks."""
ASLEEP = 5.0
"""Seconds more than expected between two looks, that count as sleep: the machine's, or that of a
process that was stopped."""


def boot_time() -> float:
    """Seconds on a clock that goes on while the machine sleeps, as the loop's own need not."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.time()


class Waking:
    """Calls `woke` soon after a sleep, from `start` to `stop`."""

    def __init__(self, woke: Callable[[], None], clock: Callable[[], float] = boot_time) -> None:
        self._woke = woke
        self._clock = clock
        self._seen = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to look, on the running loop."""
        self._seen = self._clock()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self.look)

    def look(self) -> None:
        """Looks now, and again in a while."""
        self.stop()
        before, self._seen = self._seen, self._clock()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self.look)
        if self._seen - before > LOOK + ASLEEP:
            self._woke()

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
