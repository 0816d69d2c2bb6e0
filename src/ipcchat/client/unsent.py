"""Lines without an outcome, on disk: a client that ends before them has them as drafts next time.

One file for a profile, written whole after each change, the latest state only, on a thread: a key
never waits for the disk. Lines belong to a server, by its address. What was left from last time
stays in the file until its room is entered and the line is taken up.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from ipcchat import names
from ipcchat.client.profile import Profile
from ipcchat.client.room import Pending
from ipcchat.errors import FileError

__all__ = ["Unsent"]

_FIELDS = ("server", "epoch", "room", "draft", "text", "style")


class Unsent:
    """Owns the file `unsent.json` of a profile. Made before the loop runs: it reads the disk.

    Raises FileError.
    """

    def __init__(self, profile: Profile, server: str) -> None:
        self._profile = profile
        self._server = server
        found = [item for item in profile.load_unsent() if _is_line(item)]
        self._elsewhere = [item for item in found if item["server"] != server]
        self._left = [item for item in found if item["server"] == server]
        self._lines: list[dict[str, str]] = []
        self._writing = False
        self._dirty = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.failure: FileError | None = None
        """Why the file could not be written last; the lines are in memory still."""

    def take(self, room: str) -> list[tuple[str, Pending]]:
        """What was left unsaid in a room: the epoch that each was tried in, and the line."""
        if not self._left:
            return []
        mine = [item for item in self._left if names.key(item["room"]) == names.key(room)]
        self._left = [item for item in self._left if item not in mine]
        return [
            (item["epoch"], Pending(item["draft"], 0, item["text"], item["style"], 0))
            for item in mine
        ]

    def keep(self, epoch: str, lines: Iterable[tuple[str, Pending]]) -> None:
        """These are the lines without an outcome now, with their rooms' names; written soon."""
        kept = [
            {
                "server": self._server,
                "epoch": epoch,
                "room": room,
                "draft": pending.draft,
                "text": pending.text,
                "style": pending.style,
            }
            for room, pending in lines
        ]
        if kept == self._lines:
            return
        self._lines = kept
        self._dirty = True
        if not self._writing:
            self._write()

    def _write(self) -> None:
        self._dirty, self._writing = False, True
        self._idle.clear()
        content = self._elsewhere + self._left + self._lines
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._profile.save_unsent, content).add_done_callback(self._done)

    def _done(self, written: "asyncio.Future[None]") -> None:
        error = written.exception()
        self.failure = error if isinstance(error, FileError) else None
        self._writing = False
        if self._dirty:
            self._write()
        else:
            self._idle.set()

    async def close(self) -> None:
        """Waits until the last state is written."""
        await self._idle.wait()


def _is_line(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(name), str) for name in _FIELDS)
