"""The way to the terminal: text goes out without waiting for whoever reads it.

A terminal that is not read (a paused window, a stalled link) must not stop a loop that serves
others. What it can't take waits here; `waits` says so, and who draws leaves frames out meanwhile,
so that no more than a frame ever waits.
"""

import asyncio
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress

from prompt_toolkit.output import Output

__all__ = ["Outlet"]

_LAST = 1.0
"""Seconds that the last words may take."""


class Outlet:
    """Writes to a description of the terminal of our own, so that its not waiting concerns nobody
    else; where there is none, to prompt_toolkit's output. `drained`: all that waited has gone."""

    def __init__(self, output: Output, drained: Callable[[], None]) -> None:
        self._output = output
        self._drained = drained
        self._fd = -1
        self._tried = False
        self._waiting = b""

    @property
    def waits(self) -> bool:
        """Whether the terminal has not taken everything yet."""
        return bool(self._waiting)

    def send(self, text: str) -> None:
        """Sends text and escapes, in order. What can't be encoded is left out."""
        if not self._tried:
            self._tried = True
            self._open()
        if self._fd < 0:
            self._output.write_raw(text)
            with suppress(OSError):  # the terminal is gone: its input says so, too
                self._output.flush()
            return
        data = text.encode(self._output.encoding(), "ignore")
        if self._waiting:
            self._waiting += data
            return
        self._waiting = data
        self._write()
        if self._waiting:
            with suppress(RuntimeError):  # no loop runs: `end` takes care of it
                asyncio.get_running_loop().add_writer(self._fd, self._go_on)

    def _open(self) -> None:
        with suppress(OSError, ValueError, NotImplementedError):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            self._fd = os.open(os.ttyname(self._output.fileno()), flags)

    def _write(self) -> None:
        try:
            self._waiting = self._waiting[os.write(self._fd, self._waiting) :]
        except BlockingIOError:
            pass
        except OSError:  # the terminal is gone
            self._waiting = b""

    def _go_on(self) -> None:
        self._write()
        if not self._waiting:
            self._forget()
            self._drained()

    def _forget(self) -> None:
        with suppress(RuntimeError):
            asyncio.get_running_loop().remove_writer(self._fd)

    def end(self) -> None:
        """Others use the terminal now. What still waits has a moment to go."""
        if self._fd < 0:
            self._tried = False
            return
        if self._waiting:
            self._forget()
            until = time.monotonic() + _LAST
            while self._waiting and (left := until - time.monotonic()) > 0:
                select.select((), (self._fd,), (), left)
                self._write()
            self._waiting = b""
        os.close(self._fd)
        self._fd, self._tried = -1, False
