"""The screen as a whole: what the keys and commands work on, and how often it is drawn.

A key draws at once; what the network brings draws at most 30 times a second, at the console of a
busy server five times (`pace`). Drawing pulls from the model: nothing here keeps a copy of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from prompt_toolkit.application.run_in_terminal import in_terminal
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType

from ipcchat.actions.drafting import edited
from ipcchat.actions.face import Action, SearchOk
from ipcchat.actions.question import Question
from ipcchat.address import Address
from ipcchat.client.model import RoomView
from ipcchat.client.room import Level
from ipcchat.client.session import Session
from ipcchat.commands import Role
from ipcchat.errors import IpcchatError
from ipcchat.paint import bare
from ipcchat.paint.rows import RowMaker
from ipcchat.settings import ClientSettings
from ipcchat.terminal.frame import Frame
from ipcchat.tui.editor import Editor
from ipcchat.tui.finding import Finding
from ipcchat.tui.keymap import BoundRow
from ipcchat.tui.layout import LEFT, compose
from ipcchat.tui.modes import Asking, Bare, Mode, Switching
from ipcchat.tui.pace import Pace
from ipcchat.tui.panes import OperatorsPane, Panes
from ipcchat.tui.places import Places
from ipcchat.tui.results import Searches
from ipcchat.tui.saying import Saying
from ipcchat.tui.scrollback import Loader, Scrollback
from ipcchat.tui.shell import Shell

__all__ = ["ChatScreen"]

_WHEEL = 3
"""Rows that a step of the mouse's wheel scrolls."""


class _End(Exception):
    """The session was closed."""


class ChatScreen:
    """The talk on a shell; `run` shows it until `leave`."""

    def __init__(
        self,
        session: Session,
        settings: ClientSettings,
        actions: Mapping[str, Action],
        bind: Callable[["ChatScreen"], KeyBindings],
        desk: OperatorsPane | None = None,
        *,
        shell: Shell,
        keys: Sequence[BoundRow] = (),
        greeting: str = "",
    ) -> None:
        """`shell`: what it is shown on, and whose input and keys it takes."""
        self.session = session
        self.model = session.model
        self.settings = settings
        self.desk = desk
        self.onward: Address | None = None
        """Where the user wants to go on when the screen has ended; None: nowhere."""
        self.shell = shell
        self.app = shell.app
        self.window = shell.window
        self.editor: Editor = shell.editor
        self._keys = keys
        self._maker = RowMaker(self.model, settings.time_format)
        self._loader = Loader(session, self.spawn)
        self.scrollback: Scrollback = Scrollback(self.model, self._maker, self._loader.older)
        self.scrollback.missing = partial(self._loader.missing, self.scrollback)
        self.panes: Panes = Panes(self.model, settings, self.scrollback, self.editor, desk)
        self.places: Places = Places(self.model, self.scrollback, self.go_to, self.peek, self.show)
        self.saying: Saying = Saying(self, self.editor, actions, self._submits)
        self.searches: Searches = Searches(self, self._maker)
        self.panes.waiting = lambda: self.saying.waiting
        serves = desk is not None
        self._pace = Pace(self._prepare, self.app.invalidate, settings.redraw, serves=serves)
        self.scrollback.holds = lambda: self._pace.awaited
        self._greeting = greeting
        self._group: asyncio.TaskGroup | None = None
        self._early: list[Coroutine[Any, Any, None]] = []
        """Jobs from before the group is there."""
        self._bindings = bind(self)
        self._over = False
        self._talk = 0
        self._editing = False
        """Whether the terminal shows the user's editor."""
        self.app.key_processor.before_key_press += lambda _: self.searches.unmark()
        self.editor.attach(self.model, self._watch_focus)
        shell.frame = self._compose
        shell.mouse = settings.mouse
        shell.clicked = self._clicked
        shell.focused = self._watch_focus
        shell.failed = self.show_error
        shell.take_keys(self._bindings)

    # --- drawing ----------------------------------------------------------------------

    def _compose(self, columns: int, lines: int) -> Frame:
        mode = self.panes.mode
        if mode is not None and (bare := mode.bare(columns, lines)) is not None:
            return Frame(bare=bare)
        self.panes.searching = self.searching
        frame = compose(self.panes, columns, lines)
        self._talk = frame.talk
        return frame

    def changed(self) -> None:
        """The model has changed: the screen is drawn soon."""
        self._pace.soon()

    def _prepare(self) -> None:
        self._watch_focus()
        self.editor.follow_room(carry=self.saying.going)
        if self._greeting and self.model.current:
            for line in self._greeting.splitlines():
                self.model.note(0, line, "bare" if line.startswith("ipcchat://") else "info")
            self._greeting = ""
        self.saying.look()
        self.window.look(self.model)

    def lay(self) -> None:
        """Everything knows how large it is now."""
        size = self.app.output.get_size()
        self._compose(size.columns, size.rows)

    def redraw(self) -> None:
        """Draws everything anew."""
        self.shell.painter.clear()

    def _watch_focus(self) -> None:
        room = self.model.rooms.get(self.model.current)
        at_end = room is None or self.scrollback.anchor(room) is None
        away = self._editing or isinstance(self.panes.mode, Bare)
        self.model.focused = at_end and not away and self.window.focused is not False

    def _clicked(self, event: MouseEvent) -> None:
        if event.event_type == MouseEventType.SCROLL_UP:
            self.scrollback.move(-_WHEEL)
        elif event.event_type == MouseEventType.SCROLL_DOWN:
            self.scrollback.move(_WHEEL)
        elif event.event_type == MouseEventType.MOUSE_UP and event.position.x < LEFT:
            number = self.panes.room_at(event.position.y, self._talk)
            if number and self.panes.shows("rooms", self.app.output.get_size().columns):
                self.places.number(number)
        self._watch_focus()
        self.app.invalidate()

    # --- life -------------------------------------------------------------------------

    async def run(self) -> None:
        """Shows the screen until `leave`, or until the session ends, whose error it raises."""
        await self.shell.run(self.live)

    async def live(self) -> None:
        """The same on a shell that runs already."""
        self.session.on_change = self.changed
        self._pace.begin()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                early, self._early = self._early, []
                for job in early:
                    group.create_task(self._try(job))
                if self.desk is not None:
                    self.desk.attach(self)
                self._prepare()
                await self.session.run()
                raise _End
        except* _End:
            pass
        finally:
            self._group, self._over = None, True
            for job in self._early:
                job.close()
            self._pace.end()
            if self.desk is not None:
                self.desk.detach()
            await self.window.close()

    def leave(self) -> None:
        """Ends the screen."""
        self.shell.leave()

    def connect(self, address: Address) -> None:
        """Ends the screen, to go on at another server."""
        self.onward = address
        self.leave()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Runs a job beside the screen; what it can't do becomes a line."""
        if self._group is not None:
            self._group.create_task(self._try(job))
        elif self._over:
            job.close()
        else:
            self._early.append(job)

    async def _try(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except IpcchatError as error:
            self.show_error(error)

    def suspend(self) -> None:
        """Ctrl+Z; not at the server's own screen, which others depend on."""
        if self.desk is None:
            self.app.suspend_to_background()

    def edit(self) -> None:
        """The input in the user's own editor."""
        self.spawn(self._edit())

    async def _edit(self) -> None:
        before = self.editor.text
        self._editing = True
        self._watch_focus()
        try:
            async with in_terminal():
                after = await edited(before, self.settings.editor)
        finally:
            self._editing = False
        self.editor.replace(before, after)

    # --- what is shown and asked ------------------------------------------------------

    @property
    def role(self) -> Role:
        """Whose commands there are."""
        return "operator" if self.desk or self.model.role == "operator" else "member"

    @property
    def searching(self) -> bool:
        """Whether the input's history is being searched."""
        return self.app.layout.is_searching

    def show(self, text: str, level: Level = "info") -> None:
        """A local line in the current room, or where that would be."""
        self.model.note(0, text, level)
        room = self.places.room()
        if level == "help" and room is not None:
            self.scrollback.to_start(room, len(room.lines) - 1)
        self.changed()

    def show_error(self, error: IpcchatError) -> None:
        """An error as a line, with its hint."""
        self.show(f"{error}" + (f" – {error.hint}" if error.hint else ""), "error")

    def enter_mode(self, mode: Mode) -> None:
        """The keys are for that from now on."""
        self.panes.mode = mode
        self._watch_focus()
        self.app.invalidate()

    def end_mode(self) -> None:
        """The keys are for the input again."""
        self.panes.mode = None
        self._watch_focus()
        self.app.invalidate()

    def ask(self, question: Question) -> None:
        """Asks; the next key answers."""
        self.enter_mode(Asking(question, self.end_mode))

    def show_bare(self) -> None:
        """The talk alone, to be copied."""
        self.enter_mode(Bare(self._bare, self.end_mode))

    def _bare(self, width: int, height: int) -> list[str]:
        room = self.places.room()
        lowest = self.scrollback.place(room) if room is not None else 0
        return bare.lines(self.model, lowest, width, height)

    def switch(self) -> None:
        """The quick switcher."""
        self.enter_mode(Switching(self.model, self.go_to, self._meet, self.end_mode))

    def _meet(self, nick: str) -> None:
        async def go() -> None:
            self.go_to(await self.session.direct(nick))

        self.spawn(go())

    def search(self) -> None:
        """The loaded lines, as one types."""
        room = self.places.room()
        if room is not None:
            parts = (self.scrollback, self._maker, self.app.invalidate, self.end_mode)
            self.enter_mode(Finding(self.model, room, *parts))

    def show_found(
        self, query: str, found: SearchOk, more: Callable[[], Awaitable[SearchOk]]
    ) -> None:
        """The results in a pane."""
        self.searches.show(query, found, more)

    async def show_more(self) -> None:
        """The results again, as they were left. Raises UsageError where there are none."""
        self.searches.show_again(typed=True)

    async def reopen(self) -> None:
        """The same, by a key."""
        self.searches.show_again(typed=False)

    def page(self, direction: int) -> None:
        """A screenful up (-1) or down (1)."""
        self.scrollback.page(direction)
        self._watch_focus()

    def keys(self) -> Sequence[str]:
        """A line for each deed: its keys, what it is for, and what settings call it."""
        return [f"{row.shown or 'no key'} – {row.help} ({row.deed})" for row in self._keys]

    def configure(self, settings: ClientSettings) -> None:
        """Other settings count from now on."""
        self.settings = self.panes.settings = settings
        self.shell.mouse = settings.mouse
        self._pace.per_second = settings.redraw
        self._maker.configure(settings.time_format)
        self.model.configure(settings)
        self.window.configure(settings)
        self.changed()

    # --- places -----------------------------------------------------------------------

    def go_to(self, number: int) -> None:
        """Shows a room."""
        self.places.settle()
        self.model.current = number
        self.editor.follow_room(carry=self.saying.going)
        self.changed()

    def peek(self, number: int) -> None:
        """Shows a room in which nothing counts as read until one stays."""
        self.model.peek(number)
        self.editor.follow_room(carry=self.saying.going)
        self.changed()

    def recall(self, room: RoomView, index: int) -> None:
        """Shows a room's lines from that one on."""
        self.go_to(room.number)
        self.scrollback.to_index(index)
        self._watch_focus()

    def clear(self, room: RoomView) -> None:
        """Takes a room's lines off the screen; scrolling up brings them back."""
        self.scrollback.clear(room)
        self.show("the screen is clear; the history is not: PgUp brings it back", "help")

    def to_tail(self) -> None:
        """The end of the room; what came is seen."""
        self.scrollback.to_tail()
        self._watch_focus()
        self.changed()

    async def to_unread(self) -> None:
        """The first new line, wherever it is."""
        await self._loader.unread(self.scrollback)
        self._watch_focus()
        self.changed()

    def _submits(self) -> None:
        """What is said, and what a command answers, shows at the end."""
        self.places.begin()
        self.to_tail()
