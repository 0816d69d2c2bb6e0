"""Standard streams beside an event loop: a stalled pipe must never stall the loop.

The rules of this file:

- Reading and writing that may block is done by a daemon thread with plain `os.read` and
  `os.write`: no lock and no join can keep the program from ending.
- What waits to be written is bounded in bytes. `write` waits for room; `offer` drops past the
  bound, and says later how much.
- What is read waits for its reader: one chunk at a time.
"""

import asyncio
import contextlib
import os
import queue
import stat
import sys
import threading
from collections.abc import AsyncIterator

from ipcchat.errors import FileError

__all__ = ["LIMIT", "Writer", "read_chunks"]

LIMIT = 256 * 1024
"""Bytes that may wait to be written."""
_CHUNK = 64 * 1024


class Writer:
    """Writes to a file descriptor, in order. To be used on the running loop alone."""

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self._encoding = encoding
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting = 0
        self._dropped = 0
        self._error: BrokenPipeError | FileError | None = None
        self._moved = asyncio.Event()
        self.gone = asyncio.Event()
        """Set when nobody reads any more. For a pipe that is known at once, else by writing."""
        self._watching = _is_pipe(fd)
        if self._watching:
            self._loop.add_reader(fd, self._hung_up)
        threading.Thread(target=self._work, name=f"writer {fd}", daemon=True).start()

    async def write(self, text: str) -> None:
        """Writes, once there is room. Raises BrokenPipeError where nobody reads, FileError."""
        while self._waiting > LIMIT and self._error is None:
            await self._move()
        if self._error is not None:
            raise self._error
        self._push(text)

    def offer(self, text: str) -> None:
        """Writes, or drops the text where too much waits already."""
        if self._error is not None or self._waiting > LIMIT:
            self._dropped += 1
            return
        if self._dropped:
            self._push(f"… {self._dropped} lines were not written: nobody took them in time\n")
            self._dropped = 0
        self._push(text)

    async def flush(self) -> None:
        """Waits until everything is written. Raises BrokenPipeError, FileError."""
        while self._waiting and self._error is None:
            await self._move()
        if self._error is not None:
            raise self._error

    async def close(self, seconds: float = 1.0) -> None:
        """Gives what waits a moment, then ends; never raises."""
        with contextlib.suppress(OSError, FileError, TimeoutError):
            async with asyncio.timeout(seconds):
                await self.flush()
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._fd)

    async def _move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _push(self, text: str) -> None:
        data = text.encode(self._encoding, "backslashreplace")
        self._waiting += len(data)
        self._queue.put(data)

    def _hung_up(self) -> None:
        """A pipe's writing end shows as readable when its reader is gone."""
        self._fail(BrokenPipeError("nobody reads"))

    def _fail(self, error: OSError) -> None:
        if self._error is None:
            if isinstance(error, BrokenPipeError):
                self._error = error
            else:
                reason = (error.strerror or str(error)).lower()
                self._error = FileError(f"cannot write the output: {reason}")
        self.gone.set()
        self._moved.set()
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._fd)

    def _written(self, size: int) -> None:
        self._waiting -= size
        self._moved.set()

    def _work(self) -> None:
        # The loop may be closed before the last report; then nobody wants it.
        with contextlib.suppress(RuntimeError):
            while True:
                data = self._queue.get()
                with contextlib.suppress(queue.Empty):
                    while len(data) < _CHUNK:
                        data += self._queue.get_nowait()
                size = len(data)
                try:
                    while data:
                        data = data[os.write(self._fd, data) :]
                except OSError as error:
                    self._loop.call_soon_threadsafe(self._fail, error)
                    return
                self._loop.call_soon_threadsafe(self._written, size)


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


async def read_chunks() -> AsyncIterator[bytes]:
    """Standard input as it comes. Raises FileError."""
    if sys.stdin is None:
        raise FileError("cannot read standard input: it is closed")
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    taken = threading.Semaphore()

    def work() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants it
            found: bytes | OSError = b" "
            while found and isinstance(found, bytes):
                taken.acquire()
                try:
                    found = os.read(0, _CHUNK)
                except OSError as error:
                    found = error
                loop.call_soon_threadsafe(arrived.put_nowait, found)

    threading.Thread(target=work, name="standard input", daemon=True).start()
    while True:
        found = await arrived.get()
        if isinstance(found, OSError):
            reason = (found.strerror or str(found)).lower()
            raise FileError(f"cannot read standard input: {reason}")
        if not found:
            return
        yield found
        taken.release()
