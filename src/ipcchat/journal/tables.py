"""State and decisions ↔ rows of the SQLite journal."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from sys import intern
from typing import Any

from msgspec import Struct, json
from msgspec.structs import astuple

from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.journal.drafts import Decision, Draft, Outcome, hashed
from ipcchat.journal.schema import SEQ_BITS, pack
from ipcchat.journal.state import (
    Account,
    Invite,
    Layer,
    Overlay,
    Reserved,
    Room,
    State,
    Stored,
)

__all__ = [
    "changes",
    "copy",
    "each_entry",
    "earlier",
    "fact_of",
    "load",
    "meta",
    "rows",
    "set_meta",
    "write",
]


def meta(db: sqlite3.Connection, name: str) -> str:
    """A value of the journal about itself."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def set_meta(db: sqlite3.Connection, name: str, value: str | int) -> None:
    """Sets such a value, inside the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


_ROOMS = (
    "SELECT number, name, key, head, topic, first, skeleton, access, maker, peer, made FROM rooms"
)


def load(db: sqlite3.Connection) -> State:
    """The committed state."""
    state = State()
    for row in db.execute(_ROOMS):
        room = Room(*row)
        room.access = intern(room.access)
        state.rooms[room.number] = room
        if room.number != SYSTEM_ROOM:
            state.room_keys[room.key] = room.number
        if room.skeleton:
            state.room_skeletons[room.skeleton] = room.number
    for row in db.execute("SELECT number, nick, key, role, skeleton FROM accounts"):
        account = Account(*row)
        state.accounts[account.number] = account
        state.nick_keys[account.key] = account.number
        if account.skeleton:
            state.nick_skeletons[account.skeleton] = account.number
    for name, rows in _LAYERS.items():
        held = getattr(state, name)
        for key, *values in db.execute(f"SELECT * FROM {rows.table}"):
            held[key] = rows.value(*values)
    for kept in state.reserved.values():
        if kept.skeleton:
            state.nick_skeletons.setdefault(kept.skeleton, kept.account)
    for room, account, since, at in db.execute("SELECT room, account, since, at FROM members"):
        state.members.setdefault(room, {})[account] = (since, at)
        state.joined.setdefault(account, set()).add(room)
    for room, account, by in db.execute("SELECT room, account, by FROM room_invites"):
        state.room_invites[room, account] = by
    for account, room, seq in db.execute("SELECT account, room, seq FROM hidden"):
        state.hidden[account, room] = seq
    facts = "SELECT id FROM entries WHERE kind != 'message' AND id > ? ORDER BY id"
    for (id,) in db.execute(facts, (pack(SYSTEM_ROOM + 1, 0),)):
        state.facts.setdefault(id >> SEQ_BITS, []).append(id & ((1 << SEQ_BITS) - 1))
    for account, room, seq in db.execute("SELECT account, room, seq FROM markers"):
        state.markers[account, room] = seq
    state.last_room = int(meta(db, "last_room"))
    state.last_account = int(meta(db, "last_account"))
    state.applied = int(meta(db, "applied"))
    return state


def earlier(db: sqlite3.Connection, drafts: Sequence[Draft]) -> dict[tuple[int, str], Stored]:
    """Those of the drafts that have a stored outcome: (account, draft id) → outcome and the hash of
    its content."""
    found: dict[tuple[int, str], Stored] = {}
    for start in range(0, len(drafts), _ASKED):
        some = [draft for draft in drafts[start : start + _ASKED] if draft.id]
        asked: list[int | bytes] = []
        for draft in some:
            asked += (draft.account, bytes.fromhex(draft.id))
        if not some:
            continue
        for account, id, room, seq, time, code, content in db.execute(_earlier(len(some)), asked):
            found[account, id.hex()] = (Outcome(room, seq, time, code), content)
    return found


_ASKED = 256
"""Drafts in one statement; SQLite takes 32,766 values."""


@cache
def _earlier(count: int) -> str:
    values = ",".join(["(?,?)"] * count)
    # CROSS JOIN fixes the order: a search of the index for each, never a scan of all outcomes.
    return (
        f"WITH asked (by, id) AS (VALUES {values})"
        " SELECT account, draft, room, seq, time, code, content"
        " FROM asked CROSS JOIN outcomes WHERE account = by AND draft = id"
    )


_FACTS = (
    "key",
    "credential",
    "skeleton",
    "seq",
    "until",
    "older",
    "invite",
    "scope",
    "role",
    "access",
)


def fact_of(draft: Draft) -> str:
    """What an entry does not show of its draft, for a rebuild: a JSON object, or nothing."""
    found = {name: value for name in _FACTS if (value := getattr(draft, name))}
    return json.encode(found).decode() if found else ""


class _Rows(Struct, frozen=True):
    """How a dictionary of the state lies in a table whose first column is its key."""

    table: str
    key: str
    count: int
    """Columns besides the key."""
    value: Callable[..., Any]
    """From those columns."""
    columns: Callable[[Any], tuple[Any, ...]] = astuple

    @property
    def insert(self) -> str:
        return f"INSERT OR REPLACE INTO {self.table} VALUES (?{', ?' * self.count})"

    @property
    def delete(self) -> str:
        return f"DELETE FROM {self.table} WHERE {self.key} = ?"


def _itself(value: Any) -> Any:
    return value


def _one(value: Any) -> tuple[Any]:
    return (value,)


_LAYERS = {
    "credentials": _Rows("credentials", "credential", 1, _itself, _one),
    "scopes": _Rows("scopes", "credential", 1, _itself, _one),
    "invites": _Rows("invites", "hash", 3, Invite),
    "admitted": _Rows("admitted", "credential", 1, _itself, _one),
    "bans": _Rows("bans", "account", 1, _itself, _one),
    "reserved": _Rows("reserved", "key", 3, Reserved),
}
"""The state's name for it → its table."""

EntryRow = tuple[int, int, int, str, str, bytes, str, str, int, str]
OutcomeRow = tuple[int, bytes, int, int, int, str, bytes]


def rows(
    drafts: Iterable[Draft], decisions: Iterable[Decision]
) -> tuple[list[EntryRow], list[OutcomeRow]]:
    """What decisions add to the tables of entries and outcomes."""
    entries: list[EntryRow] = []
    outcomes: list[OutcomeRow] = []
    for draft, decision in zip(drafts, decisions, strict=True):
        if not decision.stored:
            continue
        id = bytes.fromhex(draft.id)
        it = decision.outcome
        content = hashed(draft.content)
        outcomes.append((draft.account, id, it.room, it.seq, it.time, it.code, content))
        entry = decision.entry
        if entry is not None:
            fact = "" if entry.kind == "message" else fact_of(draft)
            entries.append(
                (
                    pack(entry.room, entry.seq),
                    entry.time,
                    entry.by,
                    entry.nick,
                    entry.kind,
                    id,
                    entry.text,
                    entry.style,
                    entry.target,
                    fact,
                )
            )
    return entries, outcomes


def write(
    db: sqlite3.Connection,
    state: Overlay,
    drafts: Iterable[Draft],
    decisions: Iterable[Decision],
) -> None:
    """Stores a batch inside the caller's transaction: entries, outcomes, and what changed."""
    entries, outcomes = rows(drafts, decisions)
    db.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)", outcomes)
    db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", entries)
    changes(db, state)


def changes(db: sqlite3.Connection, overlay: Overlay) -> None:
    """Stores what a batch changed in rooms, accounts, membership, markers and counters."""
    if overlay.rooms:
        db.executemany(
            "INSERT INTO rooms VALUES (?, ?, ?, 0, ?, 1, ?, ?, ?, ?, ?)"
            " ON CONFLICT (number) DO UPDATE SET topic = excluded.topic",
            list(map(_room, overlay.rooms.values())),
        )
    if SYSTEM_ROOM in overlay.heads:
        db.execute(
            "INSERT OR IGNORE INTO rooms (number, name, key, head, topic, first)"
            " VALUES (?, '', '', 0, '', 1)",
            (SYSTEM_ROOM,),
        )
    db.executemany(
        "UPDATE rooms SET head = ? WHERE number = ?",
        [(head, number) for number, head in overlay.heads.items()],
    )
    if overlay.accounts.changes:
        db.executemany(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)",
            [astuple(item) for item in overlay.accounts.changes.values() if item is not None],
        )
    for name, layer in overlay.layers.items():
        rows = _LAYERS.get(name)
        if rows is not None:
            _store(db, rows, layer)
        elif name in _PAIRS:
            _pairs(db, name, layer.changes)
    for (room, account), member in overlay.members.items():
        if member is None:
            db.execute("DELETE FROM members WHERE room = ? AND account = ?", (room, account))
        else:
            db.execute(
                "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", (room, account, *member)
            )
    db.executemany(
        "INSERT OR REPLACE INTO markers VALUES (?, ?, ?)",
        [(account, room, seq) for (account, room), seq in overlay.markers.changes.items()],
    )
    if overlay.room_keys:
        set_meta(db, "last_room", overlay.last_room)
    if overlay.accounts.changes:
        set_meta(db, "last_account", overlay.last_account)
    set_meta(db, "applied", overlay.applied)


def _room(it: Room) -> tuple[Any, ...]:
    named = (it.number, it.name, it.key, it.topic, it.skeleton)
    return (*named, it.access, it.maker, it.peer, it.made)


def _store(db: sqlite3.Connection, rows: _Rows, layer: Layer[Any, Any]) -> None:
    for key, value in layer.changes.items():
        if value is None:
            db.execute(rows.delete, (key,))
        else:
            db.execute(rows.insert, (key, *rows.columns(value)))


_PAIRS = ("room_invites", "hidden")


def _pairs(db: sqlite3.Connection, table: str, changes: dict[tuple[int, int], int | None]) -> None:
    """Stores what belongs to a room and an account, in the order of the table's columns."""
    room, account = ("room", "account") if table == "room_invites" else ("account", "room")
    for pair, value in changes.items():
        if value is None:
            db.execute(f"DELETE FROM {table} WHERE {room} = ? AND {account} = ?", pair)
        else:
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", (*pair, value))


def each_entry(db: sqlite3.Connection, room: int, seq: int) -> Iterator[Entry]:
    """Every entry of a room with a higher seq, ascending."""
    rows = db.execute(
        "SELECT id, time, by, nick, kind, lower(hex(draft)), text, style, target FROM entries"
        " WHERE id > ? AND id < ? ORDER BY id",
        (pack(room, seq), pack(room + 1, 0)),
    )
    for row in rows:
        yield Entry(room, row[0] - pack(room, 0), *row[1:])


def copy(source: State, target: State) -> None:
    """Makes one state equal to another, in place: callers hold on to theirs."""
    for item in fields(State):
        setattr(target, item.name, getattr(source, item.name))
