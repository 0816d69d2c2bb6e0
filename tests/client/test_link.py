"""One connection: order, login, life and death."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Struct
from tests.client.peer import EPOCH, ME, PLAIN, Line, Peer, entry, quick, scripted, until

from ipcchat.client.connector import dial
from ipcchat.client.link import Credentials, Link
from ipcchat.entries import Entry
from ipcchat.errors import ConnectionLost, ProtocolError, Refused, RemoteProtocolError
from ipcchat.wire import codec
from ipcchat.wire.framing import encode_frame
from ipcchat.wire.messages import (
    Bye,
    Error,
    Follow,
    FollowOk,
    Hello,
    HelloOk,
    Login,
    LoginOk,
    Ok,
    Ping,
    Rooms,
    RoomsOk,
)

ANN = Credentials("ann", "5" * 32)


class Ends:
    """A link, its other end, and what it told."""

    def __init__(self, link: Link, line: Line, told: list[Any]) -> None:
        self.link = link
        self.line = line
        self.told = told
        self.batches = 0

    async def login(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.link.login(ANN))
            group.create_task(self.line.login())


@asynccontextmanager
async def linked(peer: Peer, **changes: Any) -> AsyncIterator[Ends]:
    told: list[Struct] = []
    ends: Ends

    def applied() -> None:
        ends.batches += 1

    link = await dial(peer.address, lambda: Link(quick(**changes), told.append, applied), 5, PLAIN)
    ends = Ends(link, await peer.accept(), told)
    try:
        yield ends
    finally:
        link.abort()
        await link.lost


@pytest.mark.asyncio
async def test_events_and_replies_keep_their_order() -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        ends.link.ask(Follow(0, 1, last=1), ends.told.append)
        follow = await ends.line.expect(Follow)
        ok = FollowOk(follow.id, from_=1, head=2, first=1)
        ends.line.send(entry(1), ok, entry(2))
        await until(lambda: len(ends.told) == 3)
        assert ends.told == [entry(1), ok, entry(2)]


@pytest.mark.asyncio
async def test_unknown_events_and_fields_are_ignored() -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        ends.line.send_bytes(encode_frame(b'{"type":"confetti","room":1}'))
        ends.line.send_bytes(encode_frame(b'{"type":"live","room":1,"head":3,"mood":"fine"}'))
        ends.line.send_bytes(encode_frame(b'{"type":"live","room":"x"}'))
        ends.line.send_bytes(encode_frame(b'{"type":"ok","id":999}'))
        ends.line.send(entry(1))
        await until(lambda: len(ends.told) == 2)
        assert ends.link.open


@pytest.mark.asyncio
async def test_a_reply_of_the_wrong_shape_is_an_error() -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        asked = asyncio.gather(ends.link.request(Rooms(0)), return_exceptions=True)
        rooms = await ends.line.expect(Rooms)
        ends.line.send_bytes(encode_frame(b'{"type":"ok","id":%d,"items":3}' % rooms.id))
        (error,) = await asked
        assert isinstance(error, Refused)
        assert error.code == "bad_field"
        assert ends.link.open


@pytest.mark.asyncio
async def test_a_flood_leaves_time_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.client.link._BUDGET", 0.0)
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        frames = [codec.encode(entry(seq)) for seq in range(1, 2001)]
        ends.line.send_bytes(b"".join(frames))
        ends.line.send(Bye("shutdown"))
        await ends.link.lost
        assert [one.seq for one in ends.told if isinstance(one, Entry)] == list(range(1, 2001))
        assert ends.batches >= 2000 // 64 // 2  # many turns of the loop, not one


@pytest.mark.asyncio
async def test_requests_over_the_limit_wait_their_turn() -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()  # the scripted server takes 8 at a time
        asked = [asyncio.ensure_future(ends.link.request(Rooms(0))) for _ in range(20)]  # noqa: TID251
        seen = 0
        while seen < 20:
            batch = [await ends.line.expect(Rooms) for _ in range(min(8, 20 - seen))]
            seen += len(batch)
            ends.line.send(*(RoomsOk(request.id, []) for request in batch))
        assert len(await asyncio.gather(*asked)) == 20


@pytest.mark.asyncio
async def test_what_waits_when_it_is_lost() -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        asked = asyncio.gather(
            *(ends.link.request(Rooms(0)) for _ in range(20)), return_exceptions=True
        )
        await ends.line.expect(Rooms)
        ends.line.abort()
        assert all(isinstance(error, ConnectionLost) for error in await asked)
        with pytest.raises(ConnectionLost):
            await ends.link.request(Rooms(0))


@pytest.mark.asyncio
async def test_a_taken_nick_gives_way() -> None:
    async with scripted() as peer, linked(peer) as ends:
        answer = asyncio.gather(ends.link.login(ANN))
        hello = await ends.line.expect(Hello)
        ends.line.send(HelloOk(hello.id, 1, EPOCH, "n", ["secret"]))
        for nick in ("ann", "ann-2"):
            login = await ends.line.expect(Login)
            assert (login.nick, login.secret) == (nick, "5" * 32)
            ends.line.send(Error("nick_taken", id=login.id))
        login = await ends.line.expect(Login)
        ends.line.send(LoginOk(login.id, ME, login.nick))
        ((_, ok),) = await answer
        assert ok.nick == "ann-3"


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", [True, False])
async def test_a_taken_nick_ends_it(asked: bool) -> None:
    who = Credentials("ann", "5" * 32, asked=asked)
    async with scripted() as peer, linked(peer) as ends:
        answer = asyncio.gather(ends.link.login(who), return_exceptions=True)
        hello = await ends.line.expect(Hello)
        ends.line.send(HelloOk(hello.id, 1, EPOCH, "n", ["secret"]))
        for _ in range(1 if asked else 9):
            login = await ends.line.expect(Login)
            ends.line.send(Error("nick_taken", id=login.id))
        (error,) = await answer
        assert isinstance(error, Refused)
        assert (error.code, error.exit_code) == ("nick_taken", 77)
        assert "--name" in error.hint


@pytest.mark.asyncio
async def test_another_version() -> None:
    async with scripted() as peer, linked(peer) as ends:
        answer = asyncio.gather(ends.link.login(ANN), return_exceptions=True)
        hello = await ends.line.expect(Hello)
        ends.line.send(Error("bad_version", "this server speaks version 2", id=hello.id))
        (error,) = await answer
        assert isinstance(error, ProtocolError)
        assert error.exit_code == 76
        assert "version 2" in str(error)


@pytest.mark.asyncio
async def test_silence_is_answered_by_a_ping_then_by_the_end() -> None:
    async with scripted() as peer, linked(peer, ping_after=0.02, dead_after=0.15) as ends:
        await ends.login()
        for _ in range(3):
            ping = await ends.line.expect(Ping)
            ends.line.send(Ok(ping.id))
        await ends.line.expect(Ping)  # no answer this time
        await ends.link.lost
        assert "no sign of life" in ends.link.reason


@pytest.mark.asyncio
async def test_a_silent_server_before_login() -> None:
    async with scripted() as peer, linked(peer, ping_after=0.01, dead_after=0.03) as ends:
        with pytest.raises(ConnectionLost, match="no sign of life"):
            await ends.link.login(ANN)


@pytest.mark.asyncio
@pytest.mark.parametrize("last", [Bye("shutdown", "\x1bbye", 40), Error("too_slow", "\x1bbye")])
async def test_a_farewell(last: Struct) -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        ends.line.send(entry(1), last, entry(2))
        await ends.link.lost
        assert ends.told == [entry(1)]
        assert isinstance(ends.link.why, Refused)
        assert ends.link.why.retry
        assert "\x1b" not in ends.link.reason
        assert ends.link.wait_ms == (40 if isinstance(last, Bye) else 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n", b"\0\0\0\0", b"\0\0\0\x02{]"])
async def test_what_is_no_server(data: bytes) -> None:
    async with scripted() as peer, linked(peer) as ends:
        ends.line.send_bytes(data)
        with pytest.raises(ConnectionLost):
            await ends.link.login(ANN)
        assert isinstance(ends.link.why, RemoteProtocolError)


@pytest.mark.asyncio
async def test_a_frame_that_was_cut_off_is_a_lost_connection() -> None:
    async with scripted() as peer, linked(peer) as ends:
        await ends.login()
        ends.line.send_bytes(codec.encode(entry(1))[:-3])
        await ends.line.close()
        await ends.link.lost
        assert ends.told == []
        assert ends.link.reason == "the server closed the connection"


@pytest.mark.asyncio
async def test_what_may_not_be_sent_is_an_error_at_once() -> None:
    async with scripted() as peer, linked(peer) as ends:
        with pytest.raises(Refused) as caught:
            await ends.link.request(Rooms(0))  # before the greeting
        assert caught.value.code == "bad_state"
