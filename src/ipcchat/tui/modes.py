"""Modes: while one is on, it has all keys. A question, the switcher, the search, the bare view.

A mode ends by itself: `end` was handed to it. Each draws a panel above the input, or what stands
in the input's place; the talk stays in sight.
"""

from collections.abc import Callable
from typing import Protocol

from ipcchat.actions.question import Question
from ipcchat.paint import bars
from ipcchat.paint.row import Row

__all__ = ["NAMED", "Asking", "Bare", "Mode", "Quiet"]

NAMED = {"c-m": "enter", "c-i": "tab", "c-h": "backspace"}
"""What prompt_toolkit calls some keys → what people do."""


class Mode(Protocol):
    """What has the keys."""

    def press(self, key: str, data: str) -> None:
        """A key: what prompt_toolkit calls it, and what it types; a paste is a `data` of many."""

    def panel(self, width: int, height: int) -> list[Row]:
        """Rows above the input, at most so many."""

    def prompt(self) -> tuple[str, str] | None:
        """What stands in the input's place: a label, and what was typed behind it."""

    def bare(self, width: int, height: int) -> list[str] | None:
        """Instead of the whole screen: lines that the terminal wraps."""


class Quiet:
    """A mode that shows nothing."""

    def panel(self, width: int, height: int) -> list[Row]:
        return []

    def prompt(self) -> tuple[str, str] | None:
        return None

    def bare(self, width: int, height: int) -> list[str] | None:
        return None


class Asking(Quiet):
    """A question; the next key answers."""

    def __init__(self, question: Question, end: Callable[[], None]) -> None:
        self._question = question
        self._end = end

    def press(self, key: str, data: str) -> None:
        if len(data) > 1 and not data.startswith("\x1b"):
            return  # a paste is no answer
        self._end()
        self._question.answers.get(data.lower(), self._question.otherwise)()

    def panel(self, width: int, height: int) -> list[Row]:
        return bars.question(self._question.text, width)[-height:] if height else []


class Bare(Quiet):
    """Only the talk, as lines that can be marked and copied whole; any key ends it."""

    def __init__(self, lines: Callable[[int, int], list[str]], end: Callable[[], None]) -> None:
        self._lines = lines
        self._end = end

    def press(self, key: str, data: str) -> None:
        self._end()

    def bare(self, width: int, height: int) -> list[str] | None:
        return self._lines(width, height)
