"""Who is served when: at once, on the grid, in slices, in turn."""

from collections.abc import Iterator

import pytest
from tests.world import Loop

from ipcchat.entries import Entry
from ipcchat.fanout.delivery import Delivery
from ipcchat.fanout.room import Room
from ipcchat.settings import ServerSettings

SETTINGS = ServerSettings(coalesce=0.02, slice_members=10)


class Member:
    """Notes what it is handed; each time takes a while."""

    def __init__(self, loop: Loop, cost: float = 0.0) -> None:
        self.heard: list[tuple[int, int]] = []
        self._loop = loop
        self._cost = cost

    def offer(self, first: int, last: int, data: bytes) -> None:
        assert data
        self.heard.append((first, last))
        self._loop.spend(self._cost)

    def step(self) -> None:
        raise AssertionError("its place is never open")

    def stuck(self, last: int, rest: memoryview, handed: int) -> None:
        raise AssertionError("its place is never open")


class Scene:
    """A loop, a delivery, and rooms with members."""

    def __init__(self) -> None:
        self.loop = Loop()  # type: ignore[abstract]
        self.delivery = Delivery(self.loop, lambda: SETTINGS, lambda: None)
        self.seqs: dict[Room, int] = {}

    def room(self, members: int, cost: float = 0.0) -> tuple[Room, list[Member]]:
        room = Room(len(self.seqs) + 1, 0, 10_000)
        found = [Member(self.loop, cost) for _ in range(members)]
        for member in found:
            room.attach(member)
        self.seqs[room] = 0
        return room, found

    def commit(self, room: Room, count: int = 1) -> None:
        for _ in range(count):
            self.seqs[room] += 1
            seq = self.seqs[room]
            assert room.collect([Entry(room.number, seq, 0, 1, "ann", "message", f"{seq:032x}")])
        self.delivery.ready(room)

    def served(self, members: list[Member]) -> int:
        return sum(bool(member.heard) for member in members)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    with made.loop.running():
        yield made


def test_a_small_room_is_served_at_once(scene: Scene) -> None:
    room, members = scene.room(10)
    for seq in range(1, 4):
        scene.commit(room)
        assert all(member.heard[-1] == (seq, seq) for member in members)


def test_a_large_room_is_served_in_slices(scene: Scene) -> None:
    room, members = scene.room(35)
    scene.commit(room)
    for served in (10, 20, 30, 35):
        assert scene.served(members) == served
        scene.loop.turn(1)
    assert [member.heard for member in members] == [[(1, 1)]] * 35


def test_rooms_take_turns(scene: Scene) -> None:
    large, many = scene.room(100)
    small, few = scene.room(3)
    scene.commit(large)
    scene.commit(small)
    assert scene.served(few) == 0
    scene.loop.turn(2)
    assert scene.served(few) == 3
    assert scene.served(many) < 40


def test_what_is_committed_during_a_flush_is_the_next_one(scene: Scene) -> None:
    room, members = scene.room(35)
    scene.commit(room)
    scene.commit(room)
    scene.commit(room, 3)
    while scene.loop.turn(1):
        pass
    assert [member.heard for member in members] == [[(1, 1), (2, 5)]] * 35


def test_a_costly_room_waits_for_its_grid(scene: Scene) -> None:
    room, members = scene.room(5, cost=0.001)
    scene.commit(room)  # took 5 ms of the grid's 20
    for _ in range(4):
        scene.commit(room)
    assert [member.heard for member in members] == [[(1, 1)]] * 5
    scene.loop.wait(0.02)
    scene.loop.turn()
    assert [member.heard for member in members] == [[(1, 1), (2, 5)]] * 5
    scene.loop.wait(0.021)
    scene.commit(room)  # the last flush is not recent any more
    assert all(member.heard[-1] == (6, 6) for member in members)


def test_who_comes_or_goes_during_a_flush(scene: Scene) -> None:
    room, members = scene.room(25)
    scene.commit(room)
    gone, late = members[20], Member(scene.loop)
    assert not gone.heard
    room.detach(gone)
    room.attach(late)
    while scene.loop.turn(1):
        pass
    assert not gone.heard and not late.heard
    scene.commit(room)
    while scene.loop.turn(1):
        pass
    assert not gone.heard and late.heard == [(2, 2)]


def test_at_the_end_everything_is_handed_out(scene: Scene) -> None:
    costly, waiting = scene.room(5, cost=0.001)
    large, many = scene.room(40)
    scene.commit(costly)
    scene.commit(costly)
    scene.commit(large, 2)
    scene.commit(large)
    scene.delivery.finish()
    assert [member.heard[-1][1] for member in (*waiting, *many)] == [2] * 5 + [3] * 40


def test_while_a_costly_room_rests_there_is_no_hurry(scene: Scene) -> None:
    cheap, _ = scene.room(5)
    scene.commit(cheap)
    assert scene.delivery.rest() <= 0
    costly, members = scene.room(5, cost=0.001)
    scene.commit(costly)
    rest = scene.delivery.rest()
    assert 0 < rest < SETTINGS.coalesce
    # What is committed within that time leaves when the rest is over, and not later.
    scene.loop.wait(rest)
    scene.commit(costly)
    assert members[0].heard == [(1, 1)]
    scene.loop.wait(SETTINGS.coalesce - rest)
    scene.loop.turn()
    assert members[0].heard == [(1, 1), (2, 2)]
    scene.loop.wait(1)
    assert scene.delivery.rest() <= 0
