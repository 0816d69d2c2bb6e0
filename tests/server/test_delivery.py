"""Saying, following, resuming: the contract of a subscription, through real sockets."""

import asyncio
from pathlib import Path

import pytest
from msgspec import Struct
from tests.support import RawClient, draft, serve

from ipcchat.entries import Cursor, Entry
from ipcchat.errors import RemoteProtocolError
from ipcchat.wire.messages import (
    Done,
    Error,
    Follow,
    Gap,
    History,
    Live,
    Ok,
    Part,
    Ping,
    Read,
    Rooms,
    Say,
    Topic,
    Unfollow,
    Unfollowed,
    Withdraw,
)

LOBBY = 1


@pytest.mark.asyncio
async def test_what_is_said_reaches_every_follower_once_and_in_order() -> None:
    async with (
        serve() as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        for client in (ann, bob):
            await client.follow(LOBBY)
            await client.live(LOBBY)
        said = [await ann.say(LOBBY, f"line {number}") for number in range(20)]
        assert [type(ok) for ok in said] == [Done] * 20
        assert [ok.seq for ok in said] == list(range(2, 22))
        for client in (ann, bob):
            entries = await client.entries(LOBBY, 20)
            assert [entry.seq for entry in entries] == list(range(2, 22))
            assert entries[0].text == "line 0"
            assert entries[0].by == ann.account
            assert entries[0].nick == "ann"
            assert entries[0].time == said[0].time


@pytest.mark.asyncio
async def test_a_later_follower_gets_the_last_entries_then_live() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        for number in range(10):
            await ann.say(LOBBY, str(number))
        async with RawClient.login(server.addresses[0], "bob") as bob:
            ok = await bob.follow(LOBBY, last=3)
            assert (ok.from_, ok.head, ok.first) == (8, 11, 1)
            assert [entry.seq for entry in await bob.entries(LOBBY, 3)] == [9, 10, 11]
            assert await bob.live(LOBBY) == Live(LOBBY, 11)
            await ann.say(LOBBY, "now")
            assert [entry.text for entry in await bob.entries(LOBBY, 1)] == ["now"]


@pytest.mark.asyncio
async def test_a_long_history_comes_in_pages_without_gap_or_repeat(tmp_path: Path) -> None:
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        for number in range(40):
            for _ in range(25):
                ann.send(Say(ann.next_id(), LOBBY, draft(), f"{number} " + "x" * 400))
            for _ in range(25):
                await ann.take(lambda value: isinstance(value, Done))
        async with RawClient.login(server.addresses[0], "bob") as bob:
            await bob.follow(LOBBY, cursor=Cursor(bob.epoch, 0))
            entries = await bob.entries(LOBBY, 1001)
            assert [entry.seq for entry in entries] == list(range(1, 1002))
            await bob.live(LOBBY)


@pytest.mark.asyncio
async def test_resuming_by_cursor_misses_nothing(tmp_path: Path) -> None:
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        async with RawClient.login(server.addresses[0], "bob") as bob:
            await bob.follow(LOBBY, last=0)
            await ann.say(LOBBY, "seen")
            (seen,) = await bob.entries(LOBBY, 1)
            epoch = bob.epoch
        for number in range(5):
            await ann.say(LOBBY, f"missed {number}")
        async with RawClient.login(server.addresses[0], "bob2") as bob:
            await bob.follow(LOBBY, cursor=Cursor(epoch, seen.seq, seen.draft))
            missed = await bob.entries(LOBBY, 5)
            assert [entry.seq for entry in missed] == list(range(seen.seq + 1, seen.seq + 6))


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "0" * 32},
        {"seq": 99},
        {"draft": "0" * 32},
    ],
)
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.asyncio
async def test_a_cursor_of_another_history_is_regressed(
    change: dict[str, object], kept: bool, tmp_path: Path
) -> None:
    async with (
        serve(data=str(tmp_path) if kept else ":memory:") as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await bob.follow(LOBBY)
        id = draft()
        ok = await ann.say(LOBBY, "hi", id)
        cursor = {"epoch": ann.epoch, "seq": ok.seq, "draft": id, **change}
        answer = await ann.ask(Follow(ann.next_id(), LOBBY, cursor=Cursor(**cursor)))
        assert isinstance(answer, Error)
        assert answer.code == "regressed"
        assert not answer.retry
        # Nobody else is told.
        await bob.entries(LOBBY, 1)
        assert all(not isinstance(value, Error) for value in bob.values)


@pytest.mark.asyncio
async def test_the_first_outcome_is_the_outcome() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        id = draft()
        first = await ann.say(LOBBY, "once", id)
        again = await ann.say(LOBBY, "once", id)
        assert (again.room, again.seq, again.time) == (first.room, first.seq, first.time)
        other = await ann.say(LOBBY, "twice", id)
        assert other.code == "draft_conflict"
        # Even where the other content could not be said at all.
        blank = await ann.say(LOBBY, "   ", id)
        assert blank.code == "draft_conflict"
        refused = draft()
        assert (await ann.say(99, "hi", refused)).code == "no_room"
        assert (await ann.say(99, "hi", refused)).code == "no_room"


@pytest.mark.asyncio
async def test_two_accounts_may_choose_the_same_draft_id() -> None:
    async with (
        serve() as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        id = draft()
        one, two = await ann.say(LOBBY, "hi", id), await bob.say(LOBBY, "hi", id)
        assert one.seq != two.seq


@pytest.mark.asyncio
async def test_withdraw_answers_with_the_place_or_refuses_for_ever() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        said, unsaid = draft(), draft()
        ok = await ann.say(LOBBY, "hi", said)
        place = await ann.ask(Withdraw(ann.next_id(), said))
        assert (place.room, place.seq) == (ok.room, ok.seq)
        nowhere = await ann.ask(Withdraw(ann.next_id(), unsaid))
        assert isinstance(nowhere, Done)
        assert (nowhere.room, nowhere.seq) == (0, 0)
        late = await ann.say(LOBBY, "too late", unsaid)
        assert late.code == "withdrawn"


@pytest.mark.asyncio
async def test_a_slow_follower_falls_back_to_its_cursor_and_misses_nothing(
    tmp_path: Path,
) -> None:
    async with (
        serve(data=str(tmp_path), queue_bytes=64 * 1024, tail_bytes=32 * 1024) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await bob.follow(LOBBY, last=0)
        await bob.live(LOBBY)
        # bob does not read; the kernel's buffers fill, then the queue, then it falls back.
        text = "y" * 4000
        for _ in range(80):
            for _ in range(40):
                ann.send(Say(ann.next_id(), LOBBY, draft(), text))
            for _ in range(40):
                await ann.take(lambda value: isinstance(value, Done))
        total = 80 * 40
        entries = await bob.entries(LOBBY, total)
        assert [entry.seq for entry in entries] == list(range(2, total + 2))
        again = await bob.live(LOBBY)  # it fell back, and caught up
        assert again.head >= 2
        await ann.say(LOBBY, "still there")
        (last,) = await bob.entries(LOBBY, 1)
        assert last.text == "still there"


@pytest.mark.asyncio
async def test_a_large_gap_is_skipped_where_the_client_wants_that() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        for number in range(30):
            await ann.say(LOBBY, str(number))
        ok = await ann.follow(LOBBY, cursor=Cursor(ann.epoch, 0), skip=10)
        assert ok.from_ == 0
        gap = await ann.take(lambda value: isinstance(value, Gap))
        assert (gap.from_, gap.first) == (0, 22)
        entries = await ann.entries(LOBBY, 10)
        assert [entry.seq for entry in entries] == list(range(22, 32))


@pytest.mark.asyncio
async def test_following_again_replaces_the_subscription() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "ann") as ann:
        await ann.follow(LOBBY, last=0)
        await ann.say(LOBBY, "one")
        await ann.follow(LOBBY, cursor=Cursor(ann.epoch, 0))
        await ann.live(LOBBY)
        await ann.say(LOBBY, "two")
        seqs = [entry.seq for entry in await ann.entries(LOBBY, 4)]
        assert seqs == [2, 1, 2, 3]


@pytest.mark.asyncio
async def test_nothing_comes_after_unfollowed() -> None:
    async with (
        serve() as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await ann.follow(LOBBY)
        await ann.live(LOBBY)
        assert isinstance(await ann.ask(Unfollow(ann.next_id(), LOBBY)), Ok)
        await ann.take(lambda value: isinstance(value, Unfollowed))
        assert isinstance(await ann.ask(Unfollow(ann.next_id(), LOBBY)), Ok)
        await bob.say(LOBBY, "alone")
        await ann.ask(Rooms(ann.next_id()))
        assert not [value for value in ann.values if isinstance(value, Entry)]


@pytest.mark.asyncio
async def test_history_pages_backwards_and_forwards(tmp_path: Path) -> None:
    async with (
        serve(data=str(tmp_path)) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        for number in range(50):
            await ann.say(LOBBY, f"{number} " + '"' * 3000)  # twice as long when encoded
        page = await ann.ask(History(ann.next_id(), LOBBY, limit=5))
        assert [entry.seq for entry in page.entries] == [47, 48, 49, 50, 51]
        assert page.more
        assert (page.first, page.head) == (1, 51)
        seen: list[int] = []
        before: int | None = None
        while True:
            page = await ann.ask(History(ann.next_id(), LOBBY, before=before, limit=1000))
            seen = [entry.seq for entry in page.entries] + seen
            before = seen[0]
            if not page.more:
                break
        assert seen == list(range(1, 52))
        forwards: list[int] = []
        while True:
            after = forwards[-1] if forwards else 0
            page = await ann.ask(History(ann.next_id(), LOBBY, after=after, limit=1000))
            forwards += [entry.seq for entry in page.entries]
            if not page.more:
                break
        assert forwards == seen
        assert (await ann.ask(History(ann.next_id(), 99))).code == "no_room"
        assert (await ann.ask(History(ann.next_id(), 0))).code == "no_room"


@pytest.mark.asyncio
async def test_rooms_topics_membership_and_markers() -> None:
    async with (
        serve() as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        room = await ann.join("#Café")
        assert await bob.join("café") == room
        ok = await ann.ask(Topic(ann.next_id(), draft(), room, "coffee"))
        assert ok.seq == 2
        same = await ann.ask(Topic(ann.next_id(), draft(), room, "coffee"))
        assert (same.room, same.seq) == (room, 0)
        await ann.say(room, "hi")
        assert isinstance(await ann.ask(Read(ann.next_id(), room, 3)), Ok | Done)
        (item,) = (await ann.ask(Rooms(ann.next_id(), name="#CAFÉ"))).items
        assert (item.room, item.name, item.topic) == (room, "#Café", "coffee")
        assert (item.head, item.members, item.joined, item.read) == (3, 2, True, 3)
        await bob.ask(Part(bob.next_id(), draft(), room))
        (item,) = (await bob.ask(Rooms(bob.next_id(), name="café"))).items
        assert (item.members, item.joined, item.read) == (1, False, 0)
        assert (await bob.ask(Rooms(bob.next_id(), name="#none"))).items == []


@pytest.mark.asyncio
async def test_requests_over_the_cap_wait_and_are_all_answered() -> None:
    async with (
        serve(requests_in_flight=4) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
    ):
        for number in range(100):
            ann.send(Say(ann.next_id(), LOBBY, draft(), str(number)))
        done = [await ann.take(lambda value: isinstance(value, Done)) for _ in range(100)]
        assert [ok.seq for ok in done] == list(range(2, 102))


@pytest.mark.asyncio
async def test_many_followers_of_a_busy_room_see_one_order() -> None:
    async with serve() as server:
        async with asyncio.TaskGroup() as group:

            async def follower(number: int) -> list[str]:
                async with RawClient.login(server.addresses[0], f"user{number}") as client:
                    await client.follow(LOBBY, last=0)
                    await client.live(LOBBY)
                    ready.release()
                    if number < 5:
                        await everyone.wait()
                        for line in range(20):
                            client.send(Say(client.next_id(), LOBBY, draft(), f"{number}.{line}"))
                    return [entry.text for entry in await client.entries(LOBBY, 100)]

            ready, everyone = asyncio.Semaphore(0), asyncio.Event()
            tasks = [group.create_task(follower(number)) for number in range(30)]
            for _ in tasks:
                await ready.acquire()
            everyone.set()
        seen = [task.result() for task in tasks]
        assert all(lines == seen[0] for lines in seen)
        for number in range(5):
            own = [line for line in seen[0] if line.startswith(f"{number}.")]
            assert own == [f"{number}.{line}" for line in range(20)]


@pytest.mark.asyncio
async def test_who_says_a_lot_has_no_longer_turn_than_who_says_a_little(tmp_path: Path) -> None:
    async with (
        serve(data=str(tmp_path), batch_drafts=8) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        sessions = {session.nick: session for session in server._hub.sessions.values()}
        loud, quiet = sessions["ann"], sessions["bob"]
        many: list[Struct | RemoteProtocolError] = [
            Say(1000 + number, 1, draft(), f"{number}") for number in range(200)
        ]
        word = Say(7, 1, draft(), "a word")
        bob.wire.send(word)  # as a client that waits for the replies
        for request in many:
            assert isinstance(request, Say)
            ann.wire.send(request)
        # in one turn of the loop, so that all of it waits
        server._gate.received(loud.connection, loud, many)
        server._gate.received(quiet.connection, quiet, [word])
        answer = await bob.take(lambda value: getattr(value, "id", None) == 7)
        assert 1 < answer.seq <= 1 + 2 * 8 + 8 + 1
        await ann.take(lambda value: getattr(value, "id", None) == 1199)


@pytest.mark.asyncio
async def test_what_was_acknowledged_is_in_the_history_though_the_room_rests() -> None:
    async with (
        serve(coalesce=0.3) as server,
        RawClient.login(server.addresses[0], "ann") as ann,
        RawClient.login(server.addresses[0], "bob") as bob,
    ):
        await bob.follow(LOBBY)
        await bob.live(LOBBY)
        await ann.say(LOBBY, "first")
        await bob.entries(LOBBY, 1)
        room = server._hub.room(LOBBY)
        room.cost = 1.0  # as if a thousand followed
        now = asyncio.get_running_loop().time
        room.flushed_at = now()
        for number in range(3):
            said = await ann.say(LOBBY, str(number))
            for asked in ({"limit": 1}, {"after": said.seq - 1}):
                page = await ann.ask(History(ann.next_id(), LOBBY, **asked))
                assert [entry.seq for entry in page.entries] == [said.seq]
        # Who asks while the last follower leaves is answered, too.
        room.cost, room.flushed_at = 1.0, now() + 60
        said = await ann.say(LOBBY, "last")
        history = History(ann.next_id(), LOBBY, limit=1)
        ann.send(history)
        await ann.ask(Ping(ann.next_id()))
        await bob.ask(Unfollow(bob.next_id(), LOBBY))
        page = await ann.take(lambda value: getattr(value, "id", None) == history.id)
        assert [entry.seq for entry in page.entries] == [said.seq]
