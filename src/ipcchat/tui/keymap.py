"""Keys as people write them and as prompt_toolkit names them, and which deed each belongs to.

The rules of this file:

- A key is written as a name with `ctrl`, `alt` and `shift` before it, joined by `-` or `+`;
  `^N`, `C-n` and `M-a` are understood. Keys pressed after each other are separated by spaces.
- Case says nothing: a capital is written with `shift`. Alt is Esc pressed before.
- What `shown` gives, `parse_key` reads. What terminals can't send, or only as another key, is
  refused with the reason.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar
from unicodedata import normalize

from prompt_toolkit.keys import Keys as _Keys

from ipcchat.errors import SettingError
from ipcchat.text import visible

__all__ = ["FIXED", "BoundRow", "KeyRow", "Keys", "parse_key", "rebound", "shown"]

Keys = tuple[str, ...]
"""Keys after each other, as prompt_toolkit's `KeyBindings.add` takes them."""

FIXED: tuple[Keys, ...] = (("enter",), ("c-c",), ("escape",))
"""Keys that stay where they are: without them one can't send, clear or get out."""

_KNOWN = {key.value for key in _Keys if not key.value.startswith("<")}
_FUNCTION = tuple(f"f{number}" for number in range(1, 25))
_PLAIN = ("up", "down", "left", "right", "home", "end", *_FUNCTION)
_WRITTEN = {
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "backspace": "Backspace",
    "space": "Space",
    "delete": "Del",
    "insert": "Ins",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    **{name: name.capitalize() for name in _PLAIN},
}
"""Keys with a name, in prompt_toolkit's words → as they are written."""
_CHARACTERS = {",": "Comma", "-": "Minus", "+": "Plus"}
"""Characters that are written as a word, since they mean something else here."""
_NAMES = {
    **{name: name for name in _WRITTEN},
    **{written.lower(): name for name, written in _WRITTEN.items()},
    **{written.lower(): char for char, written in _CHARACTERS.items()},
    "return": "enter",
    "bksp": "backspace",
    "spc": "space",
    "page-up": "pageup",
    "page-down": "pagedown",
    "pgdown": "pagedown",
}
"""As people write them, in lower case → prompt_toolkit's name, or the character."""
_MODIFIERS = {
    "ctrl": "ctrl",
    "control": "ctrl",
    "c": "ctrl",
    "alt": "alt",
    "meta": "alt",
    "option": "alt",
    "opt": "alt",
    "a": "alt",
    "m": "alt",
    "shift": "shift",
    "s": "shift",
}
_UNSENT = ("cmd", "command", "super", "win", "windows", "hyper", "fn")
"""Modifiers that never reach a program in a terminal."""
_SAME = {
    "c-i": "tab",
    "c-m": "enter",
    "c-h": "backspace",
    "c-[": "escape",
    "c-space": "c-@",
    " ": "space",
}
"""One key by two names."""
_STOLEN = {
    ("escape", "["): "terminals begin other keys with it",
    ("escape", "O"): "terminals begin other keys with it",
    ("escape", "tab"): "it is the same as Shift+Tab in a terminal",
}
"""Pairs that don't arrive as such."""
_MODIFIER = re.compile(r"([a-z]+)[-+](?=.)")


class KeyRow(Protocol):
    """A row of the table of keys."""

    @property
    def deed(self) -> str:
        """The name that settings call it by, such as `next-room`."""

    @property
    def keys(self) -> tuple[Keys, ...]:
        """Any of which does it."""

    @property
    def help(self) -> str:
        """What it is for."""


class BoundRow(KeyRow, Protocol):
    """Such a row, for people."""

    @property
    def shown(self) -> str:
        """Its keys as they are written."""


R = TypeVar("R", bound=KeyRow)


# --- reading ------------------------------------------------------------------------------


def parse_key(text: str) -> Keys:
    """Keys after each other, such as `ctrl-x ctrl-e`, `alt-shift-a` or `PgUp`.

    Raises `SettingError` that says what is wrong with them, and what to write instead.
    """
    keys: list[str] = []
    for word in normalize("NFC", text).split():
        keys += _press(word, first=not keys)
    if not keys:
        raise SettingError("a key is missing", "write it as ctrl-n, alt-a, f5 or pgup")
    for pair in pairwise(keys):
        if pair in _STOLEN:
            raise _refused(shown(pair), _STOLEN[pair])
    return tuple(keys)


def _press(word: str, *, first: bool) -> Keys:
    """One key with its modifiers; `first`: nothing was pressed before it."""
    given: set[str] = set()
    name = word
    while (match := _MODIFIER.match(name.lower())) and name.lower() not in _NAMES:
        modifier = match[1]
        if modifier not in _MODIFIERS:
            hint = "it doesn't reach programs in a terminal" if modifier in _UNSENT else ""
            raise _unknown(word, f"there is no modifier {_quoted(modifier)}", hint)
        given.add(_MODIFIERS[modifier])
        name = name[match.end() :]
    if len(name) == 2 and name[0] == "^":
        given.add("ctrl")
        name = name[1]
    base = _NAMES.get(name.lower(), name)
    if len(base) > 1:
        key = _named(word, base, given)
    elif not base.isprintable():
        raise _unknown(word, "it has a character that no key is for")
    else:
        key = _character(word, _lower(base), given)
    if "alt" in given:
        return ("escape", key)
    if first and (len(key) == 1 or key == "space"):
        raise _refused(shown((key,)), "it is needed for typing", f"try {shown(('escape', key))}")
    return (key,)


def _named(word: str, base: str, given: set[str]) -> str:
    if base not in _WRITTEN:
        raise _unknown(word, f"there is no key {_quoted(base)}", _suggestion(base, _NAMES))
    key = "".join(f"{name[0]}-" for name in ("ctrl", "shift") if name in given) + base
    key = {"c-space": "c-@"}.get(key, key)
    if key in _WRITTEN or (key in _KNOWN and key != "s-escape"):
        return key
    if key.startswith("s-f") and int(base[1:]) <= 12:
        number = int(base[1:]) + 12
        raise _refused(_spelt(key), f"terminals send it as F{number}", f"write f{number}")
    raise _refused(_spelt(key), "terminals don't send it, or not as such")


def _character(word: str, char: str, given: set[str]) -> str:
    if "ctrl" not in given and "shift" not in given:
        return char
    if "ctrl" not in given:
        if not _has_case(char):
            why = f"Shift with {char} types another character"
            raise _unknown(word, why, "write the character that it types, without shift")
        return char.upper()
    key = f"c-{char}"
    if key in _SAME:
        raise _refused(_spelt(key), f"it is {_WRITTEN[_SAME[key]]} in a terminal")
    if "shift" in given and not char.isdigit():
        raise _refused(
            f"Ctrl+Shift+{char.upper()}", f"it is the same as {_spelt(key)} in a terminal"
        )
    if "shift" in given:
        key = f"c-s-{char}"
    if key in _KNOWN:
        return key
    raise _refused(_spelt(key), "terminals don't send it", "Ctrl goes with a letter")


def _has_case(char: str) -> bool:
    """Whether a character is a letter with one capital that leads back to it."""
    lower, upper = char.lower(), char.upper()
    return len(lower) == len(upper) == 1 and lower != upper and upper.lower() == lower


def _lower(char: str) -> str:
    return char.lower() if _has_case(char) else char


def _quoted(text: str) -> str:
    return visible(text if len(text) <= 40 else text[:39] + "…")


def _refused(key: str, why: str, hint: str = "") -> SettingError:
    return SettingError(f"{key} can't be bound: {why}", hint)


def _unknown(word: str, why: str, hint: str = "") -> SettingError:
    return SettingError(
        f"{_quoted(word)} is not a key: {why}", hint or "/keys lists keys as they are written"
    )


def _suggestion(word: str, known: Mapping[str, object]) -> str:
    import difflib

    close = difflib.get_close_matches(word.lower()[:40], [*known], n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


# --- writing ------------------------------------------------------------------------------


def shown(keys: Keys) -> str:
    """Keys as they are written for people: `Alt+A`, `Ctrl+X Ctrl+E`, `PgUp`."""
    words: list[str] = []
    alt = False
    for key in (_SAME.get(key, key) for key in keys):
        if alt and key == "escape":
            words.append("Esc")
        elif key == "escape":
            alt = True
        else:
            words.append(_spelt(key, alt=alt))
            alt = False
    return " ".join([*words, "Esc"] if alt else words)


def _spelt(key: str, *, alt: bool = False) -> str:
    """One key with its modifiers."""
    control = key.startswith("c-")
    shift = key.removeprefix("c-").startswith("s-")
    base = key[2 * (control + shift) :]
    if control and base == "@":
        base = "space"
    if len(base) == 1 and _has_case(base):
        shift = shift or base != base.lower()
        base = base.upper()
    names = [name for name, held in (("Ctrl", control), ("Alt", alt), ("Shift", shift)) if held]
    return "+".join([*names, _WRITTEN.get(base) or _CHARACTERS.get(base, base)])


# --- who has which ------------------------------------------------------------------------


def rebound(table: Sequence[R], changes: Mapping[str, str]) -> list[tuple[R, tuple[Keys, ...]]]:
    """Each row with the keys that it has after the changes, in the order of the table.

    `changes`: the name of a deed → its keys, separated by commas; empty or `none` takes them away.
    A key that another row had by default moves; given to two deeds it is an error. Raises
    `SettingError`, also for an unknown deed and for a change of the `FIXED` keys.
    """
    deeds = {row.deed: row for row in table}
    given: dict[str, tuple[Keys, ...]] = {}
    owner: dict[Keys, str] = {}
    fixed = {key: row.deed for row in table for key in map(_plain, row.keys) if key in FIXED}
    for written, text in changes.items():
        deed = written.strip().lower().replace("_", "-")
        if deed not in deeds:
            hint = _suggestion(deed, deeds) or "/keys lists what there is"
            raise SettingError(f"keys: nothing is called {_quoted(written)}", hint)
        if deed in given:
            raise SettingError(f"keys: {deed} is there twice")
        given[deed] = _list(deed, text)
        for key in given[deed]:
            if key in FIXED and fixed.get(key) != deed:
                keeps = f"it stays with {fixed[key]}" if key in fixed else "it stays as it is"
                raise SettingError(f"keys: {shown(key)} can't be given to {deed}: {keeps}")
            if key in owner:
                raise SettingError(
                    f"keys: {shown(key)} is given to both {owner[key]} and {deed}",
                    "give it to one of them",
                )
            owner[key] = deed
    for key, deed in fixed.items():
        if deed in given and key not in given[deed]:
            raise SettingError(
                f"keys: {deed} can't be without {shown(key)}",
                f'give it besides: {deed} = "{", ".join(map(shown, (key, *given[deed])))}"',
            )
    made = [
        (row, given[row.deed])
        if row.deed in given
        else (row, tuple(key for key in row.keys if _plain(key) not in owner))
        for row in table
    ]
    for row, keys in made:
        for key in keys:
            _check_begun(_plain(key), row.deed, owner)
    return made


def _check_begun(key: Keys, deed: str, owner: Mapping[Keys, str]) -> None:
    """Refuses a given key that begins another, or is begun by one: the shorter would have to wait
    for what comes next. Esc does, since Alt is that."""
    for other, by in owner.items():
        short, long = sorted(((key, deed), (other, by)), key=lambda held: len(held[0]))
        if short[0] != long[0] and long[0][: len(short[0])] == short[0] != ("escape",):
            raise SettingError(
                f"keys: {shown(short[0])} ({short[1]}) begins {shown(long[0])} ({long[1]})",
                "one of them needs another key",
            )


def _plain(keys: Keys) -> Keys:
    """The same keys by the names that `parse_key` gives."""
    return tuple(_SAME.get(key, key) for key in keys)


def _list(deed: str, text: str) -> tuple[Keys, ...]:
    """Keys separated by commas; none where the text says so."""
    if text.strip().lower() in ("", "none"):
        return ()
    keys: list[Keys] = []
    for part in text.split(","):
        try:
            key = parse_key(part)
        except SettingError as error:
            hint = "the comma is called comma" if part.rstrip().endswith("-") else error.hint
            raise SettingError(f"keys: {deed}: {error.text}", hint) from None
        if key not in keys:
            keys.append(key)
    return tuple(keys)
