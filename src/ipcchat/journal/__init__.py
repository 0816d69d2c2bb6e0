"""What was said, durable and in order. It knows no wire, no client and no screen."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from ipcchat.errors import JournalUnwritable
from ipcchat.journal.drafts import Draft
from ipcchat.journal.journal import Journal

__all__ = ["LOBBY", "open_journal"]

LOBBY = "#lobby"
"""The room that is there from the beginning."""


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalUnwritable(
            f"cannot make {folder}: {(error.strerror or str(error)).lower()}",
            "choose another data directory: --data DIR",
        ) from None


async def open_journal(
    data: Path | None,
    *,
    batch_drafts: int = 1024,
    feed_batches: int = 64,
    pending_drafts: int = 16384,
    report: Callable[[str], None] = lambda _: None,
) -> Journal:
    """The journal in a data directory, or one that keeps nothing (None).

    A new one gets its first room. `report` hears of faults, a line each. Raises JournalLocked,
    JournalUnwritable, JournalDamaged, JournalError, JournalUnavailable.
    """
    journal: Journal
    if data is None:
        from ipcchat.journal.memory import MemoryJournal

        journal = MemoryJournal(batch_drafts, feed_batches, pending_drafts, report)
    else:
        from ipcchat.journal.sqlite import SqliteJournal

        _make_folder(data)
        journal = SqliteJournal(data, batch_drafts, feed_batches, pending_drafts, report)
    if not journal.state.room_keys:
        first = Draft(
            account=0,
            id=secrets.token_hex(16),
            kind="join",
            time=time.time_ns() // 1_000_000,
            name=LOBBY,
            key=LOBBY,
        )
        try:
            await journal.append([first])
        except BaseException:
            await journal.close()
            raise
    return journal
