"""What a server sends, made safe to show: every field another party chose passes here once.

Model, scripts and error messages get nothing but what went through these functions. They never
fail, whatever comes in. Names are interned: a million lines share their nicks.
"""

from functools import lru_cache

from ipcchat.entries import Entry
from ipcchat.errors import CODES, Refused
from ipcchat.text import MAX_ROOM, clean_line, clean_text
from ipcchat.wire.messages import (
    BanInfo,
    Bye,
    Error,
    InviteInfo,
    LoginOk,
    LogLine,
    Member,
    Presence,
    Room,
    SearchOk,
    SessionInfo,
    StatusOk,
    WhoisOk,
)

__all__ = [
    "clean_ban",
    "clean_entry",
    "clean_invite",
    "clean_log",
    "clean_login",
    "clean_member",
    "clean_name",
    "clean_presence",
    "clean_room",
    "clean_search",
    "clean_session",
    "clean_status",
    "clean_whois",
    "farewell",
    "refused",
]

_LAST_TIME = 253_370_764_800_000
"""Milliseconds at the start of the year 9999: what a calendar can show, in every zone."""
_LONGEST = 200
"""Code points of an error's sentence."""
_CERTIFICATE = 16 * 1024
"""Characters of a certificate; a longer one is none."""
_UNINVITED = "ask for a link, or let an operator type /admit NICK"
_HINTS = {"not_invited": _UNINVITED, "bad_invite": _UNINVITED}
"""What may help, by the code of a refusal."""


def _cut(s: str, most: int) -> str:
    """The beginning of a cleaned line; cleaned again, for a joiner at its end means nothing."""
    return s if len(s) <= most else clean_line(s[:most])


def _time(time: int) -> int:
    return min(max(time, 0), _LAST_TIME)


@lru_cache(maxsize=8192)
def _name(name: str) -> str:
    return _cut(clean_line(name).strip(), MAX_ROOM + 1)


def clean_name(name: str) -> str:
    """A nick, room name or other short word; equal ones are the same object."""
    return _name(name[:256])


def clean_entry(entry: Entry) -> Entry:
    """An entry that may be shown; what is no message has one line."""
    draft = entry.draft
    if not (draft.isascii() and draft.isalnum()):
        draft = clean_line(draft)
    return Entry(
        room=entry.room,
        seq=entry.seq,
        time=_time(entry.time),
        by=entry.by,
        nick=clean_name(entry.nick),
        kind=clean_name(entry.kind),
        draft=draft,
        text=clean_text(entry.text) if entry.kind == "message" else clean_line(entry.text),
        style=clean_name(entry.style),
        target=entry.target,
    )


def clean_room(room: Room) -> Room:
    """An item of the list of rooms."""
    return Room(
        room=room.room,
        name=clean_name(room.name),
        head=room.head,
        members=room.members,
        topic=clean_line(room.topic),
        joined=room.joined,
        read=min(room.read, room.head),
        access=clean_name(room.access),
        peer=room.peer,
        unread=room.unread,
        messages=room.messages,
        since=_time(room.since),
        first=room.first,
        invited=clean_name(room.invited),
    )


def clean_member(member: Member) -> Member:
    """An item of a list of members."""
    return Member(member.account, clean_name(member.nick), clean_name(member.status))


def clean_presence(event: Presence) -> Presence:
    """Somebody's latest state; why, only of who is away."""
    status = clean_name(event.status)
    text = clean_line(event.text) if status == "away" else ""
    return Presence(event.account, clean_name(event.nick), status, event.room, text)


def clean_whois(ok: WhoisOk) -> WhoisOk:
    """Who has a nick."""
    return WhoisOk(
        ok.id,
        account=ok.account,
        nick=clean_name(ok.nick),
        role=clean_name(ok.role),
        status=clean_name(ok.status),
        text=clean_line(ok.text),
        since=_time(ok.since),
        rooms=[clean_name(name) for name in ok.rooms],
        more=ok.more,
    )


def clean_search(page: SearchOk) -> SearchOk:
    """A page of what was found. Where it goes on is for the server alone."""
    items = [clean_entry(entry) for entry in page.items]
    return SearchOk(page.id, items, next=page.next, cut=page.cut, lag=page.lag)


def clean_log(line: LogLine) -> LogLine:
    """A line of the event log."""
    return LogLine(
        _time(line.time), clean_name(line.level), clean_name(line.event), clean_line(line.text)
    )


def clean_login(ok: LoginOk) -> LoginOk:
    """Who one is. The successor is not for showing: it stays as it is, or is left out."""
    return LoginOk(
        ok.id,
        account=ok.account,
        nick=clean_name(ok.nick),
        role=clean_name(ok.role),
        moved=ok.moved,
        successor=ok.successor if len(ok.successor) <= _CERTIFICATE else "",
    )


def clean_invite(item: InviteInfo) -> InviteInfo:
    """An item of the list of invites."""
    return InviteInfo(clean_name(item.hash), clean_name(item.by), item.uses, _time(item.expires))


def clean_ban(item: BanInfo) -> BanInfo:
    """An item of the list of bans."""
    return BanInfo(item.account, clean_name(item.nick), _time(item.until))


def clean_session(item: SessionInfo) -> SessionInfo:
    """An item of the list of connections."""
    return SessionInfo(
        session=item.session,
        account=item.account,
        nick=clean_name(item.nick),
        address=clean_line(item.address),
        since=_time(item.since),
        queue=item.queue,
        device=clean_name(item.device),
        role=clean_name(item.role),
        quiet=item.quiet,
    )


def clean_status(status: StatusOk) -> StatusOk:
    """How the server says it is."""
    return StatusOk(
        id=status.id,
        version=clean_name(status.version),
        ready=status.ready,
        since=_time(status.since),
        epoch=clean_name(status.epoch),
        data=clean_line(status.data),
        listening=[clean_line(address) for address in status.listening],
        sessions=status.sessions,
        accounts=status.accounts,
        rooms=status.rooms,
        entries=status.entries,
        text=clean_line(status.text),
        fingerprint=clean_name(status.fingerprint),
        access=clean_name(status.access),
        loop=clean_name(status.loop),
    )


def refused(error: Error) -> Refused:
    """The exception for an error that the server answered."""
    code, text = clean_name(error.code), _cut(clean_line(error.text), _LONGEST)
    hint = _HINTS.get(code, "")
    return Refused(code, text, retry=error.retry, wait_ms=error.wait_ms, hint=hint)


def farewell(last: Bye | Error) -> Refused:
    """The exception for what a server says before it closes the connection."""
    code = clean_name(last.code)
    known = CODES.get(code)
    retry = known is None or known.retry
    return Refused(code, _cut(clean_line(last.text), _LONGEST), retry=retry, wait_ms=last.wait_ms)
