"""What a server answers, as typed structs: the type is `ok` or `error`, the `id` the request's."""

from typing import TypeAlias

from msgspec import Struct, field

from ipcchat.entries import Entry
from ipcchat.wire.fields import Int, Tagged

__all__ = [
    "BanInfo",
    "BansOk",
    "Done",
    "Error",
    "FollowOk",
    "HelloOk",
    "HistoryOk",
    "InviteInfo",
    "InvitesOk",
    "LoginOk",
    "Member",
    "MembersOk",
    "Ok",
    "Reply",
    "Room",
    "RoomsOk",
    "SearchOk",
    "SessionInfo",
    "SessionsOk",
    "StatusOk",
    "WhoisOk",
]


class Ok(Tagged, tag="ok"):
    """A reply that says no more than yes: to `ping`, `read`, `unfollow`, `log` and their like."""

    id: Int


class Done(Tagged, tag="ok"):
    """The outcome of a draft: where it is. A change without an entry has no `seq`."""

    id: Int
    room: Int = 0
    seq: Int = 0
    time: Int = 0


class HelloOk(Tagged, tag="ok"):
    """What the server is: the version it chose, its history's identity, its limits."""

    id: Int
    version: Int
    epoch: str
    nonce: str
    methods: list[str]
    features: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)


class LoginOk(Tagged, tag="ok"):
    """Who one is now."""

    id: Int
    account: Int
    nick: str
    role: str = "member"
    """`member` or `operator`."""
    moved: bool = False
    """The login had a secret besides its key: that is worth nothing here any more."""
    successor: str = ""
    """The certificate (PEM) that will take the present one's place; empty: none is announced."""


class InviteInfo(Struct, omit_defaults=True, gc=False):
    """An invite."""

    hash: str
    """The SHA-256 of its token, as 64 hexadecimal digits."""
    by: str
    """The nick of who made it."""
    uses: Int
    """How many more accounts it makes."""
    expires: Int
    """Milliseconds since 1970 UTC."""


class InvitesOk(Tagged, tag="ok"):
    """A page of invites; `next` asks for the following one, empty: there is none."""

    id: Int
    items: list[InviteInfo]
    next: str = ""


class BanInfo(Struct, omit_defaults=True, gc=False):
    """Who is banned."""

    account: Int
    nick: str
    until: Int = 0
    """Milliseconds since 1970 UTC; 0: for ever."""


class BansOk(Tagged, tag="ok"):
    """A page of bans; `next` asks for the following one, 0: there is none."""

    id: Int
    items: list[BanInfo]
    next: Int = 0


class FollowOk(Tagged, tag="ok", rename={"from_": "from"}):
    """Where the subscription starts: entries after `from_` come, up to `head` and beyond.

    `first` is the oldest entry there is.
    """

    id: Int
    from_: Int
    head: Int
    first: Int


class HistoryOk(Tagged, tag="ok"):
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
    access: str = "public"
    """`public`, `private` or `direct`."""
    peer: Int = 0
    """Of a direct room: the other account; its nick is the `name`."""
    unread: Int = 0
    """Messages above the read marker that the asking account may read."""
    messages: Int = 0
    """Messages that it may read."""
    since: Int = 0
    """When the first entry that it may read was made, in ms since 1970 UTC."""
    first: Int = 1
    """That entry's seq."""
    invited: str = ""
    """Of a private room that the asking account may join: the nick of who invited it. Nothing but
    the name is told of such a room."""


class RoomsOk(Tagged, tag="ok"):
    """`next` is 0 on the last page."""

    id: Int
    items: list[Room]
    next: Int = 0


class Member(Struct, omit_defaults=True, gc=False):
    """A member as a list shows it; `status` is `online`, `away` or `offline`."""

    account: Int
    nick: str
    status: str = "online"


class MembersOk(Tagged, tag="ok"):
    """`next` is 0 on the last page."""

    id: Int
    items: list[Member]
    next: Int = 0


class WhoisOk(Tagged, tag="ok"):
    """Who has a nick; `status` is `online`, `away` or `offline`."""

    id: Int
    account: Int
    nick: str
    role: str = "member"
    status: str = "offline"
    text: str = ""
    """Why it is away."""
    since: Int = 0
    """When it came online, or went away, in ms since 1970 UTC; 0: it is offline."""
    rooms: list[str] = field(default_factory=list)
    """The public rooms it is in, and the private ones that both are in; 200 at most."""
    more: Int = 0
    """So many rooms besides."""


class SearchOk(Tagged, tag="ok"):
    """Messages and topics, the newest first; `next` asks for the following page, empty: there is
    none."""

    id: Int
    items: list[Entry]
    next: str = ""
    cut: bool = False
    """The time was over before everything was looked at."""
    lag: Int = 0
    """Messages that are stored and can't be found yet."""


class StatusOk(Tagged, tag="ok"):
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
    fingerprint: str = ""
    """SHA-256 of the certificate that it shows; empty: there is no TLS."""
    access: str = ""
    """Who may make an account from another machine: `invite` or `open`."""
    loop: str = ""
    """The event loop that it runs on: `asyncio`, or `uvloop` and its version."""


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


class SessionsOk(Tagged, tag="ok"):
    """`next` is 0 on the last page."""

    id: Int
    items: list[SessionInfo]
    next: Int = 0


class Error(Tagged, tag="error"):
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
    | InvitesOk
    | BansOk
    | WhoisOk
    | SearchOk
    | Error
)
