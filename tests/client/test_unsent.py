"""Lines without an outcome outlive the client, as drafts; nothing is sent by surprise."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import RawClient, free_port, serve

from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.model import Pending
from ipcchat.client.profile import Profile, open_profile
from ipcchat.client.session import Session
from ipcchat.client.unsent import Unsent
from ipcchat.entries import Entry
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import History

pytestmark = pytest.mark.asyncio

SETTINGS = ClientSettings(plaintext=True, retry_first=0.01, retry_early=0.05)


@asynccontextmanager
async def seated(profile: Profile, address: str) -> AsyncIterator[tuple[Session, asyncio.Event]]:
    """A session that keeps its unsent lines in the profile; the event: something changed."""
    credentials = Credentials(profile.nick, identity=profile.identity, device=secrets.token_hex(4))
    unsent = Unsent(profile, address)
    session = Session(parse_address(address), credentials, SETTINGS, unsent=unsent)
    changed = asyncio.Event()
    session.on_change = changed.set
    await session.start()
    try:
        yield session, changed
    finally:
        await session.close()


async def until(seat: tuple[Session, asyncio.Event], holds: Callable[[Session], Any]) -> Any:
    session, changed = seat
    async with asyncio.timeout(10):
        while not (found := holds(session)):
            changed.clear()
            await changed.wait()
    return found


def pending(session: Session) -> list[Pending]:
    return [item for room in session.model.rooms.values() for item in room.pending]


def said(session: Session) -> list[str]:
    lines = session.model.rooms[1].lines
    return [line.text for line in lines if isinstance(line, Entry) and line.kind == "message"]


def at_home(session: Session) -> bool:
    room = session.model.rooms.get(1)
    return room is not None and room.live


async def kept(profile: Profile) -> list[str]:
    return [line["text"] for line in await asyncio.to_thread(profile.load_unsent)]


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return open_profile("ann", state_dir=tmp_path / "state", interactive=True)


async def test_what_has_an_outcome_is_not_kept(profile: Profile, tmp_path: Path) -> None:
    async with serve(data=str(tmp_path)) as server:
        async with seated(profile, server.addresses[0]) as seat:
            await until(seat, at_home)
            seat[0].submit(1, "hello")
            await until(seat, lambda session: said(session) == ["hello"])
        assert await kept(profile) == []


async def test_a_line_is_on_disk_while_it_waits(profile: Profile, tmp_path: Path) -> None:
    port = free_port()
    async with serve(data=str(tmp_path), listen=(f"127.0.0.1:{port}",)):
        seat_at = seated(profile, f"127.0.0.1:{port}")
        seat = await seat_at.__aenter__()
        await until(seat, at_home)
    try:
        await until(seat, lambda session: session.model.state == "reconnecting")
        seat[0].submit(1, "typed meanwhile")
        async with asyncio.timeout(10):
            while await kept(profile) != ["typed meanwhile"]:
                pass
    finally:
        await seat_at.__aexit__(None, None, None)
    assert await kept(profile) == ["typed meanwhile"]

    # The next start has it as a draft: it is not sent by itself …
    async with serve(data=str(tmp_path), listen=(f"127.0.0.1:{port}",)):
        async with seated(profile, f"127.0.0.1:{port}") as seat:
            (line,) = await until(seat, pending)
            assert (line.state, line.text) == ("failed", "typed meanwhile")
            await until(seat, at_home)
            assert said(seat[0]) == []
            assert await kept(profile) == ["typed meanwhile"]
            # … but when it is asked for.
            seat[0].retry(line)
            await until(seat, lambda session: said(session) == ["typed meanwhile"])
            assert pending(seat[0]) == []
        assert await kept(profile) == []


async def left(profile: Profile, server: str, epoch: str, draft: str, text: str) -> None:
    """As if a client had ended without hearing what became of that line."""
    line = {"server": server, "epoch": epoch, "room": "#Lobby", "draft": draft, "text": text}
    await asyncio.to_thread(profile.save_unsent, [{**line, "style": ""}])


async def texts(client: RawClient) -> list[str]:
    page = await client.ask(History(client.next_id(), 1))
    return [entry.text for entry in page.entries if entry.kind == "message"]


async def test_a_line_that_was_said_after_all_is_not_said_again(
    profile: Profile, tmp_path: Path
) -> None:
    async with serve(data=str(tmp_path)) as server:
        address, draft = server.addresses[0], secrets.token_hex(16)
        async with RawClient.login(address, "ann", identity=profile.identity) as ann:
            await ann.say(1, "once", id=draft)
            await left(profile, address, ann.epoch, draft, "once")
        async with seated(profile, address) as seat:
            (line,) = await until(seat, pending)
            await until(seat, at_home)
            seat[0].retry(line)
            await until(seat, lambda session: not pending(session))
        async with RawClient.login(address, "bob") as bob:
            assert await texts(bob) == ["once"]
        assert await kept(profile) == []


async def test_a_line_that_is_discarded_is_withdrawn(profile: Profile, tmp_path: Path) -> None:
    async with serve(data=str(tmp_path)) as server:
        address, draft = server.addresses[0], secrets.token_hex(16)
        async with RawClient.login(address, "ann", identity=profile.identity) as ann:
            await left(profile, address, ann.epoch, draft, "never")
        async with seated(profile, address) as seat:
            (line,) = await until(seat, pending)
            await until(seat, at_home)
            seat[0].discard(line)
            await until(seat, lambda session: not pending(session))
        async with RawClient.login(address, "ann", identity=profile.identity) as ann:
            reply = await ann.say(1, "never", id=draft)
            assert reply.code == "withdrawn"
        assert await kept(profile) == []


async def test_lines_for_another_server_stay_where_they_are(
    profile: Profile, tmp_path: Path
) -> None:
    await left(profile, "elsewhere:5555", "e", secrets.token_hex(16), "not for here")
    async with serve(data=str(tmp_path)) as server:
        async with seated(profile, server.addresses[0]) as seat:
            await until(seat, at_home)
            seat[0].submit(1, "hello")
            await until(seat, lambda session: said(session) == ["hello"])
            assert pending(seat[0]) == []
    assert await kept(profile) == ["not for here"]


async def test_in_another_history_a_line_gets_another_id(profile: Profile, tmp_path: Path) -> None:
    draft = secrets.token_hex(16)
    async with serve(data=str(tmp_path)) as server:
        await left(profile, server.addresses[0], "another epoch", draft, "again")
        async with seated(profile, server.addresses[0]) as seat:
            (line,) = await until(seat, pending)
            assert line.draft != draft
            await until(seat, at_home)
            seat[0].retry(line)
            await until(seat, lambda session: said(session) == ["again"])


async def test_what_is_no_line_is_ignored(profile: Profile, tmp_path: Path) -> None:
    path = profile.directory / "unsent.json"
    path.write_text(json.dumps({"lines": [3, {"room": "#lobby"}, None]}))
    async with serve(data=str(tmp_path)) as server:
        async with seated(profile, server.addresses[0]) as seat:
            await until(seat, at_home)
            assert pending(seat[0]) == []
