"""Who leaves while its socket is full: what was meant for it still comes, to the last entry."""

import asyncio
import socket
from pathlib import Path
from typing import cast

import pytest
from tests.support import RawClient, draft, serve

from ipcchat.entries import Entry
from ipcchat.server.server import Server
from ipcchat.wire.messages import Join, Ok, Ping, RoomInvite, RoomUninvite, Unfollowed

LOBBY = 1
WAITING = 100_000
"""Bytes that are to wait: less than a queue may hold, more than the socket does."""


def read(client: RawClient, on: bool) -> None:
    """Whether the client takes anything."""
    transport = cast(asyncio.ReadTransport, client.writer.transport)
    (transport.resume_reading if on else transport.pause_reading)()


async def choke(server: Server, client: RawClient, talker: RawClient, room: int) -> int:
    """The client reads no more, and its socket is full: the last seq that was said.

    The server must not coalesce: one flush of what was said meanwhile could be more than a queue
    may hold, and is read again from the journal then, a page at a time, so that little waits.
    """
    session = next(it for it in server._hub.sessions.values() if it.nick == client.nick)
    transport = session.connection.transport
    assert transport is not None
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    read(client, False)
    seq = 0
    while session.connection.unsent < WAITING:
        seq = (await talker.say(room, "x" * 4000)).seq
        assert seq < 100, "it takes all, or nothing waits for it any more"
    return seq


@pytest.mark.asyncio
async def test_who_is_removed_while_its_socket_is_full_still_gets_its_last_entries(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "s")  # a full socket of TCP may take long to be less full
    async with (
        serve(unix=path, coalesce=0) as server,
        RawClient.login(path, "ann") as ann,
        RawClient.login(path, "bob") as bob,
    ):
        made = await bob.ask(Join(bob.next_id(), draft(), name="#den", private=True))
        await bob.ask(RoomInvite(bob.next_id(), draft(), room=made.room, nick="ann"))
        await ann.join("#den")
        await ann.follow(made.room)
        await ann.live(made.room)
        last = await choke(server, ann, bob, made.room)
        gone = await bob.ask(RoomUninvite(bob.next_id(), draft(), room=made.room, nick="ann"))
        assert gone.seq == last + 1
        await bob.say(made.room, "now we are alone")
        read(ann, True)
        await ann.take(lambda value: isinstance(value, Unfollowed))
        seqs = [value.seq for value in ann.values if isinstance(value, Entry)]
        assert seqs == list(range(seqs[0], gone.seq + 1))
        await ann.ask(Ping(ann.next_id()))
        assert seqs == [value.seq for value in ann.values if isinstance(value, Entry)]


@pytest.mark.asyncio
async def test_who_ends_its_own_side_gets_what_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with (
        serve(unix=path, coalesce=0) as server,
        RawClient.login(path, "ann") as ann,
        RawClient.login(path, "bob") as bob,
    ):
        await ann.follow(LOBBY)
        await ann.live(LOBBY)
        last = await choke(server, ann, bob, LOBBY)
        session = next(it for it in server._hub.sessions.values() if it.nick == "ann")
        for _ in range(50):
            ann.send(Ping(ann.next_id()))
        ann.writer.write_eof()
        async with asyncio.timeout(5):
            while not session.connection.closing:  # noqa: ASYNC110 - till it is heard
                await asyncio.sleep(0)
        read(ann, True)
        while await ann.receive():
            pass
        seqs = [value.seq for value in ann.values if isinstance(value, Entry)]
        assert seqs[-1] == last
        assert sum(isinstance(value, Ok) and type(value) is Ok for value in ann.values) == 50
