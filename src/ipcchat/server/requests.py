"""The gate: every request passes here, once.

The table says for each request which role may make it and how it is answered:

* a *change* becomes a draft; drafts go to the journal together, from whomever they came, in turn,
  and their outcomes are the replies;
* a *question* is answered at once;
* a *read* waits for its turn at the pager.

Which state a request belongs to, its fields and its size were checked by `wire`. A handler is
only the deed: it never looks at roles, and refuses by raising `Refused` or `TextError`.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec import Struct

from ipcchat.entries import now_ms
from ipcchat.errors import (
    CODES,
    JournalError,
    JournalUnavailable,
    Refused,
    RemoteProtocolError,
    TextError,
)
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.server import changes, moderation, operations, questions
from ipcchat.server.connection import Connection
from ipcchat.server.hub import Hub
from ipcchat.server.rates import Rates
from ipcchat.server.session import Session
from ipcchat.wire import codec, messages
from ipcchat.wire.messages import Done, Error

__all__ = ["TABLE", "Gate", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """How one type of request is treated. Exactly one of the three ways is set."""

    role: str = "member"
    """`member`, or `operator` for operators alone."""
    scoped: bool = False
    """Whether a session that is bound to some rooms may ask it of no room."""
    change: Callable[[Hub, Session, Any, int], Draft] | None = None
    """Makes the draft; the last argument is the time."""
    question: Callable[[Hub, Session, Any], Struct] | None = None
    read: Callable[[Hub, Session, Any], Awaitable[Struct | None]] | None = None
    """Returns the reply, or None where it has sent it itself."""
    behind: Callable[[Hub, Session, Any], asyncio.Future[None] | None] | None = None
    """What a read waits for before it asks for its turn."""
    searches: bool = False
    """Whether it is a read that may take long: it waits in another line."""
    cost: int = 0
    """What it takes of the account's say rate."""


TABLE: dict[type[Struct], Row] = {
    messages.Say: Row(change=changes.say, cost=1),
    messages.Join: Row(change=changes.join, cost=1),
    messages.Direct: Row(change=changes.direct, cost=1),
    messages.RoomInvite: Row(change=changes.room_invite, cost=1),
    messages.RoomUninvite: Row(change=changes.room_uninvite, cost=1),
    messages.Away: Row(question=questions.away, cost=1),
    messages.Whois: Row(question=questions.whois, cost=1),
    messages.Part: Row(change=changes.part, cost=1),
    messages.Topic: Row(change=changes.topic, cost=1),
    messages.Nick: Row(change=changes.nick, cost=1),
    messages.Read: Row(change=changes.read),
    messages.Withdraw: Row(change=changes.withdraw, scoped=True, cost=1),
    messages.Follow: Row(read=questions.follow),
    messages.Unfollow: Row(question=questions.unfollow),
    messages.History: Row(read=questions.history, behind=questions.behind),
    messages.Search: Row(read=questions.search, cost=1, scoped=True, searches=True),
    messages.Rooms: Row(question=questions.rooms, scoped=True),
    messages.Members: Row(question=questions.members),
    messages.Ping: Row(question=questions.ping, scoped=True),
    messages.Status: Row(role="operator", question=operations.status),
    messages.Sessions: Row(role="operator", question=operations.sessions),
    messages.Log: Row(role="operator", question=operations.log),
    messages.Reload: Row(role="operator", question=operations.reload),
    messages.Shutdown: Row(role="operator", question=operations.shutdown),
    messages.Bans: Row(role="operator", question=moderation.bans),
    messages.Invites: Row(role="operator", question=moderation.invites),
}
TABLE |= {cls: Row(role="operator", change=change) for cls, change in moderation.CHANGES.items()}
"""`hello` and `login`, which make the session, are the door's (`login`)."""


_SHARE = 32
"""Drafts of one connection in a row."""
Share = tuple[Connection, list[Any]]
"""Where replies go, and the requests."""


def scoped(row: Row, rooms: frozenset[int], request: Any) -> None:
    """Raises Refused where a session that is bound to some rooms asks for more."""
    room = getattr(request, "room", 0)
    if room not in rooms and (room or not row.scoped):
        raise Refused("forbidden", "this token is for other rooms alone")


def refusal(request: int | None, error: Refused | TextError) -> Error:
    """The reply for a refused request."""
    if isinstance(error, TextError):
        return Error(id=request, code=error.code, text=error.text)
    return Error(
        id=request, code=error.code, text=error.text, retry=error.retry, wait_ms=error.wait_ms
    )


class Gate:
    """Takes what the connections of logged-in sessions read. Its methods do not await."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.rates = Rates(hub.settings.say_burst, hub.settings.say_rate)
        self._loop = asyncio.get_running_loop()
        self._queues: dict[Connection, tuple[list[Draft], list[Any]]] = {}
        """Drafts and their requests that wait for the journal; bounded by the requests in flight
        of each connection."""
        self._flying = 0
        """Drafts that the journal has, without an outcome."""
        self._scheduled = False
        self._awaited: set[int] = set()
        """Crowded rooms for which something waits."""

    def received(
        self,
        connection: Connection,
        session: Session,
        values: list[Struct | RemoteProtocolError],
    ) -> None:
        """Answers each request of a chunk, or sees to it that it will be."""
        now, hub, rates = now_ms(), self._hub, self.rates
        operator, scope = session.role == "operator", session.scope
        drafts: list[Draft] = []
        drafted: list[Any] = []
        cap = hub.settings.requests_in_flight
        for index, value in enumerate(values):
            if connection.in_flight >= cap:
                connection.park(values[index:])
                break
            if isinstance(value, RemoteProtocolError):
                answer_error(connection, value)
                continue
            row = TABLE[type(value)]
            connection.in_flight += 1
            try:
                if not operator and row.role == "operator":
                    raise Refused("forbidden")
                if scope is not None:
                    scoped(row, scope, value)
                if (
                    rates.limited
                    and row.cost
                    and (wait := rates.take(session.account, self._loop.time(), row.cost))
                ):
                    wait_ms = math.ceil(wait * 1000)
                    raise Refused("rate_limited", retry=True, wait_ms=wait_ms)
                if row.change is not None:
                    drafts.append(row.change(hub, session, value, now))
                    drafted.append(value)
                elif row.question is not None:
                    connection.send(row.question(self._hub, session, value))
                    connection.answered()
                elif row.read is not None:
                    job = partial(self._read, connection, session, row.read, value)
                    if row.searches:
                        self._hub.searches.ask(connection, job)
                    else:
                        self._ask(
                            connection, job, row.behind and row.behind(self._hub, session, value)
                        )
            except (Refused, TextError) as error:
                connection.send(refusal(value.id, error))  # type: ignore[attr-defined]
                connection.answered()
        if drafts:
            self._take(connection, drafts, drafted)

    def _ask(
        self,
        connection: Connection,
        job: Callable[[], Awaitable[None]],
        behind: asyncio.Future[None] | None,
    ) -> None:
        if behind is None:
            self._hub.pager.ask(connection, job)
        else:
            behind.add_done_callback(lambda _: self._hub.pager.ask(connection, job))

    def _take(self, connection: Connection, drafts: list[Draft], requests: list[Any]) -> None:
        self._hub.began(len(drafts))
        if connection in self._queues:
            before, asked = self._queues[connection]
            before += drafts
            asked += requests
            return
        self._queues[connection] = drafts, requests
        self._schedule()

    def _hand_over(self) -> None:
        """Gives the journal two transactions' worth at most, in turn from everybody who waits: who
        says a lot has no longer turn than who says a little. What is said in a crowded room waits,
        and so does whatever the same connection asked after it."""
        self._scheduled = False
        size = self._hub.settings.batch_drafts
        while self._queues and self._flying < 2 * size:
            drafts, shares = self._collect(size)
            if not drafts:
                return  # all that waits is for rooms that are crowded
            self._flying += len(drafts)
            future = self._hub.journal.append(drafts, gathered=True)
            future.add_done_callback(partial(self._decided, len(drafts), shares))

    def _collect(self, size: int) -> tuple[list[Draft], list[Share]]:
        drafts: list[Draft] = []
        shares: list[Share] = []
        held: dict[Connection, tuple[list[Draft], list[Any]]] = {}
        while self._queues and len(drafts) < size:
            connection = next(iter(self._queues))
            own, asked = self._queues.pop(connection)
            most = self._free(own, min(_SHARE, size - len(drafts)))
            if not most:
                held[connection] = own, asked
                continue
            drafts += own[:most]
            shares.append((connection, asked[:most]))
            if len(own) > most:
                self._queues[connection] = own[most:], asked[most:]  # at the end of the line
        if held:
            self._queues = held | self._queues  # in the places that they had
        return drafts, shares

    def _free(self, drafts: list[Draft], most: int) -> int:
        """How many of the first drafts need not wait for a room to hand out what it has."""
        crowded = self._hub.crowded
        if crowded:
            for index, draft in enumerate(drafts[:most]):
                if draft.kind == "message" and draft.room in crowded:
                    self._await(draft.room)
                    return index
        return most

    def _await(self, room: int) -> None:
        if room not in self._awaited:
            self._awaited.add(room)
            self._hub.crowded[room].add_done_callback(partial(self._relieved, room))

    def _relieved(self, room: int, reached: asyncio.Future[None]) -> None:
        self._awaited.discard(room)
        self._schedule()

    def _schedule(self) -> None:
        if self._queues and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._hand_over)

    def _decided(
        self, count: int, shares: list[Share], future: asyncio.Future[list[Outcome]]
    ) -> None:
        self._hub.ended(count)
        self._flying -= count
        self._schedule()
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self._undecided(shares, error)
            return
        outcomes = future.result()
        start = 0
        for connection, requests in shares:
            own = outcomes[start : start + len(requests)]
            start += len(requests)
            connection.reply(b"".join(codec.frames(map(reply, requests, own))))
            connection.answered(len(requests))
            self._hub.changed(connection, requests, own)

    def _undecided(self, shares: list[Share], error: BaseException | None) -> None:
        # The outcome is open: the client keeps the drafts and asks again.
        code = error.code if isinstance(error, JournalUnavailable) else "busy"
        text = CODES[code].text
        if not isinstance(error, JournalUnavailable):
            cause = error.text if isinstance(error, JournalError) else repr(error)
            self._hub.log.error("journal", f"outcomes are unknown: {cause}")
        for connection, requests in shares:
            for request in requests:
                answer = Error(id=request.id, code=code, text=text, retry=True, wait_ms=1000)
                connection.send(answer)
            connection.answered(len(requests))

    async def _read(
        self,
        connection: Connection,
        session: Session,
        read: Callable[[Hub, Session, Any], Awaitable[Struct | None]],
        request: Any,
    ) -> None:
        try:
            answer = await read(self._hub, session, request)
        except (Refused, TextError) as error:
            answer = refusal(request.id, error)
        except JournalError as error:
            sentence = f"a page could not be read: {error.text}"
            self._hub.log.seldom("error", "journal", sentence, "pages")
            answer = Error(id=request.id, code="internal", text=error.text)
        except Exception as error:  # one bad request never ends the server
            self._hub.log.error("internal", f"{type(request).__name__} failed: {error!r}")
            answer = Error(id=request.id, code="internal", text=CODES["internal"].text)
        if answer is not None:
            connection.send(answer)
        connection.answered()


def reply(request: Any, outcome: Outcome) -> Done | Error:
    """The reply that an outcome makes."""
    code = outcome.code
    if not code or (code == "withdrawn" and type(request) is messages.Withdraw):
        return Done(request.id, outcome.room, outcome.seq, outcome.time)
    return Error(id=request.id, code=code, text=CODES[code].text)


def answer_error(connection: Connection, error: RemoteProtocolError) -> None:
    """Answers what breaks the protocol; closes where it can't go on."""
    message = Error(id=error.request, code=error.code, text=error.text)
    if error.closes:
        connection.close(message)
    elif error.request is not None:
        connection.send(message)
