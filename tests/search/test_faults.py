"""Files that can't be used are made again by themselves; a full disk ends nothing."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.search.shelf import Shelf, opened, until

from ipcchat.search import writer
from ipcchat.search.index import Found
from ipcchat.search.schema import NAME

pytestmark = pytest.mark.asyncio


async def fill(folder: Path, count: int = 500) -> None:
    """An index of so many messages, closed."""
    async with opened(folder) as shelf:
        for number in range(count):
            shelf.make(f"word{number} common", number % 5 + 1)
        shelf.commit(shelf.entries)
        await until(shelf.index)


async def whole(shelf: Shelf, text: str) -> Found:
    """What is found once everything can be looked at again."""
    async with asyncio.timeout(10):
        while True:
            lag = shelf.index.lag
            found = await shelf.search(text)
            if not found.cut and not lag:
                return found
            await asyncio.sleep(0.01)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (x)")


def text_file(path: Path) -> None:
    path.write_text("this is no database, " * 1000)


def older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 77")


def no_meta(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE meta")


def no_words(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE words")


def removed(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("spoil", [foreign, text_file, older, no_meta, no_words, damaged, cut_off])
async def test_a_file_that_cannot_be_used_is_made_again(tmp_path: Path, spoil: object) -> None:
    await fill(tmp_path)
    spoil(tmp_path / NAME)  # type: ignore[operator]
    async with opened(tmp_path) as shelf:
        found = await whole(shelf, "common")
        assert len(found.places) == 100
        assert len((await whole(shelf, "word77")).places) == 1
        assert len(shelf.reports) == 1
        assert "made again" in shelf.reports[0]


async def test_damage_found_while_writing(tmp_path: Path) -> None:
    await fill(tmp_path)
    damaged(tmp_path / NAME)
    async with opened(tmp_path) as shelf:
        await shelf.say("something new")
        assert len((await whole(shelf, "something")).places) == 1
        assert len((await whole(shelf, "word499")).places) == 1
        assert len(shelf.reports) == 1


async def test_another_history(tmp_path: Path) -> None:
    """Another epoch; then the same one, of which the end is gone."""
    async with opened(tmp_path) as shelf:
        await shelf.say("first", "second", "third")
        await shelf.index.close()
        shelf.open("another epoch")
        assert len((await whole(shelf, "first")).places) == 1
        await shelf.index.close()
        assert shelf.db is not None
        shelf.db.execute("DELETE FROM entries WHERE text = 'third'")
        shelf.heads[1] = 2
        shelf.open("another epoch")
        assert len((await whole(shelf, "first")).places) == 1
        assert len((await whole(shelf, "third")).places) == 0
        await shelf.index.close()
        # The end was said again, otherwise: an older copy of the journal was put back.
        shelf.db.execute("UPDATE entries SET text = 'else', time = time + 7 WHERE text = 'second'")
        shelf.open("another epoch")
        assert len((await whole(shelf, "else")).places) == 1
        assert len((await whole(shelf, "second")).places) == 0
        assert [line.rpartition(": ")[2] for line in shelf.reports] == [
            "it is of another history",
            "it is ahead of the journal",
            "the journal has another history",
        ]


async def test_a_file_that_is_removed_while_it_is_used_is_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.say("first")
        removed(tmp_path / NAME)
        await shelf.say("second")
        assert len((await whole(shelf, "second")).places) == 1
        assert len((await whole(shelf, "first")).places) == 1
        assert "it was removed" in shelf.reports[0]


async def test_rooms_that_appear_while_it_counts_do_no_harm(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for start in range(1, 6000, 20):
            shelf.commit([shelf.make("word", room) for room in range(start, start + 20)])
        await until(shelf.index)
        assert shelf.reports == []
        assert len((await whole(shelf, "word")).places) == 100


async def test_a_restart_in_the_middle_indexes_each_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        for number in range(9000):
            shelf.make("é word", number % 3 + 1)
        shelf.commit(shelf.entries)
        for _ in range(5):
            await asyncio.sleep(0.02)
            await shelf.index.close()
            shelf.open()
        await until(shelf.index)
        page, found = await shelf.search("word"), 0
        while page.next:
            found += len(page.places)
            page = await shelf.search("word", before=page.next)
        assert found + len(page.places) == 9000
        assert shelf.reports == []


_CHILD = """
import asyncio, sys
from pathlib import Path
from tests.search.shelf import Shelf
async def main():
    shelf = Shelf(Path(sys.argv[1]))
    while True:
        made = [shelf.make("killed word", n % 3 + 1) for n in range(200)]
        shelf.commit(made)
        print(len(shelf.entries), flush=True)
        await asyncio.sleep(0.01)
asyncio.run(main())
"""


def run_and_kill(folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    with child:
        for line in child.stdout:
            if int(line) >= 4000:
                child.send_signal(signal.SIGKILL)
                break


async def test_a_killed_writer_leaves_a_sound_file(tmp_path: Path) -> None:
    run_and_kill(tmp_path)
    async with opened(tmp_path) as shelf:
        await until(shelf.index)
        page, found = await shelf.search("killed"), 0
        while page.next:
            found += len(page.places)
            page = await shelf.search("killed", before=page.next)
        assert found + len(page.places) == sum(shelf.heads.values()) >= 4000
        assert shelf.reports == []


async def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own bound on a file's pages stands for the disk's."""
    monkeypatch.setattr(writer, "_AGAIN", 0.02)
    async with opened(tmp_path) as shelf:
        await shelf.say("before")
        db = shelf.index._writer.db
        assert db is not None
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        made = [shelf.make(f"later {number} {os.urandom(200).hex()}") for number in range(500)]
        shelf.commit(made)
        async with asyncio.timeout(10):
            while await asyncio.sleep(0.01, not shelf.reports):
                pass
        tries = shelf.index._writer.tries
        async with asyncio.timeout(10):
            while await asyncio.sleep(0.01, shelf.index._writer.tries < tries + 3):
                pass
        assert shelf.reports == [
            "the search index can't be written: the disk is full; it is tried again"
        ]
        assert shelf.index.lag == 500
        assert len((await shelf.search("before")).places) == 1
        db.execute("PRAGMA max_page_count = 1000000")
        await until(shelf.index)
        assert len((await shelf.search("later")).places) == 100
        assert len(shelf.reports) == 2


async def test_a_file_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_AGAIN", 0.02)
    (tmp_path / NAME).mkdir()
    async with opened(tmp_path) as shelf:
        shelf.commit([shelf.make("word")])
        found = await shelf.search("word")
        assert found == Found([], cut=True)
        assert len(shelf.reports) == 1
        (tmp_path / NAME).rmdir()
        assert len((await whole(shelf, "word")).places) == 1


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.glob(f"{NAME}*")}


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as shelf:
        await shelf.say("word")
        assert modes(tmp_path) == dict.fromkeys((NAME, f"{NAME}-shm", f"{NAME}-wal"), 0o600)
    assert modes(tmp_path) == {NAME: 0o600}
