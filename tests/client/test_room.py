"""The lines of a room: every entry once, in order, whatever the connection does."""

from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.client.peer import EPOCH, entry

from ipcchat.client.model import Model, RoomView
from ipcchat.client.room import Notice, Pending, Taken
from ipcchat.entries import Entry
from ipcchat.wire.messages import FollowOk, Gap, HistoryOk, Live, Room


def placed(after: int = 0, first: int = 1) -> RoomView:
    room = RoomView(1, "#lobby")
    room.place(EPOCH, after, first, resumed=False)
    return room


def shown(room: RoomView) -> list[int]:
    return [line.seq for line in room.lines if isinstance(line, Entry)]


def test_only_the_next_one_is_taken() -> None:
    room = placed(5)
    assert room.take(entry(6)) is Taken.NEW
    assert room.take(entry(6)) is Taken.REPEAT
    assert room.take(entry(3)) is Taken.REPEAT
    assert room.take(entry(8)) is Taken.HOLE
    assert not room.following
    assert room.take(entry(7)) is Taken.NEW
    assert shown(room) == [6, 7]


def test_before_it_is_followed_nothing_is_taken() -> None:
    assert RoomView(1, "#lobby").take(entry(1)) is Taken.REPEAT


def test_the_cursor_is_the_last_entry() -> None:
    room = placed(5)
    assert room.cursor is None  # known by number only: no proof
    room.take(entry(6))
    assert room.cursor is not None
    assert (room.cursor.epoch, room.cursor.seq, room.cursor.draft) == (EPOCH, 6, f"{6:032x}")
    start = placed(0).cursor
    assert start is not None
    assert (start.seq, start.draft) == (0, "")


def test_older_lines_keep_the_keys() -> None:
    room = placed(3)
    room.take(entry(4))
    key = room.first_key
    assert room.prepend([entry(2), entry(3)], first=1) == 2
    assert room.lines[key - room.first_key] == entry(4)
    assert not room.complete
    assert room.prepend([entry(1)], first=1) == 1
    assert room.complete
    assert shown(room) == [1, 2, 3, 4]


def test_a_page_that_does_not_fit_is_not_taken() -> None:
    room = placed(3)
    assert room.prepend([entry(1)], first=1) == 0
    assert room.complete  # and is not asked for again
    assert shown(room) == []


def test_a_page_that_fits_in_part() -> None:
    room = placed(3)
    assert room.prepend([entry(1), entry(3), entry(9)], first=1) == 1
    assert shown(room) == [3]


def test_a_gap_starts_anew_after_it() -> None:
    room = placed(0)
    room.take(entry(1))
    keys = range(room.first_key, room.first_key + 1)
    assert room.skip(1, 814, time=0) is Taken.NEW
    assert isinstance(room.lines[0], Notice)
    assert room.lines[0].text == "812 messages skipped · PgUp to load"
    assert room.first_key not in keys
    assert room.take(entry(814)) is Taken.NEW
    assert room.prepend([entry(812), entry(813)], first=1) == 2
    assert shown(room) == [812, 813, 814]
    assert "PgUp" not in room.lines[2].text


def test_a_gap_that_was_fetched_is_another_line() -> None:
    room = placed(0)
    room.skip(0, 814, time=7)
    told = room.lines[0]
    room.note(Notice(0, "x"))
    room.prepend([entry(813)], first=1)
    assert room.lines[1] is not told  # rows are remembered by identity
    assert room.lines[1].time == 7
    room.prepend([entry(812)], first=1)
    assert room.lines[3] == Notice(0, "x")


def test_where_a_seq_is() -> None:
    room = placed(5)
    assert room.after(5) == 0
    room.note(Notice(0, "x"))
    for seq in (6, 7, 8):
        room.take(entry(seq))
        room.note(Notice(0, "x"))
    assert [room.after(seq) for seq in range(4, 10)] == [1, 1, 3, 5, 7, 7]


def test_what_is_shown_already_waits_no_more() -> None:
    room = placed(5)
    room.own(entry(6))
    room.pending += [Pending(f"{seq:032x}", 1, "x", "", 0, "failed") for seq in (4, 6, 7)]
    room.settle()
    assert [item.draft[-1] for item in room.pending] == ["4", "7"]
    room.prepend([entry(4), entry(5)], first=1)
    assert [item.draft[-1] for item in room.pending] == ["7"]


def test_a_gap_that_comes_too_late_or_too_early() -> None:
    room = placed(0)
    assert room.skip(0, 1, time=0) is Taken.REPEAT
    assert room.skip(4, 9, time=0) is Taken.HOLE
    assert room.skip(0, 9, time=0) is Taken.REPEAT  # not followed any more
    assert not room.lines


def test_starting_over_gives_new_keys() -> None:
    room = placed(0)
    room.take(entry(1))
    old = room.first_key + len(room.lines)
    room.restart()
    assert room.cursor is None
    room.place(EPOCH, 8, 1, resumed=False)
    room.prepend([entry(7), entry(8)], first=1)
    assert room.first_key > old


def test_clearing_keeps_the_place() -> None:
    room = placed(0)
    room.take(entry(1))
    room.clear()
    assert not room.lines
    assert room.take(entry(2)) is Taken.NEW
    assert room.prepend([entry(1)], first=1) == 1
    assert shown(room) == [1, 2]


def test_the_oldest_go_past_the_limit() -> None:
    room = RoomView(1, "#lobby", limit=20)
    room.place(EPOCH, 0, 1, resumed=False)
    for seq in range(1, 22):
        room.take(entry(seq))
    assert len(room.lines) == 18
    assert room.first_key == 3
    assert room.start == 3
    assert room.prepend([entry(2), entry(3)], first=1) == 2
    assert shown(room)[0] == 2


def test_recent_speakers() -> None:
    room = placed(0)
    room.take(entry(1, by=9))
    room.note(Notice(0, "x"))
    assert room.spoke_recently(9)
    for seq in range(2, 300):
        room.take(entry(seq))
    assert not room.spoke_recently(9)


class Following(RuleBasedStateMachine):
    """A model and a server, with a pipe between them that the rules treat badly."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(now=lambda: 0)
        self.room = self.model.add_room(Room(1, "#lobby"))
        self.head = 1
        self.sent = 0
        self.subscribed = False
        self.asked = False
        self.lacking = True
        self.pipe: deque[object] = deque()

    @rule(count=st.integers(1, 5))
    def said(self, count: int) -> None:
        for _ in range(count):
            self.head += 1
        self.push()

    def push(self) -> None:
        if self.subscribed:
            self.pipe.extend(entry(seq) for seq in range(self.sent + 1, self.head + 1))
            self.sent = self.head

    @precondition(lambda self: self.lacking and not self.asked)
    @rule(last=st.integers(0, 4), skip=st.integers(1, 6))
    def follow(self, last: int, skip: int) -> None:
        """What the session does when the model lacks something."""
        self.asked, self.lacking = True, False
        cursor = self.room.cursor
        start = cursor.seq if cursor is not None else max(0, self.head - last)
        self.pipe.append((FollowOk(0, from_=start, head=self.head, first=1), cursor is not None))
        if cursor is not None and self.head - start > skip:
            self.pipe.append(Gap(1, start, self.head - skip + 1))
            start = self.head - skip
        self.sent, self.subscribed = start, True
        self.push()
        self.pipe.append(Live(1, self.head))

    @rule(count=st.integers(1, 8))
    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.pipe))):
            event = self.pipe.popleft()
            if isinstance(event, tuple):
                self.asked = False
                self.model.placed(self.room, EPOCH, event[0], resumed=event[1])
            elif self.model.apply(event) is not None:  # type: ignore[arg-type]
                self.lacking = True

    @rule()
    def cut(self) -> None:
        self.pipe.clear()
        self.subscribed = self.asked = False
        self.room.following = self.room.live = False
        self.lacking = True

    @precondition(lambda self: self.pipe)
    @rule(at=st.integers(0, 50), lose=st.booleans())
    def disturb(self, at: int, lose: bool) -> None:
        """An event is lost, or comes twice."""
        at %= len(self.pipe)
        if isinstance(self.pipe[at], Entry | Gap):
            if lose:
                del self.pipe[at]
            else:
                self.pipe.insert(at, self.pipe[at])

    @rule(limit=st.integers(1, 4))
    def scroll_up(self, limit: int) -> None:
        before = self.room.start + 1
        page = [entry(seq) for seq in range(max(1, before - limit), before)]
        if self.room.epoch and not self.room.complete:
            self.model.prepend(self.room, HistoryOk(0, page, first=1, head=self.head))

    @rule()
    def cleared(self) -> None:
        self.room.clear()

    @rule(seq=st.integers(1, 60))
    def forged(self, seq: int) -> None:
        """An entry from nowhere changes nothing unless it is the next one."""
        if seq != self.room.seq + 1 and self.model.apply(entry(seq)) is not None:
            self.lacking = True

    @invariant()
    def every_entry_once_in_order(self) -> None:
        assert shown(self.room) == list(range(self.room.start + 1, self.room.seq + 1))
        assert all(
            line.text == str(line.seq) for line in self.room.lines if isinstance(line, Entry)
        )

    def teardown(self) -> None:
        self.cut()
        self.follow(3, 10_000)
        self.deliver(10_000)
        assert self.room.seq == self.head
        assert self.room.live
        self.every_entry_once_in_order()


TestFollowing = Following.TestCase
