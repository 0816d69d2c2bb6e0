"""A room in which more is said than can be handed out: its senders wait, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from tests.support import RawClient, draft, serve

from ipcchat.server.server import Server
from ipcchat.wire.messages import Done, Say, Topic

pytestmark = pytest.mark.asyncio

QUEUE = 64 * 1024
BATCH = 4
"""Messages of a transaction; the journal may have two of those while a room is crowded."""
SAYS = 200
TEXT = "x" * 4000


class Crowd:
    """A server, a room whose followers are served one a turn, and somebody who floods it."""

    def __init__(self, server: Server, flooder: RawClient, readers: list[RawClient], room: int):
        self.server = server
        self.flooder = flooder
        self.readers = readers
        self.room = room
        self.most = 0
        """The most bytes that were ever collected."""

    async def flood(self) -> None:
        """All at once; until the room is crowded."""
        for _ in range(SAYS):
            self.flooder.send(Say(self.flooder.next_id(), self.room, draft(), TEXT))
        async with asyncio.timeout(10):
            while not self.server._hub.crowded:  # noqa: ASYNC110 - till it is
                await asyncio.sleep(0)

    async def watch(self) -> None:
        while True:
            self.most = max(self.most, self.server._hub.room(self.room).waiting)
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Every say has its `ok`, and every reader every entry, in order."""
        said: list[int] = []
        async with asyncio.timeout(30):
            while len(said) < SAYS:
                said.append((await self.flooder.take(lambda value: isinstance(value, Done))).seq)
            for reader in self.readers:
                seqs = [entry.seq for entry in await reader.entries(self.room, said[-1] - 1)]
                assert seqs == list(range(2, said[-1] + 1))
                assert set(said) <= set(seqs)


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    settings = {"slice_members": 1, "queue_bytes": QUEUE, "batch_drafts": BATCH}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(**settings))
        address = server.addresses[0]
        ann, *readers = [
            await stack.enter_async_context(RawClient.login(address, f"u{number}"))
            for number in range(9)
        ]
        room = await ann.join("#flood")
        for reader in readers:
            await reader.follow(room)
            await reader.live(room)
        ann.values.clear()
        it = Crowd(server, ann, readers, room)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(it.watch())
            try:
                yield it
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching


async def test_what_a_room_collects_is_bounded_and_all_of_it_arrives() -> None:
    async with crowd() as it:
        await it.flood()
        await it.end()
        assert QUEUE <= it.most <= QUEUE + 2 * BATCH * (len(TEXT) + 300)
        assert not it.server._hub.crowded


async def test_others_do_not_wait_for_it_and_orders_in_it_do_not_either() -> None:
    async with crowd() as it, RawClient.login(it.server.addresses[0], "bob") as bob:
        quiet = await bob.join("#quiet")
        await it.flood()
        assert (await bob.say(quiet, "hi")).seq
        topic = await bob.ask(Topic(bob.next_id(), draft(), room=it.room, text="slower"))
        assert isinstance(topic, Done)
        assert it.server._hub.pending, "the flood is over: it proves nothing"
        await it.end()
