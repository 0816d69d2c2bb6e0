"""What the screen shows: rooms, lines, members, what is unread. The single owner of that state.

The rules of this file:

- Plain Python: no loop, no I/O; `now` is the only thing it asks of the world.
- `apply` takes every event of the server, in order; the session calls the other methods. The
  screen reads, and sets `current` and `focused`.
- Everything foreign goes through `intake` before it is kept.
- The read marker moves on leaving a room and on saying something; with what arrives only while
  the user looks at the end of that room and had seen everything before. What was missed (before
  the start, during a lost connection) stays new until then.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct

from ipcchat import names
from ipcchat.client import intake
from ipcchat.client.interest import Alert, Interest
from ipcchat.client.room import LIMIT, Level, Line, Member, Notice, Pending, RoomView, Taken
from ipcchat.entries import Entry
from ipcchat.settings import ClientSettings
from ipcchat.text import clean_text
from ipcchat.wire import messages
from ipcchat.wire.messages import Gap, Live, Presence, Unfollowed

__all__ = ["Alert", "Line", "Member", "Model", "Notice", "Pending", "RoomView", "State", "now_ms"]

State = Literal["connecting", "online", "reconnecting", "closed"]
_LOOSE = 50
"""Local lines that are kept while there is no room."""
_ALERTS = 16
_USUAL = ClientSettings()


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Model:
    """All that is known of the server, as one account sees it."""

    def __init__(
        self,
        server: str = "",
        nick: str = "",
        *,
        settings: ClientSettings = _USUAL,
        now: Callable[[], int] = now_ms,
        limit: int = LIMIT,
    ) -> None:
        self.server = server
        """The server's address, as shown."""
        self.plain = False
        """Whether others could listen in: TCP without TLS."""
        self.loose: deque[Notice] = deque(maxlen=_LOOSE)
        """Local lines that show while one is in no room."""
        self.account = 0
        self.role = "member"
        """`member` or `operator`."""
        self.state: State = "connecting"
        self.detail = ""
        """About `state`, for the status line."""
        self._before: set[int] = set()
        """Who was online when the connection was lost: their coming back is no news."""
        self.rooms: dict[int, RoomView] = {}
        """The rooms one is in, by number, in the order of joining."""
        self.focused = True
        """Whether the user looks at the end of the current room: set by the screen."""
        self.version = 0
        """Grows with every change that shows."""
        self._nick = nick
        self._current = 0
        self.interest = Interest(settings, nick)
        """What the user wants to know of; `configure` makes it anew."""
        self.alerts: deque[Alert] = deque(maxlen=_ALERTS)
        """What asks for attention, oldest first: the screen takes them away. The latest count."""
        self._now = now
        self._limit = limit

    # --- oneself ----------------------------------------------------------------------

    @property
    def nick(self) -> str:
        """One's own nick."""
        return self._nick

    @nick.setter
    def nick(self, nick: str) -> None:
        self._nick = intake.clean_name(nick)
        self.interest.name(self._nick)
        self.version += 1

    def mentions(self, entry: Entry) -> bool:
        """Whether somebody else's message names the user, or one of the highlighted words."""
        mine = entry.by == self.account
        return entry.kind == "message" and not mine and self.interest.among(entry.text)

    def ignores(self, entry: Entry) -> bool:
        """Whether the user wants not to see a message: one of somebody whom he ignores."""
        mine = entry.by == self.account
        return entry.kind == "message" and not mine and self.interest.ignores(entry.by, entry.nick)

    def configure(self, settings: ClientSettings) -> None:
        """Other settings count from now on."""
        self.interest = self.interest.renewed(settings, self._nick)
        for room in self.rooms.values():
            for member in room.members.values():
                self.interest.meet(member.account, member.nick)
            room.version += 1
        self.version += 1

    def login(self, account: int, nick: str, role: str) -> None:
        """The server said who one is."""
        self.account = account
        self.nick = nick
        self.role = intake.clean_name(role)

    def set_role(self, role: str) -> None:
        """What one may do has changed, or not."""
        before, self.role = self.role, intake.clean_name(role)
        if self.role != before:
            now = "an operator now: /help" if self.role == "operator" else "no operator any more"
            self.note(0, f"you are {now}")

    def set_state(self, state: State, detail: str = "") -> None:
        """How the connection is."""
        if self.state == "online" and state != "online":
            self._before = {one for room in self.rooms.values() for one in room.online()}
        self.state = state
        self.detail = detail
        self.version += 1

    # --- rooms ------------------------------------------------------------------------

    @property
    def current(self) -> int:
        """The number of the room on the screen; 0: none."""
        return self._current

    @current.setter
    def current(self, number: int) -> None:
        if number == self._current:
            return
        left = self.rooms.get(self._current)
        if left is not None:
            self.mark_read(left)
        self._current = number if number in self.rooms else 0
        entered = self.rooms.get(self._current)
        if entered is not None:
            entered.unread = entered.mentions = 0
            entered.version += 1
        self.version += 1

    def room_by_name(self, name: str) -> RoomView | None:
        """The room of that name, with or without its `#`."""
        key = names.key("#" + name.removeprefix("#"))
        return next((it for it in self.rooms.values() if names.key(it.name) == key), None)

    def add_room(self, item: messages.Room) -> RoomView:
        """A room one is in now, or what has changed of it."""
        item = intake.clean_room(item)
        room = self.rooms.get(item.room)
        if room is None:
            room = self.rooms[item.room] = RoomView(item.room, item.name, limit=self._limit)
            # Who was never here before has missed nothing.
            room.read_seq = min(item.read, item.head) or item.head
            if not self._current:
                self._current = item.room
        room.name, room.topic, room.joined = item.name, item.topic, True
        room.version += 1
        self.version += 1
        return room

    def remove_room(self, number: int) -> None:
        """One is no longer in that room."""
        order = list(self.rooms)
        room = self.rooms.pop(number, None)
        if room is None:
            return
        room.joined = False
        if self._current == number:
            index = order.index(number)
            near = order[index - 1] if index else (order[1] if order[1:] else 0)
            self._current = 0
            self.current = near
        self.version += 1

    def renumber(self, numbers: dict[int, int]) -> None:
        """Rooms have other numbers in another history: old → new; those left out keep theirs."""
        rooms = list(self.rooms.values())
        self._current = numbers.get(self._current, self._current)
        self.rooms = {}
        for room in rooms:
            room.number = numbers.get(room.number, room.number)
            for pending in room.pending:
                pending.room = room.number
            self.rooms[room.number] = room
        self.version += 1

    def start_over(self, room: RoomView) -> None:
        """The server's history of that room is not the one known here."""
        room.restart()
        room.read_seq = room.unread = room.mentions = 0
        self.note(room.number, "the server's history has changed: this room starts over", "error")

    def placed(self, room: RoomView, epoch: str, ok: messages.FollowOk, *, resumed: bool) -> None:
        """The server will send what comes after `ok.from_`."""
        room.place(epoch, ok.from_, ok.first, resumed=resumed)
        room.settle()
        if not resumed and not room.read_seq:
            room.read_seq = ok.head
        self.version += 1

    def set_members(self, room: RoomView, members: Iterable[messages.Member]) -> None:
        """Everybody who is a member of the room."""
        room.members = {
            item.account: Member(item.account, item.nick, item.status)
            for item in map(intake.clean_member, members)
        }
        for member in room.members.values():
            self.interest.meet(member.account, member.nick)
        self._changed(room)

    def mark_read(self, room: RoomView) -> None:
        """The user has seen everything in that room."""
        room.read_seq = max(room.read_seq, room.seq)
        room.unread = room.mentions = 0
        self._changed(room)

    def note(self, number: int, text: str, level: Level = "info") -> None:
        """Puts a local line into a room; 0: into the current one, or where that would be."""
        room = self.rooms.get(number or self._current)
        notice = Notice(self._now(), clean_text(text), level)
        if room is not None:
            room.note(notice)
        elif not number:
            self.loose.append(notice)
        self.version += 1

    def prepend(self, room: RoomView, page: messages.HistoryOk) -> int:
        """Puts a page of history before a room's lines; returns how many entries were taken."""
        self.version += 1
        return room.prepend([intake.clean_entry(entry) for entry in page.entries], page.first)

    def _changed(self, room: RoomView) -> None:
        room.version += 1
        self.version += 1

    # --- what one says ----------------------------------------------------------------

    def say(self, room: RoomView, draft: str, text: str, style: str) -> Pending:
        """Shows a line of one's own that has not been acknowledged."""
        pending = Pending(draft, room.number, text, style, self._now())
        room.pending.append(pending)
        self.mark_read(room)
        return pending

    def drop(self, pending: Pending) -> None:
        """Takes such a line away."""
        room = self.rooms.get(pending.room)
        if room is not None and pending in room.pending:
            room.pending.remove(pending)
            self._changed(room)

    def touch(self, pending: Pending) -> None:
        """Such a line has changed."""
        room = self.rooms.get(pending.room)
        if room is not None:
            room.settle()
            self._changed(room)

    # --- events -----------------------------------------------------------------------

    def apply(self, event: Struct) -> RoomView | None:
        """Takes an event of the server; those it does not know are ignored.

        Returns the room that now has to be followed from its cursor, where there is one: entries
        are missing, or the subscription has ended.
        """
        if type(event) is Entry:
            return self._entry(event)
        handler = _HANDLERS.get(type(event))
        return handler(self, event) if handler is not None else None

    def _entry(self, entry: Entry) -> RoomView | None:
        room = self.rooms.get(entry.room)
        if room is None:
            return None
        entry = intake.clean_entry(entry)
        taken = room.take(entry)
        if taken is not Taken.NEW:
            return room if taken is Taken.HOLE else None
        self.version += 1
        if entry.kind == "topic":
            room.topic = entry.text
        elif entry.kind in ("create", "rename"):
            room.name = entry.text or room.name
        elif entry.kind == "kick" and room.live:
            room.members.pop(entry.target, None)  # that one left needs no line of its own
        if entry.by == self.account:
            room.own(entry)
        elif entry.seq > room.read_seq:
            self._count(room, entry)
        return None

    def _count(self, room: RoomView, entry: Entry) -> None:
        if room.live:
            self.interest.meet(entry.by, entry.nick)
        counts = entry.kind == "message" and not self.ignores(entry)
        mention = counts and self.mentions(entry)
        if room.number == self._current and self.focused:
            if room.live and entry.seq == room.read_seq + 1:
                room.read_seq = entry.seq
        elif counts:
            room.unread += 1
            room.mentions += mention
        if counts and room.live and self.interest.alerts(room.name, mention, self._now()):
            self.alerts.append(Alert(room.number, entry, mention))

    def _live(self, event: Live) -> RoomView | None:
        room = self.rooms.get(event.room)
        if room is None or not room.following:
            return None
        if event.head > room.seq:
            room.following = room.live = False
            return room
        room.live = True
        self._changed(room)
        return None

    def _gap(self, event: Gap) -> RoomView | None:
        room = self.rooms.get(event.room)
        if room is None:
            return None
        self.version += 1
        taken = room.skip(event.from_, event.first, self._now())
        room.settle()
        return room if taken is Taken.HOLE else None

    def _unfollowed(self, event: Unfollowed) -> RoomView | None:
        room = self.rooms.get(event.room)
        if room is None or not event.code:
            return None  # what was asked for, by following again or by leaving
        room.following = room.live = False
        if event.code == "kicked":
            self._removed(room)
            return None
        return room

    def _removed(self, room: RoomView) -> None:
        """One was removed from a room: it goes, and why is told where one is then."""
        told = room.removal(self.account)
        self.remove_room(room.number)
        self.note(0, told, "error")

    def _presence(self, event: Presence) -> RoomView | None:
        nick, status = intake.clean_name(event.nick), intake.clean_name(event.status)
        self.interest.meet(event.account, nick)
        if event.account == self.account and nick:
            self.nick = nick
        room = self.rooms.get(event.room)
        if event.room:
            if room is not None:
                self._moved(room, event.account, nick, status)
            return None
        back = status == "online" and event.account in self._before
        self._before.discard(event.account)
        mine = event.account == self.account
        quiet = back or (not mine and self.interest.ignores(event.account, nick))
        for room in self.rooms.values():
            member = room.members.get(event.account)
            if member is not None:
                for told in room.seen(member, nick, status, mine=mine, quiet=quiet):
                    self.note(room.number, told)
                self.version += 1
        return None

    def _moved(self, room: RoomView, account: int, nick: str, status: str) -> None:
        joined = status == "joined"
        if status not in ("joined", "parted") or not room.moved(account, nick, joined):
            return
        self.version += 1
        how, ignored = self.interest.joins, self.interest.ignores(account, nick)
        if account != self.account and how != "none" and not ignored:
            room.tell_move(account, nick, joined, self._now(), all=how == "all")


_HANDLERS: dict[type[Struct], Callable[[Model, Any], RoomView | None]] = {
    Live: Model._live,
    Gap: Model._gap,
    Unfollowed: Model._unfollowed,
    Presence: Model._presence,
}
