"""What the screen says, as sentences that are spoken well. Pure functions; text is safe already.

A sentence of several lines has those after the first indented: what somebody says can never look
like a line of somebody else.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from ipcchat.client.room import Notice, Pending, RoomView
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError
from ipcchat.facts import fact

__all__ = [
    "WAY",
    "around",
    "arrival",
    "day",
    "earlier",
    "entry",
    "error",
    "failed",
    "fewer",
    "found",
    "hit",
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
    if room.startswith("@") and said.kind == "message":  # the nick is the room's, or one's own
        who = f"you to {room[1:]}" if own else f"from {said.nick}"
        return f"{who}: * {said.nick} {_flat(said.text)}" if said.style else _said(who, said.text)
    if said.kind != "message":
        body = _flat(fact(said.kind, "you" if own else said.nick, said.text))
        return f"in {room}, {body}" if room else body
    if said.style == "me":
        body = f"* {said.nick} {_flat(said.text)}"
    else:
        body = _said("you" if own else said.nick, said.text)
    if room:
        body = f"in {room}, {body}"
    return f"(to you) {body}" if mention else body


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
    to = f"to {room[1:]}" if room.startswith("@") else f"in {room}"
    head = f"not sent {to}" if room else "not sent"
    why = f": {spoken(pending.reason)}" if pending.reason else ""
    told = "" if typed else f'. It was: "{_flat(pending.text)}"'
    return f"{head}{why}{told}. /retry or /discard"


def arrival(room: RoomView) -> str:
    """One is in a room now: `now in #ops, 5 here, topic: the week's plan`; `now with bob, away`."""
    if room.access == "direct":
        other = room.members.get(room.peer)
        status = f", {other.status}" if other is not None and other.status != "online" else ""
        return f"now with {room.name.removeprefix('@')}{status}"
    here = sum(member.status != "offline" for member in room.members.values())
    people = f", {here:,} here" if room.members else ""
    topic = f", topic: {room.topic}" if room.topic else ""
    private = ", private" if room.access == "private" else ""
    return f"now in {room.name}{private}{people}{topic}"


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
    where = f"from {room[1:]}" if room.startswith("@") else f"in {room}"
    return f"{messages:,} new {where}" + (f", {mentions:,} to you" if mentions else "")


def day(at: datetime) -> str:
    """`Friday 20 November 2026`, whatever the locale of the time's format."""
    return f"{at:%A} {at.day} {at:%B %Y}"


# --- what a search has found --------------------------------------------------------------

_SHOWN = 500
"""Characters of a message that was found that are said."""


def hit(number: int, said: Entry, room: str, at: str) -> str:
    """A message that was found: `3. in #lab, 3 Nov 14:02, bob: text`. `at`: its time."""
    text = " ".join(said.text.split())
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    who = f"* {said.nick}" if said.style == "me" else f"{said.nick}:"
    return f"{number:,}. in {room}, {at}, {who} {text}"


def found(count: int, before: int, *, more: bool, remarks: Sequence[str] = ()) -> str:
    """What stands below a page of so many messages that were found, so many newer ones `before`
    them. `more`: there is another page."""
    if not count:
        said = "nothing more has that" if before else "nothing that you may read has that"
    elif more:
        said = f"the newest {before + count:,} that have that"
    else:
        total = before + count
        said = f"{total:,} message{'s have' if total != 1 else ' has'} that"
    return ". ".join([said, *remarks, *(["/search: more"] if more else [])])


WAY = "/search --show 1: what was said around number 1"
"""Where results lead; said once a search."""


def around(number: int, room: str) -> str:
    """What stands before the lines around a message that was found."""
    return f"around number {number:,}, in {room}:"
