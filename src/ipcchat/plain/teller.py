"""What of the model was told already, and what is to be told next.

The rules of this file:

- Nothing of the model is copied: a place in each room, the key of the next line, is all that is
  kept (`first_key` + index, see `client/room`). Lines are told in order, each once.
- `look` is called after every change of the model and keeps nothing but what would else be lost;
  `tell` is called when there may be something said, and moves the places.
- While a room catches up only local lines are told, so that all that was missed comes at once,
  with its number before it.
- No loop, no I/O, no clock but the one given.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ipcchat.client.model import Model, RoomView
from ipcchat.client.room import Notice, Pending
from ipcchat.clock import local, now
from ipcchat.entries import Entry
from ipcchat.plain import sentences

__all__ = ["Teller"]

_CONTEXT = 10
"""Lines that are told when one comes into a room, read or not."""
_MANY, _LAST = 200, 50
"""More missed lines than that: the last ones alone."""
_EVERY = 30.0
"""Seconds between two sentences about how many messages came in another room."""
_ALOUD = 5
"""Messages of another room that are told one by one, of those that come at once: mentions, or all
where they are to the user alone, or he asked for that."""
_MEMBERS = 2.0
"""Seconds that it may take to learn who is in a room one has come into."""


@dataclass(slots=True, eq=False)
class _Place:
    """How far a room was told."""

    next: int
    """Key of the next line."""
    first: int
    """Key of the first line that was told."""
    more: int = 0
    """Messages in another room that were not told …"""
    mentions: int = 0
    """… and how many of them are to the user."""
    told: float = float("-inf")
    """When that was last said."""
    last: Notice | None = None
    """The local line that was told last, if nothing follows it: it may come to say more."""
    at: float = 0.0
    """When it was told."""


@dataclass(slots=True, eq=False)
class _Own:
    """A line of the user's own without an entry."""

    typed: bool
    """Here: it stands on the screen."""
    told: tuple[str, str] = field(default=("", ""))
    """State and reason as told last."""


class Teller:
    """Owns the places. `tell` gives sentences, oldest first."""

    def __init__(self, model: Model, clock: Callable[[], float]) -> None:
        """`clock`: seconds that only grow."""
        self._model = model
        self._clock = clock
        self._places: dict[RoomView, _Place] = {}
        self._own: dict[Pending, _Own] = {}
        self._typed: set[str] = set()
        """Draft ids of lines that stand on the screen as they were typed."""
        self._failures: list[str] = []
        self._room: RoomView | None = None
        """The room that the user was told to be in."""
        self._since: float | None = None
        self._state = model.state
        self._lost = False
        self._connection: list[str] = []
        self._loose: Notice | None = None
        self._day = now().date()
        self.ending = False
        """Whether there is no later time to tell what is not known yet."""
        self.due: float | None = None
        """When `tell` has something to say although nothing changes."""

    # --- after every change -----------------------------------------------------------

    def look(self) -> None:
        """The model has changed."""
        self._look_at_connection()
        for room in self._model.rooms.values():
            for pending in room.pending:
                self._look_at(pending, room)
        if len(self._own) > sum(len(room.pending) for room in self._model.rooms.values()):
            there = {item for room in self._model.rooms.values() for item in room.pending}
            self._own = {item: own for item, own in self._own.items() if item in there}

    def _look_at_connection(self) -> None:
        state, self._state = self._model.state, self._model.state
        if state == "reconnecting" and not self._lost:
            self._lost = True
            self._connection.append("connection lost, trying again")

    def _look_at(self, pending: Pending, room: RoomView) -> None:
        own = self._own.get(pending)
        if own is None:
            own = self._own[pending] = _Own(pending.state != "failed")
        if own.typed:
            self._typed.add(pending.draft)
        seen = (pending.state, pending.reason)
        if seen == own.told:
            return
        own.told = seen
        if pending.state == "failed":
            where = "" if room.number == self._model.current else room.name
            self._failures.append(sentences.failed(pending, typed=own.typed, room=where))

    # --- what is said -----------------------------------------------------------------

    @property
    def arrived(self) -> bool:
        """Whether the user was told which room is the current one."""
        return self._room is not None and self._room.number == self._model.current

    def arrive(self) -> None:
        """The room one is in is to be told, even if it is the same."""
        self._room = None

    def skip(self, room: RoomView) -> None:
        """What is there already is not told."""
        self._place(room).next = room.first_key + len(room.lines)

    def tell(self) -> Iterator[str]:
        """What there is to say now. Who stops goes on with the same iterator: what was begun is
        told by it alone."""
        self.due = None
        yield from _taken(self._connection)
        yield from self._loose_lines()
        current = self._model.rooms.get(self._model.current)
        if current is not None:
            yield from self._current(current)
        else:
            self._room = None
            if self._lost and self._model.state == "online":
                self._lost = False
                yield sentences.reconnected(0)
        yield from _taken(self._failures)
        for room in tuple(self._model.rooms.values()):
            if room is not current:
                yield from self._other(room)
        for gone in [room for room in self._places if not room.joined]:
            del self._places[gone]

    def recalled(self, room: RoomView, index: int, time_format: str) -> Iterator[str]:
        """A room's lines from that index on, with their times: up to the first that was told,
        where that comes later, else up to the last."""
        place = self._place(room)
        first, end = room.first_key + index, room.first_key + len(room.lines)
        if first < place.first:
            end = min(end, place.first)
            place.first = first
        elif room is self._room:
            place.next = end
        return self._recall(room, first, end, time_format)

    def _recall(self, room: RoomView, first: int, end: int, time_format: str) -> Iterator[str]:
        told = None
        for key in range(first, end):
            index = key - room.first_key
            if not 0 <= index < len(room.lines):
                continue
            line = room.lines[index]
            at = local(line.time)
            said = self._line(line)
            if said is not None:
                if told != (told := at.date()):
                    yield sentences.day(at)
                yield f"{at.strftime(time_format)} {said}"

    # --- rooms ------------------------------------------------------------------------

    def _place(self, room: RoomView) -> _Place:
        place = self._places.get(room)
        if place is None:
            place = self._places[room] = _Place(room.first_key, room.first_key)
        if place.next < room.first_key:
            # The room started over, or its oldest lines went.
            place.next = place.first = room.first_key
        return place

    def _current(self, room: RoomView) -> Iterator[str]:
        online = self._model.state == "online"
        if room is not self._room:
            if online and not self.ending and (not room.live or not self._known(room)):
                return
            yield from self._arrival(room)
            return
        place = self._place(room)
        if online and not room.live:
            yield from self._notices(room, place)
            return
        yield from self._changed(room, place)
        end = room.first_key + len(room.lines)
        if online and self._lost:
            self._lost = False
            fresh = room.lines[place.next - room.first_key :]
            yield sentences.reconnected(sum(map(self._is_news, fresh)))
            yield from self._shorten(room, place)
        while place.next < end:
            yield from self._tell_next(room, place)

    def _known(self, room: RoomView) -> bool:
        """Whether it is known who is here, or it has taken too long."""
        if room.members:
            return True
        if self._since is None:
            self._since = self._clock()
        self._wake(self._since + _MEMBERS)
        return self._clock() >= self._since + _MEMBERS

    def _arrival(self, room: RoomView) -> Iterator[str]:
        self._room, self._since = room, None
        if self._lost and self._model.state == "online":
            self._lost = False
            yield sentences.reconnected(0)
        yield sentences.arrival(room)
        place = self._place(room)
        place.more = place.mentions = 0
        count = len(room.lines)
        unread = next(
            (i for i, line in enumerate(room.lines) if self._is_unread(room, line)), count
        )
        place.next = room.first_key + max(0, min(unread, count - _CONTEXT))
        yield from self._shorten(room, place)
        place.first = place.next
        end = room.first_key + count
        while place.next < end:
            yield from self._tell_next(room, place)

    def _shorten(self, room: RoomView, place: _Place) -> Iterator[str]:
        """Leaves out what is too much to be told."""
        index = place.next - room.first_key
        if len(room.lines) - index <= _MANY:
            return
        left_out = sum(map(self._is_news, room.lines[index:-_LAST]))
        place.next = place.first = room.first_key + len(room.lines) - _LAST
        if left_out:
            yield sentences.earlier(left_out)

    def _notices(self, room: RoomView, place: _Place) -> Iterator[str]:
        while place.next - room.first_key < len(room.lines):
            if isinstance(room.lines[place.next - room.first_key], Entry):
                return
            yield from self._tell_next(room, place)

    def _tell_next(self, room: RoomView, place: _Place) -> Iterator[str]:
        """The next line of the current room, with the day where that is another one."""
        index = place.next - room.first_key
        place.next += 1
        if not 0 <= index < len(room.lines):
            return
        line = room.lines[index]
        if isinstance(line, Entry) and line.draft in self._typed:
            self._typed.discard(line.draft)
            return
        said = self._line(line)
        place.last, place.at = (line if isinstance(line, Notice) else None), self._clock()
        if said is None:
            return
        at = local(line.time)
        if at.date() != self._day:
            self._day = at.date()
            yield sentences.day(at)
        yield said

    def _changed(self, room: RoomView, place: _Place) -> Iterator[str]:
        """The line of who came and went says more than when it was told: it is told again before
        something else is, or after a while."""
        index = place.next - 1 - room.first_key
        if place.last is None or not 0 <= index < len(room.lines):
            return
        line = room.lines[index]
        if line is place.last or not isinstance(line, Notice):
            return
        if index + 1 == len(room.lines) and self._clock() < place.at + _EVERY:
            self._wake(place.at + _EVERY)
            return
        place.last, place.at = line, self._clock()
        yield sentences.notice(line)

    def _wake(self, at: float) -> None:
        self.due = at if self.due is None else min(at, self.due)

    def _other(self, room: RoomView) -> Iterator[str]:
        place = self._place(room)
        if not room.live:
            return
        fresh = room.lines[place.next - room.first_key :]
        place.next = room.first_key + len(room.lines)
        news = [
            line
            for line in fresh
            if isinstance(line, Entry) and self._is_news(line) and self._is_unread(room, line)
        ]
        level = self._model.interest.level(room.name)
        if level == "none":
            return
        aloud = level == "all" or room.access == "direct"
        calls = [line for line in news if aloud or self._model.mentions(line)]
        if len(calls) <= _ALOUD:
            for line in calls:
                yield self._entry(line, room.name)
            news = [line for line in news if line not in calls]
            calls = []
        place.more += len(news)
        place.mentions += sum(map(self._model.mentions, calls))
        if not place.more:
            return
        at = place.told + _EVERY
        if self._clock() >= at:
            yield sentences.fewer(room.name, place.more, place.mentions)
            place.more = place.mentions = 0
            place.told = self._clock()
        else:
            self._wake(at)

    # --- lines ------------------------------------------------------------------------

    def _is_unread(self, room: RoomView, line: object) -> bool:
        return isinstance(line, Entry) and line.seq > room.read_seq

    def _is_news(self, line: object) -> bool:
        """Whether it is somebody else's message."""
        if not isinstance(line, Entry) or line.kind != "message":
            return False
        return line.by != self._model.account and not self._model.ignores(line)

    def _line(self, line: Entry | Notice) -> str | None:
        if isinstance(line, Notice):
            return sentences.notice(line)
        return None if self._model.ignores(line) else self._entry(line)

    def _entry(self, line: Entry, room: str = "") -> str:
        model = self._model
        mention = model.mentions(line)
        return sentences.entry(line, account=model.account, mention=mention, room=room)

    def _loose_lines(self) -> Iterator[str]:
        """Local lines of a time without a room."""
        fresh: list[Notice] = []
        for notice in reversed(self._model.loose):
            if notice is self._loose:
                break
            fresh.append(notice)
        if fresh:
            self._loose = fresh[0]
        yield from (sentences.notice(notice) for notice in reversed(fresh))


def _taken(items: list[str]) -> Iterator[str]:
    """The items, which are gone then."""
    taken = items[:]
    items.clear()
    yield from taken
