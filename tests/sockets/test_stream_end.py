"""How the transport of a plain socket ends: by the peer, by itself, by a fault."""

import errno
import gc
import socket
import struct
import warnings
from collections.abc import Callable

import pytest
from tests.sockets.streams import KINDS, MUCH, opened, read, read_all, turns

from ipcchat.sockets.stream import Stream

RESETS = (errno.ECONNRESET, errno.EPIPE)


def reset(sock: socket.socket) -> None:
    """Closes a TCP socket so that the other end hears of a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- the peer's end -------------------------------------------------------------------


@KINDS
@pytest.mark.asyncio
async def test_at_the_peers_end_what_waits_is_sent_and_it_closes(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        stream.write(MUCH)
        theirs.send(b"last")
        theirs.shutdown(socket.SHUT_WR)
        await protocol.told("eof")
        assert protocol.heard == b"last"
        assert stream.is_closing() and "lost" not in protocol.calls
        assert await read_all(theirs) == MUCH
        await protocol.told("lost")
        assert protocol.error is None
        assert protocol.calls.count("eof") == 1


@KINDS
@pytest.mark.asyncio
async def test_at_the_peers_end_it_stays_open_where_the_protocol_wants_that(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        protocol.stays_open = True
        theirs.shutdown(socket.SHUT_WR)
        await protocol.told("eof")
        await turns(3)
        assert protocol.calls == ["made", "eof"] and not stream.is_closing()
        stream.write(b"still here")
        assert await read(theirs, 10) == b"still here"


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.asyncio
async def test_a_reset_is_told_and_what_is_written_then_is_ignored(paused: bool) -> None:
    async with opened("tcp") as (stream, protocol, theirs):
        if paused:
            stream.pause_reading()
        reset(theirs)
        while paused and "lost" not in protocol.calls:
            stream.write(b"x")
            await turns(1)
        await protocol.told("lost")
        assert isinstance(protocol.error, OSError) and protocol.error.errno in RESETS
        stream.write(b"x")
        stream.write_eof()
        assert protocol.calls == ["made", "lost"]


@pytest.mark.asyncio
async def test_a_reset_drops_what_waits() -> None:
    async with opened("tcp") as (stream, protocol, theirs):
        stream.pause_reading()
        stream.write(MUCH)
        reset(theirs)
        await protocol.told("lost")
        assert isinstance(protocol.error, OSError) and protocol.error.errno in RESETS
        assert stream.get_write_buffer_size() == 0
        assert protocol.calls == ["made", "pause", "lost"]


# --- the own end ----------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("size", [0, len(MUCH)])
@pytest.mark.asyncio
async def test_write_eof_sends_what_waits_and_reading_goes_on(kind: str, size: int) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        assert stream.can_write_eof()
        stream.write(MUCH[:size])
        stream.write_eof()
        stream.write_eof()
        stream.write(b"ignored")
        assert await read_all(theirs) == MUCH[:size]
        theirs.send(b"more")
        await protocol.until(lambda: protocol.heard == b"more")
        assert not stream.is_closing()
        stream.close()
        await protocol.told("lost")
        assert protocol.error is None


@KINDS
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("size", [0, len(MUCH)])
@pytest.mark.asyncio
async def test_close_sends_what_waits(kind: str, size: int, ended: bool) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        stream.write(MUCH[:size])
        if ended:
            stream.write_eof()
        stream.close()
        assert stream.is_closing() and not stream.is_reading()
        assert await read_all(theirs) == MUCH[:size]
        await protocol.told("lost")
        assert protocol.error is None


@pytest.mark.parametrize("size", [0, len(MUCH)])
@pytest.mark.asyncio
async def test_what_is_written_after_close_is_ignored(size: int) -> None:
    async with opened("unix") as (stream, protocol, theirs):
        stream.write(MUCH[:size])
        stream.close()
        stream.write(b"ignored")
        assert await read_all(theirs) == MUCH[:size]
        await protocol.told("lost")
        stream.write(b"ignored")


@pytest.mark.asyncio
async def test_nothing_is_read_after_close() -> None:
    async with opened("unix") as (stream, protocol, theirs):
        stream.write(MUCH)
        stream.close()
        stream.resume_reading()
        theirs.send(b"late")
        assert await read(theirs, len(MUCH)) == MUCH
        await protocol.told("lost")
        assert protocol.heard == b""


@KINDS
@pytest.mark.asyncio
async def test_abort_does_not_send_what_waits(kind: str) -> None:
    async with opened(kind) as (stream, protocol, theirs):
        stream.write(MUCH)
        waiting = stream.get_write_buffer_size()
        stream.abort()
        assert stream.is_closing() and stream.get_write_buffer_size() == 0
        assert await read_all(theirs) == MUCH[:-waiting]
        await protocol.told("lost")
        assert protocol.error is None


def _write(stream: Stream, theirs: socket.socket) -> None:
    theirs.close()
    stream.write(b"x")


@pytest.mark.parametrize(
    "end",
    [lambda stream, _: stream.close(), lambda stream, _: stream.abort(), _write],
    ids=["close", "abort", "write"],
)
@pytest.mark.asyncio
async def test_the_end_is_told_later_and_once(
    end: Callable[[Stream, socket.socket], None],
) -> None:
    async with opened("unix") as (stream, protocol, theirs):
        end(stream, theirs)
        stream.close()
        stream.abort()
        stream.write(b"x")
        assert protocol.calls == ["made"]
        await protocol.told("lost")
        stream.close()
        stream.abort()
        await turns(3)
        assert protocol.calls == ["made", "lost"]


@KINDS
@pytest.mark.asyncio
async def test_the_socket_is_open_until_the_end_was_told(kind: str) -> None:
    async with opened(kind) as (stream, protocol, _):
        sock = stream.get_extra_info("socket")
        number = sock.fileno()
        stream.close()
        assert sock.fileno() == number
        await protocol.told("lost")
        assert protocol.number == number
        assert sock.fileno() == -1


@KINDS
@pytest.mark.asyncio
async def test_nothing_is_left_open(kind: str) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with opened(kind) as (stream, _, _):
            stream.write(MUCH)
        del stream
        gc.collect()
    assert not [str(warning.message) for warning in told]
