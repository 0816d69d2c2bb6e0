"""The server's centre: owns the sessions and the rooms that are followed, and hands the
committed feed to the rooms.

Flow of a say: connection → gate (`requests`) → journal → feed → here → room → connection.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.journal.journal import Journal
from ipcchat.server.connection import Connection, Tick
from ipcchat.server.delivery import Delivery
from ipcchat.server.eventlog import EventLog
from ipcchat.server.pager import Pager
from ipcchat.server.presence import PresenceBoard
from ipcchat.server.room import Room
from ipcchat.server.session import Session
from ipcchat.server.subscription import Subscription
from ipcchat.settings import ServerSettings
from ipcchat.wire import codec
from ipcchat.wire.messages import Bye, Changed

__all__ = ["Hub", "now_ms"]

_SESSIONS_CHANGED = codec.encode(Changed(what="sessions"))


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def _nothing() -> None:
    """There is nowhere to read settings from."""


class Hub:
    """Who is here, and where what was said goes."""

    def __init__(self, settings: ServerSettings, journal: Journal, log: EventLog) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.journal = journal
        self.log = log
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
        self.connections: dict[int, Connection] = {}
        """Every open connection, by its number."""
        self.sessions: dict[int, Session] = {}
        """The logged-in ones, by the connection's number."""
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
        self._delivery = Delivery(loop, lambda: self.settings)
        self._rooms: dict[int, Room] = {}
        self._devices: dict[tuple[int, str], Session] = {}

    def stop(self) -> None:
        """Asks the server to drain and stop."""
        self.stopping.set()

    # --- sessions ---------------------------------------------------------------------

    def nick_of(self, account: int) -> str:
        """The account's present nick."""
        known = self.journal.state.accounts.get(account)
        return known.nick if known is not None else ""

    def login(self, connection: Connection, account: int, quiet: bool) -> Session:
        """Makes the connection a session. A returning device replaces its predecessor at once."""
        session = Session(
            connection=connection,
            account=account,
            nick=self.nick_of(account),
            role="operator" if connection.peer.operator else "member",
            quiet=quiet,
            since=now_ms(),
        )
        self.sessions[connection.number] = session
        if not quiet:
            self.presence.came(account)
        if connection.device:
            before = self._devices.get((account, connection.device))
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

    def unfollow(self, session: Session, number: int) -> bool:
        """Ends a subscription, with what is queued for it; false where there is none."""
        subscription = session.subscriptions.pop(number, None)
        if subscription is None:
            return False
        subscription.cancel()
        subscription.connection.drop(subscription)
        subscription.room.subscribers -= 1
        if not subscription.room.subscribers:
            self._rooms.pop(number, None)
        return True

    # --- the feed ---------------------------------------------------------------------

    async def run(self) -> None:
        """Delivers the committed feed until the journal is closed."""
        async for entries in self.journal.feed():
            self._deliver(entries)
            await asyncio.sleep(0)  # a long feed lets the others have their turn
        self._delivery.finish()

    def _deliver(self, entries: Iterable[Entry]) -> None:
        fresh: dict[int, list[Entry]] = {}
        for entry in entries:
            number = entry.room
            if number == SYSTEM_ROOM:
                self._fact(entry)
            elif number in fresh:
                fresh[number].append(entry)
            else:
                fresh[number] = [entry]
        for number, several in fresh.items():
            if several[0].kind == "create":
                self.presence.rooms_changed()
            room = self._rooms.get(number)
            if room is not None and room.collect(several):
                self._delivery.ready(room)

    def _fact(self, entry: Entry) -> None:
        if entry.kind == "rename":
            for session in self.sessions.values():
                if session.account == entry.by:
                    session.nick = entry.text
            self.presence.renamed(entry.by)
            self.log.info("nick", f"{entry.nick} is now {entry.text}")
        elif entry.kind in ("join", "part"):
            self.presence.moved(entry.target, entry.by, entry.kind + "ed")

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
