"""Whatever a client sends to a whole server, in any state and any role: a message with an `id` gets
exactly one answer, typed and with a known code, or the connection is closed; every frame that comes
back is one of the protocol's. Nothing is `internal`, nothing reaches the loop's handler of
exceptions, the log has no error, and the server goes on serving others."""

import asyncio
import contextlib
import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from fuzz.payloads import dumps, frame, id_of, payload, request
from fuzz.target import Target, require
from ipcchat.errors import CODES, RemoteProtocolError
from ipcchat.server.server import Server
from ipcchat.settings import ServerSettings
from ipcchat.wire import codec, messages
from ipcchat.wire.framing import FrameReader

__all__ = ["ServerTarget"]

Case = tuple[str, int, list[bytes]]
"""The role, how many steps of a login come first, and the frames."""

_PATIENCE = 5.0
"""Seconds for everything that is owed."""
_AGE = 2000
"""Cases that one server gets: what they leave behind is let go of then."""
_OPENING = (
    {"type": "hello", "id": 1, "versions": [1]},
    {"type": "login", "id": 2, "method": "peer", "nick": "fuzz"},
)
_LAST = 2**53 - 2
"""The id of the last request."""


class ServerTarget(Target):
    name = "server"
    weight = 4

    def __enter__(self) -> "ServerTarget":
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-server-")
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._failures: list[str] = []
        self._loop.set_exception_handler(self._failed)
        self._server: Server | None = None
        self._age = 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._runner.run(self._stop())
        finally:
            self._runner.close()
            self._folder.cleanup()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._failures.append(f"{context['message']}: {context.get('exception')!r}")

    def make(self, chance: random.Random) -> Case:
        role = "member" if chance.random() < 0.8 else "operator"
        opening = chance.choice((0, 1, 2, 2, 2, 2))
        frames = []
        for _ in range(chance.randrange(1, 10)):
            made = request(chance)
            if made["type"] == "shutdown" and chance.random() < 0.9:
                continue
            if chance.random() < 0.7:
                made["id"] = chance.randrange(3, 1000)
            if "room" in made and chance.random() < 0.6:
                made["room"] = 1
            whole = chance.random() < 0.4
            frames.append(frame(dumps(made, chance) if whole else payload(made, chance), chance))
        return role, opening, frames

    def check(self, case: Case) -> None:
        self._runner.run(self._check(case))

    async def _start(self) -> Server:
        folder = Path(self._folder.name)
        settings = ServerSettings(
            listen=(),
            unix=str(folder / "member.sock"),
            control=str(folder / "operator.sock"),
            data=":memory:",
        )
        server = Server(settings)
        await server.start()
        return server

    async def _stop(self) -> None:
        server, self._server, self._age = self._server, None, 0
        if server is not None:
            await server.close()

    async def _check(self, case: Case) -> None:
        role, opening, frames = case
        if self._age >= _AGE:
            await self._stop()
        if self._server is None:
            self._server = await self._start()
        self._age += 1
        path = Path(self._folder.name) / f"{role}.sock"
        said = [*map(_dumped, _OPENING[:opening]), *frames, _dumped({"type": "ping", "id": _LAST})]
        owed, optional = _owed(said)
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(b"".join(said))
            answers, closed = await self._answers(reader, owed)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        for number, count in answers.items():
            most = owed[number] + optional[number]
            require(count <= most, "more answers than questions", number, count, most)
        missing = owed - answers
        require(closed or not missing, "unanswered", dict(missing))
        require(not self._failures, "an exception in the loop", self._failures)
        bad = [line for line in self._server.log.last(1000) if line.level == "error"]
        require(not bad, "errors in the log", [line.text for line in bad[:3]])
        if not path.exists():  # an operator's valid `shutdown`
            await self._stop()

    async def _answers(
        self, reader: asyncio.StreamReader, owed: Counter[int]
    ) -> tuple[Counter[int], bool]:
        """How often each id was answered, and whether the connection was closed."""
        frames = FrameReader()
        answers: Counter[int] = Counter()
        try:
            async with asyncio.timeout(_PATIENCE):
                while owed - answers:
                    data = await reader.read(65536)
                    if not data:
                        return answers, True
                    for one in frames.feed(data):
                        number = _answered(one)
                        if number is not None:
                            answers[number] += 1
                    require(frames.error is None, "a bad frame came back", frames.error)
        except ConnectionResetError:
            return answers, True
        except TimeoutError:
            pass
        return answers, False


def _dumped(made: dict[str, Any]) -> bytes:
    data = json.dumps(made).encode()
    return len(data).to_bytes(4, "big") + data


def _owed(said: list[bytes]) -> tuple[Counter[int], Counter[int]]:
    """How many answers each id is owed, and how many more it may get."""
    reader = FrameReader()
    owed: Counter[int] = Counter()
    optional: Counter[int] = Counter()
    for one in reader.feed(b"".join(said)):
        number = id_of(one)
        if type(number) is int and 0 <= number < 2**53:
            owed[number] += 1
        elif isinstance(number, float) and number.is_integer():
            optional[int(number)] += 1
    return owed, optional


def _answered(data: bytes) -> int | None:
    """The id that a frame from the server answers. AssertionError where it is none of ours."""
    try:
        value = codec.decode_event(data)
    except RemoteProtocolError as error:
        raise AssertionError(f"the server sent what is no message: {error.text}") from None
    if isinstance(value, messages.Error):
        require(value.code in CODES, "an unknown code", value.code)
        require(value.code != "internal", "internal", value.text)
        return value.id
    if isinstance(value, messages.Unfollowed | messages.Bye):
        require(value.code in ("", *CODES), "an unknown code", value.code)
        require(value.code != "internal", "internal", msgspec.to_builtins(value))
    return value.id if isinstance(value, messages.Ok) else None
