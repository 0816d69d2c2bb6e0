"""Requests that change something: each becomes a draft.

What depends on a library or the clock is done here, before apply: cleaning, names, time. A text
or name that can't be used makes a draft that carries its refusal, so that an earlier outcome of
the same draft id comes first even here.
"""

from ipcchat import text
from ipcchat.errors import TextError
from ipcchat.journal.drafts import Draft, content
from ipcchat.server.session import Session
from ipcchat.wire.messages import Join, Nick, Part, Read, Say, Topic, Withdraw

__all__ = ["join", "nick", "part", "read", "say", "topic", "withdraw"]

STYLES = ("", "me")


def say(session: Session, request: Say, now: int) -> Draft:
    """A message."""
    room, style = request.room, request.style
    refusal = cleaned = ""
    try:
        cleaned = text.check_text(request.text)
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
        refusal=refusal,
        content=content(f"say\0{room}\0{style}\0{request.text}"),
    )


def join(session: Session, request: Join, now: int) -> Draft:
    """Membership of a room, which is made when its name is new."""
    asked = f"join\0{request.room}\0{request.name}"
    refusal = name = ""
    try:
        if not request.room:
            name = text.check_room(request.name)
    except TextError as error:
        refusal = error.code
    return Draft(
        account=session.account,
        id=request.draft,
        kind="join",
        time=now,
        room=request.room,
        name=name,
        key=text.fold(name),
        refusal=refusal,
        content=content(asked),
    )


def part(session: Session, request: Part, now: int) -> Draft:
    """The end of a membership."""
    return Draft(
        account=session.account, id=request.draft, kind="part", time=now, room=request.room
    )


def topic(session: Session, request: Topic, now: int) -> Draft:
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


def nick(session: Session, request: Nick, now: int) -> Draft:
    """Another nick for the account."""
    asked = f"nick\0{request.nick}"
    refusal = name = ""
    try:
        name = text.check_nick(request.nick)
    except TextError as error:
        refusal = error.code
    return Draft(
        account=session.account,
        id=request.draft,
        kind="nick",
        time=now,
        name=name,
        key=text.fold(name),
        refusal=refusal,
        content=content(asked),
    )


def read(session: Session, request: Read, now: int) -> Draft:
    """The account's read marker; the latest value wins, so it needs no draft id."""
    return Draft(
        account=session.account,
        id="",
        kind="read",
        time=now,
        room=request.room,
        seq=request.seq,
    )


def withdraw(session: Session, request: Withdraw, now: int) -> Draft:
    """Takes a draft back, unless it has an outcome."""
    return Draft(account=session.account, id=request.draft, kind="withdraw", time=now)
