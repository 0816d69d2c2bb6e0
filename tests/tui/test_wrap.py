"""Wrapping loses nothing, splits no cluster, and never makes a row too wide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from ipcchat.text import clean_text
from ipcchat.tui.cells import cells, columns, row
from ipcchat.tui.wrap import wrap

_MIXED = st.text(alphabet=st.sampled_from("ab  xyz日本🎉é\t\n🇩🇪👨‍👩‍👧❤️क्षمی\u200cخ"), max_size=120)


def _wide(text: str) -> int:
    return sum(part.width for part in cells(text, ""))


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


def test_cells_have_the_width_of_their_cluster() -> None:
    text = "a日🇩🇪👨‍👩‍👧‍👦❤️é"
    assert [(cell.char, cell.width) for cell in cells(text, "")] == [
        ("a", 1),
        ("日", 2),
        ("🇩🇪", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("❤️", 2),
        ("é", 1),
    ]
    assert columns(text) == 10
    laid = row(cells("日b", ""))
    assert [laid[column].char for column in sorted(laid)] == ["日", "", "b"]
    assert [laid[column].width for column in (0, 2)] == [2, 1]
