"""Keeps the model's rooms followed: a subscription is a cursor, and this file asks for it.

Joining, coming back and a missing entry are one thing here: `follow` the room from its cursor. A
cursor that the server does not know any more starts the room over. What the user has read is told
to the server from here too, seldom: it is state, not an entry.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from ipcchat.client import intake
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Link
from ipcchat.client.model import Model, RoomView
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import Error, Follow, FollowOk, Read

__all__ = ["Follower"]

_READ_EVERY = 30.0
"""Seconds between two reports of how far the user has read."""
_PAUSE = 1.0
"""Seconds before what the server refused or ended for now is asked for again."""
_LONGEST_PAUSE = 60.0


class Follower:
    """Owns the subscriptions of one connection after the other. Its methods do not await."""

    def __init__(self, model: Model, lifeline: Lifeline, settings: ClientSettings) -> None:
        self._model = model
        self._lifeline = lifeline
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._asked: set[RoomView] = set()
        self._told: dict[int, int] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self.epoch = ""
        """The server's history at present; empty before the first connection."""

    def start(self) -> None:
        """From now on the server is told from time to time what was read."""
        self._later(_READ_EVERY, self._report)

    def close(self) -> None:
        """Nothing more is asked for."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def up(self, epoch: str) -> None:
        """Logged in at a server with that history: goes on with every room."""
        if epoch != self.epoch:
            self._told.clear()
        self.epoch = epoch
        self._asked.clear()
        for room in self._model.rooms.values():
            self.follow(room)

    def down(self) -> None:
        """The connection is lost."""
        self._asked.clear()
        for room in self._model.rooms.values():
            room.following = room.live = False

    # --- subscriptions ----------------------------------------------------------------

    def follow(self, room: RoomView) -> None:
        """Asks for what comes after the room's cursor, once at a time."""
        link = self._lifeline.link
        known = self._model.rooms.get(room.number) is room and room.number > 0
        if link is None or not known or room in self._asked:
            return
        cursor = room.cursor if room.epoch == self.epoch else None
        if cursor is not None:
            request = Follow(0, room.number, cursor=cursor, skip=self._settings.skip_over)
        else:
            request = Follow(0, room.number, last=self._settings.page)
        self._asked.add(room)
        link.ask(request, partial(self._followed, room, link, cursor is not None))

    def put_off(self, room: RoomView, seconds: float = _PAUSE) -> None:
        """The same, after a while."""
        self._later(seconds, partial(self.follow, room))

    def _followed(self, room: RoomView, link: Link, resumed: bool, reply: Struct | None) -> None:
        if link is not self._lifeline.link:
            return
        self._asked.discard(room)
        if isinstance(reply, FollowOk):
            self._model.placed(room, self.epoch, reply, resumed=resumed)
        elif isinstance(reply, Error) and reply.code == "regressed" and resumed:
            self._model.start_over(room)
            self.follow(room)
        elif isinstance(reply, Error):
            self._model.note(room.number, f"{room.name}: {intake.refused(reply).text}", "error")
            if reply.retry:
                self.put_off(room, min(reply.wait_ms / 1000, _LONGEST_PAUSE) or _PAUSE)

    # --- read markers -----------------------------------------------------------------

    def tell_read(self) -> None:
        """Tells the server how far the user has read, where that has changed."""
        link = self._lifeline.link
        if link is None:
            return
        for room in self._model.rooms.values():
            if room.number > 0 and room.read_seq > self._told.get(room.number, 0):
                self._told[room.number] = room.read_seq
                link.ask(Read(0, room.number, room.read_seq), _ignore)

    def _report(self) -> None:
        self.tell_read()
        self._later(_READ_EVERY, self._report)

    def _later(self, seconds: float, job: Callable[[], None]) -> None:
        def due() -> None:
            self._timers.discard(timer)
            job()

        timer = self._loop.call_later(seconds, due)
        self._timers.add(timer)


def _ignore(reply: object) -> None:
    """A marker that was lost is told again with the next one."""
