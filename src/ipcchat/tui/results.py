"""What `/search` found, on the screen: a list above the input, the newest at its bottom.

The rules of this file:

- Older is further up, here as in the talk and in the search as one types: the newest stands where
  the eye is, next to the input, and Up, PgUp and Home lead back in time.
- Whoever comes to the oldest that is there gets the next page, one at a time; what goes wrong then
  is one line, and coming there again tries again.
- Enter leads to the message. That may take a moment: other keys work meanwhile, and whoever chooses
  something else, or leaves, is not taken there.
- A direct room that was put away is opened on the way. A room that others would see one enter is
  entered only by Enter once more.
- The list outlives its being shown: it can be opened again as it was left.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from ipcchat.actions.face import SearchOk
from ipcchat.actions.query import parse_query
from ipcchat.actions.search import remarks, room_names
from ipcchat.client.model import Model
from ipcchat.clock import now
from ipcchat.entries import Entry
from ipcchat.errors import ConnectionLost, IpcchatError, Refused, UsageError
from ipcchat.paint.hits import HitRows
from ipcchat.paint.row import Row, clipped, row
from ipcchat.tui.finder import spans
from ipcchat.tui.modes import Listed

if TYPE_CHECKING:  # it has one of these
    from ipcchat.paint.rows import RowMaker
    from ipcchat.tui.screen import ChatScreen

__all__ = ["Outside", "Results", "Searches", "Ways", "where"]

_LARGE = 12
"""Rows from which on the talk keeps a third of them."""
_NAMELESS = "…"
"""Stands for a room's name that has been asked for."""
_LOOK = 0.02
"""Seconds between two looks whether a room that was entered is there."""
_TERM = re.compile(r'"([^"]*)"?|(\S+)')
_SHORT = re.compile(r"[^\W_\u1100-\uffff]{1,2}")
"""Terms that are found as words and beginnings of words alone."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What the list needs of the screen."""

    reveal: Callable[[Entry, bool], Awaitable[None]]
    """Makes the surroundings of a message be there, and enters its room where it may. Raises
    Outside where it may not, IpcchatError."""
    jump: Callable[[Entry], None]
    """Shows the message, when they are."""
    names: Callable[[Iterable[Entry]], Awaitable[Mapping[int, str]]]
    """The names of the rooms where that was said. Raises IpcchatError."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    draw: Callable[[], None]
    end: Callable[[], None]
    """Gives the keys back to the input."""


class Outside(Refused):
    """One is not in the room of a message, and may enter it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "no_room", f"you are not in {name}", hint="Enter again joins it and goes there"
        )


def where(text: str, query: str) -> list[tuple[int, int]]:
    """Where the words of a search, as typed, are in a text: like `spans`, of any of the words."""
    found: list[tuple[int, int]] = []
    for phrase, word in _TERM.findall(_words(query)):
        term = (phrase or word).strip().lower()
        begins = _SHORT.fullmatch(term) is not None
        for start, end in spans(text, term):
            if not (begins and start and text[start - 1].isalnum()):
                found.append((start, end))
    made: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return made


@lru_cache(maxsize=16)
def _words(query: str) -> str:
    """The words of a search, without what narrows it."""
    try:
        return parse_query(query, now()).words
    except IpcchatError:
        return ""  # it is no search


class Results(Listed):
    """A mode (see `modes`), and what one can come back to."""

    def __init__(
        self,
        model: Model,
        query: str,
        found: SearchOk,
        more: Callable[[], Awaitable[SearchOk]],
        ways: Ways,
        time_format: str,
    ) -> None:
        """`query` as typed, the first page, and what gives the next one (see `Face.show_found`)."""
        super().__init__(self._leave)
        self._model = model
        self.query = query
        self._more = more
        self._ways = ways
        self._names: dict[int, str] = {}
        self._rows = HitRows(lambda text: where(text, query), self.room, self._is_own, time_format)
        self._items: list[Entry] = []
        """As they show: the oldest first."""
        self._index = 0
        self._page = 1
        self._next = found.next
        self._remarks: list[str] = []
        self._loading = False
        self._going = 0
        """Grows with everything that makes an earlier Enter void."""
        self._waits = False
        self._wrong = ""
        self._outside: Entry | None = None
        """The message whose room Enter enters."""
        self._naming = False
        self._take(found)
        self._index = max(0, len(self._items) - 1)
        self._deeds |= {
            "pageup": lambda: self.move(1 - self._page),
            "pagedown": lambda: self.move(self._page - 1),
            "home": lambda: self.move(-len(self._items)),
            "end": lambda: self.move(len(self._items)),
        }

    def __len__(self) -> int:
        return len(self._items)

    @property
    def selected(self) -> Entry | None:
        """Where Enter leads."""
        return self._items[self._index] if self._items else None

    def room(self, number: int) -> str:
        """A room's name; the server is asked for those one is not in."""
        room = self._model.rooms.get(number)
        return room.name if room is not None else self._names.get(number, _NAMELESS)

    def _is_own(self, account: int) -> bool:
        return account == self._model.account

    # --- keys -------------------------------------------------------------------------

    def move(self, by: int) -> None:
        self._void()
        self._index = max(0, min(self._index + by, len(self._items) - 1))
        if by < 0:
            self._reach()

    def choose(self) -> None:
        if self.selected is not None:
            enters = self._outside is self.selected
            self._void()
            self._waits = True
            self._ways.spawn(self._go(self.selected, self._going, enters))

    def _leave(self) -> None:
        self._void()
        self._ways.end()

    def _void(self) -> None:
        """Something else is wanted than before."""
        self._going += 1
        self._waits = False
        self._wrong = ""
        self._outside = None

    async def _go(self, entry: Entry, turn: int, enters: bool) -> None:
        try:
            await self._ways.reveal(entry, enters)
        except IpcchatError as error:
            if turn == self._going:
                self._waits, self._wrong = False, _line(error)
                self._outside = entry if isinstance(error, Outside) else None
                self._ways.draw()
            return
        if turn == self._going:
            self._void()
            self._ways.jump(entry)

    # --- pages ------------------------------------------------------------------------

    def _reach(self) -> None:
        """At the oldest that is there, the next page is wanted."""
        if self._index == 0 and self._next and not self._loading:
            self._loading = True
            self._ways.spawn(self._load())

    async def _load(self) -> None:
        try:
            self._take(await self._more())
        except IpcchatError as error:
            self._wrong = _line(error)
            return
        finally:
            self._loading = False
            self._ways.draw()
        self._reach()  # where all of it is of people who are ignored

    def _take(self, found: SearchOk) -> None:
        """Puts a page above what is there."""
        there = {(entry.room, entry.seq) for entry in self._items}
        fresh = [
            entry
            for entry in reversed(found.items)
            if (entry.room, entry.seq) not in there and not self._model.ignores(entry)
        ]
        self._items[:0] = fresh
        self._index = max(0, min(self._index + len(fresh), len(self._items) - 1))
        self._first += len(fresh)
        self._next = found.next
        self._remarks = remarks(found) or self._remarks
        self._ask_names()

    def _ask_names(self) -> None:
        """Rooms one is not in have names, too; asked for once each."""
        unknown = [entry for entry in self._items if self.room(entry.room) == _NAMELESS]
        if unknown and not self._naming:
            self._naming = True
            self._ways.spawn(self._name(unknown))

    async def _name(self, unknown: list[Entry]) -> None:
        with suppress(IpcchatError):
            names = await self._ways.names(unknown)
            self._names |= {entry.room: names.get(entry.room, "?") for entry in unknown}
        self._naming = False
        self._ways.draw()

    # --- what shows -------------------------------------------------------------------

    def prompt(self) -> tuple[str, str] | None:
        more = "+" if self._next else ""
        return f"{self._index + 1 if self._items else 0} of {len(self)}{more}: ", self.query

    def panel(self, width: int, height: int) -> list[Row]:
        """What there is to say in a row, and the messages, the newest at the bottom."""
        height = height if height < _LARGE else height * 2 // 3
        if height < 1:
            return []
        note = [row(*clipped([self._note()], width))] if height > 1 else []
        self._rows.lay(self._items, width)
        shown = self.window(self._index, len(self._items), height - len(note))
        self._page = max(2, len(shown))
        made = [self._rows.row(self._items[at], width, at == self._index) for at in shown]
        return note + made

    def _note(self) -> tuple[str, str]:
        if self._wrong:
            return "error", self._wrong
        if self._waits:
            return "notice", "going there…"
        if self._loading:
            return "notice", "looking for older ones…"
        keys = "Enter goes there · Esc closes"
        return "notice", " · ".join([*self._remarks, keys])


def _line(error: IpcchatError) -> str:
    return f"{error}" + (f" – {error.hint}" if error.hint else "")


class Searches:
    """The last search of a screen: its list, the way from there to a message, and its marks."""

    def __init__(self, screen: "ChatScreen", maker: "RowMaker") -> None:
        self._screen = screen
        self._maker = maker
        self._last: Results | None = None
        self._origin = screen.places.here()
        """Where one was when the last message was chosen."""
        self._marked = False

    def show(self, query: str, found: SearchOk, more: Callable[[], Awaitable[SearchOk]]) -> None:
        """The list, above the place where the search was asked for; where the keys are wanted for
        something else by now, a line says how to get it."""
        screen = self._screen
        ways = Ways(
            reveal=self._reveal,
            jump=partial(self._jump, query),
            names=partial(room_names, screen),
            spawn=screen.spawn,
            draw=screen.changed,
            end=screen.end_mode,
        )
        form = screen.settings.time_format
        results = Results(screen.model, query, found, more, ways, form)
        if not len(results) and not found.next:
            screen.show(" · ".join([f"nothing found: {query}", *remarks(found)]), "help")
            return
        self._last = results
        if screen.panes.mode is not None or screen.editor.text:
            screen.show(f"found: {query} – /search shows it", "help")
            return
        screen.places.resume()
        screen.enter_mode(results)

    def show_again(self, *, typed: bool) -> None:
        """The list as it was left; `typed`: a command asked for it, which has moved the view to the
        end. Raises UsageError where there is none."""
        if self._last is None:
            raise UsageError("nothing was searched for yet", "/search WORDS")
        if typed:
            self._screen.places.resume()
        self._screen.enter_mode(self._last)

    async def _reveal(self, entry: Entry, enters: bool) -> None:
        self._origin = self._screen.places.here()
        if entry.room not in self._screen.model.rooms:
            await self._enter(entry, enters)
        await self._screen.session.surroundings(entry.room, entry.seq)

    async def _enter(self, entry: Entry, enters: bool) -> None:
        """Enters the room of a message, until the message is there or has a place before what is.
        Raises IpcchatError; Outside: not without being asked."""
        session = self._screen.session
        name = (await room_names(self._screen, [entry])).get(entry.room, "")
        if not name:
            raise Refused("no_room", "that room is not there any more")
        if not enters and not name.startswith("@"):
            raise Outside(name)
        room = await session.join(name)
        if room.number != entry.room:  # it has that name only since a moment ago
            raise Refused("no_room", f"that message is not in {name} any more")
        while not room.epoch or room.seq < entry.seq:
            if not room.joined:
                raise Refused("no_room", f"you are not in {name} any more")
            if session.model.state != "online":
                raise ConnectionLost("not connected", hint="try again when it is back")
            await asyncio.sleep(_LOOK)

    def _jump(self, query: str, entry: Entry) -> None:
        """Shows a message, marked until the next key."""
        screen = self._screen
        screen.end_mode()
        screen.lay()  # so that the middle is that of the whole window
        screen.places.jump(entry, self._origin)
        self._maker.mark(query, where)
        self._maker.point(entry.room, entry.seq)
        self._marked = True
        screen.changed()

    def back(self) -> None:
        """Gives up a search that goes on; else to where one was before the first jump."""
        if not self._screen.saying.give_up():
            self._screen.places.back()
        self._screen.end_mode()

    def unmark(self) -> None:
        """What was marked has been seen."""
        if self._marked:
            self._marked = False
            self._maker.mark("", where)
            self._maker.point(0, 0)
