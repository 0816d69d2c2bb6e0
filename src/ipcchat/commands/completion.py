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
    role: Role = "member",
    ignored: Iterable[str] = (),
    settings: Mapping[str, Sequence[str]] | None = None,
) -> Completion:
    """Completions of the word that ends at the cursor, in the order of `rooms` and `nicks`.

    `ignored`: nicks on that list. `settings`: what can be changed, with the words each may have.

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
            return Completion(start, _rooms(word, rooms))
        case "nick":
            return Completion(start, _spoken(word, (), nicks, at_start=False))
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


def _rooms(word: str, rooms: Iterable[str]) -> tuple[str, ...]:
    key = text.fold(word.removeprefix("#"))
    return tuple(name for name in rooms if text.fold(name.removeprefix("#")).startswith(key))
