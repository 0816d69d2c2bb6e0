"""Standard streams beside a loop: real pipes that stall, break and fill up."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ipcchat.cli.streams import LIMIT, Writer
from ipcchat.errors import FileError

pytestmark = pytest.mark.asyncio

LINE = "x" * 1023 + "\n"


class Pipe:
    """A pipe; its reading end may be closed before the test ends."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    async def take(self) -> bytes:
        """What can be read at once."""
        return await asyncio.to_thread(os.read, self.read, 1 << 20)

    async def take_all(self, until: bytes) -> bytes:
        """Reads until that was read."""
        data = b""
        while not data.endswith(until):
            data += await self.take()
        return data

    def hang_up(self) -> None:
        os.close(self.read)
        self.read = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    for fd in (made.read, made.write):
        with suppress(OSError):
            os.close(fd)


async def test_what_is_written_comes_in_order(pipe: Pipe) -> None:
    writer = Writer(pipe.write)
    for number in range(1000):
        await writer.write(f"{number}\n")
    await writer.flush()
    assert await pipe.take_all(b"\n999\n") == b"".join(b"%d\n" % n for n in range(1000))
    await writer.close()


async def test_what_the_encoding_lacks_is_spelt_out(pipe: Pipe) -> None:
    writer = Writer(pipe.write, "ascii")
    await writer.write("für 🎉\n")
    await writer.flush()
    assert await pipe.take() == b"f\\xfcr \\U0001f389\n"
    await writer.close()


async def test_writing_waits_for_a_reader_and_loses_nothing(pipe: Pipe) -> None:
    writer = Writer(pipe.write)
    written = 0

    async def fill() -> None:
        nonlocal written
        while written < 2000:
            await writer.write(LINE)
            written += 1
        await writer.write("end\n")

    async with asyncio.TaskGroup() as group:
        filling = group.create_task(fill())
        done, _ = await asyncio.wait([filling], timeout=0.2)
        assert not done
        assert LIMIT <= written * len(LINE) <= LIMIT + 256 * 1024
        assert len(await pipe.take_all(b"end\n")) == 2000 * len(LINE) + 4
    await writer.close()


async def test_an_offer_never_waits_and_the_loss_is_said(pipe: Pipe) -> None:
    writer = Writer(pipe.write)
    for _ in range(2000):
        writer.offer(LINE)
    taken = b""
    while len(taken) < LIMIT:
        taken += await pipe.take()
    async with asyncio.timeout(5):
        await writer.flush()
    writer.offer("end\n")
    text = (taken + await pipe.take_all(b"end\n")).decode()
    kept = text.count(LINE)
    lost = 2000 - kept
    assert lost > 0
    assert text.endswith(f"… {lost} lines were not written: nobody took them in time\nend\n")
    await writer.close()


async def test_a_reader_that_goes_away_shows_without_a_write(pipe: Pipe) -> None:
    writer = Writer(pipe.write)
    assert not writer.gone.is_set()
    pipe.hang_up()
    async with asyncio.timeout(5):
        await writer.gone.wait()
    with pytest.raises(BrokenPipeError):
        await writer.write("late")
    writer.offer("late too")
    await writer.close()


async def test_a_reader_that_goes_away_frees_who_waits_for_it(pipe: Pipe) -> None:
    writer = Writer(pipe.write)
    for _ in range(2000):
        writer.offer(LINE)
    async with asyncio.TaskGroup() as group:
        flushing = group.create_task(_raises_broken_pipe(writer))
        pipe.hang_up()
        async with asyncio.timeout(5):
            await flushing
    await writer.close()


async def _raises_broken_pipe(writer: Writer) -> None:
    with pytest.raises(BrokenPipeError):
        await writer.flush()


async def test_closing_does_not_wait_long_for_a_reader(pipe: Pipe) -> None:
    writer = Writer(pipe.write)
    for _ in range(2000):
        writer.offer(LINE)
    async with asyncio.timeout(5):
        await writer.close(seconds=0.1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
async def test_a_full_disk_is_a_file_error() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = Writer(fd)
        await writer.write("text")
        with pytest.raises(FileError, match="cannot write the output: no space left on device"):
            await writer.flush()
        with pytest.raises(FileError):
            await writer.write("more")
        assert writer.gone.is_set()
        await writer.close()
    finally:
        os.close(fd)
