"""Search as one types, on the screen: the talk follows to what is found."""

import asyncio
from collections.abc import Callable

from ipcchat.client.model import Model
from ipcchat.client.room import RoomView
from ipcchat.paint.rows import RowMaker
from ipcchat.tui.finder import Finder, spans
from ipcchat.tui.modes import NAMED, Quiet
from ipcchat.tui.scrollback import Scrollback

__all__ = ["Finding"]

_BUDGET = 0.003
"""Seconds of searching in a turn of the loop: no key waits longer."""


class Finding(Quiet):
    """A mode (see `modes`). Enter stays at what was found, Esc goes back to where one was."""

    def __init__(
        self,
        model: Model,
        room: RoomView,
        scrollback: Scrollback,
        maker: RowMaker,
        draw: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        self._model = model
        self._room = room
        self._scrollback = scrollback
        self._maker = maker
        self._draw = draw
        self._end = end
        self._before = scrollback.anchor(room)
        bottom = room.first_key + scrollback.place(room)
        self._finder = Finder(room, bottom, lambda entry: not model.ignores(entry))
        self._shown: int | None = None
        self._turn: asyncio.Handle | None = None
        self._deeds: dict[str, Callable[[], None]] = {
            "enter": self._stay,
            "escape": self._back,
            "c-c": self._back,
            "c-s": lambda: self._finder.again(-1),
            "up": lambda: self._finder.again(-1),
            "c-p": lambda: self._finder.again(-1),
            "c-r": lambda: self._finder.again(1),
            "down": lambda: self._finder.again(1),
            "c-n": lambda: self._finder.again(1),
            "pageup": lambda: scrollback.page(-1),
            "pagedown": lambda: scrollback.page(1),
            "backspace": self._finder.backspace,
            "c-u": self._clear,
        }

    def press(self, key: str, data: str) -> None:
        key = NAMED.get(key, key)
        if key in self._deeds:
            self._deeds[key]()
        elif data.isprintable():
            self._finder.type(data)
        if self._turn is None and self._model.current == self._room.number:
            self._search()

    def _search(self) -> None:
        """A slice of the work, and the rest in later turns; shows what is found."""
        self._turn = None
        if not self._finder.step(_BUDGET):
            self._turn = asyncio.get_running_loop().call_soon(self._search)
        self._maker.mark(self._finder.query, spans)
        found = self._finder.position
        if found is not None and found != self._shown:
            self._scrollback.to_index(found - self._room.first_key)
        self._shown = found
        self._draw()

    def _clear(self) -> None:
        self._finder.query = ""

    def _stay(self) -> None:
        self._leave()

    def _back(self) -> None:
        self._scrollback.return_to(self._room, self._before)
        self._leave()

    def _leave(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
        self._finder = Finder(self._room, 0)
        self._maker.mark("", spans)
        self._end()

    def prompt(self) -> tuple[str, str] | None:
        finder = self._finder
        if not finder.done:
            label = "searching: "
        elif finder.query and finder.position is None:
            label = "not found in what is loaded: "
        elif finder.wrapped:
            label = "search, from the other end: "
        else:
            label = "search: "
        return label, finder.query
