"""How often the screen is drawn: keys at once, the network on a grid, the clock now and then."""

import asyncio
from collections.abc import Callable

from ipcchat.clock import now

__all__ = ["Pace"]

_LAGGING, _LATE = 1 / 5, 0.02
"""Seconds between drawings while they come that late: the loop is a busy server's too, and talk
goes first."""
_CLOCK = 15.0
"""Seconds between two looks at the clock in the status line."""


class Pace:
    """Owns the timers. `prepare` is called before what the network brought is drawn."""

    def __init__(
        self, prepare: Callable[[], None], draw: Callable[[], None], per_second: int
    ) -> None:
        self._prepare = prepare
        self._draw = draw
        self.per_second = per_second
        """Drawings that the network asks for, at most."""
        self._frame: asyncio.TimerHandle | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._lags = False

    @property
    def awaited(self) -> bool:
        """Whether a drawing is due in a moment."""
        return self._frame is not None

    def soon(self) -> None:
        """Something has changed."""
        if self._frame is None:
            wait = _LAGGING if self._lags else 1 / self.per_second
            self._frame = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        frame, self._frame = self._frame, None
        self._lags = frame is not None and asyncio.get_running_loop().time() - frame.when() > _LATE
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
