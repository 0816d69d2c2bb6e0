"""What operators may ask, and nobody else."""

import asyncio
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.support import RawClient, serve

from ipcchat.wire.messages import Bye, Changed, Log, LogLine, Ok, Sessions, Shutdown, Status


@pytest.mark.parametrize("request_type", [Status, Sessions, Log, Shutdown])
@pytest.mark.asyncio
async def test_members_may_not(request_type: type[Status]) -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        answer = await ann.ask(request_type(ann.next_id()))
        assert answer.code == "forbidden"


@pytest.mark.asyncio
async def test_status_sessions_and_the_log(tmp_path: Path) -> None:
    control = str(tmp_path / "control.sock")
    async with (
        serve(control=control) as server,
        RawClient.login(control, "op", method="peer", quiet=True) as op,
    ):
        assert isinstance(await op.ask(Log(op.next_id())), Ok)
        async with RawClient.login(server.addresses[0], "ann", device="tests") as ann:
            await ann.say(1, "hi")
            line = await op.take(lambda v: isinstance(v, LogLine) and v.text.startswith("ann"))
            assert (line.event, line.level) == ("login", "info")
            await op.take(lambda v: v == Changed(what="sessions"))
            items = (await op.ask(Sessions(op.next_id()))).items
            assert [item.nick for item in items] == ["operator", "ann"]
            assert items[1].device == "tests"
            assert items[1].address.startswith("127.0.0.1:")
            status = await op.ask(Status(op.next_id()))
            assert (status.sessions, status.accounts, status.rooms, status.entries) == (1, 2, 1, 2)
            assert status.ready
            assert status.data == ":memory:"
            kind = type(asyncio.get_running_loop()).__module__
            assert status.loop == (f"uvloop {version('uvloop')}" if "uv" in kind else "asyncio")


@pytest.mark.asyncio
async def test_an_operator_may_shut_down(tmp_path: Path) -> None:
    control = str(tmp_path / "control.sock")
    async with (
        serve(control=control) as server,
        RawClient.login(control, "op", method="peer") as op,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        assert isinstance(await op.ask(Shutdown(op.next_id())), Ok)
        bye = await ann.take(lambda v: isinstance(v, Bye))
        assert bye.code == "shutdown"
        assert bye.wait_ms > 0
        assert await ann.reader.read() == b""
        for client in (ann, op):
            client.writer.close()
        await server.wait_closed()
