"""The list of what was found: moved in, paged, chosen from, and never a wrong place."""

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.glass import flat

from ipcchat.client.model import Model
from ipcchat.entries import Entry
from ipcchat.errors import ConnectionLost, IpcchatError, Refused
from ipcchat.settings import ClientSettings
from ipcchat.tui.results import Outside, Results, Ways, where
from ipcchat.wire.messages import Room, SearchOk

HEIGHT = 12


def entry(seq: int, text: str = "", room: int = 1, nick: str = "bob") -> Entry:
    return Entry(room, seq, seq * 1000, 2, nick, "message", f"{seq:032x}", text or f"port {seq}")


def page(*seqs: int, next: str = "", **more: Any) -> SearchOk:
    return SearchOk(1, [entry(seq) for seq in seqs], next=next, **more)


def run(job: Coroutine[Any, Any, None]) -> None:
    """To its end, which waits for nothing here."""
    with pytest.raises(StopIteration):
        job.send(None)


class Around:
    """The screen around a list; jobs wait until they are let go."""

    def __init__(self, first: SearchOk, *others: SearchOk | IpcchatError, **settings: Any) -> None:
        self.model = Model("lab", "ann", settings=ClientSettings(**settings))
        self.model.login(1, "ann", "member")
        self.model.add_room(Room(1, "#lab"))
        self.pages = [*others]
        self.jobs: list[Coroutine[Any, Any, None]] = []
        self.revealed: list[int] = []
        self.went: list[int] = []
        self.ended = 0
        self.wrong: IpcchatError | None = None
        ways = Ways(
            reveal=self._reveal,
            jump=lambda said: self.went.append(said.seq),
            names=self._names,
            spawn=self.jobs.append,
            draw=lambda: None,
            end=self._end,
        )
        self.list = Results(self.model, "port", first, self._more, ways, "%H:%M")

    async def _more(self) -> SearchOk:
        found = self.pages.pop(0)
        if isinstance(found, IpcchatError):
            raise found
        return found

    async def _reveal(self, said: Entry, enters: bool) -> None:
        if self.wrong is not None and not (enters and isinstance(self.wrong, Outside)):
            raise self.wrong
        self.revealed.append(said.seq)

    async def _names(self, entries: Iterable[Entry]) -> Mapping[int, str]:
        return {one.room: "#elsewhere" for one in entries if one.room == 7}

    def _end(self) -> None:
        self.ended += 1

    def go(self) -> None:
        """What was begun comes to its end."""
        while self.jobs:
            run(self.jobs.pop(0))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.list.press(key, key if len(key) == 1 else "")

    @property
    def at(self) -> int:
        assert self.list.selected is not None
        return self.list.selected.seq

    def rows(self, height: int = HEIGHT, width: int = 80) -> list[str]:
        return [flat(row) for row in self.list.panel(width, height)]


def test_the_newest_is_at_the_bottom_and_selected() -> None:
    around = Around(page(9, 7, 5))
    rows = around.rows()
    assert [row[-6:] for row in rows[1:]] == ["port 5", "port 7", "port 9"]
    assert [row.startswith("> ") for row in rows[1:]] == [False, False, True]
    assert around.list.prompt() == ("3 of 3: ", "port")


def test_up_is_older_and_the_ends_are_ends() -> None:
    around = Around(page(9, 7, 5))
    around.press("up")
    assert around.at == 7
    around.press("c-p", "c-p", "c-p")
    assert around.at == 5
    around.press("down", "c-n", "c-n", "end")
    assert around.at == 9
    around.press("home")
    assert around.at == 5
    assert not around.jobs  # there are no more pages


def test_a_page_moves_by_what_shows() -> None:
    around = Around(page(*range(100, 0, -1)))
    assert len(around.rows(9)) == 9
    around.press("pageup")
    assert around.at == 100 - 7
    around.rows(9)
    around.press("pagedown")
    assert around.at == 100


def test_the_oldest_brings_the_next_page_once_and_stays_selected() -> None:
    around = Around(page(9, 7, next="a"), page(5, 3, next="b"), page(1))
    assert around.list.prompt() == ("2 of 2+: ", "port")
    around.press("up")
    around.press("home")
    assert len(around.jobs) == 1  # one at a time
    assert "older" in around.rows()[0]
    around.go()
    assert around.at == 7
    assert around.list.prompt() == ("3 of 4+: ", "port")
    around.press("home")
    around.go()
    assert around.at == 3
    around.press("home")
    assert around.at == 1
    assert around.list.prompt() == ("1 of 5: ", "port")
    assert not around.jobs


def test_what_goes_wrong_is_one_line_and_tried_again() -> None:
    around = Around(page(9, next="a"), ConnectionLost("not connected", "wait"), page(5))
    around.press("up")
    around.go()
    assert around.rows()[0] == "not connected – wait"
    around.press("up")
    around.go()
    assert around.list.prompt() == ("2 of 2: ", "port")


def test_the_view_stays_when_a_page_comes() -> None:
    around = Around(page(*range(100, 90, -1), next="a"), page(*range(90, 50, -1)))
    around.rows(6)
    around.press("home")
    before = around.rows(6)[1:]
    around.go()
    assert around.rows(6)[1:] == before


def test_enter_leads_there_and_only_once_it_is_loaded() -> None:
    around = Around(page(9, 7))
    around.press("up", "c-m")
    assert "going" in around.rows()[0]
    assert not around.went
    around.go()
    assert (around.revealed, around.went) == ([7], [7])


@pytest.mark.parametrize(("keys", "went"), [([], [7]), (["down", "up"], []), (["escape"], [])])
def test_a_room_is_entered_by_enter_twice_and_by_nothing_else(
    keys: list[str], went: list[int]
) -> None:
    around = Around(page(9, 7))
    around.wrong = Outside("#far")
    around.press("up", "enter")
    around.go()
    assert "you are not in #far – Enter again joins it" in around.rows()[0]
    around.press(*keys, "enter")
    around.go()
    assert around.went == went


@pytest.mark.parametrize("key", ["down", "escape", "c-c", "enter"])
def test_whoever_wants_something_else_is_not_taken_there(key: str) -> None:
    around = Around(page(9, 7))
    around.press("up", "enter")
    around.press("down")
    around.press(key)
    around.go()
    assert around.went == ([9] if key == "enter" else [])
    assert around.ended == (key in ("escape", "c-c"))


def test_a_place_that_can_not_be_had_is_one_line() -> None:
    around = Around(page(9))
    around.wrong = Refused("no_room", "you are not in #x", hint="/join #x")
    around.press("enter")
    around.go()
    assert around.rows()[0] == "you are not in #x – /join #x"
    assert not around.went
    around.press("down")
    assert "Enter" in around.rows()[0]


def test_rooms_one_is_not_in_get_their_names() -> None:
    around = Around(SearchOk(1, [entry(3, room=7), entry(2, room=8), entry(1)]))
    assert "…" in around.rows()[-1]
    assert len(around.jobs) == 1
    around.go()
    rows = around.rows()
    assert "#elsewhere" in rows[-1]
    assert "?" in rows[-2]
    assert "#lab" in rows[-3]


def test_who_is_ignored_is_left_out_and_a_page_of_nothing_else_passed_over() -> None:
    evil = [entry(seq, nick="evil") for seq in (9, 8)]
    around = Around(page(11, next="a"), SearchOk(1, evil, next="b"), page(5), ignore=("evil",))
    around.press("up")
    around.go()
    assert around.list.prompt() == ("2 of 2: ", "port")


def test_a_first_page_of_nothing_else_can_be_passed_over() -> None:
    evil = SearchOk(1, [entry(9, nick="evil")], next="a")
    around = Around(evil, page(5), ignore=("evil",))
    around.press("up")
    around.go()
    assert around.list.prompt() == ("1 of 1: ", "port")
    assert around.at == 5


def test_what_the_server_could_not_do_is_said() -> None:
    assert "too long" in Around(page(9, cut=True)).rows()[0]
    assert "3 messages are not searchable yet" in Around(page(9, lag=3)).rows()[0]


def test_nothing_breaks_without_any() -> None:
    around = Around(page())
    around.press("up", "down", "home", "end", "pageup", "enter", "x")
    assert not around.jobs
    assert around.list.selected is None
    assert around.list.prompt() == ("0 of 0: ", "port")
    around.rows()


def test_other_keys_do_nothing() -> None:
    around = Around(page(9, 7, 5))
    around.press("up")
    around.press("x", "c-l", "f5")
    around.list.press("<bracketed-paste>", "many words")
    assert (around.at, around.ended) == (7, 0)


@given(
    st.lists(
        st.sampled_from(["up", "down", "pageup", "pagedown", "home", "end", "go"]), max_size=40
    ),
    st.integers(0, 30),
    st.integers(0, 60),
    st.sampled_from([40, 80, 200]),
)
def test_the_selected_one_always_shows(
    keys: list[str], count: int, height: int, width: int
) -> None:
    pages = [page(*range(s + 30, s, -1), next="x") for s in (60, 30)]
    around = Around(page(*range(90 + count, 90, -1), next="a"), *pages, page())
    for key in keys:
        around.go() if key == "go" else around.press(key)
        rows = around.rows(height, width)
        assert len(rows) <= height
        if height > 1 and len(around.list):
            assert sum(row.startswith("> ") for row in rows) == 1
            shown = [int(row.rpartition(" ")[2]) for row in rows[1:]]
            assert shown == sorted(shown)
    around.go()
    around.go()


@pytest.mark.parametrize(
    ("query", "text", "there"),
    [
        ("port", "a PORT, transport", ["PORT", "port"]),
        ("port from:bob in:#lab", "from:bob port", ["port"]),
        ('"free port" x1', "free port x12 port", ["free port", "x1"]),
        ("up", "up setup upper", ["up", "up"]),
        ("\u6771\u4eac", "\u6771\u4eac\u90fd", ["\u6771\u4eac"]),
        ("\u6771", "\u5317\u6771", ["\u6771"]),
        ("cafe", "un caf\u00e9", ["caf\u00e9"]),
        ("CAFE", "un caf\u00e9", ["caf\u00e9"]),
        ("ab abc", "abcd", ["abc"]),
        ("from:bob", "from bob", []),
        ("after:nonsense x", "x", []),
    ],
)
def test_where_the_words_are(query: str, text: str, there: list[str]) -> None:
    assert [text[start:end] for start, end in where(text, query)] == there


@given(st.text(), st.text())
def test_where_never_fails_and_never_overlaps(text: str, query: str) -> None:
    last = -1
    for start, end in where(text, query):
        assert last < start < end <= len(text)
        last = end
