"""What was said: the entry, one value from the journal to the screen.

An entry never changes. It knows no encoding: `wire` frames it, `journal` stores it, `transcript`
writes it down, the screen draws it. It is a msgspec struct so that none of them has to convert it.
"""

import time

import msgspec

__all__ = ["SERVER", "SYSTEM_ROOM", "Cursor", "Entry", "from_places", "from_rows", "now_ms"]

SERVER = 0
"""The account number of the server itself."""

SYSTEM_ROOM = 0
"""The room of server-wide facts (accounts, nicks, membership), which no client reads."""


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Entry(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    tag_field="type",
    tag="entry",
):
    """An accepted draft."""

    room: int
    """The room's number; never reused within an epoch."""
    seq: int
    """Its number in the room: 1, 2, 3 … without gaps, the same on every server."""
    time: int
    """Milliseconds since 1970 UTC when the draft was made; advisory, never an order."""
    by: int
    """The account that said it; 0 is the server."""
    nick: str
    """The account's nick at that moment."""
    kind: str
    """`message`, `create`, `topic`, `rename`, `kick`, in private rooms `join`, `part`, `invite`,
    `uninvite`, `decline`; an unknown one still moves the cursor."""
    draft: str
    """The id its author gave it: 32 hexadecimal digits."""
    text: str = ""
    """The message, the topic, or the room's name (`create`, `rename`)."""
    style: str = ""
    """Of a message: empty, or `me` for an action."""
    target: int = 0
    """What it speaks of, where that is a number: the room that was joined or parted, the account
    that was removed or invited, the peer of a direct room that was made."""


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """A place in a room's history that can be proved: the last entry a client has."""

    epoch: str
    """Identity of the journal's history."""
    seq: int
    """The last entry's number; 0 before the first."""
    draft: str = ""
    """The last entry's draft id; empty with seq 0."""


_Row = tuple[int, int, int, str, str, str, str, str, int]
_rows = msgspec.json.Decoder(list[_Row])


def from_rows(room: int, rows: str) -> list[Entry]:
    """Entries of one room from a JSON array of rows (seq, time, by, nick, kind, draft, text,
    style, target). Raises ValueError where it is none."""
    try:
        return [Entry(room, *row) for row in _rows.decode(rows)]
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


_Place = tuple[int, int, int, int, str, str, str, str, str, int]
_places = msgspec.json.Decoder(list[_Place])


def from_places(rows: str) -> list[Entry]:
    """Entries from such an array whose rows begin with the room. Raises ValueError."""
    try:
        return [Entry(*row) for row in _places.decode(rows)]
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
