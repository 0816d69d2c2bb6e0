"""The shell: the terminal and the input, there before anything else is.

Typing must not wait for what a chat needs besides: the shell imports next to nothing of ours, shows
the input at once, and runs `main`, which brings the rest. Until a screen has taken it, one can type
and leave.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import set_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import DynamicKeyBindings, KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import HSplit, Layout
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.output import Output

from ipcchat.errors import IpcchatError
from ipcchat.paint.row import row
from ipcchat.settings import ClientSettings
from ipcchat.terminal.frame import Frame
from ipcchat.terminal.painter import Painter
from ipcchat.terminal.window import Window
from ipcchat.tui.editor import Editor

__all__ = ["Shell"]

_AHEAD = 10_000
"""Keys that may wait for a screen; those past them are dropped."""
_SOON = 0.01
"""Seconds after the first drawing until `main` may take the loop: a key that waits goes first."""


class Shell:
    """Owns the application of prompt_toolkit, the painter, the window and the input.

    A screen takes it by setting `frame`, `mouse`, `clicked` and the rest, and by `take_keys`.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        input: Input | None = None,
        output: Output | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.environ = environ
        self.editor = Editor()
        self.frame: Callable[[int, int], Frame] = self._first
        self._ahead: list[KeyPress] = []
        """Keys that wait for a screen."""
        self.bindings: KeyBindings = self._first_keys()
        self.mouse = False
        """Whether the terminal tells of the mouse."""
        self.clicked: Callable[[MouseEvent], None] = lambda event: None
        self.focused: Callable[[], None] = lambda: None
        """Called when the window's focus or theme has changed."""
        self.failed: Callable[[IpcchatError], None] = lambda error: None
        """Called with what went wrong beside the talk."""
        self.app: Application[None] = Application(
            layout=Layout(HSplit(self.editor.windows())),
            key_bindings=DynamicKeyBindings(lambda: self.bindings),
            full_screen=True,
            erase_when_done=True,
            terminal_size_polling_interval=None,
            max_render_postpone_time=None,  # a key shows at once, whatever else waits
            input=input,
            output=output,
        )
        self.app.timeoutlen, self.app.ttimeoutlen = 0.5, 0.05  # Esc, then a key, is Alt+key
        self.window = Window(
            self.app.input,
            self._send,
            settings,
            environ,
            self._window_changed,
            lambda error: self.failed(error),
        )
        self.painter = Painter(
            self.app.output,
            lambda columns, lines: self.frame(columns, lines),
            lambda: self.window.theme,
            lambda: self.mouse,
            lambda event: self.clicked(event),
            self.window.modes,
            self.app.invalidate,
        )
        self.app.renderer = self.painter

    def _send(self, escape: str) -> None:
        self.painter.send(escape)

    def _window_changed(self) -> None:
        self.focused()
        self.app.invalidate()

    # --- life -------------------------------------------------------------------------

    async def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Shows what there is until `leave`, or until `main` ends, whose error it raises."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._after_first(main))
            try:
                await self.app.run_async(handle_sigint=False)
            finally:
                task.cancel()

    async def _after_first(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await asyncio.sleep(_SOON)
            await main()
        finally:
            self.leave()

    def leave(self) -> None:
        """Ends the screen."""
        if self.app.is_running and not self.app.is_done:
            self.app.exit()

    # --- before there is a screen -----------------------------------------------------

    def _first(self, columns: int, lines: int) -> Frame:
        rows, (x, y) = self.editor.rows(columns, max(1, lines // 3), searching=False)
        frame = Frame()
        bars = lines > len(rows) + 1
        if bars:
            frame.lines.append(((0, columns, row(("bar", " ipcchat".ljust(columns)[:columns]))),))
            frame.lines += [()] * (lines - len(rows) - 2)
            words = " connecting…".ljust(columns)[:columns]
            frame.lines.append(((0, columns, row(("bar.trouble", words))),))
        frame.cursor = (min(x, columns - 1), len(frame.lines) + y)
        frame.lines += [((0, columns, one),) for one in rows]
        return frame

    def _first_keys(self) -> KeyBindings:
        """Text can be edited. From the first Enter on, and for what only a screen knows, keys wait
        for it in their order, so that nothing is lost or said otherwise than typed."""
        made = KeyBindings()
        waits = Condition(lambda: bool(self._ahead))

        @made.add("c-c")
        def _clear(event: KeyPressEvent) -> None:
            self._ahead.clear()
            self.editor.clear()

        @made.add("c-d")
        def _quit(event: KeyPressEvent) -> None:
            if not self.editor.text and not self._ahead:
                self.leave()

        @made.add("enter")
        @made.add("c-j")
        @made.add("tab")
        @made.add("<bracketed-paste>")
        @made.add("<any>", filter=waits, eager=True)
        def _wait(event: KeyPressEvent) -> None:
            if len(self._ahead) < _AHEAD:
                self._ahead += event.key_sequence

        return made

    def take_keys(self, bindings: KeyBindings) -> None:
        """The keys are a screen's from now on; those that waited come first."""
        self.bindings = bindings
        ahead, self._ahead = self._ahead, []
        if ahead:
            # A line feed is Enter that was typed before the terminal was set up.
            same = [
                KeyPress(Keys.ControlM, "\r") if key.key == Keys.ControlJ else key for key in ahead
            ]
            self.app.key_processor.feed_multiple(same, first=True)
            with set_app(self.app):
                self.app.key_processor.process_keys()
