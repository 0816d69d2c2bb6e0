"""Requests that change something: each becomes a draft.

What depends on a library or the clock is done here, before apply: cleaning, names, time. A text
or name that can't be used makes a draft that carries its refusal, so that an earlier outcome of
the same draft id comes first even here.
"""

import secrets
from collections.abc import Container
from typing import Any

from ipcchat import names, text
from ipcchat.errors import TextError
from ipcchat.journal.drafts import Draft, content
from ipcchat.journal.entrance import direct_key
from ipcchat.journal.sight import HIDDEN_ROOMS, PRIVATE
from ipcchat.server.hub import Hub
from ipcchat.server.session import Session
from ipcchat.wire.messages import (
    Direct,
    Join,
    Nick,
    Part,
    Read,
    RoomInvite,
    RoomUninvite,
    Say,
    Topic,
    Withdraw,
)

__all__ = [
    "direct",
    "drafted",
    "find",
    "join",
    "known_key",
    "nick",
    "part",
    "read",
    "room_invite",
    "room_key",
    "room_uninvite",
    "say",
    "topic",
    "whom",
    "withdraw",
]

STYLES = ("", "me")


def say(hub: Hub, session: Session, request: Say, now: int) -> Draft:
    """A message."""
    room, style, asked = request.room, request.style, request.text
    refusal = cleaned = ""
    try:
        cleaned = text.check_text(asked)
        if style not in STYLES:
            refusal = "bad_text"
    except TextError as error:
        refusal = error.code
    return Draft(
        session.account,
        request.draft,
        "message",
        now,
        room,
        cleaned,
        style,
        refusal,
        ("say", room, style, asked),
        session.quiet,
    )


def join(hub: Hub, session: Session, request: Join, now: int) -> Draft:
    """Membership of a room, which is made when its name is new."""
    asked = f"join\0{request.room}\0{request.name}" + "\0private" * request.private
    refusal = name = key = ""
    known = hub.journal.state
    try:
        if not request.room:
            name = text.check_room(request.name)
            key = room_key(hub, name)
            if key not in known.room_keys:
                names.check_scripts(name)
    except TextError as error:
        refusal = error.code
    joined = _own(hub, session.account)
    number = request.room or known.room_keys.get(key, 0)
    if number not in joined and len(joined) >= hub.settings.room_limit:
        refusal = refusal or "forbidden"
    return Draft(
        account=session.account,
        id=request.draft,
        kind="join",
        time=now,
        room=request.room,
        name=name,
        key=key,
        skeleton=names.skeleton(name),
        refusal=refusal,
        access=PRIVATE if request.private else "",
        seq=_chance() if request.private else 0,
        content=content(asked),
    )


def _own(hub: Hub, account: int) -> set[int]:
    """The rooms that an account is in by its own doing: not the direct ones that others began with
    it, or that it has put away."""
    known = hub.journal.state
    joined = known.joined.get(account, set())
    others = {
        number
        for number in joined
        if known.rooms[number].peer == account or (account, number) in known.hidden
    }
    return joined - others if others else joined


def _chance() -> int:
    """A number for a room whose number is to tell nothing."""
    return secrets.randbelow(HIDDEN_ROOMS)


def direct(hub: Hub, session: Session, request: Direct, now: int) -> Draft:
    """The room of two accounts."""
    known = hub.journal.state
    about: dict[str, Any] = {"target": request.account, "refusal": ""}
    if not request.account:
        about = whom(hub, request.nick)
    joined = _own(hub, session.account)
    if len(joined) >= hub.settings.room_limit:
        key = direct_key(session.account, int(about["target"]))
        if key not in known.room_keys:
            about["refusal"] = about["refusal"] or "forbidden"
    return drafted(session, request, "direct", now, seq=_chance(), **about)


def room_invite(hub: Hub, session: Session, request: RoomInvite, now: int) -> Draft:
    """Lets somebody into a private room."""
    return _bidden(hub, session, request, now, "room_invite")


def room_uninvite(hub: Hub, session: Session, request: RoomUninvite, now: int) -> Draft:
    """Takes it back."""
    return _bidden(hub, session, request, now, "room_uninvite")


def _bidden(
    hub: Hub, session: Session, request: RoomInvite | RoomUninvite, now: int, kind: str
) -> Draft:
    about = whom(hub, request.nick)
    nick = hub.nick_of(about["target"])
    return drafted(session, request, kind, now, room=request.room, text=nick, **about)


def drafted(session: Session, request: Any, kind: str, now: int, **about: Any) -> Draft:
    """A draft whose content is the request's own, but for its id."""
    asked = [str(getattr(request, name)) for name in request.__struct_fields__ if name != "id"]
    return Draft(
        session.account,
        request.draft,
        kind,
        now,
        content=content("\0".join((kind, *asked))),
        **about,
    )


def find(hub: Hub, nick: str) -> int:
    """The account that has a nick; 0: none."""
    known = hub.journal.state.nick_keys
    return known.get(known_key(known, nick), 0)


def whom(hub: Hub, nick: str) -> dict[str, Any]:
    """The account that a draft is about, or its refusal."""
    found = find(hub, nick)
    return {"target": found, "refusal": "" if found else "no_account"}


def room_key(hub: Hub, name: str) -> str:
    """The key of a room's name."""
    return known_key(hub.journal.state.room_keys, name)


def known_key(known: Container[str], name: str) -> str:
    """The key of a name: that of older data, where it is among those known, or the present."""
    older = text.fold(name)
    return older if older in known else names.key(name)


def part(hub: Hub, session: Session, request: Part, now: int) -> Draft:
    """The end of a membership."""
    return Draft(
        account=session.account, id=request.draft, kind="part", time=now, room=request.room
    )


def topic(hub: Hub, session: Session, request: Topic, now: int) -> Draft:
    """A room's topic."""
    asked = f"topic\0{request.room}\0{request.text}"
    refusal = cleaned = ""
    try:
        cleaned = text.check_topic(request.text)
    except TextError as error:
        refusal = error.code
    return Draft(
        account=session.account,
        id=request.draft,
        kind="topic",
        time=now,
        room=request.room,
        text=cleaned,
        refusal=refusal,
        content=content(asked),
    )


def nick(hub: Hub, session: Session, request: Nick, now: int) -> Draft:
    """Another nick for the account."""
    asked = f"nick\0{request.nick}"
    refusal = name = ""
    try:
        name = names.check_nick(request.nick)
    except TextError as error:
        refusal = error.code
    return Draft(
        account=session.account,
        id=request.draft,
        kind="nick",
        time=now,
        name=name,
        key=names.key(name),
        skeleton=names.skeleton(name),
        refusal=refusal,
        content=content(asked),
    )


def read(hub: Hub, session: Session, request: Read, now: int) -> Draft:
    """The account's read marker; the latest value wins, so it needs no draft id."""
    return Draft(
        account=session.account,
        id="",
        kind="read",
        time=now,
        room=request.room,
        seq=request.seq,
    )


def withdraw(hub: Hub, session: Session, request: Withdraw, now: int) -> Draft:
    """Takes a draft back, unless it has an outcome."""
    return Draft(account=session.account, id=request.draft, kind="withdraw", time=now)
