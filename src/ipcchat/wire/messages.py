"""Every message of protocol version 1, as a typed struct: the one table of what can be said.

A request has an `id`, chosen by the client, and gets exactly one `ok` or `error` with that id.
All replies have the type `ok` on the wire: which fields one carries follows from the request
(`REPLIES`). Events have no id. Entries travel as `ipcchat.entries.Entry`.
"""

from typing import TypeAlias

from msgspec import Struct

from ipcchat.entries import Cursor, Entry
from ipcchat.wire.events import Bye, Changed, Event, Gap, Live, LogLine, Presence, Unfollowed
from ipcchat.wire.replies import (
    Done,
    Error,
    FollowOk,
    HelloOk,
    HistoryOk,
    LoginOk,
    Member,
    MembersOk,
    Ok,
    Reply,
    Room,
    RoomsOk,
    SessionInfo,
    SessionsOk,
    StatusOk,
)
from ipcchat.wire.requests import (
    Follow,
    Hello,
    History,
    Join,
    Log,
    Login,
    Members,
    Nick,
    Part,
    Ping,
    Read,
    Reload,
    Request,
    Rooms,
    Say,
    Sessions,
    Shutdown,
    Status,
    Topic,
    Unfollow,
    Withdraw,
)

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

EVENTS: dict[str, type[Struct]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (Entry, Live, Gap, Unfollowed, Presence, Changed, LogLine, Bye)
}

Message: TypeAlias = Request | Reply | Event
