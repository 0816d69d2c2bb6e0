"""The painter: frames to the terminal, a line at a time, past prompt_toolkit's renderer.

prompt_toolkit calls it where it would draw cell by cell. A line that looks as it did is not sent
again; another one is erased and sent whole, so nothing of what was there can stay behind. What the
terminal is told to do (other screen, paste marks, mouse, focus) is told here, and taken back here.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.output import Output
from prompt_toolkit.renderer import Renderer
from prompt_toolkit.styles import DummyStyle

from ipcchat.paint.theme import Theme
from ipcchat.terminal.frame import Frame, Line
from ipcchat.terminal.outlet import Outlet

__all__ = ["Painter"]

_BEGIN, _END = "\x1b[?2026h\x1b[?25l\x1b[?7l", "\x1b[0m\x1b[?25h\x1b[?2026l"
"""Around what is drawn: shown at once where the terminal can, no cursor, no wrapping."""
_ENTER = "\x1b[?1049h\x1b[H\x1b[?2004h\x1b[?1l"
"""The other screen, marked pastes, cursor keys as they are."""
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?2004l\x1b[?1049l"
_MOUSE_ON = "\x1b[?1000h\x1b[?1006h"
"""Buttons and the wheel, told in the form that has no bound."""
_MOUSE_OFF = "\x1b[?1006l\x1b[?1000l"


class Painter(Renderer):
    """What `Application.renderer` is. `frame(columns, lines)` says what to show."""

    def __init__(
        self,
        output: Output,
        frame: Callable[[int, int], Frame],
        theme: Callable[[], Theme],
        mouse: Callable[[], bool],
        clicked: Callable[[MouseEvent], None],
        modes: Callable[[bool], str],
        drained: Callable[[], None],
    ) -> None:
        """`modes`: more escapes to send when the screen is entered (true) and left. `drained`: the
        terminal has caught up, and may be drawn on."""
        self._frame = frame
        self._theme = theme
        self._mouse = mouse
        self._clicked = clicked
        self._modes = modes
        self._inside = False
        self._listening = False
        self._shown: list[Line] = []
        self._cursor = (-1, -1)
        self._drawn_with: tuple[Theme, int, int] | None = None
        self._bare = False
        self._outlet = Outlet(output, drained)
        super().__init__(DummyStyle(), output, full_screen=True)

    def render(self, app: Any, layout: Any, is_done: bool = False) -> None:
        """Draws what changed since the last time; nothing while the terminal lags behind."""
        if self._outlet.waits:
            return
        size = self.output.get_size()
        theme = self._theme()
        frame = self._frame(size.columns, size.rows)
        sent = self._enter()
        drawn_with = (theme, size.columns, size.rows)
        if drawn_with != self._drawn_with or self._bare or frame.bare is not None:
            self._shown = []
            self._drawn_with = drawn_with
        if frame.bare is not None:
            if not self._bare:
                self._bare = True
                sent += "\x1b[0m\x1b[?7h\x1b[H\x1b[2J" + "\r\n".join(frame.bare)
        else:
            self._bare = False
            sent += self._lines(frame, theme)
        if sent:
            self._outlet.send(sent)

    def _lines(self, frame: Frame, theme: Theme) -> str:
        """What makes the screen look like the frame; empty where it does."""
        shown = self._shown
        parts = [] if shown else ["\x1b[0m\x1b[2J"]
        known = len(shown)
        for y, line in enumerate(frame.lines):
            if y < known and (shown[y] is line or shown[y] == line):
                continue
            parts.append(f"\x1b[{y + 1};1H\x1b[0m\x1b[2K")
            for left, limit, row in line:
                if left:
                    parts.append(f"\x1b[{left + 1}G")
                parts.append(row.draw(theme, left, limit))
        if not parts and frame.cursor == self._cursor:
            return ""
        self._shown, self._cursor = frame.lines, frame.cursor
        column, y = frame.cursor
        return f"{_BEGIN}{''.join(parts)}\x1b[{y + 1};{column + 1}H{_END}"

    def send(self, escape: str) -> None:
        """Sends an escape at once, between two drawings."""
        self._outlet.send(escape)

    def _enter(self) -> str:
        """What has to be sent before anything is drawn."""
        sent = ""
        if not self._inside:
            self._inside = True
            sent = _ENTER + self._modes(True)
            handlers = MouseHandlers()
            handlers.mouse_handlers = defaultdict(lambda: defaultdict(lambda: self._heard))
            self.mouse_handlers = handlers
        if self._mouse() != self._listening:
            self._listening = not self._listening
            sent += _MOUSE_ON if self._listening else _MOUSE_OFF
        return sent

    def _heard(self, event: MouseEvent) -> None:
        self._clicked(event)

    # --- what prompt_toolkit calls besides --------------------------------------------

    def reset(self, _scroll: bool = False, leave_alternate_screen: bool = True) -> None:
        """Forgets what is shown; leaves the screen, unless told not to."""
        self._shown = []
        self._bare = False
        if leave_alternate_screen and self._inside:
            self._inside = False
            mouse = _MOUSE_OFF if self._listening else ""
            self._listening = False
            self._outlet.send(mouse + self._modes(False) + _LEAVE)
            self._outlet.end()

    def erase(self, leave_alternate_screen: bool = True) -> None:
        """The same: for another program to use the terminal, or for another size."""
        self.reset(leave_alternate_screen=leave_alternate_screen)

    def clear(self) -> None:
        """The next drawing is of everything."""
        self._shown = []
        self._bare = False

    def request_absolute_cursor_position(self) -> None:
        """The screen is always the whole one."""

    @property
    def rows_above_layout(self) -> int:
        """None: for the mouse, too."""
        return 0
