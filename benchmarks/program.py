"""A program on a pty of its own, whose keys and drawings are timed."""

import os
import select
import signal
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support import environment

__all__ = ["LONGEST", "Late", "Program", "program"]

LONGEST = 360.0
"""Seconds that everything together may take."""
_END = time.monotonic() + LONGEST
ANSWERS = {
    b"\x1b]11;?": b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[6n": b"\x1b[1;1R",
}
"""What a terminal answers to what it is asked."""


class Late(Exception):
    """What was waited for did not come."""


class Program:
    """A program on a pty of its own, without the pty's echo."""

    def __init__(self, argv: list[str], home: Path, size: tuple[int, int], **env: str) -> None:
        columns, rows = size
        (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        values = {
            **environment(home, IPCCHAT_PLAINTEXT="true", **env),
            "TERM": "xterm-256color",
            "COLORTERM": "",
            "LC_ALL": "C.UTF-8",
            # As installed: with bytecode, whatever the source tree is kept like.
            "PYTHONPYCACHEPREFIX": str(home.parent / "bytecode"),
        }
        values.pop("PYTHONDONTWRITEBYTECODE", None)
        self.fd, inner = os.openpty()
        modes = termios.tcgetattr(inner)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(inner, termios.TCSANOW, modes)
        termios.tcsetwinsize(inner, (rows, columns))
        self.spawned = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.login_tty(inner)
                os.closerange(3, 256)
                os.execvpe(argv[0], argv, values)
            finally:
                os._exit(127)
        os.close(inner)
        self._told = b""

    def write(self, data: bytes) -> float:
        """Types; when."""
        now = time.monotonic()
        os.write(self.fd, data)
        return now

    def read(self, seconds: float) -> bytes:
        """What has been drawn; nothing where nothing came in so many seconds. Raises Late."""
        if time.monotonic() > _END:
            raise Late(f"everything took more than {LONGEST:.0f} s")
        if not select.select([self.fd], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            told = self._told.decode(errors="replace").strip()
            raise Late(f"the program ended: {told}") from None
        self._told = data[-300:]
        for question, answer in ANSWERS.items():
            if question in data:
                os.write(self.fd, answer)
        return data

    def settle(self, seconds: float = 0.01) -> float:
        """Reads until nothing came for so many seconds; when the last byte came."""
        last = time.monotonic()
        while self.read(seconds):
            last = time.monotonic()
        return last

    def until(self, shown: bytes, seconds: float = 10) -> float:
        """Reads until that is drawn; when. Raises Late."""
        end = time.monotonic() + seconds
        kept = b""
        while (now := time.monotonic()) < end:
            kept = kept[-len(shown) :] + self.read(end - now)
            if shown in kept:
                return time.monotonic()
        raise Late(f"{shown!r} was not drawn within {seconds:.0f} s")

    def cpu(self) -> float:
        """Seconds of CPU that all its threads have used."""
        used = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                used += int((task / "schedstat").read_text().split()[0])
        return used / 1e9

    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def end(self) -> None:
        """Ends it, and reads on meanwhile so that it can."""
        for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                with suppress(OSError):
                    if select.select([self.fd], [], [], 0.01)[0]:
                        os.read(self.fd, 1 << 16)
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self.fd)
                    return


@contextmanager
def program(argv: list[str], home: Path, size: tuple[int, int], **env: str) -> Iterator[Program]:
    """A program on a pty, ended with the block."""
    made = Program(argv, home, size, **env)
    try:
        yield made
    finally:
        made.end()
