"""Drafts, outcomes and decisions: what is asked of the journal, and what it answers for ever.

A draft holds everything that depends on a library, a clock, chance or a locale, computed before
it: cleaned text, shown and canonical names, time, what was asked. Raw secrets never enter it.
They are structs because there is one of each for every message.
"""

from hashlib import blake2b

from msgspec import Struct

from ipcchat.entries import Entry

__all__ = [
    "KINDS",
    "OPERATORS",
    "Content",
    "Decision",
    "Draft",
    "Outcome",
    "content",
    "hashed",
    "refused",
]

OPERATORS = frozenset(
    ("admit", "ban", "credential", "invite", "kick", "release", "revoke", "role", "unban")
)
"""Kinds that only an account with the operator's role, or the server, may ask; and so `account`."""
_OTHERS = (
    "account",
    "direct",
    "join",
    "message",
    "nick",
    "part",
    "read",
    "room_invite",
    "room_uninvite",
    "topic",
    "withdraw",
)
KINDS = tuple(sorted((*OPERATORS, *_OTHERS)))
"""Every kind of draft. `read` makes no entry and no outcome: the latest value wins."""


Said = tuple[str, int, str, str]
"""What a message was asked with, as it was asked: `say`, room, style, text."""
Content = bytes | Said
"""What was asked, as it was asked: its hash, or what the hash is made of where that is wanted by
those alone who store it."""


def content(asked: str) -> bytes:
    """The hash of what was asked, as it was asked: 8 bytes."""
    return blake2b(asked.encode(), digest_size=8).digest()


def hashed(asked: Content) -> bytes:
    """The hash, whether it was made already or not."""
    if isinstance(asked, bytes):
        return asked
    kind, room, style, text = asked
    return content(f"{kind}\0{room}\0{style}\0{text}")


class Draft(Struct, gc=False):
    """What an account asks to have said or changed."""

    account: int
    """Who asks; 0 is the server."""
    id: str
    """128 random bits as 32 lower-case hexadecimal digits, chosen by who asks."""
    kind: str
    """One of `KINDS`."""
    time: int
    """Milliseconds since 1970 UTC."""
    room: int = 0
    text: str = ""
    """The message or topic, already cleaned."""
    style: str = ""
    refusal: str = ""
    """A code found by a check made before apply (`bad_text`, `bad_name`): the outcome, unless
    there is an earlier one."""
    content: Content = b""
    """What was asked, as it was asked; its hash (8 bytes) is the same for every try."""
    quiet: bool = False
    """Of `message`: a script's, which leaves the account's read marker where it is."""
    # What messages have ends here: they are made by position.
    name: str = ""
    """A room's name (`join`) or a nick (`account`, `nick`), as shown."""
    key: str = ""
    """The canonical form of `name`: equal keys are the same name."""
    credential: str = ""
    """Of `account`, `credential`: the proof by which the account is found again, hashed where it is
    a secret. Of `invite`, `revoke`: the hash of the token. Of `admit`: whose login is let in."""
    seq: int = 0
    """Of `read`: the marker. Of `invite`: how many accounts it makes. Of `direct`, and of a `join`
    that makes a private room: a number by chance for it."""
    skeleton: str = ""
    """Of a `name`: equal for names that look alike; empty: not looked at."""
    target: int = 0
    """The account it is about."""
    until: int = 0
    """When it ends, in ms since 1970 UTC; 0, of a ban: never."""
    role: str = ""
    """`member` or `operator`."""
    older: str = ""
    """Of `account`: a credential whose account, where there is one, is found by the new one now."""
    invite: str = ""
    """Of `account`: the hash of the token that was shown."""
    open: bool = False
    """Of `account`: whether it needs no invite."""
    scope: str = ""
    """Of `account`, `credential`: numbers of the only rooms it opens, with commas."""
    access: str = ""
    """Of `join`: `private` for a room that is to be new and private."""

    def __post_init__(self) -> None:
        if not self.content:
            asked = f"{self.kind}\0{self.room}\0{self.style}\0{self.name}\0{self.text}"
            self.content = content(asked)


class Outcome(Struct, gc=False, frozen=True):
    """What became of a draft: the same answer to every try, for ever.

    Accepted: `code` is empty; `room` and `seq` say where (`seq` 0: a change without an entry in
    that room). Refused: `code` is one of `errors.CODES`, never one marked retry.
    """

    room: int = 0
    seq: int = 0
    time: int = 0
    code: str = ""


class Decision(Struct, gc=False):
    """What apply made of a draft."""

    outcome: Outcome
    entry: Entry | None = None
    stored: bool = True
    """Whether the outcome is a new one, to be kept for ever."""


def refused(draft: Draft, code: str) -> Decision:
    """A draft that is refused for good; `code`: one of `errors.CODES`."""
    return Decision(Outcome(draft.room, 0, draft.time, code))
