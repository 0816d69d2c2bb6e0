"""Going places: from room to room, to what is new, to who named one; and back from what a search
found."""

from collections.abc import Callable
from dataclasses import dataclass

from ipcchat.client.model import Model, RoomView
from ipcchat.entries import Entry
from ipcchat.paint import bars
from ipcchat.tui.scrollback import Anchor, Scrollback

__all__ = ["Places", "Spot"]

_LOOKED_AT = 100_000
"""Lines among which a mention is looked for: about a twentieth of a second."""
_STRETCH = 500
"""Lines that are looked at together."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one was: a room, and the place in it."""

    room: int
    anchor: Anchor | None


_NOWHERE = Spot(0, None)
"""In no room."""


class Places:
    """Where one can go. `go_to` shows a room, `peek` without reading it; `tell`: why one stays."""

    def __init__(
        self,
        model: Model,
        scrollback: Scrollback,
        go_to: Callable[[int], None],
        peek: Callable[[int], None],
        tell: Callable[[str], None],
    ) -> None:
        self._model = model
        self._scrollback = scrollback
        self._go_to = go_to
        self._peek = peek
        self._tell = tell
        self._found: tuple[int, Anchor | None, int] | None = None
        """The mention gone to last: room, the place then, its seq."""
        self._began = self.here()
        self._back: Spot | None = None

    def step(self, count: int) -> None:
        """The next room (1), or the one before (-1)."""
        order = [room.number for room in self._model.ordered()]
        if order:
            current = self._model.current
            index = order.index(current) if current in order else -(count > 0)
            self._go_to(order[(index + count) % len(order)])

    def number(self, number: int) -> None:
        """The room that the lists call by that number."""
        order = self._model.ordered()
        if number <= len(order):
            self._go_to(order[number - 1].number)

    def activity(self) -> None:
        """The next room with a direct message, else with a mention, else with a message; in the
        only one, what is new there."""
        order = self._model.ordered()
        here = self.room()
        at = order.index(here) + 1 if here is not None else 0
        others = [room for room in order[at:] + order[:at] if room.unread and room is not here]
        if others:
            self._go_to(min(others, key=bars.urgency).number)
        elif here is not None and here.unread:
            self._scrollback.to_unread()
        else:
            self._tell("nothing new")

    def mention(self, direction: int) -> None:
        """The mention before (-1) what shows, or after (1)."""
        room = self._model.rooms.get(self._model.current)
        if room is None or not room.lines:
            return
        # What was gone to stands in the middle: the search goes on from it, not from below it.
        start = self._scrollback.place(room) + (direction < 0)
        place = (room.number, self._scrollback.anchor(room))
        if self._found is not None and self._found[:2] == place:
            start = room.after(self._found[2] - 1)
        end = len(room.lines) if direction > 0 else -1
        places = range(start + direction, end, direction)[:_LOOKED_AT]
        for at in range(0, len(places), _STRETCH):
            index = self._mentioned(room, places[at : at + _STRETCH])
            if index is not None:
                self._scrollback.to_index(index)
                line = room.lines[index]
                seq = line.seq if isinstance(line, Entry) else 0
                self._found = (room.number, self._scrollback.anchor(room), seq)
                return
        self._tell(f"no mention {'further down' if direction > 0 else 'further up'}")

    def _mentioned(self, room: RoomView, places: range) -> int | None:
        """The first of those indexes whose line is a mention."""
        low, high = min(places[0], places[-1]), max(places[0], places[-1])
        texts = room.lines.texts(low, high + 1)[:: places.step]
        names = self._model.interest.among
        for index, text in zip(places, texts, strict=True):
            if text is not None and names(text):
                line = room.lines[index]
                if isinstance(line, Entry) and self._model.mentions(line):
                    return index
        return None

    def room(self) -> RoomView | None:
        """The current one."""
        return self._model.rooms.get(self._model.current)

    # --- there and back ---------------------------------------------------------------

    def here(self) -> Spot:
        """Where one is."""
        room = self.room()
        return Spot(room.number, self._scrollback.anchor(room)) if room is not None else _NOWHERE

    def begin(self) -> None:
        """A command may lead away from here: it is where one comes back to. Where one was before
        that counts no more: one stays, and reads here."""
        self._began, self._back = self.here(), None
        self._model.current = self._model.current

    def resume(self) -> None:
        """The last command shows nothing at the end of the room: unless one has moved since, one
        is where it was given."""
        here = self.here()
        if here.room == self._began.room and here.anchor is None:
            self.return_to(self._began)

    @property
    def jumped(self) -> bool:
        """Whether there is a way back."""
        return self._back is not None

    def settle(self) -> None:
        """There is no way back any more."""
        self._back = None

    def jump(self, entry: Entry, origin: Spot) -> None:
        """Shows a message; `back` leads to `origin`, where one was before its surroundings were
        asked for; after several, to that of the first. Where it is not loaded, it says so."""
        back = self._back or origin
        if entry.room != self._model.current:
            self._peek(entry.room)
        room = self.room()
        index = self._index(room, entry.seq) if room is not None else None
        if index is None:
            self._tell("that message is not there any more")
            return
        self._scrollback.to_index(index)
        self._back = back

    @staticmethod
    def _index(room: RoomView, seq: int) -> int | None:
        """The index of the line with that seq; None where it is not loaded."""
        index = room.after(seq - 1)
        line = room.lines[index] if seq and index < len(room.lines) else None
        return index if isinstance(line, Entry) and line.seq == seq else None

    def back(self) -> None:
        """To where one was before the first jump."""
        spot, self._back = self._back, None
        if spot is not None:
            self.return_to(spot)

    def return_to(self, spot: Spot) -> None:
        """Shows a place again, as it was."""
        room = self._model.rooms.get(spot.room)
        if room is None:
            if spot.room:
                self._tell("you are not in that room any more")
            return
        if room.number != self._model.current:
            self._go_to(room.number)
        self._scrollback.return_to(room, spot.anchor)
