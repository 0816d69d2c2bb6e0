"""One room as an iterator of entries, for scripts: every entry once, in order, across reconnects.

The rules of this file:

- The iterator is a cursor. Entries that come in are queued up to a bound; past it the room is
  unfollowed, and followed again from the last queued entry once the reader has caught up. The
  connection itself is always read: a reader that waits for a reply can't lock itself out.
- An entry is queued only if its seq is the next one; anything else leads to following again.
- A cursor that the server does not know ends the iterator with Refused (`regressed`): a script
  must not take another history for the one it was reading.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Protocol

from msgspec import Struct

from ipcchat.client import intake
from ipcchat.client.link import Link
from ipcchat.entries import Cursor, Entry
from ipcchat.errors import ConnectionLost, IpcchatError, Refused
from ipcchat.wire.messages import (
    Error,
    Follow,
    FollowOk,
    Gap,
    History,
    HistoryOk,
    Unfollow,
    Unfollowed,
)

__all__ = ["LIMIT", "Feed"]

LIMIT = 1000
"""Entries that may wait for the reader."""
_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


class Source(Protocol):
    """Where the present connection is to be had."""

    epoch: str

    @property
    def link(self) -> Link | None: ...


class Feed:
    """Owns the place of one reader in one room. All but `next` don't await."""

    def __init__(
        self, source: Source, room: int, *, last: int | None, after: int | None, limit: int = LIMIT
    ) -> None:
        """From the last N entries on (0: from now on), or from those after a seq."""
        self.room = room
        self._source = source
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._last = last or 0
        self._epoch = ""
        self._seq = 0 if after is None else after
        self._mark = ""
        self._placed = after is not None
        """Whether `_seq` is where the reader stands."""
        self._hold = 0
        """Entries up to this seq are not for the reader: they only prove the cursor."""
        self._asked = False
        self._held = False
        """Unfollowed until the reader has caught up."""
        self._queue: deque[Entry] = deque()
        self._ready = asyncio.Event()
        self._failure: IpcchatError | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- the reader -------------------------------------------------------------------

    async def next(self) -> Entry:
        """The next entry. Raises what ended the feed."""
        while not self._queue:
            if self._failure is not None:
                raise self._failure
            self._ready.clear()
            await self._ready.wait()
        entry = self._queue.popleft()
        if self._held and len(self._queue) <= self._limit // 2:
            self._held = False
            self.follow()
        return entry

    def fail(self, error: IpcchatError) -> None:
        """Nothing more comes; the reader gets what is queued, then the error."""
        self._failure = self._failure or error
        self._ready.set()

    def close(self) -> None:
        """The reader is gone, or another one has taken its place."""
        if self._timer is not None:
            self._timer.cancel()
        self.fail(ConnectionLost("the feed was closed"))

    def unfollow(self) -> None:
        """Nobody reads the room any more."""
        link = self._source.link
        if link is not None:
            link.ask(Unfollow(0, self.room), _ignore)

    # --- the connection ---------------------------------------------------------------

    def up(self) -> None:
        """Logged in."""
        self._asked = False
        self.follow()

    def follow(self) -> None:
        """Asks for what comes after the cursor, once at a time."""
        link = self._source.link
        if link is None or self._asked or self._held or self._failure is not None:
            return
        self._asked = True
        if not self._placed:
            # At least one entry is asked for, since it proves the cursor.
            request: Struct = Follow(0, self.room, last=max(self._last, 1))
        elif self._epoch and self._epoch != self._source.epoch:
            self.fail(Refused("regressed"))
            return
        elif self._seq and not self._mark:
            request = History(0, self.room, after=self._seq - 1, limit=1)
        else:
            cursor = Cursor(self._source.epoch, self._seq, self._mark)
            request = Follow(0, self.room, cursor=cursor)
        link.ask(request, partial(self._answered, link))

    def _answered(self, link: Link, reply: Struct | None) -> None:
        if link is not self._source.link or not self._asked:
            return
        self._asked = False
        if isinstance(reply, Error):
            self._refused(reply)
        elif isinstance(reply, HistoryOk):
            self._proved(reply)
        elif isinstance(reply, FollowOk):
            self._epoch = self._source.epoch
            if not self._placed:
                self._placed = True
                self._seq = reply.from_
                self._hold = reply.head - self._last

    def _proved(self, page: HistoryOk) -> None:
        entry = page.entries[0] if page.entries else None
        if entry is not None and entry.seq == self._seq:
            self._mark = entry.draft
        elif entry is not None and entry.seq > self._seq:
            # What lies before is not kept any more: the reader starts at the oldest there is.
            self._seq, self._mark, self._hold = entry.seq, entry.draft, entry.seq - 1
            self._queue.append(intake.clean_entry(entry))
            self._ready.set()
        else:
            self.fail(Refused("regressed", f"the room has no entry {self._seq}"))
            return
        self._epoch = self._source.epoch
        self.follow()

    def _refused(self, error: Error) -> None:
        if error.retry:
            self._later(min(error.wait_ms / 1000, _LONGEST_PAUSE) or _PAUSE)
        else:
            self.fail(intake.refused(error))

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.follow)

    # --- events -----------------------------------------------------------------------

    def event(self, event: Entry | Gap | Unfollowed) -> None:
        """The server told something of the room."""
        if type(event) is Entry:
            self.entry(event)
        elif isinstance(event, Gap):
            self.gap(event)
        elif isinstance(event, Unfollowed):
            self.unfollowed(event)

    def entry(self, entry: Entry) -> None:
        """An entry of the room has come."""
        if not self._epoch or self._held or entry.seq <= self._seq:
            return  # without an epoch: of an older reader's subscription
        if entry.seq != self._seq + 1:
            self.follow()
            return
        if len(self._queue) >= self._limit:
            self._overflow()
            return
        self._seq, self._mark = entry.seq, entry.draft
        if entry.seq > self._hold:
            self._queue.append(intake.clean_entry(entry))
            self._ready.set()

    def _overflow(self) -> None:
        self._held = True
        self._asked = False  # an answer on its way is too late
        self.unfollow()

    def gap(self, event: Gap) -> None:
        """Entries are not kept any more at the server: the reader goes on after them."""
        if self._placed and not self._asked and event.from_ <= self._seq < event.first - 1:
            self._seq, self._mark = event.first - 1, ""

    def unfollowed(self, event: Unfollowed) -> None:
        """The server ended the subscription; without a code it was asked to, from here or, where
        one leaves a private room, at another device."""
        if event.code or not (self._asked or self._held):
            self._later(_PAUSE)


def _ignore(reply: object) -> None:
    """Whether it was followed or not: it isn't now."""
