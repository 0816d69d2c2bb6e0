"""What a server sends, made safe to show: every field another party chose passes here once.

Model, scripts and error messages get nothing but what went through these functions. They never
fail, whatever comes in. Names are interned: a million lines share their nicks.
"""

from functools import lru_cache

from ipcchat.entries import Entry
from ipcchat.errors import CODES, Refused
from ipcchat.text import MAX_ROOM, clean_line, clean_text
from ipcchat.wire.messages import Bye, Error, Member, Room

__all__ = ["clean_entry", "clean_member", "clean_name", "clean_room", "farewell", "refused"]

_LAST_TIME = 253_402_300_799_999
"""The end of the year 9999 in milliseconds: what a calendar can show."""
_LONGEST = 200
"""Code points of an error's sentence."""


@lru_cache(maxsize=8192)
def _name(name: str) -> str:
    return clean_line(name).strip()[: MAX_ROOM + 1]


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
        time=min(max(entry.time, 0), _LAST_TIME),
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
        read=room.read,
    )


def clean_member(member: Member) -> Member:
    """An item of a list of members."""
    return Member(member.account, clean_name(member.nick), clean_name(member.status))


def refused(error: Error) -> Refused:
    """The exception for an error that the server answered."""
    text = clean_line(error.text)[:_LONGEST]
    return Refused(clean_name(error.code), text, retry=error.retry, wait_ms=error.wait_ms)


def farewell(last: Bye | Error) -> Refused:
    """The exception for what a server says before it closes the connection."""
    code = clean_name(last.code)
    known = CODES.get(code)
    retry = known is None or known.retry
    return Refused(code, clean_line(last.text)[:_LONGEST], retry=retry, wait_ms=last.wait_ms)
