"""Search by command: what is asked of the server, and what the user hears of it."""

import asyncio
from collections.abc import Callable

import pytest
from tests.actions.face import ListFace, facing, together
from tests.actions.test_composing import typing
from tests.client.peer import until
from tests.support import serve

from ipcchat.actions.search import remarks, room_names
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import SearchOk

pytestmark = pytest.mark.asyncio


async def found(face: ListFace, line: str, wanted: Callable[[list[str]], bool]) -> list[str]:
    """What a search finds, the newest first, as soon as that is searchable."""
    async with asyncio.timeout(10):
        while True:
            shown = await face.type(line)
            assert not shown, shown
            texts = [entry.text for entry in face.found[-1][1].items]
            if wanted(texts):
                return texts


async def test_words_and_what_narrows_them() -> None:
    async with together("ann", "bob") as (ann, bob):
        bob.session.submit(1, "the port is free")
        await bob.type("/join #lab")
        bob.session.submit(bob.model.current, "port 5555 is free, too")
        await bob.type("/msg ann a free port for you")
        await until(lambda: ann.model.room_by_name("@bob") is not None)
        ann.session.submit(1, "my port")
        all_of = ["my port", "a free port for you", "port 5555 is free, too", "the port is free"]
        assert await found(ann, "/search port", lambda texts: len(texts) == 4) == all_of
        for line, texts in [
            ('/search "is free"', all_of[2:]),
            ("/search from:bob  port", all_of[1:]),
            ("/search from:ANN port", all_of[:1]),
            ("/search PORT in:#lobby", [all_of[0], all_of[3]]),
            ("/search port in:lab", all_of[2:3]),  # where ann is not
            ("/search port in:@bob", all_of[1:2]),
            ("/search port before:1h", []),
            ("/search port after:1h from:bob in:#lobby", all_of[3:]),
            ("/search nothing of it", []),
        ]:
            assert await ann.type(line) == []
            typed, page = ann.found[-1]
            assert typed == " ".join(line.removeprefix("/search ").split())
            assert [entry.text for entry in page.items] == texts, line
        names = await room_names(ann, ann.found[0][1].items)
        assert sorted(names.values()) == ["#lab", "#lobby", "@bob"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/search", "! no more – /search WORDS"),
        ("/search x from:bbo", "! nobody has that nick: bbo – did you mean bob?"),
        ("/search x in:#nowhere", "! there is no room #nowhere – /list and /rooms list"),
        ("/search x in:@bob", "! nothing was said between you and bob – /list and /rooms"),
        ("/search x after:soon", "! after:soon is no time – a time is 2026-11-01"),
        ("/search x from:bob from:ann", "! from: can be there once"),
        ('/search ""', "! "),
    ],
)  # fmt: skip
async def test_mistakes_are_told(line: str, told: str) -> None:
    async with together("ann", "bob") as (ann, _bob):
        (shown,) = await ann.type(line)
        assert shown.startswith(told)
        assert not ann.found


async def test_pages_go_on_where_the_last_one_ended() -> None:
    async with serve() as server, facing(server.addresses[0], "ann") as ann:
        for number in range(70):
            ann.session.submit(1, f"line {number}")
        await until(lambda: not ann.session.unsent)
        first = await found(ann, "/search line", lambda texts: texts[:1] == ["line 69"])
        assert len(first) == 50
        await ann.type("/search")
        second = [entry.text for entry in ann.found[-1][1].items]
        assert first + second == [f"line {number}" for number in range(69, -1, -1)]
        assert ann.found[-1][0] == "line"
        assert await ann.type("/search") == ["! no more – /search WORDS"]


async def test_without_a_connection_it_is_an_error() -> None:
    async with serve() as server:
        async with facing(server.addresses[0], "ann", connect_timeout=0.2) as ann:
            await server.close()
            await until(lambda: ann.model.state != "online")
            (told,) = await ann.type("/search port")
            assert told.startswith("! not connected")


async def test_the_next_command_ends_a_search_that_takes_its_time() -> None:
    async with serve() as server:
        async with facing(server.addresses[0], "ann", connect_timeout=60) as ann:
            await server.close()
            await until(lambda: ann.model.state != "online")
            keys, _ = typing(ann)
            keys.submit("/search port")
            await until(lambda: keys.seeking)
            assert keys.waiting == "searching: Esc ends it"
            keys.submit("this is only said")
            assert keys.seeking
            keys.submit("/keys")
            assert not keys.seeking
            keys.submit("/search one")
            await until(lambda: keys.seeking)
            keys.submit("/search another")
            await until(lambda: keys.seeking)
            assert keys.give_up()
            assert not keys.give_up()
            assert keys.waiting == ""
            assert not any(line.startswith("!") for line in ann.lines)


async def test_what_else_is_to_be_said_of_a_page() -> None:
    assert remarks(SearchOk(0, [])) == []
    assert remarks(SearchOk(0, [], cut=True)) == ["looking at everything took too long"]
    assert remarks(SearchOk(0, [], lag=1)) == ["1 message is not searchable yet"]
    assert remarks(SearchOk(0, [], lag=4200)) == ["4,200 messages are not searchable yet"]


async def test_what_is_hidden_is_not_called_nothing() -> None:
    async with together("ann", "bob") as (ann, bob):
        for number in range(60):
            bob.session.submit(1, f"spam {number}")
        ann.session.submit(1, "of spam I said this")
        await until(lambda: not ann.session.unsent and not bob.session.unsent)
        await found(ann, "/search spam", lambda texts: len(texts) == 50)
        ann.model.configure(ClientSettings(ignore=("bob",)))
        ann.found.clear()
        told = "all that was found is hidden: you ignore who said it – /ignore lists whom"
        assert await ann.type("/search spam from:bob") == [told]
        assert not ann.found
        assert await ann.type("/search spam before:1h") == []
        assert [page.items for _, page in ann.found] == [[]], "nothing is nothing"
        assert remarks(SearchOk(0, []), 2) == ["2 messages are hidden: you ignore who said that"]


async def test_without_numbers_none_leads_anywhere() -> None:
    async with serve() as server, facing(server.addresses[0], "ann") as ann:
        assert await ann.type("/search --show 3") == [
            "! --show is for --plain – /search shows the list: Enter goes there"
        ]
