"""What the screen says, as sentences that are spoken well. Pure functions; text is safe already.

A sentence of several lines has those after the first indented: what somebody says can never look
like a line of somebody else.
"""

import re
from datetime import datetime

from ipcchat.client.room import Notice, Pending, RoomView
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError

__all__ = [
    "arrival",
    "day",
    "earlier",
    "entry",
    "error",
    "failed",
    "fewer",
    "notice",
    "question",
    "reconnected",
]

_TAB = 4
_SPOKEN = (
    (re.compile(" *· PgUp to load"), ": /history"),
    (re.compile(" +· +"), ", "),
    (re.compile(r" +– +"), ": "),
)
"""What other screens show → what is said."""


def _flat(text: str) -> str:
    """Indents all lines but the first; no tabs."""
    return text.expandtabs(_TAB).replace("\n", "\n  ")


def _said(who: str, text: str) -> str:
    lines = text.count("\n") + 1
    if lines == 1:
        return f"{who}: {_flat(text)}"
    return f"{who}, {lines} lines:\n  {_flat(text)}"


def entry(said: Entry, *, account: int, mention: bool = False, room: str = "") -> str:
    """Something from the journal. `account`: the user's own; `room`: its name, where it is not
    the current one."""
    own = said.by == account
    if said.kind != "message":
        body = _flat(_fact(said, "you" if own else said.nick or "the server"))
        return f"in {room}, {body}" if room else body
    if said.style == "me":
        body = f"* {said.nick} {_flat(said.text)}"
    else:
        body = _said("you" if own else said.nick, said.text)
    if room:
        body = f"in {room}, {body}"
    return f"(to you) {body}" if mention else body


def _fact(said: Entry, who: str) -> str:
    """What an entry that is no message says."""
    match said.kind:
        case "topic":
            return f"{who} set the topic: {said.text}" if said.text else f"{who} cleared the topic"
        case "create":
            return f"{who} made {said.text}"
        case "rename":
            return f"{who} renamed the room to {said.text}"
        case "kick":
            return f"{who} removed {said.text}"
        case _:
            return f"{who}: {said.text} ({said.kind})" if said.text else f"{who} ({said.kind})"


def notice(local: Notice) -> str:
    """A local line: one that is to be copied stays as it is."""
    return local.text if local.level == "bare" else spoken(local.text)


def spoken(text: str) -> str:
    """Text made for other screens, as a sentence: several lines stay lines."""
    for pattern, words in _SPOKEN:
        text = pattern.sub(words, text)
    return text.expandtabs(_TAB)


def error(what: IpcchatError) -> str:
    """An error with its hint."""
    return spoken(f"{what}. {what.hint}" if what.hint else str(what))


def question(text: str) -> str:
    """A question with its keys: `paste 30 lines? s send, j join lines, c cancel`."""
    return re.sub(" +", " ", spoken(text)).strip()


def failed(pending: Pending, *, typed: bool, room: str = "") -> str:
    """A line that was not sent. `typed`: here, so that it stands above already."""
    head = f"not sent in {room}" if room else "not sent"
    why = f": {spoken(pending.reason)}" if pending.reason else ""
    told = "" if typed else f'. It was: "{_flat(pending.text)}"'
    return f"{head}{why}{told}. /retry or /discard"


def arrival(room: RoomView) -> str:
    """One is in a room now: `now in #ops, 5 here, topic: the week's plan`."""
    here = sum(member.status != "offline" for member in room.members.values())
    people = f", {here:,} here" if room.members else ""
    topic = f", topic: {room.topic}" if room.topic else ""
    return f"now in {room.name}{people}{topic}"


def reconnected(messages: int) -> str:
    """There is a connection again."""
    if not messages:
        return "connected again"
    return f"connected again, {messages:,} new message{'s' * (messages != 1)}"


def earlier(messages: int) -> str:
    """What was left out before what follows."""
    return f"{messages:,} earlier message{'s' * (messages != 1)}: /history"


def fewer(room: str, messages: int, mentions: int = 0) -> str:
    """What came in another room since that was last said: `3 new in #ops`."""
    return f"{messages:,} new in {room}" + (f", {mentions:,} to you" if mentions else "")


def day(at: datetime) -> str:
    """`Friday 20 November 2026`, whatever the locale of the time's format."""
    return f"{at:%A} {at.day} {at:%B %Y}"
