"""What an operator's session asks of the server: who may do what, who is connected, the end.

Each raises Refused (`forbidden` where one is no operator) and ConnectionLost. Changes are asked
until they have an outcome; what may not be repeated is asked once.
"""

import hashlib
import secrets
import socket
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

from ipcchat import text
from ipcchat.address import Address, link, parse_address
from ipcchat.client import intake, queries
from ipcchat.client.outbox import new_draft
from ipcchat.client.session import Session
from ipcchat.errors import UsageError
from ipcchat.wire import messages
from ipcchat.wire.messages import BanInfo, Changed, InviteInfo, LogLine, SessionInfo

__all__ = [
    "BanInfo",
    "Changed",
    "InviteInfo",
    "LogLine",
    "SessionInfo",
    "admit",
    "ban",
    "bans",
    "invite",
    "invites",
    "kick",
    "learn_role",
    "release",
    "reload",
    "revoke",
    "sessions",
    "set_role",
    "shutdown",
    "unban",
    "watch_log",
]

_PAGES = 10
"""Pages of a list that are asked for at most: more than a screen shows."""
_MOST, _LONGEST = 10_000, 366 * 86_400
"""Accounts that an invite makes, and seconds that it lasts, at most."""


# --- people -------------------------------------------------------------------------------


async def learn_role(session: Session) -> str:
    """Asks what one is at present, `member` or `operator`; the model knows it then."""
    session.model.set_role(await queries.role(session.ask))
    session.on_change()
    return session.model.role


async def set_role(session: Session, nick: str, role: str) -> None:
    """Makes somebody an `operator` or a `member`."""
    await session.ask(messages.Role(0, new_draft(), nick, role))


async def kick(session: Session, room: int, nick: str, reason: str = "") -> None:
    """Removes somebody from a room. Raises TextError too."""
    await session.ask(messages.Kick(0, new_draft(), room, nick, _reason(reason)))


async def ban(session: Session, nick: str, seconds: int = 0, reason: str = "") -> None:
    """Keeps somebody out, for so many seconds or for ever (0). Raises TextError too."""
    await session.ask(messages.Ban(0, new_draft(), nick, seconds, _reason(reason)))


def _reason(reason: str) -> str:
    reason = text.clean_line(reason).strip()
    if len(reason) > text.MAX_TOPIC:
        raise UsageError(f"a reason has at most {text.MAX_TOPIC} characters")
    return reason


async def unban(session: Session, nick: str) -> None:
    """Lets somebody come back."""
    await session.ask(messages.Unban(0, new_draft(), nick))


async def release(session: Session, nick: str) -> None:
    """Frees a nick whose owner lost the key."""
    await session.ask(messages.Release(0, new_draft(), nick))


async def admit(session: Session, nick: str) -> None:
    """Lets in who asked to join under that nick."""
    await session.ask(messages.Admit(0, new_draft(), nick))


async def bans(session: Session) -> list[BanInfo]:
    """Who is banned."""
    found: list[BanInfo] = []
    place = 0
    for _ in range(_PAGES):
        page: messages.BansOk = await session.ask(messages.Bans(0, place))
        found += map(intake.clean_ban, page.items)
        if page.next <= place:
            break
        place = page.next
    return found


# --- invites ------------------------------------------------------------------------------


async def invite(session: Session, uses: int, seconds: int, links: Iterable[str] = ()) -> list[str]:
    """Makes an invite, and returns it as join links: of the given ones, else of the server as this
    session finds it. The server is told the token's hash alone. Raises UsageError too."""
    if not (0 < uses <= _MOST and 0 < seconds <= _LONGEST):
        raise UsageError(f"an invite is for 1 to {_MOST:,} people, and for 366 days at most")
    places = [parse_address(place) for place in links] or await _places(session)
    if not places:
        raise UsageError(
            "the server listens on Unix sockets alone", "who can open one needs no invite"
        )
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    await session.ask(messages.Invite(0, new_draft(), digest, uses, seconds))
    return [link(replace(place, invite=token)) for place in places]


async def _places(session: Session) -> list[Address]:
    """Where others find the server: where this session has it, or, where that is this very
    machine, what the server listens on."""
    here, fingerprint = session.address, ""
    if isinstance(here, Address) and not here.path:
        if session.link is not None and not session.model.plain:
            fingerprint = session.link.fingerprint
        if not _near(here.host):
            return [replace(here, fingerprint=fingerprint)]
    status = intake.clean_status(await session.ask(messages.Status(0)))
    found = []
    for place in status.listening:
        address = parse_address(place)
        if not address.path:
            host = socket.gethostname() if _any(address.host) else address.host
            found.append(replace(address, host=host, fingerprint=fingerprint))
    return list(dict.fromkeys(found))


def _near(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _any(host: str) -> bool:
    """Whether that is every address of a machine."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


async def invites(session: Session) -> list[InviteInfo]:
    """The invites that still let somebody in."""
    found: list[InviteInfo] = []
    place = ""
    for _ in range(_PAGES):
        page: messages.InvitesOk = await session.ask(messages.Invites(0, place))
        found += map(intake.clean_invite, page.items)
        if page.next <= place:
            break
        place = page.next
    return found


async def revoke(session: Session, prefix: str) -> InviteInfo:
    """Ends the invite whose hash begins so. Raises UsageError where it is not one."""
    found = [item for item in await invites(session) if item.hash.startswith(prefix.lower())]
    if len(found) != 1:
        many = f"{len(found)} invites begin" if found else "no invite begins"
        raise UsageError(f"{many} with {text.visible(prefix)}", "/links lists them")
    await session.ask(messages.Revoke(0, new_draft(), found[0].hash))
    return found[0]


# --- the server ---------------------------------------------------------------------------


async def watch_log(session: Session, last: int = 100) -> None:
    """The last lines of the event log, and each new one, come as events."""
    await session.request(messages.Log(0, last))


async def sessions(session: Session) -> list[SessionInfo]:
    """Who is connected, the oldest connections first."""
    found: list[SessionInfo] = []
    place = 0
    for _ in range(_PAGES):
        page = await session.request(messages.Sessions(0, place))
        found += map(intake.clean_session, page.items)
        place = page.next
        if not place:
            break
    return found


async def reload(session: Session) -> None:
    """The server reads its settings again."""
    await session.request(messages.Reload(0))


async def shutdown(session: Session) -> None:
    """The server drains and stops."""
    await session.request(messages.Shutdown(0))
