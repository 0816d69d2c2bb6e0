"""What happened at the server, for operators: a bounded list of lines, and who wants new ones.

Names and addresses come in already cleaned. A sink must not block.
"""

import time
from collections import deque
from collections.abc import Callable

from ipcchat.wire.messages import LogLine

__all__ = ["LEVELS", "EventLog", "Sink"]

LEVELS = ("debug", "info", "warning", "error")
_QUIET = 60.0
"""Seconds for which what was told is not told again, where it is told seldom."""
Sink = Callable[[LogLine], None]


class EventLog:
    """Keeps the last lines and hands each new one to every sink."""

    def __init__(self, level: str = "info", keep: int = 1000) -> None:
        self.level = level
        """Lines below it are not kept."""
        self._lines: deque[LogLine] = deque(maxlen=keep)
        self._sinks: dict[Sink, None] = {}
        self._written: dict[str, float] = {}
        """What is told seldom → when it was."""

    def add_sink(self, sink: Sink) -> None:
        """Each line from now on goes to the sink, too."""
        self._sinks[sink] = None

    def remove_sink(self, sink: Sink) -> None:
        """The sink gets no more; unknown ones are ignored."""
        self._sinks.pop(sink, None)

    def last(self, count: int) -> list[LogLine]:
        """The last `count` lines, oldest first."""
        return list(self._lines)[-count:] if count else []

    def write(self, level: str, event: str, text: str) -> None:
        """Adds a line: `event` is one word for programs, `text` is for people."""
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        line = LogLine(time=time.time_ns() // 1_000_000, level=level, event=event, text=text)
        self._lines.append(line)
        for sink in tuple(self._sinks):
            sink(line)

    def seldom(self, level: str, event: str, text: str, topic: str = "") -> None:
        """Writes what would fill the log if it were written each time: a line a minute of a topic,
        which is the event where it is not given. There are few topics."""
        now = time.monotonic()
        topic = topic or event
        if now - self._written.get(topic, float("-inf")) >= _QUIET:
            self._written[topic] = now
            self.write(level, event, text)

    def debug(self, event: str, text: str) -> None:
        self.write("debug", event, text)

    def info(self, event: str, text: str) -> None:
        self.write("info", event, text)

    def warning(self, event: str, text: str) -> None:
        self.write("warning", event, text)

    def error(self, event: str, text: str) -> None:
        self.write("error", event, text)
