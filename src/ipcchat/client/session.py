"""What a screen works with: the model, kept true by a connection that survives.

The rules of this file:

- Every event goes to the model, in order; what it then needs is asked for by `Follower` (a room
  from its cursor) and `Membership` (rooms and members). The screen is told once per received chunk
  (`on_change`), and pulls what it shows from the model.
- What the user asks for (join, topic, nick …) has a draft id and is asked again until it has an
  outcome, or `connect_timeout` is over.
- Tasks live in one group: an error in one ends the session, and `run` raises it.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from ipcchat import text
from ipcchat.address import Address
from ipcchat.client import intake, queries
from ipcchat.client.follower import Follower
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Credentials, Link
from ipcchat.client.membership import Membership
from ipcchat.client.model import Model, Pending, RoomView
from ipcchat.client.outbox import Outbox, new_draft
from ipcchat.client.unsent import Unsent
from ipcchat.entries import Entry
from ipcchat.errors import ConnectionLost, Refused
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import (
    Changed,
    HelloOk,
    HistoryOk,
    LoginOk,
    LogLine,
    Marker,
    Member,
    Nick,
    Room,
    RoomInvite,
    RoomUninvite,
    SearchOk,
    Topic,
    WhoisOk,
)

__all__ = ["Session"]

_FIRST_WAIT = 0.5
"""Seconds that `start` waits for the first contact before the screen is shown."""
_FAREWELL = 1.0
"""Seconds that what was just said may take to be acknowledged at the end."""
_HINT = "it goes on by itself: try again then"


class Session:
    """A user at a server. `start`, then `run` until it ends; `close` in any case."""

    def __init__(
        self,
        address: Address | socket.socket,
        credentials: Credentials,
        settings: ClientSettings,
        *,
        rooms: Iterable[str] = (),
        unsent: Unsent | None = None,
        shown: str = "",
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Made inside a running loop.

        `address`: a server's, or a socket that is connected to one. `rooms`: names of rooms to be
        in besides those one is in already, the first is shown; without any, `settings.room`.
        `unsent`: where lines without an outcome are kept, and those of last time are.
        `shown`: the server's address as the status line has it.
        """
        self.settings = settings
        self.model = Model(shown or str(address), credentials.nick, settings=settings)
        self.address = address
        self.model.plain = settings.plaintext and isinstance(address, Address) and not address.path
        self.on_change: Callable[[], None] = _ignore
        """Asked once after the events of a chunk, and after each change made here."""
        self.on_event: Callable[[Struct], None] = _ignore
        """Gets the events that are not the model's: `changed`, `logline`."""
        self._lifeline = Lifeline(
            address, credentials, settings, self, insist=True, uniform=uniform
        )
        self._outbox = Outbox(settings, self._pending_changed, self._pending_dropped)
        self._follower = Follower(
            self.model,
            self._lifeline,
            settings,
            ask=self.ask,
            outbox=self._outbox,
            changed=self._changed,
        )
        self.fetch_older = self._follower.fetch_older
        self.surroundings = self._follower.surroundings
        self._membership = Membership(
            self.model,
            self._lifeline,
            self._follower,
            self._outbox,
            wanted=tuple(rooms) or (settings.room,),
            ask=self.ask,
            spawn=self._spawn,
            changed=self._changed,
        )
        self.arrival = self._membership.arrival
        """Whether the rooms to be in from the start were entered, or refused."""
        self._unsent = unsent
        self._group: asyncio.TaskGroup | None = None
        self._main: asyncio.Task[None] | None = None

    # --- life -------------------------------------------------------------------------

    async def start(self, wait: float = _FIRST_WAIT) -> None:
        """Begins to connect, and waits a moment for what comes of it.

        Raises what `run` raises when that is known by then; else the model says `connecting`.
        """
        loop = asyncio.get_running_loop()
        self._main = loop.create_task(self._run(), name="ipcchat session")
        online = loop.create_task(self._lifeline.online())
        try:
            await asyncio.wait(
                (self._main, online), timeout=wait, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            online.cancel()
            await asyncio.gather(online, return_exceptions=True)
        if self._main.done():
            self._main.result()

    async def run(self) -> None:
        """Returns when the session was closed. Raises what ended it: Unreachable, Refused,
        ProtocolError; ConnectionLost where it can't be made again."""
        if self._main is None:
            await self.start()
        assert self._main is not None
        await asyncio.wait([self._main])
        if not self._main.cancelled():
            self._main.result()

    async def close(self) -> None:
        """Lets what was just said leave, then ends everything. Never raises what ended it."""
        if self._main is None:
            return
        if self._lifeline.link is not None and not self._main.done():
            self._follower.tell_read()
            await self.settled()  # what is left is unsent: nothing goes by surprise
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)
        if self._unsent is not None:
            await self._unsent.close()

    async def settled(self) -> None:
        """Waits a moment for the outcome of what was just said, while there is a connection."""
        if self._lifeline.link is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await self._outbox.idle.wait()

    def reconnect(self) -> None:
        """Connects anew, at once."""
        self._lifeline.hurry()

    async def _run(self) -> None:
        self._follower.start()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._lifeline.run()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            self._group = None
            self._follower.close()
            self._outbox.close()
            self.model.set_state("closed", self.model.detail)
            self._changed()

    def _spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._group is None:
            job.close()
            return None
        return self._group.create_task(job)

    def _changed(self) -> None:
        self._membership.follow_up()
        if self._unsent is not None:
            self._keep(self._unsent)
        self.on_change()

    def _keep(self, unsent: Unsent) -> None:
        """Takes up what was left of last time in rooms just entered, and keeps what is open now."""
        for room in self.model.rooms.values():
            for epoch, pending in unsent.take(room.name) if room.number > 0 else ():
                self._membership.take_up(room, pending, known=epoch == self._follower.epoch)
        unsent.keep(self._follower.epoch, self.unsent)

    @property
    def unsent(self) -> list[tuple[str, Pending]]:
        """Lines without an outcome, each with its room's name."""
        rooms = [(room.name, room.pending) for room in self.model.rooms.values()]
        rooms += self.model.kept.items()
        return [(name, item) for name, items in rooms for item in items if item.state != "sent"]

    @property
    def link(self) -> Link | None:
        """The present connection, while one is logged in."""
        return self._lifeline.link

    @property
    def keeps(self) -> bool:
        """Whether unsent lines are there again next time."""
        return self._unsent is not None

    # --- what the lifeline tells ------------------------------------------------------

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        """Logged in: everything goes on where it stopped."""
        if self._follower.epoch not in ("", hello.epoch):
            self._membership.forget_numbers()
        self.model.login(login.account, login.nick, login.role)
        self.model.set_state("online")
        self._outbox.up(link)
        self._follower.up(hello.epoch)
        self._membership.up(link)
        self._changed()

    def event(self, event: Struct) -> None:
        """The server told something."""
        lacking = self.model.apply(event)
        if type(event) is Entry:
            if event.by == self.model.account:
                self._outbox.seen(event.room, event.draft)
            if lacking is not None:
                self._follower.follow(lacking)
        elif lacking is not None:
            self._follower.put_off(lacking)  # the server ended it, for a reason that may last
        elif isinstance(event, Changed):
            self._membership.changed(event.what)
            self.on_event(Changed(intake.clean_name(event.what)))
        elif isinstance(event, Marker):
            self._follower.known(event.room, event.seq)
        elif isinstance(event, LogLine):
            self.on_event(intake.clean_log(event))

    def applied(self) -> None:
        """All events of a chunk have been applied."""
        self._changed()

    def down(self, why: str) -> None:
        """The connection is lost."""
        self._outbox.down()
        self._follower.down()
        self.model.set_state("reconnecting" if self._follower.epoch else "connecting", why)
        self._changed()

    # --- saying -----------------------------------------------------------------------

    def submit(self, room: int, said: str, style: str = "") -> Pending:
        """Says something in a room one is in. It shows at once and survives lost connections.

        Raises TextError for what can't be sent, Refused (`no_room`).
        """
        view = self.model.rooms.get(room)
        if view is None:
            raise Refused("no_room", "you are in no room", hint="/join #room")
        pending = self.model.say(view, new_draft(), text.check_text(said), style)
        self._outbox.submit(pending)
        self._changed()
        return pending

    def retry(self, pending: Pending) -> None:
        """Sends a failed line again."""
        self._outbox.retry(pending)

    def discard(self, pending: Pending) -> None:
        """Drops a failed line; see `Outbox.discard`."""
        self._outbox.discard(pending)

    def _pending_changed(self, pending: Pending) -> None:
        self.model.touch(pending)
        self._changed()

    def _pending_dropped(self, pending: Pending) -> None:
        self.model.drop(pending)
        self._changed()

    # --- what the user asks for -------------------------------------------------------

    async def ask(self, request: Struct) -> Any:
        """Asks until there is an answer: for what only looks, or has a draft id.

        Raises Refused; ConnectionLost after a while.
        """
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                return await self._lifeline.request(request)
        except TimeoutError:
            raise ConnectionLost("not connected", _HINT) from None

    async def join(self, name: str, private: bool = False) -> RoomView:
        """Enters a room, which is made when there is none of that name; `private`: one that is
        not open to all (`room_taken`: there is another of that name). `@nick` is the direct room.
        Raises TextError, Refused, ConnectionLost."""
        return self._membership.arrive(await self._membership.join(name, private))

    async def direct(self, nick: str) -> int:
        """The number of the direct room with somebody, entered and made where there is none.
        Raises TextError, Refused (`no_account`), ConnectionLost."""
        return (await self.join("@" + nick.removeprefix("@"))).number

    async def invite(self, room: int, nick: str) -> None:
        """Lets somebody join a private room. Raises TextError, Refused, ConnectionLost."""
        await self.ask(RoomInvite(0, new_draft(), room, queries.nick_of(nick)))

    async def uninvite(self, room: int, nick: str) -> None:
        """Takes that back, or removes who has joined. Raises as `invite`."""
        await self.ask(RoomUninvite(0, new_draft(), room, queries.nick_of(nick)))

    async def whois(self, nick: str) -> WhoisOk:
        """Who has a nick, clean. Raises TextError, Refused (`no_account`), ConnectionLost."""
        return await queries.whois(self.ask, nick)

    async def away(self, text: str = "") -> None:
        """Says that one is not at the keyboard, and perhaps why."""
        await self._membership.go_away(text)

    async def back(self) -> None:
        """Takes that back."""
        await self._membership.go_away(None)

    async def search(self, text: str, **more: Any) -> SearchOk:
        """One page of messages, clean; see `queries.search`, whose parameters it takes."""
        return await queries.search(self.ask, text, **more)

    async def part(self, room: int) -> None:
        """Leaves a room."""
        await self._membership.part(room)

    async def set_topic(self, room: int, topic: str) -> None:
        """Sets a room's topic; an empty one clears it."""
        await self.ask(Topic(0, new_draft(), room, text.check_topic(topic)))

    async def change_nick(self, nick: str) -> None:
        """Takes another nick."""
        nick = text.check_nick(nick)
        await self.ask(Nick(0, new_draft(), nick))
        self.model.nick = nick
        self._changed()

    async def list_members(self, name: str) -> tuple[str, list[Member]]:
        """A room's name and members, whether one is in it or not. Raises TextError, Refused,
        ConnectionLost."""
        found = await queries.find_room(self.ask, queries.room_name(name))
        return found.name, await queries.every_member(self.ask, found.room)

    async def list_rooms(self) -> list[Room]:
        """Every room at the server."""
        return await queries.every_room(self.ask)

    async def history(
        self, room: int, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> HistoryOk:
        """One page of a room's past, straight from the server."""
        return await queries.history(self.ask, room, after=after, before=before, limit=limit)

    def all_entries(self, room: int) -> AsyncIterator[Entry]:
        """The whole room from the server, up to the head of this moment, in order."""
        return queries.every_entry(self.ask, room)

    async def request(self, request: Struct) -> Any:
        """Asks once, on the present connection: for what may not be repeated, such as `shutdown`.

        Raises Refused, ConnectionLost.
        """
        link = self._lifeline.link
        if link is None:
            raise ConnectionLost("not connected", _HINT)
        return await link.request(request)

    def mark_read(self, room: int) -> None:
        """The user has seen everything in that room: the marker moves; the server is told soon."""
        view = self.model.rooms.get(room)
        if view is not None:
            self.model.mark_read(view)
            self._follower.tell_soon()
            self._changed()


def _ignore(*told: object) -> None:
    """Nobody wants to know."""
