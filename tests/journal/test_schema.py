"""Files of earlier versions: opened, migrated, and what was in them stays valid."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.journal.making import draft, join, one, opened, say

from ipcchat import names
from ipcchat.journal import schema, tables

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
