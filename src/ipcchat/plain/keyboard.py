"""Keys on the line that is being typed: what each does, what is brought back, what is a paste.

Only where keys are read; elsewhere the line is empty, shows nothing, and nobody calls this.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ipcchat.client.model import Model
from ipcchat.commands import Role
from ipcchat.plain.completion import Completer
from ipcchat.plain.line import TypedLine
from ipcchat.plain.strokes import Stroke, Strokes, pasted
from ipcchat.plain.terminal import Terminal

__all__ = ["KEYS", "Keyboard"]

KEYS = (
    ("Enter", "send the line"),
    ("Tab", "complete a command, a nick, a room"),
    ("Up and Down", "what was typed before, and after"),
    ("Backspace, Ctrl+W, Ctrl+U", "take back a letter, a word, the line"),
    ("Ctrl+L", "say the line again"),
    ("Ctrl+C", "clear the line (Up brings it back), or end a search; never quits"),
    ("Ctrl+D", "quit, where the line is empty"),
    ("Ctrl+Z", "put the program in the background"),
)
"""Every key, in the order of `/keys`."""

_BURST = 0.03
"""Seconds within which more of a paste follows."""
_MUCH = 1000
"""Characters that nobody types at once."""
_LARGEST = 256 * 1024
"""Characters of a paste that are waited for."""
_ALONE = 0.5
"""Seconds after which an Esc was a key of its own."""
_ENTER = 0.7
"""Seconds in which an Enter belongs to the letter that answered a question."""
_SPELT = {"y": "es", "n": "o"}
"""How people go on who spell out their answer: that must not be said in the room."""
_HISTORY = 1000
"""Lines that Up brings back."""


class Screen(Protocol):
    """What keys do besides."""

    @property
    def model(self) -> Model: ...
    @property
    def role(self) -> Role: ...
    @property
    def asked(self) -> bool: ...
    def answer(self, key: str) -> None: ...
    def typed(self) -> None: ...
    def submit(self, line: str) -> None: ...
    def paste(self, text: str) -> None: ...
    def suspend(self) -> None: ...
    def interrupt(self) -> bool: ...


class Keyboard:
    """Owns the line, and what was typed before."""

    def __init__(self, screen: Screen, terminal: Terminal) -> None:
        self._screen = screen
        self._terminal = terminal
        self._line = TypedLine(terminal.columns)
        self._strokes = Strokes()
        self._completer = Completer(screen.model)
        self._gathered = ""
        self._timer: asyncio.TimerHandle | None = None
        self._before: deque[str] = deque(maxlen=_HISTORY)
        self._place = 0
        """How many lines back Up has gone."""
        self._draft = ""
        """What was being typed before that."""
        self.at = asyncio.get_running_loop().time()
        """When a key was pressed last."""
        self._answered = float("-inf")
        self._spelt = ""
        self._deeds: dict[str, Callable[[], None]] = {
            "enter": self.enter,
            "tab": self._complete,
            "backspace": lambda: self._change(self._line.backspace),
            "word": lambda: self._change(self._line.word),
            "kill": lambda: self._change(lambda: self._line.become("")),
            "up": lambda: self._recall(1),
            "down": lambda: self._recall(-1),
            "interrupt": self._clear,
            "end": self._end,
            "again": self.again,
            "suspend": screen.suspend,
            "other": self._bell,
        }

    @property
    def text(self) -> str:
        """What is being typed, or was pasted and is being gathered."""
        return self._line.text or self._gathered

    # --- what shows -------------------------------------------------------------------

    def shown(self) -> str:
        """What is to be written so that the line stands there."""
        return self._line.show() if self._terminal.taken else ""

    def hidden(self) -> str:
        """What is to be written before something else."""
        return self._line.hide()

    def again(self) -> None:
        """Writes the line once more."""
        self._terminal.write(self.hidden() + self.shown())

    def resize(self) -> None:
        """The window has another width."""
        self._line.resize(self._terminal.columns)

    def close(self) -> None:
        """No more keys."""
        if self._timer is not None:
            self._timer.cancel()

    # --- what comes -------------------------------------------------------------------

    def chars(self, chars: str) -> None:
        """The terminal sent something. More than a line of it at once is a paste, of which more may
        follow; typing is never kept waiting."""
        self.close()
        self._gathered += chars
        begun = len(self._gathered) >= _MUCH or pasted(self._gathered) is not None
        if begun and len(self._gathered) < _LARGEST:
            self._later(_BURST, self._take)
            return
        self._take()

    def _later(self, seconds: float, deed: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._terminal.guarded(deed))

    def _take(self) -> None:
        chars, self._gathered = self._gathered, ""
        paste = pasted(chars)
        for stroke in self._strokes.feed(chars if paste is None else paste[0]):
            self._press(stroke)
        if paste is not None and self._screen.asked:
            self._bell()
        elif paste is not None:
            self._screen.paste(paste[1])
        if self._strokes.alone:
            self._later(_ALONE, self._settle)
        self._screen.typed()

    def _settle(self) -> None:
        for stroke in self._strokes.settle():
            self._press(stroke)

    def _press(self, stroke: Stroke) -> None:
        at = asyncio.get_running_loop().time()
        answered, self._answered = self._answered, float("-inf")
        if self._screen.asked:
            self._answer(stroke)
        elif stroke.name == "text" and at - answered < _ENTER and stroke.text in self._spelt:
            self._answered, self._spelt = at, self._spelt.partition(stroke.text)[2]
        elif stroke.name == "text":
            self.insert(stroke.text)
        elif stroke.name != "enter" or at - answered > _ENTER:
            self._deeds[stroke.name]()

    def _answer(self, stroke: Stroke) -> None:
        """The first letter answers."""
        if stroke.name in ("up", "down", "again", "suspend"):
            self._deeds["other" if stroke.name in ("up", "down") else stroke.name]()
            return
        key = stroke.text[:1]
        if key:
            self._answered = asyncio.get_running_loop().time()
            self._spelt = _SPELT.get(key.lower(), "")
        shown = key if not self._line.text else ""
        self._terminal.write(shown + (self._line.hide() if self._line.text else self._line.end()))
        self._terminal.write(self.shown())
        self._screen.answer(key)
        if stroke.text[1:]:
            self._press(Stroke("text", stroke.text[1:]))

    # --- deeds ------------------------------------------------------------------------

    def _bell(self) -> None:
        self._terminal.write("\a")

    def _change(self, change: Callable[[], str]) -> None:
        if not self._line.text:
            self._bell()
        self._terminal.write(change())
        self._place = 0

    def insert(self, text: str) -> None:
        """Text at the end of the line."""
        self._terminal.write(self._line.insert(text))
        self._place = 0

    def replace(self, text: str) -> None:
        """Another text, on a row of its own."""
        self._terminal.write(self._line.hide())
        self._line.become(text)
        self._terminal.write(self.shown())

    def restore(self, text: str) -> None:
        """Puts a line back that could not be sent, unless something else is being typed."""
        if self._terminal.keys and not self._line.text:
            self._terminal.write(self._line.become(text))

    def _remember(self) -> str:
        text = self._line.text
        if text.strip() and (not self._before or self._before[-1] != text):
            self._before.append(text)
        self._place = 0
        return text

    def enter(self) -> None:
        """Sends the line."""
        text = self._remember()
        self._terminal.write(self._line.end() + self.shown())
        if text.strip():
            self._screen.submit(text)

    def _clear(self) -> None:
        if not self._line.text and self._screen.interrupt():
            return
        self._remember()
        self._terminal.write(self._line.become(""))

    def _end(self) -> None:
        if self._line.text:
            self._bell()
        else:
            self._screen.submit("/quit")

    def _complete(self) -> None:
        made = self._completer.next(self._line.text, self._screen.role)
        if made is None:
            self._bell()
        else:
            self._terminal.write(self._line.become(made))

    def _recall(self, step: int) -> None:
        place = self._place + step
        if not 0 <= place <= len(self._before):
            self._bell()
            return
        if not self._place:
            self._draft = self._line.text
        self._place = place
        text = self._before[-place] if place else self._draft
        self._terminal.write(self._line.become(text))
