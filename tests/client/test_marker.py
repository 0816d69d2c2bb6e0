"""How much is new: one number, whoever counted, in whatever order things arrive."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from tests.client.peer import EPOCH, ME, entry

from ipcchat.client.model import Model, RoomView
from ipcchat.wire.messages import FollowOk, Gap, HistoryOk, Live, Marker, Room


def joined(model: Model, number: int, **more: int | str) -> RoomView:
    """A room of the list, with the server's counts."""
    item = Room(**{"room": number, "name": f"#{number}", "joined": True, **more})  # type: ignore[arg-type]
    return model.add_room(item, counts=True)


def test_the_count_is_there_before_any_line() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    room = joined(model, 2, head=90, read=50, unread=37)
    assert (room.unread, room.read_seq) == (37, 50)
    model.placed(room, EPOCH, FollowOk(0, from_=88, head=90, first=1), resumed=False)
    for seq in (89, 90, 91):
        model.apply(entry(seq, room=2))
    assert room.unread == 38, "what was counted is not counted again"


def test_who_never_read_a_public_room_has_missed_nothing() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    assert joined(model, 2, head=90, unread=80).unread == 0
    assert joined(model, 3, head=2, unread=1, access="direct", peer=2, name="@bob").unread == 1


def test_another_device_reads() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    room = joined(model, 2, head=5, read=5)
    model.placed(room, EPOCH, FollowOk(0, from_=5, head=5, first=1), resumed=False)
    for seq in (6, 7, 8):
        model.apply(entry(seq, room=2))
    model.apply(Marker(2, 7))
    assert (room.unread, room.read_seq, room.uncounted) == (1, 7, False)
    model.apply(Marker(2, 6))
    assert room.unread == 1, "a marker never goes back"
    model.apply(Marker(2, 8))
    assert room.unread == 0


def test_a_list_that_is_late_lacks_what_came_meanwhile() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    room = joined(model, 2, head=5, read=5)
    model.placed(room, EPOCH, FollowOk(0, from_=5, head=5, first=1), resumed=False)
    for seq in (6, 7, 8):
        model.apply(entry(seq, room=2))
    model.recount(Room(2, "#2", head=6, read=5, unread=1))
    assert room.unread == 3


def test_a_list_that_does_not_know_what_was_read_here_counts_for_nothing() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    room = joined(model, 2, head=8, read=4, unread=4)
    model.placed(room, EPOCH, FollowOk(0, from_=4, head=8, first=1), resumed=False)
    for seq in (5, 6):
        model.apply(entry(seq, room=2))
    model.mark_read(room)
    assert room.uncounted, "7 and 8 are new, and not here yet"
    for seq in (7, 8):
        model.apply(entry(seq, room=2))
    model.recount(Room(2, "#2", head=8, read=4, unread=4))
    assert room.unread == 2


def test_what_cannot_be_counted_here_is_asked_for() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    room = joined(model, 2, head=900, read=5, unread=800)
    model.placed(room, EPOCH, FollowOk(0, from_=899, head=900, first=1), resumed=False)
    model.apply(Marker(2, 600))
    assert room.uncounted
    assert room.unread == 300, "no more than there can be"
    model.recount(Room(2, "#2", head=900, read=600, unread=270))
    assert room.unread == 270


def test_a_direct_room_mentions_with_every_message() -> None:
    model = Model(nick="ann", now=lambda: 0)
    model.login(ME, "ann", "member")
    joined(model, 1)
    room = joined(model, 2, head=4, read=1, unread=3, access="direct", peer=2, name="@bob")
    assert (room.unread, room.mentions) == (3, 3)
    model.placed(room, EPOCH, FollowOk(0, from_=1, head=4, first=1), resumed=False)
    for seq in range(2, 6):
        model.apply(entry(seq, room=2))
    assert (room.unread, room.mentions) == (4, 4)


def test_mentions_are_a_lower_bound_while_something_new_is_not_loaded() -> None:
    model = Model(nick="ann", now=lambda: 0)
    model.login(ME, "ann", "member")
    joined(model, 1)
    room = joined(model, 2, head=10, read=5, unread=5)
    assert room.more_mentions, "none of it is here"
    model.placed(room, EPOCH, FollowOk(0, from_=8, head=10, first=1), resumed=False)
    for seq in (9, 10):
        model.apply(entry(seq, "ann", room=2))
    assert (room.unread, room.mentions, room.more_mentions) == (5, 2, True)
    page = HistoryOk(0, [entry(seq, "ann", room=2) for seq in (7, 8)], first=1, head=10)
    model.prepend(room, page)
    assert (room.mentions, room.more_mentions) == (4, True)
    page = HistoryOk(0, [entry(seq, "ann", room=2) for seq in (4, 5, 6)], first=1, head=10)
    model.prepend(room, page)
    assert (room.mentions, room.more_mentions) == (5, False)
    model.current = 2
    assert (room.mentions, room.more_mentions) == (0, False)
    direct = joined(model, 3, head=9, read=1, unread=8, access="direct", peer=2, name="@bob")
    assert (direct.mentions, direct.more_mentions) == (8, False)


def test_what_was_seen_here_does_not_come_back_as_read_while_one_stays() -> None:
    model = Model(now=lambda: 0)
    joined(model, 1)
    room = joined(model, 2, head=5, read=5)
    model.placed(room, EPOCH, FollowOk(0, from_=5, head=5, first=1), resumed=False)
    model.apply(Live(2, 5))
    for seq in (6, 7):
        model.apply(entry(seq, room=2))
    model.current = 2
    model.look()
    assert (room.read_seq, room.seen_seq) == (5, 7)
    model.recount(Room(2, "#2", head=7, read=7))
    assert room.read_seq == 5
    model.recount(Room(2, "#2", head=9, read=9))
    assert room.read_seq == 9, "another device was further"


class Devices(RuleBasedStateMachine):
    """A room at a server, another device that reads there, and the model at the end of a pipe."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(nick="ann", now=lambda: 0)
        self.model.login(ME, "ann", "member")
        joined(self.model, 1)
        self.said: list[bool] = [False]
        """By seq: whether it is somebody else's message."""
        self.read = 1
        self.sent = 0
        self.listed: Room | None = None
        self.subscribed = False
        self.pipe: deque[object] = deque()
        self.say(3, False)
        self.room = self.model.add_room(self.item(), counts=True)

    @property
    def head(self) -> int:
        return len(self.said)

    def item(self) -> Room:
        """What `rooms` says at this moment."""
        unread = sum(self.said[self.read :])
        return Room(2, "#lab", self.head, joined=True, read=self.read, unread=unread)

    @rule(count=st.integers(1, 5), other=st.booleans())
    def say(self, count: int, other: bool) -> None:
        """Somebody says something, or the topic changes."""
        self.said += [other] * count
        self.push()

    @rule()
    def say_elsewhere(self) -> None:
        """One says something at the other device: that is read."""
        self.said.append(False)
        self.push(own=self.head)
        self.read_elsewhere(self.head)

    def push(self, own: int = 0) -> None:
        if self.subscribed:
            for seq in range(self.sent + 1, self.head + 1):
                kind = "message" if self.said[seq - 1] or seq == own else "topic"
                by = ME if seq == own else 2
                self.pipe.append(entry(seq, room=2, kind=kind, by=by))
            self.sent = self.head

    @rule(seq=st.integers(1, 60))
    def read_elsewhere(self, seq: int) -> None:
        if seq <= self.head and seq > self.read:
            self.read = seq
            if self.subscribed:
                self.pipe.append(Marker(2, seq))

    @rule()
    def read_here(self) -> None:
        self.model.mark_read(self.room)

    @rule()
    def look_in(self) -> None:
        """The user looks at the room, and leaves it."""
        self.model.current = 2
        self.model.current = 1

    @rule()
    def tell(self) -> None:
        """What was read here is told, as the session does it from time to time."""
        self.read = max(self.read, min(self.room.read_seq, self.head))

    @precondition(lambda self: self.subscribed)
    @rule()
    def ask(self) -> None:
        """What the session does when the model can't know: marker first, then the item."""
        if self.room.uncounted:
            self.room.uncounted = False
            self.tell()
            self.pipe.append(self.item())

    @precondition(lambda self: self.listed is None)
    @rule()
    def begin_list(self) -> None:
        """The list of rooms is asked for; its page is made now …"""
        self.listed = self.item()

    @precondition(lambda self: self.listed is not None)
    @rule()
    def end_list(self) -> None:
        """… and sent now."""
        self.pipe.append(self.listed)
        self.listed = None

    @precondition(lambda self: not self.subscribed)
    @rule(last=st.integers(1, 4), skip=st.integers(1, 6), late=st.integers(0, 9))
    def connect(self, last: int, skip: int, late: int) -> None:
        """A login: the list, then the room from its cursor; meanwhile others go on."""
        self.listed = None
        self.pipe.append(self.item())
        self.said += [True] * late
        self.subscribed = True
        cursor = self.room.cursor
        start = cursor.seq if cursor is not None else max(0, self.head - last)
        self.pipe.append((FollowOk(0, from_=start, head=self.head, first=1), cursor is not None))
        if cursor is not None and self.head - start > skip:
            self.pipe.append(Gap(2, start, self.head - skip + 1))
            start = self.head - skip
        self.sent = start
        self.push()
        self.pipe.append(Live(2, self.head))

    @rule(count=st.integers(1, 8))
    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.pipe))):
            event = self.pipe.popleft()
            if isinstance(event, tuple):
                self.model.placed(self.room, EPOCH, event[0], resumed=event[1])
            elif isinstance(event, Room):
                self.model.add_room(event, counts=True)
            else:
                assert self.model.apply(event) is None  # type: ignore[arg-type]

    @rule()
    def cut(self) -> None:
        self.pipe.clear()
        self.listed = None
        self.subscribed = False
        self.room.following = self.room.live = False

    def teardown(self) -> None:
        if not self.subscribed:
            self.connect(3, 5, 0)
        self.deliver(10_000)
        for _ in range(5):
            self.ask()
            self.deliver(10_000)
        assert not self.room.uncounted
        self.read = max(self.read, self.room.read_seq)
        assert self.room.unread == sum(self.said[self.read :])
        assert self.room.read_seq == self.read


TestDevices = Devices.TestCase
TestDevices.settings = settings(max_examples=200)
