"""Requests that only look: pages, lists, subscriptions. Every list is bounded and paged."""

import asyncio
from collections.abc import Iterable

from msgspec import Struct

from ipcchat import text
from ipcchat.entries import Entry
from ipcchat.errors import Refused
from ipcchat.fanout.subscription import PAGE
from ipcchat.journal.entrance import direct_key
from ipcchat.journal.sight import DIRECT, PUBLIC, first_seen
from ipcchat.search.query import Query, QueryError
from ipcchat.server.changes import find, known_key, room_key
from ipcchat.server.hub import Hub
from ipcchat.server.session import Session
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Away,
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
    Search,
    SearchOk,
    Unfollow,
    Unfollowed,
    Whois,
    WhoisOk,
)

__all__ = [
    "away",
    "behind",
    "follow",
    "history",
    "members",
    "named",
    "ping",
    "rooms",
    "search",
    "unfollow",
    "visible",
    "whois",
]

_MEMBERS = 200
_HISTORY = 1000
_FOUND = 100
_LIST = 50 * 1024
"""Names and topics of a page of rooms, in bytes."""


def visible(hub: Hub, account: int, number: int) -> int:
    """The lowest seq that the account may read of a room. Raises Refused (`no_room`).

    Every read passes here; what an account may know is `sight`'s to say.
    """
    first = first_seen(hub.journal.state, number, account)
    if first is None:
        raise Refused("no_room")
    return first


def ping(hub: Hub, session: Session, request: Ping) -> Struct:
    """A sign of life."""
    return Ok(request.id)


async def follow(hub: Hub, session: Session, request: Follow) -> Struct | None:
    """Subscribes from a cursor, from the last N, or from now on."""
    visible(hub, session.account, request.room)
    cursor = request.cursor
    if cursor is not None and cursor.seq and cursor.epoch == hub.journal.epoch:
        mark = await hub.mark(request.room, cursor.seq)
        if mark != cursor.draft:
            raise Refused("regressed")
    elif cursor is not None and cursor.epoch != hub.journal.epoch:
        raise Refused("regressed")
    first = visible(hub, session.account, request.room)  # it may be another since
    connection = session.connection
    if connection.closing:
        return None
    subscribed = session.subscriptions
    if request.room not in subscribed and len(subscribed) >= hub.settings.room_limit:
        raise Refused("forbidden", f"at most {hub.settings.room_limit} rooms at a time")
    head = max(hub.delivered(request.room), first - 1)
    if cursor is not None:
        start = cursor.seq
        if start > head:
            raise Refused("regressed")
    else:
        start = max(first - 1, head - (request.last or 0))
    begin = max(start + 1, first)
    if request.skip is not None and head + 1 - begin > request.skip:
        begin = head + 1 - request.skip
    subscription = hub.subscribe(session, hub.room(request.room), start + 1)
    connection.send(FollowOk(request.id, from_=start, head=head, first=first))
    if begin > start + 1:
        subscription.skip_to(begin)
    subscription.step()
    return None


def unfollow(hub: Hub, session: Session, request: Unfollow) -> Struct:
    """Ends a subscription; nothing of the room comes after `unfollowed`."""
    if hub.unfollow(session, request.room):
        session.connection.send(Unfollowed(room=request.room))
    return Ok(request.id)


async def history(hub: Hub, session: Session, request: History) -> Struct:
    """One page of the past, ascending, at most PAGE bytes and at least one entry."""
    first = visible(hub, session.account, request.room)
    limit = max(1, min(request.limit, _HISTORY))
    head = max(hub.delivered(request.room), first - 1)
    if request.after is not None:
        after = max(request.after, first - 1)
        entries = await hub.journal.read(
            request.room, after=after, upto=head, limit=limit, size=PAGE
        )
        entries = entries[: _fit(entries)]
        more = bool(entries) and entries[-1].seq < head
    else:
        before = head + 1 if request.before is None else min(request.before, head + 1)
        entries = await hub.journal.read_back(request.room, before=before, limit=limit, size=PAGE)
        entries = [entry for entry in entries if entry.seq >= first]
        entries = entries[len(entries) - _fit(reversed(entries)) :]
        more = bool(entries) and entries[0].seq > first
    return HistoryOk(request.id, entries=entries, first=first, head=head, more=more)


def behind(hub: Hub, session: Session, request: History) -> asyncio.Future[None] | None:
    """What a page of the newest entries waits for: who was told `ok` and then asks finds the line,
    though a busy room still rests. None: nothing."""
    if first_seen(hub.journal.state, request.room, session.account) is None:
        return None  # it is refused at once
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
    """A page of the rooms in the order of their numbers, or the one of that name or number."""
    known = hub.journal.state
    if request.name or request.room:
        number = request.room or named(hub, session.account, request.name)
        item = _item(hub, session, number)
        return RoomsOk(request.id, items=[] if item is None else [item])
    items: list[Room] = []
    size = 0
    shown = known.rooms if session.scope is None else session.scope
    for number in sorted(number for number in shown if number > request.next):
        item = _item(hub, session, number)
        if item is None:
            continue
        size += 300 + 2 * len(item.name.encode()) + 2 * len(item.topic.encode())
        if items and (size > _LIST):
            return RoomsOk(request.id, items=items, next=items[-1].room)
        items.append(item)
    return RoomsOk(request.id, items=items)


def named(hub: Hub, account: int, name: str) -> int:
    """The number of a room as the account calls it: `#lab`, `lab`, `@bob`; 0: there is none."""
    known = hub.journal.state
    if name.startswith("@"):
        nicks = known.nick_keys
        peer = nicks.get(known_key(nicks, name[1:]), 0)
        return known.room_keys.get(direct_key(account, peer), 0)
    return known.room_keys.get(room_key(hub, name if name.startswith("#") else "#" + name), 0)


def _item(hub: Hub, session: Session, number: int) -> Room | None:
    """A room as the list shows it to a session; None: not at all."""
    known, account = hub.journal.state, session.account
    if session.scope is not None and number not in session.scope:
        return None
    first = first_seen(known, number, account)
    if first is None:
        by = known.room_invites.get((number, account))
        if by is None:
            return None
        room = known.rooms[number]
        return Room(room=number, name=room.name, access=room.access, invited=hub.nick_of(by))
    room = known.rooms[number]
    head = max(hub.delivered(number), first - 1)
    read = known.markers.get((account, number), 0)
    joined = number in known.joined.get(account, ())
    name, peer, since = room.name, 0, room.made
    if room.access != PUBLIC:
        _, since = known.members[number][account]
    if room.access == DIRECT:
        peer = room.peer if account == room.maker else room.maker
        name = "@" + hub.nick_of(peer)
        joined = known.hidden.get((account, number), -1) < room.head
        if room.head == 1 and not joined and account == room.peer:
            return None  # nothing was said to it yet
    return Room(
        room=number,
        name=name,
        head=head,
        members=len(known.members.get(number, ())),
        topic=room.topic,
        joined=joined,
        read=read,
        access=room.access,
        peer=peer,
        unread=known.messages(number, max(read, first - 1), head),
        messages=known.messages(number, first - 1, head),
        since=since,
        first=first,
    )


def members(hub: Hub, session: Session, request: Members) -> Struct:
    """A page of a room's members in the order of their numbers."""
    visible(hub, session.account, request.room)
    accounts = hub.journal.state.members.get(request.room, {})
    page = sorted(account for account in accounts if account > request.next)[: _MEMBERS + 1]
    items = [
        Member(account=account, nick=hub.nick_of(account), status=hub.presence.status(account))
        for account in page[:_MEMBERS]
    ]
    return MembersOk(request.id, items=items, next=page[_MEMBERS - 1] if page[_MEMBERS:] else 0)


def away(hub: Hub, session: Session, request: Away) -> Struct:
    """The account is away, or back."""
    reason = text.clean_line(request.text).strip()[: text.MAX_TOPIC]
    hub.presence.away(session.account, reason if request.away else None)
    return Ok(request.id)


def whois(hub: Hub, session: Session, request: Whois) -> Struct:
    """Who has a nick. Of its rooms, those that the asker may know of."""
    known = hub.journal.state
    account = find(hub, request.nick)
    if not account:
        raise Refused("no_account")
    shared = [
        known.rooms[number].name
        for number in sorted(known.joined.get(account, ()))
        if first_seen(known, number, session.account) is not None
        and known.rooms[number].access != DIRECT
    ]
    return WhoisOk(
        request.id,
        account=account,
        nick=hub.nick_of(account),
        role=known.accounts[account].role,
        status=hub.presence.status(account),
        text=hub.presence.text(account),
        since=hub.presence.since(account),
        rooms=shared[:_MEMBERS],
        more=len(shared[_MEMBERS:]),
    )


async def search(hub: Hub, session: Session, request: Search) -> Struct:
    """One page of what was said with these words, in the rooms that the asker may read."""
    known, index = hub.journal.state, hub.index
    if index is None:
        raise Refused("forbidden", "this server keeps no index to search in")
    by = find(hub, request.nick) if request.nick else 0
    if request.nick and not by:
        raise Refused("no_account")
    if request.room:
        visible(hub, session.account, request.room)
    rooms = (request.room,) if request.room else session.scope or known.rooms
    firsts = {
        number: first
        for number in rooms
        if (first := first_seen(known, number, session.account)) is not None
    }
    ranges = [(number, first, hub.delivered(number)) for number, first in firsts.items()]
    stored = [(number, first, known.rooms[number].head) for number, first in firsts.items()]
    lag = index.behind(stored)  # of other rooms it tells nothing
    try:
        query = Query(request.text, by, request.after, request.before, narrowed=bool(request.room))
        limit = max(1, min(request.limit, _FOUND))
        found = await index.search(query, ranges, limit, request.next)
    except QueryError as error:
        raise Refused("bad_query", error.text, hint=error.hint) from None
    entries = await hub.journal.pick([place[:2] for place in found.places])
    count = _fit(entries)
    following = found.next if count == len(entries) else found.after(count)
    # Who was removed meanwhile gets nothing of that room.
    shown = [
        entry
        for entry in entries[:count]
        if (first := first_seen(known, entry.room, session.account)) and entry.seq >= first
    ]
    return SearchOk(request.id, items=shown, next=following, cut=found.cut, lag=lag)
