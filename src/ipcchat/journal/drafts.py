"""Drafts and outcomes: what is asked of the journal, and what it answers for ever.

A draft holds everything that depends on a library, a clock, chance or a locale, computed before
it: cleaned text, shown and canonical names, time, content hash. Raw secrets never enter it.
Both are structs because there is one of each for every message.
"""

from hashlib import blake2b

from msgspec import Struct

__all__ = ["KINDS", "Draft", "Outcome", "content"]

KINDS = ("account", "join", "message", "nick", "part", "read", "topic", "withdraw")
"""Every kind of draft. `read` makes no entry and no outcome: the latest value wins."""


def content(asked: str) -> bytes:
    """The hash of what was asked, as it was asked: 8 bytes."""
    return blake2b(asked.encode(), digest_size=8).digest()


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
    name: str = ""
    """A room's name (`join`) or a nick (`account`, `nick`), as shown."""
    key: str = ""
    """The canonical form of `name`: equal keys are the same name."""
    credential: str = ""
    """Of `account`: the hashed proof by which the account is found again."""
    seq: int = 0
    """Of `read`: the marker."""
    refusal: str = ""
    """A code found by a check made before apply (`bad_text`, `bad_name`): the outcome, unless
    there is an earlier one."""
    content: bytes = b""
    """8 bytes: a hash of what was asked, as it was asked; the same for every try."""

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
