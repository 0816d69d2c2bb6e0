"""Queries: how their text is taken apart, and what is refused in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.search import model

from ipcchat.search.fold import fold, runs
from ipcchat.search.query import MOST_CHARACTERS, MOST_TERMS, Query, QueryError, terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one two", [("one",), ("two",)]),
        ('"one two" three', [("one", "two"), ("three",)]),
        ('"not closed', [("not", "closed")]),
        ('a"b c"d', [("a",), ("b", "c"), ("d",)]),
        ("one One ONE", [("one",)]),
        ("foo_bar", [("foo", "bar")]),
        ("c++", [("c",)]),
        ("#lab", [("lab",)]),
        ("https://example.org/a?b=c", [("https", "example", "org", "a", "b", "c")]),
        ('"" word 🎉', [("word",)]),
        ("Café STRASSE straße", [("cafe",), ("strasse",)]),
        ("İstanbul ISI ısı", [("istanbul",), ("isi",)]),
        ("Łódź Smørrebrød Æsir", [("lodz",), ("smorrebrod",), ("aesir",)]),
        ("ΛΌΓΟΣ λόγος", [("λογοσ",)]),
        ("Ёлка", [("елка",)]),
        ("東京タワーtower", [("東京タワー", "tower")]),
        ("ﾊﾟﾝ", [("パン",)]),
        ("か\u3099", [("が",)]),
        ("हिन्दी", [("हिन्दी",)]),
        ("so\xadck\u200bet", [("socket",)]),
        ("", []),
        ("   ", []),
    ],
)
def test_a_text_is_taken_apart(text: str, found: list[tuple[str, ...]]) -> None:
    assert [term.runs for term in terms(text)] == found


@pytest.mark.parametrize(
    ("text", "whole"),
    [('"one two"', True), ('"one two', False), ("one_two", False), ('"one"', False)],
)
def test_a_quote_ends_the_last_word(text: str, whole: bool) -> None:
    assert [term.whole for term in terms(text)] == [whole]


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": " \t "},
        {"text": "?!"},
        {"text": "🎉", "by": 1},
        {"text": '""'},
        {"text": "x" * (MOST_CHARACTERS + 1)},
        {"text": " ".join(map(str, range(MOST_TERMS + 1)))},
        {"text": "a." * 100},
        {"text": "x", "by": -1},
        {"text": "x", "after": 1 << 60},
        {"text": "x", "after": 2, "before": 2},
    ],
)
def test_a_bad_query_is_one_line_and_a_hint(wrong: dict[str, object]) -> None:
    with pytest.raises(QueryError) as caught:
        Query(**wrong)  # type: ignore[arg-type]
    assert caught.value.code == "bad_query"
    assert caught.value.hint
    assert "\n" not in caught.value.text


def test_an_author_or_a_time_is_enough() -> None:
    for wanted in (Query("", by=1), Query("", 0, 1), Query("", 0, 0, 1), Query("", narrowed=True)):
        assert wanted.text == ""


@given(st.text())
def test_folding_crashes_nowhere_and_changes_nothing_twice(text: str) -> None:
    words = runs(text)
    assert runs(" ".join(words)) == words
    assert all(words)
    assert not set(fold(text)) & set('"*\x00:^(){}+-')


@given(st.text(alphabet="aAéÉßςΣИй東京とが서울سلام1²_.-🎉 \x00ﬁ"))
def test_runs_are_those_of_the_model(text: str) -> None:
    assert runs(text) == [run for _, run in model.parts(text)]
