"""`reindex`: makes the index while no server runs."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from tests.search.shelf import EPOCH, Shelf

from ipcchat.errors import FileError, JournalLocked
from ipcchat.journal import tables
from ipcchat.journal.lock import Lock
from ipcchat.journal.schema import NAME as JOURNAL
from ipcchat.journal.schema import connect
from ipcchat.search.rebuild import reindex
from ipcchat.search.schema import NAME


def journal(folder: Path, *texts: str) -> None:
    """A journal with these messages in its first room."""

    async def run() -> None:
        shelf = Shelf(folder)
        await shelf.say(*texts)
        await shelf.close()

    asyncio.run(run())
    with closing(connect(folder / JOURNAL)) as db:
        tables.set_meta(db, "epoch", EPOCH)
        db.execute(
            "INSERT OR REPLACE INTO rooms (number, name, key, head, topic, first)"
            " VALUES (1, '#lobby', '#lobby', ?, '', 1)",
            (len(texts),),
        )


@pytest.mark.parametrize("before", ["sound", "none", "damaged", "left over"])
def test_it_is_made_anew(tmp_path: Path, before: str) -> None:
    journal(tmp_path, "one word", "another wörd", "?")
    path = tmp_path / NAME
    if before == "none":
        path.unlink()
    elif before == "damaged":
        path.write_bytes(b"x" * 10_000)
    elif before == "left over":
        Path(f"{path}.part").write_bytes(b"x" * 10_000)
    assert reindex(tmp_path, pytest.fail) == 3
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.glob("search*")) == [NAME]

    async def run() -> None:
        shelf = Shelf(tmp_path)
        assert shelf.index.lag in (0, 3)
        found = await shelf.search("word")
        async with asyncio.timeout(10):
            while await asyncio.sleep(0.01, found.cut):
                found = await shelf.search("word")
        assert [seq for _, seq, _ in found.places] == [2, 1]
        assert shelf.reports == []
        await shelf.close()

    asyncio.run(run())


def test_a_running_server_keeps_its_own(tmp_path: Path) -> None:
    journal(tmp_path, "word")
    lock = Lock(tmp_path)
    try:
        with pytest.raises(JournalLocked, match="another server") as caught:
            reindex(tmp_path, pytest.fail)
        assert "stop" in caught.value.hint
    finally:
        lock.release()


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no journal"):
        reindex(tmp_path, pytest.fail)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_replaced(tmp_path: Path) -> None:
    journal(tmp_path, "word")
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    with pytest.raises(FileError, match="cannot make the search index"):
        reindex(tmp_path, pytest.fail)
    assert not (tmp_path / f"{NAME}.part").exists()
