"""What was typed becomes something said, or a command.

The rules of this file:

- What is typed after a command that leads to another room is meant for there: it waits until one is
  there. Where the command fails, it is the user's again: nothing is said in the wrong room. What is
  typed before one is anywhere waits likewise; after the room is gone, one has to choose another.
- A line that can't be said stays in the input, with its command where it has one. A paste stays
  one message; a long one asks first.
- A command that may take a while, such as a search, is given up for the next one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from ipcchat.actions import operations
from ipcchat.actions.face import Action, Face
from ipcchat.actions.question import Question
from ipcchat.commands import Invocation, OperatorsOnly, Say, parse
from ipcchat.commands.rows import by_name
from ipcchat.errors import IpcchatError, Refused
from ipcchat.text import MAX_LINES

__all__ = ["Composing", "Draft"]

_PASTE_ASKS = 5
"""A paste of more lines asks first."""
_HELD = 100
"""Lines that may wait for a room; what is more stays in the input."""


class Draft(Protocol):
    """The input."""

    def insert(self, text: str) -> None:
        """Puts text at the cursor."""

    def restore(self, text: str) -> None:
        """Puts back what could not be sent, unless something else is being typed."""


class Composing:
    """What Enter and a paste do. `enter` sends what is in the input."""

    def __init__(
        self, face: Face, actions: Mapping[str, Action], draft: Draft, enter: Callable[[], None]
    ) -> None:
        self._face = face
        self._actions = actions
        self._draft = draft
        self._enter = enter
        self._going = ""
        self._held: list[str] = []
        self._seeking: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> str:
        """What waits for a room, in words; empty: nothing."""
        count = len(self._held)
        what = f"/{self._going}" if self._going else "the connection"
        if not count and self._seeking is not None:
            return "searching: Esc ends it"
        return f"{count} line{'s' * (count != 1)} wait for {what}" if count else ""

    @property
    def seeking(self) -> bool:
        """Whether a command takes its time that the user may give up."""
        return self._seeking is not None

    def give_up(self) -> bool:
        """Ends such a command; whether there was one."""
        task, self._seeking = self._seeking, None
        if task is not None:
            task.cancel()
        return task is not None

    @property
    def going(self) -> bool:
        """Whether a command leads to another room at this moment."""
        return bool(self._going)

    def look(self) -> None:
        """Something has changed: what waited for the first room may be said."""
        arrival = self._face.session.arrival
        if self._held and not self._going and arrival.done:
            self._release(arrival.error is None)

    def _release(self, there: bool) -> None:
        """Does what waited, where one is `there`; else it is the user's again."""
        held, self._held = self._held, []
        if not there and held:
            self._draft.restore("\n".join(held))
            return
        for line in held:
            self.submit(line)

    def submit(self, line: str) -> None:
        """A line as if typed: something said, or a command."""
        if self._going or self._held:
            if len(self._held) < _HELD:
                self._held.append(line)
            else:
                self._draft.restore(line)
            return
        try:
            asked = parse(line, self._face.role)
            if isinstance(asked, Say):
                if self._face.session.arrival.done:
                    self._utter(asked.text)
                else:
                    self._held.append(line)
                return
        except OperatorsOnly as error:
            self._face.spawn(self._as_operator(line, error))
            return
        except IpcchatError as error:
            self._face.show_error(error)
            if _says(line):
                self._draft.restore(line)
            return
        self.give_up()
        if asked.command.goes:
            self._going = asked.command.name
            self._face.spawn(self._go(asked))
        elif asked.command.slow:
            self._face.spawn(self._seek(asked))
        elif asked.command.says:
            self._face.spawn(self._say(asked, line))
        else:
            self._face.spawn(self._do(asked))

    def _utter(self, text: str) -> None:
        """Says something where one is. Raises TextError; Refused where one is nowhere, as when the
        room is gone that this was meant for."""
        model = self._face.model
        if not model.current:
            raise Refused("no_room", "not sent: choose a room first: /join ROOM")
        self._face.session.submit(model.current, text)

    def _do(self, asked: Invocation) -> Coroutine[Any, Any, None]:
        return self._actions[asked.command.name](self._face, asked)

    async def _say(self, asked: Invocation, line: str) -> None:
        """Something said by a command. The error comes first: what is being typed, as the line is
        from then on, may hold back what is to be told."""
        try:
            await self._do(asked)
        except IpcchatError as error:
            self._face.show_error(error)
            self._draft.restore(line)

    async def _seek(self, asked: Invocation) -> None:
        self.give_up()
        task = self._seeking = asyncio.current_task()
        try:
            await self._do(asked)
        finally:
            if self._seeking is task:
                self._seeking = None

    async def _go(self, asked: Invocation) -> None:
        there = False
        try:
            await self._do(asked)
            there = True
        finally:
            self._going = ""
            self._release(there)

    async def _as_operator(self, line: str, error: OperatorsOnly) -> None:
        """One may have been made an operator a moment ago: the server knows."""
        if await operations.learn_role(self._face.session) != "operator":
            raise error
        self.submit(line)

    def paste(self, data: str) -> None:
        """Text that came at once, such as from the clipboard."""
        text = data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        count = text.count("\n") + 1
        if count <= _PASTE_ASKS:
            self._draft.insert(text)
            return

        def send() -> None:
            self._draft.insert(text)
            self._enter()

        def join() -> None:
            self._draft.insert(" ".join(text.split()))

        much = "" if count <= MAX_LINES else f" (more than {MAX_LINES} can't be one message)"
        words = f"paste {count} lines?{much}  s send · j join lines · c cancel"
        self._face.ask(Question(words, {"s": send, "j": join}))


def _says(line: str) -> bool:
    """Whether a line is, or carries, something said."""
    if not line.startswith("/") or line.startswith("//"):
        return True
    command = by_name(line.split(maxsplit=1)[0][1:].lower())
    return command is not None and command.says
