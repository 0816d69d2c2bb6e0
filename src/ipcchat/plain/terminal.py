"""The terminal, or what is in its place: bytes in, text out, and modes that are always put back.

The rules of this file:

- Where keys are read, the terminal's own line editing and echo are off from `start` to `stop`, and
  while something else has the terminal (`release`, `take`). Output processing stays on: `\\n` is a
  new line.
- In the background neither modes nor keys are touched, which would stop the program until it has
  the terminal again: that is looked for now and then.
- Output never blocks: it is written to a description of our own that does not wait, or, where that
  can't be had, to the one given, whose flag is put back. What can't be written yet waits;
  `waits` says so, and whoever writes much asks it first.
- A pipe, a file, and a terminal without echo (another program edits the line) are read as they are.
"""

import asyncio
import codecs
import contextlib
import os
import signal
import termios
import threading
from collections.abc import Callable
from typing import Any, TextIO

__all__ = ["Terminal"]

_CHUNK = 64 * 1024
_LAST = 1.0
"""Seconds that the last words may take to be written."""
_TURN = 0.3
"""Seconds between two looks whether the terminal is ours again."""
_ATTRIBUTES = 3
"""Index of the local modes among a terminal's attributes."""
_CONTROLS = 6


class Terminal:
    """Owns both ends of the user. Made anywhere; `start` and what follows inside the loop."""

    def __init__(self, input: TextIO, output: TextIO) -> None:
        self._input = _descriptor(input)
        self._output = _descriptor(output)
        self._stream = output
        self._encoding = getattr(output, "encoding", None) or "utf-8"
        coding = getattr(input, "encoding", None) or "utf-8"
        self._decoder = codecs.getincrementaldecoder(coding)(errors="replace")
        self.shows = self._output >= 0 and os.isatty(self._output)
        """Whether the output is a terminal."""
        self._modes = self._attributes()
        echo = self._modes is not None and self._modes[_ATTRIBUTES] & termios.ECHO
        self.keys = bool(echo) and self.shows
        """Whether keys are read; else lines."""
        self.taken = False
        """Whether the terminal's modes are ours at present."""
        self._given = False
        """Whether something else was given the terminal, and will give it back."""
        self._idle = False
        """Whether reading goes on when the terminal is ours again."""
        self._turn: asyncio.TimerHandle | None = None
        self._own = -1
        """The description of our own."""
        self._blocking = False
        self._waiting = b""
        self._reading = False
        self._writing = False
        self._before: dict[int, Any] = {}
        self._drained = asyncio.Event()
        self.lost: OSError | None = None
        """Why nothing can be written any more."""
        self.failure: Exception | None = None
        """What went wrong in a callback: nobody else would hear of it."""
        self.on_chars: Callable[[str], None] = _ignore
        """Gets what was read."""
        self.on_end: Callable[[], None] = _nothing
        """The input has ended, or the terminal is gone."""
        self.on_drained: Callable[[], None] = _nothing
        """All that waited was written."""
        self.on_resize: Callable[[], None] = _nothing
        self.on_stop: Callable[[], None] = _nothing
        """Somebody wants the program to stop (SIGTSTP)."""
        self.on_continued: Callable[[], None] = _nothing
        """It goes on, with the terminal: others have written to it meanwhile."""

    @property
    def columns(self) -> int:
        """The width of the window."""
        try:
            return os.get_terminal_size(self._output).columns or 80
        except (OSError, ValueError):
            return 80

    def guarded(self, deed: Callable[[], None]) -> Callable[[], None]:
        """The deed as a callback of the loop: what it raises is kept, and is the end."""

        def do() -> None:
            try:
                deed()
            except Exception as error:
                self.failure = self.failure or error
                self.on_end()

        return do

    # --- modes ------------------------------------------------------------------------

    def _attributes(self) -> list[Any] | None:
        try:
            return termios.tcgetattr(self._input) if self._input >= 0 else None
        except termios.error:
            return None

    @property
    def _ours(self) -> bool:
        """Whether the terminal is this job's: a shell gives it to one after the other."""
        try:
            return os.tcgetpgrp(self._input) == os.getpgrp()
        except OSError:
            return True  # it controls no job, or is lost, which reads as the end

    def take(self) -> None:
        """Keys come one by one, and are not shown by the terminal: now, or when it is ours."""
        if not self.keys or self._modes is None:
            return
        self._given = False
        if not self._ours:
            self._leave()
            return
        self.taken = True
        made = list(self._modes)
        made[_ATTRIBUTES] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        made[0] &= ~termios.ICRNL
        made[1] |= termios.OPOST | termios.ONLCR
        made[_CONTROLS] = list(made[_CONTROLS])
        made[_CONTROLS][termios.VMIN], made[_CONTROLS][termios.VTIME] = 1, 0
        with contextlib.suppress(termios.error):  # it is lost: that reads as the end
            termios.tcsetattr(self._input, termios.TCSANOW, made)
        if self._idle:
            self._idle = False
            self.resume()

    def release(self) -> None:
        """The terminal is as it was. In the background it is another's."""
        if self.taken and self._modes is not None and self._ours:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._input, termios.TCSANOW, self._modes)
        self.taken, self._given = False, True

    def _leave(self) -> None:
        """The terminal is another job's: waits for it."""
        self.taken = False
        self._idle = self._idle or self._reading
        self.pause()
        if self._turn is None:
            loop = asyncio.get_running_loop()
            self._turn = loop.call_later(_TURN, self.guarded(self._look))

    def _look(self) -> None:
        self._turn = None
        if self._ours:
            self._continued()
        else:
            self._leave()

    # --- life -------------------------------------------------------------------------

    def start(self) -> None:
        """Takes the terminal; reading begins with `resume`."""
        if self.shows:
            self._open()
        elif self._output >= 0:
            self._blocking = os.get_blocking(self._output)
            if self._blocking:
                os.set_blocking(self._output, False)
        if self.keys:
            self._signal(signal.SIGTSTP, lambda: self.on_stop())
            self._signal(signal.SIGCONT, self._continued)
        if self.shows:
            self._signal(signal.SIGWINCH, lambda: self.on_resize())
        self.take()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            self._own = os.open(os.ttyname(self._output), flags)
        except OSError:
            self._blocking = os.get_blocking(self._output)
            if self._blocking:
                os.set_blocking(self._output, False)

    def _signal(self, number: int, handler: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        before = signal.getsignal(number)
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, self.guarded(handler))
            self._before[number] = before

    def _continued(self) -> None:
        if not self._given:
            self._go_on()

    def _go_on(self) -> None:
        self.take()
        if self.taken:
            self.on_continued()

    async def stop(self) -> None:
        """Writes what waits, for a moment, and puts everything back. Never raises."""
        self.pause()
        self._given = True
        if self._turn is not None:
            self._turn.cancel()
        try:
            if self._waiting and self.lost is None:
                async with asyncio.timeout(_LAST):
                    await self._drained.wait()
        except TimeoutError:
            pass  # the terminal was stopped, or its reader sleeps
        finally:
            self._put_back()

    def _put_back(self) -> None:
        loop = asyncio.get_running_loop()
        if self._writing:
            loop.remove_writer(self._target)
            self._writing = False
        for number, before in self._before.items():
            loop.remove_signal_handler(number)
            with contextlib.suppress(TypeError, ValueError):
                signal.signal(number, before)
        self._before.clear()
        self.release()
        if self._own >= 0:
            os.close(self._own)
            self._own = -1
        if self._blocking:
            with contextlib.suppress(OSError):
                os.set_blocking(self._output, True)

    # --- suspending -------------------------------------------------------------------

    def suspend(self, *, group: bool) -> None:
        """Stops the program until it is continued; `group`: all of its job, as Ctrl+Z does."""
        self.release()
        # Not told of SIGCONT besides: what others have written is noticed once, below.
        both = (signal.SIGTSTP, signal.SIGCONT)
        before = {number: signal.signal(number, signal.SIG_DFL) for number in both}
        try:
            if group:  # the others of it first
                signal.signal(signal.SIGTSTP, signal.SIG_IGN)
                os.killpg(0, signal.SIGTSTP)
                signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            # To this thread: so it stops here, and not a moment later.
            signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self._go_on()

    # --- reading ----------------------------------------------------------------------

    def resume(self) -> None:
        """Reads; on from where `pause` stopped."""
        if self._reading or self._input < 0:
            if self._input < 0:
                self.on_end()
            return
        loop = asyncio.get_running_loop()
        self._reading = True
        try:
            loop.add_reader(self._input, self.guarded(self._read))
        except OSError:  # a file, which never makes one wait
            loop.call_soon(self.guarded(self._read_file))

    def pause(self) -> None:
        """Leaves the input to others."""
        if self._reading:
            self._reading = False
            with contextlib.suppress(OSError):
                asyncio.get_running_loop().remove_reader(self._input)

    def _read_file(self) -> None:
        if self._reading:
            self._read()
        if self._reading:
            asyncio.get_running_loop().call_soon(self.guarded(self._read_file))

    def _read(self) -> None:
        if self.keys and not self._ours:
            self._leave()
            return
        try:
            data = os.read(self._input, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        chars = self._decoder.decode(data, final=not data)
        if chars:
            self.on_chars(chars)
        if not data:
            self.pause()
            self.on_end()

    # --- writing ----------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether something could not be written yet."""
        return bool(self._waiting)

    @property
    def _target(self) -> int:
        return self._own if self._own >= 0 else self._output

    def write(self, text: str) -> None:
        """Writes text now, or as soon as it can be taken. Never blocks, never raises."""
        if not text or self.lost is not None:
            return
        if self._output < 0:
            self._stream.write(text)
            self._stream.flush()
            return
        self._waiting += text.encode(self._encoding, "replace")
        self._drained.clear()
        if not self._writing:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting:
                count = os.write(self._target, self._waiting[:_CHUNK])
                self._waiting = self._waiting[count:]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self.lost, self._waiting = error, b""
            asyncio.get_running_loop().call_soon(self.on_end)
        loop = asyncio.get_running_loop()
        if self._waiting and not self._writing:
            self._writing = True
            loop.add_writer(self._target, self.guarded(self._flush))
        elif not self._waiting:
            self._drained.set()
            if self._writing:
                self._writing = False
                loop.remove_writer(self._target)
                self.on_drained()


def _descriptor(stream: TextIO) -> int:
    """The stream's file descriptor; below 0: it has none."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return -1


def _nothing() -> None:
    """Nobody wants to know."""


def _ignore(chars: str) -> None:
    """The same."""
