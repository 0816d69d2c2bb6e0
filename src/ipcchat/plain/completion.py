"""Tab: the word at the end of the line becomes what it may stand for, one after the other."""

from itertools import islice

from ipcchat.client.model import Model
from ipcchat.commands import Completion, Role, complete
from ipcchat.entries import Entry

__all__ = ["Completer"]

_RECENT = 200
"""Last lines whose authors come first."""


class Completer:
    """Remembers which completion stands there, until something else is typed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._made = ""
        self._found: Completion | None = None
        self._choice = 0

    def next(self, text: str, role: Role) -> str | None:
        """The line with its next completion; None where there is none."""
        if self._found is None or text != self._made:
            rooms = [room.name for room in self._model.rooms.values()]
            nicks = self._nicks()
            self._found = complete(text, len(text), rooms=rooms, nicks=nicks, role=role)
            self._made, self._choice = text, -1
        options = self._found.options
        if not options:
            self._found = None
            return None
        self._choice = (self._choice + 1) % len(options)
        self._made = self._made[: self._found.start] + options[self._choice]
        return self._made

    def _nicks(self) -> list[str]:
        """Nicks in the current room: who spoke last comes first, oneself last."""
        room = self._model.rooms.get(self._model.current)
        if room is None:
            return []
        last = islice(reversed(room.lines), _RECENT)
        spoke = [line.by for line in last if isinstance(line, Entry) and line.by in room.members]
        order = dict.fromkeys([*spoke, *room.members])
        order.pop(self._model.account, None)
        return [*(room.members[account].nick for account in order), self._model.nick]
