"""Drafts for the journal's tests, and the two journals behind one fixture-like opener."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ipcchat.entries import Entry
from ipcchat.journal import open_journal
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.journal.journal import Journal

__all__ = ["LOBBY", "account", "collect", "draft", "join", "one", "opened", "say"]

LOBBY = 1
"""The number of the first room."""


def draft(kind: str, account: int = 1, **changes: Any) -> Draft:
    """A draft with a fresh id and a fixed time, unless told otherwise."""
    return Draft(
        **{"id": secrets.token_hex(16), "time": 1000, **changes}, kind=kind, account=account
    )


def account(nick: str, credential: str = "") -> Draft:
    """A new account: keys are the lower-case nick, credentials are the nick's."""
    return draft(
        "account",
        0,
        name=nick,
        key=nick.lower(),
        credential=credential or f"secret:{nick}",
        open=True,
    )


def say(text: str = "hello", account: int = 1, room: int = LOBBY, **changes: Any) -> Draft:
    return draft("message", account, room=room, text=text, **changes)


def join(name: str, account: int = 1) -> Draft:
    return draft("join", account, name=name, key=name.lower())


async def one(journal: Journal, asked: Draft) -> Outcome:
    """The outcome of one draft."""
    (outcome,) = await journal.append([asked])
    return outcome


async def collect(journal: Journal, count: int) -> list[Entry]:
    """The first entries of the feed, at least so many."""
    found: list[Entry] = []
    feed = journal.feed()
    async for entries in feed:
        found.extend(entries)
        if len(found) >= count:
            break
    return found


@asynccontextmanager
async def opened(data: Path | None, **bounds: Any) -> AsyncIterator[Journal]:
    """A journal that closes with the block."""
    journal = await open_journal(data, **bounds)
    try:
        yield journal
    finally:
        await journal.close()
