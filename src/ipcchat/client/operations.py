"""What an operator's session asks of the server: who is connected, the event log, the end.

Each raises Refused where one is no operator, and ConnectionLost.
"""

from ipcchat.client.session import Session
from ipcchat.wire import messages
from ipcchat.wire.messages import Changed, LogLine, SessionInfo

__all__ = ["Changed", "LogLine", "SessionInfo", "reload", "sessions", "shutdown", "watch_log"]

_PAGES = 10
"""Pages of connections that are asked for at most: more than a screen shows."""


async def watch_log(session: Session, last: int = 100) -> None:
    """The last lines of the event log, and each new one, come as events."""
    await session.request(messages.Log(0, last))


async def sessions(session: Session) -> list[SessionInfo]:
    """Who is connected, the oldest connections first."""
    found: list[SessionInfo] = []
    place = 0
    for _ in range(_PAGES):
        page = await session.request(messages.Sessions(0, place))
        found += page.items
        place = page.next
        if not place:
            break
    return found


async def reload(session: Session) -> None:
    """The server reads its settings again."""
    await session.request(messages.Reload(0))


async def shutdown(session: Session) -> None:
    """The server drains and stops."""
    await session.request(messages.Shutdown(0))
