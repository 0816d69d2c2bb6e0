"""Whatever four accounts do, nobody is given what a simple model denies, and all that it grants.

The model is plain Python and knows nothing of the server's: for each account and room, the entry
from which on it may read. Everything is asked of a real server by raw clients.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.support import RawClient, draft, server_settings

from ipcchat.entries import Cursor, Entry
from ipcchat.journal.drafts import Draft
from ipcchat.server.server import Server
from ipcchat.wire.messages import (
    Changed,
    Direct,
    Error,
    Follow,
    FollowOk,
    Gap,
    History,
    Join,
    Kick,
    Live,
    Marker,
    Members,
    Nick,
    Part,
    Ping,
    Presence,
    Read,
    Room,
    RoomInvite,
    Rooms,
    RoomUninvite,
    Say,
    Search,
    Topic,
    Unfollow,
    Unfollowed,
    Whois,
)

PEOPLE = ("boss", "ann", "bob", "eve")
"""The first is an operator."""
DEVICES = ("boss", "ann", "ann", "bob", "eve", "eve")
"""Whose connections there are; the second of an account is quiet."""
NAMES = ("#lobby", "#apple", "#bread", "#cheese")
NONE = 5_000_000
"""A number that a hidden room could have."""
WORD = "plum"
TOP = 2**53 - 1
SECONDS = 10


# --- the model ----------------------------------------------------------------------------


@dataclass
class Known:
    """A room: what was said, and since which entry whom it is open to."""

    number: int
    name: str
    access: str
    maker: str = ""
    peer: str = ""
    topic: str = ""
    entries: list[tuple[str, str, str]] = field(default_factory=list)
    """(kind, text, who), with seq 1 first."""
    since: dict[str, int] = field(default_factory=dict)
    """Member → the first seq that it may read."""
    invited: dict[str, str] = field(default_factory=dict)
    away: dict[str, int] = field(default_factory=dict)
    """Who put the direct room away → its head then."""
    markers: dict[str, int] = field(default_factory=dict)
    given: dict[str, set[int]] = field(default_factory=dict)
    """Whoever it is → what it was ever allowed to read."""

    @property
    def head(self) -> int:
        return len(self.entries)

    def first(self, who: str) -> int | None:
        """The lowest seq open to somebody; None: there is no such room."""
        return 1 if self.access == "public" else self.since.get(who)

    def enter(self, kind: str, text: str, who: str) -> int:
        self.entries.append((kind, text, who))
        for one in PEOPLE:
            if self.first(one) is not None:
                self.given.setdefault(one, set()).add(self.head)
        return self.head

    def let_in(self, who: str, seq: int) -> None:
        self.since[who] = seq
        self.given.setdefault(who, set()).update(range(seq, self.head + 1))

    def messages(self, after: int) -> int:
        return sum(kind == "message" for kind, _, _ in self.entries[after:])


class Model:
    """What each request must come to: (code, seq), and the room."""

    def __init__(self) -> None:
        self.rooms: list[Known] = [Known(1, "#lobby", "public")]
        self.rooms[0].enter("create", "#lobby", "")
        self.nicks = {who: who for who in PEOPLE}
        self.removed: list[tuple[int, str, int]] = []
        """(room, who, the entry with which it ended) since the last look."""

    def at(self, number: int) -> Known | None:
        return next((room for room in self.rooms if room.number == number), None)

    def open_to(self, who: str, number: int) -> Known | None:
        room = self.at(number)
        return None if room is None or room.first(who) is None else room

    def join(self, who: str, room: Known | None, private: bool) -> tuple[str, int]:
        if room is None or (room.first(who) is None and who not in room.invited):
            return "no_room", 0
        if private:
            return "room_taken", 0
        if room.access == "direct":
            room.away.pop(who, None)
            return "", 0
        if who in room.since:
            return "", 0
        if room.access == "public":
            room.since[who] = 1
            return "", 0
        del room.invited[who]
        seq = room.enter("join", "", who)
        room.let_in(who, seq)
        return "", seq

    def made(self, room: Known, who: str) -> tuple[str, int]:
        self.rooms.append(room)
        room.maker = who
        seq = room.enter("create", room.name, who)
        for one in {who, room.peer} - {""}:
            room.let_in(one, seq)
        if room.peer:
            room.away[room.peer] = seq  # until something is said to it
        return "", seq

    def out(self, room: Known, who: str, seq: int) -> int:
        """Somebody is in it no more, and follows it no further than to the entry that says so."""
        room.since.pop(who, None)
        self.removed.append((room.number, who, seq))
        return seq

    def part(self, who: str, number: int) -> tuple[str, int]:
        room = self.open_to(who, number)
        if room is None:
            room = self.at(number)
            if room is None or who not in room.invited:
                return "no_room", 0
            del room.invited[who]  # it does not want to come
            room.enter("decline", self.nicks[who], who)
        elif room.access == "direct":
            room.away[who] = room.head
        elif room.access == "private":
            return "", self.out(room, who, room.enter("part", "", who))
        else:
            room.since.pop(who, None)
        return "", 0

    def kick(self, who: str, number: int, target: str) -> tuple[str, int]:
        if who != "boss":
            return "forbidden", 0
        room = self.open_to(who, number)
        if room is None:
            return "no_room", 0
        if room.access == "direct":
            return "forbidden", 0
        if room.access == "private" and target not in room.since:
            return "no_account", 0
        return "", self.remove(room, target, who)

    def remove(self, room: Known, target: str, who: str) -> int:
        room.invited = {one: by for one, by in room.invited.items() if by != target}
        return self.out(room, target, room.enter("kick", self.nicks[target], who))

    def invite(self, who: str, number: int, target: str) -> tuple[str, int]:
        room = self.open_to(who, number)
        if room is None:
            return "no_room", 0
        if room.access != "private":
            return "forbidden", 0
        if target in room.since or target in room.invited:
            return "", 0
        room.invited[target] = who
        return "", room.enter("invite", self.nicks[target], who)

    def uninvite(self, who: str, number: int, target: str) -> tuple[str, int]:
        room = self.open_to(who, number)
        if room is None:
            return "no_room", 0
        if room.access != "private":
            return "forbidden", 0
        if target not in room.since and target not in room.invited:
            return "", 0
        mine = target not in room.since and room.invited[target] == who
        if not (mine or who in (room.maker, "boss")):
            return "forbidden", 0
        if target in room.since:
            return "", self.remove(room, target, who)
        del room.invited[target]
        return "", room.enter("uninvite", self.nicks[target], who)

    def say(self, who: str, number: int, text: str, quiet: bool) -> tuple[str, int]:
        room = self.open_to(who, number)
        if room is None:
            return "no_room", 0
        seq = room.enter("message", text, who)
        if not quiet:
            room.markers[who] = seq
        return "", seq

    def topic(self, who: str, number: int, text: str) -> tuple[str, int]:
        room = self.open_to(who, number)
        if room is None:
            return "no_room", 0
        if room.topic == text:
            return "", 0
        room.topic = text
        return "", room.enter("topic", text, who)

    def read(self, who: str, number: int, seq: int) -> tuple[str, int]:
        room = self.open_to(who, number)
        if room is None:
            return "no_room", 0
        room.markers[who] = max(room.markers.get(who, 0), min(seq, room.head))
        return "", 0

    def item(self, who: str, room: Known, accounts: dict[str, int]) -> dict[str, Any] | None:
        """The room as a list shows it, but for times."""
        first = room.first(who)
        shown = {"room": room.number, "name": room.name, "access": room.access}
        if first is None:
            by = room.invited.get(who)
            return None if by is None else {**shown, "invited": self.nicks[by]}
        read = room.markers.get(who, 0)
        shown |= {"head": room.head, "members": len(room.since), "topic": room.topic}
        shown |= {"joined": who in room.since, "read": read, "first": first}
        shown |= {
            "unread": room.messages(max(read, first - 1)),
            "messages": room.messages(first - 1),
        }
        if room.access == "direct":
            peer = room.peer if who == room.maker else room.maker
            shown |= {"name": "@" + self.nicks[peer], "peer": accounts[peer]}
            shown |= {"joined": room.away.get(who, -1) < room.head}
            if room.head == 1 and who == room.peer and not shown["joined"]:
                return None  # nothing was said to it yet
        return shown


# --- the world ----------------------------------------------------------------------------


class Device:
    """A connection, and what it follows: room → the next seq that is to come."""

    def __init__(self, who: str, quiet: bool) -> None:
        self.who = who
        self.quiet = quiet
        self.stack = AsyncExitStack()
        self.client: RawClient
        self.follows: dict[int, int] = {}

    async def ask(self, cls: Callable[..., Struct], **fields: Any) -> Any:
        if "draft" in cls.__struct_fields__:  # type: ignore[attr-defined]
            fields["draft"] = draft()
        return await self.client.ask(cls(id=self.client.next_id(), **fields))


class World:
    """A server, its devices, and the model beside them."""

    def __init__(self, data: str) -> None:
        self.settings = server_settings(data=data, presence_interval=0.001, tail_bytes=1500)
        self.kept = data != ":memory:"
        self.model = Model()
        self.server = AsyncExitStack()
        self.accounts: dict[str, int] = {}
        self.devices: list[Device] = []
        self.count = 0

    async def start(self) -> None:
        server = await self.server.enter_async_context(Server(self.settings))
        self.address = server.addresses[0]
        self.hub = server._hub
        self.devices = [Device(who, who in DEVICES[:place]) for place, who in enumerate(DEVICES)]
        for device in self.devices:
            await self.connect(device)

    async def connect(self, device: Device) -> None:
        secret = device.who.encode().hex().ljust(32, "0")
        login = RawClient.login(self.address, device.who, secret, quiet=device.quiet)
        device.client = await device.stack.enter_async_context(login)
        self.accounts[device.who] = device.client.account
        device.follows.clear()

    async def stop(self) -> None:
        for device in self.devices:
            await device.stack.aclose()
        await self.server.aclose()
        self.server = AsyncExitStack()

    async def promote(self) -> None:
        """Makes the first an operator, as the server does for its own."""
        asked = Draft(0, draft(), "role", 1, target=self.accounts["boss"], role="operator")
        (outcome,) = await self.hub.journal.append([asked])
        assert not outcome.code
        await self.devices[0].client.take(lambda it: it == Changed("role"))

    # --- one step -----------------------------------------------------------------

    async def step(self, move: tuple[Any, ...]) -> None:
        name, place, *rest = move
        device = self.devices[place]
        self.count += 1
        await getattr(self, "do_" + name)(device, *rest)
        for each in self.devices:
            await self.hear(each)
        self.model.removed.clear()

    def number(self, index: int) -> int:
        """That of a room that is there, and now and then one of none."""
        numbers = [room.number for room in self.model.rooms] + [NONE]
        return numbers[index % len(numbers)]

    def compare(self, answer: Any, expected: tuple[str, int], why: Any) -> None:
        found = (answer.code, 0) if isinstance(answer, Error) else ("", getattr(answer, "seq", 0))
        assert found == expected, (why, answer)

    async def do_join(self, device: Device, name: str, private: bool) -> None:
        answer = await device.ask(Join, name=name, private=private)
        room = next((room for room in self.model.rooms if room.name == name), None)
        if room is None:
            room = Known(answer.room, name, "private" if private else "public")
            expected = self.model.made(room, device.who)
        else:
            expected = self.model.join(device.who, room, private)
        self.compare(answer, expected, (device.who, name, private))

    async def do_enter(self, device: Device, index: int, private: bool) -> None:
        number = self.number(index)
        answer = await device.ask(Join, room=number, private=private)
        expected = self.model.join(device.who, self.model.at(number), private)
        self.compare(answer, expected, (device.who, number))

    async def do_part(self, device: Device, index: int) -> None:
        number = self.number(index)
        answer = await device.ask(Part, room=number)
        self.compare(answer, self.model.part(device.who, number), (device.who, number))

    async def do_kick(self, device: Device, index: int, target: str) -> None:
        await self.about(device, Kick, self.model.kick, self.number(index), target)

    async def do_invite(self, device: Device, index: int, target: str) -> None:
        await self.about(device, RoomInvite, self.model.invite, self.number(index), target)

    async def do_uninvite(self, device: Device, index: int, target: str) -> None:
        await self.about(device, RoomUninvite, self.model.uninvite, self.number(index), target)

    async def about(
        self,
        device: Device,
        cls: Callable[..., Struct],
        decide: Callable[[str, int, str], tuple[str, int]],
        number: int,
        target: str,
    ) -> None:
        answer = await device.ask(cls, room=number, nick=self.model.nicks[target])
        self.compare(answer, decide(device.who, number, target), (cls, device.who, number, target))

    async def do_direct(self, device: Device, target: str, by_number: bool) -> None:
        nick, account = self.model.nicks[target], self.accounts[target]
        answer = await device.ask(Direct, **({"account": account} if by_number else {"nick": nick}))
        expected = ("forbidden", 0)
        if target != device.who:
            pair = {device.who, target}
            rooms = [it for it in self.model.rooms if {it.maker, it.peer} == pair]
            if rooms:
                assert answer.room == rooms[0].number
                expected = self.model.join(device.who, rooms[0], False)
            else:
                room = Known(answer.room, "", "direct", peer=target)
                expected = self.model.made(room, device.who)
        self.compare(answer, expected, (device.who, target))

    async def do_say(self, device: Device, index: int, count: int) -> None:
        for line in range(count):
            number, text = self.number(index), f"{WORD} {self.count} {line}"
            answer = await device.ask(Say, room=number, text=text)
            expected = self.model.say(device.who, number, text, device.quiet)
            self.compare(answer, expected, (device.who, number))

    async def do_topic(self, device: Device, index: int, text: str) -> None:
        number = self.number(index)
        answer = await device.ask(Topic, room=number, text=text)
        self.compare(answer, self.model.topic(device.who, number, text), (device.who, number))

    async def do_read(self, device: Device, index: int, seq: int) -> None:
        number = self.number(index)
        answer = await device.ask(Read, room=number, seq=seq)
        self.compare(answer, self.model.read(device.who, number, seq), (device.who, number))

    async def do_nick(self, device: Device) -> None:
        tail = "".join("aeghknptux"[int(digit)] for digit in str(self.count))
        nick = f"{device.who}-{tail}"
        answer = await device.ask(Nick, nick=nick)
        assert not isinstance(answer, Error), answer
        self.model.nicks[device.who] = nick

    async def do_follow(self, device: Device, index: int, way: tuple[Any, ...]) -> None:
        number, (kind, value, skip) = self.number(index), way
        fields: dict[str, Any] = {} if skip is None else {"skip": skip}
        if kind == "last":
            fields["last"] = value
        elif kind == "cursor":
            room = self.model.at(number)
            seq = min(value, room.head) if room is not None else value
            id = await self.hub.journal.mark(number, seq) or "" if seq else ""
            fields["cursor"] = Cursor(device.client.epoch, seq, id)
        answer = await device.ask(Follow, room=number, **fields)
        known = self.model.open_to(device.who, number)
        if known is None:
            # Whoever knows a place that is none is told so, too: by the same code.
            assert isinstance(answer, Error) and answer.code == "no_room", answer
            return
        assert isinstance(answer, FollowOk), answer
        first = known.first(device.who)
        assert first is not None and (answer.first, answer.head) == (first, known.head)
        start = known.head
        if kind == "last":
            start = max(first - 1, known.head - value)
        elif kind == "cursor":
            start = fields["cursor"].seq
        assert answer.from_ == start
        begin = max(start + 1, first)
        if skip is not None:
            begin = max(begin, known.head - skip + 1)
        device.follows[number] = begin
        await device.client.live(number)

    async def do_unfollow(self, device: Device, index: int) -> None:
        number = self.number(index)
        assert not isinstance(await device.ask(Unfollow, room=number), Error)
        device.follows.pop(number, None)

    async def do_reconnect(self, device: Device) -> None:
        await device.stack.aclose()
        await self.connect(device)

    async def do_restart(self, device: Device) -> None:
        if self.kept:
            await self.stop()
            await self.start()

    async def do_look(self, device: Device) -> None:
        await self.look(device)

    # --- what came ----------------------------------------------------------------

    async def hear(self, device: Device) -> None:
        """Takes what has come; of what is followed, all that is granted must come."""
        who, client = device.who, device.client
        for number, following in tuple(device.follows.items()):
            room = self.model.at(number)
            assert room is not None
            ends = [seq for at, one, seq in self.model.removed if (at, one) == (number, who)]
            for seq in range(following, (ends[0] if ends else room.head) + 1):
                assert seq in room.given[who]
                (entry,) = await client.entries(number, 1)
                self.same(entry, room, seq)
                device.follows[number] = seq + 1
            if ends:
                await client.take(ended(number))
                del device.follows[number]
        await client.ask(Ping(client.next_id()))
        for value in client.values:
            self.legal(device, value)
        client.values.clear()

    def same(self, entry: Entry, room: Known, seq: int) -> None:
        kind, text, who = room.entries[seq - 1]
        assert (entry.seq, entry.kind) == (seq, kind), (entry, room)
        assert entry.text == text and entry.by == self.accounts.get(who, 0), (entry, room)

    def legal(self, device: Device, value: Any) -> None:
        """Whether an event that nobody waited for tells no more than it may."""
        who = device.who
        match value:
            case Entry():
                raise AssertionError(f"{who} was told {value}")
            case Presence(room=0) | Changed():
                pass
            case Presence() | Gap() | Live() | Unfollowed():
                room = self.model.at(value.room)
                assert room is not None and room.given.get(who), (who, value)
                if isinstance(value, Gap):
                    assert value.first >= (room.first(who) or 0)
            case Marker():
                room = self.model.at(value.room)
                assert room is not None and room.given.get(who), (who, value)
                assert value.seq <= room.markers.get(who, 0)
            case _:
                raise AssertionError(f"{who} was told {value}")

    # --- what is asked ------------------------------------------------------------

    async def look(self, device: Device) -> None:
        """Everything that one may ask about everything there is."""
        who, model = device.who, self.model
        items = {room.number: model.item(who, room, self.accounts) for room in model.rooms}
        listed = (await device.ask(Rooms)).items
        assert [it.room for it in listed] == sorted(
            number for number, item in items.items() if item is not None
        )
        for room in model.rooms:
            item = items[room.number]
            shown = [it for it in listed if it.room == room.number]
            assert list(map(fields, shown)) == ([] if item is None else [shaped(item)])
            for asked in ({"room": room.number}, {"name": room.name}):
                if any(asked.values()):
                    assert (await device.ask(Rooms, **asked)).items == shown, (who, room)
            await self.look_into(device, room)
        assert (await device.ask(Rooms, room=NONE)).items == []
        for other in PEOPLE:
            found = await device.ask(Whois, nick=model.nicks[other])
            shared = [
                room.name
                for room in sorted(model.rooms, key=lambda room: room.number)
                if other in room.since and room.access != "direct" and room.first(who)
            ]
            assert (found.rooms, found.more) == (shared, 0), (who, other)
            mine = [
                it
                for it in model.rooms
                if {it.maker, it.peer} == {who, other} and model.item(who, it, self.accounts)
            ]
            asked = {"name": "@" + model.nicks[other]}
            assert [it.room for it in (await device.ask(Rooms, **asked)).items] == [
                it.number for it in mine
            ]

    async def look_into(self, device: Device, room: Known) -> None:
        who, number, first = device.who, room.number, room.first(device.who)
        asked: list[dict[str, Any]] = [{"limit": TOP}, {"after": 0, "limit": TOP}]
        asked += [{"before": room.head // 2 + 1, "limit": 3}]
        if first is None:
            for way in asked:
                assert (await device.ask(History, room=number, **way)).code == "no_room"
            assert (await device.ask(Members, room=number)).code == "no_room"
            assert (await device.ask(Search, room=number, text=WORD)).code == "no_room"
            return
        for way in asked:
            page = await device.ask(History, room=number, **way)
            assert (page.first, page.head) == (first, room.head)
            top = min(way.get("before", TOP), room.head + 1)
            wanted = range(max(first, top - way["limit"]), top)
            assert [entry.seq for entry in page.entries] == list(wanted), (who, room, way)
            for entry in page.entries:
                self.same(entry, room, entry.seq)
        page = await device.ask(Members, room=number)
        names = {(self.accounts[one], self.model.nicks[one]) for one in room.since}
        assert {(it.account, it.nick) for it in page.items} == names

    async def search(self, device: Device) -> None:
        """What is found in all rooms is what may be read."""
        wanted = {
            (room.number, seq)
            for room in self.model.rooms
            if (first := room.first(device.who)) is not None
            for seq in range(first, room.head + 1)
            if room.entries[seq - 1][0] in ("message", "topic") and WORD in room.entries[seq - 1][1]
        }
        while True:
            found: list[tuple[int, int]] = []
            page: Any = None
            while page is None or page.next:
                place = "" if page is None else page.next
                page = await device.ask(Search, text=WORD, limit=7, next=place)
                assert not isinstance(page, Error), page
                found += [(entry.room, entry.seq) for entry in page.items]
            assert set(found) <= wanted and len(found) == len(set(found)), device.who
            if not page.lag and set(found) == wanted:
                return
            await asyncio.sleep(0.002)  # the index is on its way


def fields(item: Any) -> dict[str, Any]:
    """A room of a list, but for its time."""
    return {name: getattr(item, name) for name in item.__struct_fields__ if name != "since"}


def ended(room: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Unfollowed) and value.room == room


def shaped(item: dict[str, Any]) -> dict[str, Any]:
    """The same of the model's, with what it leaves out."""
    return {**fields(Room(0, "")), **item}


# --- what they do -------------------------------------------------------------------------


places, people = st.integers(0, len(DEVICES) - 1), st.sampled_from(PEOPLE)
indexes = st.integers(0, 9)
ways = st.tuples(
    st.sampled_from(("now", "last", "cursor", "cursor")),
    st.integers(0, 12),
    st.none() | st.integers(0, 12),
)
MOVES = (
    st.tuples(st.just("join"), places, st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("enter"), places, indexes, st.sampled_from((False, False, False, True))),
    st.tuples(st.just("part"), places, indexes),
    st.tuples(st.just("invite"), places, indexes, people),
    st.tuples(st.just("uninvite"), places, indexes, people),
    st.tuples(st.just("kick"), st.sampled_from((0, 0, 0, 1)), indexes, people),
    st.tuples(st.just("direct"), places, people, st.booleans()),
    st.tuples(st.just("say"), places, indexes, st.integers(1, 4)),
    st.tuples(st.just("topic"), places, indexes, st.sampled_from(("", "tea", f"{WORD}s {WORD}"))),
    st.tuples(st.just("read"), places, indexes, st.integers(0, 12) | st.just(TOP)),
    st.tuples(st.just("nick"), places),
    st.tuples(st.just("follow"), places, indexes, ways),
    st.tuples(st.just("unfollow"), places, indexes),
    st.tuples(st.just("reconnect"), places),
    st.tuples(st.just("look"), places),
)
OFTEN = (0, 1, 3, 3, 7, 7, 7, 11, 11)
"""What makes more of the rest: joins, invitations, says, follows."""
moves = st.one_of(*MOVES, *(MOVES[place] for place in OFTEN))


def beginnings() -> Iterator[tuple[Any, ...]]:
    """A private room with something said in it, one who came later, and a direct room."""
    yield ("join", 1, "#apple", True)
    yield ("say", 1, 1, 3)
    yield ("invite", 1, 1, "bob")
    yield ("enter", 3, 1, False)
    yield ("say", 3, 1, 1)
    yield ("direct", 1, "eve", False)


async def play(steps: list[tuple[Any, ...]], data: str) -> None:
    world = World(data)
    async with asyncio.timeout(SECONDS):
        try:
            await world.start()
            await world.promote()
            for step in (*beginnings(), *steps):
                await world.step(step)
            for place in (0, 1, 3, 4):
                await world.look(world.devices[place])
                await world.search(world.devices[place])
            for device in world.devices:
                await world.hear(device)
        finally:
            await world.stop()


@settings(max_examples=20, deadline=None)
@given(st.lists(moves, min_size=10, max_size=40))
def test_nobody_is_given_what_the_model_denies(steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(play(steps, ":memory:"))


@settings(max_examples=4, deadline=None)
@given(st.lists(moves | st.tuples(st.just("restart"), places), min_size=10, max_size=30))
def test_nor_when_it_comes_from_the_disk_and_the_server_comes_again(
    steps: list[tuple[Any, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(steps, str(Path(folder, "data"))))
