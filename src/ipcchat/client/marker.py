"""How far a room was read, and how much in it is new: one count, whoever did the counting.

The rules of this file:

- `read_seq` only grows. `unread` are the messages after it and up to `counted`, those of others:
  counted by the server (an item of `rooms`), or here as they come in. What comes in up to `counted`
  counts no more, so that catching up counts nothing twice.
- What is loaded without a hole is counted again where the marker moves; where that can't be done,
  the room is `uncounted`, and the server has to be asked for its item again.
- The marker moves on leaving a room and on saying something; with what comes in only while the user
  looks at the end of that room and had seen everything before. What was missed (before the start,
  during a lost connection) stays new until then.
- In the room that shows nothing is new: there the server's counts are left alone.
- A server without counts (`room.told` is false) is never asked; then what comes in is all.
"""

from collections.abc import Callable
from typing import TypeAlias

from ipcchat.client.room import RoomView
from ipcchat.entries import Entry
from ipcchat.wire.messages import Room

__all__ = ["Counts", "begin", "clear", "heard", "moved", "placed", "told"]

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
    if since < ahead and not _loaded(room, since):
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
        if room.live and entry.seq == room.read_seq + 1:
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
    if _loaded(room, room.read_seq):
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


def _loaded(room: RoomView, after: int) -> bool:
    """Whether every entry after that seq and up to `counted` is there."""
    return bool(room.epoch) and room.start <= after and room.counted <= room.seq


def _count(room: RoomView, after: int, counts: Counts) -> tuple[int, int]:
    """How many loaded entries after that seq count, and how many mention the user."""
    new = mentions = 0
    for line in room.lines[room.after(after) :]:
        if type(line) is Entry and line.seq > after:
            message, mention = counts(room, line)
            new += message
            mentions += mention
    return new, mentions
