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
from ipcchat.client.model import Model, Pending, RoomView
from ipcchat.client.outbox import Outbox, new_draft
from ipcchat.entries import now_ms
from ipcchat.errors import ConnectionLost, IpcchatError, Refused
from ipcchat.wire.messages import Away, Part, Read, Room, Unfollow

__all__ = ["Arrival", "Membership"]

_LIST_EVERY = 0.25
"""Seconds between two looks at the list of rooms."""

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
        self._listing: asyncio.Task[None] | None = None
        self._list_again = False
        self._edits = 0
        """Rooms that were entered or left from here: what was listed before is out of date."""
        self._parting: set[int] = set()
        self._told: set[str] = set()
        """Drafts of which the user was told that their room is gone."""
        """Rooms that are being left from here."""
        self._went = False
        """Whether one went away from here, rather than from another device."""

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
        away = self._model.away if self._went else None
        self._arriving = self._spawn(self._arrive(link, away))

    async def _arrive(self, link: Link, away: str | None) -> None:
        model = self._model
        before = {number for number in model.rooms if number > 0}
        try:
            items = await queries.every_room(link.request)
            joined = self._joined(items)
            for room in tuple(model.rooms.values()):
                if room.number < 0:
                    await self._regain(room, items)
            self._leave(before - set(joined), known=False)
            self._invited(items)
            error = await self._join_wanted(joined)
            if isinstance(error, ConnectionLost) and self._lifeline.link is not link:
                return  # the next connection starts over
            self._enter_all(joined.values())
            self._follower.tell_read()  # other devices count from here on
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
        await self._look_at_myself(link, away)

    def _joined(self, items: Iterable[Room]) -> dict[int, Room]:
        """The rooms one is in. A direct one in which nothing was said yet belongs to who began."""
        return {
            item.room: item
            for item in items
            if item.joined
            and (item.access != "direct" or item.head > 1 or item.room in self._model.rooms)
        }

    def _invited(self, items: Iterable[Room]) -> None:
        """The private rooms that one may join: the new ones are told of."""
        model = self._model
        before, model.invited = model.invited, {item.room: item for item in items if item.invited}
        for number, item in model.invited.items():
            if number not in before:
                model.note(0, f"{item.invited} invites you to {item.name}: /join {item.name}")

    def _leave(self, numbers: Iterable[int], *, known: bool) -> None:
        """One is in those rooms no longer; `known`: a removal would have been told by itself."""
        for number in numbers:
            room = self._model.rooms.get(number)
            if room is None:
                continue
            if number in self._parting:
                self._model.remove_room(number)
            elif not known and room.access != "direct":
                self._model.lose(room, f"you are not in {room.name} any more")
            else:
                self._model.lose(room, f"{room.name} was left on another device")

    # --- while connected --------------------------------------------------------------

    def changed(self, what: str) -> None:
        """The server says that a list is out of date."""
        if what == "presence":
            self.look()
        elif what == "role":
            self._spawn(self._look_up_role())
        elif what == "rooms":
            self._list_again = True
            if self._listing is None or self._listing.done():
                self._listing = self._spawn(self._list())

    async def _list(self) -> None:
        """Rooms may have been entered and left at other devices; asked for meanwhile, once more
        afterwards."""
        if self._arriving is not None:
            await asyncio.wait([self._arriving])
        while self._list_again and (link := self._lifeline.link) is not None:
            self._list_again, edits = False, self._edits
            before = {number for number in self._model.rooms if number > 0}
            try:
                items = await queries.every_room(link.request)
            except (ConnectionLost, Refused):
                return  # the next connection begins with the list
            if link is not self._lifeline.link:
                return
            if edits != self._edits:
                self._list_again = True
                continue
            joined = self._joined(items)
            self._leave(before - set(joined), known=True)
            self._invited(items)
            for item in joined.values():
                self.enter(item, show=False)  # where one is, one has to have chosen
            if not before.issuperset(joined):
                self.look()
            self._changed()
            await asyncio.sleep(_LIST_EVERY)

    # --- away -------------------------------------------------------------------------

    async def go_away(self, why: str | None) -> None:
        """Says that one is away, and why; None: back. Raises TextError, Refused, ConnectionLost."""
        why = None if why is None else text.check_topic(why)
        await self._ask(Away(0, why is not None, why or ""))
        self._went, self._model.away = why is not None, why
        self._changed()

    async def _look_at_myself(self, link: Link, away: str | None) -> None:
        """Who went away here is away still; else another device, or the last time, decides."""
        with suppress(ConnectionLost, Refused):  # else the next connection does so again
            if away is not None:
                await link.request(Away(0, True, away))
                self._model.away = away
            elif "whois" in link.features:
                me = await queries.whois(link.request, self._model.nick)
                self._model.away = me.text if me.status == "away" else None
        self._changed()

    async def _regain(self, room: RoomView, items: Iterable[Room]) -> None:
        key = names.key(room.name)
        item = next((item for item in items if names.key(item.name) == key), None)
        try:
            if item is None or not item.joined or item.access != room.access:
                if room.access == "private":  # a public one of that name would be made, or entered
                    raise Refused("no_room")
                item = await self.join(room.name)
        except Refused as error:
            self._model.lose(room, f"{room.name} is gone: {error.text}")
            return
        self._renumber({room.number: item.room})
        self.enter(item)

    async def _join_wanted(self, joined: dict[int, Room]) -> IpcchatError | None:
        """Adds the wanted rooms to those one has joined; what kept one from the first that can't
        be had."""
        there = {names.key(item.name) for item in joined.values()}
        for name in self._wanted:
            if _key(name) in there:
                continue
            try:
                item = await self.join(name)
            except IpcchatError as error:
                return error
            joined[item.room] = item
        return None

    def _enter_all(self, items: Iterable[Room]) -> None:
        """At once, so that nobody says in another room what was meant for the wanted one."""
        items = list(items)
        wanted = _key(self._wanted[0]) if self._wanted else ""
        there = any(names.key(item.name) == wanted for item in items)
        first = not self.arrival.done or bool(wanted)
        for item in items:
            self.enter(item, show=first and (not there or names.key(item.name) == wanted))
        self._wanted = ()

    # --- rooms ------------------------------------------------------------------------

    async def join(self, name: str, private: bool = False) -> Room:
        """Becomes a member of a room, which is made when there is none of that name; `@nick` is
        the direct room with somebody.

        Raises TextError, Refused, ConnectionLost.
        """
        item = await queries.join(self._ask, name, private=private)
        self._edits += 1
        return item

    async def part(self, room: int) -> None:
        """Leaves a room. Raises Refused, ConnectionLost."""
        self._parting.add(room)
        try:
            await self._ask(Part(0, new_draft(), room))
        finally:
            self._parting.discard(room)
        self._edits += 1
        link = self._lifeline.link
        if link is not None:
            link.ask(Unfollow(0, room), _ignore)
        self._model.remove_room(room)
        self._changed()

    def arrive(self, item: Room) -> RoomView:
        """Enters a room that was joined by itself."""
        room = self.enter(item, show=item.access != "direct")
        self._follower.tell_read()
        self.look()
        self._changed()
        return room

    def enter(self, item: Room, *, show: bool = True) -> RoomView:
        """Shows a room one is a member of, and follows it. `show`: it may become the current one,
        where there is none."""
        link = self._lifeline.link
        counts = link is not None and "unread" in link.features
        new = item.room not in self._model.rooms
        self._follower.known(item.room, item.read)
        room = self._model.add_room(item, show=show, counts=counts)
        if not room.following:
            self._follower.follow(room)
        if new:
            room.pending += [it for it in self._model.kept.pop(room.name, ()) if it.state != "sent"]
            for pending in room.pending:
                pending.room = room.number
        return room

    def follow_up(self) -> None:
        """Does what the model asks for: what was to be said in a room that one is not in any more
        is not sent, and unknown counts are asked for."""
        for name, kept in self._model.kept.items():
            for pending in kept:
                if pending.state == "sending":
                    self._outbox.give_up(pending, "you are not in the room any more")
                if pending.draft not in self._told:
                    self._told.add(pending.draft)
                    self._model.note(0, f"not sent in {name}: {pending.text}", "error")
        self._recount_all()

    def _recount_all(self) -> None:
        for room in self._model.rooms.values():
            if room.uncounted:
                room.uncounted = False
                self._spawn(self._recount(room))

    async def _recount(self, room: RoomView) -> None:
        """The marker is told first, so that the count is one from there on."""
        link = self._lifeline.link
        if link is None or room.number < 1:
            return  # the next connection begins with all counts
        with suppress(ConnectionLost, Refused):
            await link.request(Read(0, room.number, room.read_seq))
            item = await queries.find_number(link.request, room.number)
            if self._model.rooms.get(item.room) is room:
                self._model.recount(item)
                self._changed()

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


def _key(name: str) -> str:
    """That of a room's name, as it may be typed."""
    return names.key(name if name.startswith("@") else "#" + name.removeprefix("#"))


def _ignore(reply: object) -> None:
    """Whether it was followed or not: it isn't now."""
