"""What may take the place of the word that is being typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ipcchat import text
from ipcchat.commands.rows import COMMANDS, REST, Role, by_name

__all__ = ["Completion", "complete"]


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
    people: Iterable[str] | None = None,
    role: Role = "member",
    ignored: Iterable[str] = (),
    settings: Mapping[str, Sequence[str]] | None = None,
) -> Completion:
    """Completions of the word that ends at the cursor, in the order of `rooms` and `nicks`.

    `rooms`: names with their `#`, or `@`; `nicks`: who is in the room on the screen; `people`:
    everybody known, for commands about one of them. `ignored`: nicks on that list. `settings`:
    what can be changed, with the words each may have.

    A command that takes arguments ends with a space; a nick at the start of a line with `: `.
    Nothing is offered for an empty word in something said, nor for file names.
    """
    people = list(nicks if people is None else people)
    before = line[:cursor]
    start = max(before.rfind(char) for char in " \n\t") + 1
    word = before[start:]
    if not line.startswith("/") or line.startswith("//"):
        return Completion(start, _spoken(word, rooms, nicks, at_start=not before[:start].strip()))
    if start == 0:
        return Completion(0, tuple(_commands(word, role)) if word else ())
    command = by_name(line.split(maxsplit=1)[0][1:].lower())
    if command is None:
        return Completion(start)
    words = before[:start].split()[1:]
    place = sum(1 for given in words if given not in command.options)
    if command.options and word.startswith("-") and not place:
        return Completion(start, tuple(o for o in command.options if o.startswith(word)))
    argument = (
        command.arguments[min(place, len(command.arguments) - 1)] if command.arguments else None
    )
    if argument is None or (place >= len(command.arguments) and argument.kind not in REST):
        return Completion(start)
    match argument.kind:
        case "room":
            return Completion(start, _rooms(word, rooms, people))
        case "nick":
            return Completion(start, _spoken(word, (), people, at_start=False))
        case "query":
            return Completion(start, _sought(word, rooms, people))
        case "ignored":
            return Completion(start, _spoken(word, (), ignored, at_start=False))
        case "choice" | "duration":
            return Completion(start, _begin(word, argument.words))
        case "setting":
            return Completion(start, tuple(f"{n} " for n in _begin(word, settings or ())))
        case "value":
            return Completion(start, _begin(word, (settings or {}).get(words[0].lower(), ())))
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


def _begin(word: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name.startswith(word.lower()))


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


def _rooms(word: str, rooms: Iterable[str], people: Iterable[str] = ()) -> tuple[str, ...]:
    """Rooms; behind an `@` the direct ones, also with people of whom one has none yet."""
    if word.startswith("@"):
        known = dict.fromkeys(
            [*(one for one in rooms if one[:1] == "@"), *(f"@{n}" for n in people)]
        )
        return tuple(name for name in known if text.fold(name).startswith(text.fold(word)))
    key = text.fold(word.removeprefix("#"))
    named = (name for name in rooms if not (word and name.startswith("@")))
    return tuple(name for name in named if text.fold(name.removeprefix("#")).startswith(key))


def _sought(word: str, rooms: Iterable[str], people: Iterable[str]) -> tuple[str, ...]:
    """What narrows a search, and its values; else nicks and rooms, as in something said."""
    operator, colon, value = word.partition(":")
    operator = f"{operator.lower()}:"
    if not colon:
        begun = tuple(one for one in _VALUES if word and one.startswith(word.lower()))
        return begun + _spoken(word, rooms, people, at_start=False)
    found: tuple[str, ...] = ()
    if operator == "from:":
        mark = "@" * value.startswith("@")
        key = text.fold(value.removeprefix("@"))
        found = tuple(mark + nick for nick in people if text.fold(nick).startswith(key))
    elif operator == "in:":
        found = _rooms(value, rooms, people)
    else:
        found = _begin(value, _VALUES.get(operator, ()))
    return tuple(operator + one for one in found)


_VALUES: Mapping[str, tuple[str, ...]] = {
    "from:": (),
    "in:": (),
    "after:": ("today", "yesterday"),
    "before:": ("today", "yesterday"),
}
"""What narrows a search, with the words that its value may be."""
