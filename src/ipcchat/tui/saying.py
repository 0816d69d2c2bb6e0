"""What was typed becomes something said, or a command; what was not sent is tried again."""

from collections.abc import Callable, Mapping

from ipcchat.actions.face import Action, Face
from ipcchat.actions.question import Question
from ipcchat.client import operations
from ipcchat.client.model import Pending
from ipcchat.commands import OperatorsOnly, Say, parse
from ipcchat.errors import IpcchatError, UsageError
from ipcchat.text import MAX_LINES
from ipcchat.tui.editor import Editor

__all__ = ["Saying"]

_PASTE_ASKS = 5
"""A paste of more lines asks first."""


class Saying:
    """What Enter and a paste do."""

    def __init__(
        self,
        face: Face,
        editor: Editor,
        actions: Mapping[str, Action],
        to_tail: Callable[[], None],
    ) -> None:
        self._face = face
        self._editor = editor
        self._actions = actions
        self._to_tail = to_tail

    def enter(self) -> None:
        """Sends what was typed; on an empty input tries again what was not sent."""
        if not self._editor.text.strip():
            failed = self.failed()
            self._editor.clear()
            if failed is not None:
                self._face.session.retry(failed)
            return
        self.submit(self._editor.take())

    def submit(self, line: str) -> None:
        """A line as if typed: something said, or a command."""
        self._to_tail()  # what is said, and what a command answers, shows at the end
        try:
            asked = parse(line, self._face.role)
            if isinstance(asked, Say):
                if not self._face.model.rooms and self._face.model.state != "online":
                    raise UsageError("not connected yet", "the line is kept: Enter sends it")
                self._face.session.submit(self._face.model.current, asked.text)
                return
        except OperatorsOnly as error:
            self._face.spawn(self._as_operator(line, error))
            return
        except IpcchatError as error:
            if not line.startswith("/") or line.startswith("//"):
                self._editor.restore(line)
            self._face.show_error(error)
            return
        self._face.spawn(self._actions[asked.command.name](self._face, asked))

    async def _as_operator(self, line: str, error: OperatorsOnly) -> None:
        """One may have been made an operator a moment ago: the server knows."""
        if await operations.learn_role(self._face.session) != "operator":
            raise error
        self.submit(line)

    def paste(self, data: str) -> None:
        """A paste stays one message; a long one asks first."""
        text = data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        count = text.count("\n") + 1
        if count <= _PASTE_ASKS:
            self._editor.insert(text)
            return

        def send() -> None:
            self._editor.insert(text)
            self.enter()

        def join() -> None:
            self._editor.insert(" ".join(text.split()))

        much = "" if count <= MAX_LINES else f" (more than {MAX_LINES} can't be one message)"
        words = f" paste {count} lines?{much}  s send · j join lines · c cancel"
        self._face.ask(Question(words, {"s": send, "j": join}))

    def failed(self) -> Pending | None:
        """The first line of the current room that was not sent."""
        room = self._face.model.rooms.get(self._face.model.current)
        return room.failed if room is not None else None

    def discard(self) -> None:
        """Drops that line."""
        failed = self.failed()
        if failed is not None:
            self._face.session.discard(failed)
