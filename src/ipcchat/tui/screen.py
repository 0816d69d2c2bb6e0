"""The screen as a whole: what the keys and commands work on, and how often it is drawn.

A key draws at once; what the network brings draws at most 30 times a second. Drawing pulls from
the model: nothing here keeps a copy of it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VSplit
from prompt_toolkit.output import Output

from ipcchat.client import operations
from ipcchat.client.model import Pending, RoomView
from ipcchat.client.room import Level
from ipcchat.client.session import Session
from ipcchat.commands import Invocation, OperatorsOnly, Role, Say, parse
from ipcchat.errors import IpcchatError, UsageError
from ipcchat.settings import ClientSettings
from ipcchat.text import MAX_LINES
from ipcchat.tui import bars, colours
from ipcchat.tui.cells import Row
from ipcchat.tui.clock import now
from ipcchat.tui.editor import Editor
from ipcchat.tui.pane import Desk, RowsPane
from ipcchat.tui.question import Question
from ipcchat.tui.rows import RowMaker
from ipcchat.tui.scrollback import Scrollback

__all__ = ["Action", "ChatScreen"]

_FRAME = 1 / 30
"""Seconds between two drawings that the network asks for."""
_LAGGING, _LATE = 1 / 5, 0.02
"""The same while drawings come that late: the loop is a busy server's too, and talk goes first."""
_CLOCK = 15.0
"""Seconds between two looks at the clock in the status line."""
_PASTE_ASKS = 5
"""A paste of more lines asks first."""
_LEFT, _RIGHT = 18, 20
"""Columns of the lists."""

Action: TypeAlias = Callable[["ChatScreen", Invocation], Coroutine[Any, Any, None]]


class ChatScreen:
    """Owns the application of prompt_toolkit; `run` shows it until `leave`."""

    def __init__(
        self,
        session: Session,
        settings: ClientSettings,
        actions: Mapping[str, Action],
        bind: Callable[["ChatScreen"], KeyBindings],
        operator: Desk | None = None,
        *,
        greeting: str = "",
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self.session = session
        self.model = session.model
        self.settings = settings
        self.operator = operator
        self._actions = actions
        self.question: Question | None = None
        self.editor: Editor = Editor(self.model, self._watch_focus)
        self._maker = RowMaker(self.model, settings.time_format)
        self.scrollback: Scrollback = Scrollback(self.model, self._maker, self._older)
        self._greeting = greeting
        self._panes = {"rooms": True, "members": True}
        self._fetching: set[int] = set()
        self._group: asyncio.TaskGroup | None = None
        self._frame: asyncio.TimerHandle | None = None
        self._lags = False
        self._clock: asyncio.TimerHandle | None = None
        self.app: Application[None] = Application(
            layout=Layout(self._layout()),
            key_bindings=bind(self),
            style=colours.STYLE,
            color_depth=colours.depth(settings.color),
            full_screen=True,
            mouse_support=False,
            terminal_size_polling_interval=None,
            input=input,
            output=output,
        )
        self.app.timeoutlen, self.app.ttimeoutlen = 0.5, 0.05  # Esc, then a key, is Alt+key

    # --- layout -----------------------------------------------------------------------

    def _layout(self) -> HSplit:
        def bar(rows: Callable[[int, int], list[Row]]) -> RowsPane:
            return RowsPane(rows, height=1)

        def pane(name: str, rows: Callable[[int, int], list[Row]], width: int) -> Any:
            return ConditionalContainer(
                RowsPane(rows, width=width), Condition(lambda: self._shows(name))
            )

        middle = [
            pane("rooms", lambda w, h: bars.rooms(self.model, w, h), _LEFT),
            self.scrollback,
            pane("members", lambda w, h: bars.members(self.model, w, h), _RIGHT),
        ]
        if self.operator is not None:
            desk = RowsPane(self.operator.rows, height=self.operator.height)
            middle = [
                HSplit(
                    [
                        ConditionalContainer(desk, Condition(lambda: self._size().rows >= 20)),
                        VSplit(middle),
                    ]
                )
            ]
        window = self.editor.window()
        return HSplit(
            [
                bar(lambda w, h: [bars.topic(self.model, w)]),
                VSplit(middle),
                bar(self._status),
                ConditionalContainer(
                    RowsPane(self._asked, height=lambda width: len(self._asked(width))),
                    Condition(lambda: self.question is not None),
                ),
                window,
                self.editor.search,
            ]
        )

    def _size(self) -> Size:
        return self.app.output.get_size()

    def _shows(self, name: str) -> bool:
        limit = self.settings.pane_left if name == "rooms" else self.settings.pane_right
        return self._panes[name] and self._size().columns >= limit

    def _status(self, width: int, height: int) -> list[Row]:
        extra = self.editor.hint
        if not extra:
            room = self.model.rooms.get(self.model.current)
            waits = [item for item in room.pending if item.state == "failed"] if room else []
            extra = f"{len(waits)} not sent: Enter retries, Del discards" if waits else ""
        return [bars.status(self.model, width, self.scrollback.more, extra)]

    def _asked(self, width: int, height: int = 0) -> list[Row]:
        return bars.question(self.question.text if self.question is not None else "", width)

    # --- drawing ----------------------------------------------------------------------

    def changed(self) -> None:
        """The model has changed: the screen is drawn soon."""
        if self._frame is None:
            loop = asyncio.get_running_loop()
            self._frame = loop.call_later(_LAGGING if self._lags else _FRAME, self._draw)

    def _draw(self) -> None:
        frame, self._frame = self._frame, None
        self._lags = frame is not None and asyncio.get_running_loop().time() - frame.when() > _LATE
        self._watch_focus()
        self.editor.follow_room()
        if self._greeting and self.model.current:
            for line in self._greeting.splitlines():
                self.model.note(0, line, "bare" if line.startswith("ipcchat://") else "info")
            self._greeting = ""
        self.app.invalidate()

    def _tick(self) -> None:
        """The clock in the status line."""
        loop = asyncio.get_running_loop()
        self._clock = loop.call_later(_CLOCK - now().second % _CLOCK + 0.1, self._tick)
        self.app.invalidate()

    def redraw(self) -> None:
        """Draws everything anew."""
        self.app.renderer.clear()

    def _watch_focus(self) -> None:
        room = self.model.rooms.get(self.model.current)
        self.model.focused = room is None or self.scrollback.anchor(room) is None

    # --- life -------------------------------------------------------------------------

    async def run(self) -> None:
        """Shows the screen until `leave`, or until the session ends, whose error it raises."""
        self.session.on_change = self.changed
        self._tick()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self.operator is not None:
                    self.operator.attach(self)
                watch = group.create_task(self._watch_session())
                await self.app.run_async(handle_sigint=False)
                watch.cancel()
                self._group = None
        finally:
            self._group = None
            for timer in (self._frame, self._clock):
                if timer is not None:
                    timer.cancel()
            if self.operator is not None:
                self.operator.detach()

    async def _watch_session(self) -> None:
        try:
            await self.session.run()
        finally:
            if self.app.is_running and not self.app.is_done:
                self.app.exit()

    def leave(self) -> None:
        """Ends the screen."""
        if self.app.is_running and not self.app.is_done:
            self.app.exit()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Runs a job beside the screen; what it can't do becomes a line."""
        if self._group is None:
            job.close()
        else:
            self._group.create_task(self._try(job))

    async def _try(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except IpcchatError as error:
            self.show_error(error)

    def suspend(self) -> None:
        """Ctrl+Z; not at the server's own screen, which others depend on."""
        if self.operator is None:
            self.app.suspend_to_background()

    # --- what is shown and asked ------------------------------------------------------

    @property
    def role(self) -> Role:
        """Whose commands there are."""
        return "operator" if self.operator or self.model.role == "operator" else "member"

    @property
    def searching(self) -> bool:
        """Whether the input's history is being searched."""
        return self.app.layout.is_searching

    def show(self, text: str, level: Level = "info") -> None:
        """A local line in the current room, or where that would be."""
        self.model.note(0, text, level)
        self.changed()

    def show_error(self, error: IpcchatError) -> None:
        """An error as a line, with its hint."""
        self.show(f"{error}" + (f" – {error.hint}" if error.hint else ""), "error")

    def ask(self, question: Question) -> None:
        """Asks; the next key answers."""
        self.question = question
        self.app.invalidate()

    def answer(self, key: str) -> None:
        """A key was pressed while a question was asked."""
        question, self.question = self.question, None
        if question is not None:
            question.answers.get(key.lower(), question.otherwise)()

    def toggle(self, name: str) -> None:
        """Shows or hides a list."""
        self._panes[name] = not self._panes[name]

    # --- input ------------------------------------------------------------------------

    def enter(self) -> None:
        """Sends what was typed; on an empty input tries again what was not sent."""
        if not self.editor.text.strip():
            failed = self.failed()
            self.editor.clear()
            if failed is not None:
                self.session.retry(failed)
            return
        self.submit(self.editor.take())

    def submit(self, line: str) -> None:
        """A line as if typed: something said, or a command."""
        self.to_tail()  # what is said, and what a command answers, shows at the end
        try:
            asked = parse(line, self.role)
            if isinstance(asked, Say):
                if not self.model.rooms and self.model.state != "online":
                    raise UsageError("not connected yet", "the line is kept: Enter sends it")
                self.session.submit(self.model.current, asked.text)
                return
        except OperatorsOnly as error:
            self.spawn(self._as_operator(line, error))
            return
        except IpcchatError as error:
            if not line.startswith("/") or line.startswith("//"):
                self.editor.restore(line)
            self.show_error(error)
            return
        self.spawn(self._actions[asked.command.name](self, asked))

    async def _as_operator(self, line: str, error: OperatorsOnly) -> None:
        """One may have been made an operator a moment ago: the server knows."""
        if await operations.learn_role(self.session) != "operator":
            raise error
        self.submit(line)

    def paste(self, data: str) -> None:
        """A paste stays one message; a long one asks first."""
        text = data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        count = text.count("\n") + 1
        if count <= _PASTE_ASKS:
            self.editor.insert(text)
            return

        def send() -> None:
            self.editor.insert(text)
            self.enter()

        def join() -> None:
            self.editor.insert(" ".join(text.split()))

        much = "" if count <= MAX_LINES else f" (more than {MAX_LINES} can't be one message)"
        words = f" paste {count} lines?{much}  s send · j join lines · c cancel"
        self.ask(Question(words, {"s": send, "j": join}))

    # --- own lines --------------------------------------------------------------------

    def failed(self) -> Pending | None:
        """The first line of the current room that was not sent."""
        room = self.model.rooms.get(self.model.current)
        if room is None:
            return None
        return next((item for item in room.pending if item.state == "failed"), None)

    def discard(self) -> None:
        """Drops that line."""
        failed = self.failed()
        if failed is not None:
            self.session.discard(failed)

    # --- rooms and places -------------------------------------------------------------

    def go_to(self, number: int) -> None:
        """Shows a room."""
        self.model.current = number
        self.editor.follow_room()
        self.changed()

    def go(self, step: int) -> None:
        """The next room, or the one before."""
        order = list(self.model.rooms)
        if order:
            index = order.index(self.model.current) if self.model.current in order else 0
            self.go_to(order[(index + step) % len(order)])

    def go_to_number(self, number: int) -> None:
        """The room that the lists call by that number."""
        order = list(self.model.rooms)
        if number <= len(order):
            self.go_to(order[number - 1])

    def go_to_activity(self) -> None:
        """The next room with a mention, else with a message."""
        rooms = [room for room in self.model.rooms.values() if room.unread]
        if rooms:
            self.go_to(max(rooms, key=lambda room: (room.mentions > 0, room.unread)).number)

    def to_tail(self) -> None:
        """The end of the room; what came is seen."""
        self.scrollback.to_tail()
        self._watch_focus()
        self.changed()

    def to_unread(self) -> None:
        """The first new line of the room."""
        self.scrollback.to_unread()

    def _older(self, room: RoomView) -> None:
        """The oldest line shows: what is before it is fetched, once at a time."""
        if room.complete or room.loading or room.number in self._fetching:
            return
        if self.model.state == "online":
            self._fetching.add(room.number)
            self.spawn(self._fetch(room))

    async def _fetch(self, room: RoomView) -> None:
        try:
            await self.session.fetch_older(room.number)
        finally:
            self._fetching.discard(room.number)
