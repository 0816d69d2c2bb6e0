"""A small batch may wait to become larger; a large one, and the end, do not."""

import asyncio
from pathlib import Path

import pytest
from tests.journal.making import account, opened, say

pytestmark = pytest.mark.asyncio

FOR_EVER = 3600.0


async def test_what_comes_while_a_batch_lingers_is_one_batch(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append([account("ann")])
        feed = journal.feed()
        asked: list[float] = []

        def linger() -> float:
            asked.append(0.05)
            return asked[-1]

        journal.linger = linger
        first = journal.append([say("one")])
        await asyncio.sleep(0)  # another turn of the loop: without lingering a batch of its own
        second = journal.append([say("two")])
        await asyncio.gather(first, second)
        async for batch in feed:
            if batch[-1].kind == "message":
                assert [entry.text for entry in batch] == ["one", "two"]
                break
        assert len(asked) == 1


async def test_a_large_batch_does_not_linger(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append([account("ann")])
        journal.linger = lambda: FOR_EVER
        waits = [journal.append([say(f"{number}")]) for number in range(3)]
        assert not any(one.done() for one in waits)
        waits += [journal.append([say(f"{number}")]) for number in range(3, 40)]
        async with asyncio.timeout(10):
            await asyncio.gather(*waits)


async def test_the_end_does_not_linger(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append([account("ann")])
        journal.linger = lambda: FOR_EVER
        wait = journal.append([say("last")])
        async with asyncio.timeout(10):
            await journal.close()
        assert (await wait)[0].seq
