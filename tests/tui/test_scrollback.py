"""The place in the past stays where it is, whatever comes before or after it."""

from hypothesis import given
from hypothesis import strategies as st
from tests.glass import flat

from ipcchat.client.model import Model, RoomView
from ipcchat.entries import Entry
from ipcchat.paint.rows import RowMaker
from ipcchat.tui.scrollback import Scrollback
from ipcchat.wire.messages import FollowOk, HistoryOk, Room


def entry(seq: int, text: str = "") -> Entry:
    return Entry(1, seq, seq * 1000, 2, "bob", "message", f"{seq:032x}", text or f"line {seq}")


def build(first: int, count: int, texts: list[str]) -> tuple[Model, RoomView, Scrollback]:
    model = Model("lab", "ann")
    model.login(1, "ann", "member")
    room = model.add_room(Room(1, "#lab", head=first + count - 1))
    ok = FollowOk(1, from_=first - 1, head=first + count - 1, first=1)
    model.placed(room, "e" * 32, ok, resumed=False)
    for seq in range(first, first + count):
        model.apply(entry(seq, texts[seq % len(texts)]))
    view = Scrollback(model, RowMaker(model, "%H:%M"), lambda room: None)
    return model, room, view


def shown(view: Scrollback, width: int, height: int) -> list[str]:
    rows = view.rows(width, height)
    assert len(rows) == height
    return [flat(row) for row in rows]


TEXTS = st.lists(st.sampled_from(["a", "word " * 30, "日本語 🎉 " * 12, "x\ny\nz"]), min_size=1)
SIZES = st.tuples(st.integers(24, 100), st.integers(3, 30))


@given(TEXTS, SIZES, st.integers(1, 60), st.integers(1, 5))
def test_page_up_then_down_returns(
    texts: list[str], size: tuple[int, int], count: int, pages: int
) -> None:
    _, _, view = build(1, count, texts)
    before = shown(view, *size)
    for _ in range(pages):
        view.page(-1)
        shown(view, *size)
    for _ in range(pages):
        view.page(1)
        shown(view, *size)
    assert shown(view, *size) == before
    assert view.more == 0


@given(TEXTS, SIZES, st.integers(20, 60), st.integers(1, 20))
def test_what_comes_later_does_not_move_the_view(
    texts: list[str], size: tuple[int, int], count: int, new: int
) -> None:
    model, room, view = build(1, count, texts)
    shown(view, *size)
    view.page(-1)
    before, more = shown(view, *size), view.more
    anchored = view.anchor(room) is not None
    for seq in range(count + 1, count + 1 + new):
        model.apply(entry(seq, "new"))
    if anchored:
        assert shown(view, *size) == before
        assert view.more == more + new
    else:
        assert "new" in shown(view, *size)[-1]


@given(TEXTS, SIZES, st.integers(20, 60), st.integers(1, 30))
def test_older_history_does_not_move_the_view(
    texts: list[str], size: tuple[int, int], count: int, older: int
) -> None:
    model, room, view = build(101, count, texts)
    shown(view, *size)
    view.page(-1)
    view.page(-1)
    before = shown(view, *size)
    entries = [entry(seq, "old") for seq in range(101 - older, 101)]
    model.prepend(room, HistoryOk(1, entries, first=1, head=100 + count, more=True))
    after = shown(view, *size)
    # The lowest rows are the same; above them there may be more now, and the day's rule moved.
    full = [line for line in before if line and "─" not in line]
    assert [line for line in after if "─" not in line][-len(full) :] == full or not full


@given(TEXTS, SIZES, SIZES, st.integers(20, 60))
def test_a_resize_keeps_the_lowest_line(
    texts: list[str], size: tuple[int, int], other: tuple[int, int], count: int
) -> None:
    _, room, view = build(1, count, texts)
    shown(view, *size)
    view.page(-1)
    anchor = view.anchor(room)
    shown(view, *other)
    shown(view, *size)
    assert view.anchor(room) == anchor


@given(TEXTS, SIZES, st.integers(1, 200))
def test_the_top_fills_the_window(texts: list[str], size: tuple[int, int], count: int) -> None:
    _, room, view = build(1, count, texts)
    shown(view, *size)
    view.to_top()
    rows = shown(view, *size)
    total = sum(len(view._maker.rows(room, index)) for index in range(count))
    if total >= size[1]:
        assert rows[0]
        assert "─" in rows[0]  # the day of the first line


def test_only_what_shows_has_rows() -> None:
    _, _, view = build(1, 5000, ["a"])
    shown(view, 80, 24)
    view.page(-1)
    shown(view, 80, 24)
    assert len(view._maker._cache) < 100


def test_the_oldest_line_asks_for_older_history_but_not_after_clear() -> None:
    model, room, _ = build(101, 5, ["a"])
    asked: list[RoomView] = []
    view = Scrollback(model, RowMaker(model, "%H:%M"), asked.append)
    shown(view, 80, 24)
    assert asked == [room]
    asked.clear()
    view.clear(room)
    assert shown(view, 80, 24) == [""] * 24
    assert asked == []
    view.page(-1)
    assert asked == [room]
