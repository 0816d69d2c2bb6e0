"""The API for scripts against real servers: what is said and read survives whatever happens."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.client.peer import EPOCH, LOBBY, ME, Line, Peer, cable, quick, scripted, until
from tests.client.peer import entry as said_by_bob
from tests.support import RawClient, draft, serve, serve_process, server_settings

import ipcchat
from ipcchat.client.chat import Chat
from ipcchat.entries import Entry
from ipcchat.errors import (
    ConnectionLost,
    ProtocolError,
    Refused,
    TextError,
    Unreachable,
    UsageError,
)
from ipcchat.server.server import Server
from ipcchat.wire.messages import (
    Done,
    Error,
    Follow,
    FollowOk,
    Gap,
    History,
    HistoryOk,
    Nick,
    Ok,
    Presence,
    Rooms,
    RoomsOk,
    Say,
    Shutdown,
    Status,
    StatusOk,
    Unfollow,
    Unfollowed,
    Withdraw,
)

pytestmark = pytest.mark.asyncio


class Place:
    """Makes scripts whose profiles lie in a directory of their own."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def __call__(self, address: object, name: str = "ann", **more: Any) -> Chat:
        given = {"settings": quick(), "state_dir": self._state, **more}
        return ipcchat.connect(str(address), name=name, **given)


@pytest.fixture
def connect(tmp_path: Path) -> Place:
    return Place(tmp_path / "state")


async def take(feed: AsyncIterator[Entry], count: int) -> list[Entry]:
    """The next entries of a feed."""
    async with asyncio.timeout(20):
        return [await anext(feed) for _ in range(count)]


def texts(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries]


@asynccontextmanager
async def arrived(chat: Chat, peer: Peer) -> AsyncIterator[Line]:
    """A script that is logged in at a scripted server, closed with the block."""
    async with asyncio.TaskGroup() as group:
        group.create_task(chat.__aenter__())
        line = await peer.accept()
        await line.login()
    try:
        yield line
    finally:
        await chat.close()


async def find_lobby(line: Line) -> None:
    """Answers which room `#lobby` is."""
    rooms = await line.expect(Rooms)
    assert rooms.name == "#lobby"
    line.send(RoomsOk(rooms.id, [LOBBY]))


# --- coming in ----------------------------------------------------------------------------


async def test_who_one_is_at_the_server(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0], "ann") as chat:
        assert (chat.name, chat.role) == ("ann", "member")
        assert chat.account > 0
        assert len(chat.epoch) == 32


async def test_the_same_name_is_the_same_account_next_time(connect: Place) -> None:
    async with serve() as server:
        async with connect(server.addresses[0], "ann") as chat:
            account = chat.account
        async with connect(server.addresses[0], "ann") as chat:
            assert chat.account == account


async def test_two_scripts_of_one_profile_at_the_same_time(connect: Place) -> None:
    async with (
        serve() as server,
        connect(server.addresses[0], "ann") as one,
        connect(server.addresses[0], "ann") as two,
    ):
        assert one.account == two.account
        feed = two.follow("#lobby", last=1)
        await one.say("#lobby", "to my other self")
        assert texts(await take(feed, 1)) == ["to my other self"]


async def test_a_taken_nick_is_refused(connect: Place, tmp_path: Path) -> None:
    async with serve() as server, connect(server.addresses[0], "ann"):
        with pytest.raises(Refused) as caught:
            await connect(server.addresses[0], "ann", state_dir=tmp_path / "else").__aenter__()
        assert (caught.value.code, caught.value.exit_code) == ("nick_taken", 77)
        assert "--name" in caught.value.hint


async def test_nobody_listens(connect: Place) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(Unreachable) as caught:
            await connect(address).__aenter__()
    assert caught.value.exit_code == 69
    assert address in str(caught.value)


async def test_a_server_that_never_answers_is_unreachable(connect: Place) -> None:
    async with scripted() as peer:
        with pytest.raises(Unreachable, match="no answer"):
            await connect(peer.address, settings=quick(connect_timeout=0.05)).__aenter__()


async def test_what_answers_is_something_else(connect: Place) -> None:
    async with scripted() as peer, asyncio.TaskGroup() as group:

        async def answer() -> None:
            (await peer.accept()).send_bytes(b"SSH-2.0-OpenSSH_9.2\r\n")

        group.create_task(answer())
        with pytest.raises(ProtocolError, match="no ipcchat server"):
            await connect(peer.address).__aenter__()


@pytest.mark.parametrize(
    ("server", "name", "error"),
    [
        ("host:99999", "ann", UsageError),
        ("http://host", "ann", UsageError),
        ("localhost:1", "no spaces", TextError),
    ],
)
async def test_what_makes_no_sense_is_said_at_once(
    connect: Place, server: str, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await connect(server, name).__aenter__()


async def test_a_quiet_script_is_not_seen(connect: Place) -> None:
    async with (
        serve(presence_interval=0) as server,
        connect(server.addresses[0], "ann") as ann,
        connect(server.addresses[0], "robot", quiet=True) as robot,
    ):
        for chat in (ann, robot):
            await chat.join("#lobby")
        await robot.say("#lobby", "still heard")
        (heard,) = await ann.history("#lobby", limit=1)
        assert (heard.nick, heard.text) == ("robot", "still heard")
        present = {member.nick: member.status for member in await ann.members("#lobby")}
        assert (present["ann"], present["robot"]) == ("online", "offline")


async def test_over_a_unix_socket_one_is_who_the_kernel_says(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serve(unix=str(path)):
        async with ipcchat.connect(f"unix:{path}", name="ann", peer=True) as chat:
            account = chat.account
            assert (await chat.say("#lobby", "hi")).by == account
        async with ipcchat.connect(f"unix:{path}", name="other", peer=True) as chat:
            assert (chat.account, chat.name) == (account, "ann")


# --- saying -------------------------------------------------------------------------------


async def test_say_returns_the_entry_as_it_is_stored(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        first = await chat.say("#lobby", "hi")
        second = await chat.say("#LOBBY", "waves", style="me")
        assert second.seq == first.seq + 1
        assert await chat.history("#lobby", limit=2) == [first, second]


async def test_what_was_acknowledged_survives_a_kill(connect: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serve_process(home) as first:
        async with connect(first.address) as chat:
            feed = chat.follow("#lobby", after=0)
            said = await chat.say("#lobby", "before")
            assert await take(feed, 1) == [said]
            first.kill()
            with serve_process(home, port=first.port):
                again = await chat.say("#lobby", "after")
                assert await take(feed, 1) == [again]
                assert again.seq == said.seq + 1
                assert (await chat.history("#lobby", limit=2)) == [said, again]


async def test_says_that_wait_keep_their_order(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        await chat.say("#lobby", "first of all")
        async with asyncio.TaskGroup() as group:
            said = [group.create_task(chat.say("#lobby", f"{n}")) for n in range(50)]
        seqs = [task.result().seq for task in said]
        assert seqs == list(range(seqs[0], seqs[0] + 50))


async def test_an_ok_that_was_lost_is_asked_for_with_the_same_draft(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            said = group.create_task(chat.say("#lobby", "once"))
            await find_lobby(line)
            drafts = set()
            for _ in range(3):
                say = await line.expect(Say)
                drafts.add(say.draft)
                line.abort()
                line = await peer.accept()
                await line.login()
            say = await line.expect(Say)
            line.send(Done(say.id, 1, 5, 6))
            assert await said == Entry(1, 5, 6, ME, "ann", "message", say.draft, "once")
            assert drafts == {say.draft}


async def test_a_stored_line_whose_ok_was_lost_is_there_once(connect: Place) -> None:
    async with (
        serve() as server,
        cable(server.addresses[0]) as wire,
        connect(server.addresses[0], "bob") as bob,
        connect(wire.address, "ann") as ann,
    ):
        await ann.members("#lobby")  # it knows the room from here on
        seen = bob.follow("#lobby", after=0)
        for number in range(3):
            wire.hold()
            async with asyncio.TaskGroup() as group:
                said = group.create_task(ann.say("#lobby", f"line {number}"))
                (stored,) = await take(seen, 1)
                assert not said.done()
                wire.cut()
            assert said.result() == stored
        assert wire.dialled == 4
        assert texts(await bob.history("#lobby", after=1)) == ["line 0", "line 1", "line 2"]


async def test_a_server_that_is_busy_is_asked_again(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            said = group.create_task(chat.say("#lobby", "patience"))
            await find_lobby(line)
            first = await line.expect(Say)
            line.send(Error("busy", id=first.id, retry=True, wait_ms=5))
            second = await line.expect(Say)
            assert second.draft == first.draft
            line.send(Done(second.id, 1, 9, 1))
            assert (await said).seq == 9


async def test_what_the_server_refuses_is_raised(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        with pytest.raises(Refused) as caught:
            await chat.say("#nowhere", "hi")
        assert (caught.value.code, caught.value.exit_code) == ("no_room", 77)
        assert "#nowhere" in str(caught.value)
        with pytest.raises(Refused, match="may not"):
            await chat.request(Status(0))


async def test_a_refused_line_is_not_tried_again(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            said = asyncio.gather(chat.say("#lobby", "one"), return_exceptions=True)
            await find_lobby(line)
            say = await line.expect(Say)
            line.send(Error("forbidden", "you are muted", id=say.id))
            (error,) = await said
            assert isinstance(error, Refused)
            assert (error.code, error.text) == ("forbidden", "you are muted")
            group.create_task(chat.request(Nick(0, draft(), "x")))
            nick = await line.expect(Nick)  # and no `say` before it
            line.send(Done(nick.id))


@pytest.mark.parametrize("said", ["", " \n ", "x" * 9000, "\n".join("x" * 999)])
async def test_a_text_that_can_not_be_sent(connect: Place, said: str) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        with pytest.raises(TextError):
            await chat.say("#lobby", said)


async def test_a_say_that_is_cancelled_is_taken_back(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            said = group.create_task(chat.say("#lobby", "or rather not"))
            await find_lobby(line)
            say = await line.expect(Say)
            said.cancel()
            withdraw = await line.expect(Withdraw)
            assert withdraw.draft == say.draft
            with pytest.raises(asyncio.CancelledError):
                await said


async def test_after_the_end_nothing_is_said_and_nobody_waits(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line:
            said = asyncio.gather(chat.say("#lobby", "x"), return_exceptions=True)
            await find_lobby(line)
            await line.expect(Say)
            feed = chat.follow("#lobby")
            reading = asyncio.gather(anext(feed), return_exceptions=True)
            await line.next()
            await chat.close()
            assert isinstance((await said)[0], ConnectionLost)
            assert isinstance((await reading)[0], ConnectionLost)


async def test_after_the_end_known_rooms_raise_too(connect: Place) -> None:
    async with serve() as server:
        chat = connect(server.addresses[0])
        async with chat:
            await chat.say("#lobby", "x")
        async with asyncio.timeout(1):
            with pytest.raises(ConnectionLost):
                await chat.say("#lobby", "y")
            with pytest.raises(ConnectionLost):
                await anext(chat.follow("#lobby"))


async def test_what_waits_is_not_said_in_a_room_of_another_history(connect: Place) -> None:
    """There the same number is another room, perhaps one that others read."""
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line:
            said = asyncio.gather(chat.say("#lobby", "for these eyes"), return_exceptions=True)
            await find_lobby(line)
            await line.expect(Say)
            line.abort()
            line = await peer.accept()
            await line.login(epoch="f" * 32)
            await until(lambda: chat.epoch == "f" * 32)
            asked = asyncio.gather(chat.members("#lobby"), return_exceptions=True)
            assert isinstance(await line.next(), Rooms)
        await asyncio.gather(said, asked)


# --- following ----------------------------------------------------------------------------


async def test_follow_begins_where_it_is_told_to(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        said = [await chat.say("#lobby", f"{number}") for number in range(6)]
        assert texts(await take(chat.follow("#lobby", last=3), 3)) == ["3", "4", "5"]
        assert texts(await take(chat.follow("#lobby", after=said[1].seq), 4)) == list("2345")
        assert texts(await take(chat.follow("#lobby", after=0), 6)) == list("012345")
        assert texts(await take(chat.follow("#lobby", last=1000), 6)) == list("012345")
        feed = chat.follow("#lobby")
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(take(feed, 1))
            while not reading.done():  # the moment at which it begins is the server's
                await chat.say("#lobby", "now")
        assert texts(reading.result()) == ["now"]


async def test_kinds_are_chosen(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        await chat.say("#lobby", "hi")
        await chat.topic("#lobby", "tea")
        await chat.say("#lobby", "ho")
        every = await take(chat.follow("#lobby", after=0, kinds=None), 4)
        assert [entry.kind for entry in every] == ["create", "message", "topic", "message"]
        assert [entry.seq for entry in every] == [1, 2, 3, 4]
        (topic,) = await take(chat.follow("#lobby", after=0, kinds={"topic"}), 1)
        assert topic.text == "tea"


async def test_what_can_not_be_followed(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        with pytest.raises(UsageError):
            await anext(chat.follow("#lobby", last=1, after=1))
        with pytest.raises(Refused) as caught:
            await anext(chat.follow("#nowhere"))
        assert caught.value.code == "no_room"
        with pytest.raises(TextError):
            await anext(chat.follow("no room at all"))
        with pytest.raises(Refused) as caught:
            await anext(chat.follow("#lobby", after=99))
        assert caught.value.code == "regressed"
        said = await chat.say("#lobby", "and the connection is fine")
        assert await take(chat.follow("#lobby", last=1), 1) == [said]


async def test_a_second_reader_of_a_room_ends_the_first(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        said = await chat.say("#lobby", "a")
        first = chat.follow("#lobby", last=1)
        assert await take(first, 1) == [said]
        second = chat.follow("#lobby", last=1)
        assert await take(second, 1) == [said]
        with pytest.raises(UsageError, match="another reader"):
            await anext(first)
        said = await chat.say("#lobby", "b")
        assert await take(second, 1) == [said]


async def test_a_second_reader_while_something_is_said(connect: Place) -> None:
    """The first one's subscription goes on until the second one's begins."""
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            first, second = chat.follow("#lobby", last=1), chat.follow("#lobby", after=10)
            reading = group.create_task(take(first, 1))
            await find_lobby(line)
            follow = await line.expect(Follow)
            line.send(FollowOk(follow.id, from_=9, head=10, first=1), said_by_bob(10))
            await reading
            reading = group.create_task(take(second, 2))
            history = await line.expect(History)
            line.send(said_by_bob(11), HistoryOk(history.id, [said_by_bob(10)], 1, 11, True))
            answering = group.create_task(serve_follow(line, 10, 12))
            assert [entry.seq for entry in await reading] == [11, 12]
            answering.cancel()


async def serve_follow(line: Line, after: int, head: int) -> None:
    """Answers a `follow`, and whatever else is asked not at all."""
    while True:
        request = await line.next()
        if isinstance(request, Follow):
            line.send(FollowOk(request.id, from_=after, head=head, first=1))
            line.send(*(said_by_bob(seq) for seq in range(after + 1, head + 1)))


async def test_rooms_are_followed_side_by_side(connect: Place) -> None:
    async with serve() as server, connect(server.addresses[0]) as chat:
        await chat.join("#tea")
        lobby, tea = chat.follow("#lobby", after=0), chat.follow("#tea", after=0)
        for number in range(5):
            await chat.say("#lobby", f"l{number}")
            await chat.say("#TEA", f"t{number}")
        assert texts(await take(lobby, 5)) == [f"l{number}" for number in range(5)]
        assert texts(await take(tea, 5)) == [f"t{number}" for number in range(5)]


async def test_leaving_the_loop_ends_the_subscription(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            feed: Any = chat.follow("#lobby", last=1)
            reading = group.create_task(take(feed, 1))
            await find_lobby(line)
            follow = await line.expect(Follow)
            line.send(FollowOk(follow.id, from_=9, head=10, first=1), said_by_bob(10))
            await reading
            await feed.aclose()
            assert (await line.expect(Unfollow)).room == 1


async def test_what_the_server_tells_of_a_subscription_reaches_its_reader(
    connect: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipcchat.client.feed._PAUSE", 0.01)
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line, asyncio.TaskGroup() as group:
            reading = group.create_task(take(chat.follow("#lobby", after=0), 3))
            await find_lobby(line)
            follow = await line.expect(Follow)
            line.send(FollowOk(follow.id, from_=0, head=40, first=1), said_by_bob(1))
            line.send(Gap(1, 1, 40), said_by_bob(40), Unfollowed(1, "internal"))
            follow = await line.expect(Follow)
            line.send(FollowOk(follow.id, from_=40, head=41, first=1), said_by_bob(41))
            assert [entry.seq for entry in await reading] == [1, 40, 41]


async def test_a_nick_that_was_changed_elsewhere(connect: Place) -> None:
    async with scripted() as peer:
        chat = connect(peer.address)
        async with arrived(chat, peer) as line:
            line.send(Presence(2, "bobby", "online"), Presence(ME, "anna", "online"))
            await until(lambda: chat.name == "anna")


async def test_each_entry_once_and_in_order_across_restarts(connect: Place, tmp_path: Path) -> None:
    """The server is stopped and started again on its data and port while two talk and two read."""
    data = str(tmp_path / "data")
    total = 3 * 20
    async with AsyncExitStack() as stack:
        server = Server(_settings(data, 0))
        await server.start()
        address = server.addresses[0]
        port = int(address.rpartition(":")[2])
        ann = await stack.enter_async_context(connect(address, "ann"))
        bob = await stack.enter_async_context(connect(address, "bob"))
        feeds = [ann.follow("#lobby", after=0, kinds=None), bob.follow("#lobby", after=0)]
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(take(feeds[0], 2 * total + 1)),
                group.create_task(take(feeds[1], 2 * total)),
            ]
            talkers = [group.create_task(_talk(chat, total)) for chat in (ann, bob)]
            for stop_at in (total // 2, total):
                await _stored(ann, stop_at)
                await server.close()
                server = Server(_settings(data, port))
                await server.start()
        stack.push_async_callback(server.close)
        every, messages = (reader.result() for reader in readers)
        assert [entry.seq for entry in every] == list(range(1, 2 * total + 2))
        assert every[1:] == messages
        assert len({entry.draft for entry in messages}) == 2 * total
        for talker, nick in zip(talkers, ("ann", "bob"), strict=True):
            mine = [entry for entry in messages if entry.nick == nick]
            assert texts(mine) == [f"{number}" for number in range(total)]
            assert mine == talker.result()
        await ann.close()
        await bob.close()


def _settings(data: str, port: int) -> Any:
    return server_settings(data=data, listen=(f"127.0.0.1:{port}",))


async def _talk(chat: Chat, total: int) -> list[Entry]:
    return [await chat.say("#lobby", f"{number}") for number in range(total)]


async def _stored(chat: Chat, seq: int) -> None:
    """Waits until the lobby has so many entries."""
    async with asyncio.timeout(20):
        while True:
            entries = await chat.history("#lobby", limit=1)
            if entries and entries[-1].seq >= seq:
                return


async def test_nothing_is_missed_while_the_cable_is_cut_again_and_again(connect: Place) -> None:
    async with (
        serve() as server,
        cable(server.addresses[0]) as wire,
        connect(server.addresses[0], "bob") as bob,
        connect(wire.address, "ann") as ann,
    ):
        feed = ann.follow("#lobby", after=0, kinds=None)
        got: list[Entry] = []
        async with asyncio.TaskGroup() as group:

            async def read() -> None:
                while len(got) < 201:
                    got.append(await anext(feed))

            group.create_task(read())
            for number in range(200):
                await bob.say("#lobby", f"{number}")
                if number % 20 == 10:
                    wire.hold()
                if number % 20 == 15:
                    dialled = wire.dialled
                    wire.cut()
                    await until(lambda dialled=dialled: wire.dialled > dialled)
        assert [entry.seq for entry in got] == list(range(1, 202))


async def test_another_history_ends_a_reader(connect: Place, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with serve(data=str(tmp_path / "one")) as server:
            address = server.addresses[0]
            chat = await stack.enter_async_context(connect(address))
            said = await chat.say("#lobby", "here")
            feed = chat.follow("#lobby", last=1)
            assert await take(feed, 1) == [said]
            epoch, account = chat.epoch, chat.account
        async with serve(data=str(tmp_path / "two"), listen=(address,)):
            with pytest.raises(Refused) as caught:
                await take(feed, 1)
            assert (caught.value.code, caught.value.exit_code) == ("regressed", 77)
            assert chat.epoch != epoch
            said = await chat.say("#lobby", "there")
            assert (said.seq, said.by) == (2, chat.account)
            assert account > 0
            assert await take(chat.follow("#lobby", last=1), 1) == [said]
            await chat.close()


async def test_the_same_place_in_another_history_is_not_taken_for_it(
    connect: Place, tmp_path: Path
) -> None:
    """A data directory that was put back from a backup: same epoch, other entries."""
    data = tmp_path / "data"
    async with AsyncExitStack() as stack:
        async with serve(data=str(data)) as server:
            address = server.addresses[0]
            async with connect(address, "bob") as bob:
                await bob.say("#lobby", "kept")
        shutil.copytree(data, tmp_path / "backup")
        async with serve(data=str(data), listen=(address,)):
            chat = await stack.enter_async_context(connect(address))
            said = await chat.say("#lobby", "lost")
            feed = chat.follow("#lobby", last=1)
            assert await take(feed, 1) == [said]
            epoch = chat.epoch
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "backup", data)
        async with serve(data=str(data), listen=(address,)):
            with pytest.raises(Refused) as caught:
                await take(feed, 1)
            assert caught.value.code == "regressed"
            assert chat.epoch == epoch
            await chat.close()


async def test_without_a_server_for_too_long_everything_ends(connect: Place) -> None:
    async with AsyncExitStack() as stack:
        async with serve() as server:
            address = server.addresses[0]
            chat = await stack.enter_async_context(connect(address, timeout=0.1))
            said = await chat.say("#lobby", "x")
            feed = chat.follow("#lobby", last=1)
            assert await take(feed, 1) == [said]
        with pytest.raises(ConnectionLost) as caught:
            await take(feed, 1)
        assert caught.value.exit_code == 75
        with pytest.raises(ConnectionLost):
            await chat.rooms()


# --- looking around -----------------------------------------------------------------------


async def test_history_is_paged(connect: Place) -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        for number in range(2500):
            bob.send(Say(bob.next_id(), 1, draft(), f"{number}"))
            if number % 250 == 249:
                for _ in range(250):
                    await bob.take(lambda value: isinstance(value, Done))
        async with connect(server.addresses[0]) as chat:

            async def seqs(**given: int) -> list[int]:
                return [entry.seq for entry in await chat.history("#lobby", **given)]

            assert await seqs() == list(range(2402, 2502))
            assert await seqs(limit=10_000) == list(range(1, 2502))
            assert await seqs(after=0, limit=10_000) == list(range(1, 2502))
            assert await seqs(after=100, limit=1500) == list(range(101, 1601))
            assert await seqs(before=2001, limit=1500) == list(range(501, 2001))
            assert await seqs(before=3, limit=10) == [1, 2]
            assert await seqs(before=1) == []
            assert await seqs(after=2501) == []
            assert await seqs(limit=0) == []


async def test_rooms_members_topic_and_leaving(connect: Place) -> None:
    async with (
        serve() as server,
        connect(server.addresses[0], "ann") as ann,
        connect(server.addresses[0], "bob") as bob,
    ):
        room = await ann.join("#tea")
        assert (room.name, room.joined) == ("#tea", True)
        assert (await ann.join("#TEA")).room == room.room
        assert [item.name for item in await bob.rooms()] == ["#lobby", "#tea"]
        await ann.topic("#tea", "green")
        assert [item.topic for item in await bob.rooms()] == ["", "green"]
        assert [member.nick for member in await bob.members("#tea")] == ["ann"]
        await bob.join("#tea")
        await ann.part("#tea")
        assert [member.nick for member in await bob.members("#tea")] == ["bob"]


async def test_a_nick_is_changed(connect: Place) -> None:
    async with (
        serve() as server,
        connect(server.addresses[0], "ann") as ann,
        connect(server.addresses[0], "bob") as bob,
    ):
        await ann.nick("anna")
        assert ann.name == "anna"
        said = await ann.say("#lobby", "it is me")
        assert (await bob.history("#lobby", limit=1)) == [said]
        with pytest.raises(Refused, match="taken"):
            await bob.nick("ANNA")
        with pytest.raises(TextError):
            await bob.nick("no spaces")
        assert bob.name == "bob"


async def test_an_operator_asks_at_the_control_socket(tmp_path: Path) -> None:
    async with serve(data=str(tmp_path / "data"), control=str(tmp_path / "c")) as server:
        async with ipcchat.connect(f"unix:{server.control_path}", peer=True) as chat:
            assert chat.role == "operator"
            status = await chat.request(Status(0))
            assert isinstance(status, StatusOk)
            assert status.ready
            assert isinstance(await chat.request_once(Shutdown(0)), Ok)
            async with asyncio.timeout(10):
                await server.wait_closed()
            await until(lambda: chat.link is None)
            with pytest.raises(ConnectionLost):
                await chat.request_once(Shutdown(0))


async def test_one_login_is_made_for_each_connection(connect: Place) -> None:
    async with scripted() as peer, asyncio.TaskGroup() as group:
        chat = connect(peer.address, quiet=True)
        entering = group.create_task(chat.__aenter__())
        line = await peer.accept()
        first = await line.login("ann-2")
        await entering
        assert (first.quiet, first.nick, chat.name, chat.epoch) == (True, "ann", "ann-2", EPOCH)
        line.abort()
        line = await peer.accept()
        second = await line.login()
        assert second.secret == first.secret
        await chat.close()
