"""Going places: from room to room, to what is new, to who named one."""

from collections.abc import Callable

from ipcchat.client.model import Model, RoomView
from ipcchat.entries import Entry
from ipcchat.tui.scrollback import Anchor, Scrollback

__all__ = ["Places"]

_LOOKED_AT = 100_000
"""Lines among which a mention is looked for: about a twentieth of a second."""
_STRETCH = 500
"""Lines that are looked at together."""


class Places:
    """Where one can go. `go_to` shows a room; `tell` says why one stays."""

    def __init__(
        self,
        model: Model,
        scrollback: Scrollback,
        go_to: Callable[[int], None],
        tell: Callable[[str], None],
    ) -> None:
        self._model = model
        self._scrollback = scrollback
        self._go_to = go_to
        self._tell = tell
        self._found: tuple[int, Anchor | None, int] | None = None
        """The mention gone to last: room, the place then, the line's key."""

    def step(self, count: int) -> None:
        """The next room (1), or the one before (-1)."""
        order = list(self._model.rooms)
        if order:
            current = self._model.current
            index = order.index(current) if current in order else 0
            self._go_to(order[(index + count) % len(order)])

    def number(self, number: int) -> None:
        """The room that the lists call by that number."""
        order = list(self._model.rooms)
        if number <= len(order):
            self._go_to(order[number - 1])

    def activity(self) -> None:
        """The next room with a mention, else the next one with a message; in the only one, what is
        new there."""
        order = list(self._model.rooms.values())
        here = next((at for at, room in enumerate(order) if room.number == self._model.current), 0)
        others = [room for room in order[here + 1 :] + order[:here] if room.unread]
        if others:
            self._go_to(next((room for room in others if room.mentions), others[0]).number)
        elif order and order[here].unread:
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
            start = self._found[2] - room.first_key
        end = len(room.lines) if direction > 0 else -1
        places = range(start + direction, end, direction)[:_LOOKED_AT]
        for at in range(0, len(places), _STRETCH):
            index = self._mentioned(room, places[at : at + _STRETCH])
            if index is not None:
                self._scrollback.to_index(index)
                key = room.first_key + index
                self._found = (room.number, self._scrollback.anchor(room), key)
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
