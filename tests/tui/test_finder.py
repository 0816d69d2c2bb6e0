"""Search as one types: what a naive search finds, however the work is sliced."""

import time
from collections.abc import Callable
from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.peer import EPOCH, entry
from wcwidth import iter_graphemes

from ipcchat.client.lines import Lines
from ipcchat.client.room import Notice, RoomView
from ipcchat.entries import Entry
from ipcchat.text import clean_line, fold
from ipcchat.tui.finder import MAX_QUERY, Finder, loose, spans

AFTER = 1000
SLOW = "\u0436" * 2100
"""A line that ends a slice of its own."""


def room(*texts: str) -> RoomView:
    made = RoomView(1, "#lobby")
    made.place(EPOCH, AFTER, 1, resumed=False)
    append(made, *texts)
    return made


def append(to: RoomView, *texts: str) -> None:
    for text in texts:
        to.take(entry(to.seq + 1, text))


def prepend(to: RoomView, *texts: str) -> None:
    page = [entry(to.start - index, text) for index, text in enumerate(reversed(texts))]
    assert to.prepend(page[::-1], 1) == len(texts)


def newest(of: RoomView) -> int:
    return of.first_key + len(of.lines) - 1


def finder(of: RoomView) -> Finder:
    return Finder(of, newest(of))


def finish(search: Finder) -> int | None:
    for _ in range(100_000):
        if search.step(0):
            return search.position
    raise AssertionError("it never ends")


def found(search: Finder) -> str | None:
    """The text of the line that was found."""
    key = finish(search)
    if key is None:
        return None
    line = search.room.lines[key - search.room.first_key]
    assert isinstance(line, Entry)
    return line.text


def fits(text: str, query: str) -> bool:
    return bool(query) and (
        query in text if query != query.lower() else loose(query) in loose(text)
    )


def keys(of: RoomView, query: str) -> list[int]:
    """Every line with the query, by looking at all of them."""
    return [
        of.first_key + index
        for index, line in enumerate(of.lines)
        if isinstance(line, Entry) and fits(line.text, query)
    ]


def older(of: RoomView, query: str, most: int) -> int | None:
    return max((key for key in keys(of, query) if key <= most), default=None)


def beside(of: RoomView, query: str, base: int, by: int) -> int | None:
    """The next one from `base`, around the ends."""
    every = keys(of, query)
    if by < 0:
        return max((key for key in every if key < base), default=max(every, default=None))
    return min((key for key in every if key > base), default=min(every, default=None))


# --- where --------------------------------------------------------------------------------


def test_the_newest_match_is_found_as_one_types() -> None:
    search = finder(room("port", "post", "pint", "other"))
    search.type("p")
    assert found(search) == "pint"
    search.type("o")
    assert found(search) == "post"
    search.type("r")
    assert found(search) == "port"
    search.backspace()
    assert found(search) == "post"
    search.query = ""
    assert found(search) is None


def test_lines_below_the_bottom_are_found_by_going_on() -> None:
    lines = room("a 0", "a 1", "b", "a 2")
    search = Finder(lines, lines.first_key + 2)
    search.type("a")
    assert found(search) == "a 1"
    search.again(1)
    assert (found(search), search.wrapped) == ("a 2", False)
    search.again(1)
    assert (found(search), search.wrapped) == ("a 0", True)
    search.again(-1)
    assert (found(search), search.wrapped) == ("a 2", True)
    search.again(-1)
    assert (found(search), search.wrapped) == ("a 1", False)


def test_what_is_only_below_is_found_by_asking_again() -> None:
    for by in (-1, 1):
        lines = room("b", "b", "a")
        search = Finder(lines, lines.first_key + 1)
        search.type("a")
        assert found(search) is None
        search.again(by)
        assert found(search) == "a"


def test_the_only_match_is_found_again() -> None:
    search = finder(room("x", "only", "y"))
    search.type("only")
    assert found(search) == "only"
    search.again(-1)
    assert (found(search), search.wrapped) == ("only", True)


def test_moves_wait_for_the_search() -> None:
    search = finder(room("a 1", SLOW, "a 2", SLOW, "a 3", SLOW))
    search.type("a")
    search.again(-1)
    search.again(-1)
    assert found(search) == "a 1"


def test_typing_goes_on_from_where_one_went() -> None:
    search = finder(room("ab 1", "ac", "ab 2", "ab 3"))
    search.type("a")
    for _ in range(2):
        search.again(-1)
    assert found(search) == "ac"
    search.type("b")
    assert found(search) == "ab 1"
    search.backspace()  # and a shorter one starts over
    assert found(search) == "ab 3"


def test_going_on_where_typing_found_nothing_leads_around() -> None:
    search = finder(room("a", "ab"))
    search.type("a")
    search.again(-1)
    assert found(search) == "a"
    search.type("b")
    assert found(search) is None
    search.again(-1)
    assert (found(search), search.wrapped) == ("ab", True)


def test_older_lines_are_searched_when_they_come() -> None:
    lines = room("x")
    search = finder(lines)
    search.type("old")
    assert found(search) is None
    prepend(lines, "an old one", "y")
    assert not search.done
    assert found(search) == "an old one"


def test_notices_and_lines_that_do_not_show_are_passed_over() -> None:
    lines = room("word 1", "word 2")
    lines.note(Notice(0, "word 3"))
    search = Finder(lines, newest(lines), shows=lambda said: said.text != "word 2")
    search.type("word")
    assert found(search) == "word 1"


def test_what_is_gone_is_not_found() -> None:
    lines = room(*(f"a {number}" for number in range(20)))
    lines.limit = 20
    search = Finder(lines, lines.first_key + 1)
    search.type("a")
    assert found(search) == "a 1"
    append(lines, "the last")
    assert search.position is None
    search.again(-1)
    assert (found(search), search.wrapped) == ("the last", True)


@pytest.mark.parametrize("ends", [RoomView.clear, RoomView.restart])
def test_a_room_that_starts_over_meanwhile(ends: Callable[[RoomView], None]) -> None:
    lines = room("a 1", SLOW, "b")
    search = finder(lines)
    search.type("a")
    search.step(0)
    ends(lines)
    assert finish(search) is None
    search.again(-1)
    assert finish(search) is None
    lines.place(EPOCH, 5, 1, resumed=False)
    append(lines, "a 2")
    search.again(1)
    assert found(search) == "a 2"


def test_an_empty_room() -> None:
    search = finder(RoomView(1, "#lobby"))
    assert search.done
    search.type("a")
    for by in (-1, 1):
        search.again(by)
        assert finish(search) is None
    search.backspace()
    search.backspace()
    assert search.query == ""


@pytest.mark.parametrize("query", ["\u0301", "\ufe0f", "\u200b", ""])
def test_a_query_of_nothing_finds_nothing(query: str) -> None:
    search = finder(room("abc", "\u00e9"))
    search.type(query)
    assert finish(search) is None
    assert spans("e\u0301", query) == []


def test_a_query_is_bounded_and_one_clean_line() -> None:
    search = finder(room("x"))
    search.type("a\n\x1b[31m" + "b" * 5000)
    assert len(search.query) == MAX_QUERY
    assert search.query.isprintable()


# --- what fits ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "query", "there"),
    [
        ("Anyone GOT port", "got", [(7, 10)]),
        ("Anyone GOT port", "Got", []),
        ("Anyone GOT port", "GOT", [(7, 10)]),
        ("abababa", "aba", [(0, 3), (4, 7)]),
        ("aaaa", "aa", [(0, 4)]),
        ("die Straße dort", "strasse", [(4, 10)]),
        ("die Straße dort", "s", [(4, 5), (8, 9)]),
        ("STRASSE", "straße", [(0, 7)]),
        ("in İstanbul", "ist", [(3, 6)]),
        ("İİ x", "x", [(3, 4)]),
        ("un café noir", "cafe", [(3, 7)]),
        ("un cafe noir", "café", [(3, 7)]),
        ("cafe\u0301!", "e!", [(3, 6)]),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", [(0, 7)]),
        ("\ufb01sh", "fi", [(0, 1)]),
        ("a \U0001f469\u200d\U0001f467 b", "\U0001f467", [(2, 5)]),
        ("\ud55c\uad6d", "\ud558", [(0, 1)]),
        ("naïve", "Naïve", []),
    ],
)
def test_where_a_query_is(text: str, query: str, there: list[tuple[int, int]]) -> None:
    assert spans(text, query) == there
    search = finder(room(text))
    search.type(query)
    assert (finish(search) is not None) == bool(there)


LETTERS = st.text(
    "aAbsS\u00df\u00e9e\u0130iI\u0131\u0301\u0316\u0345\u03c3\u03c2\u1fb3"
    "\uac00\u1102 \ufe0f\u200d\U0001f469\U0001f1e9",
    max_size=12,
)


@given(st.one_of(LETTERS, st.text()))
def test_what_counts_is_the_fold_without_accents(text: str) -> None:
    folded = normalize("NFD", fold(text))
    assert loose(text) == "".join(char for char in folded if not 0x300 <= ord(char) < 0x370)
    assert loose(text) == "".join(map(loose, iter_graphemes(text)))


@given(st.one_of(LETTERS, st.text()).map(clean_line), LETTERS.map(clean_line))
def test_spans_are_where_the_finder_finds(text: str, query: str) -> None:
    there = spans(text, query)
    assert bool(there) == fits(text, query if loose(query) else "")
    ends = [0, *(edge for span in there for edge in span), len(text) + 1]
    assert all(before < after for before, after in pairwise(ends[1:]))
    assert ends[1] >= 0
    assert ends[-2] <= len(text)
    for start, end in there:
        assert fits(text[start:end], query)


# --- whatever happens meanwhile -----------------------------------------------------------

TEXTS = st.lists(
    st.sampled_from(["a", "b", "ab", "aB", "\u00e1b", "abc", "ac", "-", SLOW]), max_size=4
)
STEPS = st.one_of(
    st.tuples(st.just("type"), st.sampled_from(["a", "b", "B", "c", "\u00e1"])),
    st.tuples(st.sampled_from(["append", "prepend"]), TEXTS),
    st.tuples(st.just("again"), st.sampled_from([-1, 1])),
    st.sampled_from([("step", 0), ("note", 0), ("back", 0)]),
)


def extends(longer: str, shorter: str) -> bool:
    exact = [query != query.lower() for query in (longer, shorter)]
    return bool(shorter) and exact[0] == exact[1] and longer.startswith(shorter)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 3), st.lists(STEPS, max_size=25))
def test_it_agrees_with_a_naive_search(
    texts: list[str], up: int, happens: list[tuple[str, object]]
) -> None:
    lines = room(*texts)
    bottom = base = newest(lines) - up
    search = Finder(lines, bottom)
    for what, given_ in happens:
        before = search.query
        match what, given_:
            case "type", str(text):
                search.type(text)
            case "back", _:
                search.backspace()
            case "append", list(more):
                append(lines, *more)
            case "prepend", list(more):
                prepend(lines, *more)
            case "note", _:
                lines.note(Notice(0, "ab"))
            case "again", int(by):
                finish(search)
                here = older(lines, search.query, base)
                assert search.position == here
                if here is not None:
                    expected = beside(lines, search.query, here, by)
                else:  # there is none up to the bottom: both ways lead to what is below
                    expected = beside(lines, search.query, base + (by < 0), by)
                search.again(by)
                assert finish(search) == expected
                if expected is not None:
                    base = expected
            case _:
                search.step(0)
        if search.query != before and not extends(search.query, before):
            base = bottom
    assert finish(search) == older(lines, search.query, base)


@settings(deadline=None)
@given(
    TEXTS,
    st.sampled_from([-1, 1]),
    st.lists(st.tuples(st.sampled_from(["append", "prepend", "step"]), TEXTS), max_size=8),
)
def test_a_move_finds_what_was_next_at_some_time(
    texts: list[str], by: int, happens: list[tuple[str, list[str]]]
) -> None:
    lines = room("a", *texts)
    search = finder(lines)
    search.type("a")
    here = finish(search)
    assert here is not None
    search.again(by)
    could = {beside(lines, "a", here, by)}
    for what, more in happens:
        if what == "step":
            if search.step(0):
                break
        else:
            {"append": append, "prepend": prepend}[what](lines, *more)
            could.add(beside(lines, "a", here, by))
    assert finish(search) in could


# --- how fast -----------------------------------------------------------------------------


def test_a_slice_keeps_to_its_budget() -> None:
    lines = room(*["some words that are said"] * 2000)
    search = finder(lines)
    search.type("absent")
    now = iter(range(1000))
    assert not search.step(3, clock=lambda: float(next(now)))
    assert next(now) == 4  # at the start, and after each of three stretches
    assert finish(search) is None
    assert search.step(0)


def test_a_million_lines_are_searched_in_a_moment() -> None:
    line = entry(1, "the Quick brown fox jumps over the lazy dog and then goes home again!!")
    lines = RoomView(1, "#lobby")
    lines.lines = Lines([line] * 1_000_000)
    search = finder(lines)
    search.type("absent")
    slices = []
    done = False
    while not done:
        start = time.perf_counter()
        done = search.step(0.003)
        slices.append(time.perf_counter() - start)
    assert sum(slices) < 1.5
    assert sorted(slices)[len(slices) // 2] < 0.004
