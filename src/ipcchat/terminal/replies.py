"""What a terminal sends besides keys: whether it has the focus, and its answers to queries.

The rules of this file:

- It stands before prompt_toolkit's parser, which knows neither and would make keys of them.
- What isn't a focus event or an OSC passes unchanged, in order and at once. Only what may still
  become one waits, and never an Esc alone: Esc is a key.
- Inside a bracketed paste everything is text.

Focus events (`ESC [ I`, `ESC [ O`), bracketed paste and OSC: xterm's control sequences.
"""

import re
from collections.abc import Callable

from prompt_toolkit.input import Input
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress

__all__ = [
    "FOCUS_OFF",
    "FOCUS_ON",
    "MAX_REPLY",
    "TITLE_POP",
    "TITLE_PUSH",
    "Replies",
    "install",
]

FOCUS_ON = "\x1b[?1004h"
FOCUS_OFF = "\x1b[?1004l"
TITLE_PUSH = "\x1b[22;2t"
"""The terminal keeps the window's title (not its icon's) on a stack."""
TITLE_POP = "\x1b[23;2t"

MAX_REPLY = 256
"""Characters of an OSC with its frame; a longer one is none that was asked for. Answers with
colours have about 25."""

_PASTE = "\x1b[200~"
_PASTED = "\x1b[201~"
_NOTHING = "[E"
"""What prompt_toolkit's parser ignores after an Esc it was already given."""

_EVENT = re.compile("\x1b\\[(?P<focus>[IO])|\x1b\\](?P<osc>[^\x00-\x1f\x7f]*)(?:\x07|\x1b\\\\)")
_UNFINISHED = re.compile("\x1b\\[|\x1b\\][^\x00-\x1f\x7f]*\x1b?")
"""What waits for the next read. A control character ends an OSC: then it was keys."""


class Replies:
    """A filter over what is read from the terminal.

    `on_focus` gets whether the window has the focus; `on_ground` the answer to OSC 11 as it came,
    with its frame. Both are called during `feed`, in the order of the stream. Other OSCs vanish.
    """

    __slots__ = ("_given", "_held", "_on_focus", "_on_ground", "_pasting")

    def __init__(self, on_focus: Callable[[bool], None], on_ground: Callable[[str], None]) -> None:
        self._on_focus = on_focus
        self._on_ground = on_ground
        self._held = ""
        """The end of the last read that may be the beginning of something."""
        self._given = 0
        """So many characters of it were passed on already."""
        self._pasting = False

    def feed(self, data: str) -> str:
        """What of `data` is keys and pastes.

        Where a read ended in the middle of an event, right after its Esc, that Esc has passed and
        is completed to a key that prompt_toolkit ignores (`Keys.Ignore`).
        """
        data = self._held + data
        given = self._given
        out: list[str] = []
        start = 0

        def keep(end: int, passed: int) -> str:
            """Waits with `data[end:]`, whose first `passed` characters may go."""
            out.append(data[max(start, given) : end + passed])
            self._held, self._given = data[end:], max(passed, given - end)
            return "".join(out)

        while True:
            at = data.find(_PASTED if self._pasting else "\x1b", start)
            if at < 0:
                end = len(data) - _overlap(data[start:], _PASTED) if self._pasting else len(data)
                return keep(end, len(data) - end)
            if self._pasting:
                end = at + len(_PASTED)
                self._pasting = False
            elif data.startswith(_PASTE, at):
                end = at + len(_PASTE)
                self._pasting = True
            elif (event := _EVENT.match(data, at)) and event.end() - at <= MAX_REPLY:
                out.append(data[max(start, given) : at])
                if at < given:
                    out.append(_NOTHING)
                start = given = event.end()
                self._tell(event)
                continue
            else:
                rest = data[at:]
                if _PASTE.startswith(rest) and rest != "\x1b[":
                    return keep(at, len(rest))
                if len(rest) < MAX_REPLY and _UNFINISHED.fullmatch(rest):
                    return keep(at, 0)
                end = at + 1
            out.append(data[max(start, given) : end])
            start = end

    def flush(self) -> str:
        """What was held, as keys: to be called when nothing followed for a short time.

        An answer about the ground whose last character never comes is one (old rxvt-unicode).
        """
        if self._pasting:
            return ""
        held, given = self._held, self._given
        self._held, self._given = "", 0
        if held.startswith("\x1b]11;") and held.endswith("\x1b"):
            self._on_ground(held + "\\")
            return _NOTHING[: 2 * given]
        return held[given:]

    def _tell(self, event: re.Match[str]) -> None:
        if focus := event["focus"]:
            self._on_focus(focus == "I")
        elif event["osc"].startswith("11;"):
            self._on_ground(event[0])


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` may be the beginning of `mark`."""
    return next((n for n in range(len(mark) - 1, 0, -1) if text.endswith(mark[:n])), 0)


class _Reader(PosixStdinReader):
    """Reads what the filter leaves. At the end of input nothing more follows: the rest comes."""

    def __init__(self, input: Vt100Input, replies: Replies) -> None:
        reader = input.stdin_reader
        super().__init__(reader.stdin_fd, reader.errors, input.stdin.encoding)
        self.closed = reader.closed
        self._replies = replies

    def read(self, count: int = 1024) -> str:
        # An empty string is no end of input to prompt_toolkit, which looks at `closed`.
        text = self._replies.feed(super().read(count))
        return text + self._replies.flush() if self.closed else text


class _Parser(Vt100Parser):
    """A flush of keys (prompt_toolkit's, after `ttimeoutlen`) lets go of what is held, too."""

    def __init__(self, callback: Callable[[KeyPress], None], replies: Replies) -> None:
        super().__init__(callback)
        self._replies = replies

    def flush(self) -> None:
        self.feed(self._replies.flush())
        super().flush()


def install(input: Input, replies: Replies) -> None:
    """Puts the filter before the keys of `input`, from which nothing has been read yet.

    It is flushed whenever the input is (`flush_keys`). An input that doesn't read from a file
    descriptor (`DummyInput`) sends nothing, and is left alone.
    """
    if isinstance(input, Vt100Input):
        input.stdin_reader = _Reader(input, replies)
        input.vt100_parser = _Parser(input.vt100_parser.feed_key_callback, replies)
