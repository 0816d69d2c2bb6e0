"""A connection that comes back: what ends it, what does not, and how long it waits."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from tests.client.peer import EPOCH, Peer, quick, scripted

from ipcchat.address import Address
from ipcchat.client.lifeline import Lifeline, backoff
from ipcchat.client.link import Credentials, Link
from ipcchat.errors import ConnectionLost, IpcchatError, ProtocolError, Refused, Unreachable
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import (
    Bye,
    Error,
    Hello,
    HelloOk,
    Login,
    LoginOk,
    Rooms,
    RoomsOk,
)

ANN = Credentials("ann", "5" * 32)


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.ups: asyncio.Queue[Link] = asyncio.Queue()
        self.downs: asyncio.Queue[str] = asyncio.Queue()

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        self.ups.put_nowait(link)

    def event(self, event: Struct) -> None:
        pass

    def applied(self) -> None:
        pass

    def down(self, why: str) -> None:
        self.downs.put_nowait(why)


@asynccontextmanager
async def kept(address: Address | socket.socket, **more: Any) -> AsyncIterator[Any]:
    """A lifeline that runs: (lifeline, owner, task)."""
    owner = Owner()
    settings = more.pop("settings", None) or quick()
    lifeline = Lifeline(address, ANN, settings, owner, **more)
    task = asyncio.get_running_loop().create_task(lifeline.run())
    try:
        yield lifeline, owner, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_waits_double_to_a_second_then_to_fifteen() -> None:
    settings = ClientSettings()
    early = [backoff(tries, 1, settings) for tries in range(7)]
    assert early == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert backoff(6, 61, settings) == 6.4
    assert backoff(20, 61, settings) == 15


@given(st.integers(0, 10**9), st.floats(0, 1e9))
def test_no_wait_is_too_long(tries: int, outage: float) -> None:
    assert 0 < backoff(tries, outage, ClientSettings()) <= 15


@pytest.mark.asyncio
async def test_it_comes_back_again_and_again() -> None:
    async with scripted() as peer, kept(peer.address) as (lifeline, owner, _):
        for _ in range(5):
            line = await peer.accept()
            await line.login()
            assert await lifeline.online() is await owner.ups.get()
            line.abort()
            await owner.downs.get()


@pytest.mark.asyncio
async def test_jitter_is_full_and_wait_ms_is_kept() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 0

    async with scripted() as peer, kept(peer.address, uniform=uniform) as (_, owner, _):
        line = await peer.accept()
        await line.login()
        line.send(Bye("shutdown", wait_ms=60))
        await owner.downs.get()
        before = asyncio.get_running_loop().time()
        line = await peer.accept()
        assert asyncio.get_running_loop().time() - before >= 0.055
        assert asked == [(0, 0.01)]


@pytest.mark.asyncio
async def test_hurry_ends_a_long_wait() -> None:
    async with scripted() as peer, kept(peer.address) as (lifeline, owner, _):
        line = await peer.accept()
        await line.login()
        line.send(Bye("shutdown", wait_ms=10**9))
        await owner.downs.get()
        lifeline.hurry()
        line = await peer.accept()
        await line.login()
        await lifeline.online()
        lifeline.hurry()  # and leaves a connection that there is
        await (await peer.accept()).login()


@pytest.mark.asyncio
@pytest.mark.parametrize("insist", [True, False])
async def test_first_contact_refused(insist: bool) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", sock.getsockname()[1])
    async with kept(address, insist=insist) as (lifeline, _, task):
        with pytest.raises(Unreachable):
            await task
        with pytest.raises(Unreachable):
            await lifeline.online()
        with pytest.raises(Unreachable):
            await lifeline.request(Rooms(0))


@pytest.mark.asyncio
async def test_first_contact_cut_off() -> None:
    async with scripted() as peer:
        async with kept(peer.address) as (_, _, task):
            (await peer.accept()).abort()
            with pytest.raises(IpcchatError) as caught:
                await task
            assert caught.value.exit_code == 75
        async with kept(peer.address, insist=True) as (lifeline, _, _):
            (await peer.accept()).abort()
            await (await peer.accept()).login()
            await lifeline.online()


@pytest.mark.asyncio
async def test_what_answers_is_no_server() -> None:
    async with scripted() as peer, kept(peer.address, insist=True) as (_, _, task):
        (await peer.accept()).send_bytes(b"SSH-2.0-OpenSSH_9.2\r\n")
        with pytest.raises(ProtocolError, match="no ipcchat server") as caught:
            await task
        assert caught.value.exit_code == 76


@pytest.mark.asyncio
async def test_no_answer_to_the_greeting() -> None:
    settings = quick(connect_timeout=0.05)
    async with scripted() as peer, kept(peer.address, settings=settings) as (_, _, task):
        with pytest.raises(Unreachable, match="no answer"):
            await task


@pytest.mark.asyncio
@pytest.mark.parametrize("insist", [True, False])
async def test_a_login_that_is_refused_ends_it(insist: bool) -> None:
    async with scripted() as peer, kept(peer.address, insist=insist) as (_, _, task):
        line = await peer.accept()
        hello = await line.expect(Hello)
        line.send(HelloOk(hello.id, 1, EPOCH, "n", ["secret"]))
        login = await line.expect(Login)
        line.send(Error("forbidden", "you are banned", id=login.id))
        with pytest.raises(Refused, match="banned") as caught:
            await task
        assert caught.value.exit_code == 77


@pytest.mark.asyncio
async def test_patience_ends() -> None:
    settings = quick(retry_first=0.02, retry_early=0.02)
    async with (
        scripted() as peer,
        kept(peer.address, patience=0.05, settings=settings) as (_, _, task),
    ):
        line = await peer.accept()
        await line.login()
        line.abort()
        while not task.done():
            line = await _next(peer, task)
            if line is not None:
                line.abort()
        with pytest.raises(ConnectionLost, match="is lost") as caught:
            await task
        assert caught.value.exit_code == 75


async def _next(peer: Peer, task: asyncio.Task[None]) -> Any:
    accepting = asyncio.get_running_loop().create_task(peer.accept())
    await asyncio.wait((accepting, task), return_when=asyncio.FIRST_COMPLETED)
    if accepting.done():
        return accepting.result()
    accepting.cancel()
    await asyncio.gather(accepting, return_exceptions=True)
    return None


@pytest.mark.asyncio
async def test_a_request_outlives_connections_and_refusals() -> None:
    async with scripted() as peer, kept(peer.address) as (lifeline, _, _):
        answer = asyncio.gather(lifeline.request(Rooms(0, name="#x")))
        line = await peer.accept()
        await line.login()
        await line.expect(Rooms)
        line.abort()
        line = await peer.accept()
        await line.login()
        asked = await line.expect(Rooms)
        line.send(Error("busy", id=asked.id, retry=True, wait_ms=1))
        asked = await line.expect(Rooms)
        assert asked.name == "#x"
        line.send(RoomsOk(asked.id, []))
        (reply,) = await answer
        assert isinstance(reply, RoomsOk)


@pytest.mark.asyncio
async def test_a_ready_socket_is_used_once() -> None:
    ours, theirs = socket.socketpair()
    async with kept(ours, insist=True) as (_, _, task):
        theirs.close()
        with pytest.raises(ConnectionLost):
            await task


@pytest.mark.asyncio
async def test_closing_in_the_middle_of_anything() -> None:
    async with scripted() as peer:
        async with kept(peer.address) as (lifeline, _, task):
            await peer.accept()  # in the greeting
        async with kept(peer.address) as (lifeline, _, task):
            line = await peer.accept()
            await line.login()
            await lifeline.online()
        assert task.cancelled()
        await line.ended()
        with pytest.raises(ConnectionLost):
            await lifeline.online()
