"""The loops that servers run on: asyncio's own, and uvloop where it is installed."""

import asyncio
from collections.abc import Callable, Mapping

__all__ = ["LOOPS"]


def _loops() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    try:
        import uvloop
    except ImportError:
        return {"std": asyncio.new_event_loop}
    return {"std": asyncio.new_event_loop, "uv": uvloop.new_event_loop}


LOOPS = _loops()
"""The makers of loops, by a short name."""
