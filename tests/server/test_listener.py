"""Where a server listens, and what it says when it can't."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tests.support import RawClient, environment, serve, server_settings

from ipcchat.errors import JournalLocked, ListenError
from ipcchat.server.server import Server
from ipcchat.wire.messages import Hello


@pytest.mark.asyncio
async def test_a_port_in_use_is_said_with_a_hint() -> None:
    async with serve() as server:
        with pytest.raises(ListenError) as caught:
            async with serve(listen=(server.addresses[0],)):
                raise AssertionError("both listen")
        assert "in use" in str(caught.value)
        assert "--listen" in caught.value.hint
        assert caught.value.exit_code == 1


@pytest.mark.asyncio
async def test_two_servers_never_share_data(tmp_path: Path) -> None:
    async with serve(data=str(tmp_path), control=str(tmp_path / "c.sock")):
        with pytest.raises(JournalLocked) as caught:
            await Server(server_settings(data=str(tmp_path))).start()
        assert caught.value.exit_code == 75


@pytest.mark.asyncio
async def test_more_clients_than_allowed_are_turned_away() -> None:
    async with serve(max_clients=1) as server, RawClient.login(server.addresses[0], "ann") as ann:
        other = await RawClient.open(server.addresses[0])
        assert await other.reader.read() == b""
        await other.close()
        assert (await ann.say(1, "hi")).seq == 2


@pytest.mark.asyncio
async def test_ipv6_works_where_the_machine_has_it() -> None:
    if not socket.has_ipv6:
        return
    try:
        server = Server(server_settings(listen=("[::1]:0",)))
        await server.start()
    except ListenError as error:
        assert "::1" in str(error)
        return
    try:
        assert server.addresses[0].startswith("[::1]:")
        async with RawClient.login(server.addresses[0], "ann") as ann:
            assert (await ann.say(1, "hi")).seq == 2
    finally:
        await server.close()


@pytest.mark.asyncio
async def test_small_writes_are_not_held_back() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        sockets = [ann.writer.get_extra_info("socket")]
        for session in server._hub.sessions.values():
            assert session.connection.transport is not None
            sockets.append(session.connection.transport.get_extra_info("socket"))
        assert len(sockets) == 2
        for sock in sockets:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@contextmanager
def with_descriptors(count: int, folder: Path) -> Iterator[tuple[str, Path]]:
    """A server that may have so many open files: its address and its log."""
    limited = ["sh", "-c", 'ulimit -n "$0"; exec "$@"', str(count), sys.executable, "-m"]
    flags = ["--listen", "127.0.0.1:0", "--data", str(folder / "data")]
    home = folder / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    log = folder / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*limited, "ipcchat", "server", "--headless", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment(home),
        ) as server,
    ):
        try:
            assert server.stdout is not None
            yield server.stdout.readline().removeprefix("listening on ").strip(), log
        finally:
            server.terminate()
    assert server.returncode == 0


@pytest.mark.asyncio
async def test_without_descriptors_accepting_waits_and_the_log_has_one_line(tmp_path: Path) -> None:
    with with_descriptors(64, tmp_path) as (address, log):

        def warned() -> int:
            return log.read_text().count("Too many open files")

        async with asyncio.timeout(30), AsyncExitStack() as others, AsyncExitStack() as first:
            for number in range(8):
                await first.enter_async_context(RawClient.login(address, f"first{number}"))
            waiting = []
            for number in range(64):
                if warned():
                    break
                waiting = [await RawClient.open(address)]
                hello = asyncio.timeout(1)
                with suppress(TimeoutError):
                    async with hello:
                        await waiting[0].ask(Hello(1, [1]))
                        await others.enter_async_context(RawClient.login(address, f"o{number}"))
                if not hello.expired():
                    await waiting.pop().close()
            assert warned() == 1 and waiting, log.read_text()
            await first.aclose()
            async with RawClient.login(address, "last") as last:
                assert (await last.say(1, "hi")).seq == 2
            await waiting[0].close()
        assert warned() == 1
