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
from ipcchat.wire.messages import Error, Hello, History, HistoryOk, Login, Search, SearchOk


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
    async with serve(max_clients=1) as server:
        address, secret = server.addresses[0], "a" * 32
        async with RawClient.login(address, "ann", secret, device="desk") as ann:
            assert (await refused(address, "bob")).code == "too_many"
            assert (await ann.say(1, "hi")).seq == 2
            # a device that comes back before its connection was found dead is not one more
            async with RawClient.login(address, "ann", secret, device="desk") as again:
                assert (await again.say(1, "hi")).seq == 3
        async with RawClient.login(address, "bob") as bob:
            assert bob.account == ann.account + 1, "who was refused left an account behind"
            assert (await bob.say(1, "hi")).seq == 4


@pytest.mark.asyncio
async def test_other_limits_count_after_a_reload_within_what_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [server_settings(max_clients=number) for number in (1, 2, 50)]
    monkeypatch.setattr("ipcchat.server.server.raise_descriptors", lambda: 55)
    async with Server(found[0], lambda: found.pop(0)) as server, AsyncExitStack() as clients:
        found.pop(0)
        address = server.addresses[0]
        for number in range(3):
            await clients.enter_async_context(RawClient.login(address, f"n{number}"))
            assert (await refused(address, "bob")).code == "too_many"
            if found:
                server.reload()
        texts = [line.text for line in server.log.last(100) if line.event == "descriptors"]
        assert len(texts) == 1 and "55 open files" in texts[0] and " 3 of 50 clients" in texts[0]
        assert "ulimit -n" in texts[0] and "LimitNOFILE" in texts[0]


async def refused(address: str, nick: str) -> Error:
    """What who is one too many hears."""
    client = await RawClient.open(address)
    try:
        await client.ask(Hello(1, [1]))
        answer = await client.ask(Login(2, nick=nick, method="secret", secret="b" * 32))
    finally:
        await client.close()
    assert isinstance(answer, Error), answer
    return answer


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
def with_descriptors(count: int, folder: Path, *flags: str) -> Iterator[tuple[str, Path]]:
    """A server on the test's kind of loop that may have so many open files: its address and log."""
    uvloop = type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    flags += ("--set", f"loop={'auto' if uvloop else 'asyncio'}")
    limited = ["sh", "-c", 'ulimit -n "$0"; exec "$@"', str(count), sys.executable, "-m"]
    places = ["--listen", "127.0.0.1:0", "--data", str(folder / "data")]
    places += ["--set", f"control={folder / 'c.sock'}"]
    home = folder / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    log = folder / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*limited, "ipcchat", "server", "--headless", *places, *flags],
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
async def test_without_descriptors_accepting_waits_and_the_log_has_one_line(
    tmp_path: Path,
) -> None:
    with with_descriptors(64, tmp_path) as (address, log):

        def warned() -> int:
            return log.read_text().count("Too many open files")

        control = str(tmp_path / "c.sock")  # whose connections are not counted
        async with asyncio.timeout(30), AsyncExitStack() as others:
            while not warned():
                client = await RawClient.open(control)
                others.push_async_callback(client.close)
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await client.ask(Hello(1, [1]))
            assert warned() == 1, log.read_text()
            await others.aclose()
            client = await RawClient.open(control)
            await client.ask(Hello(1, [1]))
            await client.close()
            async with RawClient.login(address, "last") as last:
                assert (await last.say(1, "hi")).seq == 2
        assert warned() == 1


@pytest.mark.asyncio
async def test_clients_leave_the_descriptors_that_the_rest_needs(
    tmp_path: Path,
) -> None:
    with with_descriptors(64, tmp_path, "--set", "say_burst=0") as (address, log):
        async with asyncio.timeout(30), AsyncExitStack() as clients:
            here: list[RawClient] = []
            while len(here) < 64:
                nick = f"n{len(here)}"
                try:
                    here.append(await clients.enter_async_context(RawClient.login(address, nick)))
                except AssertionError:
                    break
            assert 8 <= len(here) < 20
            assert f" {len(here)} of 12,000 clients" in log.read_text()
            assert (await refused(address, "bob")).code == "too_many"
            for number in range(200):
                await here[number % len(here)].say(1, f"line {number}")

            async def read(client: RawClient) -> None:
                for _ in range(40):
                    page = await client.ask(History(client.next_id(), 1, limit=50))
                    assert isinstance(page, HistoryOk), page
                    found = await client.ask(Search(client.next_id(), "line"))
                    assert isinstance(found, SearchOk), found

            async with asyncio.TaskGroup() as group:
                for client in here:
                    group.create_task(read(client))
                for _ in range(3):
                    code = group.create_task(status(tmp_path))
            assert code.result() == 0
        assert "Too many open files" not in log.read_text()
        assert "could not be read" not in log.read_text()


async def status(folder: Path) -> int:
    """The exit code of `ipcchat-server status`."""
    command = [sys.executable, "-m", "ipcchat", "server", "status", "--data", str(folder / "data")]
    command += ["--set", f"control={folder / 'c.sock'}"]
    asked = await asyncio.create_subprocess_exec(
        *command, env=environment(folder / "home"), stdout=subprocess.DEVNULL
    )
    return await asked.wait()
