"""Checkpoints beside the commits: what the WAL holds goes into the file while people talk."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.journal.making import account, one, opened, say

from ipcchat.journal import checkpoint, schema
from ipcchat.journal.sqlite import SqliteJournal

pytestmark = pytest.mark.asyncio


async def busy(journal: SqliteJournal, batches: int) -> None:
    for _ in range(batches):
        await journal.append([say("x" * 200) for _ in range(40)])


async def test_what_is_said_goes_into_the_file_beside_the_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_EVERY", 50)
    async with opened(tmp_path, feed_batches=1000) as journal:
        assert isinstance(journal, SqliteJournal)
        await journal.append([account("ann")])
        await busy(journal, 100)
        file = tmp_path / schema.NAME
        if journal._checkpoint._running is not None:
            await asyncio.wait([journal._checkpoint._running])
        assert file.stat().st_size > 1_000_000  # no commit moves anything so early
        uri = f"{file.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            assert db.execute("SELECT count(*) FROM entries").fetchone()[0] > 4000


async def test_a_failed_commit_is_recovered_beside_a_checkpoint(tmp_path: Path) -> None:
    """Somebody else's checkpoint is under way for a while: recovery waits for it."""
    async with opened(tmp_path) as journal:
        assert isinstance(journal, SqliteJournal)
        await journal.append([account("ann")])
        await one(journal, say("before"))
        loop = asyncio.get_running_loop()
        other = sqlite3.connect(tmp_path / schema.NAME, check_same_thread=False, timeout=0)
        with closing(other):
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM entries").fetchone()  # a reader: TRUNCATE can't end
            journal._recover()
            ended = loop.call_later(0.3, other.rollback)
            assert (await one(journal, say("after"))).code == ""
            ended.cancel()
        assert not journal.trouble
