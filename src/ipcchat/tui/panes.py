"""The parts of the screen, each as rows: the layout asks for them. What can't have changed since
the last drawing is not made again."""

from collections.abc import Callable
from typing import Any, Protocol

from ipcchat.actions.face import Desk
from ipcchat.client.model import Model
from ipcchat.paint import bars
from ipcchat.paint.cells import clip
from ipcchat.paint.input import lay
from ipcchat.paint.row import Row
from ipcchat.settings import ClientSettings
from ipcchat.tui.editor import Editor
from ipcchat.tui.modes import Mode
from ipcchat.tui.scrollback import Scrollback

__all__ = ["OperatorsPane", "Panes"]


class OperatorsPane(Desk, Protocol):
    """What the server's own screen has above the talk. `screen`: a `ChatScreen`."""

    height: int

    def attach(self, screen: Any) -> None: ...

    def detach(self) -> None: ...

    def rows(self, width: int, height: int) -> list[Row]: ...


class Panes:
    """What `layout.compose` lays."""

    def __init__(
        self,
        model: Model,
        settings: ClientSettings,
        scrollback: Scrollback,
        editor: Editor,
        desk: OperatorsPane | None,
    ) -> None:
        self._model = model
        self.settings = settings
        self._scrollback = scrollback
        self._editor = editor
        self._desk = desk
        self.desk_height = desk.height if desk is not None else 0
        self.mode: Mode | None = None
        """What has the keys instead of the input."""
        self.searching = False
        """Whether the input's history is being searched."""
        self.waiting: Callable[[], str] = str
        """What was typed and waits, in words."""
        self._on = {"rooms": True, "members": True}
        self._rooms_height = 0
        self._kept: dict[str, tuple[object, list[Row]]] = {}

    def toggle(self, pane: str) -> None:
        """Shows or hides a list."""
        self._on[pane] = not self._on[pane]

    def shows(self, pane: str, columns: int) -> bool:
        least = self.settings.pane_left if pane == "rooms" else self.settings.pane_right
        return self._on[pane] and columns >= least

    def _same(self, pane: str, state: object, make: Callable[[], list[Row]]) -> list[Row]:
        """The rows made last, while nothing that they depend on has changed."""
        kept = self._kept.get(pane)
        if kept is None or kept[0] != state:
            kept = self._kept[pane] = (state, make())
        return kept[1]

    def topic(self, width: int) -> Row:
        state = (self._model.version, self._model.current, width)
        return self._same("topic", state, lambda: [bars.topic(self._model, width)])[0]

    def status(self, width: int) -> Row:
        extra = self._editor.hint or self.waiting()
        room = self._model.rooms.get(self._model.current)
        if not extra and room is not None and room.pending:
            waits = sum(item.state == "failed" for item in room.pending)
            extra = f"{waits} not sent: Enter retries, Del discards" if waits else ""
        return bars.status(self._model, width, self._scrollback.more, extra)

    def desk_rows(self, width: int, height: int) -> list[Row]:
        return self._desk.rows(width, height) if self._desk is not None else []

    def room_rows(self, width: int, height: int) -> list[Row]:
        self._rooms_height = height
        state = (self._model.version, self._model.current, width, height)
        return self._same("rooms", state, lambda: bars.rooms(self._model, width, height))

    def room_at(self, line: int, top: int) -> int:
        """The number of the room that the list shows in that line of the screen; 0: none.
        `top`: the line where the talk begins."""
        index = line - top
        if not 0 <= index < self._rooms_height:
            return 0
        number = bars.first_room(self._model, self._rooms_height) + index + 1
        return number if number <= len(self._model.rooms) else 0

    def member_rows(self, width: int, height: int) -> list[Row]:
        state = (self._model.version, self._model.current, width, height)
        return self._same("members", state, lambda: bars.members(self._model, width, height))

    def talk_rows(self, width: int, height: int) -> list[Row]:
        return self._scrollback.rows(width, height)

    def panel_rows(self, width: int, height: int) -> list[Row]:
        return self.mode.panel(width, height) if self.mode is not None else []

    def input_rows(self, width: int, height: int) -> tuple[list[Row], tuple[int, int]]:
        prompt = self.mode.prompt() if self.mode is not None else None
        if prompt is None:
            return self._editor.rows(width, height, self.searching)
        label, typed = prompt
        laid = lay(clip(label, max(0, width - 2)), typed, len(typed), width)
        first, rows = laid.window(height, len(laid.rows))
        return rows, (laid.cursor[0], laid.cursor[1] - first)
