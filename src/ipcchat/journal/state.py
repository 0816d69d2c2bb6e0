"""What the entries add up to: rooms, accounts, names, membership, read markers, counters.

Plain dictionaries. The committed state is changed by `merge` alone, in one step without await.
"""

from dataclasses import dataclass, field

__all__ = ["Account", "Room", "State"]


@dataclass(slots=True)
class Room:
    """A room. Room 0 holds server-wide facts and is not listed."""

    number: int
    name: str
    key: str
    head: int = 0
    """seq of the last entry."""
    topic: str = ""
    first: int = 1
    """seq of the oldest entry that is kept."""


@dataclass(slots=True)
class Account:
    """Who says things."""

    number: int
    nick: str
    key: str


@dataclass(slots=True)
class State:
    """The committed state, for reading."""

    rooms: dict[int, Room] = field(default_factory=dict)
    room_keys: dict[str, int] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    nick_keys: dict[str, int] = field(default_factory=dict)
    credentials: dict[str, int] = field(default_factory=dict)
    members: dict[int, set[int]] = field(default_factory=dict)
    """Room → accounts."""
    joined: dict[int, set[int]] = field(default_factory=dict)
    """Account → rooms."""
    markers: dict[tuple[int, int], int] = field(default_factory=dict)
    """(account, room) → read marker."""
    last_room: int = 0
    """The highest room number ever given."""
    last_account: int = 0
    """The highest account number ever given."""
    applied: int = 0
    """How many drafts were ever decided: the position of the last one."""
