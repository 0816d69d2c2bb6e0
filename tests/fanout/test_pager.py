"""Reads take turns."""

import asyncio

import pytest
from tests.support import serve

from ipcchat.fanout.pager import Pager
from ipcchat.server.access import Peer
from ipcchat.server.connection import Connection


@pytest.mark.asyncio
async def test_connections_take_turns_and_have_one_page_at_a_time() -> None:
    async with serve() as server:
        one, two = (Connection(server, Peer("tcp", "test"), number) for number in (1, 2))
        pager = Pager(2)
        order: list[str] = []
        running: list[Connection] = []
        done = asyncio.Event()

        async def job(connection: Connection, name: str) -> None:
            assert connection not in running
            running.append(connection)
            await asyncio.sleep(0)
            running.remove(connection)
            order.append(name)
            if len(order) == 6:
                done.set()

        for name in ("a", "b", "c", "d", "e"):
            pager.ask(one, lambda name=name: job(one, name))  # type: ignore[misc]
        pager.ask(two, lambda: job(two, "z"))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(pager.run())
            await done.wait()
            task.cancel()
        assert [name for name in order if name != "z"] == ["a", "b", "c", "d", "e"]
        assert order.index("z") <= 2


@pytest.mark.asyncio
async def test_a_closed_connection_has_no_turn() -> None:
    async with serve() as server:
        gone, other = (Connection(server, Peer("tcp", "test"), number) for number in (1, 2))
        gone.closing = 1.0
        pager = Pager(1)
        done = asyncio.Event()

        async def never() -> None:
            raise AssertionError("a closed connection was served")

        async def last() -> None:
            done.set()

        pager.ask(gone, never)
        pager.ask(gone, never)
        pager.ask(other, last)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(pager.run())
            await done.wait()
            task.cancel()
