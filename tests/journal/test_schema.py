"""Files of earlier versions: opened, migrated, and what was in them stays valid."""

import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from tests.journal.making import draft, join, one, opened, say

from ipcchat import names
from ipcchat.errors import JournalError
from ipcchat.journal import schema, tables, upkeep
from ipcchat.journal.sight import HIDDEN_ROOMS, PRIVATE, PUBLIC, first_seen
from ipcchat.journal.state import State

ROOMS = [("#lobby", "#lobby"), ("#ﬁsh", "#fish"), ("#①", "#①"), ("#1", "#1"), ("#Ⅷ", "#ⅷ")]
"""Names and their keys in version 1, which folded case alone."""
NICKS = [
    ("operator", "console"),
    ("ann", "secret:ann"),
    ("Ｂｏｂ", "secret:bob"),
    ("ａｎｎ", "secret:wide"),
]


def older(folder: Path) -> None:
    """A file of version 1: its rooms, each with its `create`, and its people."""
    with closing(sqlite3.connect(folder / schema.NAME, isolation_level=None)) as db:
        schema.MIGRATIONS[0](db)
        db.execute(f"PRAGMA application_id = {schema._APPLICATION}")
        db.execute("PRAGMA user_version = 1")
        for number, (name, key) in enumerate(ROOMS, 1):
            db.execute("INSERT INTO rooms VALUES (?, ?, ?, 1, '', 1)", (number, name, key))
            row = (schema.pack(number, 1), 1, 0, "", "create", bytes(16), name, "", 0, f"{key}\n")
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        for number, (nick, credential) in enumerate(NICKS, 1):
            db.execute("INSERT INTO accounts VALUES (?, ?, ?)", (number, nick, nick.casefold()))
            db.execute("INSERT INTO credentials VALUES (?, ?)", (credential, number))
        tables.set_meta(db, "last_room", len(ROOMS))
        tables.set_meta(db, "last_account", len(NICKS))


@pytest.mark.asyncio
async def test_a_file_of_version_1_goes_on(tmp_path: Path) -> None:
    older(tmp_path)
    async with opened(tmp_path) as journal:
        known = journal.state
        assert [known.rooms[number].name for number in range(1, 6)] == [name for name, _ in ROOMS]
        assert [known.accounts[number].role for number in (1, 2, 3)] == [
            *("operator", "member", "member")
        ]
        assert known.nick_keys[names.key("bob")] == 3
        assert known.credentials == {name: number for number, (_, name) in enumerate(NICKS, 1)}
        for number in range(1, 6):
            assert (await one(journal, say("hi", 2, number))).seq == 2
        assert (await one(journal, draft("role", 1, target=2, role="operator"))).code == ""


@pytest.mark.asyncio
async def test_of_two_names_that_become_one_the_older_has_it_and_both_stay(tmp_path: Path) -> None:
    older(tmp_path)
    async with opened(tmp_path) as journal:
        keys = journal.state.room_keys
        assert len(set(keys.values())) == len(ROOMS)  # each can be found by its key
        assert keys[names.key("#①")] in (3, 4) and keys["#1"] in (3, 4)
        assert keys[names.key("#viii")] == 5
        assert (await one(journal, join("#fish", 2))).room == 2


@pytest.mark.asyncio
async def test_what_was_migrated_is_there_after_the_next_start(tmp_path: Path) -> None:
    older(tmp_path)
    async with opened(tmp_path) as journal:
        before = journal.state.accounts, journal.state.room_keys, journal.state.nick_skeletons
    async with opened(tmp_path) as journal:
        state = journal.state
        assert (state.accounts, state.room_keys, state.nick_skeletons) == before


@pytest.mark.asyncio
async def test_of_nicks_that_look_alike_memory_and_file_agree(tmp_path: Path) -> None:
    older(tmp_path)
    async with opened(tmp_path) as journal:
        renamed = draft("nick", 2, name="eve", key="eve", skeleton=names.skeleton("eve"))
        assert (await one(journal, renamed)).code == ""
        before = dict(journal.state.nick_skeletons), dict(journal.state.nick_keys)
    async with opened(tmp_path) as journal:
        assert (journal.state.nick_skeletons, journal.state.nick_keys) == before
        assert journal.state.reserved[names.key("ann")].account == 2


# --- version 2 ----------------------------------------------------------------------------


SAID = 5
"""Messages in each room of a file of version 2."""


def of_version_2(folder: Path) -> None:
    """What version 2 left: rooms that somebody made, talked in and is a member of, with topics,
    markers, a script's scope, an invite and a ban."""
    with closing(sqlite3.connect(folder / schema.NAME, isolation_level=None)) as db:
        for migration in schema.MIGRATIONS[:2]:
            migration(db)
        db.execute(f"PRAGMA application_id = {schema._APPLICATION}")
        db.execute("PRAGMA user_version = 2")
        people = [("operator", "operator"), ("ann", "member"), ("bob", "member")]
        for number, (nick, role) in enumerate(people, 1):
            row = (number, nick, nick, role, names.skeleton(nick))
            db.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", row)
            db.execute("INSERT INTO credentials VALUES (?, ?)", (f"secret:{nick}", number))

        def enter(room: int, seq: int, by: int, kind: str, text: str = "", target: int = 0) -> None:
            nick = people[by - 1][0] if by else ""
            id, time = schema.pack(room, seq), 100 * room + seq
            row = (id, time, by, nick, kind, id.to_bytes(16, "big"), text, "", target, "")
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            outcome = (by, id.to_bytes(16, "big"), room, seq, time, "", bytes(8))
            db.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)", outcome)

        rooms = [(1, "#lobby", 0), (2, "#tea", 2)]
        for number, name, maker in rooms:
            enter(number, 1, maker, "create", name)
            enter(number, 2, 2, "topic", f"all about {name}")
            for line in range(SAID):
                enter(number, 3 + line, 2 + line % 2, "message", f"line {line}")
            enter(number, 3 + SAID, 1, "kick", "bob", 3)
            made = (number, name, name, 3 + SAID, f"all about {name}", 1, names.skeleton(name))
            db.execute("INSERT INTO rooms VALUES (?, ?, ?, ?, ?, ?, ?)", made)
        for seq, target in enumerate((1, 2), 1):
            enter(0, seq, 2, "join", "", target)
        db.execute("INSERT INTO rooms VALUES (0, '', '', 2, '', 1, '')")
        db.executemany("INSERT INTO members VALUES (?, ?)", [(1, 2), (2, 2), (2, 3)])
        db.executemany("INSERT INTO markers VALUES (?, ?, ?)", [(2, 1, 4), (3, 2, 8)])
        db.execute("INSERT INTO scopes VALUES ('token:x', '2')")
        db.execute("INSERT INTO invites VALUES ('hash', 1, 3, 5000)")
        db.execute("INSERT INTO bans VALUES (3, 2000)")
        tables.set_meta(db, "last_room", 2)
        tables.set_meta(db, "last_account", 3)
        tables.set_meta(db, "applied", 20)


@pytest.mark.asyncio
async def test_a_file_of_version_2_has_the_same_rooms_members_and_markers(tmp_path: Path) -> None:
    of_version_2(tmp_path)
    async with opened(tmp_path) as journal:
        known = journal.state
        shown = [(it.number, it.name, it.head, it.topic) for it in known.rooms.values()]
        assert sorted(shown) == [
            (0, "", 2, ""),
            (1, "#lobby", 8, "all about #lobby"),
            (2, "#tea", 8, "all about #tea"),
        ]
        assert {it.access for it in known.rooms.values()} == {PUBLIC}
        # Made by whoever its first entry says, when that says.
        assert [(known.rooms[n].maker, known.rooms[n].made) for n in (1, 2)] == [(0, 101), (2, 201)]
        assert known.members == {1: {2: (1, 0)}, 2: {2: (1, 0), 3: (1, 0)}}
        assert known.joined == {2: {1, 2}, 3: {2}}
        assert known.markers == {(2, 1): 4, (3, 2): 8}
        assert (known.room_invites, known.hidden) == ({}, {})
        assert (known.scopes, known.bans) == ({"token:x": "2"}, {3: 2000})
        assert known.invites["hash"].uses == 3
        for room in (1, 2):
            assert known.facts[room] == [1, 2, 8]
            assert known.messages(room, 0, 8) == SAID
            assert known.messages(room, 4, 8) == 3
            assert {first_seen(known, room, who) for who in (1, 2, 3)} == {1}
        assert 0 not in known.facts


@pytest.mark.asyncio
async def test_a_file_of_version_2_goes_on(tmp_path: Path) -> None:
    of_version_2(tmp_path)
    async with opened(tmp_path) as journal:
        entries = await journal.read(2, after=0, upto=8, limit=99, size=1 << 20)
        assert [entry.seq for entry in entries] == list(range(1, 9))
        repeated = draft(
            "message", 2, id=schema.pack(2, 3).to_bytes(16, "big").hex(), content=bytes(8)
        )
        assert (await one(journal, repeated)).seq == 3
        assert (await one(journal, say("more", 2, 2))).seq == 9
        assert (await one(journal, join("#new", 2))).room == 3
        private = draft("join", 2, name="#den", key="#den", access=PRIVATE, seq=5)
        den = (await one(journal, private)).room
        assert den == HIDDEN_ROOMS + 5
        direct = (await one(journal, draft("direct", 3, time=3000, target=2, seq=6))).room
        assert (await one(journal, draft("room_invite", 2, room=den, target=3))).seq == 2
        assert (await one(journal, say("psst", 2, direct))).seq == 2
        before = [getattr(journal.state, it.name) for it in fields(State)]
    async with opened(tmp_path) as journal:
        assert [getattr(journal.state, it.name) for it in fields(State)] == before
        assert first_seen(journal.state, den, 3) is None
    summary, wrong = upkeep.check(tmp_path)
    assert (wrong, summary.rooms) == ([], 5)
    assert {name for name, _ in upkeep.export(tmp_path)} == {"#lobby", "#tea", "#new"}


@pytest.mark.asyncio
async def test_what_belongs_to_an_older_file_is_exported_without_opening_it(tmp_path: Path) -> None:
    of_version_2(tmp_path)
    exported = [(name, entry.seq) for name, entry in upkeep.export(tmp_path)]
    assert exported == [(name, seq) for name in ("#lobby", "#tea") for seq in range(1, 9)]


@pytest.mark.asyncio
async def test_a_migration_that_fails_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_version_2(tmp_path)

    def half(db: sqlite3.Connection) -> None:
        schema._version_3(db)
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS[:2], half])
    with pytest.raises(JournalError):
        async with opened(tmp_path):
            pass
    monkeypatch.undo()
    async with opened(tmp_path) as journal:
        assert (await one(journal, say("still here", 2, 2))).seq == 9
