"""Private and direct rooms: whoever may not know of one is answered as if there were none, and
what was said before somebody came in stays hidden."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace
from tests.server.visitor import SECONDS, new_token
from tests.support import RawClient, draft, serve

from ipcchat.entries import Cursor, Entry
from ipcchat.journal.sight import HIDDEN_ROOMS
from ipcchat.server.server import Server
from ipcchat.wire.messages import (
    Ban,
    Changed,
    Direct,
    Done,
    Error,
    Follow,
    Gap,
    History,
    Join,
    Kick,
    Log,
    LogLine,
    Marker,
    Members,
    Nick,
    Ok,
    Part,
    Ping,
    Presence,
    Read,
    Role,
    Room,
    RoomInvite,
    Rooms,
    RoomUninvite,
    Say,
    Search,
    Status,
    Token,
    Topic,
    Unfollow,
    Unfollowed,
    Whois,
    Withdraw,
)

pytestmark = pytest.mark.asyncio
LOBBY = 1
WORD = "pomegranate"


class Scene:
    """A server and who came to it, each under a nick."""

    def __init__(self, server: Server, clients: dict[str, RawClient]) -> None:
        self.server = server
        self.clients = clients

    def __getattr__(self, nick: str) -> RawClient:
        return self.clients[nick]


@asynccontextmanager
async def scene(folder: Path, *nicks: str, **changes: Any) -> AsyncIterator[Scene]:
    """A server with these people on it; `boss`, an operator, is always there."""
    control = str(folder / "control.sock")
    async with (
        serve(control=control, **changes) as server,
        RawClient.login(control, "", method="peer", quiet=True) as console,
        asyncio.timeout(3 * SECONDS),
        everybody(server, "boss", *nicks) as clients,
    ):
        await done(console, Role, nick="boss", role="operator")
        yield Scene(server, clients | {"console": console})


@asynccontextmanager
async def everybody(server: Server, *nicks: str) -> AsyncIterator[dict[str, RawClient]]:
    if not nicks:
        yield {}
        return
    async with (
        device(server, nicks[0]) as client,
        everybody(server, *nicks[1:]) as others,
    ):
        yield {nicks[0]: client, **others}


def device(server: Server, nick: str, **more: Any) -> Any:
    """One more connection of who has, or is to have, that nick."""
    return RawClient.login(server.addresses[0], nick, nick.encode().hex().ljust(32, "0"), **more)


async def ask(client: RawClient, cls: Callable[..., Struct], **fields: Any) -> Any:
    """The reply to a request, with a fresh draft id where it needs one."""
    if "draft" in cls.__struct_fields__:  # type: ignore[attr-defined]
        fields.setdefault("draft", draft())
    return await client.ask(cls(id=client.next_id(), **fields))


async def done(client: RawClient, cls: Callable[..., Struct], **fields: Any) -> Done:
    """The acceptance of a request."""
    found = await ask(client, cls, **fields)
    assert isinstance(found, Done | Ok), (cls, fields, found)
    return found  # type: ignore[return-value]


async def code(client: RawClient, cls: Callable[..., Struct], **fields: Any) -> str:
    """The code of a refusal; empty: it is none."""
    found = await ask(client, cls, **fields)
    return found.code if isinstance(found, Error) else ""


def shape(value: Any) -> dict[str, Any]:
    """A reply without the request's id."""
    found = msgspec.to_builtins(value)
    assert isinstance(found, dict)
    return {name: field for name, field in found.items() if name != "id"}


async def private(maker: RawClient, name: str, *others: RawClient) -> int:
    """A private room with these people in it."""
    room = (await done(maker, Join, name=name, private=True)).room
    for other in others:
        await let_in(maker, room, other)
    return room


async def let_in(inviter: RawClient, room: int, other: RawClient) -> int:
    """The seq with which somebody came in."""
    await done(inviter, RoomInvite, room=room, nick=other.nick)
    return (await done(other, Join, room=room)).seq


async def pair(one: RawClient, other: RawClient) -> int:
    """The direct room of two."""
    return (await done(one, Direct, nick=other.nick)).room


async def item(client: RawClient, room: int) -> Any:
    """The room as `rooms` shows it; None: not at all."""
    items = (await ask(client, Rooms, room=room)).items
    return items[0] if items else None


async def settled(scene: Scene, client: RawClient) -> None:
    """All that was to be told so far has come to the client: a later presence has."""
    nick = scene.boss.nick = "boss" + draft()[:8]
    await done(scene.boss, Nick, nick=nick)
    if client is scene.console:  # quiet, and hears the log
        await client.take(lambda it: isinstance(it, LogLine) and nick in it.text)
        return
    await client.take(lambda it: isinstance(it, Presence) and it.nick == nick)
    await client.ask(Ping(client.next_id()))


async def found(client: RawClient, text: str, count: int, **fields: Any) -> list[Entry]:
    """Search results, once as many messages as `count` are known to be in the index."""
    async with asyncio.timeout(SECONDS):
        while True:
            reply = await ask(client, Search, text=text, **fields)
            assert not isinstance(reply, Error), reply
            if not reply.lag and len(reply.items) >= count:
                return list(reply.items)
            await asyncio.sleep(0.005)


def reply_to(number: int) -> Callable[[Any], bool]:
    return lambda value: getattr(value, "id", None) == number


def heard(client: RawClient, room: int) -> list[Entry]:
    """The entries of a room that have come and were not taken."""
    return [it for it in client.values if isinstance(it, Entry) and it.room == room]


def rest(scene: Scene, room: int, seconds: float) -> None:
    """The room rests from now on, as if a thousand followed it."""
    held = scene.server._hub.room(room)
    held.cost = 1.0
    held.flushed_at = asyncio.get_running_loop().time() + seconds


# --- for whoever is not in it -------------------------------------------------------------


BY_NUMBER: list[tuple[Callable[..., Struct], dict[str, Any]]] = [
    (Say, {"text": "hi"}),
    (Say, {"text": " "}),
    (Say, {"text": "hi", "style": "loud"}),
    (Join, {}),
    (Join, {"private": True}),
    (Part, {}),
    (Topic, {"text": "tea"}),
    (Topic, {"text": ""}),
    (Follow, {}),
    (Follow, {"last": 10}),
    (Follow, {"last": 2**53 - 1, "skip": 2**53 - 1}),
    (Follow, {"cursor": Cursor("0" * 32, 1, "0" * 32)}),
    (Unfollow, {}),
    (History, {}),
    (History, {"before": 3}),
    (History, {"after": 0, "limit": 2**53 - 1}),
    (Members, {}),
    (Members, {"next": 1}),
    (Read, {"seq": 1}),
    (Read, {"seq": 2**53 - 1}),
    (Rooms, {}),
    (RoomInvite, {"nick": "ann"}),
    (RoomInvite, {"nick": "eve"}),
    (RoomInvite, {"nick": "nobody"}),
    (RoomUninvite, {"nick": "bob"}),
    (RoomUninvite, {"nick": "nobody"}),
    (Search, {"text": WORD}),
    (Search, {"text": ""}),
    (Kick, {"nick": "bob"}),
    (Kick, {"nick": "nobody"}),
]


@pytest.mark.parametrize("kind", ["private", "direct"])
async def test_a_hidden_number_is_answered_as_one_that_is_none(tmp_path: Path, kind: str) -> None:
    async with scene(tmp_path, "ann", "bob", "eve", "old") as it:
        if kind == "private":
            room = await private(it.ann, "#den", it.bob, it.old)
            await done(it.old, Part, room=room)  # has the number, and may not know of it
        else:
            room = await pair(it.ann, it.bob)
        await done(it.ann, Topic, room=room, text="tea")
        for number in range(5):
            await it.ann.say(room, f"{WORD} {number}")
        none = room ^ 1
        for client in (it.eve, it.boss, it.console, it.old):
            for cls, fields in BY_NUMBER:
                if "cursor" in fields:
                    fields = {"cursor": Cursor(client.epoch, 1, "0" * 32)}
                asked, other = [
                    shape(await ask(client, cls, room=number, **fields)) for number in (room, none)
                ]
                assert asked == other, (client.nick, cls, fields)
            assert not heard(client, room)
        # A draft that was refused is so for ever, though one comes in.
        if kind == "private":
            id = draft()
            assert await code(it.eve, Say, room=room, text="hi", draft=id) == "no_room"
            await let_in(it.ann, room, it.eve)
            assert await code(it.eve, Say, room=room, text="hi", draft=id) == "no_room"
            assert await code(it.eve, Say, room=room, text="hi") == ""


@pytest.mark.parametrize("name", ["#den", "den", "#DEN", "@ann", "@bob", "@1:2", "#@1:2", "@", "#"])
async def test_no_name_finds_the_room_of_others(tmp_path: Path, name: str) -> None:
    async with scene(tmp_path, "ann", "bob", "eve") as it:
        await private(it.ann, "#den", it.bob)
        await pair(it.ann, it.bob)
        token = {"nick": "robot", "hash": new_token()[1]}
        for client in (it.eve, it.boss, it.console):
            asked = await ask(client, Rooms, name=name)
            assert shape(asked) == shape(await ask(client, Rooms, name="#none"))
        assert await code(it.boss, Token, rooms=[name], **token) == "no_room"


async def test_nothing_others_do_in_hidden_rooms_shows(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "eve", "cat", presence_interval=0.001) as it:

        async def view(client: RawClient) -> str:
            replies = [
                await ask(client, Rooms),
                await ask(client, Members, room=LOBBY),
                await ask(client, Whois, nick="ann"),
                await ask(client, Whois, nick="bob"),
                await ask(client, Rooms, next=HIDDEN_ROOMS - 1),
            ]
            shown = msgspec.json.encode([shape(reply) for reply in replies]).decode()
            return shown.replace(it.boss.nick, "boss")

        for client in (it.ann, it.bob, it.eve, it.boss):
            await done(client, Join, name="#lobby")
            await client.follow(LOBBY)
            await client.live(LOBBY)
        await done(it.console, Log, last=0)
        before = [await view(it.eve), await view(it.boss)]
        counts = await ask(it.boss, Status)
        for client in (it.eve, it.boss, it.console):
            await settled(it, client)
            client.values.clear()
        room = await private(it.ann, "#den", it.bob, it.cat)
        both = await pair(it.ann, it.bob)
        for number in (room, both):
            await it.ann.say(number, "psst")
            await done(it.bob, Topic, room=number, text="tea")
            await done(it.bob, Read, room=number, seq=2)
        await done(it.cat, Part, room=room)
        await done(it.ann, RoomInvite, room=room, nick="cat")
        await done(it.ann, RoomUninvite, room=room, nick="cat")
        await done(it.ann, RoomUninvite, room=room, nick="bob")
        await done(it.ann, Part, room=both)
        for client in (it.eve, it.console, it.boss):
            await settled(it, client)
        told = [value for client in (it.eve, it.boss) for value in client.values]
        assert all(isinstance(value, Presence) and value.nick[:4] == "boss" for value in told)
        lines = [value for value in it.console.values if isinstance(value, LogLine)]
        assert {line.event for line in lines} <= {"nick"}
        assert [await view(it.eve), await view(it.boss)] == before
        after = await ask(it.boss, Status)
        assert (after.rooms, after.entries) == (counts.rooms, counts.entries)


async def test_numbers_of_public_rooms_count_on_whatever_is_hidden(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        numbers, hidden = [], set()
        for step in range(5):
            numbers.append((await done(it.ann, Join, name=f"#open{step}")).room)
            hidden.add(await private(it.ann, f"#den{step}"))
        hidden.add(await pair(it.ann, it.bob))
        assert numbers == list(range(2, 7))
        assert len(hidden) == 6 and all(HIDDEN_ROOMS <= it < 2 * HIDDEN_ROOMS for it in hidden)
        assert max(hidden) - min(hidden) > 100  # drawn, not counted


async def test_a_name_is_taken_once_for_all(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "eve") as it:
        room = await private(it.ann, "#den", it.bob)
        open_ = await it.ann.join("#open")
        assert await code(it.ann, Join, name="#den", private=True) == "room_taken"
        assert await code(it.bob, Join, name="#DEN", private=True) == "room_taken"
        assert await code(it.eve, Join, name="#open", private=True) == "room_taken"
        # Whoever may not know of it: it can't be had, and that is all.
        assert await code(it.eve, Join, name="#den", private=True) == "no_room"
        assert await code(it.eve, Join, name="#den") == "no_room"
        assert await it.bob.join("#den") == room
        assert await it.eve.join("#open") == open_
        id = draft()
        one = await done(it.ann, Join, name="#new", private=True, draft=id)
        again = await done(it.ann, Join, name="#new", private=True, draft=id)
        assert shape(one) == shape(again)
        assert await code(it.ann, Join, name="#new", draft=id) == "draft_conflict"


# --- what was said before -----------------------------------------------------------------


async def views(client: RawClient, room: int) -> list[Entry]:
    """All that a member is given of a room, in every way that there is."""
    seen: list[Entry] = []
    top = 2**53 - 1
    asked: list[dict[str, Any]] = [{"limit": limit} for limit in (0, 1, 3, top)]
    asked += [{"after": after, "limit": limit} for after in (0, 1, 4, 8, top) for limit in (1, top)]
    asked += [{"before": before, "limit": top} for before in (0, 1, 2, 5, 9, 14, top)]
    for fields in asked:
        page = await ask(client, History, room=room, **fields)
        seen += page.entries
    item = (await ask(client, Rooms, room=room)).items[0]
    ways: list[dict[str, Any]] = [{}]
    ways += [{"last": last} for last in (0, 1, 5, item.head, top)]
    ways += [{"cursor": Cursor(client.epoch, 0)}]
    ways += [{**way, "skip": skip} for way in ways for skip in (0, 1, 3, 6, 9, 12, item.head, top)]
    for way in ways:
        await client.follow(room, **way)
        await client.live(room)
        await client.ask(Ping(client.next_id()))
        for value in client.values:
            if isinstance(value, Gap) and value.room == room:
                assert value.first >= item.first, way
        assert all(entry.seq >= item.first for entry in heard(client, room)), way
        seen += heard(client, room)
        client.values.clear()
    return seen


@pytest.mark.parametrize("kept", [True, False])
async def test_what_was_said_before_one_came_in_never_comes(tmp_path: Path, kept: bool) -> None:
    data = str(tmp_path / "data") if kept else ":memory:"
    async with scene(tmp_path, "ann", "bob", data=data, tail_bytes=2048) as it:
        room = await private(it.ann, "#den")
        for number in range(8):
            await it.ann.say(room, f"before {WORD} {number}")
        assert (await it.ann.ask(History(it.ann.next_id(), room))).first == 1
        first = await let_in(it.ann, room, it.bob)
        shown = await item(it.bob, room)
        assert (shown.first, shown.head, shown.messages, shown.unread) == (first, first, 0, 0)
        page = await ask(it.bob, History, room=room)
        assert shown.since == page.entries[0].time  # when he came in, not when it was made
        for number in range(3):
            await it.ann.say(room, f"after {WORD} {number}")
        shown = await item(it.bob, room)
        assert (shown.head, shown.messages, shown.unread) == (first + 3, 3, 3)
        seen = await views(it.bob, room)
        assert {entry.seq for entry in seen} == set(range(first, first + 4))
        assert all("before" not in entry.text for entry in seen)
        hits = await found(it.bob, WORD, 3)
        assert {entry.seq for entry in hits} == set(range(first + 1, first + 4))
        assert len(await found(it.ann, WORD, 11)) == 11
        assert await found(it.bob, "before", 0) == []
        assert {entry.seq for entry in await views(it.ann, room)} == set(range(1, first + 4))


async def test_a_cursor_in_the_hidden_part_tells_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await private(it.ann, "#den", it.bob)
        id = draft()
        known = (await it.ann.say(room, "of the first time", id)).seq
        await done(it.bob, Part, room=room)
        hidden = draft()
        unseen = (await it.ann.say(room, "while he was away", hidden)).seq
        first = await let_in(it.ann, room, it.bob)
        epoch = it.bob.epoch
        for seq in range(1, first + 3):
            for wrong in ("", "0" * 32):
                cursor = Cursor(epoch, seq, wrong)
                assert await code(it.bob, Follow, room=room, cursor=cursor) == "regressed"
        for seq, own in ((known, id), (unseen, hidden)):
            for skip in (None, 0, 1, 2, 3, 9):
                ok = await it.bob.follow(room, cursor=Cursor(epoch, seq, own), skip=skip)
                assert ok.first == first
                await it.bob.live(room)
                assert all(entry.seq >= first for entry in heard(it.bob, room))
                it.bob.values.clear()


async def test_who_comes_in_while_the_room_rests_gets_only_what_follows(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", coalesce=0.05) as it:
        room = await private(it.ann, "#den", it.cat)
        await it.cat.follow(room)
        await it.cat.live(room)
        held = it.server._hub.room(room)
        delivered = held.delivered
        rest(it, room, 0.2)
        for number in range(3):
            await it.ann.say(room, f"before {number}")
        await done(it.ann, RoomInvite, room=room, nick="bob")
        first = (await done(it.bob, Join, room=room)).seq
        assert held.delivered == delivered  # it rests
        shown = await item(it.bob, room)
        assert (shown.first, shown.head, shown.messages) == (first, first - 1, 0)
        ok = await it.bob.follow(room, cursor=Cursor(it.bob.epoch, 0), skip=5)
        assert ok.head == first - 1
        await it.ann.say(room, "after")
        entries = await it.bob.entries(room, 2)
        assert [entry.seq for entry in entries] == [first, first + 1]
        assert not heard(it.bob, room)
        everything = await it.cat.entries(room, 6)
        assert [entry.seq for entry in everything] == list(range(delivered + 1, delivered + 7))


async def test_leaving_and_coming_again_hides_what_was_before(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await private(it.ann, "#den", it.bob)
        for turn in range(3):
            await it.ann.say(room, f"in turn {turn}")
            await done(it.bob, Part, room=room)
            await it.ann.say(room, f"between {turn}")
            assert await code(it.bob, Join, room=room) == "no_room"  # an invitation counts once
            first = await let_in(it.ann, room, it.bob)
            page = await ask(it.bob, History, room=room)
            assert [(entry.seq, entry.kind) for entry in page.entries] == [(first, "join")]
            assert (page.first, page.more) == (first, False)
            assert (await item(it.bob, room)).unread == 0
        # What the own marker was then says nothing of what is new.
        await it.ann.say(room, "news")
        assert (await item(it.bob, room)).unread == 1


# --- who is removed -----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["kick", "uninvite", "part"])
async def test_who_is_removed_in_a_flood_gets_nothing_said_later(tmp_path: Path, way: str) -> None:
    async with scene(tmp_path, "ann", "bob", "cat") as it:
        room = await private(it.ann, "#den", it.bob, it.cat, it.boss)
        async with device(it.server, "bob") as second:
            for client in (it.bob, second, it.cat):
                await client.follow(room, last=0)
                await client.live(room)
            start = it.server._hub.journal.state.rooms[room].head
            for number in range(100):
                it.ann.send(Say(it.ann.next_id(), room, draft(), str(number)))
            await it.cat.take(lambda it: isinstance(it, Entry) and it.text == "20")
            it.cat.values.insert(0, Ok(0))
            if way == "kick":
                end = await done(it.boss, Kick, room=room, nick="bob")
            elif way == "uninvite":
                end = await done(it.ann, RoomUninvite, room=room, nick="bob")
            else:
                end = await done(second, Part, room=room)
            for number in range(100, 150):
                await it.ann.say(room, str(number))
            head = it.server._hub.journal.state.rooms[room].head
            for client in (it.bob, second):
                gone = await client.take(lambda it: isinstance(it, Unfollowed))
                assert gone == Unfollowed(room, "" if way == "part" else "kicked")
                await client.ask(Ping(client.next_id()))
                seqs = [entry.seq for entry in heard(client, room)]
                assert seqs == list(range(start + 1, start + 1 + len(seqs)))
                assert not seqs or seqs[-1] <= end.seq
                assert await code(client, History, room=room) == "no_room"
                assert await code(client, Say, room=room, text="hi") == "no_room"
                assert await item(client, room) is None
            await it.cat.take(lambda it: isinstance(it, Entry) and it.seq == head)
            seqs = [entry.seq for entry in heard(it.cat, room)]
            assert len(seqs) == head - start - 2  # all but the two that were taken


async def test_removed_and_let_in_again_in_one_batch_hides_what_lies_between(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "ann", "bob", data=str(tmp_path / "data")) as it:
        room = await private(it.ann, "#den", it.bob)
        await it.bob.follow(room, last=0)
        await it.bob.live(room)
        sessions = {one.nick: one for one in it.server._hub.sessions.values()}
        number = it.ann.next_id
        asked: dict[RawClient, list[Any]] = {
            it.ann: [
                RoomUninvite(number(), draft(), room, "bob"),
                Say(number(), room, draft(), "between"),
                RoomInvite(number(), draft(), room, "bob"),
            ],
            it.bob: [Join(it.bob.next_id(), draft(), room=room)],
        }
        for client, requests in asked.items():  # in one turn of the loop
            for request in requests:
                client.wire.send(request)
            session = sessions[client.nick]
            it.server._gate.received(session.connection, session, requests)
        joined = await it.bob.take(reply_to(asked[it.bob][0].id))
        assert await it.bob.take(lambda value: isinstance(value, Unfollowed)) == Unfollowed(
            room, "kicked"
        )
        await it.ann.say(room, "after")
        await it.bob.ask(Ping(it.bob.next_id()))
        assert [entry.kind for entry in heard(it.bob, room)] == ["kick"]
        it.bob.values.clear()
        await it.bob.follow(room, cursor=Cursor(it.bob.epoch, 0))
        await it.bob.live(room)
        assert [entry.seq for entry in heard(it.bob, room)] == [joined.seq, joined.seq + 1]
        assert (await item(it.bob, room)).unread == 1


async def test_who_is_removed_while_a_cursor_is_looked_up_follows_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", data=str(tmp_path / "data"), tail_bytes=1024) as it:
        room = await private(it.ann, "#den", it.bob)
        id = draft()
        seq = (await it.ann.say(room, "one", id)).seq
        journal, asked, goes_on = it.server._hub.journal, asyncio.Event(), asyncio.Event()
        usual = journal.mark

        async def slow(room: int, seq: int) -> str | None:
            found = await usual(room, seq)
            asked.set()
            await goes_on.wait()
            return found

        journal.mark = slow  # type: ignore[method-assign]  # a disk that takes its time
        request = Follow(it.bob.next_id(), room, cursor=Cursor(it.bob.epoch, seq, id))
        it.bob.send(request)
        await asked.wait()
        await done(it.ann, RoomUninvite, room=room, nick="bob")
        await settled(it, it.ann)
        goes_on.set()
        answer = await it.bob.take(reply_to(request.id))
        assert isinstance(answer, Error) and answer.code == "no_room"
        await it.ann.say(room, "two")
        await it.bob.ask(Ping(it.bob.next_id()))
        assert not heard(it.bob, room)


async def test_who_was_removed_is_answered_at_once_though_the_room_rests(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", coalesce=0.05) as it:
        room = await private(it.ann, "#den", it.bob, it.cat)
        await it.cat.follow(room)
        await it.cat.live(room)
        await done(it.ann, RoomUninvite, room=room, nick="bob")
        rest(it, room, 60)  # longer than the test may take
        await it.ann.say(room, "busy")
        async with asyncio.timeout(SECONDS):
            for fields in ({}, {"after": 0}, {"before": 2**53 - 1}):
                assert await code(it.bob, History, room=room, **fields) == "no_room"


async def test_who_may_invite_and_take_it_back(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", "eve") as it:
        room = await private(it.ann, "#den", it.bob)
        await done(it.bob, RoomInvite, room=room, nick="cat")
        shown = await item(it.cat, room)
        assert shape_of(shown) == {
            "room": room,
            "name": "#den",
            "access": "private",
            "invited": "bob",
        }
        for cls, fields in BY_NUMBER:  # an invitation opens nothing but the door
            if cls in (Join, Part, Rooms):
                continue
            asked, none = [
                shape(await ask(it.cat, cls, room=number, **fields)) for number in (room, room ^ 1)
            ]
            assert asked == none, (cls, fields)
        assert "#den" not in (await ask(it.cat, Whois, nick="ann")).rooms
        assert await code(it.eve, RoomUninvite, room=room, nick="cat") == "no_room"
        await done(it.bob, RoomUninvite, room=room, nick="cat")
        assert await item(it.cat, room) is None
        assert await code(it.cat, Join, room=room) == "no_room"
        await let_in(it.ann, room, it.cat)
        assert await code(it.bob, RoomUninvite, room=room, nick="cat") == "forbidden"
        await done(it.ann, RoomUninvite, room=room, nick="cat")
        assert await code(it.bob, RoomInvite, room=room, nick="nobody") == "no_account"
        for kind in (await pair(it.ann, it.bob), LOBBY):
            assert await code(it.ann, RoomInvite, room=kind, nick="eve") == "forbidden"
            assert await code(it.ann, RoomUninvite, room=kind, nick="bob") == "forbidden"
        assert "#den" in (await ask(it.bob, Whois, nick="ann")).rooms


def shape_of(item: Any) -> dict[str, Any]:
    """What is told of a room, but for what is as usual."""
    usual = Room(0, "")
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    return {name: value for name, value in fields.items() if value != getattr(usual, name)}


async def test_who_is_invited_may_decline_and_whom_a_removed_one_invited_stays_out(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", "eve") as it:
        room = await private(it.ann, "#den", it.bob)
        await done(it.bob, RoomInvite, room=room, nick="cat")
        await done(it.bob, RoomInvite, room=room, nick="eve")
        assert (await done(it.cat, Part, room=room)).seq == 0
        assert await item(it.cat, room) is None
        assert await code(it.cat, Join, room=room) == "no_room"
        assert await code(it.cat, Part, room=room) == "no_room"
        page = await ask(it.ann, History, room=room, limit=1)
        assert [(one.kind, one.nick, one.text) for one in page.entries] == [
            ("decline", "cat", "cat")
        ]
        await done(it.ann, RoomUninvite, room=room, nick="bob")  # and eve is not let in
        assert await item(it.eve, room) is None
        assert await code(it.eve, Join, room=room) == "no_room"


async def test_lists_change_for_those_they_concern_alone(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "eve", presence_interval=0.001) as it:

        async def told() -> set[str]:
            found = set()
            for nick in ("ann", "bob", "eve", "boss"):
                client = it.clients[nick]
                await settled(it, client)
                if Changed("rooms") in client.values:
                    found.add(nick)
                client.values.clear()
            return found

        await told()
        room = await private(it.ann, "#den")
        assert await told() == {"ann"}
        await done(it.ann, RoomInvite, room=room, nick="bob")
        assert await told() == {"bob"}
        await done(it.ann, RoomUninvite, room=room, nick="bob")
        assert await told() == {"bob"}
        await let_in(it.ann, room, it.bob)
        assert await told() == {"bob"}
        await done(it.ann, RoomUninvite, room=room, nick="bob")
        assert await told() == {"bob"}
        both = await pair(it.ann, it.eve)
        await told()
        await it.ann.say(both, "hello")
        assert await told() == {"ann", "eve"}
        await it.ann.say(both, "again")
        assert await told() == set()
        await done(it.eve, Part, room=both)
        assert await told() == {"eve"}  # on every device
        await it.ann.say(both, "are you there")
        assert await told() == {"eve"}


async def test_presence_in_a_hidden_room_is_told_to_who_follows_it(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", "eve", presence_interval=0.001) as it:
        room = await private(it.ann, "#den", it.cat)
        for client in (it.ann, it.cat):
            await client.follow(room)
            await client.live(room)
        await let_in(it.ann, room, it.bob)
        await it.bob.follow(room)
        await done(it.cat, Part, room=room)
        joined = Presence(it.bob.account, "bob", "joined", room)
        parted = Presence(it.cat.account, "cat", "parted", room)
        await it.ann.take(lambda value: value == joined)
        await it.ann.take(lambda value: value == parted)
        for client in (it.eve, it.boss, it.cat):
            await settled(it, client)
        for client in (it.eve, it.boss):
            assert not [v for v in client.values if isinstance(v, Presence) and v.room]
        assert parted not in it.cat.values


async def test_who_comes_in_is_not_told_who_had_just_left(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", presence_interval=0.1) as it:
        room = await private(it.ann, "#den", it.cat)
        await it.ann.follow(room)
        await it.ann.live(room)
        await done(it.cat, Part, room=room)
        await let_in(it.ann, room, it.bob)
        await it.bob.follow(room)
        await it.bob.live(room)
        parted = Presence(it.cat.account, "cat", "parted", room)
        await it.ann.take(lambda value: value == parted)
        await settled(it, it.bob)
        told = [it for it in it.bob.values if isinstance(it, Presence) and it.room == room]
        assert parted not in told


# --- direct rooms -------------------------------------------------------------------------


async def test_a_direct_room_is_one_from_both_sides(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "eve") as it:
        requests = [
            (client, Direct(client.next_id(), draft(), nick=other))
            for client, other in ((it.ann, "bob"), (it.bob, "ann"), (it.ann, "BOB")) * 5
        ]
        for client, request in requests:
            client.send(request)
        rooms = set()
        for client, request in requests:
            ok = await client.take(reply_to(request.id))
            rooms.add(ok.room)
        assert len(rooms) == 1
        (room,) = rooms
        assert (await done(it.bob, Direct, account=it.ann.account)).room == room
        assert {(await item(client, room)).peer for client in (it.ann, it.bob)} == {
            *(it.ann.account, it.bob.account)
        }
        await done(it.bob, Nick, nick="rob")
        assert (await done(it.ann, Direct, nick="rob")).room == room
        assert (await item(it.ann, room)).name == "@rob"
        assert (await item(it.bob, room)).name == "@ann"
        assert (await ask(it.ann, Rooms, name="@rob")).items[0].room == room
        assert (await ask(it.ann, Rooms, name="@bob")).items == []
        # Another one who takes the old nick is another one.
        assert await pair(it.ann, it.eve) != room


async def test_direct_to_oneself_and_to_nobody(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        assert await code(it.ann, Direct, nick="ann") == "forbidden"
        assert await code(it.ann, Direct, account=it.ann.account) == "forbidden"
        for whom in ({"nick": "nobody"}, {"account": 99}, {"account": 2**53 - 1}, {}):
            assert await code(it.ann, Direct, **whom) == "no_account"
        for nick in ("", "@", "\x00", "a b", "x" * 256):
            assert await code(it.ann, Direct, nick=nick) == "no_account"
        await done(it.boss, Ban, nick="bob", seconds=0)
        # Waits for him as for anybody who is away.
        room = await pair(it.ann, it.bob)
        assert (await it.ann.say(room, "when you are back")).seq == 2
        assert (await item(it.ann, room)).members == 2


async def test_a_direct_room_put_away_comes_back_with_a_message(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await pair(it.ann, it.bob)
        await it.ann.say(room, "one")
        await done(it.bob, Part, room=room)
        shown = await item(it.bob, room)
        assert not shown.joined and (await item(it.ann, room)).joined
        assert (await item(it.ann, room)).members == 2
        await settled(it, it.bob)
        it.bob.values.clear()
        await it.ann.say(room, "two")
        await it.bob.take(lambda value: value == Changed("rooms"))
        shown = await item(it.bob, room)
        assert (shown.joined, shown.unread, shown.first) == (True, 2, 1)
        page = await ask(it.bob, History, room=room)
        assert [entry.text for entry in page.entries[1:]] == ["one", "two"]
        await done(it.bob, Part, room=room)
        assert (await done(it.bob, Direct, nick="ann")).room == room
        assert (await item(it.bob, room)).joined
        await done(it.bob, Part, room=room)
        await done(it.bob, Join, room=room)
        assert (await item(it.bob, room)).joined
        await done(it.bob, Part, room=room)
        await settled(it, it.bob)
        it.bob.values.clear()
        await done(it.ann, Topic, room=room, text="tea")
        await it.ann.say(room, "three")
        await it.bob.take(lambda value: value == Changed("rooms"))


async def test_nobody_is_removed_from_a_direct_room(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await pair(it.boss, it.ann)
        assert await code(it.boss, Kick, room=room, nick="ann") == "forbidden"
        assert await code(it.boss, RoomUninvite, room=room, nick="ann") == "forbidden"
        assert (await item(it.boss, room)).members == 2
        assert await item(it.ann, room) is None  # nothing was said to her yet


# --- drafts, tokens, restarts -------------------------------------------------------------


async def test_drafts_sent_again_have_their_first_outcome(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await private(it.ann, "#den")
        asked: list[tuple[RawClient, Any]] = [
            (it.ann, RoomInvite(0, draft(), room, "bob")),
            (it.bob, Join(0, draft(), room=room)),
            (it.bob, Direct(0, draft(), nick="ann")),
            (it.bob, Say(0, room, draft(), "hi")),
            (it.bob, Part(0, draft(), room)),
            (it.bob, Say(0, room, draft(), "too late")),
            (it.ann, RoomUninvite(0, draft(), room, "bob")),
        ]

        async def answers() -> list[Any]:
            return [
                shape(await client.ask(replace(request, id=client.next_id())))
                for client, request in asked
            ]

        first = await answers()
        assert await answers() == first
        assert [answer.get("code", "") for answer in first] == [*[""] * 5, "no_room", ""]
        head = it.server._hub.journal.state.rooms[room].head
        await answers()
        assert it.server._hub.journal.state.rooms[room].head == head
        assert await code(it.bob, Withdraw, draft=asked[5][1].draft) == "no_room"


async def test_a_token_opens_its_rooms_alone(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        build, other = await it.ann.join("#build"), await it.ann.join("#other")
        den = await private(it.ann, "#den")
        await it.ann.say(other, WORD)
        await it.ann.say(build, WORD)
        token, hashed = new_token()
        await done(it.boss, Token, nick="robot", hash=hashed, rooms=["#build"])
        address = it.server.addresses[0]
        async with RawClient.login(address, "", method="token", token=token) as robot:
            assert len(await found(it.ann, WORD, 2)) == 2
            for fields in ({"room": other}, {"room": den}, {"room": 99}, {"room": LOBBY}):
                assert await code(robot, Search, text=WORD, **fields) in ("no_room", "forbidden")
            assert [entry.room for entry in await found(robot, WORD, 1)] == [build]
            assert [entry.room for entry in await found(robot, WORD, 1, room=build)] == [build]
            assert [it.room for it in (await ask(robot, Rooms)).items] == [build]
            asked = await ask(robot, Rooms, room=other)
            assert isinstance(asked, Error) or asked.items == []
            assert await code(robot, Direct, nick="ann") == "forbidden"
            assert await code(robot, Whois, nick="ann") == "forbidden"
            assert await code(robot, Join, name="#den", private=True) == "forbidden"


async def test_a_script_comes_into_a_private_room_as_anybody_does(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await private(it.ann, "#den", it.boss)
        await it.ann.say(room, f"before {WORD}")
        token, hashed = new_token()
        await done(it.boss, Token, nick="robot", hash=hashed, rooms=["#den"])
        address = it.server.addresses[0]
        async with (
            RawClient.login(address, "", method="token", token=token, quiet=True) as robot,
            RawClient.login(address, "", method="token", token=token, quiet=True) as second,
        ):
            for cls, fields in BY_NUMBER:  # its token's room is none to it
                if cls is Follow and "cursor" in fields:
                    continue
                codes = ("no_room", "no_account", "bad_text", "forbidden", "")
                answer = await ask(robot, cls, room=room, **fields)
                assert getattr(answer, "code", "") in codes
                assert isinstance(answer, Error) or shape(answer) in (
                    {"type": "ok"},
                    {"type": "ok", "items": []},
                ), (cls, answer)
            first = await let_in(it.ann, room, robot)
            await it.ann.say(room, f"after {WORD}")
            page = await ask(robot, History, room=room)
            assert [entry.seq for entry in page.entries] == [first, first + 1]
            assert [entry.seq for entry in await found(robot, WORD, 1)] == [first + 1]
            await done(robot, Read, room=room, seq=first)
            assert await second.take(lambda it: isinstance(it, Marker)) == Marker(room, first)


async def test_a_token_hears_no_markers_of_other_rooms(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann") as it:
        build, other = await it.ann.join("#build"), await it.ann.join("#other")
        tokens = {}
        for rooms in (("#build",), ("#build", "#other")):
            tokens[rooms], hashed = new_token()
            await done(it.boss, Token, nick="robot", hash=hashed, rooms=list(rooms))
        address = it.server.addresses[0]
        narrow, wide = tokens.values()
        async with (
            RawClient.login(address, "", method="token", token=narrow) as first,
            RawClient.login(address, "", method="token", token=wide) as second,
        ):
            assert first.account == second.account
            await done(second, Read, room=other, seq=1)
            await done(second, Read, room=build, seq=1)
            marker = await first.take(lambda value: isinstance(value, Marker))
            assert marker == Marker(build, 1)


async def test_all_of_it_is_there_after_a_restart(tmp_path: Path) -> None:
    data = str(tmp_path / "data")

    async def view(it: Scene) -> list[Any]:
        seen = []
        for nick in ("ann", "bob", "cat", "eve"):
            client = it.clients[nick]
            for room in (await ask(client, Rooms)).items:
                seen.append((nick, shape_of(room)))
                if not room.invited:
                    page = await ask(client, History, room=room.room)
                    seen.append((nick, shape(page)))
                    members = shape(await ask(client, Members, room=room.room))
                    seen.append((nick, members))
        return seen

    async with scene(tmp_path, "ann", "bob", "cat", "eve", data=data) as it:
        room = await private(it.ann, "#den")
        await it.ann.say(room, "before")
        await let_in(it.ann, room, it.bob)
        await it.ann.say(room, "after")
        await done(it.ann, RoomInvite, room=room, nick="cat")
        both = await pair(it.bob, it.cat)
        away = await pair(it.bob, it.ann)
        await it.bob.say(both, "hi")
        await it.bob.say(away, "hi")
        await done(it.ann, Part, room=away)
        await done(it.cat, Read, room=both, seq=1)
        before = await view(it)
    async with scene(tmp_path, "ann", "bob", "cat", "eve", data=data) as it:
        assert await view(it) == before
        assert await code(it.eve, History, room=room) == "no_room"
        assert (await done(it.cat, Direct, nick="bob")).room == both
        await done(it.cat, Join, room=room)
        await it.bob.say(away, "again")
        assert (await item(it.ann, away)).joined
        assert (await done(it.eve, Join, name="#open")).room == 2


# --- what one account can cost another ----------------------------------------------------


async def test_direct_rooms_that_others_begin_leave_room_to_join(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob", "cat", "eve", room_limit=3) as it:
        for client in (it.bob, it.cat, it.eve):
            await client.say(await pair(client, it.ann), "hello")
        assert await it.ann.join("#open")


async def test_requests_that_are_refused_tell_the_other_devices_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, "ann", "bob") as it:
        room = await private(it.ann, "#den", it.bob)
        async with device(it.server, "ann") as second:
            assert await code(it.ann, Read, room=12345, seq=1) == "no_room"
            assert await code(it.ann, Say, room=HIDDEN_ROOMS, text="hi") == "no_room"
            assert await code(it.ann, Read, room=0, seq=1) == "no_room"
            await done(it.ann, Read, room=room, seq=3)
            marker = await second.take(lambda value: isinstance(value, Marker))
            assert marker == Marker(room, 3)
