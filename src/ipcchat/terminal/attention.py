"""What a message that deserves attention does to the terminal, and the window's title.

The rules of this file:

- While the window has the focus nothing sounds. Before the terminal has told, and where it never
  tells, there is the bell and nothing that would cover what somebody reads.
- One alert in `INTERVAL`. What comes meanwhile is counted, and told in one summary at its end.
- What others wrote leaves this file as one printable line: no control character, no `;`.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from ipcchat.errors import IpcchatError
from ipcchat.terminal.hook import Hook
from ipcchat.terminal.replies import TITLE_POP, TITLE_PUSH
from ipcchat.text import clean_line

if TYPE_CHECKING:
    from ipcchat.client.model import Model

__all__ = ["INTERVAL", "MAX_PAYLOAD", "Attention", "Timer", "kind_of", "window_title"]

INTERVAL = 3.0
"""Seconds between alerts: about as long as one takes to look, and most desktops show one."""
MAX_PAYLOAD = 200
"""Characters of a title or text: desktops show no more of it."""

_NAMED = 3
"""Rooms that a summary names."""
_CHUNK = 512
"""Bytes of one of GNU screen's pass-through strings, which older versions cut at 768."""

# The variable, what it begins with, the kind. TERM_PROGRAM and TERM are of the terminal one looks
# at; the others are inherited, also through tmux, which replaces both.
_TERMINALS = (
    ("TERM_PROGRAM", "iTerm.app", "osc9"),
    ("TERM_PROGRAM", "ghostty", "osc9"),
    ("TERM_PROGRAM", "WezTerm", "osc9"),
    ("TERM", "xterm-kitty", "osc99"),
    ("TERM", "xterm-ghostty", "osc9"),
    ("TERM", "wezterm", "osc9"),
    ("TERM", "foot", "osc777"),
    ("TERM", "rxvt-unicode", "osc777"),
    ("KITTY_WINDOW_ID", "", "osc99"),
    ("GHOSTTY_RESOURCES_DIR", "", "osc9"),
    ("WEZTERM_PANE", "", "osc9"),
    ("LC_TERMINAL", "iTerm2", "osc9"),
)

_UNTITLED = frozenset(("", "dumb", "linux"))
"""Values of TERM where there is no window."""


def kind_of(environ: Mapping[str, str]) -> str:
    """What `auto` means in this terminal: `osc9`, `osc777` or `osc99`; `bell` where unknown."""
    for variable, start, kind in _TERMINALS:
        if (value := environ.get(variable, "")) and value.startswith(start):
            return kind
    return "bell"


def window_title(room: str, unread: int, mentions: int) -> str:
    """`(3) #lab – ipcchat`: what is unread in all rooms, or the mentions among it: `(2!)`."""
    count = f"({mentions}!) " if mentions else f"({unread}) " if unread else ""
    return f"{count}{room} – ipcchat" if room else f"{count}ipcchat"


class Timer(Protocol):
    """What `call_later` of a loop gives."""

    def cancel(self) -> None: ...


def _call_later(seconds: float, callback: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, callback)


class Attention:
    """Owns whether the window has the focus, the alerts that wait, and the title that shows.

    `kind`, `command` and `title` are the settings `notify`, `notify_command` and `title`; `write`
    sends to the terminal at once; `clock` gives seconds and never goes back; `later` is a loop's
    `call_later`. `failed` hears once, until `configure`, what is wrong with the command; where it
    can't be run, the bell stands in from the next alert on.
    """

    def __init__(
        self,
        kind: str = "auto",
        command: str = "",
        title: bool = True,
        *,
        environ: Mapping[str, str] = os.environ,
        write: Callable[[str], object],
        failed: Callable[[IpcchatError], object],
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], Timer] = _call_later,
    ) -> None:
        self._environ = environ
        self._write = write
        self._failed = failed
        self._clock = clock
        self._later = later
        self._focused: bool | None = None
        self._due = clock()
        """When the next alert may be."""
        self._waiting = 0
        self._rooms: dict[str, None] = {}
        """Where those that wait were said, in the order of the first of each."""
        self._timer: Timer | None = None
        self._number = 0
        self._begun = False
        self._shown = ""
        """The title that was last asked for."""
        self._hook = Hook(failed, environ)
        self.configure(kind, command, title)

    def configure(self, kind: str, command: str, title: bool) -> None:
        """Other settings from now on. What is wrong with the command is told when it is needed.

        The title goes at once where it is not wanted any more, and comes with `begin`.
        """
        self._kind = kind_of(self._environ) if kind == "auto" else kind
        self._hook.configure(command)
        self._titled = title and self._environ.get("TERM", "") not in _UNTITLED
        if self._begun and not self._titled:
            self.end()

    def focus(self, focused: bool) -> None:
        """The terminal told whether the window has the focus. What waits has been seen with it."""
        self._focused = focused
        if focused:
            self._forget()

    def alert(self, title: str, text: str, room: str = "") -> None:
        """Somebody said something in `room` that deserves attention: sounds now, waits, or not.

        Nothing needs to be safe: all three are what others wrote.
        """
        if self._focused or self._kind == "off":
            return
        now = self._clock()
        if self._timer is not None or now < self._due or self._hook.running:
            self._waiting += 1
            self._rooms[room] = None
            if self._timer is None:
                wait = self._due - now if now < self._due else INTERVAL
                self._timer = self._later(wait, self._summarize)
            return
        self._sound(title, text, room)

    async def close(self) -> None:
        """Nothing sounds any more; a command that still runs is killed."""
        self._kind = "off"
        self._forget()
        await self._hook.close()

    # --- alerts -----------------------------------------------------------------------

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._waiting = 0
        self._rooms.clear()

    def _summarize(self) -> None:
        """The end of an interval: what came during it is told at once."""
        if self._hook.running:
            self._timer = self._later(INTERVAL, self._summarize)
            return
        rooms = [room for room in self._rooms if room]
        named = ", ".join(rooms[:_NAMED]) + (" and others" if len(rooms) > _NAMED else "")
        text = f"{self._waiting:,} more" + (f" in {named}" if named else "")
        room = rooms[0] if len(rooms) == 1 else ""
        self._forget()
        if self._kind != "off":
            self._sound("ipcchat", text, room)

    def _sound(self, title: str, text: str, room: str) -> None:
        self._due = self._clock() + INTERVAL
        # A command says itself what it does, and covers nothing.
        unknown = self._focused is None and self._kind != "command"
        kind = "bell" if unknown else self._kind
        title, text = _payload(title), _payload(text)
        if kind == "command" and self._hook.run(title, text, _payload(room)):
            return
        notice = self._notice(kind, title, text)
        # Whether a multiplexer lets anything through is its user's choice: the bell always comes.
        if not notice:
            self._write("\a")
        elif self._environ.get("TMUX"):
            self._write(_through_tmux(notice) + "\a")
        elif self._environ.get("STY"):
            self._write(_through_screen(notice) + "\a")
        else:
            self._write(notice)

    def _notice(self, kind: str, title: str, text: str) -> str:
        """The sequence of a desktop notification, ended by BEL: GNU screen's pass-through would
        end at a string terminator."""
        match kind:
            case "osc9":  # iTerm2, "Proprietary Escape Codes"
                return f"\x1b]9;{_payload(f'{title}: {text}' if title else text)}\a"
            case "osc777":  # rxvt-unicode's extension "notify"
                return f"\x1b]777;notify;{title};{text}\a"
            case "osc99":  # kitty, "Desktop notifications"
                self._number += 1
                head = f"\x1b]99;i=ipcchat-{self._number}:o=unfocused"
                return f"{head}:d=0:p=title;{title}\a{head}:d=1:p=body;{text}\a"
        return ""

    # --- the window's title -----------------------------------------------------------

    def begin(self) -> None:
        """Takes the window's title: the terminal keeps the one it had. After `end`, too."""
        if self._titled and not self._begun:
            self._begun = True
            self._write(TITLE_PUSH)
            if self._shown:
                self._set(self._shown)

    def title(self, model: "Model") -> None:
        """Shows the current room and what is unread, where that has changed."""
        rooms = model.rooms.values()
        current = model.rooms.get(model.current)
        title = window_title(
            current.name if current else "",
            sum(room.unread for room in rooms),
            sum(room.mentions for room in rooms),
        )
        if title != self._shown:
            self._shown = title
            if self._begun:
                self._set(title)

    def end(self) -> None:
        """Gives the window its title back."""
        if self._begun:
            self._begun = False
            self._write(TITLE_POP)

    def _set(self, title: str) -> None:
        self._write(f"\x1b]2;{clean_line(title)}\a")


def _payload(text: str) -> str:
    """One line of at most `MAX_PAYLOAD` characters; `;`, which separates fields, becomes `,`."""
    # Cleaned again after the cut, which may have left half an emoji. The first cut bounds the work.
    line = clean_line(text[: 8 * MAX_PAYLOAD]).strip().replace(";", ",")
    return line if len(line) <= MAX_PAYLOAD else clean_line(line[: MAX_PAYLOAD - 1]) + "…"


def _through_tmux(notice: str) -> str:
    """For the terminal around tmux (its manual, `allow-passthrough`)."""
    return "\x1bPtmux;" + notice.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _through_screen(notice: str) -> str:
    """For the terminal around GNU screen (its manual, "Control Sequences": DCS)."""
    return "".join(f"\x1bP{chunk}\x1b\\" for chunk in _chunks(notice))


def _chunks(text: str) -> Iterator[str]:
    """Stretches of at most `_CHUNK` bytes of UTF-8; no character is cut."""
    start = size = 0
    for at, char in enumerate(text):
        width = len(char.encode())
        if size + width > _CHUNK:
            yield text[start:at]
            start, size = at, 0
        size += width
    yield text[start:]
