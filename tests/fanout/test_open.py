"""A room that sends to sockets itself: real sockets, in order, nothing lost, nothing doubled."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import pytest_asyncio

from ipcchat.entries import Entry
from ipcchat.fanout.delivery import Delivery
from ipcchat.fanout.outlet import Outlet, Tick
from ipcchat.fanout.pager import Pager
from ipcchat.fanout.room import BATCH, Room
from ipcchat.fanout.subscription import Phase, Subscription
from ipcchat.journal.memory import MemoryJournal
from ipcchat.settings import ServerSettings
from ipcchat.sockets.stream import Stream
from ipcchat.wire.messages import Error

pytestmark = pytest.mark.asyncio


class Writer(Outlet):
    """A connection that is never read."""

    def __init__(self, owner: "Scene") -> None:
        super().__init__(owner)
        self.flood = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = 1.0
        self.clear()

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(16)

    def flooded(self, whether: bool) -> None:
        self.flood = whether


class Scene:
    """A delivery, rooms, and followers of them at the ends of sockets."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.settings = ServerSettings(coalesce=0, slice_members=2)
        self.tick = Tick(loop)
        self.delivery = Delivery(loop, lambda: self.settings, self.tick.flush)
        self.journal = MemoryJournal(16, 16, 16, print)
        self.pager = Pager(1)
        self.rooms = {number: Room(number, 0, 100_000) for number in (1, 2)}
        self.seqs = dict.fromkeys(self.rooms, 0)
        self.sockets: list[socket.socket] = []
        self.writers: list[Writer] = []

    def follower(
        self, *numbers: int, room: int = 4096
    ) -> tuple["Reader", Writer, list[Subscription]]:
        """A peer whose connection follows these rooms; its socket has room for so many bytes."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        theirs.setblocking(False)
        self.sockets.append(theirs)
        writer = Writer(self)
        self.writers.append(writer)
        Stream(asyncio.get_running_loop(), ours, writer)
        found = []
        for number in numbers:
            following = Subscription(writer, self.rooms[number], self.journal, self.pager, 1)
            following.step()
            found.append(following)
        return Reader(theirs), writer, found

    def commit(self, number: int, *texts: str) -> None:
        entries = []
        for text in texts:
            self.seqs[number] += 1
            seq = self.seqs[number]
            entries.append(Entry(number, seq, 0, 1, "ann", "message", f"{seq:032x}", text))
        assert self.rooms[number].collect(entries)
        self.delivery.ready(self.rooms[number])


class Reader:
    """The other end: what came, frame by frame."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""
        self.bytes = 0

    async def next(self) -> dict[str, Any]:
        while len(self._data) < 4 or len(self._data) < 4 + int.from_bytes(self._data[:4], "big"):
            async with asyncio.timeout(5):
                data = await asyncio.get_running_loop().sock_recv(self._sock, 65536)
            assert data, "closed"
            self._data += data
            self.bytes += len(data)
        stop = 4 + int.from_bytes(self._data[:4], "big")
        frame, self._data = self._data[4:stop], self._data[stop:]
        return cast(dict[str, Any], json.loads(frame))

    async def seqs(self, last: dict[int, int]) -> dict[int, list[int]]:
        """The seqs of the entries, by room, until each has come to its last."""
        found: dict[int, list[int]] = {number: [] for number in last}
        while any(not found[number] or found[number][-1] < last[number] for number in last):
            frame = await self.next()
            if frame["type"] == "entry":
                found[frame["room"]].append(frame["seq"])
        return found


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    pager = asyncio.get_running_loop().create_task(made.pager.run())
    yield made
    pager.cancel()
    for writer in made.writers:
        if writer.transport is not None:
            writer.transport.abort()
    for sock in made.sockets:
        sock.close()
    await asyncio.sleep(0)
    await made.journal.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - of anything that can be looked at
            await asyncio.sleep(0)


async def opened(*following: Subscription) -> None:
    """Waits until the places of all of them are open."""
    await until(lambda: all(each.phase is Phase.OPEN for each in following))


BIG = "x" * 3000


class Idle:
    """Follows, and is never served."""

    def offer(self, first: int, last: int, data: bytes) -> None: ...

    def stuck(self, last: int, rest: memoryview, handed: int) -> None: ...

    def step(self) -> None: ...

    def send(self, data: bytes) -> int:
        return len(data)


async def test_a_follower_for_which_nothing_waits_is_sent_to_by_the_room(scene: Scene) -> None:
    reader, writer, (following,) = scene.follower(1)
    await opened(following)
    before = writer.sent
    scene.commit(1, "one", "two")
    assert await reader.seqs({1: 2}) == {1: [1, 2]}
    assert following.next == 3
    assert writer.sent > before and not writer.unsent


async def test_what_waits_for_the_end_of_the_turn_is_not_overtaken(scene: Scene) -> None:
    reader, writer, (following,) = scene.follower(1)
    await opened(following)
    assert (await reader.next())["type"] == "live"
    writer.send(Error(id=7, code="no_room"))
    scene.commit(1, "later")
    assert following.phase is Phase.OPEN
    assert (await reader.next())["id"] == 7
    assert (await reader.next())["text"] == "later"


async def test_a_follower_of_this_very_turn_gets_live_before_the_first_batch(scene: Scene) -> None:
    reader, _, _ = scene.follower(1)
    scene.commit(1, "at once")
    assert [(await reader.next())["type"] for _ in range(2)] == ["live", "entry"]


async def test_a_full_socket_is_offered_batches_until_all_has_gone(scene: Scene) -> None:
    slow, writer, (following,) = scene.follower(1)
    quick, _, (other,) = scene.follower(1)
    await opened(following, other)
    count = 0
    while following.phase is Phase.OPEN:
        count += 1
        scene.commit(1, BIG)
        assert (await quick.seqs({1: count}))[1] == [count]
    assert writer.unsent and other.phase is Phase.OPEN
    assert following.next == count + 1
    for _ in range(3):
        count += 1
        scene.commit(1, BIG)
        assert (await quick.seqs({1: count}))[1] == [count]
    assert await slow.seqs({1: count}) == {1: list(range(1, count + 1))}
    await opened(following)
    scene.commit(1, "and on")
    assert await slow.seqs({1: count + 1}) == {1: [count + 1]}


async def test_a_socket_that_one_room_fills_is_shut_in_the_others(scene: Scene) -> None:
    reader, _, (first, second) = scene.follower(1, 2)
    await opened(first, second)
    count = 0
    while first.phase is Phase.OPEN:
        count += 1
        scene.commit(1, BIG)
    assert second.phase is Phase.LIVE
    scene.commit(2, "behind it")
    assert await reader.seqs({1: count, 2: 1}) == {1: list(range(1, count + 1)), 2: [1]}


async def test_who_is_shut_in_the_midst_of_a_flush_has_its_batch_once(scene: Scene) -> None:
    all_three = [scene.follower(1, 2) for _ in range(6)]
    await opened(*(each for _, _, pair in all_three for each in pair))
    scene.commit(2, "before")  # slices of two: four are left
    for _, writer, (_, second) in all_three:
        before = second.next
        writer.recall()
        assert second.next == before and second.phase is Phase.LIVE
    scene.commit(2, "after")
    for reader, _, _ in all_three:
        assert await reader.seqs({2: 2}) == {2: [1, 2]}


async def test_a_batch_larger_than_a_write_goes_on_where_the_socket_was_full(scene: Scene) -> None:
    slow, writer, (following,) = scene.follower(1)
    _, _, (other,) = scene.follower(1)
    await opened(following, other)
    scene.commit(1, *(["y" * 4000] * 60))  # four batches
    assert await slow.seqs({1: 60}) == {1: list(range(1, 61))}
    await until(lambda: not writer.unsent)
    assert writer.sent == slow.bytes


async def test_several_batches_go_to_sockets_that_take_them_all(scene: Scene) -> None:
    several = [scene.follower(1, room=200_000) for _ in range(5)]
    await opened(*(each for _, _, (each,) in several))
    scene.commit(1, *(["y" * 4000] * 45))  # three batches
    following = several[-1][2][0]
    assert following.next == 1
    for reader, _, _ in several:
        assert await reader.seqs({1: 45}) == {1: list(range(1, 46))}
    assert following.next == 46
    assert all(each.phase is Phase.OPEN for _, _, (each,) in several)


async def test_a_socket_may_be_full_in_a_later_batch(scene: Scene) -> None:
    several = [scene.follower(1, room=50_000) for _ in range(5)]
    await opened(*(each for _, _, (each,) in several))
    scene.commit(1, *(["y" * 4000] * 60))  # four batches
    for reader, _, _ in several:
        assert await reader.seqs({1: 60}) == {1: list(range(1, 61))}
    await opened(*(each for _, _, (each,) in several))
    for reader, writer, _ in several:
        assert writer.sent == reader.bytes


async def test_who_leaves_in_the_midst_of_a_flush_gets_nothing(scene: Scene) -> None:
    several = [scene.follower(1) for _ in range(5)]
    await opened(*(each for _, _, (each,) in several))
    for reader, _, _ in several:
        assert (await reader.next())["type"] == "live"
    scene.commit(1, "gone")
    _, writer, (last,) = several[-1]
    last.cancel()
    writer.send(Error(id=1, code="no_room"))
    assert [(await reader.next())["type"] for reader, _, _ in several] == ["entry"] * 4 + ["error"]


async def test_a_socket_whose_peer_is_gone_harms_nobody(scene: Scene) -> None:
    several = [scene.follower(1) for _ in range(3)]
    await opened(*(each for _, _, (each,) in several))
    scene.sockets[0].close()
    scene.commit(1, "one")
    scene.commit(1, "two")
    for reader, _, _ in several[1:]:
        assert await reader.seqs({1: 2}) == {1: [1, 2]}
    await until(lambda: bool(several[0][1].closing))


async def test_one_that_fails_does_not_keep_the_others_from_theirs(scene: Scene) -> None:
    several = [scene.follower(1) for _ in range(6)]
    await opened(*(each for _, _, (each,) in several))
    broken = several[2][2][0]
    room = scene.rooms[1]
    room.detach(broken)

    class Broken(Idle):
        def stuck(self, last: int, rest: memoryview, handed: int) -> None:
            raise ValueError("a fault")

        def send(self, data: bytes) -> int:
            return 0

    fault = Broken()
    room.attach(fault)
    assert room.open(fault, fault, room.delivered + 1)
    found: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, it: found.append(it["exception"]))
    scene.commit(1, "for everybody")
    scene.commit(1, "and after it")
    for reader, _, (following,) in several:
        if following is not broken:
            assert await reader.seqs({1: 2}) == {1: [1, 2]}
    assert [str(error) for error in found] == ["a fault"]


async def test_closed_is_closed_for_rooms_too(scene: Scene) -> None:
    reader, writer, (following,) = scene.follower(1)
    await opened(following)
    assert (await reader.next())["type"] == "live"
    writer.closing = 1.0
    assert writer.clear() == []
    assert following.phase is Phase.LIVE
    scene.commit(1, "too late")
    writer.closing = 0.0
    writer.send(Error(id=1, code="no_room"))
    assert (await reader.next())["type"] == "error"


async def test_a_place_opens_only_for_who_waits_for_the_next_entry() -> None:
    room = Room(1, 5, 1000)
    follower = sink = Idle()
    assert not room.open(follower, sink, 6), "it does not follow"
    room.attach(follower)
    assert not room.open(follower, sink, 7)
    assert not room.open(follower, sink, 5)
    assert room.open(follower, sink, 6)
    assert room.place(follower) == (6, 0)


async def test_a_flush_takes_as_many_turns_as_it_has_batches() -> None:
    def turns(batches: int) -> int:
        room = Room(1, 0, 0)
        for _ in range(100):
            follower = Idle()
            room.attach(follower)
            assert room.open(follower, follower, 1)
        frame = BATCH - 300
        texts = ["x" * frame for _ in range(batches)]
        room.collect(
            [
                Entry(1, seq, 0, 1, "ann", "message", f"{seq:032x}", text)
                for seq, text in enumerate(texts, 1)
            ]
        )
        room.begin()
        count = 0
        while room.flushing:
            room.step(250)
            count += 1
        return count

    assert turns(1) == 2  # of a batch of 64 KiB, 50 are sent a turn
    assert turns(20) == 20 * turns(1)


async def test_who_is_removed_has_everything_at_once_and_the_others_in_their_turn(
    scene: Scene,
) -> None:
    several = [scene.follower(1) for _ in range(7)]
    following = [subscription for _, _, (subscription,) in several]
    await opened(*following)
    scene.commit(1, "one")
    assert scene.rooms[1].flushing
    scene.commit(1, "two", "three")
    for subscription in (following[0], following[-1]):  # one had the first already, one had not
        subscription.conclude()
        assert subscription.phase is Phase.OFF
    assert scene.rooms[1].flushing and scene.rooms[1].collected
    scene.commit(1, "without them")
    for index, (reader, writer, _) in enumerate(several):
        gone = index in (0, len(several) - 1)
        writer.send(Error(id=1, code="no_room"))
        if gone:
            assert await reader.seqs({1: 3}) == {1: [1, 2, 3]}
            assert (await reader.next())["type"] == "error"
        else:
            assert await reader.seqs({1: 4}) == {1: [1, 2, 3, 4]}


async def test_who_is_removed_behind_a_full_socket_has_everything_in_the_end(scene: Scene) -> None:
    reader, writer, (following,) = scene.follower(1)
    await opened(following)
    scene.settings = ServerSettings(coalesce=0, queue_bytes=64 * 1024)
    count = 0
    while writer.unsent < 50_000:
        count += 1
        scene.commit(1, BIG)
    scene.rooms[1].collect(
        [
            Entry(1, seq, 0, 1, "ann", "message", f"{seq:032x}", BIG)
            for seq in range(count + 1, count + 20)
        ]
    )
    following.conclude()  # more than may wait otherwise
    assert writer.unsent > 64 * 1024
    assert await reader.seqs({1: count + 19}) == {1: list(range(1, count + 20))}


async def test_a_place_that_lies_ahead_opens_once_the_room_is_there() -> None:
    room = Room(1, 5, 1000)
    opening: list[bool] = []

    class Ahead(Idle):
        def step(self) -> None:
            opening.append(room.open(self, self, 8))

    follower = Ahead()
    room.attach(follower)
    assert not room.open(follower, follower, 8)
    room.collect(
        [Entry(1, seq, 0, 1, "ann", "message", f"{seq:032x}", "six seven") for seq in (6, 7)]
    )
    assert [(first, last) for first, last, _ in room.rest(7)] == [(7, 7)]
    assert [(first, last) for first, last, _ in room.rest(6)] == [(6, 7)]
    room.begin()
    while room.flushing:
        room.step(10)
    assert opening == [True]
