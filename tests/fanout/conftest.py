"""Delivery's tests run on the loops that servers run on."""

import asyncio
from collections.abc import Callable, Mapping

from tests.loops import LOOPS


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS
