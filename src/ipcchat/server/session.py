"""A logged-in account on one connection: what the requests of that connection work on."""

from dataclasses import dataclass, field

from ipcchat.server.connection import Connection
from ipcchat.server.eventlog import Sink
from ipcchat.server.subscription import Subscription

__all__ = ["Session"]


@dataclass(slots=True, eq=False)
class Session:
    """An account may have several; presence counts accounts, not sessions."""

    connection: Connection
    account: int
    nick: str
    role: str
    """`member` or `operator`."""
    quiet: bool
    """Not shown in presence."""
    since: int
    """Milliseconds since 1970 UTC."""
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    """Room → place in it."""
    log_sink: Sink | None = None
    """Set while an operator reads the event log."""
