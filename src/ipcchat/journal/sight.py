"""What an account may know of a room: the one function that everything asks.

A public room is everybody's. A private or direct one is its members' alone, from the entry with
which each came in; for anybody else it is as if there were none.
"""

from typing import Protocol

from ipcchat.entries import SYSTEM_ROOM
from ipcchat.journal.state import Membership, Room

__all__ = ["DIRECT", "HIDDEN_ROOMS", "PRIVATE", "PUBLIC", "first_seen", "hidden_number"]

PUBLIC, PRIVATE, DIRECT = "public", "private", "direct"
HIDDEN_ROOMS = 1 << 22
"""Numbers from here on, up to twice as many, are those of private and direct rooms. They are drawn
by chance, and others count up below, so that no number tells how many there are."""


class Known(Protocol):
    """The committed state, or what a batch makes of it."""

    def room(self, number: int) -> Room | None:
        """The room of that number."""

    def membership(self, room: int, account: int) -> Membership | None:
        """That of an account in a room."""


def first_seen(known: Known, number: int, account: int) -> int | None:
    """The lowest seq that the account may read of a room; None: there is no such room for it."""
    room = known.room(number)
    if room is None or number == SYSTEM_ROOM:
        return None
    if room.access == PUBLIC:
        return room.first
    member = known.membership(number, account)
    return None if member is None else max(room.first, member[0])


def hidden_number(known: Known, wanted: int) -> int:
    """The number of a new hidden room: the one that is wanted, or the next that is free."""
    number = HIDDEN_ROOMS + wanted % HIDDEN_ROOMS
    while known.room(number) is not None:
        number = HIDDEN_ROOMS + (number + 1) % HIDDEN_ROOMS
    return number
