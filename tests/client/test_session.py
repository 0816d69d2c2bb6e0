"""What a screen works with: a model that stays true, whatever happens to the connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.client.peer import EPOCH, LOBBY, ME, Line, Peer, cable, entry, quick, scripted, until
from tests.support import RawClient, serve

from ipcchat.actions import operations
from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.model import Notice, RoomView
from ipcchat.client.session import Session
from ipcchat.entries import Cursor, Entry
from ipcchat.errors import ConnectionLost, Refused, TextError, Unreachable
from ipcchat.wire.messages import (
    Changed,
    Done,
    Error,
    Follow,
    FollowOk,
    History,
    Join,
    Live,
    LogLine,
    Member,
    Members,
    MembersOk,
    Ok,
    Part,
    Ping,
    Read,
    Room,
    Rooms,
    RoomsOk,
    Say,
    Topic,
    Unfollow,
    Unfollowed,
)

pytestmark = pytest.mark.asyncio

OTHER = "f" * 32


def made(address: object, nick: str = "ann", *, asked: bool = False, **more: Any) -> Session:
    """A session that has not begun. `rooms` are the session's, the rest are settings."""
    rooms = more.pop("rooms", ())
    who = Credentials(nick, (nick.encode().hex() * 32)[:32], asked=asked)
    return Session(parse_address(str(address)), who, quick(**more), rooms=rooms)


@asynccontextmanager
async def sitting(address: object, nick: str = "ann", **more: Any) -> AsyncIterator[Session]:
    """A session that has arrived in its rooms."""
    session = made(address, nick, **more)
    try:
        await session.start(10)
        await until(lambda: here(session))
        yield session
    finally:
        await session.close()


def here(session: Session) -> bool:
    """Whether the session is in its rooms, with all that was said there, and knows who is."""
    rooms = session.model.rooms.values()
    return bool(rooms) and all(room.live and room.members for room in rooms)


@asynccontextmanager
async def seated(
    peer: Peer,
    first: Callable[[Follow], list[Struct]] | None = None,
    features: Sequence[str] = (),
    **more: Any,
) -> AsyncIterator[tuple[Session, Line]]:
    """A session in the lobby of a scripted server, where five entries are."""
    session = made(peer.address, **more)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(session.start(10))
            line = await peer.accept()
            await line.login(features=features)
        await line.settle(first_follow=first or last_five)
        await until(lambda: lobby(session).seq == 5)
        yield session, line
    finally:
        await session.close()


def last_five(request: Follow) -> list[Struct]:
    ok = FollowOk(request.id, from_=0, head=5, first=1)
    return [ok, *map(entry, range(1, 6)), Live(1, 5)]


def last_one(request: Follow) -> list[Struct]:
    return [FollowOk(request.id, from_=4, head=5, first=1), entry(5), Live(1, 5)]


def lobby(session: Session, name: str = "#lobby") -> RoomView:
    room = session.model.room_by_name(name)
    assert room is not None, list(session.model.rooms)
    return room


def seqs(room: RoomView) -> list[int]:
    return [line.seq for line in room.lines if isinstance(line, Entry)]


def said(room: RoomView) -> list[str]:
    return [line.text for line in room.lines if isinstance(line, Entry) and line.kind == "message"]


def notes(room: RoomView) -> list[str]:
    return [line.text for line in room.lines if isinstance(line, Notice)]


async def request(line: Line, wanted: type[Any]) -> Any:
    """The next request of that kind; other questions are answered with nothing new."""
    while True:
        found = await line.next()
        if isinstance(found, wanted):
            return found
        if isinstance(found, Rooms):
            line.send(RoomsOk(found.id, [LOBBY]))
        elif isinstance(found, Members):
            line.send(MembersOk(found.id, []))
        elif isinstance(found, Read | Ping):
            line.send(Ok(found.id))


async def quiet(session: Session, line: Line) -> None:
    """Nothing more has been asked for, and what was sent has arrived."""
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(session.request(Ping(0)))
        ping = await line.expect(Ping)
        line.send(Ok(ping.id))
        await asked


# --- arriving -----------------------------------------------------------------------------


async def test_one_arrives_in_the_lobby() -> None:
    async with serve() as server, sitting(server.addresses[0]) as ann:
        model = ann.model
        assert (model.state, model.nick, model.role) == ("online", "ann", "member")
        room = lobby(ann)
        assert (model.current, room.joined) == (room.number, True)
        assert [member.nick for member in room.members.values()] == ["ann"]
        assert seqs(room) == [1]


async def test_one_arrives_in_the_rooms_that_were_asked_for() -> None:
    async with serve() as server:
        async with sitting(server.addresses[0], rooms=("#tea", "#lobby")) as ann:
            assert {room.name for room in ann.model.rooms.values()} == {"#tea", "#lobby"}
            assert ann.model.current == lobby(ann, "#tea").number
        async with sitting(server.addresses[0], rooms=("#lobby",)) as ann:  # still a member
            assert {room.name for room in ann.model.rooms.values()} == {"#tea", "#lobby"}
            assert ann.model.current == lobby(ann).number


@pytest.mark.parametrize("refused", [False, True])
async def test_one_is_in_no_room_until_the_one_that_was_asked_for_is_settled(refused: bool) -> None:
    tea = Room(room=2, name="#tea", head=0, joined=True)
    async with scripted() as peer:
        session = made(peer.address, rooms=("#tea",))
        async with asyncio.TaskGroup() as group:
            group.create_task(session.start(10))
            line = await peer.accept()
            await line.login()
        line.send(RoomsOk((await line.expect(Rooms)).id, [LOBBY]))
        join = await line.expect(Join)
        assert (session.model.current, session.arrival.done) == (0, False)
        with pytest.raises(Refused, match="no room"):
            session.submit(session.model.current, "a secret")
        if refused:
            line.send(Error("forbidden", "not for you", id=join.id))
        else:
            line.send(Done(join.id, 2, 1, 0))
            line.send(RoomsOk((await line.expect(Rooms)).id, [tea]))
        await until(lambda: session.arrival.done)
        assert session.model.current == (LOBBY.room if refused else tea.room)
        assert (session.arrival.error is not None) == refused
        await session.close()


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        session = made(f"127.0.0.1:{sock.getsockname()[1]}")
        with pytest.raises(Unreachable):
            await session.start(10)
        with pytest.raises(Unreachable):
            await session.run()
        assert session.model.state == "closed"
        await session.close()


async def test_a_taken_nick() -> None:
    async with serve() as server, sitting(server.addresses[0], "ann"):
        session = Session(
            parse_address(server.addresses[0]), Credentials("ann", "0" * 32, asked=True), quick()
        )
        with pytest.raises(Refused) as caught:
            await session.start(10)
        assert caught.value.code == "nick_taken"
        await session.close()
        session = Session(parse_address(server.addresses[0]), Credentials("ann", "0" * 32), quick())
        await session.start(10)
        await until(lambda: session.model.nick == "ann-2")
        await session.close()


async def test_a_first_contact_that_is_cut_off_is_tried_again() -> None:
    async with scripted() as peer:
        session = made(peer.address)
        await session.start(0)
        (await peer.accept()).abort()
        await until(lambda: session.model.detail and session.model.state == "connecting")
        line = await peer.accept()
        await line.login()
        await line.settle()
        await until(lambda: session.model.state == "online")
        await session.close()
        await line.ended()
        assert session.model.state == "closed"


async def test_a_login_that_is_refused_later_ends_the_session() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        line.abort()
        line = await peer.accept()
        hello = await line.next()
        line.send(Error("forbidden", "you are banned", id=hello.id))
        with pytest.raises(Refused, match="banned"):
            await session.run()


# --- talking ------------------------------------------------------------------------------


async def test_what_is_said_shows_at_once_and_turns_into_an_entry() -> None:
    async with (
        serve() as server,
        sitting(server.addresses[0], "ann") as ann,
        sitting(server.addresses[0], "bob") as bob,
    ):
        room = lobby(ann)
        pending = ann.submit(room.number, "hi")
        assert room.pending == [pending]
        await until(lambda: said(room) == ["hi"] == said(lobby(bob)))
        assert room.pending == []
        assert pending.state == "sent"
        last = lobby(bob).lines[-1]
        assert isinstance(last, Entry)
        assert (last.nick, last.draft) == ("ann", pending.draft)


async def test_what_is_typed_and_makes_no_sense() -> None:
    async with serve() as server, sitting(server.addresses[0]) as ann:
        with pytest.raises(Refused) as caught:
            ann.submit(99, "hi")
        assert (caught.value.code, caught.value.hint) == ("no_room", "/join #room")
        with pytest.raises(TextError):
            ann.submit(lobby(ann).number, " ")
        for name in ("no room", "#", "#" + "x" * 99):
            with pytest.raises(TextError):
                await ann.join(name)
        with pytest.raises(TextError):
            await ann.change_nick("no spaces")
        assert lobby(ann).pending == []


async def test_a_refused_line_stays_until_it_is_sent_again_or_dropped() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        room = lobby(session)
        pending = session.submit(1, "a")
        session.submit(1, "b")
        say = await request(line, Say)
        line.send(Error("forbidden", "you are muted", id=say.id))
        second = await request(line, Say)
        line.send(Done(second.id, 1, 6, 0))
        await until(lambda: [one.state for one in room.pending] == ["failed", "sent"])
        assert pending.reason == "you are muted"
        session.retry(pending)
        say = await request(line, Say)
        line.send(Error("forbidden", "still", id=say.id))
        await until(lambda: pending.reason == "still")
        session.discard(pending)
        assert [one.text for one in room.pending] == ["b"]


async def test_closing_lets_the_last_lines_leave() -> None:
    async with serve() as server:
        async with sitting(server.addresses[0], "ann") as ann:
            for text in ("good", "bye", "all"):
                ann.submit(lobby(ann).number, text)
        async with sitting(server.addresses[0], "bob") as bob:
            assert said(lobby(bob)) == ["good", "bye", "all"]


async def test_closing_tells_what_was_read() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        line.send(entry(6))
        await until(lambda: lobby(session).read_seq == 6)  # the user looks at it
        async with asyncio.TaskGroup() as group:
            group.create_task(session.close())
            assert (await request(line, Read)).seq == 6


async def test_a_line_whose_entry_comes_needs_no_answer() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        pending = session.submit(1, "a")
        session.submit(1, "b")
        say = await request(line, Say)
        line.send(Error("busy", id=say.id, retry=True, wait_ms=3_600_000))
        line.send(entry(6, "a", by=ME, draft=pending.draft))
        say = await request(line, Say)
        assert say.text == "b"
        assert pending not in lobby(session).pending
        line.send(Done(say.id, 1, 7, 0))


# --- lost connections ---------------------------------------------------------------------


async def test_nothing_is_missed_and_nothing_doubled_across_a_restart(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    async with AsyncExitStack() as stack:
        async with serve(data=data) as server:
            address = server.addresses[0]
            ann = await stack.enter_async_context(sitting(address, "ann"))
            bob = await stack.enter_async_context(sitting(address, "bob"))
            room = lobby(ann)
            for number in range(5):
                ann.submit(room.number, f"{number}")
            await until(lambda: not room.pending)
        await until(lambda: ann.model.state == bob.model.state == "reconnecting")
        assert ann.model.detail
        assert not room.live
        for number in range(5, 10):
            ann.submit(room.number, f"{number}")
        assert [pending.state for pending in room.pending] == ["sending"] * 5
        async with serve(data=data, listen=(address,)):
            for one in (ann, bob):
                await until(lambda one=one: len(said(lobby(one))) == 10)
                assert said(lobby(one)) == [f"{number}" for number in range(10)]
                assert seqs(lobby(one)) == list(range(1, 12))
                assert one.model.state == "online"
            assert room.pending == []
            await ann.close()
            await bob.close()


async def test_another_history_starts_over_and_says_so(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with serve(data=str(tmp_path / "one")) as server:
            address = server.addresses[0]
            ann = await stack.enter_async_context(sitting(address, rooms=("#tea",)))
            tea = lobby(ann, "#tea")
            ann.submit(tea.number, "old")
            await until(lambda: said(tea) == ["old"])
        await until(lambda: ann.model.state == "reconnecting")
        ann.submit(tea.number, "new")
        async with serve(data=str(tmp_path / "two"), listen=(address,)):
            await until(lambda: said(tea) == ["new"])
            assert any("history has changed" in note for note in notes(tea))
            assert lobby(ann, "#tea") is tea
            assert ann.model.current == tea.number
            assert seqs(tea) == [1, 2]
            await ann.close()


async def test_what_waits_is_said_in_the_room_of_that_name() -> None:
    """In the other history the lobby has the number 5, and number 1 is another room."""
    async with scripted() as peer, seated(peer) as (session, line):
        line.abort()
        await until(lambda: session.model.state == "reconnecting")
        session.submit(1, "for the lobby")
        line = await peer.accept()
        await line.login(epoch=OTHER)
        rooms = await line.expect(Rooms)
        assert lobby(session).number < 0
        items = [Room(1, "#secret", 9, joined=False), Room(5, "#Lobby", 3, joined=True)]
        line.send(RoomsOk(rooms.id, items))
        say = await line.expect(Say)
        assert (say.room, say.text) == (5, "for the lobby")
        line.send(Done(say.id, 5, 4, 0))
        follow = await line.expect(Follow)
        assert (follow.room, follow.cursor) == (5, None)
        assert (session.model.current, list(session.model.rooms)) == (5, [5])


async def test_a_room_that_can_not_be_had_again() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        line.abort()
        line = await peer.accept()
        await line.login(epoch=OTHER)
        rooms = await line.expect(Rooms)
        line.send(RoomsOk(rooms.id, [Room(3, "#hall", joined=True)]))
        join = await line.expect(Join)
        assert join.name == "#lobby"
        line.send(Error("forbidden", "members only", id=join.id))
        await request(line, Follow)
        assert [room.name for room in session.model.rooms.values()] == ["#hall"]
        assert session.model.current == 0, "nobody chose #hall"


async def test_a_room_that_was_left_elsewhere_is_gone_after_the_loss() -> None:
    async with serve() as server, sitting(server.addresses[0], rooms=("#lobby", "#tea")) as ann:
        async with sitting(server.addresses[0], rooms=("#lobby",)) as other:
            await other.part(lobby(other, "#tea").number)
        ann.reconnect()
        await until(lambda: ann.model.room_by_name("#tea") is None)
        assert ann.model.current == lobby(ann).number


async def test_connecting_anew_is_asked_for() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        session.reconnect()
        await line.ended()
        line = await peer.accept()
        await line.login()
        follows = await line.settle()
        assert {(one.room, one.cursor) for one in follows} == {(1, Cursor(EPOCH, 5, f"{5:032x}"))}


async def test_without_a_connection_what_is_asked_for_ends_after_a_while() -> None:
    async with scripted() as peer, seated(peer, connect_timeout=0.1) as (session, line):
        line.abort()
        await until(lambda: session.model.state == "reconnecting")
        with pytest.raises(ConnectionLost, match="not connected") as caught:
            await session.join("#tea")
        assert caught.value.hint
        await until(lambda: session.model.state == "reconnecting")
        with pytest.raises(ConnectionLost):
            await session.request(Ping(0))


async def test_a_question_outlives_the_connection() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        async with asyncio.TaskGroup() as group:
            topic = group.create_task(session.set_topic(1, "tea"))
            first = await request(line, Topic)
            line.abort()
            line = await peer.accept()
            await line.login()
            second = await request(line, Topic)
            assert (second.draft, second.text) == (first.draft, "tea")
            line.send(Done(second.id, 1, 6, 0))
            await topic


# --- following ----------------------------------------------------------------------------


async def test_a_hole_makes_it_follow_again() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        line.send(entry(7), entry(8))
        again = await request(line, Follow)
        assert again.cursor == Cursor(EPOCH, 5, entry(5).draft)
        line.send(entry(9))
        await quiet(session, line)  # it is asked for once
        ok = FollowOk(again.id, from_=5, head=8, first=1)
        line.send(Unfollowed(1), ok, entry(6), entry(7), entry(8), Live(1, 8))
        await until(lambda: lobby(session).seq == 8)
        assert seqs(lobby(session)) == list(range(1, 9))


async def test_a_cursor_that_is_not_known_starts_the_room_over() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        line.abort()
        line = await peer.accept()
        await line.login()
        refused = await request(line, Follow)
        line.send(Error("regressed", id=refused.id))
        again = await request(line, Follow)
        assert (again.cursor, again.last) == (None, session.settings.page)
        ok = FollowOk(again.id, from_=0, head=2, first=1)
        line.send(ok, entry(1, "other"), entry(2, "words"), Live(1, 2))
        await until(lambda: lobby(session).live)
        assert said(lobby(session)) == ["other", "words"]
        assert any("history has changed" in note for note in notes(lobby(session)))


async def test_a_subscription_that_the_server_ends_is_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "ipcchat.client.follower.Follower.put_off.__defaults__", (0.01,), raising=True
    )
    async with scripted() as peer, seated(peer) as (session, line):
        line.send(Unfollowed(1, "internal"))
        again = await request(line, Follow)
        assert again.cursor == Cursor(EPOCH, 5, entry(5).draft)
        line.send(Error("busy", "not now", id=again.id, retry=True, wait_ms=5))
        again = await request(line, Follow)
        line.send(FollowOk(again.id, from_=5, head=5, first=1), Live(1, 5))
        await until(lambda: lobby(session).live)
        assert "#lobby: not now" in notes(lobby(session))


async def test_a_long_absence_is_skipped_and_can_be_fetched(tmp_path: Path) -> None:
    async with serve() as server, AsyncExitStack() as stack:
        bob = await stack.enter_async_context(RawClient.login(server.addresses[0], "bob"))
        number = await bob.join("#lobby")
        await bob.say(number, "first")
        wire = await stack.enter_async_context(cable(server.addresses[0]))
        ann = await stack.enter_async_context(sitting(wire.address, skip_over=10, page=20))
        room = lobby(ann)
        start = room.seq
        wire.dead = True
        wire.cut()
        await until(lambda: ann.model.state == "reconnecting")
        for text in range(50):
            await bob.say(number, f"{text}")
        wire.dead = False
        await until(lambda: room.live)
        assert said(room)[-1] == "49"
        assert any("skipped" in note for note in notes(room))
        assert seqs(room)[0] > start + 1
        while not room.complete:
            assert await ann.fetch_older(room.number) > 0
        assert seqs(room) == list(range(1, start + 51))
        assert await ann.fetch_older(room.number) == 0


async def test_older_history_is_fetched_a_page_at_a_time() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        for number in range(95):
            await bob.say(1, f"{number}")
        async with sitting(server.addresses[0], page=20) as ann:
            room = lobby(ann)
            assert seqs(room) == list(range(77, 97))
            assert await asyncio.gather(*[ann.fetch_older(1) for _ in range(3)]) == [20, 0, 0]
            assert seqs(room) == list(range(57, 97))
            assert await ann.fetch_older(1, 50) == 50
            assert await ann.fetch_older(1) == 6
            assert seqs(room) == list(range(1, 97))
            assert room.complete
            assert await ann.fetch_older(99) == 0


async def test_a_page_of_another_history_is_not_taken() -> None:
    async with scripted() as peer, seated(peer, last_one) as (session, line):
        fetching = asyncio.gather(session.fetch_older(1), session.fetch_older(1))
        history = await request(line, History)
        assert history.before == 5
        await quiet(session, line)  # one page at a time
        line.abort()
        line = await peer.accept()
        await line.login(epoch=OTHER)
        assert list(await fetching) == [0, 0]
        assert seqs(lobby(session)) == []


async def test_the_past_straight_from_the_server() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        for number in range(30):
            await bob.say(1, f"{number}")
        async with sitting(server.addresses[0], page=5) as ann:
            page = await ann.history(1, before=10, limit=3)
            assert [one.seq for one in page.entries] == [7, 8, 9]
            page = await ann.history(1, after=10, limit=3)
            assert [one.seq for one in page.entries] == [11, 12, 13]
            assert [one.seq async for one in ann.all_entries(1)] == list(range(1, 32))


# --- rooms, members, nicks ----------------------------------------------------------------


async def test_joining_and_leaving() -> None:
    async with (
        serve(presence_interval=0) as server,
        sitting(server.addresses[0], "ann") as ann,
        sitting(server.addresses[0], "bob") as bob,
    ):
        room = await ann.join("tea")
        assert room.name == "#tea"
        await until(lambda: room.live)
        assert await ann.join("#TEA") is room
        assert [item.name for item in await bob.list_rooms()] == ["#lobby", "#tea"]
        await bob.join("#tea")
        await until(lambda: {one.nick for one in room.members.values()} == {"ann", "bob"})
        await ann.set_topic(room.number, "green")
        await until(lambda: lobby(bob, "#tea").topic == "green")
        await bob.part(room.number)
        await until(lambda: {one.nick for one in room.members.values()} == {"ann"})
        assert bob.model.room_by_name("#tea") is None
        with pytest.raises(Refused):
            bob.submit(room.number, "hi")


async def test_leaving_ends_the_subscription() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        async with asyncio.TaskGroup() as group:
            group.create_task(session.part(1))
            part = await request(line, Part)
            line.send(Done(part.id, 1))
            assert (await request(line, Unfollow)).room == 1
        assert session.model.rooms == {}


async def test_a_changed_list_of_members_is_fetched_again() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        line.send(Changed("presence"))
        asked = await line.expect(Members)
        line.send(Changed("presence"))  # and once more, since it may have changed meanwhile
        await quiet(session, line)
        line.send(MembersOk(asked.id, []))
        asked = await line.expect(Members)
        line.send(MembersOk(asked.id, [Member(2, "bob")]))
        await until(lambda: 2 in lobby(session).members)
        await quiet(session, line)


async def test_a_changed_nick_shows_everywhere() -> None:
    async with (
        serve(presence_interval=0) as server,
        sitting(server.addresses[0], "ann") as ann,
        sitting(server.addresses[0], "bob") as bob,
    ):
        await ann.change_nick("anna")
        assert ann.model.nick == "anna"
        await until(lambda: "anna" in [one.nick for one in lobby(bob).members.values()])
        with pytest.raises(Refused, match="taken"):
            await bob.change_nick("anna")
        assert bob.model.nick == "bob"


async def test_who_comes_and_goes_shows() -> None:
    async with (
        serve(presence_interval=0, presence_grace=0) as server,
        sitting(server.addresses[0], "ann") as ann,
    ):

        def bob() -> str:
            found = [one.status for one in lobby(ann).members.values() if one.nick == "bob"]
            return found[0] if found else ""

        async with sitting(server.addresses[0], "bob"):
            await until(lambda: bob() == "online")
        await until(lambda: bob() == "offline")


async def test_what_was_read_is_told_to_the_server() -> None:
    async with serve() as server:
        async with RawClient.login(server.addresses[0], "bob") as bob:
            async with sitting(server.addresses[0], "ann") as ann:
                ann.model.focused = False
                await bob.say(1, "unread")
                await until(lambda: lobby(ann).unread == 1)
                ann.mark_read(1)
                assert lobby(ann).unread == 0
                seen = lobby(ann).seq
            await bob.say(1, "missed")
        async with sitting(server.addresses[0], "ann") as ann:
            assert lobby(ann).read_seq == seen == lobby(ann).seq - 1


async def test_the_screen_is_told_of_each_chunk_once() -> None:
    async with scripted() as peer, seated(peer) as (session, line):
        changes: list[int] = []
        session.on_change = lambda: changes.append(lobby(session).seq)
        line.send(*map(entry, range(6, 46)))
        await until(lambda: lobby(session).seq == 45)
        assert changes
        assert len(changes) < 20


async def test_an_operator_watches_and_ends_the_server(tmp_path: Path) -> None:
    async with serve(data=str(tmp_path / "data"), control=str(tmp_path / "c")) as server:
        session = Session(
            parse_address(f"unix:{server.control_path}"), Credentials("op"), quick(), rooms=()
        )
        seen: list[Struct] = []
        session.on_event = seen.append
        await session.start(10)
        await until(lambda: here(session))
        assert session.model.role == "operator"
        await operations.watch_log(session)
        async with RawClient.login(server.addresses[0], "bob"):
            nicks = {one.nick for one in await operations.sessions(session)}
            assert {"bob", session.model.nick} <= nicks
        await until(lambda: any(isinstance(event, LogLine) for event in seen))
        await operations.shutdown(session)
        async with asyncio.timeout(10):
            await server.wait_closed()
        await session.close()


async def test_who_is_no_operator_may_not() -> None:
    async with serve() as server, sitting(server.addresses[0]) as ann:
        asked: list[Callable[[Session], Any]] = [operations.shutdown, operations.sessions]
        for ask in asked:
            with pytest.raises(Refused, match="may not"):
                await ask(ann)


async def test_closing_twice_or_before_the_start() -> None:
    async with serve() as server:
        session = made(server.addresses[0])
        await session.close()
        async with sitting(server.addresses[0]) as ann:
            await ann.close()
            await ann.close()
            await ann.run()
            assert ann.model.state == "closed"
