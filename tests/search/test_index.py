"""What is found, on disk and in memory: words, pages, deadlines."""

import asyncio
from pathlib import Path

import pytest
from tests.search import model
from tests.search.shelf import newest_first, opened, pages, until

from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft
from ipcchat.search.index import Found, Index
from ipcchat.search.query import Query, QueryError

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "file" else None


async def test_words_parts_and_phrases(folder: Path | None) -> None:
    async with opened(folder) as shelf:
        await shelf.say("open the sockets", "my pocket", "PC set-up", "upper deck", "東京都に行く")
        assert await shelf.texts("sock") == ["open the sockets"]
        assert await shelf.texts("ocke") == ["my pocket", "open the sockets"]
        assert await shelf.texts("up") == ["upper deck", "PC set-up"]
        assert await shelf.texts("pc UP") == ["PC set-up"]
        assert await shelf.texts('"the sockets"') == ["open the sockets"]
        assert await shelf.texts('"the sock') == await shelf.texts("the_sock")
        assert await shelf.texts("the_sock") == ["open the sockets"]
        assert await shelf.texts('"the sock"') == []
        assert await shelf.texts('"sockets the"') == []
        assert await shelf.texts("京") == await shelf.texts("京都") == ["東京都に行く"]
        assert await shelf.texts("京都に行") == ["東京都に行く"]
        assert await shelf.texts("京行") == []
        assert await shelf.texts("p") == []


@pytest.mark.parametrize(
    "text", ['"', '""" OR "', "a* OR b", "{x}: y", "-x", "x NEAR y", "^x", "x'"]
)
async def test_no_text_is_taken_for_syntax(folder: Path | None, text: str) -> None:
    async with opened(folder) as shelf:
        await shelf.say("nothing of that kind")
        try:
            found = await shelf.search(text)
        except QueryError:
            return
        assert found == Found([])


async def test_a_term_of_very_many_words_is_exact(folder: Path | None) -> None:
    """It is tested on the texts instead of looked up."""
    async with opened(folder) as shelf:
        said = [f"un{number:05}do née{number}" if number % 3 else "x un" for number in range(6000)]
        for number, text in enumerate(said):
            shelf.make(text, number % 3 + 1)
        shelf.commit(shelf.entries)
        await until(shelf.index)
        for term in ("und", "un", "nee", "01", "0do", "née1"):
            kept = [model.matches(term, text) for text in said]
            assert (await shelf.search(term)).places == newest_first(shelf, kept)[:100], term
        assert len(await pages(shelf, "née do", 100)) == 0
        assert len(await pages(shelf, "nee12 5do", 100)) == sum(
            "née12" in text and "5do" in text for text in said
        )


async def test_only_messages_and_topics_are_found_and_never_room_0(folder: Path | None) -> None:
    async with opened(folder) as shelf:
        made = [shelf.make("word", 0), shelf.make("word", kind="create")]
        made += [shelf.make("word", kind="topic"), shelf.make("word")]
        shelf.commit(made)
        await until(shelf.index)
        found = await shelf.search("word", ranges=[(0, 0, 100), (1, 0, 100)])
        assert [(room, seq) for room, seq, _ in found.places] == [(1, 3), (1, 2)]


async def test_pages_hold_while_more_is_said(folder: Path | None) -> None:
    async with opened(folder) as shelf:
        for number in range(100):
            shelf.make("word", number % 7 + 1)
        shelf.commit(shelf.entries)
        await until(shelf.index)
        there = newest_first(shelf, [True] * 100)
        page = await shelf.search("word", 11)
        found = list(page.places)
        while page.next:
            await shelf.say("word too", room=len(found) % 9 + 1)
            page = await shelf.search("word", 11, page.next)
            found += page.places
        assert found == there


@pytest.mark.parametrize(
    "bad", ["x", "1", "1-", "-1", "1-2-3", "١-١", "1-ffffffffffffffff", " 1-1"]
)
async def test_a_bad_place_is_an_error(folder: Path | None, bad: str) -> None:
    async with opened(folder) as shelf:
        with pytest.raises(QueryError):
            await shelf.search("word", before=bad)


async def test_a_deadline_ends_a_search(folder: Path | None) -> None:
    async with opened(folder) as shelf:
        await shelf.say(*["x"] * 20_000)
        page = await shelf.index.search(Query("x"), shelf.all, deadline=0)
        assert page.cut
        assert not page.next
        assert not (await shelf.search("x")).cut


async def test_a_running_statement_is_interrupted(tmp_path: Path) -> None:
    """Every text calls back for its folding, which takes far longer than the deadline."""
    async with opened(tmp_path) as shelf:
        texts = [f"é{number}é" + "ü" * 300 for number in range(9000)]
        await shelf.say(*texts)
        loop = asyncio.get_running_loop()
        start = loop.time()
        page = await shelf.index.search(Query("e zz"), shelf.all, deadline=0.05)
        assert page == Found([])  # no such word: known at once
        await shelf.say("zz9")
        page = await shelf.index.search(Query("é1 uuu"), shelf.all, deadline=0.02)
        assert page.cut or loop.time() - start < 1
        assert loop.time() - start < 5
        whole = await shelf.search("é1 uuu", 10)
        assert len(whole.places) == 10


async def test_a_cancelled_search_ends(folder: Path | None) -> None:
    async with opened(folder) as shelf:
        await shelf.say(*["word"] * 100)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(shelf.search("word"))
            await asyncio.sleep(0)
            task.cancel()
        assert task.cancelled()
        assert len((await shelf.search("word")).places) == 100


async def test_searches_at_once_and_after_the_end(folder: Path | None) -> None:
    async with opened(folder) as shelf:
        await shelf.say("word")
        found = await asyncio.gather(*(shelf.search("word") for _ in range(20)))
        assert all(page == found[0] and len(page.places) == 1 for page in found)
        await shelf.index.close()
        await shelf.index.close()
        assert await shelf.search("word") == Found([], cut=True)


@pytest.mark.parametrize("on_disk", [True, False])
async def test_a_journal_feeds_it(tmp_path: Path, on_disk: bool) -> None:
    data = tmp_path if on_disk else None
    journal = await open_journal(data)
    index = Index(data, journal.epoch, pytest.fail)
    index.catch_up({number: room.head for number, room in journal.state.rooms.items()})

    async def feed() -> None:
        async for entries in journal.feed():
            index.note(entries)

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        known = Draft(0, "a" * 32, "account", 1, name="ann", key="ann", credential="ann", open=True)
        await journal.append([known])
        outcomes = await journal.append(
            [Draft(1, f"{n:032x}", "message", 1000, room=1, text=f"wörd {n}") for n in range(50)]
        )
        async with asyncio.timeout(10):
            page = Found([])
            while len(page.places) < 50:
                await asyncio.sleep(0.01)
                page = await index.search(Query("word"), [(1, 1, 1 << 39)])
        assert len(outcomes) == 50
        assert {time for _, _, time in page.places} == {1000}
        await index.close()
        await journal.close()
