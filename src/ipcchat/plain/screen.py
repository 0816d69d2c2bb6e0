"""The screen as sentences: what the commands work on, and what is done with a typed line."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from ipcchat.actions.composing import Composing
from ipcchat.actions.drafting import edited
from ipcchat.actions.face import Action, SearchOk
from ipcchat.actions.question import Question
from ipcchat.address import Address
from ipcchat.client.model import RoomView
from ipcchat.client.room import Level
from ipcchat.client.session import Session
from ipcchat.commands import Role
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError, UsageError
from ipcchat.plain import sentences
from ipcchat.plain.alarm import Alarm
from ipcchat.plain.desk import PlainDesk
from ipcchat.plain.found import Found
from ipcchat.plain.keyboard import KEYS, Keyboard
from ipcchat.plain.pipe import Pipe
from ipcchat.plain.speech import Speech
from ipcchat.plain.terminal import Terminal
from ipcchat.settings import ClientSettings

__all__ = ["PlainScreen"]

_SILENCE = 1.0
"""Seconds that a command may take before something is said about it."""


class PlainScreen:
    """Sentences one below the other. `run` says them until `leave`."""

    def __init__(
        self,
        session: Session,
        settings: ClientSettings,
        actions: Mapping[str, Action],
        terminal: Terminal,
        desk: PlainDesk | None = None,
        *,
        greeting: str = "",
    ) -> None:
        """Made inside a running loop."""
        self.session = session
        self.model = session.model
        self.settings = settings
        self.desk = desk
        self.elsewhere: Address | None = None
        """The server that the user wants to go on at."""
        self._terminal = terminal
        self._question: Question | None = None
        self._keyboard = Keyboard(self, terminal)
        self._typing = Composing(self, actions, self._keyboard, self._keyboard.enter)
        self._alarm = Alarm(session.model, terminal, settings, self._say_error)
        self._speech = Speech(session, terminal, self._keyboard, self._asked, self._alarm.look)
        self._speech.say(greeting.splitlines())
        self._found = Found(self, self._speech.say)
        self._pipe = Pipe(self, terminal)
        self._soothing: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._warned = False
        """Whether a line was given back because the wanted room was refused."""
        self._jobs = 0
        self._group: asyncio.TaskGroup | None = None

    # --- life -------------------------------------------------------------------------

    async def run(self) -> None:
        """Speaks and listens until `leave`, or until the session ends, whose error it raises; else
        that of the lines of a pipe."""
        self._listen()
        self.session.on_change = self.changed
        try:
            self._terminal.start()
            async with asyncio.TaskGroup() as group:
                self._group = group
                tasks = [group.create_task(self._watch_session())]
                self._begin()
                if not self._terminal.keys:
                    tasks.append(group.create_task(self._read_lines()))
                await self._over.wait()
                self._group = None
                for task in tasks:
                    task.cancel()
        finally:
            self._group = None
            self._over.set()
            if self.desk is not None:
                self.desk.detach()
            if self._soothing is not None:
                self._soothing.cancel()
            self._keyboard.close()
            self._speech.close()
            await self._alarm.close()
            await self._terminal.stop()
        if self._terminal.failure is not None:
            raise self._terminal.failure
        if isinstance(self._terminal.lost, BrokenPipeError):
            raise self._terminal.lost
        if (error := self._pipe.error) is not None:
            raise error

    def _listen(self) -> None:
        terminal = self._terminal
        terminal.on_end, terminal.on_drained = self._at_end, self._speech.soon
        terminal.on_chars = self._keyboard.chars if terminal.keys else self._pipe.chars
        terminal.on_resize = self._keyboard.resize
        terminal.on_stop = lambda: self.suspend(group=False)
        terminal.on_continued = self._keyboard.again

    def _begin(self) -> None:
        if self.model.state != "online":
            self.show(f"connecting to {self.model.server}")
        if self.desk is not None:
            self.desk.attach(self)
        self._terminal.write(self._keyboard.shown())
        self._terminal.resume()
        self.changed()

    def _at_end(self) -> None:
        """No more input: a terminal that is gone, or all lines of a pipe."""
        terminal = self._terminal
        if terminal.keys or terminal.lost is not None or terminal.failure is not None:
            self.leave()
        else:
            self._pipe.end()

    async def _read_lines(self) -> None:
        await self._pipe.run()
        self.leave()

    async def _watch_session(self) -> None:
        try:
            await self.session.run()
        finally:
            self._over.set()

    def leave(self) -> None:
        """Ends the screen."""
        self._over.set()

    def connect(self, address: Address) -> None:
        """Ends the screen, to go on at another server."""
        self.elsewhere = address
        self.leave()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Runs a job beside the screen; what it can't do becomes a line."""
        if self._group is None:
            job.close()
        else:
            self._jobs += 1
            self._group.create_task(self._try(job))

    async def _try(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except IpcchatError as error:
            self.show_error(error)
        finally:
            self._jobs -= 1
            self._pipe.look()

    @property
    def busy(self) -> bool:
        """Whether a command is being done."""
        return self._jobs > 0

    def suspend(self, *, group: bool = True) -> None:
        """Puts the program in the background; never the server's own, which others depend on."""
        if self.desk is not None:
            self._terminal.write("\a")
            return
        self._terminal.write(self._keyboard.hidden())
        self._terminal.suspend(group=group)

    # --- what is said -----------------------------------------------------------------

    @property
    def role(self) -> Role:
        """Whose commands there are."""
        return "operator" if self.desk or self.model.role == "operator" else "member"

    @property
    def asked(self) -> bool:
        """Whether a question waits for its answer."""
        return self._question is not None

    def _asked(self) -> str:
        return sentences.question(self._question.text) if self._question is not None else ""

    def show(self, text: str, level: Level = "info") -> None:
        """A sentence, or several."""
        self._speech.say((text if level == "bare" else sentences.spoken(text)).split("\n"))

    def show_error(self, error: IpcchatError) -> None:
        """An error as a sentence, with its hint: at once, before what it is about stands in the
        input again, unless something else is being typed."""
        self._pipe.failed(error)
        if self._terminal.keys and not (self._keyboard.text or self.asked or self._speech.away):
            self._speech.say_now(sentences.error(error).split("\n"))
        else:
            self._say_error(error)

    def _say_error(self, error: IpcchatError) -> None:
        self._speech.say(sentences.error(error).split("\n"))

    def ask(self, question: Question) -> None:
        """Asks; the next key, or line, answers."""
        self._question = question
        self._speech.say_now([sentences.question(question.text)])

    def answer(self, key: str) -> None:
        """The question was answered."""
        question, self._question = self._question, None
        if question is not None:
            question.answers.get(key.lower(), question.otherwise)()
        self._speech.soon()

    def recall(self, room: RoomView, index: int) -> None:
        """Says a room's lines from that one on, each with its time: up to those that were said
        already, or, where these begin before it, all."""
        if room.number != self.model.current:
            self._speech.say([f"in {room.name}:"])
        self._speech.say(self._speech.teller.recalled(room, index, self.settings.time_format))

    def clear(self, room: RoomView) -> None:
        """What was said can't be taken back; what was not yet, is left out."""
        self._speech.forget()
        self._speech.teller.skip(room)
        self.show("nothing that was said is deleted: /history says it again", "help")

    def go_to(self, number: int) -> None:
        """Goes to a room, and says where one is."""
        self.model.current = number
        self._speech.teller.arrive()
        self.changed()

    def show_found(
        self, query: str, found: SearchOk, more: Callable[[], Awaitable[SearchOk]]
    ) -> None:
        """Says what a search has found, the newest last."""
        self.spawn(self._found.begin(found, more))

    async def show_more(self) -> None:
        """Says what comes before that."""
        await self._found.go_on()

    def result(self, number: int) -> Entry:
        """What was told under that number. Raises UsageError."""
        return self._found.result(number)

    def show_around(self, number: int, room: str, entries: Sequence[Entry]) -> None:
        """Says what was said around it."""
        self._found.around(number, room, entries)

    def configure(self, settings: ClientSettings) -> None:
        """Other settings count from now on."""
        self.settings = settings
        self._alarm.configure(settings)

    def keys(self) -> Sequence[str]:
        """A line for each key there is."""
        return [f"{key}: {help}" for key, help in KEYS]

    def changed(self) -> None:
        """The model has changed."""
        self._speech.teller.look()
        self._typing.look()
        self._pipe.look()
        self._speech.soon()

    def typed(self) -> None:
        """A key was pressed: what is typed may hold back what is to be said, or no longer."""
        self._keyboard.at = asyncio.get_running_loop().time()
        self._speech.soon()

    # --- what the user says -----------------------------------------------------------

    def submit(self, line: str) -> None:
        """A line as if typed: something said, or a command."""
        if why := self._astray(line):
            self._speech.say_now(sentences.error(why).split("\n"))
            self._keyboard.restore(line)
        else:
            self._typing.submit(line)
            self._soothe()

    def _soothe(self) -> None:
        """Where the command still takes its time in a while, that is said."""
        if self._soothing is not None:
            self._soothing.cancel()

        def say() -> None:
            if self._typing.seeking:
                self._speech.say(["searching: Ctrl+C ends it"])

        self._soothing = asyncio.get_running_loop().call_later(_SILENCE, say)

    def interrupt(self) -> bool:
        """Gives up a command that takes its time; whether there was one."""
        ended = self._typing.give_up()
        if ended:
            self._speech.say(["no longer searching"])
        return ended

    def _astray(self, line: str) -> IpcchatError | None:
        """Why a typed line would go to another room than the one it was meant for, for all that
        the user has heard. Where he is instead is told once; then he has heard it."""
        arrival, room = self.session.arrival, self.model.rooms.get(self.model.current)
        if not self._terminal.keys or line.startswith("/quit"):
            return None
        if not arrival.error or room is None or self._warned or self._speech.teller.arrived:
            return None
        self._warned = True
        hint = f"you are in {room.name}: Enter sends the line there"
        return IpcchatError(f"not sent: {arrival.error.text}", hint)

    def paste(self, text: str) -> None:
        """Text that came at once."""
        self._typing.paste(text)

    def edit(self) -> None:
        """The input in the user's editor. Raises UsageError where there is no terminal."""
        if not self._terminal.keys:
            raise UsageError("an editor needs a terminal")
        if not self._speech.away:
            self.spawn(self._edit())

    async def _edit(self) -> None:
        terminal, text = self._terminal, self._keyboard.text
        terminal.write(self._keyboard.hidden())
        self._speech.away = True
        terminal.pause()
        terminal.release()
        try:
            text = await edited(text, self.settings.editor)
        finally:
            terminal.take()
            self._speech.away = False
            if self._group is not None:
                self._keyboard.replace(text)
                terminal.resume()
            self._speech.soon()
