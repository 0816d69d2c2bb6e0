"""How often the screen is drawn: keys at once, the network on a grid, the clock now and then.

On a loop that is a server's too, talk goes first: while there is much of it, what the network
brings is drawn five times a second. Much is told by the requests to draw, since a loop that is
busy all the time need not be late: `_CALM` of them a second are never much, and up to `_BURST`
beyond that may come at once. Whoever says a line now and then sees it at once. A key never waits:
it is drawn by whoever takes it.
"""

import asyncio
from collections.abc import Callable

from ipcchat.clock import now

__all__ = ["Pace"]

_LAGGING, _LATE = 1 / 5, 0.02
"""Seconds between drawings where one came that late, or there is much talk on a server's loop."""
_CALM, _BURST, _FULL = 20.0, 5.0, 10.0
"""Requests a second that run out of a bucket; above which level there is much talk; its size."""
_CLOCK = 15.0
"""Seconds between two looks at the clock in the status line."""


class Pace:
    """Owns the timers. `prepare` is called before what the network brought is drawn."""

    def __init__(
        self,
        prepare: Callable[[], None],
        draw: Callable[[], None],
        per_second: int,
        *,
        serves: bool = False,
    ) -> None:
        """`serves`: the loop is a server's too."""
        self._prepare = prepare
        self._draw = draw
        self.per_second = per_second
        """Drawings that the network asks for, at most."""
        self._serves = serves
        self._frame: asyncio.TimerHandle | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._lags = False
        self._asked = 0
        """Requests since the last drawing."""
        self._level = 0.0
        """What was in the bucket then, and when that was."""
        self._drawn = float("-inf")

    @property
    def awaited(self) -> bool:
        """Whether a drawing is due in a moment."""
        return self._frame is not None

    def soon(self) -> None:
        """Something has changed."""
        self._asked += 1
        if self._frame is None:
            loop = asyncio.get_running_loop()
            when = loop.time() + 1 / self.per_second
            if self._lags:
                when = max(when, self._drawn + _LAGGING)
            self._frame = loop.call_at(when, self._due)

    def _due(self) -> None:
        frame, self._frame = self._frame, None
        time = asyncio.get_running_loop().time()
        self._lags = frame is not None and time - frame.when() > _LATE
        if self._serves:
            level = self._level + self._asked - (time - self._drawn) * _CALM
            self._level = min(_FULL, max(0.0, level))
            self._lags = self._lags or self._level > _BURST
        self._asked, self._drawn = 0, time
        self._prepare()
        self._draw()

    def begin(self) -> None:
        """The clock runs from now on."""
        loop = asyncio.get_running_loop()
        self._clock = loop.call_later(_CLOCK - now().second % _CLOCK + 0.1, self.begin)
        self._draw()

    def end(self) -> None:
        """Nothing is drawn by itself any more."""
        for timer in (self._frame, self._clock):
            if timer is not None:
                timer.cancel()
        self._frame = self._clock = None
