"""`ipcchat-server backup`, `restore`, `export`, `check`, `reindex`: round trips, and what may go
wrong."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from tests.cli.programs import messages, ran, say
from tests.support import Process, RawClient, draft, serve_process

from ipcchat.entries import Cursor
from ipcchat.wire.messages import Direct, Done, Error, Follow, Join, Search, SearchOk

TEXTS = ["one", "zwei", "трі", "よん 🎉"]


def told(server: Process) -> None:
    """What there is to be kept."""
    say(server.address, "#lobby", *TEXTS)
    say(server.address, "#engine-room", "steam")


def kept(address: str) -> tuple[list[str], list[str]]:
    return (
        [entry.text for entry in messages(address, "#lobby")],
        [entry.text for entry in messages(address, "#engine-room")],
    )


def test_a_backup_of_a_running_server_is_restored_as_another_history(tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.sqlite", tmp_path / "other"
    with serve_process(tmp_path / "a") as server:
        told(server)
        done = ran(tmp_path, "server", "backup", str(copy), "--data", str(server.data))
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("backed up 7 entries in 2 rooms, ")
        assert copy.stat().st_mode & 0o777 == 0o600
        say(server.address, "#lobby", "after the backup")
        before = asyncio.run(_cursor(server.address))
    done = ran(tmp_path, "server", "restore", str(copy), "--data", str(other / "server-data"))
    assert done.returncode == 0, done.stderr
    assert "as a new history" in done.stdout
    with serve_process(other) as server:
        assert kept(server.address) == (TEXTS, ["steam"])
        assert asyncio.run(_refusal(server.address, before)) == "regressed"
        say(server.address, "#lobby", "on it goes")
        assert kept(server.address)[0] == [*TEXTS, "on it goes"]


async def _cursor(address: str) -> Cursor:
    """A client's place at the head of the lobby."""
    async with RawClient.login(address, "wanda") as client:
        reply = await client.say(1, "here")
        return Cursor(client.epoch, reply.seq, "0" * 32)


async def _refusal(address: str, cursor: Cursor) -> str:
    async with RawClient.login(address, "wanda") as client:
        reply = await client.ask(Follow(client.next_id(), 1, cursor=cursor))
        assert isinstance(reply, Error)
        return reply.code


def test_a_backup_after_a_crash_has_everything(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        server.kill()
    assert (server.data / "journal.sqlite-wal").stat().st_size
    done = ran(tmp_path, "server", "backup", "copy.sqlite", "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    assert "7 entries" in done.stdout
    with sqlite3.connect(tmp_path / "copy.sqlite") as db:
        assert db.execute("SELECT count(*) FROM entries WHERE text = 'zwei'").fetchone() == (1,)
    db.close()


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    with serve_process(tmp_path / "a") as server:
        done = ran(tmp_path, "server", "backup", "precious", "--data", str(server.data))
        assert done.returncode == 1
        assert "exists" in done.stderr and "--force" in done.stderr
        assert precious.read_text() == "precious"
        forced = ("server", "backup", "precious", "--force", "--data", str(server.data))
        assert ran(tmp_path, *forced).returncode == 0
        assert precious.read_bytes().startswith(b"SQLite format 3")
        done = ran(tmp_path, "server", "backup", "no/such/place", "--data", str(server.data))
        assert done.returncode == 1 and "no such directory" in done.stderr
    assert not list(tmp_path.glob(".ipcchat-*"))


def test_the_servers_own_files_are_not_pulled_from_under_it(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        for name in ("journal.sqlite", "journal.sqlite-wal", "journal.lock"):
            own = str(server.data / name)
            for command in ("backup", "export"):
                done = ran(tmp_path, "server", command, own, "--force", "--data", str(server.data))
                assert done.returncode == 1 and "the server's own file" in done.stderr
        say(server.address, "#lobby", "more")
    done = ran(tmp_path, "server", "check", "--data", str(server.data))
    assert done.returncode == 0 and "8 entries" in done.stdout


def test_restoring_needs_the_server_to_be_down_and_keeps_what_was_there(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        assert ran(tmp_path, "server", "backup", "b", "--data", str(server.data)).returncode == 0
        say(server.address, "#lobby", "said later")
        done = ran(tmp_path, "server", "restore", "b", "--data", str(server.data))
        assert done.returncode == 75
        assert "another server" in done.stderr
        server.kill()
    done = ran(tmp_path, "server", "restore", "b", "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    (aside,) = server.data.glob("journal.sqlite.before-*")
    assert str(aside) in done.stdout
    with serve_process(tmp_path / "a") as server:
        assert kept(server.address)[0] == TEXTS
    done = ran(tmp_path, "server", "restore", str(aside), "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    with serve_process(tmp_path / "a") as server:
        assert kept(server.address)[0] == [*TEXTS, "said later"]


@pytest.mark.parametrize("content", [b"", b"not a database at all " * 100, b"SQLite format 3\0"])
def test_what_is_no_backup_is_not_restored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with serve_process(tmp_path / "a") as server:
        told(server)
    done = ran(tmp_path, "server", "restore", "bad", "--data", str(server.data))
    assert done.returncode == 1
    assert "bad" in done.stderr
    done = ran(tmp_path, "server", "restore", "missing", "--data", str(server.data))
    assert done.returncode == 1 and "no journal" in done.stderr
    assert not list(server.data.glob("journal.sqlite.*"))
    with serve_process(tmp_path / "a") as server:
        assert kept(server.address) == (TEXTS, ["steam"])


def test_an_export_is_what_tail_prints(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        tailed = ""
        for room in ("#lobby", "#engine-room"):
            tail = ("tail", "--server", server.address, "--json", "--after", "0", room, "--count")
            tailed += ran(tmp_path, "client", *tail, "5" if room == "#lobby" else "2").stdout
        exported = ran(tmp_path, "server", "export", "--data", str(server.data))
        assert exported.stdout == tailed
        assert [json.loads(line)["seq"] for line in tailed.splitlines()] == [1, 2, 3, 4, 5, 1, 2]
        done = ran(tmp_path, "server", "export", "all.json", "--data", str(server.data))
        assert done.stdout == "exported 7 entries to all.json\n"
        assert (tmp_path / "all.json").read_text() == tailed
        done = ran(tmp_path, "server", "export", "all.json", "--data", str(server.data))
        assert done.returncode == 1 and "--force" in done.stderr
        done = ran(tmp_path, "server", "export", "--data", str(server.data), redirect="| head -1")
        assert done.stdout.count("\n") == 1 and not done.stderr


def test_an_export_has_the_public_rooms_alone_and_a_backup_everything(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        asyncio.run(_secrets(server.address))
        for file in ((), ("all.json",)):
            done = ran(tmp_path, "server", "export", *file, "--data", str(server.data))
            assert done.returncode == 0, done.stderr
            found = done.stdout if not file else (tmp_path / "all.json").read_text()
            rooms = {json.loads(line)["room"] for line in found.splitlines()}
            assert rooms == {"#lobby", "#engine-room"}
            assert "secret" not in found and "hidden" not in found
        done = ran(tmp_path, "server", "backup", "copy", "--data", str(server.data))
        assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "copy") as db:
        kept = db.execute("SELECT text FROM entries WHERE text LIKE 'a secret%' ORDER BY text")
        assert kept.fetchall() == [("a secret among two",), ("a secret of the room",)]
    db.close()


async def _secrets(address: str) -> None:
    """What two people say where nobody else is."""
    async with RawClient.login(address, "ann") as ann, RawClient.login(address, "bob"):
        made = await ann.ask(Join(ann.next_id(), draft(), name="#hidden", private=True))
        talk = await ann.ask(Direct(ann.next_id(), draft(), nick="bob"))
        for room, text in ((made.room, "a secret of the room"), (talk.room, "a secret among two")):
            assert isinstance(await ann.say(room, text), Done)


# --- the index for search -----------------------------------------------------------------


async def _found(address: str, words: str) -> list[str]:
    """What a search gives once it finds anything."""
    async with asyncio.timeout(20), RawClient.login(address, f"seeker-{draft()[:8]}") as seeker:
        while True:
            page = await seeker.ask(Search(seeker.next_id(), words))
            assert isinstance(page, SearchOk), page
            if page.items:
                return [entry.text for entry in page.items]


@pytest.mark.parametrize("harm", [None, b"", b"not a database at all " * 100])
def test_the_index_is_made_anew(harm: bytes | None, tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        assert asyncio.run(_found(server.address, "zwei")) == ["zwei"]
        done = ran(tmp_path, "server", "reindex", "--data", str(server.data))
        assert (done.returncode, done.stdout) == (75, "")
        assert "another server" in done.stderr
    index = server.data / "search.sqlite"
    index.unlink()
    if harm is not None:
        index.write_bytes(harm)
    done = ran(tmp_path, "server", "reindex", "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("indexed ")
    assert index.stat().st_mode & 0o777 == 0o600
    with serve_process(tmp_path / "a") as server:
        assert asyncio.run(_found(server.address, "zwei")) == ["zwei"]
        assert asyncio.run(_found(server.address, "よ")) == ["よん 🎉"]


def test_a_check_finds_nothing_in_a_sound_one(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
        for _ in range(2):
            done = ran(tmp_path, "server", "check", "--data", str(server.data))
            assert done.returncode == 0, done.stdout
            assert done.stdout.startswith("sound: 7 entries in 2 rooms, ")
            server.stop()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DELETE FROM entries WHERE text = 'zwei'", "#lobby: 4 entries from 1 to 5, not 1 to 5"),
        ("UPDATE rooms SET head = 9 WHERE number = 1", "not 1 to 9"),
        ("UPDATE entries SET draft = x'00' WHERE text = 'zwei'", "1 outcomes without their entry"),
    ],
)
def test_a_check_finds_wrong_numbers(tmp_path: Path, harm: str, words: str) -> None:
    with serve_process(tmp_path / "a") as server:
        told(server)
    db = sqlite3.connect(server.data / "journal.sqlite")
    with db:
        db.execute(harm)
    db.close()
    done = ran(tmp_path, "server", "check", "--data", str(server.data))
    assert done.returncode == 1
    assert done.stdout.startswith("damaged: ") and words in done.stdout


def test_a_check_finds_damaged_pages(tmp_path: Path) -> None:
    with serve_process(tmp_path / "a") as server:
        say(server.address, "#lobby", *["x" * 1000] * 100)
    path = server.data / "journal.sqlite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    done = ran(tmp_path, "server", "check", "--data", str(server.data))
    assert done.returncode == 1
    assert done.stdout.startswith("damaged: ")
    done = ran(tmp_path, "server", "backup", "b", "--data", str(server.data))
    assert done.returncode == 1
    assert f"the journal {path} is damaged" in done.stderr and "check" in done.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("command", [("backup", "b"), ("export",), ("check",), ("reindex",)])
def test_where_there_is_no_journal(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = ran(tmp_path, "server", *command, "--data", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "there is no journal at" in done.stderr and "--data" in done.stderr
    assert not (tmp_path / "nowhere").exists()
    done = ran(tmp_path, "server", *command, "--data", ":memory:")
    assert done.returncode == 2 and "keeps nothing" in done.stderr
