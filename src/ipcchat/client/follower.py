"""Keeps the model's rooms followed: a subscription is a cursor, and this file asks for it; and for
pages of what was said before.

Joining, coming back and a missing entry are one thing here: `follow` the room from its cursor. A
cursor that the server does not know any more starts the room over. What the user has read is told
to the server from here too, once for all that was read in a second or two: it is state, not an
entry. A page of the past is put where it belongs when it comes, by its numbers; what has come
meanwhile stays.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from ipcchat.client import intake
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Link
from ipcchat.client.model import Model, RoomView
from ipcchat.client.outbox import Outbox
from ipcchat.client.queries import Ask
from ipcchat.errors import Refused
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import Error, Follow, FollowOk, History, HistoryOk, Read

__all__ = ["Follower"]

_READ_EVERY = 30.0
"""Seconds between two reports of how far the user has read, besides …"""
_LEFT, _SEEN = 1.0, 2.0
"""… those so many seconds after he left a room, or saw its end."""
_PAUSE = 1.0
"""Seconds before what the server refused or ended for now is asked for again."""
_LONGEST_PAUSE = 60.0
_MOST = 1000
"""Entries of a page."""


class Follower:
    """Owns the subscriptions of one connection after the other."""

    def __init__(
        self,
        model: Model,
        lifeline: Lifeline,
        settings: ClientSettings,
        *,
        ask: Ask,
        outbox: Outbox,
        changed: Callable[[], None],
    ) -> None:
        """`ask` outlives connections, for a while. `outbox` is told of entries that came."""
        self._model = model
        self._lifeline = lifeline
        self._settings = settings
        self._ask = ask
        self._outbox = outbox
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._asked: set[RoomView] = set()
        self._told: dict[int, int] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._telling: asyncio.TimerHandle | None = None
        self.epoch = ""
        """The server's history at present; empty before the first connection."""

    def start(self) -> None:
        """From now on the server is told what was read."""
        self._model.on_look = self.tell_soon
        self._later(_READ_EVERY, self._report)

    def close(self) -> None:
        """Nothing more is asked for."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._telling is not None:
            self._telling.cancel()
        self._model.on_look = _ignore

    def up(self, epoch: str) -> None:
        """Logged in at a server with that history: goes on with every room."""
        self._told.clear()  # what was on its way may be lost; the list of rooms tells
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
        elif isinstance(reply, Error) and reply.code == "no_room":
            self._model.lose(room, f"{room.name} is gone: {intake.refused(reply).text}")
        elif isinstance(reply, Error):
            self._model.note(room.number, f"{room.name}: {intake.refused(reply).text}", "error")
            if reply.retry:
                self.put_off(room, min(reply.wait_ms / 1000, _LONGEST_PAUSE) or _PAUSE)

    # --- the past ---------------------------------------------------------------------

    async def fetch_older(self, room: int, limit: int = 0) -> int:
        """Puts a page of older history before the room's lines; how many entries that were.

        `limit` 0: a page as in the settings. While a page is on its way it does nothing. Raises
        Refused, ConnectionLost.
        """
        view = self._model.rooms.get(room)
        if view is None or view.loading or view.complete or not view.epoch:
            return 0
        top = view.top
        request = History(0, room, before=top + 1, limit=limit or self._settings.page)
        page = await self._fetch(view, request)
        return self._model.prepend(view, page) if page is not None and view.top == top else 0

    async def surroundings(self, room: int, seq: int, rows: int = 100) -> None:
        """Loads the entries around that seq, about `rows`, half of them before it.

        Where they don't join what is loaded, a line (`Hole`) stands for what is left out. Lines
        below those put in keep their keys; where the seq is, `RoomView.after` says. Raises Refused
        (`no_room`: it is none of the model's), ConnectionLost.
        """
        view = self._model.rooms.get(room)
        if view is None or not view.epoch:
            raise Refused("no_room")
        half = max(1, min(rows, _MOST) // 2)
        low, high = view.missing(max(1, seq - half), seq + half)
        if low <= high:
            page = await self._fetch(view, History(0, room, after=low - 1, limit=high - low + 1))
            if page is not None:
                self._model.insert(view, page)
                self._changed()

    async def _fetch(self, view: RoomView, request: History) -> HistoryOk | None:
        """A page; None: the room has started over meanwhile."""
        epoch, view.loading = view.epoch, True
        self._changed()
        try:
            page: HistoryOk = await self._ask(request)
        except Refused as error:
            if error.code != "regressed":
                raise
            return None  # the history of this room is another one now
        finally:
            view.loading = False
            self._changed()
        if view.epoch != epoch:
            return None
        for entry in page.entries:
            self._outbox.seen(view.number, entry.draft)
        return page

    # --- read markers -----------------------------------------------------------------

    def known(self, room: int, seq: int) -> None:
        """The server has the marker there, or beyond: it need not be told."""
        self._told[room] = max(seq, self._told.get(room, 0))

    def tell_read(self) -> None:
        """Tells the server how far the user has read, where that has changed."""
        link = self._lifeline.link
        if link is None:
            return
        self._model.look()
        for room in self._model.rooms.values():
            seq = max(room.read_seq, room.seen_seq)
            if room.number > 0 and seq > self._told.get(room.number, 0):
                self._told[room.number] = seq
                link.ask(Read(0, room.number, seq), _ignore)

    def tell_soon(self, left: bool = True) -> None:
        """The same in a moment, once for all that is read until then; `left`: the user has left a
        room, and may be at another device next."""
        due = self._loop.time() + (_LEFT if left else _SEEN)
        if self._telling is not None:
            if self._telling.when() <= due:
                return
            self._telling.cancel()
        self._telling = self._loop.call_at(due, self._tell_now)

    def _tell_now(self) -> None:
        self._telling = None
        self.tell_read()

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
