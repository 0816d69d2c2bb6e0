"""Making connections: what goes wrong is one sentence and a hint."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.client.peer import PLAIN

from ipcchat.address import Address
from ipcchat.client.connector import NoAnswer, dial
from ipcchat.errors import Unreachable


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nobody_listens(host: str) -> None:
    address = Address(host, free_port())
    with pytest.raises(Unreachable, match="connection refused") as caught:
        await dial(address, asyncio.Protocol, 5, PLAIN)
    assert str(caught.value) == f"cannot reach {address}: connection refused"
    assert "ipcchat-server" in caught.value.hint
    assert not isinstance(caught.value, NoAnswer)


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "a..b"])
async def test_nobody_has_that_name(host: str) -> None:
    with pytest.raises(Unreachable, match="cannot reach") as caught:
        await dial(Address(host, 1), asyncio.Protocol, 5, PLAIN)
    assert caught.value.exit_code == 69


@pytest.mark.asyncio
async def test_no_socket_there(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no such file"):
        await dial(Address(path=str(tmp_path / "none")), asyncio.Protocol, 5, PLAIN)


@pytest.mark.asyncio
async def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot reach unix:"):
        await dial(Address(path=str(tmp_path / ("x" * 200))), asyncio.Protocol, 5, PLAIN)


@pytest.mark.asyncio
async def test_no_answer() -> None:
    # A listening socket whose queue is full swallows further tries in silence.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        full = [socket.socket() for _ in range(3)]
        try:
            for sock in full:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
            with pytest.raises(NoAnswer, match="no answer"):
                await dial(Address("127.0.0.1", port), asyncio.Protocol, 0.05, PLAIN)
        finally:
            for sock in full:
                sock.close()


@pytest.mark.asyncio
async def test_a_unix_socket_and_a_ready_one(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    server = await asyncio.start_unix_server(_hang_up, path)
    ours, theirs = socket.socketpair()
    try:
        for address in (Address(path=path), ours):
            protocol = await dial(address, _Ended, 5, PLAIN)
            if address is ours:
                theirs.close()
            await protocol.ended
    finally:
        server.close()
        await server.wait_closed()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


class _Ended(asyncio.Protocol):
    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)
