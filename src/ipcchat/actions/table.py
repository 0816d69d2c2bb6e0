"""Every action by its command's name. A row for each of `ipcchat.commands`; a test checks that."""

from ipcchat.actions.choices import CHOICES
from ipcchat.actions.direct import DIRECT
from ipcchat.actions.face import Action
from ipcchat.actions.history import HISTORY
from ipcchat.actions.people import PEOPLE
from ipcchat.actions.presence import PRESENCE
from ipcchat.actions.program import PROGRAM
from ipcchat.actions.rooms import ROOMS
from ipcchat.actions.search import SEARCH

__all__ = ["ACTIONS"]

ACTIONS: dict[str, Action] = {
    **PROGRAM,
    **ROOMS,
    **DIRECT,
    **PRESENCE,
    **HISTORY,
    **SEARCH,
    **CHOICES,
    **PEOPLE,
}
