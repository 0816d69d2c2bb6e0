"""Those who talk, those who listen, and the verdict on what became of what they said.

Everything goes through the public client. A talker writes down what was acknowledged, and where;
a listener what came, in the order it came. The journal is asked last, over the wire.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.support import PLAINTEXT

import ipcchat
from ipcchat.client.chat import Chat
from ipcchat.entries import Entry
from ipcchat.errors import ConnectionLost, Refused
from ipcchat.settings import ClientSettings

__all__ = ["EAGER", "Company", "Verdict", "judge"]

EAGER = ClientSettings(
    plaintext=PLAINTEXT,
    retry_early=0.1,
    retry_late=0.1,
    connect_timeout=2,
    ping_after=0.5,
    dead_after=2,
)
"""Back at once after a cut: the harness is about outcomes, not about patience."""


@dataclass(slots=True)
class Verdict:
    """Counts over every room and listener; all but `acked` are to be 0."""

    acked: int = 0
    lost: int = 0
    """Acknowledged, and not in the journal at the place that was acknowledged."""
    doubled: int = 0
    """In the journal, or with a listener, more than once."""
    gaps: int = 0
    """Places where a listener's or the journal's seq does not go up by one."""
    reordered: int = 0
    """A talker's lines in another order than they were said."""
    unheard: int = 0
    """In the journal, and not with a listener."""
    regressed: int = 0
    """Listeners whose place in the history was not there any more."""

    @property
    def clean(self) -> bool:
        return self.acked > 0 and self == Verdict(acked=self.acked)


class Listener:
    """What came to one client from one room, in the order it came."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.regressed = False
        """The server did not know its cursor any more; it has heard nothing since."""
        self._grown = asyncio.Event()

    async def listen(self, chat: Chat, room: str) -> None:
        try:
            async for entry in chat.follow(room, after=0, kinds=None):
                self.entries.append(entry)
                self._grown.set()
        except ConnectionLost:
            return
        except Refused:
            self.regressed = True
            self._grown.set()

    async def reach(self, seq: int) -> None:
        """Waits until the entry of that number has come, or nothing comes any more."""
        while not self.regressed and (not self.entries or self.entries[-1].seq < seq):
            self._grown.clear()
            await self._grown.wait()


@dataclass(slots=True)
class Ledger:
    """What happened in one room."""

    acked: dict[str, int] = field(default_factory=dict)
    """Text → the seq that was acknowledged."""
    listeners: list[Listener] = field(default_factory=list)


def judge(ledgers: Iterable[tuple[Ledger, list[Entry]]]) -> Verdict:
    """The verdict on ledgers and the journals of their rooms."""
    verdict = Verdict()
    for ledger, journal in ledgers:
        places = {(entry.text, entry.seq) for entry in journal}
        verdict.acked += len(ledger.acked)
        verdict.lost += sum(found not in places for found in ledger.acked.items())
        verdict.regressed += sum(listener.regressed for listener in ledger.listeners)
        heard = [listener.entries for listener in ledger.listeners]
        for entries in (journal, *heard):
            said = Counter(entry.text for entry in entries if entry.kind == "message")
            verdict.doubled += sum(count - 1 for count in said.values())
            verdict.gaps += sum(b.seq != a.seq + 1 for a, b in pairwise(entries))
            verdict.gaps += bool(entries and entries[0].seq != 1)
            verdict.reordered += _out_of_order(entries)
        whole = {entry.seq for entry in journal}
        for entries in heard:
            verdict.unheard += len(whole - {entry.seq for entry in entries})
    return verdict


def _out_of_order(entries: list[Entry]) -> int:
    last: dict[str, int] = {}
    wrong = 0
    for entry in entries:
        if entry.kind == "message":
            talker, _, number = entry.text.partition(" ")
            wrong += int(number) <= last.get(talker, 0)
            last[talker] = int(number)
    return wrong


class Company:
    """People in rooms. Use it as a context manager; `talk` until `hush`, then `verdict`."""

    def __init__(
        self, address: str, home: Path, *, people: int = 6, rooms: tuple[str, ...] = ("#lobby",)
    ) -> None:
        self._address = address
        self._home = home
        self._count = people
        self._ledgers = {room: Ledger() for room in rooms}
        self._chats: list[Chat] = []
        self._stack = AsyncExitStack()
        self._group = asyncio.TaskGroup()
        self._talking: list[asyncio.Task[None]] = []
        self._listening: list[asyncio.Task[None]] = []
        self._hushed = False

    @property
    def acked(self) -> int:
        """Acknowledged so far."""
        return sum(len(ledger.acked) for ledger in self._ledgers.values())

    async def __aenter__(self) -> "Company":
        for number in range(self._count):
            chat = ipcchat.connect(
                self._address, name=f"talker{number}", state_dir=self._home, settings=EAGER
            )
            self._chats.append(await self._stack.enter_async_context(chat))
        await self._group.__aenter__()
        for room, ledger in self._ledgers.items():
            for chat in self._chats:
                await chat.join(room)
                listener = Listener()
                ledger.listeners.append(listener)
                task = self._group.create_task(listener.listen(chat, room))
                self._listening.append(task)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in (*self._listening, *self._talking):
            task.cancel()
        await self._group.__aexit__(None, None, None)
        await self._stack.aclose()

    def talk(self) -> None:
        """Everybody says numbered lines in every room, as fast as they are acknowledged."""
        for number, chat in enumerate(self._chats):
            for room, ledger in self._ledgers.items():
                task = self._group.create_task(self._talk(chat, f"t{number}", room, ledger))
                self._talking.append(task)

    async def hush(self, seconds: float) -> None:
        """Waits for the outcome of every line that was begun, then for the listeners."""
        self._hushed = True
        async with asyncio.timeout(seconds):
            for task in self._talking:
                await task

    async def verdict(self, seconds: float) -> Verdict:
        """Asks for every room's history and waits until the listeners have as much."""
        async with asyncio.timeout(seconds):
            found = []
            for room, ledger in self._ledgers.items():
                journal = await self._chats[0].history(room, after=0, limit=10**9)
                for listener in ledger.listeners:
                    await listener.reach(journal[-1].seq)
                found.append((ledger, journal))
        return judge(found)

    async def _talk(self, chat: Chat, talker: str, room: str, ledger: Ledger) -> None:
        number = 0
        while not self._hushed:
            number += 1
            text = f"{talker} {number}"
            entry = await chat.say(room, text)
            ledger.acked[text] = entry.seq
