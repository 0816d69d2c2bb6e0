"""A logged-in account on one connection: what the requests of that connection work on."""

from dataclasses import dataclass, field

from ipcchat.fanout.subscription import Subscription
from ipcchat.server.connection import Connection
from ipcchat.server.eventlog import Sink

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
    credential: str = ""
    """What proved the account."""
    scope: frozenset[int] | None = None
    """The only rooms it may see and speak in; None: no such bound."""
    log_sink: Sink | None = None
    """Set while an operator reads the event log."""
