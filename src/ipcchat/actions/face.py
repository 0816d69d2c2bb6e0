"""What an action needs of the screen it works on, whichever that is."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ipcchat.actions.question import Question
from ipcchat.address import Address
from ipcchat.client.model import Model, RoomView
from ipcchat.client.room import Level
from ipcchat.client.session import Session
from ipcchat.commands import Invocation, Role
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError, Refused, UsageError
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import SearchOk

__all__ = ["Action", "Desk", "Face", "Numbered", "SearchOk", "current_room", "named_room"]


class Desk(Protocol):
    """What the server's own screen has besides: its join links, and commands for the server."""

    links: Sequence[str]

    async def do(self, face: Any, name: str) -> None: ...


class Face(Protocol):
    """A screen as the actions see it: a full one, or lines one below the other."""

    session: Session
    model: Model
    settings: ClientSettings

    @property
    def desk(self) -> Desk | None:
        """Of the server's own screen."""

    @property
    def role(self) -> Role:
        """Whose commands there are."""

    def show(self, text: str, level: Level = "info") -> None:
        """A local line, or several."""

    def show_error(self, error: IpcchatError) -> None:
        """An error as a line, with its hint."""

    def ask(self, question: Question) -> None:
        """Asks; the next key, or line, answers."""

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Runs a job beside the screen; what it can't do becomes a line."""

    def go_to(self, number: int) -> None:
        """Shows a room."""

    def clear(self, room: RoomView) -> None:
        """Takes a room's lines off the screen."""

    def configure(self, settings: ClientSettings) -> None:
        """Other settings count from now on; the model knows them already."""

    def edit(self) -> None:
        """The input in the user's own editor; where that fails, a line says why."""

    def recall(self, room: RoomView, index: int) -> None:
        """Shows a room's lines from that one on; 0 is the oldest that is loaded."""

    def show_found(
        self, query: str, found: SearchOk, more: Callable[[], Awaitable[SearchOk]]
    ) -> None:
        """Shows what a search has found: `query` as typed, the first page, which may be empty, and
        what gives the next one, as long as the last one has a `next`."""

    async def show_more(self) -> None:
        """Shows more of what was found last. Raises IpcchatError; UsageError where there is
        none."""

    def connect(self, address: Address) -> None:
        """Ends the screen, to go on at another server."""

    def keys(self) -> Sequence[str]:
        """A line for each key there is."""

    def leave(self) -> None:
        """Ends the screen."""


@runtime_checkable
class Numbered(Protocol):
    """A face that tells what a search found by numbers."""

    def result(self, number: int) -> Entry:
        """What was told under that number. Raises UsageError."""

    def show_around(self, number: int, room: str, entries: Sequence[Entry]) -> None:
        """Shows what was said in a room around that result, which is among the entries."""


Action: TypeAlias = Callable[[Face, Invocation], Coroutine[Any, Any, None]]
"""Raises IpcchatError for what can't be done; the screen shows it as one line."""


def current_room(face: Face) -> RoomView:
    """The room on the screen. Raises Refused where there is none."""
    room = face.model.rooms.get(face.model.current)
    if room is None:
        raise Refused("no_room", "you are in no room", hint="/join #room")
    return room


def named_room(face: Face, arguments: tuple[str, ...]) -> RoomView:
    """The room that is named, else the one on the screen. Raises UsageError, Refused."""
    if not arguments:
        return current_room(face)
    room = face.model.room_by_name(arguments[0])
    if room is None:
        enter = f"/query {name[1:]}" if (name := arguments[0]).startswith("@") else f"/join {name}"
        raise UsageError(f"you are not in {name}", enter)
    return room
