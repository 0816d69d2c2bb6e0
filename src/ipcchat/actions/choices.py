"""What the user chooses: settings, whom to ignore, what asks for attention.

A choice counts at once, on the screen and in the model, and is kept for later starts; where that
fails, it counts until one leaves. How long not to be disturbed is not kept. What was typed, or is
in a file, is shown with everything invisible spelt out.
"""

import asyncio
import dataclasses
import difflib
import os
import threading
from collections.abc import Mapping
from typing import Any

from ipcchat import configuration, names
from ipcchat.actions.face import Action, Face, current_room
from ipcchat.clock import local, now
from ipcchat.commands import Invocation, seconds
from ipcchat.entries import now_ms
from ipcchat.errors import FileError, SettingError, UsageError
from ipcchat.settings import ClientSettings, Row, rows
from ipcchat.text import visible

__all__ = ["CHOICES", "SETTINGS"]

_ROWS = {row.name: row for row in rows(ClientSettings)}
_LIVE = {name: row for name, row in _ROWS.items() if row.live}
_DEFAULT = "default"
_SWITCH = {"yes or no": ("on", "off")}
SETTINGS: Mapping[str, tuple[str, ...]] = {
    name: (*(() if row.table else row.choices), *_SWITCH.get(row.kind, ()), _DEFAULT)
    for name, row in _LIVE.items()
}
"""What `/set` changes, with the words each may have: for completion."""
_WORDS = frozenset({"ignore", "highlight"})
"""Lists of what others would have to write."""
_TURN = threading.Lock()
"""One choice is kept after the other: the last one stays."""


async def _choose(face: Face, name: str, value: Any, item: str = "") -> None:
    """A setting has that value from now on; `item`: that alone changes in its list.

    Raises UsageError, FileError, SettingError.
    """
    row = _LIVE[name]
    try:
        value = row.parse(value)
    except ValueError as error:
        shown = _safe(row.show(value) if isinstance(value, tuple) else str(value))
        raise UsageError(f"{shown} is no value for {name}", str(error)) from None
    if name in _WORDS:
        for word in value:
            if word not in getattr(face.settings, name):
                _check(word)
    _count(face, name, value)
    if configuration.alone is not None:
        face.show(f"it counts until you leave: --config {_safe(str(configuration.alone))}")
        return
    await asyncio.to_thread(_keep, face, name, item)
    if variable := _variable(name):
        face.show(f"{variable} decides again at the next start")


def _count(face: Face, name: str, value: Any) -> None:
    settings = dataclasses.replace(face.settings, **{name: value})
    face.model.configure(settings)
    face.configure(settings)


def _keep(face: Face, name: str, item: str) -> None:
    """Keeps the value of a setting. `item`: no other one changes in the list that is kept, where
    other clients keep theirs, too."""
    key = names.key(item)

    def change(kept: Any) -> Any:
        mine = getattr(face.settings, name)
        if kept is None:
            return mine
        others = tuple(one for one in kept if _key(one) != key)
        return (*others, *(one for one in mine if _key(one) == key))

    with _TURN:
        try:
            if item:
                configuration.alter(name, change)
            else:
                configuration.keep(name, getattr(face.settings, name))
        except (FileError, SettingError) as error:
            error.hint = "it counts until you leave"
            raise


def _key(item: str | tuple[str, str]) -> str:
    """What tells the items of a list apart."""
    return names.key(item if isinstance(item, str) else item[0])


def _check(word: str) -> None:
    """Raises UsageError for a word that nobody can have written."""
    if not word.strip() or "\ufffd" in word or _safe(word) != word:
        shown = _safe(word).strip() or "it"
        raise UsageError(f"{shown} has invisible characters", "write it as others do")


def _safe(s: str) -> str:
    """As a part of a line, which it can't end."""
    return visible(s).translate({0x09: "\u2409", 0x0A: "\u240a"})


def _variable(name: str) -> str:
    """The variable of the environment that sets it, if one does."""
    variable = f"IPCCHAT_{name.upper()}"
    return variable if variable in os.environ else ""


# --- settings -----------------------------------------------------------------------------


async def _set(face: Face, call: Invocation) -> None:
    if not call.arguments:
        await _list(face)
        return
    row = _row(call.arguments[0])
    if len(call.arguments) == 1:
        where = (await _origins(face)).get(row.name, "")
        allowed = f" · allowed: {row.allowed}" if row.allowed else ""
        face.show(f"{_shown(face, row, where)}\n{row.help}{allowed}", "help")
        return
    value = call.arguments[1]
    if value.lower() == _DEFAULT:
        config = configuration.alone
        if config is None:
            await asyncio.to_thread(configuration.keep, row.name, None)
        found, _ = await asyncio.to_thread(
            configuration.load, ClientSettings, flags={}, config=config
        )
        _count(face, row.name, getattr(found, row.name))
    else:
        await _choose(face, row.name, "" if value in ('""', "''") else value)
    face.show(_shown(face, row, ""))


def _row(word: str) -> Row:
    name = word.lower().replace("-", "_")
    if name in _LIVE:
        return _LIVE[name]
    if name in _ROWS:
        raise UsageError(
            f"{name} can't be changed while the program runs", "it has its place in client.toml"
        )
    close = difflib.get_close_matches(name, _LIVE, n=1)
    hint = f"did you mean {close[0]}?" if close else "/set lists the settings"
    raise UsageError(f"unknown setting {_safe(word)}", hint)


async def _list(face: Face) -> None:
    origins = await _origins(face)
    lines = [_shown(face, row, origins.get(row.name, "")) for row in _LIVE.values()]
    face.show("\n".join([*lines, "/set KEY VALUE changes one, /set KEY explains it"]), "help")


def _shown(face: Face, row: Row, where: str) -> str:
    value = row.show(getattr(face.settings, row.name))
    return _safe(f"{row.name} = {value or 'nothing'}" + (f"  ({where})" if where else ""))


async def _origins(face: Face) -> dict[str, str]:
    """Where values come from; nothing where a file has been damaged meanwhile, which is shown."""
    try:
        return await asyncio.to_thread(
            configuration.origins, face.settings, os.environ, configuration.alone
        )
    except SettingError as error:
        face.show_error(error)
        return {}


async def _theme(face: Face, call: Invocation) -> None:
    if call.arguments:
        await _choose(face, "theme", call.arguments[0])
    face.show(f"theme: {face.settings.theme}")


async def _mouse(face: Face, call: Invocation) -> None:
    on = call.arguments[0] == "on" if call.arguments else not face.settings.mouse
    await _choose(face, "mouse", on)
    what = "scrolls and clicks" if on else "selects text"
    face.show(f"the mouse {what} – /mouse {'off' if on else 'on'} ends it")


# --- lists of words -----------------------------------------------------------------------


async def _ignore(face: Face, call: Invocation) -> None:
    if not call.arguments:
        ignored = [f"{nick}{_present(face, nick)}" for nick in face.settings.ignore]
        face.show(_safe(f"ignored: {', '.join(ignored) or 'nobody'}"), "help")
        return
    nick = call.arguments[0]
    if names.key(nick) == names.key(face.model.nick):
        raise UsageError("that is you", "/ignore NICK is for somebody else")
    await _add(face, "ignore", nick)
    shown = _safe(nick)
    face.show(f"you see no messages of {shown} – /unignore {shown} ends it")


def _present(face: Face, ignored: str) -> str:
    """Under which other nicks somebody who is ignored is here."""
    key = names.key(ignored)
    others = {
        member.nick
        for room in face.model.rooms.values()
        for member in room.members.values()
        if names.key(face.model.interest.ignored_as(member.account)) == key
        and names.key(member.nick) != key
    }
    return f" (now {', '.join(sorted(others))})" if others else ""


async def _unignore(face: Face, call: Invocation) -> None:
    nick = _listed(face, call.arguments[0])
    if not await _remove(face, "ignore", nick):
        raise UsageError(f"you do not ignore {_safe(nick)}", "/ignore lists whom you do")
    face.show(f"you see the messages of {_safe(call.arguments[0])} again")


def _listed(face: Face, nick: str) -> str:
    """The nick on the list of who has that nick now, else the nick."""
    key = names.key(nick)
    if all(names.key(ignored) != key for ignored in face.settings.ignore):
        for room in face.model.rooms.values():
            for member in room.members.values():
                if names.key(member.nick) == key:
                    return face.model.interest.ignored_as(member.account) or nick
    return nick


async def _highlight(face: Face, call: Invocation) -> None:
    if call.arguments:
        await _add(face, "highlight", call.arguments[0])
    words = ", ".join([face.model.nick, *face.settings.highlight])
    face.show(_safe(f"words that count as a mention: {words}"), "help")


async def _unhighlight(face: Face, call: Invocation) -> None:
    word = call.arguments[0]
    if not await _remove(face, "highlight", word):
        raise UsageError(f"{_safe(word)} is no such word", "/highlight lists them")
    face.show(f"{_safe(word)} counts as a mention no more")


async def _add(face: Face, name: str, word: str) -> None:
    if "," in word:
        raise UsageError("one at a time, and without a comma")
    _check(word)
    found: tuple[str, ...] = getattr(face.settings, name)
    if names.key(word) not in map(names.key, found):
        await _choose(face, name, (*found, word), word)


async def _remove(face: Face, name: str, word: str) -> bool:
    """Takes a word off a list; whether it was there."""
    found: tuple[str, ...] = getattr(face.settings, name)
    left = tuple(one for one in found if names.key(one) != names.key(word))
    if left == found:
        return False
    await _choose(face, name, left, word)
    return True


# --- attention ----------------------------------------------------------------------------

_ASKS = {
    "all": "every message asks for attention",
    "mentions": "mentions ask for attention",
    "none": "nothing asks for attention",
}


async def _notify(face: Face, call: Invocation) -> None:
    room = current_room(face)
    if call.arguments:
        key, level = names.key(room.name), call.arguments[0]
        others = [pair for pair in face.settings.notify_rooms if names.key(pair[0]) != key]
        added = [(room.name, level)] if level != "mentions" else []
        await _choose(face, "notify_rooms", (*others, *added), room.name)
    off = " – but notify is off: /set notify auto" if face.settings.notify == "off" else ""
    level = face.model.interest.level(room.name)
    face.show(f"{_safe(room.name)}: {level}, {_ASKS[level]}{off}", "help")


async def _dnd(face: Face, call: Invocation) -> None:
    interest = face.model.interest
    if call.arguments:
        time = seconds(call.arguments[0])  # 0 for the word `off`
        interest.dnd_until = now_ms() + 1000 * time if time else 0
        face.model.alerts.clear()
    if interest.dnd_until <= now_ms():
        face.show("messages may ask for attention – /dnd 30m: not for a while", "help")
        return
    until = local(interest.dnd_until)
    day = "" if until.date() == now().date() else f"{until:%a} {until.day} {until:%b} "
    face.show(f"nothing asks for attention until {day}{until:%H:%M} – /dnd off ends it", "help")


CHOICES: dict[str, Action] = {
    "set": _set,
    "theme": _theme,
    "mouse": _mouse,
    "ignore": _ignore,
    "unignore": _unignore,
    "highlight": _highlight,
    "unhighlight": _unhighlight,
    "notify": _notify,
    "dnd": _dnd,
}
