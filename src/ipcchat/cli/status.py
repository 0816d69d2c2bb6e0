"""`ipcchat-server status`: how the server of a data directory is."""

import argparse
import asyncio
import contextlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from ipcchat import paths
from ipcchat.cli import run
from ipcchat.errors import EXIT_RUNTIME, ProtocolError, Unreachable, UsageError
from ipcchat.settings import ServerSettings
from ipcchat.wire import messages
from ipcchat.wire.protocol import Protocol, Role

__all__ = ["add", "ask", "status"]

_EXAMPLES = """\
  ipcchat-server status               the server of the usual data directory
  ipcchat-server status --data ./talk --json | jq .entries
"""
_TIMEOUT = 10.0
"""Seconds in which a running server answers."""


def add(commands: Any) -> None:
    """The subcommand's arguments."""
    made: argparse.ArgumentParser = commands.add_parser(
        "status",
        help="how the running server is; exit code 0 when it is ready",
        about="Asks the running server how it is. Exit code 0: ready; 1: it can't store at "
        "present; 69: no server.",
        examples=_EXAMPLES,
    )
    made.add_argument("--json", action="store_true", help="one JSON object")
    run.add_data(made)


async def ask(settings: ServerSettings, request: Struct) -> Any:
    """One request to the server of a data directory, over its control socket.

    Raises Unreachable, ProtocolError.
    """
    if settings.data == paths.MEMORY and not settings.control:
        raise UsageError(
            "a server with --data :memory: has no control socket",
            "give it one, and name it here too: --set control=PATH",
        )
    path = Path(settings.control or paths.control_path(settings.data or paths.data_dir()))
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        raise Unreachable(
            f"no server runs on {settings.data or paths.data_dir()}",
            "start one: ipcchat-server; or name its data: --data DIR",
        ) from None
    wire = Protocol(Role.CLIENT)
    hello = messages.Hello(1, [1], device="control")
    login = messages.Login(2, "peer", nick="control", quiet=True)
    answer: Any = None
    try:
        async with asyncio.timeout(_TIMEOUT):
            for message in (hello, login, request):
                writer.write(wire.send(message))
                answer = await _answer(reader, wire, message.id)  # type: ignore[attr-defined]
    except (TimeoutError, OSError):
        raise Unreachable("the server does not answer", "it may be stopping or stuck") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return answer


async def _answer(reader: asyncio.StreamReader, wire: Protocol, request: int) -> Any:
    while True:
        data = await reader.read(65536)
        if not data:
            raise Unreachable("the server closed the connection", "it may be stopping")
        for value in wire.receive(data):
            if isinstance(value, messages.Error):
                raise ProtocolError(f"the server refused: {value.text or value.code}")
            if getattr(value, "id", None) == request:
                return value


async def status(settings: ServerSettings, *, as_json: bool) -> int:
    """Prints how the server is. Exit code 0: ready; 1: it can't store at present."""
    answer: messages.StatusOk = await ask(settings, messages.Status(3))
    if as_json:
        names = [name for name in answer.__struct_fields__ if name != "id"]
        run.show(json.dumps({name: getattr(answer, name) for name in names}) + "\n")
    else:
        since = datetime.fromtimestamp(answer.since / 1000).astimezone()
        run.show(
            f"state      {'ready' if answer.ready else 'not ready: ' + answer.text}\n"
            f"version    {answer.version}\n"
            f"since      {since:%Y-%m-%d %H:%M:%S}\n"
            f"listening  {', '.join(answer.listening)}\n"
            f"data       {answer.data}\n"
            f"sessions   {answer.sessions}\n"
            f"accounts   {answer.accounts}\n"
            f"rooms      {answer.rooms}\n"
            f"entries    {answer.entries:,}\n"
        )
    return 0 if answer.ready else EXIT_RUNTIME
