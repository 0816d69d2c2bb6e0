"""The operator's desk in sentences, on a server of this process."""

import asyncio
import io
import os

import pytest
from tests.support import PLAINTEXT, RawClient, serve

from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.errors import ConnectionLost, Refused
from ipcchat.plain.app import run
from ipcchat.settings import ClientSettings

pytestmark = pytest.mark.asyncio


class Heard(io.StringIO):
    """An output that one can wait at; it has no descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def write(self, text: str) -> int:
        self._more.set()
        return super().write(text)

    async def until(self, said: str) -> str:
        """Waits for a text; all that was said."""
        async with asyncio.timeout(10):
            while said not in self.getvalue():
                self._more.clear()
                await self._more.wait()
        return self.getvalue()


async def test_the_log_is_said_and_the_server_is_shut_down_when_asked() -> None:
    heard = Heard()
    reading, writing = os.pipe()
    settings = ClientSettings(plaintext=PLAINTEXT)
    async with serve() as server:
        session = Session(await server.open_console(), Credentials("root"), settings, shown="here")
        await session.start()
        with os.fdopen(reading) as input:

            async def screen() -> None:
                with pytest.raises(ConnectionLost):
                    await run(
                        session,
                        settings,
                        operator=True,
                        links=["ipcchat://here"],
                        greeting="join by\nipcchat://here",
                        input=input,
                        output=heard,
                    )

            async with asyncio.TaskGroup() as group:
                group.create_task(screen())
                text = await heard.until("now in #lobby")
                assert text.startswith("join by\nipcchat://here\n")
                async with RawClient.login(server.addresses[0], "ann"):
                    await heard.until("ann")
                    os.write(writing, b"/shutdown\n")
                    await heard.until("1 other connected: shut down? y yes, n no\n")
                    os.write(writing, b"y\n")
                    await heard.until("the server is shutting down")
        await session.close()
    os.close(writing)


class Broken(Session):
    """A session of which two parts within each other fail."""

    async def run(self) -> None:
        inner = ExceptionGroup("a part", [Refused("forbidden", "you are banned")])
        raise ExceptionGroup("a part of a part", [inner])


async def test_what_ended_it_is_raised_however_deep_it_was() -> None:
    settings = ClientSettings(plaintext=PLAINTEXT)
    reading, writing = os.pipe()
    async with serve() as server:
        session = Broken(await server.open_console(), Credentials("root"), settings, shown="here")
        await session.start()
        with os.fdopen(reading) as input, pytest.raises(Refused, match="banned"):
            await run(session, settings, input=input, output=Heard())
        await session.close()
    os.close(writing)
