"""Older history, what is found in it, one's rooms and unsent lines, another server."""

from datetime import timedelta

import pytest
from tests.actions.face import ListFace, facing
from tests.client.peer import until
from tests.client.test_session import lobby, sitting
from tests.support import serve

from ipcchat.address import Address
from ipcchat.client.lines import Lines
from ipcchat.entries import Entry

pytestmark = pytest.mark.asyncio


async def fill(address: object, count: int) -> None:
    """So many messages in the lobby, from `line 0` on."""
    async with sitting(address, "bob") as bob:
        for number in range(count):
            bob.submit(1, f"line {number}")
        await until(lambda: not bob.unsent and lobby(bob).lines[-1].text == f"line {count - 1}")


def loaded(face: ListFace) -> int:
    return sum(isinstance(line, Entry) for line in lobby(face.session).lines)


async def test_so_many_older_lines_are_loaded() -> None:
    async with serve() as server:
        await fill(server.addresses[0], 60)
        async with facing(server.addresses[0], page=10) as ann:
            room = lobby(ann.session)
            before = loaded(ann)
            assert 0 < before < 30
            assert await ann.type("/history 25") == []
            assert loaded(ann) == before + 25
            assert ann.recalled == [(room, 0)]
            await ann.type("/history")
            assert loaded(ann) == before + 35
            assert await ann.type("/history 1000") == ["#lobby is loaded from its beginning on"]
            assert room.complete
            assert ann.recalled[1:] == [(room, 0)] * 2
            assert await ann.type("/history 5") == ["#lobby is loaded from its beginning on"]


async def test_history_back_to_a_time() -> None:
    async with serve() as server:
        await fill(server.addresses[0], 30)
        async with facing(server.addresses[0], page=10) as ann:
            assert await ann.type("/history 2h") == ["#lobby is loaded from its beginning on"]
            room = lobby(ann.session)
            assert room.complete
            assert ann.recalled == [(room, 0)]
            told = room.lines[12]
            lines = [line for line in room.lines if isinstance(line, Entry)]
            early = timedelta(hours=3) // timedelta(milliseconds=1)
            room.lines = Lines(
                Entry(1, line.seq, line.time - early * (line.seq < 13), 2, "bob", "message", "0")
                for line in lines
            )
            assert await ann.type("/history 2h") == []
            assert ann.recalled[-1][0].lines[ann.recalled[-1][1]].time == told.time


async def test_history_without_a_connection_is_an_error() -> None:
    async with serve() as server:
        await fill(server.addresses[0], 30)
        async with facing(server.addresses[0], page=10, connect_timeout=0.1) as ann:
            await server.close()
            await until(lambda: ann.model.state != "online")
            (told,) = await ann.type("/history 100")
            assert told.startswith("! not connected")
            assert not ann.recalled


@pytest.mark.parametrize("line", ["/history many", "/history 2y", "/history 0"])
async def test_amounts_that_are_none(line: str) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        (told,) = await ann.type(line)
        assert told.startswith(f"! /history can't use {line.split()[1]}")


async def test_lines_that_have_all_words_are_found() -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        async with sitting(server.addresses[0], "bob") as bob:
            for text in ("Straße 5555 frei?", "port 5555\nis free", "nothing"):
                bob.submit(1, text)
            bob.submit(1, "waves at 5555", "me")
            await until(lambda: lobby(ann.session).lines[-1].text == "waves at 5555")
            shown = await ann.type("/find 5555")
            assert [line.split("  ")[1] for line in shown[:-1]] == [
                "bob: Straße 5555 frei?",
                "bob: port 5555 is free",
                "* bob waves at 5555",
            ]
            assert shown[-1] == "3 lines"
            assert (await ann.type("/find STRASSE bob"))[-1] == "1 line"
            assert await ann.type("/find 5555 nothing") == [
                "no line of #lobby that is loaded has that"
            ]


async def test_the_last_lines_found_are_shown() -> None:
    async with serve() as server:
        await fill(server.addresses[0], 60)
        async with facing(server.addresses[0]) as ann:
            shown = await ann.type("/find line")
            assert shown[-1] == "60 lines, the last 50"
            assert shown[0].endswith("bob: line 10")
            assert len(shown) == 51


async def test_rooms_and_what_is_unread() -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        ops = await ann.session.join("#ops")
        await ann.session.set_topic(ops.number, "pagers")
        async with sitting(server.addresses[0], "bob", rooms=("#ops",)) as bob:
            for text in ("hi", "ann: look"):
                bob.submit(ops.number, text)
            await until(lambda: ops.unread == 2)
        assert [line.split() for line in await ann.type("/rooms")] == [
            ["1", "#lobby"],
            ["2", "#ops", "2", "unread,", "1", "mention", "pagers"],
        ]
        for number in list(ann.model.rooms):
            await ann.session.part(number)
        assert await ann.type("/rooms") == ["you are in no room: /join #room"]
        assert (await ann.type("/retry"))[0].startswith("! you are in no room")


async def test_what_was_not_sent_is_tried_again_or_dropped() -> None:
    async with serve() as server:
        async with facing(server.addresses[0], outbox_expiry=0.05) as ann:
            await server.close()
            await until(lambda: ann.model.state != "online")
            room = lobby(ann.session)
            for text in ("one", "two"):
                ann.session.submit(1, text)
            (waits,) = await ann.type("/retry")
            assert waits == "! nothing in #lobby failed: what you said is on its way"
            await until(lambda: all(item.state == "failed" for item in room.pending))
            assert room.failed is room.pending[0]
            await ann.type("/retry")
            assert room.pending[0].state == "sending"
            assert room.failed is room.pending[1]
            await ann.type("/discard")
            assert [item.text for item in room.pending] == ["one"]
            # and what ends the screen asks first
            await ann.type("/connect lab:6000")
            assert not ann.connected
            assert ann.questions[0].text == (
                "1 line not sent: go to lab:6000 all the same?  y yes · n no"
            )
            ann.questions[0].answers["y"]()
            assert ann.connected == [Address("lab", 6000)]
            await ann.type("/quit")
            assert ann.questions[1].text == "1 line not sent: quit all the same?  y yes · n no"
            assert not ann.left


async def test_another_server() -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        link = f"ipcchat://lab:6000/?fp={'a' * 64}"
        await ann.type(f"/connect '{link}'")
        assert ann.connected == [Address("lab", 6000)]
        assert ann.connected[0].fingerprint == "a" * 64
        assert not ann.questions
