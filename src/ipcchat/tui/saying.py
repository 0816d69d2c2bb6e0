"""What Enter does on the screen: says, commands, and tries again what was not sent."""

from collections.abc import Callable, Mapping

from ipcchat.actions.composing import Composing
from ipcchat.actions.face import Action, Face
from ipcchat.client.model import Pending
from ipcchat.errors import UsageError
from ipcchat.tui.editor import Editor

__all__ = ["Saying"]

_CHOOSE = "Ctrl+N, Alt+1 or Ctrl+G"


def _is_said(text: str) -> bool:
    return not text.startswith("/") or text.startswith("//")


class Saying(Composing):
    """See `actions.composing`. `to_tail` shows the end of the room."""

    def __init__(
        self,
        face: Face,
        editor: Editor,
        actions: Mapping[str, Action],
        to_tail: Callable[[], None],
    ) -> None:
        super().__init__(face, actions, editor, self.enter)
        self._editor = editor
        self._to_tail = to_tail

    def enter(self) -> None:
        """Sends what was typed; on an empty input tries again what was not sent. What would be said
        in no room stays in the input."""
        if not self._editor.text.strip():
            failed = self.failed()
            self._editor.clear()
            if failed is not None:
                self._face.session.retry(failed)
            return
        if self._nowhere and _is_said(self._editor.text):
            self._face.show_error(UsageError("not sent: choose a room first", _CHOOSE))
            return
        self.submit(self._editor.take())

    @property
    def _nowhere(self) -> bool:
        """Whether one is at none of the rooms one is in, and on the way to none."""
        model = self._face.model
        there = model.current or self._held or self.going
        return bool(model.rooms) and not there and self._face.session.arrival.done

    def submit(self, line: str) -> None:
        """A line as if typed: something said, or a command."""
        self._to_tail()  # what is said, and what a command answers, shows at the end
        super().submit(line)

    def failed(self) -> Pending | None:
        """The first line of the current room that was not sent."""
        room = self._face.model.rooms.get(self._face.model.current)
        return room.failed if room is not None else None

    def discard(self) -> None:
        """Drops that line."""
        failed = self.failed()
        if failed is not None:
            self._face.session.discard(failed)
