"""Lines that come from a pipe or a file, done one after the other."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from ipcchat.client.session import Session
from ipcchat.plain.terminal import Terminal

__all__ = ["Pipe"]

_AHEAD = 50
"""Lines that wait for the server at most; then no more is read."""
_LAST = 3.0
"""Seconds that the entries of what was acknowledged may take at the end."""
_LONGEST = 256 * 1024
"""Characters that are a line even without an end: they can't be a message anyway."""


class Screen(Protocol):
    """What lines are done to."""

    session: Session

    @property
    def asked(self) -> bool: ...
    @property
    def busy(self) -> bool: ...
    def answer(self, key: str) -> None: ...
    def submit(self, line: str) -> None: ...


class Pipe:
    """Owns the lines that were read and are not done yet."""

    def __init__(self, screen: Screen, terminal: Terminal) -> None:
        self._screen = screen
        self._terminal = terminal
        self._lines: deque[str] = deque()
        self._rest = ""
        self._ended = False
        self._moved = asyncio.Event()

    def chars(self, chars: str) -> None:
        """Something was read; no more is until it is done."""
        *lines, self._rest = (self._rest + chars).split("\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = ""
        self._lines.extend(line.removesuffix("\r") for line in lines)
        if lines:
            self._terminal.pause()
        self.look()

    def end(self) -> None:
        """Nothing more will be read."""
        if self._rest:
            self._lines.append(self._rest)
            self._rest = ""
        self._ended = True
        self.look()

    def look(self) -> None:
        """Something has changed that may have been waited for."""
        self._moved.set()

    async def run(self) -> None:
        """Does every line; returns at the end, once all that was said has an outcome."""
        model = self._screen.session.model
        await self._until(lambda: bool(model.current))
        while True:
            await self._until(lambda: self._ended or bool(self._lines))
            if not self._lines:
                break
            line = self._lines.popleft()
            if self._screen.asked:
                self._screen.answer(line.strip()[:1])
            elif line.strip():
                # What a command does comes after what was said before it.
                most = 1 if line.startswith("/") else _AHEAD
                await self._until(partial(self._calm, most))
                self._screen.submit(line)
            await self._until(lambda: not self._screen.busy)
            if not self._lines and not self._ended:
                self._terminal.resume()
        await self._until(lambda: not (self._sending or self._screen.busy))
        with suppress(TimeoutError):  # what was done is said, too, as soon as it comes back
            async with asyncio.timeout(_LAST):
                await self._until(lambda: not self._expected)

    @property
    def _expected(self) -> bool:
        """Whether something was acknowledged whose entry has not come yet."""
        rooms = self._screen.session.model.rooms.values()
        return any(item.state == "sent" for room in rooms for item in room.pending)

    def _calm(self, most: int) -> bool:
        return self._sending < most

    @property
    def _sending(self) -> int:
        return sum(pending.state == "sending" for _, pending in self._screen.session.unsent)

    async def _until(self, fulfilled: Callable[[], bool]) -> None:
        while not fulfilled():
            self._moved.clear()
            await self._moved.wait()
