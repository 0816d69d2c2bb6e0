"""What a client asks, as typed structs: each has an `id` of the client's choice."""

from typing import TypeAlias

from msgspec import field

from ipcchat.entries import Cursor
from ipcchat.wire.fields import DraftId, Int, Name, Reason, Tagged, Text
from ipcchat.wire.moderation import Order

__all__ = [
    "Away",
    "Direct",
    "Follow",
    "Hello",
    "History",
    "Join",
    "Log",
    "Login",
    "Members",
    "Nick",
    "Part",
    "Ping",
    "Read",
    "Reload",
    "Request",
    "RoomInvite",
    "RoomUninvite",
    "Rooms",
    "Say",
    "Search",
    "Sessions",
    "Shutdown",
    "Status",
    "Topic",
    "Unfollow",
    "Whois",
    "Withdraw",
]


class Hello(Tagged, tag="hello"):
    """The first frame: which versions and features the client speaks, and what it calls itself."""

    id: Int
    versions: list[Int]
    features: list[str] = field(default_factory=list)
    device: Name = ""


class Login(Tagged, tag="login"):
    """Proves an account, or makes one with this nick. `nick` counts for a new account alone."""

    id: Int
    method: Name
    nick: Name = ""
    secret: Name = ""
    """Method `secret`: 128 random bits as 32 hexadecimal digits, kept by the client. With `key`:
    what proved the account before, which moves to the key."""
    key: Name = ""
    """Method `key`: the Ed25519 public key as 64 hexadecimal digits."""
    nonce: Name = ""
    """Method `key`: 128 random bits as 32 hexadecimal digits, fresh for this login."""
    signature: Name = ""
    """Method `key`: that of the login's transcript, as 128 hexadecimal digits."""
    token: Name = ""
    """Method `token`: 32 random bytes in base64url, 43 characters, given by an operator."""
    invite: Name = ""
    """A token of an invite, likewise: lets a new account in where that needs one."""
    quiet: bool = False
    """Not shown in presence or member lists (scripts)."""


class Say(Tagged, tag="say"):
    """Puts a message into a room."""

    id: Int
    room: Int
    draft: DraftId
    text: Text
    style: Name = ""


class Join(Tagged, tag="join"):
    """Becomes a member of a room, by name (made when absent) or by number."""

    id: Int
    draft: DraftId
    name: Name = ""
    room: Int = 0
    private: bool = False
    """Makes it a private room; refused (`room_taken`) where there is one of that name."""


class Direct(Tagged, tag="direct"):
    """The room of the own account and another one, made at first use. By nick or by number."""

    id: Int
    draft: DraftId
    nick: Name = ""
    account: Int = 0


class RoomInvite(Tagged, tag="room_invite"):
    """Lets an account join a private room that one is in."""

    id: Int
    draft: DraftId
    room: Int
    nick: Name


class RoomUninvite(Tagged, tag="room_uninvite"):
    """Takes that back; who has joined already is removed, where one made the room or is an
    operator."""

    id: Int
    draft: DraftId
    room: Int
    nick: Name


class Part(Tagged, tag="part"):
    """Ends membership of a room."""

    id: Int
    draft: DraftId
    room: Int


class Topic(Tagged, tag="topic"):
    """Sets a room's topic; an empty text clears it."""

    id: Int
    draft: DraftId
    room: Int
    text: Text


class Nick(Tagged, tag="nick"):
    """Changes the account's nick."""

    id: Int
    draft: DraftId
    nick: Name


class Follow(Tagged, tag="follow"):
    """Asks for a room's entries from a cursor, or the last N, and for what comes after them.

    `skip`: when more than so many entries lie between cursor and head, skip them: a `gap` event
    says which, and the last ones follow.
    """

    id: Int
    room: Int
    cursor: Cursor | None = None
    last: Int | None = None
    skip: Int | None = None


class Unfollow(Tagged, tag="unfollow"):
    """Ends a subscription; `unfollowed` is its last event."""

    id: Int
    room: Int


class History(Tagged, tag="history"):
    """One page of a room's past: entries with seq < `before`, or seq > `after`."""

    id: Int
    room: Int
    before: Int | None = None
    after: Int | None = None
    limit: Int = 100


class Rooms(Tagged, tag="rooms"):
    """One page of the rooms one may see, or the one called `name`, or of that number."""

    id: Int
    next: Int = 0
    name: Name = ""
    room: Int = 0


class Members(Tagged, tag="members"):
    """One page of a room's members."""

    id: Int
    room: Int
    next: Int = 0


class Read(Tagged, tag="read"):
    """Moves the account's read marker of a room."""

    id: Int
    room: Int
    seq: Int


class Away(Tagged, tag="away"):
    """Says that one is not at the keyboard, or, with `away` false, is back."""

    id: Int
    away: bool = True
    text: Reason = ""


class Whois(Tagged, tag="whois"):
    """Who has a nick."""

    id: Int
    nick: Name


class Search(Tagged, tag="search"):
    """One page of the messages that have all these words, the newest first.

    `room`: only of this one; `nick`: only by who has it; `after` and `before`: said at or after,
    and before, in ms since 1970 UTC. `next`: goes on behind a page.
    """

    id: Int
    text: Text = ""
    room: Int = 0
    nick: Name = ""
    after: Int = 0
    before: Int = 0
    limit: Int = 50
    next: Name = ""


class Withdraw(Tagged, tag="withdraw"):
    """Takes a draft back: answers with the place it has after all, or refuses it for ever."""

    id: Int
    draft: DraftId


class Ping(Tagged, tag="ping"):
    """Asks for a sign of life."""

    id: Int


class Status(Tagged, tag="status"):
    """Operators: how the server is."""

    id: Int


class Sessions(Tagged, tag="sessions"):
    """Operators: one page of who is connected."""

    id: Int
    next: Int = 0


class Log(Tagged, tag="log"):
    """Operators: the last lines of the event log, and each new one as a `logline` event."""

    id: Int
    last: Int = 100


class Reload(Tagged, tag="reload"):
    """Operators: reads the settings again."""

    id: Int


class Shutdown(Tagged, tag="shutdown"):
    """Operators: drains and stops the server."""

    id: Int


Request: TypeAlias = (
    Hello
    | Login
    | Say
    | Join
    | Part
    | Topic
    | Nick
    | Follow
    | Unfollow
    | History
    | Rooms
    | Members
    | Read
    | Direct
    | RoomInvite
    | RoomUninvite
    | Away
    | Whois
    | Search
    | Withdraw
    | Ping
    | Status
    | Sessions
    | Log
    | Reload
    | Shutdown
    | Order
)
