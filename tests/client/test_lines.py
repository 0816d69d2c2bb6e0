"""The lines of a room are a list, however they are kept."""

import gc
import time
from itertools import islice

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.client.peer import entry

from ipcchat.client.lines import Line, Lines, Notice
from ipcchat.entries import Entry

WORDS = st.text(st.characters(codec="utf-8"), max_size=4)
ENTRIES = st.builds(
    Entry,
    room=st.integers(0, 2**53),
    seq=st.integers(0, 2**64),
    time=st.integers(0, 2**53),
    by=st.integers(-5, 2**70),
    nick=WORDS,
    kind=st.sampled_from(["message", "topic", "\u00fcnknown"]),
    draft=st.one_of(
        st.sampled_from(["0" * 32, "a1" * 16, "A1" * 16, " " * 32, "0" * 31, "0" * 64, "g" * 32]),
        st.text("0123456789abcdef ", min_size=32, max_size=32),
    ),
    text=st.one_of(WORDS, st.just("\ud800")),
    style=st.sampled_from(["", "me"]),
    target=st.integers(0, 9),
)
LINES = st.one_of(
    st.integers(1, 10**6).map(entry), ENTRIES, st.builds(Notice, st.integers(0, 9), WORDS)
)
PLACES = st.integers(-70, 70)


class Listing(RuleBasedStateMachine):
    """The lines, with small pages, beside a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines(hot=6, page=4)
        self.list: list[Line] = []

    @rule(more=st.lists(LINES, max_size=9))
    def append(self, more: list[Line]) -> None:
        for line in more:
            self.lines.append(line)
        self.list += more

    @rule(more=st.lists(LINES, max_size=13))
    def prepend(self, more: list[Line]) -> None:
        self.lines.prepend(more)
        self.list[:0] = more

    @rule(count=st.integers(0, 15))
    def forget(self, count: int) -> None:
        self.lines.forget(count)
        del self.list[:count]

    @rule(index=PLACES, line=LINES)
    def replace(self, index: int, line: Line) -> None:
        if -len(self.list) <= index < len(self.list):
            self.lines[index] = self.list[index] = line
        else:
            with pytest.raises(IndexError):
                self.lines[index] = line

    @rule(index=PLACES)
    def one(self, index: int) -> None:
        if -len(self.list) <= index < len(self.list):
            line = self.list[index]
            assert self.lines[index] == line
            assert not isinstance(line, Notice) or self.lines[index] is line
        else:
            with pytest.raises(IndexError):
                self.lines[index]

    @rule(
        start=st.none() | PLACES,
        stop=st.none() | PLACES,
        step=st.none() | st.integers(-7, 7).filter(bool),
    )
    def some(self, start: int | None, stop: int | None, step: int | None) -> None:
        assert self.lines[start:stop:step] == self.list[start:stop:step]

    @rule(start=st.integers(0, 60), stop=st.integers(0, 60))
    def said(self, start: int, stop: int) -> None:
        assert self.lines.texts(start, stop) == [
            line.text if isinstance(line, Entry) else None for line in self.list[start:stop]
        ]

    @rule(count=st.integers(0, 30))
    def last(self, count: int) -> None:
        assert list(islice(reversed(self.lines), count)) == self.list[::-1][:count]

    @rule(line=LINES)
    def copied(self, line: Line) -> None:
        """What becomes of a copy does not show in the lines, nor the other way round."""
        copy, now = self.lines.copy(), list(self.list)
        copy.append(line)
        copy.prepend([line])
        if self.list:
            self.lines[0] = self.list[0] = line
            copy[-1] = entry(7)
        assert list(copy)[:-1] == [line, *now]

    @invariant()
    def the_same(self) -> None:
        assert len(self.lines) == len(self.list)
        assert bool(self.lines) == bool(self.list)
        assert list(self.lines) == self.list


TestListing = Listing.TestCase


def test_the_newest_are_the_same_objects() -> None:
    every = [entry(seq) for seq in range(1, 3001)]
    lines = Lines(every, hot=1000, page=100)
    assert all(a is b for a, b in zip(lines[-1000:], every[-1000:], strict=True))
    assert lines[10] is lines[11 - 1]  # a page that was read stays for a while
    assert lines[10] is not every[10]


def test_what_is_unpacked_shares_its_nicks() -> None:
    lines = Lines((entry(seq) for seq in range(1, 3001)), hot=100, page=100)
    assert len({id(line.nick) for line in lines[:2000] if isinstance(line, Entry)}) == 1


def test_pages_read_are_unpacked_for_a_while_only() -> None:
    gc.collect()
    lines = Lines((entry(seq) for seq in range(1, 20_001)), hot=100, page=100)
    first = lines[0]
    for index in range(0, 19_000, 100):
        assert lines[index] == entry(index + 1)
    assert lines[0] == first
    assert lines[0] is not first


def test_a_hundred_thousand_lines_are_gone_through_in_a_moment() -> None:
    lines = Lines(entry(seq, "some words that are said") for seq in range(1, 100_001))
    start = time.perf_counter()
    count = sum("that" in (text or "") for text in lines.texts(0, 100_000))
    middle = time.perf_counter()
    assert count == 100_000
    assert sum(1 for _ in lines) == 100_000
    assert middle - start < 0.1
    assert time.perf_counter() - middle < 0.5
