"""The keys, as rows: what prompt_toolkit calls them, what people do, and what they are for.

What readline knows (Ctrl+A, Ctrl+K, Ctrl+R, Alt+B …) stays as it is. Alt works as Esc, then the
key; each Alt key has another way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from prompt_toolkit.filters import Condition, FilterOrBool
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from ipcchat.tui.keymap import Keys, rebound, shown
from ipcchat.tui.screen import ChatScreen

__all__ = ["KEYS", "Key", "bindings", "bound", "help_table"]


@dataclass(frozen=True, slots=True)
class Key:
    """A row: the same deed may have several keys."""

    deed: str
    """What the settings call it by."""
    keys: tuple[Keys, ...]
    """In prompt_toolkit's words."""
    help: str
    do: Callable[[ChatScreen], None]
    when: str = ""
    """Only while: `empty` (the input is), `failed` (so it is, and a line was not sent), `away` (one
    came from the results, or a search goes on); then it does not wait for a second key."""

    @property
    def shown(self) -> str:
        """The keys as people know them."""
        return ", ".join(map(shown, self.keys))


def _to_number(number: int) -> Callable[[ChatScreen], None]:
    return lambda screen: screen.places.number(number)


_NUMBERS = tuple(
    Key(
        f"room-{number}",
        (("escape", str(number)),),
        f"room {number} (or /join, Ctrl+G)",
        _to_number(number),
    )
    for number in range(1, 10)
)

KEYS: tuple[Key, ...] = (
    Key("send", (("enter",),), "send the line", lambda s: s.saying.enter()),
    Key(
        "newline",
        (("escape", "enter"), ("c-j",)),
        "a new line in the input",
        lambda s: s.editor.insert("\n"),
    ),
    Key(
        "complete",
        (("tab",),),
        "complete a command, a nick, a room",
        lambda s: s.editor.complete(1),
    ),
    Key("complete-back", (("s-tab",),), "the completion before", lambda s: s.editor.complete(-1)),
    Key("earlier-input", (("up",),), "what was typed before", lambda s: s.editor.buffer.auto_up()),
    Key("later-input", (("down",),), "what was typed after", lambda s: s.editor.buffer.auto_down()),
    Key("editor", (("c-x", "c-e"),), "edit the input in your own editor", lambda s: s.edit()),
    Key("next-room", (("c-n",),), "the next room", lambda s: s.places.step(1)),
    Key("previous-room", (("c-p",),), "the room before", lambda s: s.places.step(-1)),
    *_NUMBERS,
    Key("switch", (("c-g",),), "a room by some letters of its name", lambda s: s.switch()),
    Key(
        "activity",
        (("escape", "a"), ("f4",)),
        "the next room with something new",
        lambda s: s.places.activity(),
    ),
    Key(
        "page-up",
        (("pageup",),),
        "scroll up; at the top it fetches older history",
        lambda s: s.page(-1),
    ),
    Key("page-down", (("pagedown",),), "scroll down", lambda s: s.page(1)),
    Key(
        "top",
        (("escape", "home"), ("c-home",)),
        "the oldest line that is loaded",
        lambda s: s.scrollback.to_top(),
    ),
    Key("bottom", (("escape", "end"), ("c-end",)), "the newest line", lambda s: s.to_tail()),
    Key(
        "unread",
        (("escape", "u"), ("f5",)),
        "the first new line",
        lambda s: s.spawn(s.to_unread()),
    ),
    Key(
        "previous-mention",
        (("escape", "p"), ("f2",)),
        "the mention before",
        lambda s: s.places.mention(-1),
    ),
    Key(
        "next-mention",
        (("escape", "n"), ("f3",)),
        "the next mention",
        lambda s: s.places.mention(1),
    ),
    Key("search", (("c-s",),), "search the loaded lines as you type", lambda s: s.search()),
    Key(
        "results",
        (("escape", "s"), ("f12",)),
        "what `/search` found, as you left it (or /search)",
        lambda s: s.spawn(s.reopen()),
    ),
    Key(
        "back",
        (("escape",),),
        "from a result: back to where you were; ends a search that goes on",
        lambda s: s.searches.back(),
        "away",
    ),
    Key(
        "bare",
        (("escape", "l"), ("f6",)),
        "the talk alone, to copy from; any key returns",
        lambda s: s.show_bare(),
    ),
    Key(
        "mouse",
        (("escape", "m"), ("f9",)),
        "the mouse, on and off",
        lambda s: s.saying.submit("/mouse"),
    ),
    Key("help", (("f1",),), "help", lambda s: s.saying.submit("/help")),
    Key("rooms", (("f7",),), "the list of rooms, on and off", lambda s: s.panes.toggle("rooms")),
    Key(
        "members",
        (("f8",),),
        "the list of members, on and off",
        lambda s: s.panes.toggle("members"),
    ),
    Key(
        "discard",
        (("delete",),),
        "discard a line that was not sent",
        lambda s: s.saying.discard(),
        "failed",
    ),
    Key(
        "clear",
        (("c-c",),),
        "clear the input (Up brings it back); never quits",
        lambda s: s.editor.clear(),
    ),
    Key(
        "quit",
        (("c-d",),),
        "quit, where the input is empty",
        lambda s: s.saying.submit("/quit"),
        "empty",
    ),
    Key("redraw", (("c-l",),), "draw the screen again", lambda s: s.redraw()),
    Key("suspend", (("c-z",),), "put the program in the background", lambda s: s.suspend()),
)
"""Every key that is not readline's, in the order of `/keys`."""


def bound(changes: Mapping[str, str]) -> tuple[Key, ...]:
    """The rows with the keys that the user chose: deed → keys (see `keymap`).

    Raises SettingError.
    """
    return tuple(replace(row, keys=keys) for row, keys in rebound(KEYS, changes))


def bindings(rows: Sequence[Key], screen: ChatScreen) -> KeyBindings:
    """The rows as prompt_toolkit has them; they rest while a mode has the keys."""
    made = KeyBindings()
    calm = Condition(lambda: screen.panes.mode is None and not screen.searching)
    filters: dict[str, FilterOrBool] = {
        "": calm,
        "empty": calm & Condition(lambda: not screen.editor.text),
        "failed": calm
        & Condition(lambda: not screen.editor.text and screen.saying.failed() is not None),
        "away": calm & Condition(lambda: screen.places.jumped or screen.saying.seeking),
    }
    # Alt comes as Esc and a key at once: such a key waits already.
    alone = Condition(lambda: not screen.app.key_processor.input_queue)

    def press(do: Callable[[ChatScreen], None], event: KeyPressEvent) -> None:
        do(screen)

    for row in rows:
        for keys in row.keys:
            eager = alone if row.when == "away" else False
            made.add(*keys, filter=filters[row.when], eager=eager)(partial(press, row.do))

    @made.add("<bracketed-paste>", filter=calm)
    def _paste(event: KeyPressEvent) -> None:
        screen.saying.paste(event.data)

    held = Condition(lambda: screen.panes.mode is not None)

    @made.add("<any>", filter=held, eager=True)
    @made.add("escape", filter=held, eager=True)
    @made.add("enter", filter=held, eager=True)
    @made.add("c-c", filter=held, eager=True)
    @made.add("<bracketed-paste>", filter=held, eager=True)
    def _held(event: KeyPressEvent) -> None:
        mode = screen.panes.mode
        if mode is not None:
            pressed = event.key_sequence[0]
            mode.press(str(getattr(pressed.key, "value", pressed.key)), pressed.data)

    return made


def help_table() -> str:
    """The keys as a table in Markdown."""
    lines = ["| key | what it does | name |", "|---|---|---|"]
    for row in KEYS:
        if row not in _NUMBERS:
            lines.append(f"| {row.shown} | {row.help} | `{row.deed}` |")
        elif row is _NUMBERS[0]:
            lines.append(
                "| Alt+1 … Alt+9 | the room of that number (or `/join`, Ctrl+G) | `room-1` … |"
            )
    return "\n".join(lines) + "\n"
