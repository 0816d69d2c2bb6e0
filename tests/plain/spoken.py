"""The plain screen on a real pty, and what it said: from the byte stream alone."""

import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
from tests.support import environment
from wcwidth import iter_graphemes, width

__all__ = ["ROOT", "Spoken", "said", "spoken"]

ROOT = Path(__file__).parent.parent.parent
DRIVER = Path(__file__).with_name("driver.py")


def said(stream: str, columns: int = 1 << 20) -> str:
    """The text of a stream, after what it took back: lines as they stand there. Rows that the
    program ended because they were full are one line."""
    lines: list[str] = []
    row: list[str] = []
    column = 0
    whole = ""
    for char in stream.replace("\r\n", "\n"):
        if char == "\n":
            lines.append((whole + "".join(row)).rstrip())
            row, column, whole = [], 0, ""
        elif char == "\r":
            assert whole  # a row that was full
            column = 0
        elif char == "\b":
            assert column, row
            column -= 1
        elif char != "\a":
            before = "".join(row[:column])
            if before and len(list(iter_graphemes(before[-8:] + char))) == len(
                list(iter_graphemes(before[-8:]))
            ):
                at = max(n for n in range(column) if row[n])
                row[at] += char
                wide = max(0, width(row[at]))
                row[at + 1 :] = [""] * (wide - 1)
                column = at + max(1, wide)
            else:
                wide = max(0, width(char))
                if column + wide > columns:
                    whole += "".join(row[:columns])
                    row, column = [], 0
                row[column : column + wide] = [char, *[""] * (wide - 1)][:wide]
                column += wide
    return "\n".join([*lines, whole + "".join(row[:column])])


class Spoken:
    """One program on one pty. Everything that it writes must be free of escapes."""

    def __init__(self, args: list[str], home: Path, columns: int, **env: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "run").mkdir(mode=0o700, exist_ok=True)
        self.raw = b""
        self._columns = columns
        self.child = pexpect.spawn(
            args[0],
            args[1:],
            env={
                **environment(home, **env),
                "TERM": "dumb",
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            },
            dimensions=(24, columns),
            cwd=str(home),
            timeout=20,
        )
        self.child.delaybeforesend = None
        # Nothing to wait for: it has ended when it is closed.
        self.child.ptyproc.delayafterclose = 0  # type: ignore[attr-defined]

    def type(self, text: str) -> None:
        """Types text, at once."""
        os.write(self.child.child_fd, text.encode())

    def line(self, text: str) -> None:
        """Types a line, and when it stands there, Enter: nobody types lines ahead at once."""
        self.type(text)
        self.wait(lambda said: said.endswith(f"> {text}"))
        self.type("\r")

    def modes(self) -> list[Any]:
        """The terminal's modes at present."""
        return termios.tcgetattr(self.child.child_fd)

    @property
    def text(self) -> str:
        """What was said, and stands there."""
        assert b"\x1b" not in self.raw, self.raw
        return said(self.raw.decode(errors="ignore"), self._columns)

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
        return bool(data)

    def wait(self, says: str | Callable[[str], bool], seconds: float = 15) -> str:
        """Waits until a text was said, or a condition is fulfilled; returns all that was said."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text
            if says in text if isinstance(says, str) else says(text):
                return text
            left = deadline - time.monotonic()
            if left <= 0 or not self.pump(left):
                raise AssertionError(f"not said: {says!r}\n{self.text}")

    def ended(self, seconds: float = 15) -> int:
        """Waits for the program's end; its exit code."""
        deadline = time.monotonic() + seconds
        while self.pump(max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise AssertionError(f"still running\n{self.text}")
        self.child.wait()
        if self.child.signalstatus is not None:
            return -int(self.child.signalstatus)
        assert self.child.exitstatus is not None
        return int(self.child.exitstatus)

    def count(self, pattern: str) -> int:
        """How many lines match."""
        return len(re.findall(pattern, self.text, re.MULTILINE))


@contextmanager
def spoken(
    *args: str, home: Path, columns: int = 80, command: list[str] | None = None, **env: str
) -> Iterator[Spoken]:
    """The driver with these arguments, or `command`, on a pty; ended with the block."""
    made = Spoken(command or [sys.executable, str(DRIVER), *args], home, columns, **env)
    try:
        yield made
        assert b"\x1b" not in made.raw
    finally:
        if made.child.isalive():
            made.child.kill(signal.SIGTERM)
            try:
                made.ended(5)
            except AssertionError:
                made.child.kill(signal.SIGKILL)
        made.child.close(force=True)
