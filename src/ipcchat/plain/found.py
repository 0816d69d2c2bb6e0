"""What a search has found, as a numbered list: the newest message is number 1, and comes last; and
what was said around one of them."""

from collections.abc import Awaitable, Callable, Sequence

from ipcchat.actions.face import Face, SearchOk
from ipcchat.actions.moments import moment
from ipcchat.actions.search import remarks, room_names
from ipcchat.clock import local
from ipcchat.entries import Entry
from ipcchat.errors import UsageError
from ipcchat.plain import sentences

__all__ = ["Found"]

More = Callable[[], Awaitable[SearchOk]]


class Found:
    """Owns what was told of the last search. `say` takes sentences."""

    def __init__(self, face: Face, say: Callable[[list[str]], None]) -> None:
        self._face = face
        self._say = say
        self._more: More | None = None
        self._told: list[Entry] = []
        """By number, from 1."""

    async def begin(self, found: SearchOk, more: More) -> None:
        """Tells the first page of a search. Raises ConnectionLost."""
        self._more, self._told = more, []
        await self._tell(found, more)

    async def go_on(self) -> None:
        """Tells the next page. Raises UsageError where there is none; Refused, ConnectionLost."""
        more = self._more
        if more is None:
            raise UsageError("there is no more of what was found", "/search WORDS")
        await self._tell(await more(), more)

    def result(self, number: int) -> Entry:
        """What was told under that number. Raises UsageError."""
        count = len(self._told)
        if not count:
            raise UsageError("nothing was found yet", "/search WORDS")
        if number > count:
            raise UsageError(f"there is no result {number:,}", f"they go from 1 to {count:,}")
        return self._told[number - 1]

    def around(self, number: int, room: str, entries: Sequence[Entry]) -> None:
        """Tells what was said in a room around that result."""
        model, at = self._face.model, self.result(number)
        said = [sentences.around(number, room)]
        day = None
        for entry in entries:
            if model.ignores(entry):
                continue
            time = local(entry.time)
            if day != (day := time.date()):
                said.append(sentences.day(time))
            body = sentences.entry(entry, account=model.account, mention=model.mentions(entry))
            mark = f"{number:,}. " if entry.seq == at.seq else ""
            said.append(f"{mark}{time.strftime(self._face.settings.time_format)} {body}")
        self._say(said)

    async def _tell(self, found: SearchOk, more: More) -> None:
        names = await room_names(self._face, found.items)
        if self._more is not more:
            return  # something else is looked for by now
        clock = self._face.settings.time_format
        shown = [entry for entry in found.items if not self._face.model.ignores(entry)]
        lines = [
            sentences.hit(number, entry, names.get(entry.room, "a room"), moment(entry.time, clock))
            for number, entry in enumerate(shown, len(self._told) + 1)
        ]
        count, before = len(lines), len(self._told)
        self._told += shown
        if not found.next:
            self._more = None
        notes = remarks(found, len(found.items) - count)
        foot = sentences.found(count, before, more=bool(found.next), remarks=notes)
        self._say([*reversed(lines), foot, *([sentences.WAY] if count and not before else [])])
