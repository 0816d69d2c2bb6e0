"""What a connection may send in which state: frames of any length, requests of every type."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from tests.server.visitor import SECONDS, Visitor, answer, brought, code, sample
from tests.support import RawClient, encoded, frame, serve

from ipcchat.wire.messages import REPLIES, Error, Ok, Ping, Shutdown
from ipcchat.wire.protocol import ALLOWED, State

# --- frames -------------------------------------------------------------------------------


def ping(size: int) -> bytes:
    """A ping of so many bytes."""
    head = b'{"type":"ping","id":9,"x":"'
    return frame(head + b"x" * (size - len(head) - 2) + b'"}')


@pytest.mark.asyncio
async def test_before_login_a_frame_has_4_kib() -> None:
    async with serve() as server:
        async with Visitor.meet(server.addresses[0]) as client:
            client.wire._asked[9] = Ping
            client.writer.write(ping(4096))
            assert isinstance(await client.take(lambda value: True), Ok)
            client.writer.write(ping(4097)[:4])  # not one byte of it is needed
            error = await client.take(lambda value: True)
            assert (error.code, error.id) == ("too_long", None)
            assert await client.reader.read() == b""
        async with RawClient.login(server.addresses[0], "ann") as ann:
            ann.wire._asked[9] = Ping
            ann.writer.write(ping(65536))
            assert isinstance(await ann.take(lambda value: isinstance(value, Ok)), Ok)
            ann.writer.write(ping(65537)[:4])
            error = await ann.take(lambda value: isinstance(value, Error))
            assert error.code == "too_long"


@pytest.mark.asyncio
async def test_a_frame_that_trickles_is_closed_in_time() -> None:
    async with serve(frame_timeout=0.3) as server:
        async with RawClient.login(server.addresses[0], "ann") as ann:
            loop = asyncio.get_running_loop()
            began = loop.time()
            closed = asyncio.Event()

            async def trickle() -> None:
                with suppress(OSError):
                    for byte in ping(1000):
                        ann.writer.write(bytes([byte]))
                        await ann.writer.drain()
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.01):
                                await closed.wait()
                        if closed.is_set():
                            return

            async with asyncio.TaskGroup() as group:
                group.create_task(trickle())
                error = await ann.take(lambda value: isinstance(value, Error))
                closed.set()
            assert (error.code, error.id) == ("idle", None)
            assert 0.3 <= loop.time() - began < 2


# --- every request in every state ---------------------------------------------------------


ORDER = sorted(REPLIES, key=lambda cls: (cls is Shutdown, cls.__name__))
ALIVE = [State.OPEN, State.GREETED, State.READY]


@pytest.mark.parametrize("state", ALIVE)
@pytest.mark.asyncio
async def test_what_a_state_does_not_allow_is_answered_so(state: State) -> None:
    async with serve() as server, brought(server.addresses[0], state) as client:
        for number, cls in enumerate(ORDER, 10):
            if cls not in ALLOWED[state]:
                error = await answer(client, sample(cls, number))
                assert (error.code, error.retry) == ("bad_state", False), cls


@pytest.mark.parametrize("state", ALIVE)
@pytest.mark.parametrize("role", ["member", "operator"])
@pytest.mark.asyncio
async def test_what_a_state_allows_gets_a_typed_answer(
    tmp_path: Path, state: State, role: str
) -> None:
    control = str(tmp_path / "control.sock")
    codes: dict[str, str] = {}
    async with serve(control=control) as server:
        address = control if role == "operator" else server.addresses[0]
        login = {"method": "peer"} if role == "operator" else {}
        async with brought(address, state, **login) as client:
            for number, cls in enumerate(ORDER, 10):
                if cls in ALLOWED[state]:
                    found = await answer(client, sample(cls, number, nick=f"nobody{number}"))
                    assert isinstance(found, REPLIES[cls] | Error)
                    codes[cls.__name__] = code(found)
        if state is State.READY and role == "operator":
            async with asyncio.timeout(SECONDS):
                await server.wait_closed()  # the last request was `shutdown`
    assert "internal" not in codes.values()
    if state is State.READY:
        assert ("forbidden" in codes.values()) == (role == "member")
    assert not [line for line in server.log.last(1000) if line.level == "error"]


@pytest.mark.asyncio
async def test_after_the_end_nothing_is_answered() -> None:
    assert not ALLOWED[State.CLOSED]
    async with serve() as server, brought(server.addresses[0], State.CLOSED) as client:
        with suppress(OSError):
            for number, cls in enumerate(ORDER, 10):
                client.writer.write(encoded(sample(cls, number)))
            async with asyncio.timeout(SECONDS):
                assert await client.reader.read() == b""
