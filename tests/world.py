"""A whole chat in one hand-stepped world: no event loop, thread, socket or sleep.

What is real: the decisions and the state of the journal, hub, gate, door, pager, rooms,
subscriptions and connections of the server, the wire at both ends, and the client's link, model,
follower, outbox and feed. What is made here is what the system would give them: a loop that is
turned by hand, cables that carry so many bytes and no more, and a disk that keeps what was
committed. Nothing happens unless somebody asks for it, so a test decides about every order.

The `Witness` sits on each cable, knows nothing but the wire's JSON and the disk, and raises
AssertionError as soon as the server says what the contract forbids.
"""

import asyncio
import copy
import heapq
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from ipcchat.address import Address
from ipcchat.client.feed import Feed
from ipcchat.client.follower import Follower
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Credentials, Link
from ipcchat.client.model import Model, RoomView
from ipcchat.client.outbox import Outbox, Outcome
from ipcchat.client.room import Pending
from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.errors import IpcchatError, JournalUnavailable, RemoteProtocolError
from ipcchat.journal import entrance, rights
from ipcchat.journal import feed as journal_feed
from ipcchat.journal.apply import Decision, decide, isolate
from ipcchat.journal.drafts import Draft
from ipcchat.journal.drafts import Outcome as Decided
from ipcchat.journal.state import (
    Account,
    Invite,
    Membership,
    Overlay,
    Reserved,
    Room,
    State,
    Stored,
)
from ipcchat.journal.waiting import Waiting, answer
from ipcchat.server.access import Peer
from ipcchat.server.admission import Admission
from ipcchat.server.connection import Connection
from ipcchat.server.effects import Effects
from ipcchat.server.eventlog import EventLog
from ipcchat.server.hub import Hub
from ipcchat.server.login import Door
from ipcchat.server.requests import Gate
from ipcchat.settings import ClientSettings, ServerSettings
from ipcchat.trust.security import Security
from ipcchat.wire import codec, messages
from ipcchat.wire.messages import Done, Gap, HelloOk, LoginOk, Presence, Unfollowed

__all__ = ["ROOMS", "Client", "Disk", "Journal", "Loop", "World", "plain", "rebuilt"]

ROOMS = (1, 2, 3, 4)
PAGE_ROWS = 3
"""The journal's pages are short here, so that catching up takes many."""
POISON = "can't be stored"
"""A message that the disk does not take."""
SERVER = ServerSettings(
    say_burst=0,
    queue_bytes=700,
    reply_bytes=2000,
    high_water=400,
    tail_bytes=900,
    pages_in_flight=2,
    feed_batches=3,
    batch_drafts=8,
    requests_in_flight=12,
    slice_members=1,
    presence_interval=0.01,
)
CLIENT = ClientSettings(plaintext=True, skip_over=8, page=5, ping_after=1e6, dead_after=1e7)
_TURNS = 10_000
_ROUNDS = 1000


# --- the loop -----------------------------------------------------------------------------


class Loop(asyncio.AbstractEventLoop):
    """Callbacks that run when, and in the number that, somebody says."""

    def __init__(self) -> None:
        self._now = 1.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._errors: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """For what asks which loop is running."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)
        if self._errors:
            raise self._errors.pop()

    def turn(self, most: int = _TURNS) -> int:
        """Runs so many callbacks; how many there were."""
        with self.running():
            for count in range(most):
                if not self._ready:
                    return count
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        return most

    def wait(self, seconds: float) -> None:
        """Lets time pass; what is due becomes ready."""
        self._now += seconds
        while self._timers and self._timers[0][0] <= self._now:
            _, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._ready.append(timer)

    def spend(self, seconds: float) -> None:
        """A callback takes so long."""
        self._now += seconds

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        when = self._now + delay
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays where it is until its time has come."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._errors.append(error or AssertionError(context["message"]))


# --- the disk and the journal -------------------------------------------------------------


class Disk:
    """What survives a crash: entries in the order of their commits, outcomes, counters."""

    def __init__(self) -> None:
        self.epoch = "e" * 32
        self.rows: list[tuple[Entry, Draft]] = []
        """Each entry with its draft."""
        self.rooms: dict[int, list[Entry]] = {}
        self.outcomes: dict[tuple[int, str], Stored] = {}
        self.applied = 0
        self.drafts: dict[tuple[int, str], Entry] = {}
        """(account, draft) → its entry."""

    def room(self, number: int) -> list[Entry]:
        return self.rooms.get(number, [])

    def store(self, drafts: Sequence[Draft], decisions: Sequence[Decision], to: Overlay) -> None:
        """A transaction."""
        for draft, decision in zip(drafts, decisions, strict=True):
            entry = decision.entry
            if entry is None:
                continue
            entries = self.rooms.setdefault(entry.room, [])
            key = (draft.account, draft.id)
            assert entry.seq == len(entries) + 1, f"entry {entry} is not the next one"
            assert key not in self.drafts, f"{draft} makes a second entry"
            entries.append(entry)
            self.drafts[key] = entry
            self.rows.append((entry, draft))
        for key, stored in to.outcomes.items():
            assert key not in self.outcomes, f"{key} gets a second outcome"
            self.outcomes[key] = stored
        self.applied = to.applied


def rebuilt(disk: Disk) -> State:
    """The state that the entries add up to, with what `fact` keeps of their drafts."""
    state = State(applied=disk.applied)
    for entry, draft in disk.rows:
        room = state.rooms.setdefault(entry.room, Room(entry.room, "", ""))
        room.head = entry.seq
        if entry.room and entry.kind != "message":
            state.facts.setdefault(entry.room, []).append(entry.seq)
        match entry.kind:
            case "create":
                room.name, room.key = entry.text, draft.key
                room.skeleton = "" if entry.target else draft.skeleton
                room.maker, room.peer, room.made = entry.by, entry.target, entry.time
                room.access = "direct" if entry.target else draft.access or "public"
                if entry.target:
                    room.key = entrance.direct_key(entry.by, entry.target)
                state.room_keys[room.key] = entry.room
                if draft.skeleton and not entry.target:
                    state.room_skeletons[draft.skeleton] = entry.room
                state.last_room += room.access == "public"
                for account in (entry.by, entry.target):
                    if account:
                        _member(state, entry.room, account, (entry.seq, entry.time))
            case "topic":
                room.topic = entry.text
            case "join" if entry.room:
                state.room_invites.pop((entry.room, entry.by), None)
                _member(state, entry.room, entry.by, (entry.seq, entry.time))
            case "part" if entry.room:
                _member(state, entry.room, entry.by, None)
            case "join":
                _member(state, entry.target, entry.by, (1, entry.time))
            case "part":
                _member(state, entry.target, entry.by, None)
            case "kick":
                state.room_invites.pop((entry.room, entry.target), None)
                for place, by in tuple(state.room_invites.items()):
                    if (place[0], by) == (entry.room, entry.target):
                        del state.room_invites[place]
                _member(state, entry.room, entry.target, None)
            case "invite" if entry.room:
                state.room_invites[entry.room, entry.target] = entry.by
            case "uninvite" | "decline":
                state.room_invites.pop((entry.room, entry.target))
            case _:
                _person(state, entry, draft)
    return state


def _person(state: State, entry: Entry, draft: Draft) -> None:
    """A fact about accounts, as the entry and what is kept of its draft tell it."""
    match entry.kind:
        case "account":
            state.last_account += 1
            _name(state, Account(entry.by, "", "", draft.role or "member"), entry.text, draft)
            if not draft.open:
                until = state.admitted.pop(draft.credential, 0)
                if until <= entry.time and (invite := state.invites.pop(draft.invite)).uses > 1:
                    state.invites[draft.invite] = replace(invite, uses=invite.uses - 1)
        case "rename":
            before = state.accounts[entry.by]
            if before.key != draft.key:
                own = [key for key, kept in state.reserved.items() if kept.account == entry.by]
                own.sort(key=lambda key: (state.reserved[key].until, key))
                for key in own[: max(0, len(own) - rights.NICKS_KEPT + 1)]:
                    _unreserve(state, key)
                until = entry.time + rights.RESERVED
                state.reserved[before.key] = Reserved(entry.by, until, before.skeleton)
                _unreserve(state, draft.key)
            _name(state, before, entry.text, draft)
            if before.skeleton and before.key != draft.key:
                state.nick_skeletons[before.skeleton] = entry.by
        case "release" if entry.target:
            _name(state, state.accounts[entry.target], entry.text, draft)
        case "release":
            _unreserve(state, draft.key)
        case "role":
            account = state.accounts[entry.target]
            state.accounts[entry.target] = replace(account, role=entry.text)
        case "ban":
            state.bans[entry.target] = draft.until
        case "unban":
            del state.bans[entry.target]
        case "invite":
            state.invites[draft.credential] = Invite(entry.by, entry.target, draft.until)
        case "revoke" if entry.target:
            del state.credentials[rights.TOKEN + draft.credential]
            state.scopes.pop(rights.TOKEN + draft.credential, None)
        case "revoke":
            del state.invites[draft.credential]
        case "admit":
            state.admitted[draft.credential] = draft.until
    if entry.kind in ("account", "credential"):
        if entry.kind == "credential":
            state.credentials.pop(draft.older, None)
        state.credentials[draft.credential] = entry.target or entry.by
        if draft.scope:
            state.scopes[draft.credential] = draft.scope


def _unreserve(state: State, key: str) -> None:
    kept = state.reserved.pop(key, None)
    if kept is None or state.nick_skeletons.get(kept.skeleton) != kept.account:
        return
    if state.accounts[kept.account].skeleton != kept.skeleton:
        del state.nick_skeletons[kept.skeleton]


def _name(state: State, account: Account, nick: str, draft: Draft) -> None:
    number = account.number
    if state.nick_keys.get(account.key) == number:
        del state.nick_keys[account.key]
    if state.nick_skeletons.get(account.skeleton) == number:
        del state.nick_skeletons[account.skeleton]
    state.accounts[number] = replace(account, nick=nick, key=draft.key, skeleton=draft.skeleton)
    state.nick_keys[draft.key] = number
    if draft.skeleton:
        state.nick_skeletons[draft.skeleton] = number


def _member(state: State, room: int, account: int, member: Membership | None) -> None:
    if member is None:
        state.members.get(room, {}).pop(account, None)
        state.joined.get(account, set()).discard(room)
    else:
        state.members.setdefault(room, {})[account] = member
        state.joined.setdefault(account, set()).add(room)


def plain(state: State) -> dict[str, Any]:
    """A state to compare, without what is no entry: who left every room never joined one."""
    found = {item.name: getattr(state, item.name) for item in fields(State)}
    for name in ("members", "joined"):
        found[name] = {number: them for number, them in found[name].items() if them}
    del found["markers"], found["hidden"]
    return found


class Journal:
    """The journal's contract on a disk that is written when somebody says so."""

    trouble = ""

    def __init__(self, disk: Disk, loop: Loop, settings: ServerSettings) -> None:
        self.linger: Callable[[], float] = float
        self.epoch = disk.epoch
        self.state = rebuilt(disk)
        self.reads: list[asyncio.Future[None]] = []
        """Pages and marks on their way."""
        self.page = 0
        """The longest page there was, in bytes as sent."""
        self._disk = disk
        self._loop = loop
        self._most = settings.batch_drafts
        with loop.running():
            self._waiting = Waiting(settings.pending_drafts)
            self._feed = journal_feed.Feed(settings.feed_batches, lambda: None)

    def append(
        self, drafts: Sequence[Draft], gathered: bool = False
    ) -> asyncio.Future[list[Decided]]:
        return self._waiting.put(drafts)

    def commit(self, fate: str = "durable") -> bool:
        """Decides about the next batch; false where there is none, or the feed is full.

        `full`: nothing could be stored. `lost`: the power fails before it is durable; `stored`:
        it fails right after, before anybody has heard of it.
        """
        if not self._waiting or self._feed.full:
            return False
        jobs = self._waiting.take(self._most)
        if fate == "full":
            for job in jobs:
                job.fail(JournalUnavailable("no room"))
            return True
        drafts = [draft for job in jobs for draft in job.drafts]
        overlay = Overlay(self.state)
        try:
            decisions = self._attempt(overlay, drafts)
        except ValueError:
            blamed: list[Exception] = []
            overlay, decisions = isolate(Overlay(self.state), drafts, self._attempt, blamed.append)
            assert len(blamed) == sum(draft.text == POISON for draft in drafts)
        if fate == "lost":
            return True
        self._disk.store(drafts, decisions, overlay)
        if fate == "stored":
            return True
        overlay.merge()
        self._feed.put([item.entry for item in decisions if item.entry is not None])
        answer(jobs, decisions)
        return True

    def _attempt(self, overlay: Overlay, drafts: Sequence[Draft]) -> list[Decision]:
        decisions = decide(overlay, drafts, self._disk.outcomes.get)
        if any(item.entry is not None and item.entry.text == POISON for item in decisions):
            raise ValueError(POISON)
        return decisions

    def feed(self) -> AsyncIterator[list[Entry]]:
        return self._feed.read()

    async def _come(self) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self.reads.append(future)
        await future

    async def read(self, room: int, *, after: int, upto: int, limit: int, size: int) -> list[Entry]:
        await self._come()
        page = self._disk.room(room)[after : min(upto, after + min(limit, PAGE_ROWS))]
        self.page = max(self.page, sum(len(codec.encode(entry)) for entry in page))
        return page

    async def read_back(self, room: int, *, before: int, limit: int, size: int) -> list[Entry]:
        await self._come()
        return self._disk.room(room)[max(0, before - 1 - limit) : before - 1]

    async def pick(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        there = {(entry.room, entry.seq): entry for entry, _ in self._disk.rows}
        return [there[place] for place in places if place in there]

    async def mark(self, room: int, seq: int) -> str | None:
        await self._come()
        entries = self._disk.room(room)
        return entries[seq - 1].draft if 0 < seq <= len(entries) else None

    async def close(self) -> None:
        """A crash closes nothing."""


# --- cables -------------------------------------------------------------------------------


class End(asyncio.Transport):
    """One end of a cable: what was written waits until it is carried to the other end."""

    def __init__(
        self, loop: Loop, protocol: asyncio.BufferedProtocol, wrote: Callable[[bytes], None]
    ) -> None:
        super().__init__()
        self.reading = True
        self.lost = False
        self._loop = loop
        self._protocol = protocol
        self._wrote = wrote
        self._out = bytearray()
        self._high = 1 << 30
        self._paused = False
        self._closing = False
        with loop.running():
            protocol.connection_made(self)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high = high

    def get_write_buffer_size(self) -> int:
        return len(self._out)

    @property
    def pending(self) -> int:
        """Bytes on their way to the other end."""
        return len(self._out)

    def write(self, data: Any) -> None:
        if self._closing:
            return
        self._wrote(bytes(data))
        self._out += data
        if len(self._out) > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def take(self, most: int) -> bytes:
        """The next bytes for the other end."""
        data = bytes(self._out[:most])
        del self._out[:most]
        with self._loop.running():
            if self._paused and len(self._out) <= self._high // 4:
                self._paused = False
                self._protocol.resume_writing()
            if self._closing and not self._out:
                self.hang_up()
        return data

    def give(self, data: bytes) -> None:
        """Bytes from the other end."""
        if self._closing or not data:
            return
        with self._loop.running():
            buffer: Any = self._protocol.get_buffer(-1)
            buffer[: len(data)] = data
            self._protocol.buffer_updated(len(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        if not self._out:
            self._loop.call_soon(self.hang_up)

    def abort(self) -> None:
        self._closing = True
        self._out.clear()
        self._loop.call_soon(self.hang_up)

    def hang_up(self) -> None:
        """The connection is gone."""
        self._closing = True
        self._out.clear()
        if not self.lost:
            self.lost = True
            with self._loop.running():
                self._protocol.connection_lost(None)


class Plain(End):
    """The server's end of a cable without TLS: a socket that takes what it has room for, and is
    lent."""

    def __init__(
        self, loop: Loop, protocol: asyncio.BufferedProtocol, wrote: Callable[[bytes], None]
    ) -> None:
        self._rest = bytearray()
        super().__init__(loop, protocol, wrote)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self if name == "sink" else default

    def get_write_buffer_size(self) -> int:
        return len(self._rest)

    @property
    def pending(self) -> int:
        return len(self._out) + len(self._rest)

    def send(self, data: Any) -> int:
        """As a socket's."""
        assert not self._rest, "it overtakes what waits"
        if self._closing:
            raise BrokenPipeError
        size = min(len(data), self._high - len(self._out))
        if size <= 0:
            raise BlockingIOError
        self._wrote(bytes(data[:size]))
        self._out += data[:size]
        return size

    def write(self, data: Any) -> None:
        if self._closing:
            return
        self._wrote(bytes(data))
        waited = bool(self._rest)
        self._rest += data
        self._move()
        if self._rest and not waited:
            self._protocol.pause_writing()

    def _move(self) -> None:
        room = max(0, self._high - len(self._out))
        self._out += self._rest[:room]
        del self._rest[:room]

    def take(self, most: int) -> bytes:
        waited = bool(self._rest)
        data = bytes(self._out[:most])
        del self._out[:most]
        self._move()
        with self._loop.running():
            if waited and not self._rest:
                self._protocol.resume_writing()
            if self._closing and not self._out:
                self.hang_up()
        return data


class Witness:
    """Reads along on one cable what is said, and knows what must not be."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._account = 0
        self._rest = [b"", b""]
        self._asked: dict[int, dict[str, Any]] = {}
        self._places: dict[int, int] = {}
        """Room → the last seq that was sent, while it is followed."""

    def _frames(self, side: int, data: bytes) -> Iterator[dict[str, Any]]:
        data = self._rest[side] + data
        while len(data) >= 4 and len(data) >= (stop := 4 + int.from_bytes(data[:4], "big")):
            yield json.loads(data[4:stop])
            data = data[stop:]
        self._rest[side] = data

    def asked(self, data: bytes) -> None:
        """The client has written something."""
        for frame in self._frames(0, data):
            assert frame["id"] not in self._asked
            self._asked[frame["id"]] = frame

    def told(self, data: bytes) -> None:
        """The server has written something."""
        for frame in self._frames(1, data):
            kind, room = frame["type"], frame.get("room", 0)
            if kind == "entry":
                self._entry(frame)
            elif kind == "gap":
                assert self._places[room] == frame["from"] < frame["first"] - 1
                self._places[room] = frame["first"] - 1
            elif kind == "live":
                assert self._places[room] == frame["head"], "live before all was sent"
            elif kind == "unfollowed":
                assert not frame.get("code")
                del self._places[room]
            elif frame.get("id") is not None:
                self._reply(frame, self._asked.pop(frame["id"]))  # one reply for each request

    def _entry(self, frame: dict[str, Any]) -> None:
        room, seq = frame["room"], frame["seq"]
        assert room in self._places, f"{frame} without being followed"
        assert seq == self._places[room] + 1, f"{seq} after {self._places[room]}"
        entries = self._world.disk.room(room)
        assert seq <= len(entries), "delivered before it is durable"
        assert frame == to_builtins(entries[seq - 1])
        self._places[room] = seq

    def _reply(self, frame: dict[str, Any], request: dict[str, Any]) -> None:
        kind = request.pop("type")
        del request["id"]
        if frame["type"] == "error":
            code = frame["code"]
            assert code != "regressed", "no history has changed"
            if not frame.get("retry") and code != "internal" and "draft" in request:
                self._outcome(kind, request, (code,))
        elif kind == "login":
            self._account = frame["account"]
        elif kind == "follow":
            assert frame["from"] <= frame["head"] <= len(self._world.disk.room(request["room"]))
            cursor = request.get("cursor")
            assert cursor is None or frame["from"] == cursor["seq"]
            self._places[request["room"]] = frame["from"]
        elif "draft" in request:
            place = (frame.get("room", 0), frame.get("seq", 0))
            self._outcome(kind, request, ("", *place, frame.get("time", 0)))
            if kind == "say":
                entry = self._world.disk.room(place[0])[place[1] - 1]
                assert (entry.draft, entry.by) == (request["draft"], self._account)
                assert entry.text.strip() == request["text"].strip()
            elif kind == "withdraw" and not place[1]:
                self._world.withdrawn.add((self._account, request["draft"]))

    def _outcome(self, kind: str, request: dict[str, Any], found: tuple[Any, ...]) -> None:
        content = json.dumps([kind, request], sort_keys=True)
        key = (self._account, request["draft"], content)
        first = self._world.outcomes.setdefault(key, found)
        assert found == first, f"{content}: {found} after {first}"
        decided = self._world.disk.outcomes.get(key[:2])
        assert decided is not None, "answered before it is durable"


class Cable:
    """A connection: carries bytes, and can be cut."""

    def __init__(self, world: "World", client: "Client", server: "Server") -> None:
        witness = Witness(world)
        with client.loop.running():
            self.link = Link(CLIENT, client.event, client.applied)
        with server.loop.running():
            self.connection = server.connect()
        end = Plain if self.connection.number % 3 else End
        self.server = end(server.loop, self.connection, witness.told)
        self.client = End(client.loop, self.link, witness.asked)
        self.cut_off = False
        """The server does not know yet that nobody is there."""

    def carry(self, down: bool, most: int = 1 << 16) -> bool:
        """Takes so many bytes to the client, or up to the server; whether something happened."""
        source, target = (self.server, self.client) if down else (self.client, self.server)
        if self.cut_off or not target.reading:
            return False
        if not source.lost and source.pending:
            target.give(source.take(most))
            return True
        if source.lost and not target.lost:
            target.hang_up()
            return True
        return False

    def cut(self) -> None:
        """The client loses the connection, and what is on its way."""
        self.cut_off = True
        self.client.hang_up()

    def notice(self) -> None:
        """The server finds out."""
        self.server.hang_up()

    def check(self, page: int) -> None:
        """What waits at the server for this client is bounded."""
        connection, settings = self.connection, SERVER
        entries = [data for whose, _, data in connection._queue if whose is not None]
        replies = [data for whose, _, data in connection._queue if whose is None]
        queued = sum(map(len, entries))
        if connection.closing:
            return
        assert connection._batch_bytes == queued
        assert connection._reply_bytes == sum(map(len, replies))
        assert queued <= settings.queue_bytes + page, f"{queued} bytes wait, a page is {page}"
        assert connection._reply_bytes <= settings.reply_bytes or not connection.reading
        assert 0 <= connection.in_flight <= settings.requests_in_flight


# --- the server ---------------------------------------------------------------------------


class Server:
    """A server's life between two crashes; put together as `server.Server` does it."""

    def __init__(self, disk: Disk) -> None:
        self.loop = Loop()  # type: ignore[abstract]
        self.settings = SERVER
        self.journal = Journal(disk, self.loop, SERVER)
        with self.loop.running():
            log, security = EventLog("error"), Security(None)
            self.hub = Hub(SERVER, self.journal, log, Admission(SERVER), security)
            self._door = Door(self.hub)
            self._gate = Gate(self.hub)
        self.tick = self.hub.tick
        self._tasks = [self.loop.create_task(Effects(self.hub).run())]
        self._tasks.append(self.loop.create_task(self.hub.pager.run()))
        self._numbers = 0
        self.loop.turn()

    def connect(self) -> Connection:
        self._numbers += 1
        return Connection(self, Peer("tcp", "somewhere"), self._numbers)

    def opened(self, connection: Connection) -> None:
        self.hub.opened(connection)

    def received(self, connection: Connection, values: list[Struct | RemoteProtocolError]) -> None:
        session = self.hub.sessions.get(connection.number)
        if session is None:
            values = self._door.received(connection, values)
            session = self.hub.sessions.get(connection.number)
        if values and session is not None:
            self._gate.received(connection, session, values)

    def lost(self, connection: Connection) -> None:
        self.hub.lost(connection)

    def end(self) -> None:
        """Nothing is left of it."""
        for task in self._tasks:
            task.cancel()
        self.loop.turn()


# --- clients ------------------------------------------------------------------------------


class Client:
    """A program of somebody's, on one device; put together as `Session` and `Chat` do it.

    With a screen it has a model of each room; without, it reads a feed of each.
    """

    def __init__(self, world: "World", person: str, device: str, screen: bool) -> None:
        self.loop = Loop()  # type: ignore[abstract]
        self.person = person
        self.account = 0
        self.epoch = ""
        self.cable: Cable | None = None
        self.stopped = False
        """It reads nothing at present."""
        self.rooms: dict[int, RoomView] = {}
        self.feeds: dict[int, Feed] = {}
        self.read: dict[int, list[Entry]] = {number: [] for number in ROOMS}
        """What came out of the feeds."""
        self.typed: dict[int, list[Pending]] = {number: [] for number in ROOMS}
        self.said: list[Pending] = []
        """Lines that were settled as said."""
        self.dropped: list[str] = []
        self.given_up: set[int] = set()
        """Lines that were discarded or tried again, by identity: their order is open."""
        self._world = world
        self._readers: list[asyncio.Task[None]] = []
        secret = (f"{person:0<32}".encode().hex())[:32]
        self._who = Credentials(person, secret, device=device)
        with self.loop.running():
            self.model = Model("", person, now=lambda: 0)
            self.lifeline = Lifeline(Address(), self._who, CLIENT, self)
            self.outbox = Outbox(CLIENT, self.model.touch, self._drop)
            self.follower = Follower(
                self.model,
                self.lifeline,
                CLIENT,
                ask=self._never,
                outbox=self.outbox,
                changed=lambda: None,
            )
            for number in ROOMS:
                if screen:
                    item = messages.Room(number, f"#room{number}", joined=True)
                    self.rooms[number] = self.model.add_room(item)
                else:
                    self.feeds[number] = Feed(self, number, last=None, after=0, limit=4)

    async def _never(self, request: Struct) -> Any:
        raise AssertionError(f"nobody here asks for pages: {request}")

    @property
    def link(self) -> Link | None:
        return self.lifeline.link

    def dial(self) -> None:
        """Connects, where it is not connected."""
        if self.cable is None:
            self.cable = Cable(self._world, self, self._world.server)
            self._world.cables.append(self.cable)
            link = self.cable.link
            link.lost.add_done_callback(partial(self._lost, self.cable))
            self._readers.append(self.loop.create_task(self._login(link)))

    async def _login(self, link: Link) -> None:
        try:
            hello, login = await link.login(self._who)
        except IpcchatError:
            link.abort()
            return
        self.lifeline.link = link
        self.lifeline.epoch = hello.epoch
        self.up(link, hello, login)

    def _lost(self, cable: Cable, _: object) -> None:
        if self.cable is cable:
            self.cable = None
            self.lifeline.link = None
            self.down("")

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        self.epoch, self.account = hello.epoch, login.account
        self.model.login(login.account, login.nick, login.role)
        self.outbox.up(link)
        self.follower.up(hello.epoch)
        for feed in self.feeds.values():
            feed.up()

    def event(self, event: Struct) -> None:
        lacking = self.model.apply(event)
        if lacking is not None and type(event) is Entry:
            self.follower.follow(lacking)
        elif lacking is not None:
            self.follower.put_off(lacking)
        feed = self.feeds.get(getattr(event, "room", 0))
        if type(event) is Entry:
            if event.by == self.account:
                self.outbox.seen(event.room, event.draft)
            if feed is not None:
                feed.entry(event)
        elif feed is not None and isinstance(event, Gap):
            feed.gap(event)
        elif feed is not None and isinstance(event, Unfollowed):
            feed.unfollowed(event)
        else:
            assert not isinstance(event, Presence) or event.status

    def applied(self) -> None:
        """Nothing is drawn."""

    def down(self, why: str) -> None:
        self.outbox.down()
        self.follower.down()

    # --- what its user does -----------------------------------------------------------

    def say(self, room: int, text: str) -> None:
        with self.loop.running():
            pending = Pending(self._world.draft(), room, text, "", 0)
            self.typed[room].append(pending)
            self.outbox.submit(pending, partial(self._settled, pending))

    def _settled(self, pending: Pending, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self.said.append(pending)

    def _drop(self, pending: Pending) -> None:
        self.dropped.append(pending.draft)

    def discard(self, pending: Pending) -> None:
        with self.loop.running():
            self.given_up.add(id(pending))
            self.outbox.discard(pending)

    def retry(self, pending: Pending) -> None:
        with self.loop.running():
            self.given_up.add(id(pending))
            if pending.draft not in self.dropped:
                self.outbox.retry(pending, partial(self._settled, pending))

    def ask(self, request: Struct) -> None:
        """Asks something without caring for the answer."""
        with self.loop.running():
            if self.link is not None:
                self.link.ask(copy.copy(request), lambda reply: None)

    def unfollow(self, room: int) -> None:
        """Stops following a room, and begins again when the server has said so."""
        with self.loop.running():
            if self.link is not None:
                self.link.ask(messages.Unfollow(0, room), lambda reply: self.follow(room))

    def follow(self, room: int) -> None:
        """Follows a room once more, whatever it does at present."""
        with self.loop.running():
            if room in self.rooms:
                self.follower.follow(self.rooms[room])
            else:
                self.feeds[room].follow()

    def take(self, room: int, count: int) -> None:
        """A script's reader takes so many entries, as soon as they are there."""
        if room in self.feeds:
            self._readers.append(self.loop.create_task(self._take(room, count)))

    async def _take(self, room: int, count: int) -> None:
        for _ in range(count):
            self.read[room].append(await self.feeds[room].next())

    def close(self) -> None:
        """Ends what is left of its tasks."""
        for task in self._readers:
            task.cancel()
        self.loop.turn()

    # --- what must be true ------------------------------------------------------------

    def check(self) -> None:
        """What it has of each room is what the journal has there."""
        disk = self._world.disk
        for number, view in self.rooms.items():
            lines = [line for line in view.lines if type(line) is Entry]
            assert view.seq <= len(disk.room(number))
            assert lines == disk.room(number)[view.start : view.seq]
        for number, entries in self.read.items():
            assert entries == disk.room(number)[: len(entries)]
        for pending in self.said:
            assert (self.account, pending.draft) in disk.drafts

    def check_all(self) -> None:
        """Nothing is left to be done, and it has everything."""
        disk = self._world.disk
        for number, view in self.rooms.items():
            assert view.live, f"room {number} is not live"
            assert view.seq == len(disk.room(number))
        for number in self.feeds:
            assert self.read[number] == disk.room(number)
        for draft in self.dropped:
            assert (self.account, draft) not in disk.drafts, "a line that was taken back was said"
        for typed in self.typed.values():
            seqs = [
                disk.drafts[self.account, pending.draft].seq
                for pending in typed
                if pending in self.said and id(pending) not in self.given_up
            ]
            assert seqs == sorted(seqs), "not in the order they were typed"
            for pending in typed:
                known = pending.draft in self.dropped or pending.state != "sending"
                assert known, f"{pending} has no outcome"


# --- all of it ----------------------------------------------------------------------------


class World:
    """A disk, a server that can crash, clients, and the cables between them."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.outcomes: dict[tuple[int, str, str], tuple[Any, ...]] = {}
        """The first answer to each (account, draft id, content)."""
        self.withdrawn: set[tuple[int, str]] = set()
        self._drafts = 0
        self.server = Server(self.disk)
        beginning = [
            Draft(0, self.draft(), "join", 1, name=f"#room{number}", key=f"#room{number}")
            for number in ROOMS
        ]
        self.server.journal.append(beginning)
        self.server.journal.commit()
        self.cables: list[Cable] = []
        self.clients = [
            Client(self, "ann", "a1", True),
            Client(self, "ann", "a2", False),
            Client(self, "bob", "b1", True),
            Client(self, "cy", "c1", False),
        ]

    def draft(self) -> str:
        """A fresh draft id."""
        self._drafts += 1
        return f"{self._drafts:032x}"

    # --- steps ------------------------------------------------------------------------

    def turn(self) -> int:
        """Every loop runs until nothing is ready."""
        return sum(loop.turn() for loop in self._loops())

    def _loops(self) -> list[Loop]:
        return [self.server.loop, *(client.loop for client in self.clients)]

    def wait(self, seconds: float) -> None:
        for loop in self._loops():
            loop.wait(seconds)

    def flow(self) -> bool:
        """Carries what is on its way, but to those who read nothing; no commits, no pages."""
        for count in range(_ROUNDS):
            if not self._flow():
                return count > 0
        raise AssertionError("it never comes to rest")

    def _flow(self) -> int:
        stopped = {client.cable for client in self.clients if client.stopped}
        count = self.turn()
        for cable in tuple(self.cables):
            count += cable.carry(False)
            if cable not in stopped:
                count += cable.carry(True)
            if cable.server.lost and cable.client.lost:
                self.cables.remove(cable)
        return count

    def pages(self) -> bool:
        """Every page on its way comes."""
        reads, self.server.journal.reads = self.server.journal.reads, []
        for read in reads:
            if not read.done():
                read.set_result(None)
        return bool(reads)

    def crash(self) -> None:
        """The server is gone, and another one starts on what it has stored."""
        old = plain(self.server.journal.state)
        for cable in self.cables:
            cable.cut()
        self.cables.clear()
        self.server.end()
        self.server = Server(self.disk)
        if old["applied"] == self.disk.applied:
            assert plain(self.server.journal.state) == old, "a rebuild is not the live state"

    # --- what must be true ------------------------------------------------------------

    def check_queues(self) -> None:
        """What waits for a client is bounded by the queue's bound and a page."""
        for cable in self.cables:
            cable.check(self.server.journal.page)

    def check(self) -> None:
        """The contract, in this state."""
        self.check_queues()
        for client in self.clients:
            client.check()
        for key in self.withdrawn:
            entry = self.disk.drafts.get(key)
            # A change of nick or membership has no seq to tell, so its withdrawal says nothing.
            assert entry is None or entry.room == SYSTEM_ROOM, "what was withdrawn was said"

    def settle(self) -> None:
        """Everybody reads, comes back, and waits until nothing happens any more."""
        for client in self.clients:
            client.stopped = False
        for cable in self.cables:
            if cable.cut_off:
                cable.notice()
        for _ in range(_ROUNDS):
            for client in self.clients:
                client.dial()
            busy = self.flow()
            busy |= self.pages()
            busy |= self.server.journal.commit()
            if not busy:
                return
            self.check_queues()
        raise AssertionError("it never comes to rest")

    def end(self) -> None:
        """Everything that was begun ends well."""
        self.settle()
        for client in self.clients:
            for number in client.feeds:
                client.take(number, 10_000)
        for _ in range(4):
            # What was refused for now is asked for again after a second.
            self.wait(2)
            self.settle()
        self.check()
        for client in self.clients:
            client.check_all()
        state = plain(self.server.journal.state)
        assert plain(rebuilt(self.disk)) == state
        assert state["rooms"][SYSTEM_ROOM].head == len(self.disk.room(SYSTEM_ROOM))

    def close(self) -> None:
        """Leaves nothing behind."""
        for cable in self.cables:
            cable.cut()
        self.server.end()
        for client in self.clients:
            client.close()
