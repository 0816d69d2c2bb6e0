"""Where the user is, how far a room was read, and how much in it is new: one count, whoever did
the counting.

The rules of this file:

- `read_seq` only grows. `unread` are the messages after it and up to `counted`, those of others:
  counted by the server (an item of `rooms`), or here as they come in. What comes in up to `counted`
  counts no more, so that catching up counts nothing twice.
- What is loaded without a hole is counted again where the marker moves; where that can't be done,
  the room is `uncounted`, and the server has to be asked for its item again.
- The marker moves on leaving a room and on saying something; with what comes in only while the user
  looks at the end of that room and had seen everything before. What was missed (before the start,
  during a lost connection) stays new until then.
- Who looks at the end of a room in which something was missed has seen it (`room.seen_seq`): the
  other devices are told; here `read_seq`, and with it the line above what is new, stays till then.
- In the room that shows nothing is new: there the server's counts are left alone.
- A server without counts (`room.told` is false) is never asked; then what comes in is all.
"""

from collections.abc import Callable
from typing import TypeAlias

from ipcchat.client.room import RoomView
from ipcchat.entries import Entry
from ipcchat.wire.messages import Room

__all__ = ["Counts", "Place", "begin", "clear", "heard", "loaded", "moved", "placed", "told"]

Counts: TypeAlias = Callable[[RoomView, Entry], tuple[bool, bool]]
"""Whether an entry counts as a message of somebody else, and whether it mentions the user."""


def begin(room: RoomView, item: Room) -> None:
    """A room that one was not in here. Who never read anything in a room that is open to all has
    missed nothing; in a direct one somebody else may have begun."""
    room.read_seq = item.read or (0 if item.access == "direct" else item.head)
    room.counted = room.read_seq
    room.unread = room.mentions = 0


def told(room: RoomView, item: Room, counts: Counts, *, shown: bool) -> None:
    """The server said how far the account has read, and how much is new after that."""
    room.told = True
    if shown and item.read <= room.seen_seq:
        return  # that was told from here
    _advance(room, item.read)
    if shown:
        return
    ahead = max(item.head, room.counted)
    if room.read_seq >= ahead:
        room.counted = ahead
        room.unread = room.mentions = 0
        return
    known = room.read_seq == item.read
    since = item.head if known else room.read_seq
    room.counted = ahead
    if since < ahead and not room.whole(since):
        room.uncounted = True
        return
    new, mentions = _count(room, since, counts)
    room.unread = new + (item.unread if known else 0)
    _mention(room, room.mentions if known else mentions)


def heard(room: RoomView, entry: Entry, counts: Counts, *, looking: bool) -> None:
    """The next entry of somebody else has come. `looking`: the user sees it come."""
    fresh, room.counted = entry.seq > room.counted, max(room.counted, entry.seq)
    if entry.seq <= room.read_seq:
        return
    if looking:
        if room.live:
            room.seen_seq = entry.seq
            if entry.seq == room.read_seq + 1:
                room.read_seq = entry.seq
        return
    message, mention = counts(room, entry)
    room.unread += message and fresh
    room.mentions += mention and (fresh or room.access != "direct")


def moved(room: RoomView, seq: int, counts: Counts) -> None:
    """Everything up to that seq was read, here or at another device."""
    if seq <= room.read_seq:
        return
    _advance(room, seq)
    if room.read_seq >= room.counted:
        return
    if room.whole(room.read_seq):
        new, mentions = _count(room, room.read_seq, counts)
        room.unread = min(room.unread, new)
        _mention(room, min(room.mentions, mentions))
    else:
        room.unread = min(room.unread, room.counted - room.read_seq)
        _mention(room, room.mentions)
        room.uncounted = room.told


def placed(room: RoomView) -> None:
    """Entries were left out: the lines go on after `room.seq`."""
    if room.seq > room.counted:
        room.counted = room.seq
        room.uncounted = room.told and room.read_seq < room.seq


def loaded(room: RoomView, counts: Counts) -> None:
    """Older entries have come: those that mention the user are known now."""
    if room.unread and room.access != "direct":
        room.mentions = max(room.mentions, _count(room, room.read_seq, counts)[1])


def clear(room: RoomView) -> None:
    """The user looks at the room."""
    room.unread = room.mentions = 0


def _advance(room: RoomView, seq: int) -> None:
    room.read_seq = max(room.read_seq, seq)
    if room.read_seq >= room.counted:
        room.counted = room.read_seq
        room.unread = room.mentions = 0


def _mention(room: RoomView, mentions: int) -> None:
    room.mentions = room.unread if room.access == "direct" else mentions


def _count(room: RoomView, after: int, counts: Counts) -> tuple[int, int]:
    """How many loaded entries after that seq count, and how many mention the user."""
    new = mentions = 0
    for line in room.lines[room.after(after) :]:
        if type(line) is Entry and line.seq > after:
            message, mention = counts(room, line)
            new += message
            mentions += mention
    return new, mentions


class Place:
    """Owns which room is on the screen, and whether the user sees its end."""

    def __init__(self, left: Callable[[RoomView], None]) -> None:
        """`left` is called with a room that the user goes away from."""
        self.rooms: dict[int, RoomView] = {}
        """The rooms one is in, by number, in the order of joining."""
        self.version = 0
        """Grows with every change that shows."""
        self.on_look: Callable[[bool], None] = _ignore
        """Told that the user may have seen more; true: that he has left a room."""
        self._left = left
        self._current, self._focused = 0, True
        self._peeking = False
        """Whether the current room is only looked into: nothing in it counts as read."""

    @property
    def current(self) -> int:
        """The number of the room on the screen; 0: none."""
        return self._current

    @current.setter
    def current(self, number: int) -> None:
        peeked, self._peeking = self._peeking, False
        if number == self._current and not peeked:
            return
        left = self.rooms.get(self._current) if not peeked else None
        if left is not None:
            self._left(left)
        self._current = number if number in self.rooms else 0
        entered = self.rooms.get(self._current)
        if entered is not None:
            clear(entered)
            entered.version += 1
        self.version += 1
        self.on_look(left is not None)

    def peek(self, number: int) -> None:
        """Shows a room in which nothing counts as read until it is made the current one."""
        if number != self._current and number in self.rooms:
            self.current = 0
            self._current, self._peeking = number, True

    @property
    def focused(self) -> bool:
        """Whether the user looks at the end of the current room: set by the screen."""
        return self._focused

    @focused.setter
    def focused(self, focused: bool) -> None:
        before, self._focused = self._focused, focused
        if focused and not before:
            self.on_look(False)

    @property
    def looking(self) -> RoomView | None:
        """The room whose end the user sees."""
        seen = self._focused and not self._peeking
        return self.rooms.get(self._current) if seen else None

    def look(self) -> None:
        """Whoever looks at the end of a room has seen all of it. Called a while after a room was
        entered, when the screen has said what it shows of it."""
        room = self.looking
        if room is not None and room.live:
            room.seen_seq = room.seq

    def neighbour(self, number: int) -> int:
        """The room before that one, or else the one after it; 0: there is no other."""
        order = list(self.rooms)
        index = order.index(number) if number in order else 0
        return order[index - 1] if index else next(iter(order[1:]), 0)


def _ignore(left: bool) -> None:
    """Nobody wants to know."""
