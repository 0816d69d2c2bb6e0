"""A screen without a terminal: what the actions show and ask is kept in lists."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.client.peer import until
from tests.client.test_session import sitting
from tests.support import serve

from ipcchat.actions.face import Desk, SearchOk
from ipcchat.actions.presence import known
from ipcchat.actions.question import Question
from ipcchat.actions.table import ACTIONS
from ipcchat.address import Address
from ipcchat.client.model import RoomView
from ipcchat.client.room import Level
from ipcchat.client.session import Session
from ipcchat.commands import Invocation, Role, parse
from ipcchat.errors import IpcchatError, UsageError
from ipcchat.settings import ClientSettings


class ListFace:
    """Does what is typed, and remembers what came of it."""

    def __init__(self, session: Session, group: asyncio.TaskGroup) -> None:
        self.session = session
        self._group = group
        self.model = session.model
        self.settings = session.settings
        self.desk: Desk | None = None
        self.lines: list[str] = []
        """What was shown, errors with a `!`."""
        self.questions: list[Question] = []
        self.configured: list[ClientSettings] = []
        self.recalled: list[tuple[RoomView, int]] = []
        self.found: list[tuple[str, SearchOk]] = []
        """What searches found, page by page."""
        self.more: Callable[[], Awaitable[SearchOk]] | None = None
        self.left = 0
        self.connected: list[Address] = []

    async def type(self, line: str) -> list[str]:
        """Does a command; the lines it showed."""
        before = len(self.lines)
        try:
            asked = parse(line, self.role)
            assert isinstance(asked, Invocation)
            await ACTIONS[asked.command.name](self, asked)
        except IpcchatError as error:
            self.show_error(error)
        return self.lines[before:]

    @property
    def role(self) -> Role:
        return "operator" if self.model.role == "operator" else "member"

    def show(self, text: str, level: Level = "info") -> None:
        self.lines += text.split("\n")

    def show_error(self, error: IpcchatError) -> None:
        self.show(f"! {error}" + (f" – {error.hint}" if error.hint else ""))

    def ask(self, question: Question) -> None:
        self.questions.append(question)

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self._group.create_task(self._try(job))

    async def _try(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except IpcchatError as error:
            self.show_error(error)

    def go_to(self, number: int) -> None:
        self.model.current = number

    def clear(self, room: RoomView) -> None:
        room.clear()

    def configure(self, settings: ClientSettings) -> None:
        self.settings = settings
        self.configured.append(settings)

    def edit(self) -> None:
        raise UsageError("no editor", "/set editor COMMAND")

    def recall(self, room: RoomView, index: int) -> None:
        self.recalled.append((room, index))

    def show_found(
        self, query: str, found: SearchOk, more: Callable[[], Awaitable[SearchOk]]
    ) -> None:
        self.found.append((query, found))
        self.more = more if found.next else None

    async def show_more(self) -> None:
        if self.more is None:
            raise UsageError("no more", "/search WORDS")
        self.show_found(self.found[-1][0], await self.more(), self.more)

    def connect(self, address: Address) -> None:
        self.connected.append(address)

    def keys(self) -> Sequence[str]:
        return ()

    def leave(self) -> None:
        self.left += 1


@asynccontextmanager
async def facing(address: object, nick: str = "ann", **more: Any) -> AsyncIterator[ListFace]:
    """Somebody in the lobby."""
    async with sitting(address, nick, **more) as session:
        async with asyncio.TaskGroup() as group:
            yield ListFace(session, group)


async def acquainted(*faces: ListFace) -> None:
    """Everybody knows everybody."""
    nicks = {face.model.nick for face in faces}
    for face in faces:
        await until(lambda face=face: len(known(face.model)) == len(nicks))


@asynccontextmanager
async def together(*nicks: str, **settings: Any) -> AsyncIterator[list[ListFace]]:
    """These in the lobby of a server, acquainted. `settings`: the server's."""
    async with serve(**settings) as server, AsyncExitStack() as stack:
        faces = [
            await stack.enter_async_context(facing(server.addresses[0], nick)) for nick in nicks
        ]
        await acquainted(*faces)
        yield faces
