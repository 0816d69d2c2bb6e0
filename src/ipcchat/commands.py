"""Commands typed on the screen, as rows without code: usage, help, arguments, role.

The rules of this file:

- A line that begins with a slash is a command or an error, never something said: a mistyped
  command must not show a room what was meant for the program. `//` says a line with a slash.
- Names are not case-sensitive and are never guessed: a shortened one gets a suggestion.
- Role, arity and the form of names are checked here; whoever does the deed only does it.
- `parse` and `complete` are pure functions of what they are given.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ipcchat import text
from ipcchat.errors import UsageError

__all__ = [
    "COMMANDS",
    "Argument",
    "Command",
    "Completion",
    "Invocation",
    "OperatorsOnly",
    "Role",
    "Say",
    "complete",
    "find",
    "help_table",
    "parse",
    "seconds",
]

Role = Literal["member", "operator"]
Kind = Literal["room", "name", "nick", "word", "count", "duration", "command", "text", "file"]
"""What an argument is: a room; a nick to be taken; somebody's nick; any word; a number; a time such
as `2d`; a command; the rest of the line, as something said or as the name of a file."""

_REST = ("text", "file")
_SHAPES = {
    "count": re.compile("[1-9][0-9]{0,4}"),
    "duration": re.compile("([1-9][0-9]{0,4})([mhdw])"),
}
"""Amounts, which are known by their look: one may be left out before another argument."""
_AMOUNT = "a duration is 10m, 1h, 2d"
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class OperatorsOnly(UsageError):
    """A member typed what is for operators."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One place of a command; those that may be left out come last, as does a rest of the line."""

    kind: Kind
    shown: str
    """In the usage."""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table."""

    name: str
    """Without the slash."""
    help: str
    """What it does: half a sentence."""
    group: str
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Such as `--force`; they come before the arguments, or after them."""
    role: Role = "member"
    """Who may use it; operators may use all."""

    @property
    def usage(self) -> str:
        """How it is written: `/save [--force] [FILE]`."""
        words = [f"/{self.name}", *(f"[{option}]" for option in self.options)]
        words += [a.shown if a.needed else f"[{a.shown}]" for a in self.arguments]
        return " ".join(words)


_ROOM = Argument("room", "ROOM")
_NICK = Argument("nick", "NICK", True)
_DURATION = Argument("duration", "DURATION")
_REASON = Argument("text", "REASON")

COMMANDS: tuple[Command, ...] = (
    Command("join", "join a room, or make it", "rooms", (Argument("room", "ROOM", True),), ("j",)),
    Command("part", "leave this room, or another", "rooms", (_ROOM,), ("leave",)),
    Command("list", "list the rooms", "rooms", (Argument("word", "PATTERN"),)),
    Command("names", "list the members of this room, or of another", "rooms", (_ROOM,), ("who",)),
    Command("topic", "show the topic, or set it", "rooms", (Argument("text", "TEXT"),)),
    Command("nick", "take another nick", "talk", (Argument("name", "NICK", True),)),
    Command("me", "say what you do: * ann waves", "talk", (Argument("text", "TEXT", True),)),
    Command(
        "save",
        "write the whole room to a file: .txt, .json or .html; --loaded: only what is on hand",
        "history",
        (Argument("file", "FILE"),),
        options=("--loaded", "--force"),
    ),
    Command("clear", "clear the screen; nothing is deleted", "history"),
    Command(
        "help", "list the commands, or explain one", "program", (Argument("command", "COMMAND"),)
    ),
    Command("keys", "list the keys", "program"),
    Command("reconnect", "connect again", "program"),
    Command("quit", "leave the program", "program", aliases=("exit",)),
    Command("op", "make somebody an operator", "people", (_NICK,), role="operator"),
    Command("deop", "make an operator a member again", "people", (_NICK,), role="operator"),
    Command("kick", "remove somebody from this room", "people", (_NICK, _REASON), role="operator"),
    Command(
        "ban",
        "keep somebody out, for 10m, 1h, 2d, or for ever",
        "people",
        (_NICK, _DURATION, _REASON),
        role="operator",
    ),
    Command("unban", "end a ban", "people", (_NICK,), role="operator"),
    Command("bans", "list who is banned", "people", role="operator"),
    Command("release", "free a nick whose owner lost the key", "people", (_NICK,), role="operator"),
    Command("admit", "let in who asks to join", "people", (_NICK,), role="operator"),
    Command(
        "invite",
        "make a join link, for one person and 7d unless told",
        "people",
        (Argument("count", "USES"), _DURATION),
        role="operator",
    ),
    Command("invites", "list the invites", "people", role="operator"),
    Command(
        "revoke",
        "end an invite, by the beginning of its name in /invites",
        "people",
        (Argument("word", "PREFIX", True),),
        role="operator",
    ),
    Command("reload", "read the settings again", "server", role="operator"),
    Command("shutdown", "stop the server", "server", role="operator"),
)
"""Every command there is, in the order of `/help`."""

_BY_NAME = {name: row for row in COMMANDS for name in (row.name, *row.aliases)}


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


def find(name: str, role: Role = "member") -> Command:
    """The command of that name or alias, with or without a slash.

    Raises UsageError with a suggestion where there is none; OperatorsOnly.
    """
    word = name.removeprefix("/").lower()
    command = _BY_NAME.get(word)
    if command is None:
        raise UsageError(f"unknown command /{text.visible(word)}", _suggestion(word, role))
    if command.role == "operator" and role != "operator":
        raise OperatorsOnly(f"/{command.name} is for operators")
    return command


def parse(line: str, role: Role = "member") -> Say | Invocation:
    """What a typed line (or several lines) asks for.

    Raises UsageError for a command that is unknown, for somebody else, or has too few or too many
    arguments; TextError for a name that can't be one.
    """
    if not line.startswith("/"):
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    word, rest = _word(line)
    if word == "/":
        raise UsageError("a command follows its slash directly", _LITERAL)
    command = find(word, role)
    options, rest = _options(command, rest)
    return Invocation(command, _arguments(command, rest, role), options)


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
        if argument.kind in _REST:
            word, rest = rest, ""
        elif argument.kind in _SHAPES and not _SHAPES[argument.kind].fullmatch(_word(rest)[0]):
            _check_later(command, _word(rest)[0], command.arguments[place + 1 :])
            word = ""
        else:
            word, rest = _word(rest)
        found.append(_checked(argument.kind, word, role))
    if rest.strip():
        most = len(command.arguments)
        count = "no arguments" if not most else f"at most {most} argument{'s' * (most > 1)}"
        raise UsageError(f"/{command.name} takes {count}", f"usage: {command.usage}")
    return tuple(found)


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


def _checked(kind: Kind, word: str, role: Role) -> str:
    match kind:
        case "room":
            return text.check_room(word)
        case "name":
            return text.check_nick(word)
        case "nick":  # it may be older than today's rules
            return text.clean_line(word.removeprefix("@"))[:_LONGEST]
        case "command":
            return find(word, role).name
        case "file":
            name = word.strip()
            quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "\"'"
            return name[1:-1] if quoted else name
        case _:
            return word


def _word(rest: str) -> tuple[str, str]:
    """The first word, and what follows it after any white space."""
    parts = rest.split(maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


_LONGEST = 256
"""Characters of somebody's nick, as the protocol has it."""
_LITERAL = "start with // to send a line that begins with a slash"


def _suggestion(word: str, role: Role) -> str:
    names = [name for name, row in _BY_NAME.items() if row.role in ("member", role)]
    close = [name for name in names if word and name.startswith(word)]
    close = close or difflib.get_close_matches(word, names, n=2)
    if not close or "/" in word:
        return _LITERAL
    return f"did you mean {' or '.join(f'/{name}' for name in sorted(close)[:4])}?"


# --- completion ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completion:
    """What may take the place of `line[start:cursor]`, best first."""

    start: int
    options: tuple[str, ...] = ()


def complete(
    line: str,
    cursor: int,
    *,
    rooms: Iterable[str],
    nicks: Iterable[str],
    role: Role = "member",
) -> Completion:
    """Completions of the word that ends at the cursor, in the order of `rooms` and `nicks`.

    A command that takes arguments ends with a space; a nick at the start of a line with `: `.
    Nothing is offered for an empty word in something said, nor for file names.
    """
    before = line[:cursor]
    start = max(before.rfind(char) for char in " \n\t") + 1
    word = before[start:]
    if not line.startswith("/") or line.startswith("//"):
        return Completion(start, _spoken(word, rooms, nicks, at_start=not before[:start].strip()))
    if start == 0:
        return Completion(0, tuple(_commands(word, role)) if word else ())
    command = _BY_NAME.get(line.split(maxsplit=1)[0][1:].lower())
    if command is None:
        return Completion(start)
    words = before[:start].split()[1:]
    place = sum(1 for given in words if given not in command.options)
    if command.options and word.startswith("-") and not place:
        return Completion(start, tuple(o for o in command.options if o.startswith(word)))
    kinds = [argument.kind for argument in command.arguments]
    if place < len(kinds):
        kind: Kind | None = kinds[place]
    else:
        kind = kinds[-1] if kinds and kinds[-1] in _REST else None
    match kind:
        case "room":
            return Completion(start, _rooms(word, rooms))
        case "nick":
            return Completion(start, _spoken(word, (), nicks, at_start=False))
        case "command":
            names = [row.name for row in COMMANDS if row.role in ("member", role)]
            slash = "/" * word.startswith("/")
            return Completion(
                start, tuple(slash + n for n in names if (slash + n).startswith(word))
            )
        case "text":
            return Completion(start, _spoken(word, rooms, nicks, at_start=False))
        case _:
            return Completion(start)


def _commands(word: str, role: Role) -> Iterable[str]:
    for row in COMMANDS:
        if row.role in ("member", role):
            names = (row.name, *row.aliases)
            # An alias is offered only to who is typing it.
            if found := next((n for n in names if f"/{n}".startswith(word.lower())), ""):
                yield f"/{found}" + (" " if row.arguments else "")


def _spoken(
    word: str, rooms: Iterable[str], nicks: Iterable[str], *, at_start: bool
) -> tuple[str, ...]:
    if word.startswith("#"):
        return _rooms(word, rooms)
    mark = "@" if word.startswith("@") else ""
    key = text.fold(word.removeprefix("@"))
    if not key:
        return ()
    end = ": " if at_start and not mark else ""
    return tuple(mark + nick + end for nick in nicks if text.fold(nick).startswith(key))


def _rooms(word: str, rooms: Iterable[str]) -> tuple[str, ...]:
    key = text.fold(word.removeprefix("#"))
    return tuple(name for name in rooms if text.fold(name.removeprefix("#")).startswith(key))


def help_table() -> str:
    """The commands as a table in Markdown."""
    lines = ["| command | what it does |", "|---|---|"]
    for row in COMMANDS:
        also = "".join(f", `/{alias}`" for alias in row.aliases)
        operators = " (operators)" if row.role == "operator" else ""
        lines.append(f"| `{row.usage}`{also} | {row.help}{operators} |")
    return "\n".join(lines) + "\n"
