"""The journal's contract, which every implementation passes the same tests for.

1. `append` resolves when the outcomes are durable (synced), in the order the drafts were given.
   It acknowledges; it never delivers.
2. `feed` yields every committed batch once, in order, from the moment the journal was opened.
   Delivery comes from it alone. It is bounded: an unread feed holds up the next commit.
3. `state` is what is committed, never what is being written. Callers only read it.
4. Reads run off the loop, never see what is not committed, and never disturb the writer.
"""

from asyncio import Future
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from ipcchat.entries import Entry
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.journal.state import State

__all__ = ["Journal"]


class Journal(Protocol):
    """Where drafts become entries."""

    epoch: str
    """Identity of this history, 32 hexadecimal digits; changed by a restore only."""
    state: State
    """The committed state."""

    linger: Callable[[], float]
    """Asked before a small batch: seconds that it may wait to become larger; not above 0: none."""

    @property
    def trouble(self) -> str:
        """Why nothing can be stored at present; empty when all is well."""

    def append(self, drafts: Sequence[Draft], gathered: bool = False) -> Future[list[Outcome]]:
        """Decides and stores the drafts; one outcome per draft. `gathered`: they are all that came
        in this turn of the loop, so that a batch need not wait for its end.

        Never blocks and never raises by itself. The future raises JournalUnavailable (`full`,
        `busy`: nothing was stored, the outcome is open) or JournalError (outcomes are unknown
        until the next start). An outcome with the code `internal` is a draft that could not be
        applied; the others of its batch are not affected.
        """

    def feed(self) -> AsyncIterator[list[Entry]]:
        """The committed entries, a batch at a time; one reader."""

    async def read(self, room: int, *, after: int, upto: int, limit: int, size: int) -> list[Entry]:
        """Entries with after < seq <= upto, ascending: at most `limit`, about `size` bytes of
        text, and at least one where there is one."""

    async def read_back(self, room: int, *, before: int, limit: int, size: int) -> list[Entry]:
        """The last entries with seq < before, ascending; the same bounds, kept from the end."""

    async def pick(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        """The entries at these places (room, seq), in that order, without those that are none."""

    async def mark(self, room: int, seq: int) -> str | None:
        """The draft id of an entry, or None where there is no such entry."""

    async def close(self) -> None:
        """Commits what waits, ends the feed, and releases the lock."""
