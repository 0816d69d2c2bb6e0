"""What the entries add up to: rooms, accounts, names, rights, membership, read markers, counters.

Plain dictionaries. The committed `State` is changed by `Overlay.merge` alone, in one step without
await, once the batch is durable; while a batch is being written everybody reads the state before.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from msgspec import Struct

from ipcchat.entries import SERVER, SYSTEM_ROOM, Entry
from ipcchat.journal.drafts import Content, Draft, Outcome

__all__ = ["Account", "Invite", "Membership", "Overlay", "Reserved", "Room", "State", "Stored"]

Stored = tuple[Outcome, Content]
"""An outcome that is kept, and the content of its draft."""
Membership = tuple[int, int]
"""Of a member: the seq with which it came in, and when, in ms since 1970 UTC."""
K = TypeVar("K")
V = TypeVar("V")


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
    skeleton: str = ""
    """Equal for names that look alike."""
    access: str = "public"
    """`public`, `private` or `direct`: see `sight`."""
    maker: int = 0
    """The account that made it."""
    peer: int = 0
    """Of a direct room: the other account."""
    made: int = 0
    """When, in ms since 1970 UTC."""


class Account(Struct, frozen=True):
    """Who says things."""

    number: int
    nick: str
    key: str
    role: str = "member"
    """`member` or `operator`."""
    skeleton: str = ""


class Invite(Struct, frozen=True):
    """What lets strangers in. Its name is the hash of a token that the journal never sees."""

    by: int
    """The account that made it."""
    uses: int
    """How many more accounts it makes."""
    expires: int
    """Milliseconds since 1970 UTC."""


class Reserved(Struct, frozen=True):
    """A nick that somebody had."""

    account: int
    until: int
    """Milliseconds since 1970 UTC."""
    skeleton: str = ""
    """Of the nick: what looks like it is reserved too."""


@dataclass(slots=True)
class State:
    """The committed state, for reading."""

    rooms: dict[int, Room] = field(default_factory=dict)
    room_keys: dict[str, int] = field(default_factory=dict)
    room_skeletons: dict[str, int] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    nick_keys: dict[str, int] = field(default_factory=dict)
    nick_skeletons: dict[str, int] = field(default_factory=dict)
    reserved: dict[str, Reserved] = field(default_factory=dict)
    """Key of a nick → who had it."""
    credentials: dict[str, int] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    """Credential → numbers of the only rooms it opens, with commas; others have no row."""
    invites: dict[str, Invite] = field(default_factory=dict)
    """Hash of the token → invite."""
    admitted: dict[str, int] = field(default_factory=dict)
    """Credential that may make an account → until when, in ms since 1970 UTC."""
    bans: dict[int, int] = field(default_factory=dict)
    """Account → until when, in ms since 1970 UTC; 0: for ever."""
    members: dict[int, dict[int, Membership]] = field(default_factory=dict)
    """Room → its accounts."""
    joined: dict[int, set[int]] = field(default_factory=dict)
    """Account → rooms."""
    markers: dict[tuple[int, int], int] = field(default_factory=dict)
    """(account, room) → read marker."""
    room_invites: dict[tuple[int, int], int] = field(default_factory=dict)
    """(private room, account that may join it) → the account that said so."""
    hidden: dict[tuple[int, int], int] = field(default_factory=dict)
    """(account, direct room) → the head at which it put the room away; what is said later brings
    it back."""
    facts: dict[int, list[int]] = field(default_factory=dict)
    """Room → seqs of its entries that are no messages, ascending."""
    last_room: int = 0
    """The highest number ever given to a public room."""
    last_account: int = 0
    """The highest account number ever given."""
    applied: int = 0
    """How many drafts were ever decided: the position of the last one."""

    def banned(self, account: int, now: int) -> bool:
        """Whether the account may not be here at that time, in ms since 1970 UTC."""
        return _holds(self.bans.get(account), now)

    def room(self, number: int) -> Room | None:
        """The room of that number."""
        return self.rooms.get(number)

    def membership(self, room: int, account: int) -> Membership | None:
        """That of an account in a room."""
        members = self.members.get(room)
        return None if members is None else members.get(account)

    def messages(self, room: int, after: int, upto: int) -> int:
        """How many messages have after < seq <= upto."""
        facts = self.facts.get(room, ())
        return max(0, upto - after) - max(0, bisect_right(facts, upto) - bisect_right(facts, after))


def _holds(until: int | None, now: int) -> bool:
    """Whether a ban does at that time; None: there is none, 0: it never ends."""
    return until is not None and (until == 0 or now < until)


class Layer(Generic[K, V]):
    """A dictionary's changes, laid over it."""

    __slots__ = ("_base", "changes")

    def __init__(self, base: dict[K, V]) -> None:
        self._base = base
        self.changes: dict[K, V | None] = {}
        """None: removed."""

    def get(self, key: K) -> V | None:
        """The value, or None where there is none."""
        return self.changes[key] if key in self.changes else self._base.get(key)

    def __setitem__(self, key: K, value: V) -> None:
        self.changes[key] = value

    def remove(self, key: K) -> None:
        """Removes it, where it is there."""
        self.changes[key] = None

    def items(self) -> list[tuple[K, V]]:
        """All that is there."""
        kept = [item for item in self._base.items() if item[0] not in self.changes]
        return kept + [(key, value) for key, value in self.changes.items() if value is not None]

    def merge(self) -> None:
        """Changes the dictionary."""
        for key, value in self.changes.items():
            if value is None:
                self._base.pop(key, None)
            else:
                self._base[key] = value


_PLAIN = (
    "applied",
    "facts",
    "heads",
    "last_account",
    "last_room",
    "members",
    "outcomes",
    "room_keys",
    "rooms",
)
_USUAL = ("accounts", "bans", "markers")
"""Layers that every batch looks at; the others are laid when they are first looked at."""


def _laid(name: str) -> Any:
    return property(lambda overlay: overlay.layers.get(name) or overlay.lay(name))


class Overlay:
    """What a batch changes, laid over the committed state until it is durable.

    Reading looks at the batch's own changes first. `merge` puts them into the committed state in
    one step; dropping the overlay undoes them all.
    """

    __slots__ = ("_base", "layers", *_PLAIN, *_USUAL)

    admitted: Layer[str, int] = _laid("admitted")
    credentials: Layer[str, int] = _laid("credentials")
    hidden: Layer[tuple[int, int], int] = _laid("hidden")
    invites: Layer[str, Invite] = _laid("invites")
    nick_keys: Layer[str, int] = _laid("nick_keys")
    nick_skeletons: Layer[str, int] = _laid("nick_skeletons")
    reserved: Layer[str, Reserved] = _laid("reserved")
    room_invites: Layer[tuple[int, int], int] = _laid("room_invites")
    room_skeletons: Layer[str, int] = _laid("room_skeletons")
    scopes: Layer[str, str] = _laid("scopes")

    def __init__(self, base: State) -> None:
        self._base = base
        self.applied = base.applied
        """Drafts decided since the journal began: the position of the last one."""
        self.rooms: dict[int, Room] = {}
        """Made or changed rooms; their heads are in `heads`."""
        self.room_keys: dict[str, int] = {}
        self.heads: dict[int, int] = {}
        self.facts: dict[tuple[int, int], None] = {}
        """(room, seq) of entries that are no messages."""
        self.last_room = base.last_room
        self.last_account = base.last_account
        self.members: dict[tuple[int, int], Membership | None] = {}
        """(room, account) → membership."""
        self.outcomes: dict[tuple[int, str], Stored] = {}
        """(account, draft id) → what was decided in this batch."""
        self.layers: dict[str, Layer[Any, Any]] = {}
        """Those that were looked at."""
        self.accounts: Layer[int, Account] = self.lay("accounts")
        self.bans: Layer[int, int] = self.lay("bans")
        self.markers: Layer[tuple[int, int], int] = self.lay("markers")

    def lay(self, name: str) -> Layer[Any, Any]:
        """A layer over a dictionary of the state, without a change."""
        layer = self.layers[name] = Layer(getattr(self._base, name))
        return layer

    # --- rooms ------------------------------------------------------------------------

    def room(self, number: int) -> Room | None:
        return self.rooms.get(number) or self._base.rooms.get(number)

    def room_number(self, key: str) -> int | None:
        return self.room_keys.get(key) or self._base.room_keys.get(key)

    def add_room(self, room: Room) -> None:
        if room.access == "public":
            self.last_room = room.number
        self.rooms[room.number] = room
        self.room_keys[room.key] = room.number
        if room.skeleton:
            self.room_skeletons[room.skeleton] = room.number

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

    def enter(
        self,
        draft: Draft,
        room: int,
        kind: str,
        text: str = "",
        target: int = 0,
        *,
        by: int | None = None,
    ) -> Entry:
        """The entry that a draft makes in a room, with its next number; `by`: the account, where it
        is not the one that asks. Raises KeyError where there is no such account."""
        by = draft.account if by is None else by
        nick = "" if by == SERVER else self.account(by).nick
        seq = self.next_seq(room)
        if room != SYSTEM_ROOM:
            self.facts[room, seq] = None
        return Entry(room, seq, draft.time, by, nick, kind, draft.id, text, draft.style, target)

    # --- accounts ---------------------------------------------------------------------

    def account(self, number: int) -> Account:
        """An account that is there. Raises KeyError."""
        found = self.accounts.get(number)
        if found is None:
            raise KeyError(number)
        return found

    def set_account(self, account: Account) -> None:
        """Makes an account, or changes its nick and role."""
        before = self.accounts.get(account.number)
        if before is None:
            self.last_account = account.number
        elif before.key != account.key:
            self.nick_keys.remove(before.key)
        if (
            before is not None
            and before.skeleton != account.skeleton
            and self.nick_skeletons.get(before.skeleton) == account.number
        ):
            self.nick_skeletons.remove(before.skeleton)
        self.accounts[account.number] = account
        self.nick_keys[account.key] = account.number
        if account.skeleton:
            self.nick_skeletons[account.skeleton] = account.number

    def banned(self, account: int, now: int) -> bool:
        """Whether the account may not be here at that time, in ms since 1970 UTC."""
        return _holds(self.bans.get(account), now)

    # --- membership -------------------------------------------------------------------

    def membership(self, room: int, account: int) -> Membership | None:
        if (room, account) in self.members:
            return self.members[room, account]
        return self._base.membership(room, account)

    def set_member(self, room: int, account: int, member: Membership | None) -> None:
        self.members[room, account] = member

    def copy(self) -> "Overlay":
        """The same changes, to go back to where a draft fails."""
        other = Overlay(self._base)
        for name in _PLAIN:
            value = getattr(self, name)
            setattr(other, name, value.copy() if isinstance(value, dict) else value)
        for name, layer in self.layers.items():
            other.lay(name).changes |= layer.changes
        for name in _USUAL:
            setattr(other, name, other.layers[name])
        return other

    # --- the end of a batch -----------------------------------------------------------

    def merge(self) -> None:
        """Makes the batch's changes the committed state."""
        base = self._base
        base.last_room, base.last_account = self.last_room, self.last_account
        base.applied = self.applied
        for number, room in self.rooms.items():
            known = base.rooms.get(number)
            if known is None:
                base.rooms[number] = room
            else:
                known.topic = room.topic
        base.room_keys |= self.room_keys
        for number, head in self.heads.items():
            if number == SYSTEM_ROOM and number not in base.rooms:
                base.rooms[number] = Room(SYSTEM_ROOM, "", "")
            base.rooms[number].head = head
        for layer in self.layers.values():
            layer.merge()
        for number, seq in self.facts:
            base.facts.setdefault(number, []).append(seq)
        for (number, account), member in self.members.items():
            if member is not None:
                base.members.setdefault(number, {})[account] = member
                base.joined.setdefault(account, set()).add(number)
            else:
                base.members.get(number, {}).pop(account, None)
                base.joined.get(account, set()).discard(number)
