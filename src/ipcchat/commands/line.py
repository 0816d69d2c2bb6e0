"""From a typed line to something said, or a command with its arguments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ipcchat import text
from ipcchat.commands.rows import LITERAL, REST, Argument, Command, Role, by_name, find
from ipcchat.errors import UsageError

__all__ = ["Invocation", "Say", "parse", "seconds"]

_SHAPES = {
    "count": re.compile("[1-9][0-9]{0,4}"),
    "duration": re.compile("([1-9][0-9]{0,4})([mhdw])"),
    "amount": re.compile("([1-9][0-9]{0,4})[mhdw]?"),
}
"""Amounts, which are known by their look: one may be left out before another argument."""
_AMOUNT = "a duration is 10m, 1h, 2d"
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_LONGEST = 256
"""Characters of somebody's nick, as the protocol has it."""


@dataclass(frozen=True, slots=True)
class Say:
    """Something to be said in the room."""

    text: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command to be done. Rooms have their `#`, commands lack their slash."""

    command: Command
    arguments: tuple[str, ...] = ()
    """As many as were given; empty: left out before another."""
    options: frozenset[str] = frozenset()
    """Those given, with their dashes."""


def parse(line: str, role: Role = "member") -> Say | Invocation:
    """What a typed line (or several lines) asks for.

    Raises UsageError for a command that is unknown, for somebody else, or has too few or too many
    arguments; TextError for a name that can't be one.
    """
    if not line.startswith("/"):
        _check_slip(line)
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    word, rest = _word(line)
    if word == "/":
        raise UsageError("a command follows its slash directly", LITERAL)
    command = find(word, role)
    options, rest = _options(command, rest)
    return Invocation(command, _arguments(command, rest, role), options)


def _check_slip(line: str) -> None:
    """Raises UsageError where a space is all that makes something said of what was meant for one
    person, or for a command."""
    meant = line.lstrip()
    if meant.startswith("/") and not meant.startswith("//"):
        command = by_name(meant.split(maxsplit=1)[0][1:].lower())
        if command is not None and command.says:
            raise UsageError(
                f"a space stands before /{command.name}", f"/{command.name} begins a line"
            )


def _options(command: Command, rest: str) -> tuple[frozenset[str], str]:
    """The options before and after the arguments, and the arguments."""
    found: set[str] = set()
    while command.options and rest.startswith("--"):
        option, rest = _word(rest)
        if option not in command.options:
            raise UsageError(f"unknown option {text.visible(option)}", f"usage: {command.usage}")
        found.add(option)
    while (last := rest.split()[-1:]) and last[0] in command.options:
        rest = rest.rstrip().removesuffix(last[0])
        found.add(last[0])
    return frozenset(found), rest


def _arguments(command: Command, rest: str, role: Role) -> tuple[str, ...]:
    found: list[str] = []
    for place, argument in enumerate(command.arguments):
        if not rest.strip():
            if argument.needed:
                raise UsageError(
                    f"/{command.name} needs {argument.shown}", f"usage: {command.usage}"
                )
            break
        if argument.kind in REST:
            word, rest = rest, ""
        elif argument.kind in _SHAPES and not _fits(argument, _word(rest)[0]):
            _check_later(command, _word(rest)[0], command.arguments[place + 1 :])
            word = ""
        else:
            word, rest = _word(rest)
        found.append(_checked(command, argument, word, role))
    if rest.strip():
        most = len(command.arguments)
        count = "no arguments" if not most else f"at most {most} argument{'s' * (most > 1)}"
        raise UsageError(f"/{command.name} takes {count}", f"usage: {command.usage}")
    return tuple(found)


def _fits(argument: Argument, word: str) -> bool:
    """Whether a word has the look of an amount, or stands in its place."""
    return word.lower() in argument.words or bool(_SHAPES[argument.kind].fullmatch(word))


def _check_later(command: Command, word: str, later: Sequence[Argument]) -> None:
    """Raises UsageError where a word that is not the amount asked for is no later argument either:
    a mistyped duration must not become a reason."""
    for argument in later:
        shape = _SHAPES.get(argument.kind)
        if shape.fullmatch(word) if shape is not None else not word[0].isdigit():
            return
    raise UsageError(
        f"/{command.name} can't use {text.visible(word)}", f"usage: {command.usage}; {_AMOUNT}"
    )


def seconds(duration: str) -> int:
    """How long an argument is that `parse` took for a duration; 0 where it was left out."""
    found = _SHAPES["duration"].fullmatch(duration)
    return int(found[1]) * _UNITS[found[2]] if found else 0


def _checked(command: Command, argument: Argument, word: str, role: Role) -> str:
    match argument.kind:
        case "room":
            if word.startswith("@"):
                return f"@{_nick(command, argument, word)}"
            return text.check_room(word)
        case "name":
            return text.check_nick(word)
        case "choice":
            if word.lower() not in argument.words:
                allowed = f"{', '.join(argument.words[:-1])} or {argument.words[-1]}"
                usage = f"usage: {command.usage}"
                raise UsageError(f"{text.visible(word)}? it is {allowed}", usage)
            return word.lower()
        case "duration":
            return word.lower() if argument.words else word
        case "nick" | "ignored":
            return _nick(command, argument, word)
        case "command":
            return find(word, role).name
        case "value":
            return word.strip()
        case "file":
            name = word.strip()
            quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "\"'"
            return name[1:-1] if quoted else name
        case _:
            return word


def _nick(command: Command, argument: Argument, word: str) -> str:
    """Somebody's nick, with or without its @; it may be older than today's rules."""
    nick = word.removeprefix("@")
    if not nick:
        raise UsageError(f"/{command.name} needs {argument.shown}", f"usage: {command.usage}")
    return text.clean_line(nick)[:_LONGEST]


def _word(rest: str) -> tuple[str, str]:
    """The first word, and what follows it after any white space."""
    parts = rest.split(maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""
