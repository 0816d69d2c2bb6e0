"""What the screen shows: rooms, lines, members, what is unread. The single owner of that state.

The rules of this file:

- Plain Python: no loop, no I/O; `now` is the only thing it asks of the world.
- `apply` takes every event of the server, in order; the session calls the other methods. The
  screen reads, and sets `current` and `focused`.
- Everything foreign goes through `intake` before it is kept.
- How far a room was read, and what in it is new, is counted by `marker`, which also knows where the
  user is.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct

from ipcchat import names
from ipcchat.client import intake, marker
from ipcchat.client.interest import Alert, Interest, Presences
from ipcchat.client.marker import Place
from ipcchat.client.room import LIMIT, Level, Line, Member, Notice, Pending, RoomView, Taken
from ipcchat.entries import Entry, now_ms
from ipcchat.settings import ClientSettings
from ipcchat.text import clean_text, fold
from ipcchat.wire import messages
from ipcchat.wire.messages import Gap, Live, Marker, Presence, Unfollowed

__all__ = ["Alert", "Line", "Member", "Model", "Notice", "Pending", "RoomView", "State"]

State = Literal["connecting", "online", "reconnecting", "closed"]
_LOOSE = 50
"""Local lines that are kept while there is no room."""
_ALERTS = 16
_USUAL = ClientSettings()


class Model(Place):
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
        super().__init__(self.mark_read)
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
        self._presences = Presences()
        self.invited: dict[int, messages.Room] = {}
        """Private rooms that one may join, by number; `invited` of each is who asked one in."""
        self.kept: dict[str, list[Pending]] = {}
        """By the name of a room that one is no longer in: lines that were not sent there."""
        self.away: str | None = None
        """What one said on going away, empty: nothing; None: one is not away."""
        self._nick = nick
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
        self.version += 1
        for room in self.rooms.values():
            self._meet(room)

    def login(self, account: int, nick: str, role: str) -> None:
        """The server said who one is."""
        self.account, self.nick = account, nick
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
            self._presences.lost(self.rooms.values())
        self.state, self.detail = state, detail
        self.version += 1

    # --- rooms ------------------------------------------------------------------------

    def ordered(self) -> list[RoomView]:
        """The rooms as all lists number them: in the order of joining, direct ones after all
        others, by name."""
        rooms = self.rooms.values()
        direct = sorted((it for it in rooms if it.access == "direct"), key=lambda it: fold(it.name))
        return [*(it for it in rooms if it.access != "direct"), *direct]

    def room_by_name(self, name: str) -> RoomView | None:
        """The room of that name, with or without its `#`; a direct one's begins with `@`."""
        key = names.key(name if name.startswith("@") else "#" + name.removeprefix("#"))
        return next((it for it in self.rooms.values() if names.key(it.name) == key), None)

    def add_room(self, item: messages.Room, *, show: bool = True, counts: bool = False) -> RoomView:
        """A room one is in now, or what has changed of it. `show`: it becomes the current one,
        where there is none. `counts`: the item has the server's counts; see `recount`."""
        item = intake.clean_room(item)
        room = self.rooms.get(item.room)
        if room is None:
            room = self.rooms[item.room] = RoomView(item.room, item.name, limit=self._limit)
            marker.begin(room, item)
            if not self._current and show:
                self._current = item.room
        room.name, room.topic, room.joined = item.name, item.topic, True
        room.access, room.peer = item.access, item.peer
        room.messages, room.since = item.messages, item.since
        self.invited.pop(item.room, None)
        if counts:
            self.recount(item)
        self._changed(room)
        return room

    def recount(self, item: messages.Room) -> None:
        """The server said how much is new in a room."""
        room = self.rooms.get(item.room)
        if room is not None:
            marker.told(room, item, self._counts, shown=room.number == self._current)
            self._changed(room)

    def _counts(self, room: RoomView, entry: Entry) -> tuple[bool, bool]:
        """Whether an entry is a message to be read, and whether it is for the user. What a script
        of one's own says is to be read, too, and for nobody in particular."""
        if entry.kind != "message" or self.ignores(entry):
            return False, False
        own = entry.by == self.account
        return True, not own and (room.access == "direct" or self.interest.among(entry.text))

    def remove_room(self, number: int) -> None:
        """The user has left that room: a neighbour shows where it did."""
        self._remove(number, self.neighbour(number))

    def lose(self, room: RoomView, why: str) -> None:
        """A room is gone without the user's doing, and why is told. Where it showed no other one
        does: what is being typed was meant for nobody else."""
        self._remove(room.number, 0)
        self.note(0, why, "error")

    def _remove(self, number: int, instead: int) -> None:
        room = self.rooms.pop(number, None)
        if room is None:
            return
        room.joined = False
        if kept := [item for item in room.pending if item.state != "sent"]:
            self.kept.setdefault(room.name, []).extend(kept)
        if self._current == number:
            self.current = instead
        self.version += 1

    def renumber(self, numbers: dict[int, int]) -> None:
        """Rooms have other numbers in another history: old → new; those left out keep theirs."""
        rooms = list(self.rooms.values())
        self._current = numbers.get(self._current, self._current)
        self.rooms = {}
        for room in rooms:
            room.renumber(numbers.get(room.number, room.number))
            self.rooms[room.number] = room
        self.version += 1

    def start_over(self, room: RoomView) -> None:
        """The server's history of that room is not the one known here."""
        room.restart()
        room.read_seq = room.seen_seq = room.counted = room.unread = room.mentions = 0
        self.note(room.number, "the server's history has changed: this room starts over", "error")

    def placed(self, room: RoomView, epoch: str, ok: messages.FollowOk, *, resumed: bool) -> None:
        """The server will send what comes after `ok.from_`."""
        room.place(epoch, ok.from_, ok.first, resumed=resumed)
        room.settle()
        if not resumed and not room.read_seq and room.access != "direct":
            marker.moved(room, ok.head, self._counts)
        marker.placed(room)
        self.version += 1

    def set_members(self, room: RoomView, members: Iterable[messages.Member]) -> None:
        """Everybody who is a member of the room."""
        room.set_members(map(intake.clean_member, members))
        self._meet(room)

    def _meet(self, room: RoomView) -> None:
        for member in room.members.values():
            self.interest.meet(member.account, member.nick)
        self._changed(room)

    def mark_read(self, room: RoomView) -> None:
        """The user has seen everything in that room."""
        marker.moved(room, room.seq, self._counts)
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
        taken = room.prepend([intake.clean_entry(entry) for entry in page.entries], page.first)
        marker.loaded(room, self._counts)
        self.version += 1
        return taken

    def insert(self, room: RoomView, page: messages.HistoryOk) -> None:
        """Puts a page of history where it belongs among a room's lines."""
        room.insert([intake.clean_entry(entry) for entry in page.entries])
        marker.loaded(room, self._counts)
        self._changed(room)

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
        handler = _HANDLERS.get(type(event))
        room = self.rooms.get(event.room) if handler else None  # type: ignore[attr-defined]
        if handler and room:
            return handler(self, room, event)
        if isinstance(event, Presence):
            self._presence(event)
        return None

    def _entry(self, room: RoomView, entry: Entry) -> RoomView | None:
        entry = intake.clean_entry(entry)
        taken = room.take(entry)
        if taken is not Taken.NEW:
            return room if taken is Taken.HOLE else None
        self.version += 1
        if entry.kind == "topic":
            room.topic = entry.text
        elif entry.kind in ("create", "rename"):
            room.name = room.name if room.access == "direct" else entry.text or room.name
        elif entry.kind in ("join", "part", "kick", "uninvite") and room.live:
            # that one came or left needs no line of its own
            room.moved(entry.target or entry.by, entry.nick, entry.kind == "join")
        if entry.by == self.account and room.own(entry):
            marker.moved(room, entry.seq, self._counts)
        elif entry.seq > room.read_seq:
            self._news(room, entry)
        return None

    def _news(self, room: RoomView, entry: Entry) -> None:
        if room.live:
            self.interest.meet(entry.by, entry.nick)
        looking = self.looking is room
        marker.heard(room, entry, self._counts, looking=looking)
        if looking:
            self.on_look(False)
        counts, mention = self._counts(room, entry)
        if entry.by == self.account:
            return
        if counts and room.live and self.interest.alerts(room.name, mention, self._now()):
            self.alerts.append(Alert(room.number, entry, mention))

    def _live(self, room: RoomView, event: Live) -> RoomView | None:
        self.version += 1
        hole = room.following and not room.caught_up(event.head)
        if self.looking is room:
            self.on_look(False)
        return room if hole else None

    def _gap(self, room: RoomView, event: Gap) -> RoomView | None:
        self.version += 1
        taken = room.skip(event.from_, event.first, self._now())
        room.settle()
        marker.placed(room)
        return room if taken is Taken.HOLE else None

    def _unfollowed(self, room: RoomView, event: Unfollowed) -> RoomView | None:
        if not event.code:
            return None  # what was asked for, by following again or by leaving
        room.following = room.live = False
        if event.code == "kicked":
            self.lose(room, room.removal(self.account))
        elif event.code == "no_room":
            self.lose(room, f"{room.name} was left on another device")
        else:
            return room
        return None

    def _marker(self, room: RoomView, event: Marker) -> None:
        marker.moved(room, event.seq, self._counts)
        self._changed(room)

    def _presence(self, event: Presence) -> None:
        event = intake.clean_presence(event)
        mine = event.account == self.account
        self.interest.meet(event.account, event.nick)
        if mine and event.nick:
            self.nick = event.nick
        if mine and not event.room:
            self.away = event.text if event.status == "away" else None
        for number, told in self._presences.apply(
            event, self.rooms, self.interest, self.account, self._now()
        ):
            self.note(number, told)
        self.version += 1


_HANDLERS: dict[type[Struct], Callable[[Model, RoomView, Any], RoomView | None]] = {
    Entry: Model._entry,
    Live: Model._live,
    Gap: Model._gap,
    Unfollowed: Model._unfollowed,
    Marker: Model._marker,
}
