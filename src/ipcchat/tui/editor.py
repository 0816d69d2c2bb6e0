"""The input line: several rows where needed, history, completion, a draft for each room."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import BufferControl, SearchBufferControl
from prompt_toolkit.search import SearchState

from ipcchat.paint.input import lay
from ipcchat.paint.row import Row

if TYPE_CHECKING:  # imported when they are needed: typing comes first
    from ipcchat.client.model import Model
    from ipcchat.commands import Completion

__all__ = ["Editor"]

_PROMPT = "> "


class Editor:
    """What is being typed. Drafts survive changing rooms, never a restart."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._changed: Callable[[], None] = lambda: None
        self._drafts: dict[int, Document] = {}
        self._room = 0
        self._completion: Completion | None = None
        self._choice = -1
        self._completed = ""
        self._tail = ""
        self.hint = ""
        """The other completions, for the status line."""
        self._laid = lay(_PROMPT, "", 0, 80)
        self._laid_for: object = None
        self._first = 0
        self.buffer = Buffer(
            multiline=True,
            history=InMemoryHistory(),
            enable_history_search=False,
            on_text_changed=lambda _: self._changed(),
        )
        self.search = SearchBufferControl(Buffer(multiline=False), ignore_case=True)
        """Where the words are typed that Ctrl+R looks for."""
        self.control = BufferControl(self.buffer, search_buffer_control=self.search)

    def attach(self, model: "Model", changed: Callable[[], None]) -> None:
        """Rooms, nicks and drafts are that model's; `changed` is called with each change."""
        self._model = model
        self._changed = changed
        self._room = model.current

    def windows(self) -> list[Window]:
        """What takes the keys; it is drawn by `rows`."""
        return [Window(self.control), Window(self.search)]

    @property
    def shown(self) -> Document:
        """What stands in the input: while its history is searched, what was found there."""
        looked_for = self.search.buffer.text
        if not looked_for:
            return self.buffer.document
        state = self.control.search_state
        return self.buffer.document_for_search(
            SearchState(looked_for, state.direction, state.ignore_case)
        )

    def rows(self, width: int, height: int, searching: bool) -> tuple[list[Row], tuple[int, int]]:
        """The input in at most so many rows, and the cursor's column and row among them."""
        self.buffer.load_history_if_not_yet_loaded()
        prompt = f"(history) {self.search.buffer.text}: " if searching else _PROMPT
        document = self.shown
        selection = document.selection_range() if document.selection else None
        key = (prompt, document.text, document.cursor_position, width, selection)
        if key != self._laid_for:
            self._laid = lay(prompt, document.text, document.cursor_position, width, selection)
            self._laid_for = key
        self._first, rows = self._laid.window(height, self._first)
        column, line = self._laid.cursor
        return rows, (column, line - self._first)

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

    def replace(self, before: str, after: str) -> None:
        """What was `before` is `after` now; both stay, where something was typed meanwhile."""
        if self.buffer.text != before:
            after = f"{self.buffer.text}\n{after}"
        self.buffer.document = Document(after, len(after))

    def insert(self, text: str) -> None:
        """Puts text at the cursor."""
        self.buffer.insert_text(text)

    def follow_room(self, *, carry: bool = False) -> None:
        """The current room may be another one: each has its draft. `carry`: what is being typed was
        begun on the way there. What was typed in a room that is gone stays in the input."""
        current = self._model.current if self._model is not None else 0
        if current == self._room:
            return
        before, self._room = self._room, current
        if carry and self.buffer.text:
            return
        document = self._drafts.pop(current, Document())
        if self._model is None or before not in self._model.rooms:
            # The first room comes while one types, or the room was lost: that stays.
            if not document.text:
                return
            if typed := self.buffer.text:
                both = f"{document.text}\n{typed}"
                document = Document(both, len(both))
        else:
            self._drafts[before] = self.buffer.document
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
        if self._model is not None:
            self._completion = self._options(self._model, document)

    def _options(self, model: "Model", document: Document) -> "Completion":
        from ipcchat.actions.choices import SETTINGS
        from ipcchat.actions.presence import known
        from ipcchat.commands import complete

        return complete(
            document.text,
            document.cursor_position,
            rooms=[item.name for item in model.rooms.values()],
            nicks=model.rooms[model.current].nicks(model.account)
            if model.current in model.rooms
            else [],
            people=known(model),
            role="operator" if model.role == "operator" else "member",
            ignored=model.interest.ignored,
            settings=SETTINGS,
        )

    def _end_completion(self) -> None:
        self._completion = None
        self.hint = ""
