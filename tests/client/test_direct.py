"""Direct and private rooms in the model, and what a session asks a server about them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.client.peer import EPOCH, LOBBY, ME, Line, entry, scripted, until
from tests.client.test_session import lobby, notes, request, seated

from ipcchat.client.model import Model, RoomView
from ipcchat.client.session import Session
from ipcchat.errors import Refused
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import (
    Changed,
    Direct,
    Done,
    Error,
    Follow,
    FollowOk,
    Join,
    Live,
    Marker,
    Member,
    Members,
    MembersOk,
    Ok,
    Presence,
    Read,
    Room,
    Rooms,
    RoomsOk,
    Say,
    Unfollowed,
)

BOB = 2
AT_BOB = Room(9, "@bob", 1, joined=True, access="direct", peer=BOB, read=1)
DEN = Room(8, "#den", 1, joined=True, access="private", read=1)


@pytest.fixture
def model() -> Model:
    made = Model("lab:5555", "ann", settings=ClientSettings(ignore=("eve",)), now=lambda: 1000)
    made.login(ME, "ann", "member")
    for item in (LOBBY, AT_BOB, DEN):
        room = made.add_room(item)
        made.placed(room, EPOCH, FollowOk(0, from_=1, head=1, first=1), resumed=False)
        made.set_members(room, [Member(ME, "ann"), Member(BOB, "bob")])
        made.apply(Live(item.room, 1))
    made.current = 1
    return made


def test_a_direct_room_follows_its_peers_nick(model: Model) -> None:
    assert model.room_by_name("@BOB") is model.rooms[9]
    model.apply(Presence(BOB, "robert", "online"))
    assert model.rooms[9].name == "@robert"
    assert model.room_by_name("@bob") is None
    assert model.rooms[8].name == "#den"


def test_a_direct_message_asks_for_attention(model: Model) -> None:
    model.apply(entry(2, "hi", room=9))
    model.apply(entry(3, "hi", room=9, by=ME, nick="ann"))
    model.apply(entry(2, "hi", room=8))
    assert [(alert.room, alert.mention) for alert in model.alerts] == [(9, True)]


def test_who_is_ignored_asks_for_nothing(model: Model) -> None:
    model.apply(Presence(BOB, "eve", "online"))
    model.apply(entry(2, "hi", room=9, nick="eve"))
    assert not model.alerts
    assert (model.rooms[9].unread, model.rooms[9].mentions) == (0, 0)


def test_who_is_away_and_why(model: Model) -> None:
    model.apply(Presence(BOB, "bob", "away", text="lunch \x1b[2J"))
    bob = model.rooms[1].members[BOB]
    assert (bob.status, bob.text) == ("away", "lunch \ufffd[2J")
    model.set_members(model.rooms[1], [Member(ME, "ann"), Member(BOB, "bob", "away")])
    assert model.rooms[1].members[BOB].text == bob.text
    model.apply(Presence(BOB, "bob", "online"))
    assert model.rooms[1].members[BOB].text == ""
    model.apply(Presence(ME, "ann", "away", text="out"))
    assert model.away == "out"
    model.apply(Presence(ME, "ann", "away"))
    assert model.away == ""
    model.apply(Presence(ME, "ann", "online"))
    assert model.away is None


def test_a_private_rooms_entries_tell_who_came(model: Model) -> None:
    den = model.rooms[8]
    model.apply(entry(2, "", room=8, kind="join", by=5, nick="mei"))
    assert den.members[5].nick == "mei"
    model.apply(Presence(5, "mei", "joined", room=8))
    model.apply(entry(3, "mei", room=8, kind="kick", target=5))
    model.apply(entry(4, "", room=8, kind="part"))
    assert list(den.members) == [ME]
    assert not notes(den)


@pytest.mark.parametrize(
    ("code", "told"),
    [("kicked", "bob removed you from #den: spam"), ("no_room", "#den was left on another device")],
)
def test_a_room_that_one_may_not_read_any_more_is_gone(model: Model, code: str, told: str) -> None:
    model.apply(entry(2, "ann: spam", room=8, kind="uninvite", target=ME))
    assert model.apply(Unfollowed(8, code)) is None
    assert 8 not in model.rooms
    assert notes(model.rooms[1]) == [told]


def test_a_marker_of_a_room_one_is_not_in_is_nothing(model: Model) -> None:
    model.apply(Marker(77, 5))
    assert 77 not in model.rooms


# --- what is asked ------------------------------------------------------------------------

FEATURES = ("direct", "private", "unread")


async def serving(line: Line, wanted: Callable[[Any], bool], rooms: list[Room]) -> Any:
    """The next request that is wanted; what a session asks by itself is answered."""
    while True:
        asked = await line.next()
        if wanted(asked):
            return asked
        if isinstance(asked, Rooms):
            found = [it for it in rooms if asked.room in (0, it.room)]
            line.send(RoomsOk(asked.id, found))
        elif isinstance(asked, Members):
            line.send(MembersOk(asked.id, []))
        elif isinstance(asked, Read):
            line.send(Ok(asked.id))
        elif isinstance(asked, Follow):
            head = next(it.head for it in rooms if it.room == asked.room)
            line.send(FollowOk(asked.id, from_=head, head=head, first=1), Live(asked.room, head))


def room(session: Session, number: int) -> RoomView | None:
    return session.model.rooms.get(number)


@pytest.mark.asyncio
async def test_an_empty_direct_room_shows_to_who_opened_it() -> None:
    empty = Room(7, "@mei", 1, joined=True, access="direct", peer=3)
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        line.send(Changed("rooms"))
        await serving(line, lambda it: isinstance(it, Follow), [LOBBY, AT_SPOKEN, empty])
        await until(lambda: room(session, 9) is not None)
        assert room(session, 7) is None


AT_SPOKEN = Room(9, "@bob", 3, joined=True, access="direct", peer=BOB, read=1, unread=2)


@pytest.mark.asyncio
async def test_the_list_is_fetched_again_when_it_changed() -> None:
    invited = Room(8, "#den\x1b", access="private", invited="mei")
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        line.send(Changed("rooms"), Changed("rooms"))
        follow = await serving(line, lambda it: isinstance(it, Follow), [LOBBY, AT_SPOKEN, invited])
        assert follow.room == 9
        await until(lambda: 8 in session.model.invited)
        found = room(session, 9)
        assert found is not None
        assert (found.unread, found.mentions, found.read_seq) == (2, 2, 1)
        assert "mei invites you to #den\ufffd: /join #den\ufffd" in notes(lobby(session))
        line.send(Changed("rooms"))
        while room(session, 9) is not None or session.model.invited:
            asked = await line.next()
            if isinstance(asked, Rooms):
                line.send(RoomsOk(asked.id, [LOBBY]))
                await until(lambda: room(session, 9) is None)


@pytest.mark.asyncio
async def test_an_unknown_count_is_asked_for_after_the_marker_was_told() -> None:
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        view = lobby(session)
        view.counted, view.unread = 900, 700
        session.model.current = 0
        line.send(Marker(1, 600))
        read = await request(line, Read)
        assert (read.room, read.seq) == (1, 600)
        line.send(Ok(read.id))
        asked = await request(line, Rooms)
        assert asked.room == 1
        item = Room(1, "#lobby", 900, joined=True, read=600, unread=250)
        line.send(RoomsOk(asked.id, [item]))
        await until(lambda: view.unread == 250)


@pytest.mark.asyncio
async def test_a_direct_room_is_asked_for_again_with_the_same_draft() -> None:
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(session.direct("bob"))
            first = await request(line, Direct)
            line.abort()
            line = await peer.accept()
            await line.login(features=FEATURES)
            again = await serving(line, lambda it: isinstance(it, Direct), [LOBBY])
            assert (again.draft, again.nick) == (first.draft, "bob")
            line.send(Done(again.id, 9, 1))
            wanted = lambda it: isinstance(it, Follow) and it.room == 9  # noqa: E731
            await serving(line, wanted, [LOBBY, AT_BOB])
        assert asked.result() == 9


@pytest.mark.asyncio
async def test_what_was_to_be_said_in_a_room_that_is_gone_is_not_sent() -> None:
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        pending = session.submit(1, "too late")
        await request(line, Say)
        line.send(Unfollowed(1, "kicked"))
        await until(lambda: pending.state == "failed")
        assert pending.reason == "you are not in the room any more"
        assert session.unsent == [("#lobby", pending)]


@pytest.mark.asyncio
async def test_a_room_that_vanished_is_left_with_a_notice() -> None:
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        line.send(Unfollowed(1, "internal"))
        follow = await request(line, Follow)
        line.send(Error("no_room", id=follow.id))
        await until(lambda: not session.model.rooms)
        assert "#lobby is gone" in session.model.loose[-1].text


@pytest.mark.asyncio
async def test_what_the_server_lacks_is_not_asked() -> None:
    async with scripted() as peer, seated(peer) as (session, _):
        with pytest.raises(Refused, match="this server has no search"):
            await session.search("x")
        with pytest.raises(Refused, match="has no private rooms"):
            await session.join("#den", private=True)


@pytest.mark.asyncio
async def test_a_marker_that_the_server_has_is_not_told() -> None:
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        told: list[Read] = []
        line.send(Marker(1, 5), Changed("rooms"))

        def watch(asked: Any) -> bool:
            if isinstance(asked, Read):
                told.append(asked)
            return isinstance(asked, Say)

        item = Room(1, "#lobby", 5, joined=True, read=5)
        async with asyncio.TaskGroup() as group:
            group.create_task(serving(line, watch, [item, AT_SPOKEN]))
            await until(lambda: room(session, 9) is not None)
            session.mark_read(1)
            session.submit(1, "the end")
        assert not told


@pytest.mark.asyncio
async def test_in_another_history_a_private_room_is_not_made_anew_for_all() -> None:
    async with scripted() as peer, seated(peer, features=FEATURES) as (session, line):
        line.send(Changed("rooms"))
        await serving(line, lambda it: isinstance(it, Members), [LOBBY, DEN])
        assert room(session, 8) is not None
        pending = session.submit(8, "for us alone")
        line.abort()
        line = await peer.accept()
        await line.login(epoch="f" * 32, features=FEATURES)
        asked = await serving(line, lambda it: isinstance(it, Members | Join | Say), [LOBBY])
        assert isinstance(asked, Members), "no room of that name is made, and nothing said"
        assert session.model.room_by_name("#den") is None
        assert any("#den is gone" in note for note in notes(lobby(session)))
        await until(lambda: pending.state == "failed")
        assert session.unsent == [("#den", pending)]
