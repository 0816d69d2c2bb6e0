"""A place far above what is loaded: an island of lines, and a line for what is left out."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.peer import EPOCH, entry
from tests.client.test_session import lobby, sitting
from tests.support import RawClient, serve

from ipcchat.client.lines import Hole
from ipcchat.client.room import Notice, RoomView
from ipcchat.entries import Entry
from ipcchat.errors import Refused


def tail(start: int = 900, head: int = 905) -> RoomView:
    """A room of which the last entries are loaded."""
    room = RoomView(1, "#lobby")
    room.place(EPOCH, start, 1, resumed=False)
    for seq in range(start + 1, head + 1):
        room.take(entry(seq))
    return room


def pages(*stretches: tuple[int, int]) -> list[Entry]:
    return [entry(seq) for first, last in stretches for seq in range(first, last + 1)]


def told(room: RoomView) -> list[object]:
    """The seqs of the lines; for a hole, between which it is."""
    return [
        (line.after, line.until) if isinstance(line, Hole) else getattr(line, "seq", "note")
        for line in room.lines
    ]


def test_a_hole_is_between_an_island_and_the_tail() -> None:
    room = tail()
    key = room.first_key
    room.insert(pages((100, 102)))
    assert told(room) == [100, 101, 102, (102, 901), 901, 902, 903, 904, 905]
    assert room.lines[3].text == "798 messages in between are not loaded"
    assert (room.top, room.start, room.seq) == (99, 900, 905)
    assert room.lines[key - room.first_key] == entry(901), "what is below keeps its key"
    assert [room.after(seq) for seq in (99, 100, 102, 500, 901)] == [0, 1, 4, 4, 5]


def test_islands_join_each_other_and_the_tail() -> None:
    room = tail()
    room.insert(pages((100, 102)))
    room.insert(pages((105, 106)))
    assert told(room)[:6] == [100, 101, 102, (102, 105), 105, 106]
    room.insert(pages((102, 105)))
    assert told(room)[:8] == [100, 101, 102, 103, 104, 105, 106, (106, 901)]
    room.insert(pages((107, 903)))
    assert told(room) == [*range(100, 906)]
    assert room.top == room.start == 99


def test_older_history_goes_before_the_first_island() -> None:
    room = tail()
    room.insert(pages((3, 4)))
    assert not room.complete
    assert room.prepend(pages((1, 2)), first=1) == 2
    assert room.complete
    assert told(room)[:5] == [1, 2, 3, 4, (4, 901)]
    room.take(entry(906))
    assert told(room)[-1] == 906


def test_the_line_of_a_skip_gives_way() -> None:
    room = tail(0, 5)
    assert room.skip(5, 900, 0)
    room.take(entry(900))
    room.insert(pages((3, 4)))
    assert told(room) == [3, 4, (4, 900), 900]
    room.insert(pages((5, 899)))
    assert told(room) == [*range(3, 901)]


def test_what_is_loaded_is_not_asked_for() -> None:
    room = tail()
    room.insert(pages((100, 110)))
    assert room.missing(880, 950) == (880, 900)
    assert room.missing(105, 120) == (111, 120)
    assert room.missing(90, 105) == (90, 99)
    assert room.missing(-5, 5) == (1, 5)
    low, high = room.missing(101, 105)
    assert low > high


def test_starting_over_forgets_islands() -> None:
    room = tail()
    room.insert(pages((100, 102)))
    room.restart()
    assert room.top == room.start == 0
    assert not room.lines


def test_islands_go_first_when_a_room_is_full() -> None:
    room = RoomView(1, "#lobby", limit=20)
    room.place(EPOCH, 900, 1, resumed=False)
    room.insert(pages((100, 105)))
    room.take(entry(901))
    room.insert(pages((100, 105)))
    for seq in range(902, 930):
        room.take(entry(seq))
    seqs = [line.seq for line in room.lines if isinstance(line, Entry)]
    assert seqs == list(range(room.start + 1, 930))
    assert room.top == room.start


def test_what_is_far_from_where_one_looks_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.client.room._BEFORE", 10)
    room = tail()
    room.insert(pages((100, 107)))
    room.insert(pages((500, 505)))
    assert told(room)[:12] == [*range(104, 108), (107, 500), *range(500, 506), (505, 901)]
    assert room.top == 103


STRETCH = st.tuples(st.integers(1, 70), st.integers(0, 9)).map(lambda it: (it[0], it[0] + it[1]))
STEP = st.one_of(STRETCH, st.integers(1, 5), st.sampled_from(["note", "older", "skip"]))


@given(st.lists(STEP, max_size=20))
def test_every_entry_once_in_order_whatever_is_loaded(steps: list[object]) -> None:
    room = RoomView(1, "#lobby")
    room.place(EPOCH, 60, 1, resumed=False)
    head = 60
    for step in steps:
        last = room.lines[-1] if room.lines else None
        key = room.first_key + len(room.lines) - 1
        if isinstance(step, tuple):
            room.insert(pages(step))
        elif isinstance(step, int):
            for _ in range(step):
                head += 1
                room.take(entry(head))
        elif step == "note":
            room.note(Notice(0, "x"))
        elif step == "older":
            room.prepend(pages((max(1, room.top - 3), max(1, room.top))), first=1)
        elif head > room.seq - 1:
            room.skip(room.seq, head + 4, 0)
            head += 3
        if last is not None and key >= room.first_key and isinstance(last, Entry):
            assert room.lines[key - room.first_key] == last
        seqs = [line.seq for line in room.lines if isinstance(line, Entry)]
        assert seqs == sorted(set(seqs))
        holes = {(line.after, line.until) for line in room.lines if isinstance(line, Hole)}
        jumps = {(a, b) for a, b in itertools.pairwise(seqs) if b != a + 1}
        if seqs and seqs[-1] > room.start:
            assert jumps == holes
            assert [seq for seq in seqs if seq > room.start] == list(
                range(room.start + 1, room.seq + 1)
            )
        assert room.top == (seqs[0] - 1 if seqs else room.start)


@pytest.mark.asyncio
async def test_the_session_loads_a_place_with_what_is_around_it() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        for number in range(400):
            await bob.say(1, f"{number}")
        async with sitting(server.addresses[0], page=20) as ann:
            room = lobby(ann)
            assert room.start > 300
            await asyncio.gather(
                ann.surroundings(1, 100, 20), ann.surroundings(1, 105, 20), ann.fetch_older(1)
            )
            seqs = [line.seq for line in room.lines if isinstance(line, Entry)]
            assert seqs == sorted(set(seqs))
            assert {*range(90, 116)} <= {*seqs}
            assert len([line for line in room.lines if isinstance(line, Hole)]) == 1
            await ann.surroundings(1, 250, 400)
            await ann.surroundings(1, 1, 400)
            seqs = [line.seq for line in room.lines if isinstance(line, Entry)]
            assert seqs == list(range(1, room.seq + 1))
            assert not any(isinstance(line, Hole) for line in room.lines)
            assert room.complete
            with pytest.raises(Refused):
                await ann.surroundings(77, 1)
