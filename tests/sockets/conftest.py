"""Sockets' tests run on the loops that servers run on: asyncio's own, and uvloop."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"std": asyncio.new_event_loop, "uv": uvloop.new_event_loop}
