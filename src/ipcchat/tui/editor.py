"""The input line: several rows where needed, history, completion, a draft for each room."""

from collections.abc import Callable

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import FilterOrBool
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.widgets import SearchToolbar

from ipcchat.client.model import Model
from ipcchat.commands import Completion, Role, complete

__all__ = ["MAX_ROWS", "Editor"]

MAX_ROWS = 5
"""Rows that the input may take."""


class Editor:
    """What is being typed. Drafts survive changing rooms, never a restart."""

    def __init__(self, model: Model, changed: Callable[[], None]) -> None:
        self._model = model
        self._drafts: dict[int, Document] = {}
        self._room = model.current
        self._completion: Completion | None = None
        self._choice = -1
        self._completed = ""
        self._tail = ""
        self.hint = ""
        """The other completions, for the status line."""
        self.buffer = Buffer(
            multiline=True,
            history=InMemoryHistory(),
            enable_history_search=False,
            on_text_changed=lambda _: changed(),
        )
        self.search = SearchToolbar(ignore_case=True)

    def window(self, focusable: FilterOrBool = True) -> Window:
        """The input's window."""
        control = BufferControl(
            self.buffer,
            input_processors=[BeforeInput("> ")],
            search_buffer_control=self.search.control,
            focusable=focusable,
        )
        return Window(
            control,
            height=Dimension(min=1, max=MAX_ROWS),
            wrap_lines=True,
            dont_extend_height=True,
        )

    @property
    def text(self) -> str:
        return self.buffer.text

    def take(self) -> str:
        """What was typed; the input is empty afterwards, and the history has it."""
        text = self.buffer.text
        self.buffer.append_to_history()
        self.buffer.reset()
        self._end_completion()
        return text

    def clear(self) -> None:
        """Empties the input; Up brings it back."""
        if self.buffer.text:
            self.take()

    def restore(self, text: str) -> None:
        """Puts a line back that could not be sent, unless something else is being typed."""
        if not self.buffer.text:
            self.buffer.document = Document(text)

    def insert(self, text: str) -> None:
        """Puts text at the cursor."""
        self.buffer.insert_text(text)

    def follow_room(self) -> None:
        """The current room may be another one: each has its draft."""
        current = self._model.current
        if current == self._room:
            return
        before, self._room = self._room, current
        if not before and not self._drafts.get(current, Document()).text:
            return  # the first room comes while one types: that stays
        self._drafts[before] = self.buffer.document
        document = self._drafts.pop(current, Document())
        self.buffer.set_document(document, bypass_readonly=True)
        self._end_completion()

    @property
    def drafts(self) -> list[str]:
        """What was typed and not sent, in every room."""
        texts = [self.buffer.text, *(document.text for document in self._drafts.values())]
        return [text for text in texts if text.strip()]

    # --- completion -------------------------------------------------------------------

    def complete(self, step: int) -> None:
        """Tab: the next (1) or the one before (-1) of what the word may become."""
        if self._completion is None or self.buffer.text != self._completed + self._tail:
            self._begin_completion()
        found = self._completion
        if found is None or not found.options:
            self._end_completion()
            return
        if self._choice < 0 and step < 0:
            self._choice = 0
        self._choice = (self._choice + step) % len(found.options)
        head = self._completed[: found.start]
        self._completed = head + found.options[self._choice]
        self.buffer.document = Document(self._completed + self._tail, len(self._completed))
        others = [option.strip() for option in found.options]
        self.hint = " ".join(others) if len(others) > 1 else ""

    def _begin_completion(self) -> None:
        document = self.buffer.document
        self._completed = document.text_before_cursor
        self._tail = document.text_after_cursor
        self._choice = -1
        model = self._model
        room = model.rooms.get(model.current)
        role: Role = "operator" if model.role == "operator" else "member"
        self._completion = complete(
            document.text,
            document.cursor_position,
            rooms=[item.name for item in model.rooms.values()],
            nicks=_by_recency(model) if room is not None else [],
            role=role,
        )

    def _end_completion(self) -> None:
        self._completion = None
        self.hint = ""


def _by_recency(model: Model) -> list[str]:
    """Nicks in the current room: who spoke last comes first, oneself last."""
    room = model.rooms[model.current]
    spoke: dict[int, None] = {}
    for line in reversed(room.lines[-200:]):
        by = getattr(line, "by", 0)
        if by in room.members:
            spoke[by] = None
    order = [*spoke, *(account for account in room.members if account not in spoke)]
    nicks = [room.members[account].nick for account in order if account != model.account]
    return [*nicks, model.nick]
