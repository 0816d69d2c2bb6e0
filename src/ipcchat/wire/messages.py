"""Every message of protocol version 1, as a typed struct: the one table of what can be said.

A request has an `id`, chosen by the client, and gets exactly one `ok` or `error` with that id.
All replies have the type `ok` on the wire: which fields one carries follows from the request
(`REPLIES`). Events have no id. Entries travel as `ipcchat.entries.Entry`.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

from ipcchat.entries import Cursor, Entry

__all__ = [
    "EVENTS",
    "REPLIES",
    "REQUESTS",
    "Bye",
    "Changed",
    "Cursor",
    "Done",
    "Entry",
    "Error",
    "Event",
    "Follow",
    "FollowOk",
    "Gap",
    "Hello",
    "HelloOk",
    "History",
    "HistoryOk",
    "Join",
    "Live",
    "Log",
    "LogLine",
    "Login",
    "LoginOk",
    "Member",
    "Members",
    "MembersOk",
    "Message",
    "Nick",
    "Ok",
    "Part",
    "Ping",
    "Presence",
    "Read",
    "Reload",
    "Reply",
    "Request",
    "Room",
    "Rooms",
    "RoomsOk",
    "Say",
    "SessionInfo",
    "Sessions",
    "SessionsOk",
    "Shutdown",
    "Status",
    "StatusOk",
    "Topic",
    "Unfollow",
    "Unfollowed",
    "Withdraw",
]

Int: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
"""Integers stay below 2^53, so that every JSON library keeps them whole."""
DraftId: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
"""128 random bits as 32 lower-case hexadecimal digits."""
Name: TypeAlias = Annotated[str, Meta(max_length=256)]
"""A nick or room name as typed; `text` decides what is allowed."""
Text: TypeAlias = Annotated[str, Meta(max_length=16384)]
"""A text as typed; `text` decides what is allowed."""


class _Tagged(Struct, tag_field="type", omit_defaults=True, gc=False):
    """Base of all messages: the tag is the lower-case class name unless said otherwise."""


# --- requests -----------------------------------------------------------------------------


class Hello(_Tagged, tag="hello"):
    """The first frame: which versions and features the client speaks, and what it calls itself."""

    id: Int
    versions: list[Int]
    features: list[str] = field(default_factory=list)
    device: Name = ""


class Login(_Tagged, tag="login"):
    """Proves an account, or makes one with this nick. `nick` counts for a new account alone."""

    id: Int
    method: Name
    nick: Name = ""
    secret: Name = ""
    """Method `secret`: 128 random bits as 32 hexadecimal digits, kept by the client."""
    quiet: bool = False
    """Not shown in presence or member lists (scripts)."""


class Say(_Tagged, tag="say"):
    """Puts a message into a room."""

    id: Int
    room: Int
    draft: DraftId
    text: Text
    style: Name = ""


class Join(_Tagged, tag="join"):
    """Becomes a member of a room, by name (made when absent) or by number."""

    id: Int
    draft: DraftId
    name: Name = ""
    room: Int = 0


class Part(_Tagged, tag="part"):
    """Ends membership of a room."""

    id: Int
    draft: DraftId
    room: Int


class Topic(_Tagged, tag="topic"):
    """Sets a room's topic; an empty text clears it."""

    id: Int
    draft: DraftId
    room: Int
    text: Text


class Nick(_Tagged, tag="nick"):
    """Changes the account's nick."""

    id: Int
    draft: DraftId
    nick: Name


class Follow(_Tagged, tag="follow"):
    """Asks for a room's entries from a cursor, or the last N, and for what comes after them.

    `skip`: when more than so many entries lie between cursor and head, skip them: a `gap` event
    says which, and the last ones follow.
    """

    id: Int
    room: Int
    cursor: Cursor | None = None
    last: Int | None = None
    skip: Int | None = None


class Unfollow(_Tagged, tag="unfollow"):
    """Ends a subscription; `unfollowed` is its last event."""

    id: Int
    room: Int


class History(_Tagged, tag="history"):
    """One page of a room's past: entries with seq < `before`, or seq > `after`."""

    id: Int
    room: Int
    before: Int | None = None
    after: Int | None = None
    limit: Int = 100


class Rooms(_Tagged, tag="rooms"):
    """One page of the rooms one may see, or the one called `name`."""

    id: Int
    next: Int = 0
    name: Name = ""


class Members(_Tagged, tag="members"):
    """One page of a room's members."""

    id: Int
    room: Int
    next: Int = 0


class Read(_Tagged, tag="read"):
    """Moves the account's read marker of a room."""

    id: Int
    room: Int
    seq: Int


class Withdraw(_Tagged, tag="withdraw"):
    """Takes a draft back: answers with the place it has after all, or refuses it for ever."""

    id: Int
    draft: DraftId


class Ping(_Tagged, tag="ping"):
    """Asks for a sign of life."""

    id: Int


class Status(_Tagged, tag="status"):
    """Operators: how the server is."""

    id: Int


class Sessions(_Tagged, tag="sessions"):
    """Operators: one page of who is connected."""

    id: Int
    next: Int = 0


class Log(_Tagged, tag="log"):
    """Operators: the last lines of the event log, and each new one as a `logline` event."""

    id: Int
    last: Int = 100


class Reload(_Tagged, tag="reload"):
    """Operators: reads the settings again."""

    id: Int


class Shutdown(_Tagged, tag="shutdown"):
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
    | Withdraw
    | Ping
    | Status
    | Sessions
    | Log
    | Reload
    | Shutdown
)

# --- replies ------------------------------------------------------------------------------


class Ok(_Tagged, tag="ok"):
    """A reply that says no more than yes: to `ping`, `read`, `unfollow`, `log` and their like."""

    id: Int


class Done(_Tagged, tag="ok"):
    """The outcome of a draft: where it is. A change without an entry has no `seq`."""

    id: Int
    room: Int = 0
    seq: Int = 0
    time: Int = 0


class HelloOk(_Tagged, tag="ok"):
    """What the server is: the version it chose, its history's identity, its limits."""

    id: Int
    version: Int
    epoch: str
    nonce: str
    methods: list[str]
    features: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)


class LoginOk(_Tagged, tag="ok"):
    """Who one is now."""

    id: Int
    account: Int
    nick: str
    role: str = "member"
    """`member` or `operator`."""


class FollowOk(_Tagged, tag="ok", rename={"from_": "from"}):
    """Where the subscription starts: entries after `from_` come, up to `head` and beyond.

    `first` is the oldest entry there is.
    """

    id: Int
    from_: Int
    head: Int
    first: Int


class HistoryOk(_Tagged, tag="ok"):
    """Entries in ascending order; `more`: there are others beyond them in the asked direction."""

    id: Int
    entries: list[Entry]
    first: Int
    head: Int
    more: bool = False


class Room(Struct, omit_defaults=True, gc=False):
    """A room as a list shows it."""

    room: Int
    name: str
    head: Int = 0
    members: Int = 0
    topic: str = ""
    joined: bool = False
    """Whether the asking account is a member."""
    read: Int = 0
    """The asking account's read marker."""


class RoomsOk(_Tagged, tag="ok"):
    """`next` is 0 on the last page."""

    id: Int
    items: list[Room]
    next: Int = 0


class Member(Struct, omit_defaults=True, gc=False):
    """A member as a list shows it; `status` is `online`, `away` or `offline`."""

    account: Int
    nick: str
    status: str = "online"


class MembersOk(_Tagged, tag="ok"):
    """`next` is 0 on the last page."""

    id: Int
    items: list[Member]
    next: Int = 0


class StatusOk(_Tagged, tag="ok"):
    """How the server is; `ready` is false while it can't store."""

    id: Int
    version: str
    ready: bool
    since: Int
    """Milliseconds since 1970 UTC when it started."""
    epoch: str
    data: str
    listening: list[str]
    sessions: Int = 0
    accounts: Int = 0
    rooms: Int = 0
    entries: Int = 0
    text: str = ""
    """Why it is not ready."""


class SessionInfo(Struct, omit_defaults=True, gc=False):
    """A connection as an operator sees it."""

    session: Int
    account: Int
    nick: str
    address: str
    since: Int
    """Milliseconds since 1970 UTC."""
    queue: Int = 0
    """Bytes that wait to be sent."""
    device: str = ""
    role: str = "member"
    quiet: bool = False


class SessionsOk(_Tagged, tag="ok"):
    """`next` is 0 on the last page."""

    id: Int
    items: list[SessionInfo]
    next: Int = 0


class Error(_Tagged, tag="error"):
    """Why a request was refused; without id: why the connection is about to be closed."""

    code: str
    text: str = ""
    id: Int | None = None
    retry: bool = False
    wait_ms: Int = 0


Reply: TypeAlias = (
    Ok
    | Done
    | HelloOk
    | LoginOk
    | FollowOk
    | HistoryOk
    | RoomsOk
    | MembersOk
    | StatusOk
    | SessionsOk
    | Error
)

REPLIES: dict[type[Struct], type[Struct]] = {
    Hello: HelloOk,
    Login: LoginOk,
    Say: Done,
    Join: Done,
    Part: Done,
    Topic: Done,
    Nick: Done,
    Follow: FollowOk,
    Unfollow: Ok,
    History: HistoryOk,
    Rooms: RoomsOk,
    Members: MembersOk,
    Read: Ok,
    Withdraw: Done,
    Ping: Ok,
    Status: StatusOk,
    Sessions: SessionsOk,
    Log: Ok,
    Reload: Ok,
    Shutdown: Ok,
}
"""Which `ok` answers which request."""

REQUESTS: dict[str, type[Struct]] = {str(cls.__struct_config__.tag): cls for cls in REPLIES}

# --- events -------------------------------------------------------------------------------


class Live(_Tagged, tag="live"):
    """The subscription has caught up: everything to `head` was sent, what comes is live."""

    room: Int
    head: Int


class Gap(_Tagged, tag="gap", rename={"from_": "from"}):
    """Entries after `from_` and before `first` are left out; `history` has them."""

    room: Int
    from_: Int
    first: Int


class Unfollowed(_Tagged, tag="unfollowed"):
    """The subscription has ended; `code` says why where the client did not ask."""

    room: Int
    code: str = ""


class Presence(_Tagged, tag="presence"):
    """Somebody's latest state: `online`, `away`, `offline`; with a room, `joined` or `parted`.

    The nick is the present one: a changed nick shows as a presence.
    """

    account: Int
    nick: str
    status: str
    room: Int = 0


class Changed(_Tagged, tag="changed"):
    """A list is out of date and may be fetched again: `rooms`, `presence`, `sessions`."""

    what: str


class LogLine(_Tagged, tag="logline"):
    """Operators: one line of the event log."""

    time: Int
    level: str
    event: str
    text: str


class Bye(_Tagged, tag="bye"):
    """The server closes this connection in an orderly way; come back after `wait_ms`."""

    code: str
    text: str = ""
    wait_ms: Int = 0


Event: TypeAlias = Entry | Live | Gap | Unfollowed | Presence | Changed | LogLine | Bye

EVENTS: dict[str, type[Struct]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (Entry, Live, Gap, Unfollowed, Presence, Changed, LogLine, Bye)
}

Message: TypeAlias = Request | Reply | Event
