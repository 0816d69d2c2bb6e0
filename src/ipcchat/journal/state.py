"""What the entries add up to: rooms, accounts, names, membership, read markers, counters.

Plain dictionaries. The committed `State` is changed by `Overlay.merge` alone, in one step without
await, once the batch is durable; while a batch is being written everybody reads the state before.
"""

from dataclasses import dataclass, field, replace

from ipcchat.entries import SYSTEM_ROOM
from ipcchat.journal.drafts import Outcome

__all__ = ["Account", "Overlay", "Room", "State", "Stored"]

Stored = tuple[Outcome, bytes]
"""An outcome that is kept, and the content hash of its draft."""


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


class Overlay:
    """What a batch changes, laid over the committed state until it is durable.

    Reading looks at the batch's own changes first. `merge` puts them into the committed state in
    one step; dropping the overlay undoes them all.
    """

    __slots__ = (
        "_base",
        "accounts",
        "applied",
        "credentials",
        "heads",
        "markers",
        "members",
        "nick_keys",
        "outcomes",
        "room_keys",
        "rooms",
    )

    def __init__(self, base: State) -> None:
        self._base = base
        self.applied = base.applied
        """Drafts decided since the journal began: the position of the last one."""
        self.rooms: dict[int, Room] = {}
        """Made or changed rooms; their heads are in `heads`."""
        self.room_keys: dict[str, int] = {}
        self.heads: dict[int, int] = {}
        self.accounts: dict[int, Account] = {}
        self.nick_keys: dict[str, int | None] = {}
        """None: given up."""
        self.credentials: dict[str, int] = {}
        self.members: dict[tuple[int, int], bool] = {}
        """(room, account) → membership."""
        self.markers: dict[tuple[int, int], int] = {}
        self.outcomes: dict[tuple[int, str], Stored] = {}
        """(account, draft id) → what was decided in this batch."""

    # --- rooms ------------------------------------------------------------------------

    def room(self, number: int) -> Room | None:
        return self.rooms.get(number) or self._base.rooms.get(number)

    def room_number(self, key: str) -> int | None:
        return self.room_keys.get(key) or self._base.room_keys.get(key)

    @property
    def last_room(self) -> int:
        return self._base.last_room + len(self.room_keys)

    def next_room(self) -> int:
        return self.last_room + 1

    def add_room(self, room: Room) -> None:
        self.rooms[room.number] = room
        self.room_keys[room.key] = room.number

    def set_topic(self, number: int, topic: str) -> None:
        room = self.room(number)
        assert room is not None
        self.rooms[number] = replace(room, topic=topic)

    def head(self, number: int) -> int:
        head = self.heads.get(number)
        if head is None:
            room = self._base.rooms.get(number)
            head = room.head if room is not None else 0
        return head

    def next_seq(self, number: int) -> int:
        """Consumes the room's next number."""
        heads = self.heads
        seq = heads[number] + 1 if number in heads else self.head(number) + 1
        heads[number] = seq
        return seq

    # --- accounts ---------------------------------------------------------------------

    def account(self, number: int) -> Account:
        return self.accounts.get(number) or self._base.accounts[number]

    @property
    def last_account(self) -> int:
        return self._base.last_account + len(self.credentials)

    def next_account(self) -> int:
        return self.last_account + 1

    def add_account(self, account: Account, credential: str) -> None:
        self.accounts[account.number] = account
        self.nick_keys[account.key] = account.number
        self.credentials[credential] = account.number

    def by_credential(self, credential: str) -> int | None:
        return self.credentials.get(credential) or self._base.credentials.get(credential)

    def nick_owner(self, key: str) -> int | None:
        if key in self.nick_keys:
            return self.nick_keys[key]
        return self._base.nick_keys.get(key)

    def set_nick(self, number: int, nick: str, key: str) -> None:
        self.nick_keys[self.account(number).key] = None
        self.nick_keys[key] = number
        self.accounts[number] = Account(number, nick, key)

    # --- membership and markers -------------------------------------------------------

    def is_member(self, room: int, account: int) -> bool:
        known = self.members.get((room, account))
        return account in self._base.members.get(room, ()) if known is None else known

    def set_member(self, room: int, account: int, member: bool) -> None:
        self.members[room, account] = member

    def marker(self, account: int, room: int) -> int:
        known = self.markers.get((account, room))
        return self._base.markers.get((account, room), 0) if known is None else known

    def set_marker(self, account: int, room: int, seq: int) -> None:
        self.markers[account, room] = seq

    def copy(self) -> "Overlay":
        """The same changes, to go back to where a draft fails."""
        other = Overlay(self._base)
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(other, name, dict(value) if isinstance(value, dict) else value)
        return other

    # --- the end of a batch -----------------------------------------------------------

    def merge(self) -> None:
        """Makes the batch's changes the committed state."""
        base = self._base
        for number, room in self.rooms.items():
            known = base.rooms.get(number)
            if known is None:
                base.rooms[number] = room
            else:
                known.topic = room.topic
        base.last_room, base.last_account = self.last_room, self.last_account
        base.applied = self.applied
        base.room_keys |= self.room_keys
        for number, head in self.heads.items():
            if number == SYSTEM_ROOM and number not in base.rooms:
                base.rooms[number] = Room(SYSTEM_ROOM, "", "")
            base.rooms[number].head = head
        base.accounts |= self.accounts
        base.credentials |= self.credentials
        for key, owner in self.nick_keys.items():
            if owner is None:
                base.nick_keys.pop(key, None)
            else:
                base.nick_keys[key] = owner
        for (number, account), member in self.members.items():
            if member:
                base.members.setdefault(number, set()).add(account)
                base.joined.setdefault(account, set()).add(number)
            else:
                base.members.get(number, set()).discard(account)
                base.joined.get(account, set()).discard(number)
        base.markers |= self.markers
