"""Wrapping loses nothing, splits no cluster, and never makes a row too wide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from ipcchat.paint.cells import clip, clusters, columns, span
from ipcchat.paint.wrap import wrap
from ipcchat.text import clean_text

_MIXED = st.text(alphabet=st.sampled_from("ab  xyz日本🎉é\t\n🇩🇪👨‍👩‍👧❤️क्षمی\u200cخ"), max_size=120)


def _wide(text: str) -> int:
    return sum(map(span, clusters(text)))


@given(st.one_of(st.text(max_size=200), _MIXED), st.integers(2, 40))
def test_rows_fit_and_nothing_is_lost(raw: str, columns_: int) -> None:
    text = clean_text(raw)
    rows = wrap(text, columns_)
    for shown in rows:
        assert _wide(shown) <= columns_
    assert "".join("".join(rows).split()) == "".join(text.split())


@given(_MIXED, st.integers(2, 40))
def test_no_cluster_is_split(raw: str, columns_: int) -> None:
    text = clean_text(raw).replace("\t", " ")  # else a mark after it joins a space of ours
    clusters = [c for line in text.split("\n") for c in iter_graphemes(line) if not c.isspace()]
    shown = [c for part in wrap(text, columns_) for c in iter_graphemes(part) if not c.isspace()]
    assert shown == clusters


@given(st.text(alphabet="abc def", max_size=100), st.integers(1, 30))
def test_ascii_and_other_text_are_wrapped_alike(text: str, columns_: int) -> None:
    # A wide letter at the end sends the same words the other way.
    other = wrap(text.replace("a", "ä"), columns_)
    assert [part.replace("ä", "a") for part in other] == wrap(text, columns_)


@pytest.mark.parametrize(
    ("text", "columns_", "rows"),
    [
        ("", 10, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 8, ["one two", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("a\nb", 10, ["a", "b"]),
        ("a\tb", 20, ["a       b"]),
        ("日本語", 4, ["日本", "語"]),
        ("🇩🇪🇫🇷", 2, ["🇩🇪", "🇫🇷"]),
        ("👨‍👩‍👧‍👦 ok", 5, ["👨‍👩‍👧‍👦 ok"]),
    ],
)
def test_examples(text: str, columns_: int, rows: list[str]) -> None:
    assert wrap(text, columns_) == rows


def test_a_cluster_has_its_own_width() -> None:
    text = "a日🇩🇪👨‍👩‍👧‍👦❤️é"
    assert [(cluster, span(cluster)) for cluster in clusters(text)] == [
        ("a", 1),
        ("日", 2),
        ("🇩🇪", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("❤️", 2),
        ("é", 1),
    ]
    assert columns(text) == 10
    assert [clip(text, most) for most in (0, 2, 3, 5, 9)] == [
        "",
        "a",
        "a日",
        "a日🇩🇪",
        "a日🇩🇪👨‍👩‍👧‍👦❤️",
    ]
