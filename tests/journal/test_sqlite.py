"""The journal on disk: what survives an end of any kind, and what a bad file or disk does to it."""

import asyncio
import json
import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.journal.making import LOBBY, account, draft, join, one, opened, say

from ipcchat.entries import Entry
from ipcchat.errors import (
    JournalDamaged,
    JournalError,
    JournalLocked,
    JournalUnavailable,
    JournalUnwritable,
)
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.journal.journal import Journal
from ipcchat.journal.sqlite import SqliteJournal
from ipcchat.journal.state import State

pytestmark = pytest.mark.asyncio

FILE = "journal.sqlite"
PAGE = 4096
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def durable(data: Path, **bounds: Any) -> AsyncIterator[SqliteJournal]:
    """The journal on disk, known as such."""
    async with opened(data, **bounds) as journal:
        assert isinstance(journal, SqliteJournal)
        yield journal


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def plain(state: State) -> dict[str, object]:
    """A state to compare: a room that everybody left is one that nobody joined."""
    found: dict[str, Any] = {item.name: getattr(state, item.name) for item in fields(State)}
    for name in ("members", "joined"):
        found[name] = {number: them for number, them in found[name].items() if them}
    return found


@contextmanager
def database(data: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the file."""
    db = sqlite3.connect(data / FILE, isolation_level=None, timeout=0)
    try:
        yield db
    finally:
        db.close()


async def history(journal: Journal, room: int = LOBBY) -> list[Entry]:
    return await journal.read(room, after=0, upto=1 << 30, limit=1 << 30, size=1 << 30)


async def rest(journal: Journal) -> list[Entry]:
    """What the feed has at the end of a closed journal."""
    return [entry async for entries in journal.feed() for entry in entries]


async def busy_life(journal: Journal) -> tuple[list[Draft], list[Outcome]]:
    """Some of everything, and what became of it."""
    drafts = [
        account("Ann"),
        account("Bob"),
        account("Cy"),
        account("ann", "else"),
        join("#Den", 1),
        join("#den", 2),
        join("#Attic", 3),
        draft("join", 1, room=LOBBY),
        say("one", 1),
        say("two", 2, room=2, style="me"),
        say("nowhere", 2, room=77),
        say("not clean", 2, refusal="bad_text"),
        draft("topic", 2, room=2, text="tea"),
        draft("topic", 1, room=2, text="more tea"),
        draft("topic", 3, room=3, text=""),
        draft("nick", 2, name="Rob", key="rob"),
        draft("nick", 3, name="Bob", key="bob"),
        draft("nick", 3, name="rob", key="rob"),
        draft("part", 3, key="#attic"),
        draft("part", 2, room=2),
        draft("part", 1, room=LOBBY),
        draft("join", 2, room=2),
        draft("withdraw", 1),
        draft("read", 1, room=LOBBY, seq=1),
        draft("read", 2, room=2, seq=99),
        say("three", 3, room=3, time=5),
    ]
    outcomes = [outcome for item in drafts for outcome in await journal.append([item])]
    return drafts, outcomes


# --- an ordinary end ----------------------------------------------------------------------


async def test_all_of_it_is_there_after_a_restart(tmp_path: Path) -> None:
    async with durable(tmp_path) as journal:
        drafts, outcomes = await busy_life(journal)
        state, epoch = plain(journal.state), journal.epoch
        said = [await history(journal, room) for room in range(4)]
    async with durable(tmp_path) as journal:
        assert plain(journal.state) == state
        assert journal.epoch == epoch
        assert [await history(journal, room) for room in range(4)] == said
        for asked, outcome in zip(drafts, outcomes, strict=True):
            assert await one(journal, asked) == outcome
            if asked.kind != "read":
                assert await one(journal, replace(asked, time=9)) == outcome
        after = plain(journal.state)
        assert {name for name in state if after[name] != state[name]} == {"applied"}
    assert await rest(journal) == []


async def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    for turn in range(3):
        async with durable(tmp_path) as journal:
            made = await one(journal, account(f"nick{turn}"))
            assert made.code == ""
            assert journal.state.last_account == turn + 1
            assert (await one(journal, join(f"#room{turn}"))).room == turn + 2
            assert (await one(journal, say(f"line {turn}"))).seq == turn + 2


async def test_the_rows_are_what_the_entries_add_up_to(tmp_path: Path) -> None:
    async with durable(tmp_path) as journal:
        await busy_life(journal)
    rooms: dict[int, tuple[str, str, int, str]] = {}
    accounts: dict[int, tuple[str, str]] = {}
    credentials: dict[str, int] = {}
    members: set[tuple[int, int]] = set()
    with database(tmp_path) as db:
        for id, by, kind, text, fact in db.execute(
            "SELECT id, by, kind, text, fact FROM entries ORDER BY id"
        ):
            room, seq = id >> 40, id & ((1 << 40) - 1)
            kept = json.loads(fact or "{}")
            key, credential = kept.get("key", ""), kept.get("credential", "")
            name, known_key, head, topic = rooms.get(room, ("", "", 0, ""))
            assert seq == head + 1
            if kind == "create":
                name, known_key = text, key
                members |= {(room, by)} if by else set()
            elif kind == "topic":
                topic = text
            elif kind in ("account", "rename"):
                accounts[by] = (text, key)
                if kind == "account":
                    credentials[credential] = by
            rooms[room] = (name, known_key, seq, topic)
        # Room 0 sorts first, so who joins and parts comes after who made the room.
        for by, kind, target in db.execute("SELECT by, kind, target FROM entries WHERE id < 1<<40"):
            if kind == "join":
                members.add((target, by))
            elif kind == "part":
                members.discard((target, by))
        assert rooms == {
            row[0]: row[1:]
            for row in db.execute("SELECT number, name, key, head, topic FROM rooms")
        }
        assert accounts == {
            row[0]: row[1:] for row in db.execute("SELECT number, nick, key FROM accounts")
        }
        assert credentials == dict(db.execute("SELECT credential, account FROM credentials"))
        assert members == set(db.execute("SELECT room, account FROM members"))
        assert {row[0]: row[1] for row in db.execute("SELECT name, value FROM meta")}.items() >= {
            ("last_room", max(rooms)),
            ("last_account", max(accounts)),
            ("clean", 1),
        }


# --- a kill -------------------------------------------------------------------------------

_TALKER = """
import asyncio, sys
from pathlib import Path
from ipcchat.journal import open_journal
from tests.journal.making import account, say

async def talk(journal, worker):
    for number in range(worker, 1 << 20, 8):
        (outcome,) = await journal.append([say(str(number), id=f"{number:032x}", time=number)])
        print(number, outcome.seq, flush=True)

async def drain(journal):
    async for _ in journal.feed():
        pass

async def main():
    journal = await open_journal(Path(sys.argv[1]))
    async with asyncio.TaskGroup() as group:
        group.create_task(drain(journal))
        await journal.append([account("ann")])
        for worker in range(8):
            group.create_task(talk(journal, worker))

asyncio.run(main())
"""


@contextmanager
def talker(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that talks, and says which lines are acknowledged, until it is killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", _TALKER, str(data)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def acknowledged(child: subprocess.Popen[str], count: int) -> dict[int, int]:
    """Lines and their seqs: at least `count` of them, and all that were told before the kill."""
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(count)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {int(number): int(seq) for number, seq in whole}


@pytest.mark.parametrize("count", [1, 400])
async def test_a_kill_loses_nothing_acknowledged_and_doubles_nothing(
    tmp_path: Path, count: int
) -> None:
    with talker(tmp_path) as child:
        told = acknowledged(child, count)
        child.wait()
    assert len(told) >= count
    async with durable(tmp_path) as journal:
        kept = {int(entry.text): entry.seq for entry in (await history(journal))[1:]}
        assert told.items() <= kept.items()
        head = journal.state.rooms[LOBBY].head
        assert sorted(kept.values()) == list(range(2, head + 1))
        everything = range(max(kept) + 1)
        again = [say(str(number), id=f"{number:032x}", time=0) for number in everything]
        outcomes = await journal.append(again)
        for number, outcome in zip(everything, outcomes, strict=True):
            if number in kept:
                assert outcome == Outcome(LOBBY, kept[number], number)
        said = [entry.text for entry in (await history(journal))[1:]]
        assert sorted(map(int, said)) == list(everything)
        with database(tmp_path) as db:
            assert db.execute("SELECT number, head FROM rooms WHERE number = 1").fetchone() == (
                LOBBY,
                len(said) + 1,
            )
        assert journal.trouble == ""


async def test_one_server_at_a_time_and_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    with talker(tmp_path) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(JournalLocked, match=f"process {child.pid}\\)") as raised:
            await open_journal(tmp_path)
        assert "--data DIR" in raised.value.hint
        acknowledged(child, 1)
        child.wait()
    async with durable(tmp_path):
        with pytest.raises(JournalLocked, match=f"process {os.getpid()}\\)"):
            await open_journal(tmp_path)
    async with durable(tmp_path):
        pass


async def test_a_refused_open_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"these are no pages at all " * 500)
    for _ in range(2):
        with pytest.raises(JournalDamaged):
            await open_journal(tmp_path)


# --- a bad file ---------------------------------------------------------------------------


async def filled(data: Path, count: int = 600) -> list[str]:
    """A journal with many entries, all in the file itself; returns their texts."""
    texts = [f"{number} " + secrets.token_hex(150) for number in range(count)]
    async with durable(data) as journal:
        await journal.append([account("ann")])
        await journal.append([say(text) for text in texts])
    return texts


def uncleanly(data: Path) -> None:
    """As if the last server had been killed."""
    with database(data) as db:
        db.execute("UPDATE meta SET value = 0 WHERE name = 'clean'")


def clean(data: Path) -> bool:
    with database(data) as db:
        return bool(db.execute("SELECT value FROM meta WHERE name = 'clean'").fetchone() == (1,))


def overwrite(file: Path, start: int, garbage: bytes) -> None:
    with file.open("r+b") as pages:
        pages.seek(start)
        pages.write(garbage)


@pytest.mark.parametrize("keep", [20, 99, 100, 700])
async def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    await filled(tmp_path, 10)
    os.truncate(tmp_path / FILE, keep)
    with pytest.raises(JournalDamaged) as raised:
        await open_journal(tmp_path)
    assert str(tmp_path / FILE) in str(raised.value)
    assert "ipcchat-server check" in raised.value.hint


async def test_a_truncated_header_is_damage_or_no_database(tmp_path: Path) -> None:
    await filled(tmp_path, 10)
    overwrite(tmp_path / FILE, 0, b"SQLite format 9")
    with pytest.raises(JournalDamaged):
        await open_journal(tmp_path)


async def test_a_damaged_value_is_damage(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    with database(tmp_path) as db:
        db.execute("UPDATE meta SET value = 'x' WHERE name = 'applied'")
    with pytest.raises(JournalDamaged):
        await open_journal(tmp_path)


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with database(tmp_path) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(JournalError, match="another program") as raised:
        await open_journal(tmp_path)
    assert "--data DIR" in raised.value.hint
    assert (tmp_path / FILE).read_bytes() == before


async def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    with database(tmp_path) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(JournalError, match=f"newer version .* {version + 1}") as raised:
        await open_journal(tmp_path)
    assert f"up to {version}: upgrade ipcchat" in raised.value.hint
    assert (tmp_path / FILE).read_bytes() == before


async def test_directories_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "taken" / FILE).mkdir(parents=True)
    (tmp_path / "held" / "journal.lock").mkdir(parents=True)
    for name in ("file", "file/below", "taken", "held"):
        with pytest.raises(JournalUnwritable) as raised:
            await open_journal(tmp_path / name)
        assert name.partition("/")[0] in str(raised.value)
        assert "--data DIR" in raised.value.hint


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
async def test_a_directory_without_permission(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)  # noqa: PTH101
    with pytest.raises(JournalUnwritable, match="permission denied"):
        await open_journal(tmp_path)


async def test_damage_is_found_after_an_unclean_stop_and_ends_all_writing(tmp_path: Path) -> None:
    texts = await filled(tmp_path)
    uncleanly(tmp_path)
    middle = (tmp_path / FILE).stat().st_size // PAGE // 2 * PAGE
    overwrite(tmp_path / FILE, middle, random.Random(5).randbytes(3 * PAGE))
    reports: list[str] = []
    async with durable(tmp_path, report=reports.append) as journal:
        await until(lambda: journal.trouble)
        assert "is damaged" in journal.trouble
        assert journal.trouble.count("is damaged") == 1
        assert reports == [journal.trouble]
        with pytest.raises(JournalDamaged) as raised:
            await one(journal, say("more"))
        assert str(raised.value) == journal.trouble
        read = lost = 0
        for seq, text in enumerate(texts, 2):
            try:
                (entry,) = await journal.read(LOBBY, after=seq - 1, upto=seq, limit=1, size=1)
            except JournalDamaged:
                lost += 1
            else:
                read += 1
                assert (entry.seq, entry.text) == (seq, text)
        assert read > lost > 0
    assert not clean(tmp_path)


async def test_a_sound_file_is_clean_again_once_it_is_checked(tmp_path: Path) -> None:
    await filled(tmp_path)
    uncleanly(tmp_path)
    async with durable(tmp_path):
        pass  # closed before the check could end
    assert not clean(tmp_path)
    async with durable(tmp_path) as journal:
        assert journal._check is not None
        await asyncio.wait([journal._check])
        assert journal.trouble == ""
        await journal.append([say("sound")])
    assert clean(tmp_path)


async def test_damage_that_a_write_meets_ends_all_writing(tmp_path: Path) -> None:
    await filled(tmp_path)
    with database(tmp_path) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'").fetchone()
    overwrite(tmp_path / FILE, (root - 1) * PAGE, b"\xff" * PAGE)
    reports: list[str] = []
    async with durable(tmp_path, report=reports.append) as journal:
        waiting = [journal.append([say("x")]) for _ in range(3)]
        for future in waiting:
            with pytest.raises(JournalDamaged):
                await future
        assert "is damaged" in journal.trouble
        assert reports == [journal.trouble]
        with pytest.raises(JournalDamaged):
            await one(journal, say("y"))
        with pytest.raises(JournalDamaged):
            await history(journal)
        assert journal.state.rooms[LOBBY].head == 601
        with database(tmp_path) as other:  # nothing stands in the way of who repairs it
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")


@pytest.mark.parametrize("column", ["text = CAST(x'41ff' AS TEXT)", "text = x'41'", "time = 'x'"])
async def test_a_row_that_makes_no_sense_is_damage(tmp_path: Path, column: str) -> None:
    texts = await filled(tmp_path, 4)
    with database(tmp_path) as db:
        db.execute(f"UPDATE entries SET {column} WHERE id = (1 << 40 | 3)")
    async with durable(tmp_path) as journal:
        with pytest.raises(JournalDamaged):
            await history(journal)
        found = await journal.read(LOBBY, after=3, upto=9, limit=9, size=9999)
        assert [entry.text for entry in found] == texts[2:]
        assert (await one(journal, say("on it goes"))).seq == 6


# --- a disk or file that can't take more at present ---------------------------------------


async def test_another_writer_makes_it_busy_until_it_ends(tmp_path: Path) -> None:
    async with durable(tmp_path) as journal:
        await journal.append([account("ann")])
        asked = say("in the end")
        with database(tmp_path) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = [journal.append([item]) for item in (asked, say("lost"))]
            for future in waiting:
                with pytest.raises(JournalUnavailable) as raised:
                    await future
                assert raised.value.code == "busy"
            assert "locked by another program" in journal.trouble
            assert (await history(journal))[0].text == "#lobby"
            other.execute("ROLLBACK")
        await until(lambda: not journal.trouble)  # nobody has to say anything for it
        assert (await one(journal, asked)).seq == 2
    assert [entry.text for entry in await rest(journal)] == ["#lobby", "ann", "in the end"]


async def test_it_is_busy_from_the_start(tmp_path: Path) -> None:
    async with durable(tmp_path):
        pass
    with database(tmp_path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable) as raised:
            await open_journal(tmp_path)
        assert raised.value.code == "busy"
        other.execute("ROLLBACK")
    async with durable(tmp_path):
        pass


async def test_a_full_disk_stores_nothing_by_halves(tmp_path: Path) -> None:
    async with durable(tmp_path) as journal:
        await journal.append([account("ann")])
        (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
        journal._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        state = plain(journal.state)
        asked = [say("x" * 4000) for _ in range(40)]
        with pytest.raises(JournalUnavailable) as raised:
            await journal.append([join("#den"), *asked])
        assert raised.value.code == "full"
        assert "disk is full" in journal.trouble
        assert plain(journal.state) == state
        assert len(await history(journal)) == 1
        journal._db.execute(f"PRAGMA max_page_count = {1 << 30}")
        await until(lambda: not journal.trouble)
        outcomes = await journal.append(asked)
        assert [outcome.seq for outcome in outcomes] == list(range(2, 42))
        assert [entry.seq for entry in await history(journal)] == list(range(1, 42))
        assert set(journal.state.rooms) == {0, LOBBY}


@pytest.mark.parametrize(
    "poison",
    [
        say("\ud800", content=b"12345678"),
        say("no hex", id="x" * 32),
        say("too late", time=1 << 70),
        draft("account", 0, name="\udfff", key="e", credential="e", open=True, content=b"12345678"),
        draft("topic", 1, room=LOBBY, text="\ud800", content=b"12345678"),
    ],
    ids=["surrogate", "id", "time", "account", "topic"],
)
async def test_a_draft_that_can_not_be_stored_harms_no_other(tmp_path: Path, poison: Draft) -> None:
    reports: list[str] = []
    async with durable(tmp_path, report=reports.append) as journal:
        await journal.append([account("ann")])
        good = [say(f"good {number}") for number in range(50)]
        # The good one before the poison comes from the same caller, the others from others.
        futures = [journal.append([item]) for item in good[:30]]
        futures.append(journal.append([good[30], poison, good[31]]))
        futures += [journal.append([item]) for item in good[32:]]
        answers = [outcome for future in futures for outcome in await future]
        bad = answers.pop(31)
        assert bad.code == "internal"
        assert answers == [Outcome(LOBBY, seq, 1000) for seq in range(2, 52)]
        assert len(reports) == 1
        assert journal.trouble == ""
        assert [entry.draft for entry in (await history(journal))[1:]] == [it.id for it in good]
        assert journal.state.rooms[LOBBY].topic == ""
        assert set(journal.state.accounts) == {1}
        state = plain(journal.state)
    assert len(await rest(journal)) == 52
    async with durable(tmp_path) as journal:
        assert plain(journal.state) == state
        assert await journal.append(good) == answers


# --- a commit of which nobody knows whether it happened -----------------------------------


class Faulty:
    """A connection whose next COMMIT fails, before or after it did its work."""

    def __init__(self, db: sqlite3.Connection, really: bool, code: int | None = None) -> None:
        self._db = db
        self._really = really
        self._code = code
        self._times = 1

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self._times:
            self._times -= 1
            if self._really:
                self._db.execute(sql)
            error = sqlite3.OperationalError("disk I/O error")
            if self._code is not None:
                error.sqlite_errorcode = self._code
            raise error
        return self._db.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def spoil(journal: SqliteJournal, really: bool, code: int | None = None) -> None:
    journal._db = Faulty(journal._db, really, code)  # type: ignore[assignment]


@pytest.mark.parametrize("really", [False, True])
async def test_after_a_failed_commit_it_is_as_the_file_says(tmp_path: Path, really: bool) -> None:
    reports: list[str] = []
    async with durable(tmp_path, report=reports.append) as journal:
        await journal.append([account("ann"), account("bob")])
        held = journal.state
        spoil(journal, really)
        asked = [join("#den"), say("perhaps", room=2), say("perhaps")]
        lost = [journal.append([item]) for item in asked]
        for future in lost:
            with pytest.raises(JournalError, match="unknown") as raised:
                await future
            assert type(raised.value) is JournalError
        later = journal.append([say("next")])
        assert (await later)[0].seq == (3 if really else 2)
        assert journal.trouble == ""
        assert journal.state is held
        assert set(journal.state.rooms) == ({0, 1, 2} if really else {0, 1})
        outcomes = await journal.append(asked)
        assert [(it.room, it.seq) for it in outcomes] == (
            [(2, 1), (2, 2), (1, 2)] if really else [(2, 1), (2, 2), (1, 3)]
        )
        state = plain(journal.state)
        said = [entry for room in range(3) for entry in await history(journal, room)]
        assert len(reports) == 1
    heard = await rest(journal)
    assert sorted(heard, key=lambda entry: (entry.room, entry.seq)) == said
    async with durable(tmp_path) as journal:
        assert plain(journal.state) == state


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
async def test_a_commit_that_finds_no_room_leaves_its_outcome_open(
    tmp_path: Path, code: int
) -> None:
    async with durable(tmp_path) as journal:
        await journal.append([account("ann")])
        spoil(journal, False, code)
        asked = say("in the end")
        with pytest.raises(JournalUnavailable) as raised:
            await one(journal, asked)
        assert raised.value.code == {sqlite3.SQLITE_FULL: "full"}.get(code, "busy")
        assert journal.trouble == str(raised.value)
        assert (await one(journal, asked)).seq == 2
        assert journal.trouble == ""
    assert [entry.text for entry in await rest(journal)] == ["#lobby", "ann", "in the end"]


@pytest.mark.parametrize("really", [False, True])
async def test_what_waits_during_a_failed_commit_is_stored_after_it(
    tmp_path: Path, really: bool
) -> None:
    async with durable(tmp_path, batch_drafts=1) as journal:
        await journal.append([account("ann")])
        spoil(journal, really)
        futures = [journal.append([say(f"{number}")]) for number in range(20)]
        with pytest.raises(JournalError):
            await futures[0]
        seqs = [(await future)[0].seq for future in futures[1:]]
        assert seqs == [seq + really for seq in range(2, 21)]


async def test_after_a_failed_commit_another_program_can_not_remove_what_is_said(
    tmp_path: Path,
) -> None:
    look = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute('SELECT count(*) FROM entries').fetchone()[0]); db.close()"  # noqa: E501
    async with durable(tmp_path) as journal:
        await journal.append([account("ann")])
        assert len(await history(journal)) == 1  # a reader has the file open
        spoil(journal, False)
        with pytest.raises(JournalError):
            await one(journal, say("lost"))
        for turn in range(3):
            assert (await one(journal, say("kept"))).seq == turn + 2
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", look, str(tmp_path / FILE)],
                capture_output=True,
                text=True,
                check=True,
            )
            assert int(done.stdout) == turn + 3
    async with durable(tmp_path) as journal:
        assert journal.state.rooms[LOBBY].head == 4


async def test_a_file_that_is_gone_after_a_failed_commit_ends_all_writing(tmp_path: Path) -> None:
    reports: list[str] = []
    async with durable(tmp_path / "data", report=reports.append) as journal:
        await journal.append([account("ann")])
        spoil(journal, False)
        shutil.rmtree(tmp_path / "data")
        lost = journal.append([say("lost")])
        with pytest.raises(JournalError, match="unknown"):
            await lost
        with pytest.raises(JournalError, match="can't be written any more"):
            await one(journal, say("next"))
        assert "can't be written any more" in journal.trouble


# --- closing in the middle of it ----------------------------------------------------------


async def settled(futures: list[asyncio.Future[list[Outcome]]]) -> list[object]:
    """What became of every job; none may be left open."""
    assert all(future.done() for future in futures)
    return await asyncio.gather(*futures, return_exceptions=True)


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 50])
@pytest.mark.parametrize("really", [False, True])
async def test_closing_while_a_commit_fails(tmp_path: Path, really: bool, turns: int) -> None:
    async with durable(tmp_path, batch_drafts=2) as journal:
        await journal.append([account("ann")])
        spoil(journal, really)
        asked = [say(f"{number}") for number in range(9)]
        futures = [journal.append([item]) for item in asked]
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await journal.close()
        for outcome in await settled(futures):
            assert isinstance(outcome, list) or type(outcome) is JournalError
        heard = [entry.draft for entry in await rest(journal)][2:]
    async with durable(tmp_path) as journal:
        assert [entry.draft for entry in (await history(journal))[1:]] == heard
        assert set(heard) == {item.id for item in asked[0 if really else 2 :]}


async def test_closing_while_it_is_busy(tmp_path: Path) -> None:
    async with durable(tmp_path, batch_drafts=2) as journal:
        await journal.append([account("ann")])
        with database(tmp_path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalUnavailable):
                await one(journal, say("told"))
            futures = [journal.append([say("x")]) for _ in range(9)]
            async with asyncio.timeout(10):
                await journal.close()
            for error in await settled(futures):
                assert isinstance(error, JournalUnavailable)
                assert error.code == "busy"
            other.execute("ROLLBACK")
    async with durable(tmp_path) as journal:
        assert len(await history(journal)) == 1


async def test_closing_while_it_is_full_and_nobody_listens(tmp_path: Path) -> None:
    async with durable(tmp_path, feed_batches=2, batch_drafts=2) as journal:
        await journal.append([account("ann")])  # the feed is full now
        (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        futures = [journal.append([say("x" * 9000)]) for _ in range(9)]
        async with asyncio.timeout(10):
            await journal.close()
        for error in await settled(futures):
            assert isinstance(error, JournalUnavailable)
            assert error.code == "full"
    async with durable(tmp_path) as journal:
        assert len(await history(journal)) == 1


async def test_closing_while_it_is_checked_and_read(tmp_path: Path) -> None:
    await filled(tmp_path)
    uncleanly(tmp_path)
    async with durable(tmp_path) as journal:
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(told(history(journal))) for _ in range(20)]
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await journal.close()
    assert all(task.result() in ("read", "closed") for task in reading)


async def told(reading: Any) -> str:
    """How a read ended."""
    try:
        await reading
    except JournalError:
        return "closed"
    return "read"


async def test_after_closing_one_file_has_it_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append([account("ann"), say("kept")])
        assert await journal.read(LOBBY, after=0, upto=9, limit=9, size=999)
    (tmp_path / "journal.lock").unlink()
    assert await asyncio.to_thread(lambda: [path.name for path in tmp_path.iterdir()]) == [
        "journal.sqlite"
    ]
    assert b"kept" in (tmp_path / "journal.sqlite").read_bytes()
