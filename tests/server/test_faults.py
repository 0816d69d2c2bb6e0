"""Faults of storage, as clients and operators see them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support import RawClient, draft, serve, serve_process

from ipcchat.cli.control import operator
from ipcchat.entries import Cursor, Entry
from ipcchat.server.server import Server
from ipcchat.settings import ServerSettings
from ipcchat.wire.messages import Error, Follow, History, Ok, Ping, Status, StatusOk

pytestmark = pytest.mark.asyncio


async def status(settings: ServerSettings) -> StatusOk:
    """How the server says it is."""
    async with operator(settings) as chat:
        found: StatusOk = await chat.request(Status(0))
        return found


def pages(server: Server, more: int) -> None:
    """The disk has room for so many pages more."""
    db = server._journal._db  # type: ignore[attr-defined]
    (count,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {count + more}")


async def test_a_full_disk_is_said_and_gone_by_itself(tmp_path: Path) -> None:
    control = str(tmp_path / "control")
    async with (
        serve(data=str(tmp_path / "data"), control=control) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await bob.follow(1, last=0)
        assert (await ann.say(1, "before")).seq
        pages(server, 2)
        said: list[str] = []
        while True:  # until the room that was left is used up
            last = draft()
            reply = await ann.say(1, "x" * 4000, last)
            if isinstance(reply, Error):
                break
            said.append(last)
        assert (reply.code, reply.retry) == ("full", True)
        assert reply.wait_ms and "disk" in reply.text
        found = await status(server.settings)
        assert not found.ready
        assert "the disk is full" in found.text
        # reading goes on, and so do connections
        page = await bob.ask(History(bob.next_id(), 1))
        assert len(page.entries) == len(said) + 2
        assert isinstance(await bob.ask(Ping(bob.next_id())), Ok)
        # room is made: it goes on by itself, and the same draft is stored once
        pages(server, 1000)
        async with asyncio.timeout(10):
            while not (await status(server.settings)).ready:
                pass
        assert (await ann.say(1, "x" * 4000, last)).seq == len(said) + 3
        assert (await ann.say(1, "x" * 4000, last)).seq == len(said) + 3
        heard = [(await bob.take(is_entry)).draft for _ in range(len(said) + 2)]
        assert heard[1:] == [*said, last]


def is_entry(value: Any) -> bool:
    return isinstance(value, Entry)


async def test_who_remembers_more_than_the_server_is_told(tmp_path: Path) -> None:
    """The WAL's tail is gone, others say ten lines, then somebody comes back who had read on."""
    with serve_process(tmp_path) as server:
        async with RawClient.login(server.address, "ann") as ann:
            for number in range(20):
                await ann.say(1, f"{number}" * 100)
            last = (await ann.ask(History(ann.next_id(), 1))).entries[-1]
            cursor = Cursor(ann.epoch, last.seq, last.draft)
        server.kill()
    wal = server.data / "journal.sqlite-wal"
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size // 2)
    with serve_process(tmp_path) as server:
        async with RawClient.login(server.address, "bob") as bob:
            head = (await bob.ask(History(bob.next_id(), 1))).head
            assert head < cursor.seq
            assert await refusal(server.address, "carl", cursor) == "regressed"  # beyond the head
            await bob.follow(1, last=0)
            while head < cursor.seq + 10:
                head = (await bob.say(1, "since")).seq
            assert (
                await refusal(server.address, "cora", cursor) == "regressed"
            )  # another entry by now
            # nobody else hears of that
            heard = [await bob.take(is_entry) for _ in range(10)]
            assert [entry.text for entry in heard] == ["since"] * 10
            assert not any(isinstance(value, Error) for value in bob.values)


async def refusal(address: str, nick: str, cursor: Cursor) -> str:
    async with RawClient.login(address, nick) as carl:
        reply = await carl.ask(Follow(carl.next_id(), 1, cursor=cursor))
        assert isinstance(reply, Error)
        # it starts over
        await carl.follow(1, last=1)
        return reply.code
