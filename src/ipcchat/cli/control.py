"""The control socket of a running server: whoever may open it is its operator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ipcchat import paths
from ipcchat.client.chat import Chat, connect
from ipcchat.client.connector import NoAnswer
from ipcchat.errors import Unreachable, UsageError
from ipcchat.settings import ClientSettings, ServerSettings

__all__ = ["NoServer", "data_of", "operator"]

_TIMEOUT = 10.0
"""Seconds in which a running server answers all that is asked."""


class NoServer(Unreachable):
    """None runs on that data."""


def data_of(settings: ServerSettings) -> Path:
    """The data directory that is meant. Raises UsageError where nothing is kept."""
    if settings.data == paths.MEMORY:
        raise UsageError("a server with --data :memory: keeps nothing", "name a directory: --data")
    return Path(settings.data or paths.data_dir())


@asynccontextmanager
async def operator(settings: ServerSettings) -> AsyncIterator[Chat]:
    """A session as the operator of the server of a data directory, which ends after 10 s.

    Raises NoServer; Unreachable: it does not answer; ConnectionLost: it went away; UsageError.
    """
    if settings.data == paths.MEMORY and not settings.control:
        raise UsageError(
            "a server with --data :memory: has no control socket",
            "give it one, and name it here too: --set control=PATH",
        )
    data = settings.data or paths.data_dir()
    path = settings.control or paths.control_path(data)
    asked = ClientSettings(connect_timeout=_TIMEOUT)
    try:
        async with asyncio.timeout(_TIMEOUT):
            async with connect(
                f"unix:{path}", peer=True, quiet=True, timeout=0, settings=asked
            ) as chat:
                yield chat
    except (TimeoutError, NoAnswer):
        hint = "it may be stopping or stuck"
        raise Unreachable("the server does not answer", hint) from None
    except Unreachable:
        hint = "start one: ipcchat-server; or name its data: --data DIR"
        raise NoServer(f"no server runs on {data}", hint) from None
