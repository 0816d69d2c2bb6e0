"""Requests that only look: pages, lists, subscriptions. Every list is bounded and paged."""

import asyncio
from collections.abc import Iterable

from msgspec import Struct

from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.errors import Refused
from ipcchat.fanout.subscription import PAGE
from ipcchat.journal import state
from ipcchat.server.changes import room_key
from ipcchat.server.hub import Hub
from ipcchat.server.session import Session
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Follow,
    FollowOk,
    History,
    HistoryOk,
    Member,
    Members,
    MembersOk,
    Ok,
    Ping,
    Room,
    Rooms,
    RoomsOk,
    Unfollow,
    Unfollowed,
)

__all__ = ["behind", "follow", "history", "members", "ping", "rooms", "unfollow", "visible"]

_MEMBERS = 200
_HISTORY = 1000
_LIST = 50 * 1024
"""Names and topics of a page of rooms, in bytes."""


def visible(hub: Hub, account: int, number: int) -> state.Room:
    """The room, where the account may read it. Raises Refused (`no_room`).

    The one visibility function: every read passes here. All rooms but the system's are public.
    """
    room = hub.journal.state.rooms.get(number)
    if room is None or number == SYSTEM_ROOM:
        raise Refused("no_room")
    return room


def ping(hub: Hub, session: Session, request: Ping) -> Struct:
    """A sign of life."""
    return Ok(request.id)


async def follow(hub: Hub, session: Session, request: Follow) -> Struct | None:
    """Subscribes from a cursor, from the last N, or from now on."""
    known = visible(hub, session.account, request.room)
    cursor = request.cursor
    if cursor is not None and cursor.seq and cursor.epoch == hub.journal.epoch:
        mark = await hub.mark(request.room, cursor.seq)
        if mark != cursor.draft:
            raise Refused("regressed")
    elif cursor is not None and cursor.epoch != hub.journal.epoch:
        raise Refused("regressed")
    connection = session.connection
    if connection.closing:
        return None
    subscribed = session.subscriptions
    if request.room not in subscribed and len(subscribed) >= hub.settings.room_limit:
        raise Refused("forbidden", f"at most {hub.settings.room_limit} rooms at a time")
    room = hub.room(request.room)
    head, first = room.delivered, known.first
    if cursor is not None:
        start = cursor.seq
        if start > head:
            raise Refused("regressed")
    else:
        start = max(first - 1, head - (request.last or 0))
    subscription = hub.subscribe(session, room, start + 1)
    connection.send(FollowOk(request.id, from_=start, head=head, first=first))
    if request.skip is not None and head - start > request.skip:
        subscription.skip_to(head - request.skip + 1)
    subscription.step()
    return None


def unfollow(hub: Hub, session: Session, request: Unfollow) -> Struct:
    """Ends a subscription; nothing of the room comes after `unfollowed`."""
    if hub.unfollow(session, request.room):
        session.connection.send(Unfollowed(room=request.room))
    return Ok(request.id)


async def history(hub: Hub, session: Session, request: History) -> Struct:
    """One page of the past, ascending, at most PAGE bytes and at least one entry."""
    known = visible(hub, session.account, request.room)
    limit = max(1, min(request.limit, _HISTORY))
    head = hub.delivered(request.room)
    if request.after is not None:
        entries = await hub.journal.read(
            request.room, after=request.after, upto=head, limit=limit, size=PAGE
        )
        entries = entries[: _fit(entries)]
        more = bool(entries) and entries[-1].seq < head
    else:
        before = head + 1 if request.before is None else min(request.before, head + 1)
        entries = await hub.journal.read_back(request.room, before=before, limit=limit, size=PAGE)
        entries = entries[len(entries) - _fit(reversed(entries)) :]
        more = bool(entries) and entries[0].seq > known.first
    return HistoryOk(request.id, entries=entries, first=known.first, head=head, more=more)


def behind(hub: Hub, request: History) -> asyncio.Future[None] | None:
    """What a page of the newest entries waits for: who was told `ok` and then asks finds the line,
    though a busy room still rests. None: nothing."""
    head = hub.delivered(request.room)
    if request.after is not None:
        newest = request.after + request.limit > head
    else:
        newest = request.before is None or request.before > head + 1
    return hub.catching_up(request.room) if newest else None


def _fit(entries: Iterable[Entry]) -> int:
    """How many of the entries fit into a page; at least one."""
    size = count = 0
    for entry in entries:
        size += len(codec.encode(entry))
        if size > PAGE and count:
            break
        count += 1
    return count


def rooms(hub: Hub, session: Session, request: Rooms) -> Struct:
    """A page of the rooms in the order of their numbers, or the one of that name."""
    known = hub.journal.state
    shown = known.rooms.keys() if session.scope is None else session.scope & known.rooms.keys()
    if request.name:
        name = request.name if request.name.startswith("#") else "#" + request.name
        number = known.room_keys.get(room_key(hub, name))
        found = [] if number is None or number not in shown else [_room(hub, session, number)]
        return RoomsOk(request.id, items=found)
    items: list[Room] = []
    size = 0
    for number in sorted(number for number in shown if number > request.next):
        item = _room(hub, session, number)
        size += 150 + 2 * len(item.name.encode()) + 2 * len(item.topic.encode())
        if items and (size > _LIST):
            return RoomsOk(request.id, items=items, next=items[-1].room)
        items.append(item)
    return RoomsOk(request.id, items=items)


def _room(hub: Hub, session: Session, number: int) -> Room:
    known = hub.journal.state
    room = known.rooms[number]
    return Room(
        room=number,
        name=room.name,
        head=hub.delivered(number),
        members=len(known.members.get(number, ())),
        topic=room.topic,
        joined=number in known.joined.get(session.account, ()),
        read=known.markers.get((session.account, number), 0),
    )


def members(hub: Hub, session: Session, request: Members) -> Struct:
    """A page of a room's members in the order of their numbers."""
    visible(hub, session.account, request.room)
    accounts = hub.journal.state.members.get(request.room, set())
    page = sorted(account for account in accounts if account > request.next)[: _MEMBERS + 1]
    items = [
        Member(account=account, nick=hub.nick_of(account), status=hub.presence.status(account))
        for account in page[:_MEMBERS]
    ]
    return MembersOk(request.id, items=items, next=page[_MEMBERS - 1] if page[_MEMBERS:] else 0)
