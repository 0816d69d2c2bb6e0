"""What the transport of a plain socket promises while it is open."""

import asyncio
import socket
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sockets.streams import (
    CHUNK,
    KINDS,
    MUCH,
    Recorder,
    fill,
    opened,
    pair,
    read,
    read_all,
    turns,
)

from ipcchat.sockets.stream import Stream


class Quiet(Recorder):
    """Reads nothing from the beginning."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()


# --- writing --------------------------------------------------------------------------


@KINDS
@pytest.mark.asyncio
async def test_what_is_written_arrives(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        stream.write(b"one ")
        stream.write(b"")
        stream.write(memoryview(b"two"))
        assert await read(theirs, 7) == b"one two"
        assert stream.get_write_buffer_size() == 0
        assert protocol.calls == ["made"]


@pytest.mark.asyncio
async def test_one_byte_that_waits_pauses_at_once_and_once() -> None:
    async with opened("unix") as (stream, protocol, theirs):
        sent = fill(stream.get_extra_info("sink"))
        stream.write(b"x")
        assert protocol.calls == ["made", "pause"]
        assert stream.get_write_buffer_size() == 1
        stream.write(b"yz")
        assert stream.get_write_buffer_size() == 3
        assert await read(theirs, len(sent) + 3) == sent + b"xyz"
        await protocol.told("resume")
        assert protocol.calls == ["made", "pause", "resume"]


@KINDS
@pytest.mark.asyncio
async def test_writing_resumes_when_all_has_gone(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        for _ in range(2):
            del protocol.calls[:]
            stream.write(MUCH)
            waiting = stream.get_write_buffer_size()
            assert protocol.calls == ["pause"] and 0 < waiting < len(MUCH)
            got = await read(theirs, len(MUCH) - 1)
            while stream.get_write_buffer_size():
                assert "resume" not in protocol.calls
                got += await asyncio.get_running_loop().sock_recv(theirs, 1)
            await protocol.told("resume")
            assert got + await read(theirs, len(MUCH) - len(got)) == MUCH
            assert protocol.calls == ["pause", "resume"]


@KINDS
@settings(deadline=None, max_examples=40)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(0, 30_000), st.integers(0, 30_000)), max_size=20
    )
)
@pytest.mark.asyncio
async def test_order_is_kept(kind: str, steps: list[tuple[bool, int, int]]) -> None:
    """Between what is written, what waits and what the lent socket is sent, as a room does it."""
    async with opened(kind) as (stream, _, theirs):
        sink: socket.socket = stream.get_extra_info("sink")
        wanted = got = b""
        for lent, size, taken in steps:
            data = MUCH[len(wanted) % 251 :][:size]
            wanted += data
            if lent and data and stream.get_write_buffer_size() == 0:
                try:
                    sent = sink.send(data)
                except BlockingIOError:
                    sent = 0
                stream.write(memoryview(data)[sent:])
            else:
                stream.write(data)
            with suppress(BlockingIOError):
                got += theirs.recv(taken) if taken else b""
            await turns(1)
        stream.close()
        assert got + await read_all(theirs) == wanted


@KINDS
@pytest.mark.asyncio
async def test_what_the_lent_socket_is_sent_follows_what_was_written(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        sink = stream.get_extra_info("sink")
        assert sink is stream.get_extra_info("socket")
        stream.write(b"one ")
        assert stream.get_write_buffer_size() == 0
        assert sink.send(b"two ") == 4
        stream.write(MUCH)
        got = await read(theirs, 8 + len(MUCH))
        await protocol.told("resume")
        assert stream.get_write_buffer_size() == 0
        assert sink.send(b" three") == 6
        assert got + await read(theirs, 6) == b"one two " + MUCH + b" three"


# --- reading --------------------------------------------------------------------------


@KINDS
@pytest.mark.asyncio
async def test_the_protocol_has_its_transport_before_it_reads(kind: str) -> None:
    ours, theirs = pair(kind)
    protocol = Recorder()
    with theirs:
        theirs.send(b"early")
        stream = Stream(asyncio.get_running_loop(), ours, protocol)
        assert protocol.calls == ["made"]
        assert protocol.transport is stream and stream.get_protocol() is protocol
        await protocol.told("heard")
        assert protocol.calls == ["made", "heard"] and protocol.heard == b"early"
        stream.abort()
        await protocol.told("lost")


@KINDS
@pytest.mark.asyncio
async def test_a_pause_of_reading_loses_nothing(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        async with opened(kind) as (_, other, others):
            theirs.send(b"one ")
            await protocol.until(lambda: protocol.heard == b"one ")
            stream.pause_reading()
            stream.pause_reading()
            assert not stream.is_reading()
            for count in (4, 8):
                theirs.send(b"two ")
                others.send(b"tick")
                await other.until(lambda count=count: len(other.heard) == count)  # type: ignore[misc]
                await turns(3)
            assert protocol.heard == b"one "
            stream.resume_reading()
            stream.resume_reading()
            assert stream.is_reading()
            await protocol.until(lambda: protocol.heard == b"one two two ")


@pytest.mark.asyncio
async def test_reading_may_be_paused_from_the_beginning() -> None:
    async with opened("unix", Quiet()) as (stream, protocol, theirs):
        async with opened("unix") as (_, other, others):
            assert not stream.is_reading()
            theirs.send(b"early")
            others.send(b"tick")
            await other.told("heard")
            await turns(3)
            assert protocol.heard == b""
            stream.resume_reading()
            await protocol.until(lambda: protocol.heard == b"early")


@KINDS
@pytest.mark.asyncio
async def test_a_flood_keeps_nobody_waiting(kind: str) -> None:
    """One `recv` a turn, of no more than the buffer's size."""
    loop = asyncio.get_running_loop()
    log: list[str] = []
    ticking = True

    def tick() -> None:
        log.append("turn")
        if ticking:
            loop.call_soon(tick)

    flood, calm = Recorder("flood", log), Recorder("calm", log)
    async with opened(kind, flood) as (_, _, much), opened(kind, calm) as (_, _, little):
        flooding = len(fill(much))
        assert flooding > 20 * CHUNK
        little.send(b"x" * 10 * CHUNK)
        tick()
        await calm.until(lambda: len(calm.heard) == 10 * CHUNK)
        assert len(flood.heard) < flooding
        await flood.until(lambda: len(flood.heard) == flooding)
        ticking = False
        await turns(2)
    while log:
        end = log.index("turn")
        assert end <= 2 and len(set(log[:end])) == end, log[:end]
        del log[: end + 1]
