"""One reader of one room: each entry once, in order, whatever the server and the cable do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.client.peer import EPOCH, Line, Peer, entry, quick, scripted, until

from ipcchat.client.feed import Feed
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Credentials, Link
from ipcchat.entries import Cursor, Entry
from ipcchat.errors import ConnectionLost, Refused
from ipcchat.wire.messages import (
    Error,
    Follow,
    FollowOk,
    Gap,
    HelloOk,
    History,
    HistoryOk,
    Live,
    LoginOk,
    Ok,
    Ping,
    Unfollow,
    Unfollowed,
)

ANN = Credentials("ann", "5" * 32)


class Reader:
    """A feed on a connection that comes back."""

    def __init__(self, peer: Peer, last: int | None, after: int | None, limit: int) -> None:
        self.epoch = ""
        self.lifeline = Lifeline(peer.address, ANN, quick(), self, insist=True)
        self.feed = Feed(self, 1, last=last, after=after, limit=limit)

    @property
    def link(self) -> Link | None:
        return self.lifeline.link

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        self.epoch = hello.epoch
        self.feed.up()

    def event(self, event: Struct) -> None:
        if isinstance(event, Entry):
            self.feed.entry(event)
        elif isinstance(event, Gap):
            self.feed.gap(event)
        elif isinstance(event, Unfollowed):
            self.feed.unfollowed(event)

    def applied(self) -> None:
        pass

    def down(self, why: str) -> None:
        pass

    async def take(self, count: int) -> list[int]:
        """The seqs of the next entries."""
        async with asyncio.timeout(10):
            return [(await self.feed.next()).seq for _ in range(count)]

    async def quiet(self, line: Line) -> None:
        """Nothing more has been asked for, and what was sent has arrived."""
        assert self.link is not None
        self.link.ask(Ping(0), lambda reply: None)
        await line.expect(Ping)


@asynccontextmanager
async def reading(
    peer: Peer, *, last: int | None = None, after: int | None = None, limit: int = 1000
) -> AsyncIterator[tuple[Reader, Line]]:
    """A reader whose connection is logged in, and the other end."""
    reader = Reader(peer, last, after, limit)
    task = asyncio.get_running_loop().create_task(reader.lifeline.run())
    try:
        yield reader, await again(peer)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        reader.feed.close()


async def again(peer: Peer, epoch: str = EPOCH) -> Line:
    """The next connection, logged in."""
    line = await peer.accept()
    await line.login(epoch=epoch)
    return line


async def follow(line: Line, after: int, *seqs: int, head: int = 0) -> Follow:
    """Takes a `follow` and answers it: entries after that seq come, and these first of all."""
    request = await line.expect(Follow)
    end = max((head, after, *seqs))
    line.send(FollowOk(request.id, from_=after, head=end, first=1), *map(entry, seqs))
    return request


def cursor(seq: int) -> Cursor:
    """The proof of the lobby's entry of that seq."""
    return Cursor(EPOCH, seq, entry(seq).draft if seq else "")


# --- where it begins ----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_from_now_on_hides_the_entry_that_proves_the_cursor() -> None:
    async with scripted() as peer, reading(peer) as (reader, line):
        assert (await follow(line, 8, 9)).last == 1
        line.send(Live(1, 9), entry(10), entry(11))
        assert await reader.take(2) == [10, 11]


@pytest.mark.asyncio
async def test_from_now_on_with_what_is_said_before_the_answer_is_read() -> None:
    async with scripted() as peer, reading(peer) as (reader, line):
        request = await line.expect(Follow)
        line.send(entry(9))  # of an earlier subscription, perhaps
        line.send(FollowOk(request.id, from_=9, head=10, first=1), entry(10), entry(11))
        assert await reader.take(1) == [11]


@pytest.mark.asyncio
async def test_from_the_last_ones() -> None:
    async with scripted() as peer, reading(peer, last=3) as (reader, line):
        assert (await follow(line, 7, 8, 9, 10)).last == 3
        assert await reader.take(3) == [8, 9, 10]


@pytest.mark.asyncio
async def test_from_more_than_there_are() -> None:
    async with scripted() as peer, reading(peer, last=50) as (reader, line):
        await follow(line, 0, 1, 2)
        assert await reader.take(2) == [1, 2]


@pytest.mark.asyncio
async def test_from_the_beginning() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        assert (await follow(line, 0, 1, 2)).cursor == cursor(0)
        assert await reader.take(2) == [1, 2]


@pytest.mark.asyncio
async def test_from_a_seq_is_proved_by_the_entry_there() -> None:
    async with scripted() as peer, reading(peer, after=5) as (reader, line):
        history = await line.expect(History)
        assert (history.after, history.limit) == (4, 1)
        line.send(HistoryOk(history.id, [entry(5)], 1, 7, True))
        assert (await follow(line, 5, 6, 7)).cursor == cursor(5)
        assert await reader.take(2) == [6, 7]


@pytest.mark.asyncio
async def test_from_a_seq_that_is_not_kept_any_more() -> None:
    async with scripted() as peer, reading(peer, after=5) as (reader, line):
        history = await line.expect(History)
        line.send(HistoryOk(history.id, [entry(21)], 21, 22, True))
        assert (await follow(line, 21, 22)).cursor == cursor(21)
        assert await reader.take(2) == [21, 22]


@pytest.mark.asyncio
async def test_from_a_seq_that_there_never_was() -> None:
    async with scripted() as peer, reading(peer, after=5) as (reader, line):
        history = await line.expect(History)
        line.send(HistoryOk(history.id, [], 1, 3))
        with pytest.raises(Refused, match="no entry 5") as caught:
            await reader.take(1)
        assert caught.value.code == "regressed"


# --- what comes in ------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_hole_is_fetched_by_following_again() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1, 2)
        line.send(entry(4), entry(5), entry(9))
        request = await line.expect(Follow)
        assert request.cursor == cursor(2)
        await reader.quiet(line)  # it is asked for once
        ok = FollowOk(request.id, from_=2, head=9, first=1)
        line.send(entry(10), Unfollowed(1), ok, *map(entry, range(3, 11)))
        assert await reader.take(10) == list(range(1, 11))


@pytest.mark.asyncio
async def test_repeats_are_dropped() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1, 2, 1, 2, 3, 2)
        line.send(entry(4))
        assert await reader.take(4) == [1, 2, 3, 4]
        await reader.quiet(line)


@pytest.mark.asyncio
async def test_what_is_no_longer_kept_is_left_out() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1)
        line.send(Gap(1, 1, 40), entry(40))
        assert await reader.take(2) == [1, 40]
        line.abort()
        line = await again(peer)
        assert (await follow(line, 40, 41)).cursor == cursor(40)
        assert await reader.take(1) == [41]


@pytest.mark.asyncio
async def test_a_loss_right_after_a_gap() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1)
        line.send(Gap(1, 1, 40))
        await reader.quiet(line)
        await line.close()
        line = await again(peer)
        history = await line.expect(History)
        assert history.after == 38
        line.send(HistoryOk(history.id, [entry(39)], 1, 40, True))
        assert (await follow(line, 39, 40)).cursor == cursor(39)
        assert await reader.take(2) == [1, 40]


@pytest.mark.asyncio
async def test_what_comes_in_is_clean() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0)
        line.send(entry(1, "\x1b[2Jhi", nick="b\x07ob"))
        got = await reader.feed.next()
        assert "\x1b" not in got.text
        assert "\x07" not in got.nick


# --- lost connections ---------------------------------------------------------------------


@pytest.mark.asyncio
async def test_it_goes_on_from_the_last_entry_that_came() -> None:
    async with scripted() as peer, reading(peer, last=2) as (reader, line):
        await follow(line, 3, 4, 5)
        for seq in (5, 6, 7):
            await reader.quiet(line)
            line.abort()
            line = await again(peer)
            assert (await follow(line, seq, seq + 1)).cursor == cursor(seq)
            await until(lambda seq=seq: reader.feed._seq == seq + 1)
        assert await reader.take(5) == [4, 5, 6, 7, 8]


@pytest.mark.asyncio
async def test_a_loss_before_the_first_answer() -> None:
    async with scripted() as peer, reading(peer, last=2) as (reader, line):
        await line.expect(Follow)
        line.abort()
        line = await again(peer)
        assert (await follow(line, 3, 4, 5)).last == 2
        assert await reader.take(2) == [4, 5]


@pytest.mark.asyncio
async def test_a_loss_between_the_answer_and_the_first_entry() -> None:
    async with scripted() as peer, reading(peer, last=2) as (reader, line):
        await follow(line, 3, head=5)
        await reader.quiet(line)
        await line.close()
        line = await again(peer)
        history = await line.expect(History)
        assert history.after == 2
        line.send(HistoryOk(history.id, [entry(3)], 1, 9, True))
        await follow(line, 3, 4, 5, 6)
        assert await reader.take(3) == [4, 5, 6]


@pytest.mark.asyncio
async def test_a_server_that_has_no_time_now_is_asked_again() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        request = await line.expect(Follow)
        line.send(Error("busy", id=request.id, retry=True, wait_ms=5))
        await follow(line, 0, 1)
        assert await reader.take(1) == [1]


@pytest.mark.asyncio
async def test_a_subscription_that_the_server_ends_is_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ipcchat.client.feed._PAUSE", 0.02)
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1)
        line.send(Unfollowed(1, "internal"), Unfollowed(1, "internal"))
        assert (await follow(line, 1, 2)).cursor == cursor(1)
        line.send(Unfollowed(1))  # left at another device: whether there is more is asked
        request = await line.expect(Follow)
        line.send(Unfollowed(1), Error("no_room", id=request.id))
        assert await reader.take(2) == [1, 2]
        with pytest.raises(Refused) as caught:
            await reader.take(1)
        assert caught.value.code == "no_room"


@pytest.mark.asyncio
async def test_another_history_is_refused_after_what_had_come() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1, 2)
        await reader.quiet(line)
        line.abort()
        await again(peer, epoch="f" * 32)
        await until(lambda: reader.epoch == "f" * 32)
        assert await reader.take(2) == [1, 2]
        with pytest.raises(Refused) as caught:
            await reader.take(1)
        assert caught.value.code == "regressed"


@pytest.mark.asyncio
async def test_a_cursor_that_the_server_does_not_know_is_refused() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1)
        await reader.quiet(line)
        line.abort()
        line = await again(peer)
        request = await line.expect(Follow)
        line.send(Error("regressed", id=request.id))
        assert await reader.take(1) == [1]
        with pytest.raises(Refused) as caught:
            await reader.take(1)
        assert (caught.value.code, caught.value.exit_code) == ("regressed", 77)
        line.abort()
        line = await again(peer)
        await reader.lifeline.online()
        await reader.quiet(line)  # it has ended, and asks nothing


# --- slow readers, and the end ------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_slow_reader_is_left_out_until_it_has_caught_up() -> None:
    async with scripted() as peer, reading(peer, after=0, limit=4) as (reader, line):
        await follow(line, 0, *range(1, 8))
        await line.expect(Unfollow)
        await reader.quiet(line)
        assert await reader.take(1) == [1]
        await reader.quiet(line)  # three wait: not yet
        assert await reader.take(1) == [2]
        line.send(entry(7), entry(8))  # late ones of the old subscription
        assert (await follow(line, 4, 5, 6)).cursor == cursor(4)
        assert await reader.take(4) == [3, 4, 5, 6]
        line.send(entry(7), entry(8))
        assert await reader.take(2) == [7, 8]


@pytest.mark.asyncio
async def test_a_slow_reader_that_loses_the_connection() -> None:
    async with scripted() as peer, reading(peer, after=0, limit=2) as (reader, line):
        await follow(line, 0, 1, 2, 3)
        await line.expect(Unfollow)
        line.abort()
        line = await again(peer)
        await until(lambda: reader.link is not None)
        await reader.quiet(line)  # still behind: it does not follow yet
        assert await reader.take(1) == [1]
        assert (await follow(line, 2, 3)).cursor == cursor(2)
        assert await reader.take(2) == [2, 3]


@pytest.mark.asyncio
async def test_the_end_wakes_who_waits_and_keeps_what_was_queued() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        await follow(line, 0, 1)
        await reader.quiet(line)
        reader.feed.fail(Refused("replaced"))
        reader.feed.close()
        assert await reader.take(1) == [1]
        with pytest.raises(Refused):
            await reader.take(1)
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_fails(reader))
            await line.expect(Follow)
            reader.feed.close()
        assert isinstance(waiting.result(), ConnectionLost)


async def _fails(reader: Reader) -> Exception:
    with pytest.raises(ConnectionLost) as caught:
        await reader.feed.next()
    return caught.value


@pytest.mark.asyncio
async def test_a_closed_feed_does_not_ask_again() -> None:
    async with scripted() as peer, reading(peer, after=0) as (reader, line):
        request = await line.expect(Follow)
        line.send(Error("busy", id=request.id, retry=True, wait_ms=5))
        await reader.quiet(line)
        reader.feed.close()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await line.next()


# --- whatever happens ---------------------------------------------------------------------

_HEAD = 40
_FAULTS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["cut", "hole", "repeat", "busy", "end"])),
    max_size=8,
)


@given(_FAULTS, st.integers(1, 50), st.sampled_from([None, 0, 7]))
@hypothesis_settings(max_examples=50, deadline=None)
def test_whatever_happens_each_entry_comes_once_and_in_order(
    faults: list[tuple[int, str]], limit: int, after: int | None
) -> None:
    asyncio.run(_read_through(faults, limit, after))


async def _read_through(faults: list[tuple[int, str]], limit: int, after: int | None) -> None:
    last = None if after is not None else 20
    start = 20 if after is None else after
    async with (
        asyncio.timeout(30),
        scripted() as peer,
        reading(peer, last=last, after=after, limit=limit) as (reader, line),
        asyncio.TaskGroup() as group,
    ):
        server = group.create_task(_faulty(peer, line, faults))
        assert await reader.take(_HEAD - start) == list(range(start + 1, _HEAD + 1))
        server.cancel()


async def _faulty(peer: Peer, line: Line, faults: list[tuple[int, str]]) -> None:
    """A server of a room with 40 entries that does one thing wrong per subscription."""
    left = list(faults)
    while True:
        try:
            request = await line.next()
        except (EOFError, ConnectionError):
            line = await again(peer)
            continue
        if isinstance(request, History):
            assert request.after is not None
            line.send(HistoryOk(request.id, [entry(request.after + 1)], 1, _HEAD, True))
        elif isinstance(request, Unfollow):
            line.send(Ok(request.id), Unfollowed(1))
        elif isinstance(request, Follow):
            count, fault = left.pop(0) if left else (_HEAD, "")
            at = request.cursor.seq if request.cursor is not None else _HEAD - (request.last or 0)
            if fault == "busy":
                line.send(Error("busy", id=request.id, retry=True, wait_ms=1))
                continue
            line.send(FollowOk(request.id, from_=at, head=_HEAD, first=1))
            seqs = list(range(at + 1, min(at + count, _HEAD) + 1))
            line.send(*map(entry, seqs))
            if fault == "hole":
                line.send(*map(entry, range(at + count + 2, _HEAD + 2)))
            elif fault == "repeat":
                line.send(*map(entry, range(max(at - 3, 1), _HEAD + 1)))
            elif fault in ("cut", "end"):
                await line.close() if fault == "cut" else line.abort()
                line = await again(peer)
