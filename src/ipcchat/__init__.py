"""Group chat for people who live in terminals, and for their scripts.

`ipcchat.connect` is the public API for scripts; everything else is reached by its package:

    async with ipcchat.connect("host:port", name="robot") as chat:
        entry = await chat.say("#lobby", "hi")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipcchat.client.chat import connect as connect

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `import ipcchat.wire` loads nothing of the client.
    if name == "connect":
        from ipcchat.client.chat import connect

        return connect
    raise AttributeError(f"module 'ipcchat' has no attribute {name!r}")
