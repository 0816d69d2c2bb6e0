"""A row for each message that was found: in its columns, with the words in sight, on one row."""

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.glass import cells, flat

from ipcchat.clock import now
from ipcchat.entries import Entry
from ipcchat.paint.cells import columns
from ipcchat.paint.hits import HitRows, Marks
from ipcchat.paint.row import Row
from ipcchat.text import clean_line, clean_text
from ipcchat.tui.results import where

NAMES = {1: "#lab", 2: "@bob", 3: "#密室の部屋の長い名前"}
NOON = now().replace(hour=12, minute=5, second=0, microsecond=0)


def entry(text: str, *, days: int = 0, room: int = 1, nick: str = "bob", style: str = "") -> Entry:
    time = round((NOON - timedelta(days=days)).timestamp() * 1000)
    return Entry(room, 1, time, 2, nick, "message", "0" * 32, text, style=style)


def marks(query: str) -> Marks:
    return lambda text: where(text, query)


def rows(*entries: Entry, width: int = 80, query: str = "port", selected: int = -1) -> list[Row]:
    maker = HitRows(marks(query), NAMES.__getitem__, lambda account: False, "%H:%M")
    maker.lay(entries, width)
    return [maker.row(one, width, at == selected) for at, one in enumerate(entries)]


def found(row: Row) -> list[str]:
    """The pieces that stand out."""
    return [text for style, text in row.parts if "found" in style.split()]


def test_a_row_has_time_room_nick_and_text() -> None:
    today, before = rows(entry("a port is free"), entry("port 1", days=2, room=2))
    day = NOON - timedelta(days=2)
    assert re.fullmatch(r"  \s*12:05 #lab +bob │ a port is free", flat(today))
    assert f"{day.day} {day:%b}" in flat(before)
    assert "12:05 @bob" in flat(before)
    assert flat(today).index("│") == flat(before).index("│")


def test_in_a_small_window_another_day_stands_for_its_time() -> None:
    (row,) = rows(entry("port", days=2), width=40)
    day = NOON - timedelta(days=2)
    assert f"{day.day} {day:%b}" in flat(row) or f"{day:%b %Y}" in flat(row)
    assert "12:05" not in flat(row)


def test_another_year_is_said() -> None:
    day = NOON - timedelta(days=400)
    for width in (40, 80):
        (row,) = rows(entry("port", days=400), width=width)
        assert f"{day:%b %Y}" in flat(row)


def test_the_words_stand_out_also_in_the_selected_row() -> None:
    for selected in (-1, 0):
        (row,) = rows(
            entry("Port PORT\nreport p\u00f6rt"), selected=selected, query="port from:bob"
        )
        assert found(row) == ["Port", "PORT", "port", "p\u00f6rt"]
        assert flat(row).startswith("> " if selected == 0 else "  ")


def test_words_far_behind_are_in_sight() -> None:
    for long in ("word " * 200, "\u65e5\u672c\u8a9e " * 200, "x" * 900):
        for width in (40, 80, 200):
            (row,) = rows(entry(f"{long}port{long}"), width=width)
            assert found(row) == ["port"], (width, flat(row))
            assert "…" in flat(row)
            assert row.width <= width


TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(
        "port \u65e5\u672c\U0001f469\u200d\U0001f467\U0001f1e9\U0001f1ea\u05e9\u0301\u0645\u0631",
        max_size=200,
    ),
)


@given(
    TEXTS, TEXTS, st.integers(1, 120), st.sampled_from(["port", "p", "\u65e5", "nothing", "\u0645"])
)
def test_a_row_is_never_wider_than_it_may_be(text: str, nick: str, width: int, query: str) -> None:
    text, nick = clean_text(text), clean_line(nick)
    text, nick = clean_text(text), clean_line(nick)
    several = [entry(text, nick=nick, room=room, days=room) for room in NAMES]
    for row in rows(*several, width=width, query=query, selected=1):
        assert row.width <= width
        assert "\n" not in row.text
        cells(row)
        for style, piece in row.parts:
            if "found" in style.split():
                assert columns(piece)


@given(TEXTS)
def test_a_text_that_fits_is_there_whole(text: str) -> None:
    (row,) = rows(entry(clean_text(text)), width=1000)
    assert "…" not in flat(row) or "…" in text
