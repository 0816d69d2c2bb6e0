"""What operators ask: who may come in, who may do what. Each has an `id` of the client's choice.

Tokens are made by whoever asks; the server is told their hash alone.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, field

from ipcchat.wire.fields import DraftId, Int, Name, Reason, Tagged

__all__ = [
    "Admit",
    "Ban",
    "Bans",
    "Invite",
    "Invites",
    "Kick",
    "Order",
    "Release",
    "Revoke",
    "Role",
    "Token",
    "Unban",
]

Hash: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""The SHA-256 of a token's text, as 64 lower-case hexadecimal digits."""


class Role(Tagged, tag="role"):
    """Makes an account an operator, or a member."""

    id: Int
    draft: DraftId
    nick: Name
    role: Name = "operator"


class Kick(Tagged, tag="kick"):
    """Ends an account's membership of a room, and its sessions' subscriptions to it."""

    id: Int
    draft: DraftId
    room: Int
    nick: Name
    text: Reason = ""


class Ban(Tagged, tag="ban"):
    """Closes an account's sessions and lets it in no more, for so many seconds or for ever (0)."""

    id: Int
    draft: DraftId
    nick: Name
    seconds: Int = 0
    text: Reason = ""


class Unban(Tagged, tag="unban"):
    """Ends a ban."""

    id: Int
    draft: DraftId
    nick: Name


class Bans(Tagged, tag="bans"):
    """One page of who is banned."""

    id: Int
    next: Int = 0


class Release(Tagged, tag="release"):
    """Frees a nick whose owner lost the key: its account gets another."""

    id: Int
    draft: DraftId
    nick: Name


class Admit(Tagged, tag="admit"):
    """Lets in who asked to join under this nick."""

    id: Int
    draft: DraftId
    nick: Name


class Invite(Tagged, tag="invite"):
    """Makes an invite: whoever shows the token may make an account, so many times, so long."""

    id: Int
    draft: DraftId
    hash: Hash
    uses: Int = 1
    seconds: Int = 7 * 86_400


class Invites(Tagged, tag="invites"):
    """One page of the invites there are."""

    id: Int
    next: Name = ""


class Revoke(Tagged, tag="revoke"):
    """Ends an invite."""

    id: Int
    draft: DraftId
    hash: Hash


class Token(Tagged, tag="token"):
    """Lets whoever shows the token log in as a script's account of this nick, made when there is
    none. With rooms, it sees and says nothing elsewhere."""

    id: Int
    draft: DraftId
    hash: Hash
    nick: Name
    rooms: list[Name] = field(default_factory=list)


Order: TypeAlias = (
    Role | Kick | Ban | Unban | Bans | Release | Admit | Invite | Invites | Revoke | Token
)
