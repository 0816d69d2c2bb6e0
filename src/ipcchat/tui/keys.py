"""The keys, as rows: what prompt_toolkit calls them, what people do, and what they are for.

What readline knows (Ctrl+A, Ctrl+K, Ctrl+R, Alt+B …) stays as it is. Alt works as Esc, then the
key; each Alt key has another way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from prompt_toolkit.filters import Condition, FilterOrBool
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from ipcchat.tui.screen import ChatScreen

__all__ = ["KEYS", "Key", "bindings", "help_table"]


@dataclass(frozen=True, slots=True)
class Key:
    """A row: the same deed may have several keys."""

    keys: tuple[tuple[str, ...], ...]
    """In prompt_toolkit's words."""
    shown: str
    help: str
    do: Callable[[ChatScreen], None]
    when: str = ""
    """Only while: `empty` (the input is), `failed` (so it is, and a line was not sent)."""


def _to_number(number: int) -> Callable[[ChatScreen], None]:
    return lambda screen: screen.go_to_number(number)


_NUMBERS = tuple(
    Key(
        (("escape", str(number)),),
        f"Alt+{number}",
        f"room {number} (or /join)",
        _to_number(number),
    )
    for number in range(1, 10)
)

KEYS: tuple[Key, ...] = (
    Key((("enter",),), "Enter", "send the line", lambda s: s.enter()),
    Key(
        (("escape", "enter"), ("c-j",)),
        "Alt+Enter, Ctrl+J",
        "a new line in the input",
        lambda s: s.editor.insert("\n"),
    ),
    Key((("tab",),), "Tab", "complete a command, a nick, a room", lambda s: s.editor.complete(1)),
    Key((("s-tab",),), "Shift+Tab", "the completion before", lambda s: s.editor.complete(-1)),
    Key((("up",),), "Up", "what was typed before", lambda s: s.editor.buffer.auto_up()),
    Key((("down",),), "Down", "what was typed after", lambda s: s.editor.buffer.auto_down()),
    Key((("c-n",),), "Ctrl+N", "the next room", lambda s: s.go(1)),
    Key((("c-p",),), "Ctrl+P", "the room before", lambda s: s.go(-1)),
    *_NUMBERS,
    Key(
        (("escape", "a"), ("f4",)),
        "Alt+A, F4",
        "the next room with something new",
        lambda s: s.go_to_activity(),
    ),
    Key(
        (("pageup",),),
        "PgUp",
        "scroll up; at the top it fetches older history",
        lambda s: s.scrollback.page(-1),
    ),
    Key((("pagedown",),), "PgDn", "scroll down", lambda s: s.scrollback.page(1)),
    Key(
        (("escape", "home"), ("c-home",)),
        "Alt+Home, Ctrl+Home",
        "the oldest line that is loaded",
        lambda s: s.scrollback.to_top(),
    ),
    Key(
        (("escape", "end"), ("c-end",)),
        "Alt+End, Ctrl+End",
        "the newest line",
        lambda s: s.to_tail(),
    ),
    Key((("escape", "u"), ("f5",)), "Alt+U, F5", "the first new line", lambda s: s.to_unread()),
    Key((("f1",),), "F1", "help", lambda s: s.submit("/help")),
    Key((("f7",),), "F7", "the list of rooms, on and off", lambda s: s.toggle("rooms")),
    Key((("f8",),), "F8", "the list of members, on and off", lambda s: s.toggle("members")),
    Key((("delete",),), "Del", "discard a line that was not sent", lambda s: s.discard(), "failed"),
    Key(
        (("c-c",),),
        "Ctrl+C",
        "clear the input (Up brings it back); never quits",
        lambda s: s.editor.clear(),
    ),
    Key(
        (("c-d",),),
        "Ctrl+D",
        "quit, where the input is empty",
        lambda s: s.submit("/quit"),
        "empty",
    ),
    Key((("c-l",),), "Ctrl+L", "draw the screen again", lambda s: s.redraw()),
    Key((("c-z",),), "Ctrl+Z", "put the program in the background", lambda s: s.suspend()),
)
"""Every key that is not readline's, in the order of `/keys`."""


def bindings(screen: ChatScreen) -> KeyBindings:
    """The rows as prompt_toolkit has them; they rest while a question is asked."""
    made = KeyBindings()
    calm = Condition(lambda: screen.question is None and not screen.searching)
    filters: dict[str, FilterOrBool] = {
        "": calm,
        "empty": calm & Condition(lambda: not screen.editor.text),
        "failed": calm & Condition(lambda: not screen.editor.text and screen.failed() is not None),
    }

    def press(do: Callable[[ChatScreen], None], event: KeyPressEvent) -> None:
        do(screen)

    for row in KEYS:
        for keys in row.keys:
            made.add(*keys, filter=filters[row.when])(partial(press, row.do))

    @made.add("<bracketed-paste>", filter=calm)
    def _paste(event: KeyPressEvent) -> None:
        screen.paste(event.data)

    asked = Condition(lambda: screen.question is not None)

    @made.add("<any>", filter=asked, eager=True)
    @made.add("escape", filter=asked, eager=True)
    @made.add("enter", filter=asked, eager=True)
    @made.add("c-c", filter=asked, eager=True)
    def _answer(event: KeyPressEvent) -> None:
        screen.answer(event.key_sequence[0].data)

    @made.add("<bracketed-paste>", filter=asked, eager=True)
    def _nothing(event: KeyPressEvent) -> None:
        pass

    return made


def help_table() -> str:
    """The keys as a table in Markdown."""
    lines = ["| key | what it does |", "|---|---|"]
    for row in KEYS:
        if row not in _NUMBERS:
            lines.append(f"| {row.shown} | {row.help} |")
        elif row is _NUMBERS[0]:
            lines.append("| Alt+1 … Alt+9 | the room of that number (or `/join`) |")
    return "\n".join(lines) + "\n"
