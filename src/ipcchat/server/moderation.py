"""What operators ask of people: roles, removals, bans, nicks, invites, tokens.

A nick is looked up here, before apply; where nobody has it, the draft carries that refusal, so that
an earlier outcome of the same draft id comes first even then.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ipcchat import names, text
from ipcchat.entries import now_ms
from ipcchat.errors import TextError
from ipcchat.journal.drafts import Draft
from ipcchat.journal.sight import first_seen
from ipcchat.server.access import OPERATOR, TOKEN
from ipcchat.server.changes import drafted, find, known_key, whom
from ipcchat.server.hub import Hub
from ipcchat.server.questions import named
from ipcchat.server.session import Session
from ipcchat.wire.messages import (
    Admit,
    Ban,
    BanInfo,
    Bans,
    BansOk,
    Invite,
    InviteInfo,
    Invites,
    InvitesOk,
    Kick,
    Release,
    Revoke,
    Role,
    Token,
    Unban,
)

__all__ = ["CHANGES", "bans", "invites"]

_PAGE = 200
_ADMITTED = 86_400_000
"""Milliseconds that somebody who was admitted has to come."""
_LONGEST = 366 * 86_400
"""Seconds that an invite may last."""
_LATEST = 2**53 - 1
"""The last time that can be told on the wire, in ms since 1970 UTC."""
_MOST = 10_000
"""Accounts that an invite may make."""


def role(hub: Hub, session: Session, request: Role, now: int) -> Draft:
    """Makes an account an operator or a member; the server's own stays what it is."""
    about = whom(hub, request.nick)
    own = hub.journal.state.credentials.get(OPERATOR)
    if request.role not in ("member", "operator") or about["target"] == own:
        about["refusal"] = "forbidden"
    return drafted(session, request, "role", now, role=request.role, **about)


def kick(hub: Hub, session: Session, request: Kick, now: int) -> Draft:
    """Removes an account from a room; the entry's text says whom, and why."""
    about = whom(hub, request.nick)
    said = hub.nick_of(about["target"])
    if reason := _reason(request.text):
        said = f"{said}: {reason}"
    return drafted(session, request, "kick", now, room=request.room, text=said, **about)


def _reason(asked: str) -> str:
    return text.clean_line(asked).strip()[: text.MAX_TOPIC]


def ban(hub: Hub, session: Session, request: Ban, now: int) -> Draft:
    """Keeps an account out, for a while or for ever."""
    until = min(now + 1000 * request.seconds, _LATEST) if request.seconds else 0
    about = whom(hub, request.nick)
    return drafted(session, request, "ban", now, until=until, text=_reason(request.text), **about)


def unban(hub: Hub, session: Session, request: Unban, now: int) -> Draft:
    """Lets it in again."""
    return drafted(session, request, "unban", now, **whom(hub, request.nick))


def release(hub: Hub, session: Session, request: Release, now: int) -> Draft:
    """Frees a nick: its account gets one made of it and the account's number, or, where it is an
    old nick that is only reserved, it is so no longer."""
    keys = hub.journal.state.nick_keys
    key = known_key(keys, request.nick)
    number = keys.get(key, 0)
    if not number:
        return drafted(session, request, "release", now, key=key)
    tail = f"-{number}"
    name = hub.nick_of(number)[: text.MAX_NICK - len(tail)] + tail
    while names.key(name) in keys:
        tail += "x"
        name = name[: text.MAX_NICK - len(tail)] + tail
    # Its look is not compared: it is near its old nick on purpose.
    return drafted(session, request, "release", now, name=name, key=names.key(name), target=number)


def admit(hub: Hub, session: Session, request: Admit, now: int) -> Draft:
    """Lets in who was turned away under this nick a while ago."""
    asked = hub.asking.get(names.key(request.nick))
    return drafted(
        session,
        request,
        "admit",
        now,
        name=asked.nick if asked else "",
        credential=asked.credential if asked else "",
        until=now + _ADMITTED,
        refusal="" if asked else "no_account",
    )


def invite(hub: Hub, session: Session, request: Invite, now: int) -> Draft:
    """Makes an invite."""
    fits = 0 < request.uses <= _MOST and 0 < request.seconds <= _LONGEST
    return drafted(
        session,
        request,
        "invite",
        now,
        credential=request.hash,
        seq=request.uses,
        until=now + 1000 * min(request.seconds, _LONGEST),
        refusal="" if fits else "forbidden",
    )


def revoke(hub: Hub, session: Session, request: Revoke, now: int) -> Draft:
    """Ends an invite."""
    return drafted(session, request, "revoke", now, credential=request.hash)


def token(hub: Hub, session: Session, request: Token, now: int) -> Draft:
    """Another proof for a script's account, which is made where there is none of that nick. Nobody
    gets a token for a person's account: that has another proof."""
    known = hub.journal.state
    credential = TOKEN + request.hash
    rooms = [named(hub, session.account, name) for name in request.rooms]
    rooms = [
        number if first_seen(known, number, session.account) is not None else 0 for number in rooms
    ]
    scope = ",".join(str(number) for number in sorted({*rooms}))
    refusal = "" if all(rooms) else "no_room"
    number = find(hub, request.nick)
    if number:
        proofs = [name for name, owner in known.credentials.items() if owner == number]
        if not all(name.startswith(TOKEN) for name in proofs):
            refusal = refusal or "nick_taken"
        about = {"credential": credential, "scope": scope, "target": number, "refusal": refusal}
        return drafted(session, request, "credential", now, **about)
    name = ""
    try:
        name = names.check_nick(request.nick)
    except TextError as error:
        refusal = refusal or error.code
    return drafted(
        session,
        request,
        "account",
        now,
        name=name,
        key=names.key(name),
        skeleton=names.skeleton(name),
        credential=credential,
        scope=scope,
        open=True,
        refusal=refusal,
    )


def bans(hub: Hub, session: Session, request: Bans) -> Struct:
    """A page of who is banned at this moment, in the order of their numbers."""
    known = hub.journal.state
    numbers = sorted(number for number in known.bans if number > request.next)
    numbers = [number for number in numbers if known.banned(number, now_ms())][: _PAGE + 1]
    items = [BanInfo(number, hub.nick_of(number), known.bans[number]) for number in numbers[:_PAGE]]
    return BansOk(request.id, items=items, next=numbers[_PAGE - 1] if numbers[_PAGE:] else 0)


def invites(hub: Hub, session: Session, request: Invites) -> Struct:
    """A page of the invites that still let somebody in, in the order of their hashes."""
    known = hub.journal.state.invites
    now = now_ms()
    hashes = sorted(key for key, it in known.items() if key > request.next and it.expires > now)
    items = []
    for key in hashes[:_PAGE]:
        it = known[key]
        items.append(InviteInfo(key, hub.nick_of(it.by), it.uses, it.expires))
    return InvitesOk(request.id, items=items, next=hashes[_PAGE - 1] if hashes[_PAGE:] else "")


CHANGES: dict[type[Struct], Callable[[Hub, Session, Any, int], Draft]] = {
    Role: role,
    Kick: kick,
    Ban: ban,
    Unban: unban,
    Release: release,
    Admit: admit,
    Invite: invite,
    Revoke: revoke,
    Token: token,
}
"""What makes a draft of which request."""
