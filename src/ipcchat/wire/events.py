"""What a server tells unasked, as typed structs; entries travel as `ipcchat.entries.Entry`."""

from typing import TypeAlias

from ipcchat.entries import Entry
from ipcchat.wire.fields import Int, Tagged

__all__ = ["Bye", "Changed", "Event", "Gap", "Live", "LogLine", "Marker", "Presence", "Unfollowed"]


class Live(Tagged, tag="live"):
    """The subscription has caught up: everything to `head` was sent, what comes is live."""

    room: Int
    head: Int


class Gap(Tagged, tag="gap", rename={"from_": "from"}):
    """Entries after `from_` and before `first` are left out; `history` has them."""

    room: Int
    from_: Int
    first: Int


class Unfollowed(Tagged, tag="unfollowed"):
    """The subscription has ended; `code` says why where the client did not ask."""

    room: Int
    code: str = ""


class Presence(Tagged, tag="presence"):
    """Somebody's latest state: `online`, `away`, `offline`; with a room, `joined` or `parted`.

    The nick is the present one: a changed nick shows as a presence.
    """

    account: Int
    nick: str
    status: str
    room: Int = 0
    text: str = ""
    """Why somebody is away."""


class Marker(Tagged, tag="marker"):
    """Another session of one's account has read a room up to `seq`."""

    room: Int
    seq: Int


class Changed(Tagged, tag="changed"):
    """A list is out of date and may be fetched again: `rooms`, `presence`, `role`, `sessions`."""

    what: str


class LogLine(Tagged, tag="logline"):
    """Operators: one line of the event log."""

    time: Int
    level: str
    event: str
    text: str


class Bye(Tagged, tag="bye"):
    """The server closes this connection in an orderly way; come back after `wait_ms`."""

    code: str
    text: str = ""
    wait_ms: Int = 0


Event: TypeAlias = Entry | Live | Gap | Unfollowed | Presence | Marker | Changed | LogLine | Bye
