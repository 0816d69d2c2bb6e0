"""Which rooms one is in, who else is there, and finding them again in another history.

Room numbers mean something within an epoch only. When the server's history is another one, every
room of the model gets a number below zero until its name has been found, or made, over there;
nothing is asked or said under such a number.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from msgspec import Struct

from ipcchat import text
from ipcchat.client import queries
from ipcchat.client.follower import Follower
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Link
from ipcchat.client.model import Model, RoomView
from ipcchat.client.outbox import Outbox, new_draft
from ipcchat.errors import ConnectionLost, IpcchatError, Refused
from ipcchat.wire.messages import Join, Room

__all__ = ["Membership"]

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None] | None]


class Membership:
    """Keeps the model's rooms and members true."""

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
                model.remove_room(number)
            for item in joined.values():
                self.enter(item)
            await self._enter_wanted()
        except ConnectionLost:
            return  # the next connection starts over
        except IpcchatError as error:
            model.note(0, error.text, "error")
        self.look()
        self._changed()

    async def _regain(self, room: RoomView, items: Iterable[Room]) -> None:
        key = text.fold(room.name)
        item = next((item for item in items if text.fold(item.name) == key), None)
        try:
            if item is None or not item.joined:
                item = await self.join(room.name)
        except Refused as error:
            self._model.remove_room(room.number)
            self._model.note(0, f"{room.name} is gone: {error.text}", "error")
            return
        self._renumber({room.number: item.room})
        self.enter(item)

    async def _enter_wanted(self) -> None:
        if not self._wanted:
            return
        first: RoomView | None = None
        for name in self._wanted:
            room = self._model.room_by_name(name) or self.enter(await self.join(name))
            first = first or room
        if first is not None:
            self._model.current = first.number
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

    # --- members ----------------------------------------------------------------------

    def look(self) -> None:
        """Fetches who is in the rooms; asked for meanwhile, once more afterwards."""
        if self._looking is not None and not self._looking.done():
            self._look_again = True
        else:
            self._looking = self._spawn(self._look())

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
