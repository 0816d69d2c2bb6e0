"""Starting again and stopping in order."""

import asyncio
from pathlib import Path

import pytest
from tests.support import RawClient, draft, serve

from ipcchat.errors import SettingError
from ipcchat.wire.messages import Bye, Done, Hello, Login, LoginOk, Say, Sessions


@pytest.mark.asyncio
async def test_what_was_said_is_there_after_a_restart(tmp_path: Path) -> None:
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        for number in range(5):
            await ann.say(1, str(number))
        epoch = ann.epoch
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        assert bob.epoch == epoch
        await bob.follow(1, last=3)
        assert [entry.text for entry in await bob.entries(1, 3)] == ["2", "3", "4"]
        assert (await bob.say(1, "next")).seq == 7


@pytest.mark.asyncio
async def test_draining_answers_what_was_read_and_says_bye(tmp_path: Path) -> None:
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await bob.follow(1, last=0)
        await bob.live(1)
        for number in range(500):
            ann.send(Say(ann.next_id(), 1, draft(), str(number)))
        await ann.take(lambda v: isinstance(v, Done))
        server.shutdown()
        while await ann.receive():
            pass
        while await bob.receive():
            pass
        done = 1 + sum(isinstance(v, Done) for v in ann.values)
        assert isinstance(ann.values[-1], Bye)
        heard = [v for v in bob.values if not isinstance(v, Bye)]
        await ann.close()
        await bob.close()
        await server.wait_closed()
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "carl") as carl,
    ):
        ok = await carl.follow(1, last=0)
        assert ok.head == done + 1  # every acknowledged one is there, and no other
    assert len([v for v in heard if type(v).__name__ == "Entry"]) == done


@pytest.mark.asyncio
async def test_the_console_is_an_operator_over_a_socketpair() -> None:
    async with serve() as server:
        sock = await server.open_console()
        client = RawClient(*await asyncio.open_connection(sock=sock))
        await client.ask(Hello(client.next_id(), [1]))
        ok = await client.ask(Login(client.next_id(), "peer", "operator"))
        assert isinstance(ok, LoginOk)
        assert (ok.nick, ok.role) == ("operator", "operator")
        items = (await client.ask(Sessions(client.next_id()))).items
        assert [(item.nick, item.address) for item in items] == [("operator", "console")]
        await client.close()


@pytest.mark.asyncio
async def test_a_server_that_nobody_could_reach_does_not_start() -> None:
    with pytest.raises(SettingError, match="nowhere to listen"):
        async with serve(listen=()):
            raise AssertionError("it runs")
