"""What is found is what plain Python finds, and nothing outside of what may be read."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search import model
from tests.search.shelf import newest_first, opened, pages, until

from ipcchat.search.query import Query, QueryError

_WORDS = [
    *("socket", "Sockets", "sock", "pocket", "Café", "CAFE", "cafe\u0301s", "straße", "STRASSEN"),
    *("東京", "東京都に", "京都", "東", "とうきょう", "서울에", "서울", "İstanbul", "ısı", "ISI"),
    *("мёд", "МЕД", "λόγος", "ΛΟΓΟΣ", "سلام", "السلام", "a", "pc", "up", "upper", "c++", "a.b"),
    *("foo_bar", "🎉", "#lab", "https://ex.org/a?b=c", "x²", "NEAR", "AND", "OR", "*", "ﬁne"),
]
_JOINTS = [" ", " ", " ", "", ".", "-", "\n", '"', "'", "\x00", "🎉"]
words = st.one_of(st.sampled_from(_WORDS), st.text("aeé東京と ._", max_size=4))
texts = st.lists(st.tuples(words, st.sampled_from(_JOINTS)), max_size=6).map(
    lambda pairs: "".join(word + joint for word, joint in pairs)
)
searched = st.lists(
    st.one_of(words, st.tuples(words, words).map(" ".join)).map(lambda term: term.replace('"', "")),
    min_size=1,
    max_size=3,
)


def quoted(term: str) -> bool:
    """Whether it has to be, or is for a change."""
    return not term or any(character.isspace() for character in term) or len(term) % 2 == 0


@given(st.lists(texts, min_size=1, max_size=12), st.lists(searched, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_what_is_found_is_what_the_model_finds(said: list[str], asked: list[list[str]]) -> None:
    async def run() -> None:
        async with opened(None) as shelf:
            await shelf.say(*said)
            for wanted in asked:
                usable = [term for term in wanted if model.parts(term)]
                text = " ".join(f'"{term}"' if quoted(term) else term for term in wanted)
                if not usable:
                    with pytest.raises(QueryError):
                        await shelf.search(text)
                    continue
                kept = [
                    all(model.matches(term, text, quoted(term)) for term in usable) for text in said
                ]
                assert await pages(shelf, text, 5) == newest_first(shelf, kept), (said, text)

    asyncio.run(run())


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["red", "blue red", "blue"]))
        | st.tuples(st.integers(1, 4), st.sampled_from(["red", "東 red"])),
        min_size=1,
        max_size=40,
    ),
    st.lists(st.integers(1, 30), min_size=40, max_size=40),
    st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 12), st.integers(0, 14)), max_size=6),
    st.integers(1, 7),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_nothing_is_found_outside_of_what_may_be_read(
    said: list[tuple[int, str]],
    times: list[int],
    ranges: list[tuple[int, int, int]],
    limit: int,
    on_disk: bool,
) -> None:
    async def run(folder: Path | None) -> None:
        async with opened(folder) as shelf:
            for (room, text), time in zip(said, times, strict=False):
                shelf.make(text, room, by=room % 2 + 1, time=time)
            shelf.commit(shelf.entries)
            await until(shelf.index)

            async def check(text: str, by: int, after: int, before: int) -> None:
                query, at, found = Query(text, by, after, before), "", []
                while True:
                    page = await shelf.index.search(query, ranges, limit, at)
                    assert not page.cut
                    found += page.places
                    if not (at := page.next):
                        break
                kept = [
                    any(e.room == room and low <= e.seq <= high for room, low, high in ranges)
                    and text in e.text
                    and by in (0, e.by)
                    and after <= e.time < (before or 99)
                    for e in shelf.entries
                ]
                assert found == newest_first(shelf, kept)

            for text, by, after, before in (
                ("red", 0, 0, 0),
                ("re", 0, 0, 0),
                ("", 1, 0, 0),
                ("", 0, 7, 0),
                ("", 0, 0, 20),
                ("blue", 2, 5, 25),
                ("東", 0, 3, 0),
            ):
                await check(text, by, after, before)

    if on_disk:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(run(Path(folder)))
    else:
        asyncio.run(run(None))
