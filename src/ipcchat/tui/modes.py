"""Modes: while one is on, it has all keys. A question, the switcher, the bare view; the search as
one types and the results of `/search` have modules of their own.

A mode ends by itself: `end` was handed to it. Each draws a panel above the input, or what stands
in the input's place; the talk stays in sight.
"""

from collections.abc import Callable
from typing import Protocol

from ipcchat.actions.question import Question
from ipcchat.client.model import Model
from ipcchat.paint import bars
from ipcchat.paint.cells import clip
from ipcchat.paint.row import Part, Row, clipped, row
from ipcchat.tui.picker import Candidate, Choice, Picker, parts

__all__ = ["NAMED", "Asking", "Bare", "Listed", "Mode", "Quiet", "Switching"]

NAMED = {"c-m": "enter", "c-i": "tab", "c-h": "backspace"}
"""What prompt_toolkit calls some keys → what people do."""
_MOST = 8
"""Rooms that the switcher shows."""


class Mode(Protocol):
    """What has the keys."""

    def press(self, key: str, data: str) -> None:
        """A key: what prompt_toolkit calls it, and what it types; a paste is a `data` of many."""

    def panel(self, width: int, height: int) -> list[Row]:
        """Rows above the input, at most so many."""

    def prompt(self) -> tuple[str, str] | None:
        """What stands in the input's place: a label, and what was typed behind it."""

    def bare(self, width: int, height: int) -> list[str] | None:
        """Instead of the whole screen: lines that the terminal wraps."""


class Quiet:
    """A mode that shows nothing."""

    def panel(self, width: int, height: int) -> list[Row]:
        return []

    def prompt(self) -> tuple[str, str] | None:
        return None

    def bare(self, width: int, height: int) -> list[str] | None:
        return None


class Listed(Quiet):
    """A mode with a list, one row of which is selected: Enter chooses it, Esc ends."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._first = 0
        self._deeds: dict[str, Callable[[], None]] = {
            "enter": self.choose,
            "escape": end,
            "c-c": end,
            **dict.fromkeys(("up", "c-p", "s-tab"), lambda: self.move(-1)),
            **dict.fromkeys(("down", "c-n", "tab"), lambda: self.move(1)),
        }

    def choose(self) -> None:
        """The selected row is the one."""
        raise NotImplementedError

    def move(self, by: int) -> None:
        """Selects another row, so many further down or (negative) up."""
        raise NotImplementedError

    def type(self, text: str) -> None:
        """What is typed besides."""

    def press(self, key: str, data: str) -> None:
        key = NAMED.get(key, key)
        if key in self._deeds:
            self._deeds[key]()
        elif data.isprintable():
            self.type(data)

    def window(self, index: int, count: int, height: int) -> range:
        """The rows of the list that show, the selected one among them. What shows moves no further
        than it must."""
        height = max(1, height)
        self._first = min(max(self._first, index - height + 1, 0), index, max(0, count - height))
        return range(self._first, min(count, self._first + height))


class Asking(Quiet):
    """A question; the next key answers."""

    def __init__(self, question: Question, end: Callable[[], None]) -> None:
        self._question = question
        self._end = end

    def press(self, key: str, data: str) -> None:
        if len(data) > 1 and not data.startswith("\x1b"):
            return  # a paste is no answer
        self._end()
        self._question.answers.get(data.lower(), self._question.otherwise)()

    def panel(self, width: int, height: int) -> list[Row]:
        return bars.question(self._question.text, width)[-height:] if height else []


class Bare(Quiet):
    """Only the talk, as lines that can be marked and copied whole; any key ends it."""

    def __init__(self, lines: Callable[[int, int], list[str]], end: Callable[[], None]) -> None:
        self._lines = lines
        self._end = end

    def press(self, key: str, data: str) -> None:
        self._end()

    def bare(self, width: int, height: int) -> list[str] | None:
        return self._lines(width, height)


class Switching(Listed):
    """The quick switcher: rooms by some letters of their names, behind an `@` also people.
    `go_to` shows the room that was chosen, `meet` the one with somebody."""

    def __init__(
        self,
        model: Model,
        go_to: Callable[[int], None],
        meet: Callable[[str], None],
        end: Callable[[], None],
    ) -> None:
        super().__init__(end)
        self._model = model
        self._go_to = go_to
        self._meet = meet
        self._picker = Picker(())
        self._look()
        self._deeds |= {
            "c-g": lambda: self.move(1),
            "backspace": self._picker.backspace,
            "c-w": self._picker.clear_word,
            "c-u": self._clear,
        }

    def _look(self) -> None:
        """Who and what is there may have changed."""
        rooms = [
            Candidate(
                room.name,
                room.number,
                room.unread,
                room.mentions,
                room.number == self._model.current,
            )
            for room in self._model.ordered()
        ]
        people = self._people() if self._picker.query.startswith("@") else []
        self._picker.update([*rooms, *people])

    def _people(self) -> list[Candidate]:
        """Who is known, and has no room with the user yet."""
        rooms = self._model.rooms.values()
        met = {self._model.account, *(room.peer for room in rooms if room.access == "direct")}
        nicks = {
            member.account: member.nick
            for room in rooms
            for member in room.members.values()
            if member.account not in met
        }
        return [Candidate(f"@{nick}", number, kind="person") for number, nick in nicks.items()]

    def press(self, key: str, data: str) -> None:
        super().press(key, data)
        self._look()

    def move(self, by: int) -> None:
        self._picker.move(by)

    def type(self, text: str) -> None:
        self._picker.type(text)

    def _clear(self) -> None:
        self._picker.query = ""

    def choose(self) -> None:
        chosen = self._picker.selected
        self._end()
        if chosen is not None and chosen.kind == "room":
            self._go_to(chosen.number)
        elif name := chosen.name if chosen is not None else self._nick:
            self._meet(name.removeprefix("@"))

    @property
    def _nick(self) -> str:
        """The nick that was typed; empty: it is a room that is looked for."""
        query = self._picker.query.strip()
        return query[1:] if query.startswith("@") else ""

    def prompt(self) -> tuple[str, str] | None:
        return "room: ", self._picker.query

    def panel(self, width: int, height: int) -> list[Row]:
        """The choices, the best at the top, the selected one among them."""
        self._look()
        choices, index = self._picker.choices, self._picker.index
        height = min(height, _MOST)
        if not choices or not height:
            words = f"  Enter asks for {self._nick}" if self._nick else "  no such room"
            return [row(("notice", clip(words, width)))][:height]
        return [
            _shown(choices[place], width, place == index)
            for place in self.window(index, len(choices), height)
        ]


def _shown(choice: Choice, width: int, selected: bool) -> Row:
    """`> #lab  2 mentions, 5 new`; the letters that fit stand out."""
    style = "pick" if selected else ""
    made: list[Part] = [(style, "> " if selected else "  ")]
    for text, fits in parts(choice.candidate.name, choice.positions):
        made.append((f"{style} own".strip() if fits else style, text))
    item = choice.candidate
    named = item.mentions and not item.name.startswith("@")  # what is direct is all for the user
    counts = [f"{item.mentions} mention{'s' * (item.mentions != 1)}"] if named else []
    counts += [f"{item.unread} new"] if item.unread else []
    if counts:
        made.append((style, f"  {', '.join(counts)}"))
    return row(*clipped(made, width))
