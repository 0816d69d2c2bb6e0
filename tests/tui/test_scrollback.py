"""The place in the past stays where it is, whatever comes before or after it."""

from hypothesis import assume, given, settings
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


def put(model: Model, room: RoomView, first: int, last: int, texts: list[str]) -> None:
    """A stretch of older lines comes, as for a jump to its middle."""
    entries = [entry(seq, texts[seq % len(texts)]) for seq in range(first, last + 1)]
    model.insert(room, HistoryOk(1, entries, first=1, head=room.seq, more=True))


STRETCHES = st.lists(st.tuples(st.integers(1, 999), st.integers(0, 60)), min_size=1, max_size=5)


@settings(max_examples=50)
@given(TEXTS, SIZES, STRETCHES, st.booleans(), st.integers(0, 4))
def test_lines_put_above_or_below_what_shows_do_not_move_it(
    texts: list[str],
    size: tuple[int, int],
    stretches: list[tuple[int, int]],
    top: bool,
    pages: int,
) -> None:
    model, room, view = build(1001, 40, texts)
    put(model, room, 400, 480, texts)
    shown(view, *size)
    if top:
        view.to_top()
    else:
        view.to_index(room.after(439))
    for _ in range(pages):
        view.page(1)
    before, anchor = shown(view, *size), view.anchor(room)
    assume(anchor is not None)
    assert anchor is not None
    held = room.lines[anchor.key - room.first_key]
    assume(anchor.key > room.first_key)  # the first line has the day's rule, until it is not first
    for first, count in stretches:
        put(model, room, first, min(999, first + count), texts)
        after, now = shown(view, *size), view.anchor(room)
        assert now is not None
        if isinstance(held, Entry):
            assert room.lines[now.key - room.first_key] == held
            full = [line for line in before if line and "─" not in line]
            whole = not any("not loaded" in line for line in full)
            if whole and now.rows == anchor.rows:
                least = [line for line in after if "─" not in line and "not loaded" not in line]
                assert least[-len(full) :] == full


def test_a_place_that_was_left_is_the_same_whatever_came_above_it() -> None:
    model, room, view = build(1001, 40, ["a\nb", ""])
    put(model, room, 400, 480, [""])
    shown(view, 80, 24)
    view.to_top()
    before, anchor = shown(view, 80, 24), view.anchor(room)
    view.to_tail()
    for first in (100, 200, 700):
        put(model, room, first, first + 50, [""])
    view.return_to(room, anchor)
    assert shown(view, 80, 24)[1:] == before[1:]  # the first row is the day's rule


def test_another_history_has_no_place_in_it() -> None:
    model, room, view = build(1, 60, ["a"])
    shown(view, 80, 24)
    view.page(-1)
    assert view.anchor(room) is not None
    model.start_over(room)
    model.placed(room, "f" * 32, FollowOk(1, from_=0, head=60, first=1), resumed=False)
    for seq in range(1, 61):
        model.apply(entry(seq, "other"))
    assert view.anchor(room) is None


def test_what_is_not_loaded_counts_as_below() -> None:
    model, room, view = build(1001, 40, [""])
    put(model, room, 400, 480, [""])
    put(model, room, 600, 640, [""])
    model.note(1, "a local line")
    shown(view, 80, 24)
    view.to_index(room.after(449))
    anchor = view.anchor(room)
    assert anchor is not None
    line = room.lines[anchor.key - room.first_key]
    assert isinstance(line, Entry)
    assert view.more == 1040 - line.seq + 1
    while isinstance(line, Entry):  # down to the line that stands for others
        view.move(1)
        anchor = view.anchor(room)
        assert anchor is not None
        line = room.lines[anchor.key - room.first_key]
    assert view.more == 1040 - 480 + 1
    view.to_index(room.after(1010))
    anchor = view.anchor(room)
    assert anchor is not None
    assert view.more == room.first_key + len(room.lines) - 1 - anchor.key
