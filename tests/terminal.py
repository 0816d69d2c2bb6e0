"""A program on a real pty, and what it shows: bytes go through pyte, tests read the screen."""

import os
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte
from tests.support import environment

__all__ = ["Terminal", "clockless", "terminal"]

KEYS = {
    "enter": "\r",
    "tab": "\t",
    "pgup": "\x1b[5~",
    "pgdn": "\x1b[6~",
    "up": "\x1b[A",
    "ctrl-c": "\x03",
    "ctrl-n": "\x0e",
    "ctrl-u": "\x15",
    "esc": "\x1b",
    "delete": "\x1b[3~",
    "f1": "\x1bOP",
    "down": "\x1b[B",
    "shift-tab": "\x1b[Z",
}


_SHELL = f"""
"$@"
code=$?
while [ $code = {128 + signal.SIGTSTP} ]; do
    echo in the shell
    read -r _
    fg > /dev/null
    code=$?
done
exit $code
"""


class Terminal:
    """One program on one pty."""

    def __init__(
        self,
        args: list[str],
        home: Path,
        columns: int,
        rows: int,
        *,
        shell: bool = False,
        **env: str,
    ) -> None:
        """`shell`: under one that can stop it; a line then brings it back."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "run").mkdir(mode=0o700, exist_ok=True)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        program, *rest = [sys.executable, "-m", "ipcchat", *args]
        if shell:
            program, rest = "sh", ["-mc", _SHELL, "sh", program, *rest]
        self.child = pexpect.spawn(
            program,
            rest,
            env={**environment(home, **env), "TERM": "xterm-256color", "COLORTERM": ""},
            dimensions=(rows, columns),
            cwd=str(home),
            timeout=20,
        )
        self.child.delaybeforesend = None
        # Nothing to wait for: it has ended when it is closed.
        self.child.ptyproc.delayafterclose = 0  # type: ignore[attr-defined]

    def resize(self, columns: int, rows: int) -> None:
        """The window's size changes."""
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def type(self, text: str) -> None:
        """Types text as a keyboard would."""
        self.child.send(text)

    def press(self, *keys: str) -> None:
        """Presses named keys (`KEYS`)."""
        for key in keys:
            self.child.send(KEYS[key])

    def line(self, text: str) -> None:
        """Types a line and Enter."""
        self.type(text)
        self.press("enter")

    def paste(self, text: str) -> None:
        """A bracketed paste."""
        self.child.send(f"\x1b[200~{text}\x1b[201~")

    def noise(self, text: str) -> None:
        """Something else writes to the same terminal."""
        self._stream.feed(text.encode())

    def text(self) -> str:
        """The screen as plain text."""
        # Not `screen.display`, which fails where half of a wide character was overwritten.
        rows = (self.screen.buffer[y] for y in range(self.screen.lines))
        cells = range(self.screen.columns)
        return "\n".join("".join(row[x].data for x in cells).rstrip() for row in rows)

    def pump(self, seconds: float) -> bool:
        """Takes in what the program writes within so many seconds; false at its end."""
        ready, _, _ = select.select([self.child.child_fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.child.child_fd, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def wait(self, shows: str | Callable[[str], bool], seconds: float = 15) -> str:
        """Waits until the screen shows a text, or fulfils a condition; returns the screen."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text()
            if shows in text if isinstance(shows, str) else shows(text):
                return text
            left = deadline - time.monotonic()
            if left <= 0 or not self.pump(left):
                self.pump(0)
                text = self.text()
                if shows in text if isinstance(shows, str) else shows(text):
                    return text
                raise AssertionError(f"not shown: {shows!r}\n{text}")

    def ended(self, seconds: float = 15) -> int:
        """Waits for the program's end; its exit code."""
        deadline = time.monotonic() + seconds
        while self.pump(max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise AssertionError(f"still running\n{self.text()}")
        self.child.wait()
        if self.child.signalstatus is not None:
            return -int(self.child.signalstatus)
        assert self.child.exitstatus is not None
        return int(self.child.exitstatus)

    def kill(self) -> None:
        """kill -9."""
        self.child.kill(signal.SIGKILL)
        self.ended()


def clockless(text: str) -> str:
    """What a screen shows, whatever the time in its status line."""
    return re.sub(r" \[\d\d:\d\d\] ", " [--:--] ", text)


@contextmanager
def terminal(
    *args: str,
    home: Path,
    columns: int = 80,
    rows: int = 24,
    shell: bool = False,
    **env: str,
) -> Iterator[Terminal]:
    """`python -m ipcchat ARGS` on a pty of that size; ended with the block."""
    made = Terminal(list(args), home, columns, rows, shell=shell, **env)
    try:
        yield made
    finally:
        if made.child.isalive():
            made.child.kill(signal.SIGTERM)
            try:
                made.ended(5)
            except AssertionError:
                made.child.kill(signal.SIGKILL)
        made.child.close(force=True)
