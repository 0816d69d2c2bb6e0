"""What is typed behind `/search`: words, and what narrows them, in the user's own time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcchat.actions.query import OPERATORS, Query, parse_query
from ipcchat.errors import UsageError

DAY = 86_400_000


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Summer time ended there on 25 October 2026."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def now() -> datetime:
    return datetime(2026, 11, 21, 16, 30, 15, tzinfo=UTC).astimezone()


def ms(*parts: int) -> int:
    """That time in UTC, in milliseconds."""
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


TODAY = ms(2026, 11, 20, 23)


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("two  words", Query("two words")),
        ('say "two  words" again', Query('say "two  words" again')),
        ('"from:bob said" hi', Query('"from:bob said" hi')),
        ('5" disk', Query('5" disk')),
        ("http://x/a:b a:b c: :d 12:30", Query("http://x/a:b a:b c: :d 12:30")),
        ("fromage inbox aftermath", Query("fromage inbox aftermath")),
        ("東京 from:bob", Query("東京", "bob")),
        ("from:@bob hi", Query("hi", "bob")),
        ("FROM:Bob", Query("", "Bob")),
        ("in:#lab x", Query("x", room="#lab")),
        ("x in:lab", Query("x", room="#lab")),
        ("x in:@bob", Query("x", room="@bob")),
        ("x after:2026-11-01", Query("x", after=ms(2026, 10, 31, 23))),
        ("x after:2026-07-01", Query("x", after=ms(2026, 6, 30, 22))),  # in summer time
        ("x before:2026-11-01T14:00", Query("x", before=ms(2026, 11, 1, 13))),
        ("x before:2026-11-01t14:00:05", Query("x", before=ms(2026, 11, 1, 13, 0, 5))),
        ("x after:today", Query("x", after=ms(2026, 11, 20, 23))),
        ("after:Yesterday", Query(after=ms(2026, 11, 19, 23))),
        ("after:2d before:today", Query("", "", "", ms(2026, 11, 19, 16, 30, 15), TODAY)),
        ("x after:2h", Query("x", after=ms(2026, 11, 21, 14, 30, 15))),
        ("x before:7d", Query("x", before=ms(2026, 11, 14, 16, 30, 15))),
        ("x after:30M", Query("x", after=ms(2026, 11, 21, 16, 0, 15))),
        ("x after:1w", Query("x", after=ms(2026, 11, 14, 16, 30, 15))),
        ("x after:99999w", Query("x", after=1)),
        ("x after:1969-01-01", Query("x", after=1)),
        ("x before:9999-12-30", Query("x", before=253_370_764_800_000)),
        ("a from:bob in:#lab b after:today c", Query("a b c", "bob", "#lab", TODAY)),
    ],
)  # fmt: skip
def test_words_and_what_narrows_them(typed: str, query: Query) -> None:
    assert parse_query(typed, now()) == query


def test_yesterday_begins_at_midnight_although_the_clocks_were_changed() -> None:
    monday = datetime(2026, 10, 26, 12, tzinfo=UTC).astimezone()
    assert parse_query("after:yesterday", monday).after == ms(2026, 10, 24, 22)
    assert parse_query("after:today", monday).after == ms(2026, 10, 25, 23)


@pytest.mark.parametrize(
    ("typed", "text", "hint"),
    [
        ("from:a from:b", "from: can be there once", "search once for each"),
        ("in:a x IN:b", "in: can be there once", "search once for each"),
        ("after:1d after:2d", "after: can be there once", "search once for each"),
        ("from: bob", "from: has nothing behind it", 'it is from:bob, and in quotes a word: "fr'),
        ("x in:", "in: has nothing behind it", "it is in:#lab or in:@bob, and in quotes a word"),
        ("x before:", "before: has nothing behind it", "it is before:2026-11-01, and in quotes"),
        ("from:@", "from:@ has nothing behind it", "it is from:bob"),
        ("in:a/b", "in:a/b: a room's name has none of", "it is in:#lab or in:@bob"),
        ("in:@", "in:@: a room's name begins with", "it is in:#lab or in:@bob"),
        ("after:soon", "after:soon is no time", "a time is 2026-11-01"),
        ("after:2026-11-31", "after:2026-11-31 is no time", "a time is 2026-11-01"),
        ("after:2026-1-1", "after:2026-1-1 is no time", "a time is"),
        ("after:20261101", "after:20261101 is no time", "a time is"),
        ("after:0001-01-01", "after:0001-01-01 is no time", "a time is"),
        ("after:2026-11-01T25:00", "after:2026-11-01T25:00 is no time", "a time is"),
        ("after:0d", "after:0d is no time", "a time is"),
        ("before:7", "before:7 is no time", "a time is"),
        ("before:٢d", "before:٢d is no time", "a time is"),
        ("after:\x1b[2J", "after:\ufffd[2J is no time", "a time is"),
        ("after:1d before:2d", "nothing is after that and before that", "after: has the earlier"),
        ("after:today before:today", "nothing is after that and before that", "after: has"),
    ],
)  # fmt: skip
def test_mistakes_have_a_hint(typed: str, text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_query(typed, now())
    assert caught.value.text.startswith(text)
    assert caught.value.hint.startswith(hint)


PLAIN = st.from_regex(r"[a-z0-9ßあ.-]{1,9}", fullmatch=True)


@given(st.text())
def test_anything_is_a_query_or_a_mistake(typed: str) -> None:
    try:
        query = parse_query(typed, now())
    except UsageError as error:
        assert error.text
        assert error.hint
        assert "\n" not in str(error)
        return
    assert "\n" not in query.words
    assert not query.before or query.after < query.before


@given(
    st.lists(PLAIN), st.permutations(["from:bob", "in:#lab", "after:2d", "before:1d"]), st.data()
)
def test_operators_stand_anywhere(
    words: list[str], operators: list[str], data: st.DataObject
) -> None:
    typed = list(words)
    for operator in operators:
        typed.insert(data.draw(st.integers(0, len(typed))), operator)
    query = parse_query(" ".join(typed), now())
    assert query.words == " ".join(words)
    assert (query.nick, query.room, query.before - query.after) == ("bob", "#lab", DAY)


@given(st.sampled_from(OPERATORS), PLAIN)
def test_what_is_in_quotes_is_a_word(operator: str, value: str) -> None:
    quoted = f'"{operator}{value}"'
    query = parse_query(quoted, now())
    assert query.words
    assert query == Query(query.words)
