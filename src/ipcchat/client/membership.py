"""Which rooms one is in, who else is there, what one is; and finding them in another history.

Room numbers mean something within an epoch only. When the server's history is another one, every
room of the model gets a number below zero until its name has been found, or made, over there;
nothing is asked or said under such a number.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from ipcchat import names, text
from ipcchat.client import queries
from ipcchat.client.follower import Follower
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Link
from ipcchat.client.model import Model, Pending, RoomView, now_ms
from ipcchat.client.outbox import Outbox, new_draft
from ipcchat.errors import ConnectionLost, IpcchatError, Refused
from ipcchat.wire.messages import Join, Room

__all__ = ["Arrival", "Membership"]

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None] | None]


@dataclass(slots=True)
class Arrival:
    """What came of the rooms that were wanted from the start."""

    done: bool = False
    """Whether all were entered or refused. Before that there is no current room but one that
    the user went to himself."""
    error: IpcchatError | None = None
    """Why one is not in all of them; the current room may be another one then."""


class Membership:
    """Keeps the model's rooms, members and role true."""

    def __init__(
        self,
        model: Model,
        lifeline: Lifeline,
        follower: Follower,
        outbox: Outbox,
        *,
        wanted: Iterable[str],
        ask: Callable[[Struct], Awaitable[Any]],
        spawn: Spawn,
        changed: Callable[[], None],
    ) -> None:
        """`wanted`: rooms to be in from the start. `ask` outlives connections, for a while."""
        self._model = model
        self._lifeline = lifeline
        self._follower = follower
        self._outbox = outbox
        self.arrival = Arrival()
        self._wanted = tuple(wanted)
        self._ask = ask
        self._spawn = spawn
        self._changed = changed
        self._arriving: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_again = False

    # --- on each connection -----------------------------------------------------------

    def forget_numbers(self) -> None:
        """The history is another one: what the numbers mean is not known any more."""
        for room in self._model.rooms.values():
            self._model.start_over(room)
        self._renumber({number: -number for number in self._model.rooms if number > 0})

    def _renumber(self, numbers: dict[int, int]) -> None:
        self._model.renumber(numbers)
        self._outbox.renumber(numbers)

    def up(self, link: Link) -> None:
        """Logged in: the rooms one is in may be others than before."""
        if self._arriving is not None:
            self._arriving.cancel()
        self._arriving = self._spawn(self._arrive(link))

    async def _arrive(self, link: Link) -> None:
        model = self._model
        before = {number for number in model.rooms if number > 0}
        try:
            items = await queries.every_room(link.request)
            joined = {item.room: item for item in items if item.joined}
            for room in tuple(model.rooms.values()):
                if room.number < 0:
                    await self._regain(room, items)
            for number in before - set(joined):
                lost = model.rooms[number].name
                model.remove_room(number)
                model.note(0, f"you are not in {lost} any more")
            error = await self._join_wanted(joined)
            if isinstance(error, ConnectionLost) and self._lifeline.link is not link:
                return  # the next connection starts over
            self._enter_all(joined.values())
        except ConnectionLost:
            return
        except IpcchatError as refused:
            error = refused
        if error is not None:
            model.note(0, error.text, "error")
        if not self.arrival.done:
            self.arrival.done, self.arrival.error = True, error
        self.look()
        self._changed()

    async def _regain(self, room: RoomView, items: Iterable[Room]) -> None:
        key = names.key(room.name)
        item = next((item for item in items if names.key(item.name) == key), None)
        try:
            if item is None or not item.joined:
                item = await self.join(room.name)
        except Refused as error:
            self._model.remove_room(room.number)
            self._model.note(0, f"{room.name} is gone: {error.text}", "error")
            return
        self._renumber({room.number: item.room})
        self.enter(item)

    async def _join_wanted(self, joined: dict[int, Room]) -> IpcchatError | None:
        """Adds the wanted rooms to those one has joined; what kept one from the first that can't
        be had."""
        there = {names.key(item.name) for item in joined.values()}
        for name in self._wanted:
            if names.key("#" + name.removeprefix("#")) in there:
                continue
            try:
                item = await self.join(name)
            except IpcchatError as error:
                return error
            joined[item.room] = item
        return None

    def _enter_all(self, items: Iterable[Room]) -> None:
        """At once, so that nobody says in another room what was meant for the wanted one."""
        chosen = self._model.current
        for item in items:
            self.enter(item)
        room = self._model.room_by_name(self._wanted[0]) if self._wanted else None
        if room is not None and not chosen:
            self._model.current = room.number
        self._wanted = ()

    # --- rooms ------------------------------------------------------------------------

    async def join(self, name: str) -> Room:
        """Becomes a member of a room, which is made when there is none of that name.

        Raises TextError, Refused, ConnectionLost.
        """
        name = text.check_room(name)
        done = await self._ask(Join(0, new_draft(), name=name))
        try:
            item = await queries.find_room(self._ask, name)
        except Refused:
            item = Room(done.room, name)
        item.joined = True
        return item

    def enter(self, item: Room) -> RoomView:
        """Shows a room one is a member of, and follows it."""
        room = self._model.add_room(item)
        if not room.following:
            self._follower.follow(room)
        return room

    def take_up(self, room: RoomView, pending: Pending, *, known: bool) -> None:
        """Shows a line that was left of last time; `known`: the server's history is the one in
        which it was said, or was not."""
        pending.room, pending.time = room.number, now_ms()
        pending.state, pending.reason = "failed", "left from last time"
        if known:
            self._outbox.adopt(pending)
        else:
            pending.draft = new_draft()  # in this history its id says nothing
        room.pending.append(pending)
        self._model.touch(pending)
        if pending not in room.pending:  # its entry is shown: it was said
            self._outbox.seen(room.number, pending.draft)

    # --- members ----------------------------------------------------------------------

    def look(self) -> None:
        """Fetches who is in the rooms; asked for meanwhile, once more afterwards."""
        if self._looking is not None and not self._looking.done():
            self._look_again = True
        else:
            self._looking = self._spawn(self._look())

    def look_up_role(self) -> None:
        """What one may do has changed: asks what it is now."""
        self._spawn(self._look_up_role())

    async def _look_up_role(self) -> None:
        with suppress(ConnectionLost, Refused):  # else the next login tells
            self._model.set_role(await queries.role(self._ask))
            self._changed()

    async def _look(self) -> None:
        self._look_again = True
        while self._look_again and (link := self._lifeline.link) is not None:
            self._look_again = False
            try:
                for room in tuple(self._model.rooms.values()):
                    if room.number > 0:
                        members = await queries.every_member(link.request, room.number)
                        self._model.set_members(room, members)
                        self._changed()
            except (ConnectionLost, Refused):
                continue
