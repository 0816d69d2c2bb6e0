"""The quick switcher on the screen: rooms by some letters of their names."""

from collections.abc import Callable

from ipcchat.client.model import Model
from ipcchat.paint.row import Part, Row, clipped, row
from ipcchat.tui.modes import NAMED, Quiet
from ipcchat.tui.picker import Candidate, Choice, Picker, parts

__all__ = ["Switching"]

_MOST = 8
"""Choices that show."""


class Switching(Quiet):
    """A mode (see `modes`). `go_to` shows the room that was chosen."""

    def __init__(self, model: Model, go_to: Callable[[int], None], end: Callable[[], None]) -> None:
        self._model = model
        self._go_to = go_to
        self._end = end
        self._picker = Picker(self._candidates())
        self._deeds: dict[str, Callable[[], None]] = {
            "enter": self._go,
            "escape": end,
            "c-c": end,
            "up": lambda: self._picker.move(-1),
            "c-p": lambda: self._picker.move(-1),
            "s-tab": lambda: self._picker.move(-1),
            "down": lambda: self._picker.move(1),
            "c-n": lambda: self._picker.move(1),
            "tab": lambda: self._picker.move(1),
            "c-g": lambda: self._picker.move(1),
            "backspace": self._picker.backspace,
            "c-w": self._picker.clear_word,
            "c-u": self._clear,
        }

    def _candidates(self) -> list[Candidate]:
        return [
            Candidate(
                room.name,
                room.number,
                room.unread,
                room.mentions,
                room.number == self._model.current,
            )
            for room in self._model.rooms.values()
        ]

    def press(self, key: str, data: str) -> None:
        key = NAMED.get(key, key)
        if key in self._deeds:
            self._deeds[key]()
        elif data.isprintable():
            self._picker.type(data)

    def _clear(self) -> None:
        self._picker.query = ""

    def _go(self) -> None:
        chosen = self._picker.selected
        self._end()
        if chosen is not None:
            self._go_to(chosen.number)

    def prompt(self) -> tuple[str, str] | None:
        return "room: ", self._picker.query

    def panel(self, width: int, height: int) -> list[Row]:
        """The choices, the best at the top, the selected one among them."""
        self._picker.update(self._candidates())
        choices, index = self._picker.choices, self._picker.index
        height = min(height, _MOST)
        if not choices:
            return [row(("notice", "  no such room"[:width]))][:height]
        first = max(0, index - height + 1)
        return [
            _shown(choice, width, place == index)
            for place, choice in enumerate(choices[first : first + height], first)
        ]


def _shown(choice: Choice, width: int, selected: bool) -> Row:
    """`> #lab  2 mentions, 5 new`; the letters that fit stand out."""
    style = "pick" if selected else ""
    made: list[Part] = [(style, "> " if selected else "  ")]
    for text, fits in parts(choice.candidate.name, choice.positions):
        made.append((f"{style} own".strip() if fits else style, text))
    item = choice.candidate
    counts = [f"{item.mentions} mention{'s' * (item.mentions != 1)}"] if item.mentions else []
    counts += [f"{item.unread} new"] if item.unread else []
    if counts:
        made.append((style, f"  {', '.join(counts)}"))
    return row(*clipped(made, width))
