"""The server's centre: owns the sessions and the rooms that are followed.

Flow of a say: connection → gate (`requests`) → journal → feed (`effects`) → here → room →
connection.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipcchat.entries import Entry, now_ms
from ipcchat.errors import Refused
from ipcchat.fanout.delivery import Delivery
from ipcchat.fanout.outlet import Tick
from ipcchat.fanout.pager import Pager
from ipcchat.fanout.room import Room
from ipcchat.fanout.subscription import Subscription
from ipcchat.journal.drafts import Outcome
from ipcchat.journal.journal import Journal
from ipcchat.journal.sight import HIDDEN_ROOMS
from ipcchat.search.index import Index
from ipcchat.server.access import Peer
from ipcchat.server.admission import Admission
from ipcchat.server.connection import Connection
from ipcchat.server.eventlog import EventLog
from ipcchat.server.presence import PresenceBoard
from ipcchat.server.rates import Rates
from ipcchat.server.session import Session
from ipcchat.settings import ServerSettings
from ipcchat.trust.security import Security
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Bye,
    Changed,
    Direct,
    Join,
    Marker,
    Part,
    Read,
    Say,
)

__all__ = ["Hub"]

_ROOMS_CHANGED = codec.encode(Changed(what="rooms"))
_SESSIONS_CHANGED = codec.encode(Changed(what="sessions"))


def _nothing() -> None:
    """There is nowhere to read settings from."""


_MARKING = (Say, Read)
"""Requests that move a read marker; a quiet session's `say` does not."""
_HIDING = frozenset((Direct, Join, Part))
"""Requests that may put a direct room away, or take it out again, without an entry."""
_SEARCHES = 2
"""Searches at the same time, in all."""
_ASKING = 64
"""Strangers that are remembered until an operator lets them in."""
_ASKS = (4, 1 / 60)
"""Strangers of one address that operators are told of at once, and in a second."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who was turned away for lack of an invite."""

    nick: str
    credential: str


class Hub:
    """Who is here, and where what was said goes."""

    def __init__(
        self,
        settings: ServerSettings,
        journal: Journal,
        log: EventLog,
        admission: Admission,
        security: Security,
        index: Index | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.journal = journal
        self.log = log
        self.admission = admission
        self.security = security
        self.index = index
        """None: there is no search."""
        if index is not None:
            index.catch_up({number: room.head for number, room in journal.state.rooms.items()})
        self.since = now_ms()
        """When the server started."""
        self.data = settings.data
        """Where its data lies, as shown."""
        self.addresses: list[str] = []
        """Where it listens, as shown."""
        self.reread: Callable[[], None] = _nothing
        """Reads the settings again; raises SettingError and changes nothing where they are bad."""
        self.stopping = asyncio.Event()
        """Set when the server is asked to stop."""
        self.tick = Tick(loop)
        self.pager = Pager(settings.pages_in_flight)
        self.searches = Pager(_SEARCHES)
        self.connections: dict[int, Connection] = {}
        """Every open connection, by its number."""
        self.sessions: dict[int, Session] = {}
        """The logged-in ones, by the connection's number."""
        self.people: dict[int, dict[Session, None]] = {}
        """Account → its sessions."""
        self.pending = 0
        """Drafts handed to the journal that have no outcome yet."""
        self.settled = asyncio.Event()
        """Set while `pending` is 0."""
        self.settled.set()
        self.empty = asyncio.Event()
        """Set while there is no connection."""
        self.empty.set()
        self.presence = PresenceBoard(
            loop,
            settings.presence_grace,
            settings.presence_interval,
            self.sessions.values,
            self.nick_of,
        )
        self.asking: dict[str, Stranger] = {}
        """Key of the nick → who asked to join under it; the oldest is forgotten first."""
        self._asks = Rates(*_ASKS)
        self._delivery = Delivery(loop, lambda: self.settings, self.tick.flush)
        journal.linger = self._delivery.rest
        self._rooms: dict[int, Room] = {}
        self.crowded: dict[int, asyncio.Future[None]] = {}
        """Rooms that have collected as much as may wait → done once that is handed out."""
        self._devices: dict[tuple[int, str], Session] = {}

    def stop(self) -> None:
        """Asks the server to drain and stop."""
        self.stopping.set()

    # --- sessions ---------------------------------------------------------------------

    def nick_of(self, account: int) -> str:
        """The account's present nick."""
        known = self.journal.state.accounts.get(account)
        return known.nick if known is not None else ""

    def ask(self, key: str, nick: str, credential: str, peer: Peer) -> None:
        """Somebody who is not invited would like to join: operators are told, once. Under a nick
        the first one counts: whom they were told of is whom they let in."""
        known = self.asking.get(key)
        if known is not None and known.credential == credential:
            self.asking[key] = self.asking.pop(key)  # the latest
            return
        if self._asks.take(hash(peer.source.key), time.monotonic()):
            return
        asks = f"{nick} @{peer.address} asks to join"
        if known is not None:
            self.log.warning("asks", f"{asks}, too: not who asked first")
            return
        self.asking[key] = Stranger(nick, credential)
        if len(self.asking) > _ASKING:
            del self.asking[next(iter(self.asking))]
        self.log.warning("asks", f"{asks} · /admit {nick}")

    def login(
        self, connection: Connection, account: int, quiet: bool, credential: str = ""
    ) -> Session:
        """Makes the connection a session. A returning device replaces its predecessor at once.

        Raises Refused (`too_many`) where its address has no room for one more.
        """
        before = self._devices.get((account, connection.device)) if connection.device else None
        replaces = 0 if before is None else before.connection.number
        if not self.admission.logged_in(connection.number, replaces):
            raise Refused("too_many", "too many connections from your address")
        known = self.journal.state
        scope = known.scopes.get(credential)
        session = Session(
            connection=connection,
            account=account,
            nick=self.nick_of(account),
            role=known.accounts[account].role,
            quiet=quiet,
            since=now_ms(),
            credential=credential,
            scope=frozenset(map(int, scope.split(","))) if scope else None,
        )
        self.sessions[connection.number] = session
        self.people.setdefault(account, {})[session] = None
        if not quiet:
            self.presence.came(account)
        if connection.device:
            self._devices[account, connection.device] = session
            if before is not None:
                before.connection.close(Bye(code="replaced"))
                self._leave(before)
        self._note(session, "login")
        self._sessions_changed()
        return session

    def opened(self, connection: Connection) -> None:
        """A connection's socket is ready."""
        self.connections[connection.number] = connection
        self.empty.clear()

    def lost(self, connection: Connection) -> None:
        """The connection is gone."""
        if self.connections.pop(connection.number, None) is None:
            return
        if not self.connections:
            self.empty.set()
        session = self.sessions.get(connection.number)
        if session is not None:
            self._leave(session)

    def _leave(self, session: Session) -> None:
        if self.sessions.pop(session.connection.number, None) is None:
            return
        own = self.people[session.account]
        del own[session]
        if not own:
            del self.people[session.account]
        for number in tuple(session.subscriptions):
            self.unfollow(session, number)
        device = (session.account, session.connection.device)
        if self._devices.get(device) is session:
            del self._devices[device]
        if session.log_sink is not None:
            self.log.remove_sink(session.log_sink)
        if not session.quiet:
            self.presence.went(session.account)
        self._note(session, "left")
        self._sessions_changed()

    def _note(self, session: Session, event: str) -> None:
        peer = session.connection.peer
        # A monitor that asks `status` every minute is no news.
        level = "debug" if peer.kind == "control" else "info"
        self.log.write(level, event, f"{session.nick} from {peer.address}")

    def _sessions_changed(self) -> None:
        for session in self.sessions.values():
            if session.log_sink is not None:
                session.connection.send_state(_SESSIONS_CHANGED, "sessions")

    # --- rooms ------------------------------------------------------------------------

    def delivered(self, number: int) -> int:
        """seq of the last entry of a room that may be read; 0 where there is none."""
        room = self._rooms.get(number)
        if room is not None:
            return room.delivered
        known = self.journal.state.rooms.get(number)
        return known.head if known is not None else 0

    def catching_up(self, number: int) -> asyncio.Future[None] | None:
        """Done when all that is stored of a room now may be read; None: it may."""
        room = self._rooms.get(number)
        known = self.journal.state.rooms.get(number)
        if room is None or known is None or room.delivered >= known.head:
            return None
        return room.reach(known.head)

    async def mark(self, number: int, seq: int) -> str | None:
        """The draft id of a delivered entry, or None where there is no such entry."""
        room = self._rooms.get(number)
        recent = room.mark(seq) if room is not None else None
        return recent or await self.journal.mark(number, seq)

    def room(self, number: int) -> Room:
        """A room that is about to be followed. It must exist in the journal."""
        room = self._rooms.get(number)
        if room is None:
            room = Room(number, self.delivered(number), self.settings.tail_bytes)
            self._rooms[number] = room
        return room

    def subscribe(self, session: Session, room: Room, first: int) -> Subscription:
        """Follows a room from seq `first` on, in place of an earlier subscription to it."""
        self.unfollow(session, room.number)
        self._rooms[room.number] = room
        subscription = Subscription(session.connection, room, self.journal, self.pager, first)
        session.subscriptions[room.number] = subscription
        room.subscribers += 1
        return subscription

    def unfollow(self, session: Session, number: int, concluded: bool = False) -> bool:
        """Ends a subscription; false where there is none. What is queued for it is dropped, or,
        `concluded`, goes out with all that the room has collected."""
        subscription = session.subscriptions.pop(number, None)
        if subscription is None:
            return False
        if concluded:
            subscription.conclude()
        else:
            subscription.cancel()
            subscription.connection.drop(subscription)
        subscription.room.subscribers -= 1
        if not subscription.room.subscribers:
            self._rooms.pop(number, None)
            subscription.room.release(self.delivered(number))
        return True

    # --- the feed ---------------------------------------------------------------------

    def hand_over(self, fresh: dict[int, list[Entry]]) -> None:
        """Gives the rooms what was committed; `fresh` is empty then."""
        for number, several in fresh.items():
            room = self._rooms.get(number)
            if room is not None and room.collect(several):
                self._delivery.ready(room)
                if room.waiting >= self.settings.queue_bytes and number not in self.crowded:
                    self.crowded[number] = room.reach(room.delivered + 1)
                    self.crowded[number].add_done_callback(partial(self._relieve, number))
        fresh.clear()

    def _relieve(self, number: int, reached: asyncio.Future[None]) -> None:
        del self.crowded[number]

    def rooms_changed(self, *accounts: int) -> None:
        """The sessions of these accounts have another list of rooms."""
        for account in accounts:
            for session in self.people.get(account, ()):
                session.connection.send_state(_ROOMS_CHANGED, "rooms")

    def finish(self) -> None:
        """Hands out everything now: there will be no more."""
        self._delivery.finish()

    def changed(self, connection: Connection, requests: list[Any], outcomes: list[Outcome]) -> None:
        """What a session asked has changed its account's state, which is no entry: read markers,
        of which the other sessions are told, and which direct rooms are put away."""
        session = self.sessions.get(connection.number)
        if session is None:
            return
        alone = len(self.people[session.account]) < 2
        if alone and _HIDING.isdisjoint(map(type, requests)):
            return  # most says: nobody else is to be told
        decided = zip(requests, outcomes, strict=True)
        done = [(type(it), to.room, to.seq) for it, to in decided if not to.code]
        if any(cls in _HIDING and room >= HIDDEN_ROOMS and not seq for cls, room, seq in done):
            self.rooms_changed(session.account)
        others = [other for other in self.people[session.account] if other is not session]
        if not others:
            return
        marking = (Read,) if session.quiet else _MARKING
        for room in {room for cls, room, _ in done if cls in marking}:
            seq = self.journal.state.markers.get((session.account, room), 0)
            frame = codec.encode(Marker(room=room, seq=seq))
            for other in others:
                if other.scope is None or room in other.scope:
                    other.connection.send_state(frame, "rooms")

    # --- drafts in flight -------------------------------------------------------------

    def began(self, count: int) -> None:
        """So many drafts were handed to the journal."""
        self.pending += count
        self.settled.clear()

    def ended(self, count: int) -> None:
        """So many have their outcome."""
        self.pending -= count
        if not self.pending:
            self.settled.set()
