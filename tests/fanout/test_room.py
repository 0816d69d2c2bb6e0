"""Batches and the tail, without sockets."""

from hypothesis import given
from hypothesis import strategies as st

from ipcchat.entries import Entry
from ipcchat.fanout.room import BATCH, Room, batches
from ipcchat.wire import codec


def entry(seq: int, text: str = "hi") -> Entry:
    return Entry(1, seq, 0, 1, "ann", "message", f"{seq:032x}", text)


def flush(room: Room) -> None:
    room.begin()
    while room.flushing:
        room.step(3)


@given(st.lists(st.integers(1, 70_000), max_size=30))
def test_batches_are_cut_at_frames_and_lose_nothing(sizes: list[int]) -> None:
    frames = [bytes([index % 256]) * size for index, size in enumerate(sizes)]
    cut = list(batches(frames))
    assert b"".join(data for _, data in cut) == b"".join(frames)
    assert sum(count for count, _ in cut) == len(frames)
    for count, data in cut:
        assert count >= 1
        assert len(data) <= BATCH or count == 1


@given(st.integers(0, 50), st.lists(st.integers(1, 10), max_size=10), st.integers(0, 4000))
def test_the_tail_holds_the_last_frames_within_its_bound(
    delivered: int, cuts: list[int], bound: int
) -> None:
    room = Room(1, delivered, bound)
    frames = {}
    seq = delivered
    for cut in cuts:
        for _ in range(cut):
            seq += 1
            frames[seq] = codec.encode(entry(seq))
            room.collect([entry(seq)])
        assert room.delivered == seq - cut
        flush(room)
        assert room.delivered == seq
    for first in range(delivered + 1, seq + 2):
        recent = room.recent(first)
        wanted = [frames[number] for number in range(first, seq + 1)]
        assert recent == wanted or (recent is None and sum(map(len, wanted)) > bound)
        if recent:
            assert room.mark(first) == f"{first:032x}"
    assert room.recent(seq + 1) == []
    assert room.mark(delivered) is None or delivered in frames


def test_what_was_committed_before_the_first_follower_is_not_delivered_again() -> None:
    room = Room(1, 5, 1000)
    assert not room.collect([entry(4)])
    assert not room.collect([entry(5)])
    assert room.collect([entry(5), entry(6)])
    assert room.collect([entry(7)])
    assert not room.collect([entry(9)])
    flush(room)
    assert room.delivered == 7
