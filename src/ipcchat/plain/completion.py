"""Tab: the word at the end of the line becomes what it may stand for, one after the other."""

from ipcchat.actions.choices import SETTINGS
from ipcchat.actions.presence import known
from ipcchat.client.model import Model
from ipcchat.commands import Completion, Role, complete

__all__ = ["Completer"]


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
            model = self._model
            room = model.rooms.get(model.current)
            self._found = complete(
                text,
                len(text),
                rooms=[room.name for room in model.rooms.values()],
                nicks=room.nicks(model.account) if room is not None else [],
                people=known(model),
                role=role,
                ignored=model.interest.ignored,
                settings=SETTINGS,
            )
            self._made, self._choice = text, -1
        options = self._found.options
        if not options:
            self._found = None
            return None
        self._choice = (self._choice + 1) % len(options)
        self._made = self._made[: self._found.start] + options[self._choice]
        return self._made
