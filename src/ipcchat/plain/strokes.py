"""From what a terminal sends to keys and text. Escape sequences never become text.

Nothing here knows what a key does. A sequence may be cut anywhere between two calls.
"""

import re
from typing import NamedTuple

__all__ = ["Stroke", "Strokes", "pasted"]


class Stroke(NamedTuple):
    """A key by its name, or `text` and what was typed. `other`: a key that does nothing here."""

    name: str
    text: str = ""


_KEYS = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x15": "kill",
    "\x17": "word",
    "\x03": "interrupt",
    "\x04": "end",
    "\x0c": "again",
    "\x10": "up",
    "\x0e": "down",
    "\x1a": "suspend",
}
_FINAL = {"A": "up", "B": "down"}
"""The last character of a sequence without parameters → key."""
_BEGINS = {
    "\x1b[": "csi",
    "\x1bO": "ss3",
    "\x1b]": "string",
    "\x1bP": "string",
    "\x1bX": "string",
    "\x1b^": "string",
    "\x1b_": "string",
    "\x9b": "csi",
    "\x8f": "ss3",
    "\x9d": "string",
    "\x90": "string",
    "\x98": "string",
    "\x9e": "string",
    "\x9f": "string",
}
"""How a sequence begins → of which kind it is."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SEQUENCE = "(?:\x1b\\[|\x9b)[ -?]*[@-~]|(?:\x1bO|\x8f)[@-~]"
_KEYS_AHEAD = re.compile(f"(?:{_SEQUENCE}|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f])+")
_LINE_END = re.compile("\r\n?|\n")


def pasted(chunk: str) -> tuple[str, str] | None:
    """The keys before a paste, and its text: its line ends as `\\n` and none around it, without
    controls. None where it is no paste: one line, with Enter before or after it, or just keys."""
    ahead = _KEYS_AHEAD.match(chunk)
    keys = ahead[0] if ahead is not None else ""
    text = _KEYS_AHEAD.sub("", _LINE_END.sub("\n", chunk)).strip("\n")
    return (keys, text) if "\n" in text else None


class Strokes:
    """Keys from characters, in whatever pieces they come."""

    def __init__(self) -> None:
        self._begun = ""
        """A sequence that has not ended."""
        self._kind = ""
        """`escape`, `csi`, `ss3`, `string`; empty: outside."""

    @property
    def alone(self) -> bool:
        """Whether an Esc waits for what may follow it."""
        return self._kind == "escape"

    def settle(self) -> list[Stroke]:
        """Nothing followed for a while: an Esc was a key of its own."""
        if not self.alone:
            return []
        self._begun = self._kind = ""
        return [Stroke("other")]

    def feed(self, chars: str) -> list[Stroke]:
        """The keys that these characters complete."""
        found: list[Stroke] = []
        start = 0
        while start < len(chars):
            if not self._kind:
                match = _CONTROL.search(chars, start)
                end = match.start() if match is not None else len(chars)
                if end > start:
                    found.append(Stroke("text", chars[start:end]))
                if match is None:
                    break
                start = end
            if (stroke := self._take(chars[start])) is not None:
                found.append(stroke)
            start += 1
        return found

    def _take(self, char: str) -> Stroke | None:
        """A character that is a key, or belongs to a sequence."""
        if not self._kind:
            if char in _BEGINS:
                self._begun, self._kind = char, _BEGINS[char]
                return None
            if char == "\x1b":
                self._begun, self._kind = char, "escape"
                return None
            return Stroke(_KEYS.get(char, "other"))
        if char in "\x03\r\n" or (char == "\x1b" and self._kind != "string"):
            alt = self._kind == "escape" and char != "\x1b"  # Alt+Enter: the Enter it may mean
            self._begun = self._kind = ""
            again = self._take(char)
            return Stroke("other") if alt and char != "\x03" else again
        self._begun += char
        return getattr(self, f"_{self._kind}")(char)  # type: ignore[no-any-return]

    def _end(self, name: str = "other") -> Stroke:
        self._begun = self._kind = ""
        return Stroke(name)

    def _escape(self, char: str) -> Stroke | None:
        kind = _BEGINS.get(self._begun)
        if kind is None:
            return self._end()  # Alt and a key
        self._kind = kind
        return None

    def _csi(self, char: str) -> Stroke | None:
        if " " <= char < "@":
            self._begun = self._begun[:64]
            return None
        plain = self._begun in (f"\x1b[{char}", f"\x9b{char}")
        return self._end(_FINAL.get(char, "other") if plain else "other")

    def _ss3(self, char: str) -> Stroke:
        return self._end(_FINAL.get(char, "other"))

    def _string(self, char: str) -> Stroke | None:
        if char in "\x07\x9c" or self._begun.endswith("\x1b\\"):
            self._begun = self._kind = ""  # an answer of the terminal, which nobody asked for
            return None
        self._begun = self._begun[-2:]
        return None
