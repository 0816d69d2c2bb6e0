"""What a search has found, as a numbered list: the newest message is number 1, and comes last."""

from collections.abc import Awaitable, Callable

from ipcchat.actions.face import Face, SearchOk
from ipcchat.actions.moments import moment
from ipcchat.actions.search import remarks, room_names
from ipcchat.errors import UsageError
from ipcchat.plain import sentences

__all__ = ["Found"]

More = Callable[[], Awaitable[SearchOk]]


class Found:
    """Owns how far the last search was told. `say` takes sentences."""

    def __init__(self, face: Face, say: Callable[[list[str]], None]) -> None:
        self._face = face
        self._say = say
        self._more: More | None = None
        self._told = 0

    async def begin(self, found: SearchOk, more: More) -> None:
        """Tells the first page of a search. Raises ConnectionLost."""
        self._more, self._told = more, 0
        await self._tell(found, more)

    async def go_on(self) -> None:
        """Tells the next page. Raises UsageError where there is none; Refused, ConnectionLost."""
        more = self._more
        if more is None:
            raise UsageError("there is no more of what was found", "/search WORDS")
        await self._tell(await more(), more)

    async def _tell(self, found: SearchOk, more: More) -> None:
        names = await room_names(self._face, found.items)
        if self._more is not more:
            return  # something else is looked for by now
        clock = self._face.settings.time_format
        shown = [entry for entry in found.items if not self._face.model.ignores(entry)]
        lines = [
            sentences.hit(number, entry, names.get(entry.room, "a room"), moment(entry.time, clock))
            for number, entry in enumerate(shown, self._told + 1)
        ]
        count, before = len(lines), self._told
        self._told += count
        if not found.next:
            self._more = None
        foot = sentences.found(count, before, more=bool(found.next), remarks=remarks(found))
        self._say([*reversed(lines), foot])
