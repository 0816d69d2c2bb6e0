"""What the server's own operator has besides, as sentences: its event log and its commands."""

import asyncio
from collections import deque
from collections.abc import Sequence

from ipcchat.actions import operations
from ipcchat.actions.face import Face
from ipcchat.actions.operations import LogLine
from ipcchat.actions.serving import serve
from ipcchat.client.session import Session

__all__ = ["PlainDesk"]

_LINES, _MINUTE = 12, 60.0
"""Lines of the event log that are said at most, in so many seconds."""


class PlainDesk:
    """The operator's desk without a pane: what happens is said, unless much does."""

    def __init__(self, session: Session, links: Sequence[str] = ()) -> None:
        self.links = links
        """The server's join links, without an invite."""
        self._session = session
        self._face: Face | None = None
        self._said: deque[float] = deque(maxlen=_LINES)
        self._hushed = False

    def attach(self, face: Face) -> None:
        """Events are said there from now on."""
        self._face = face
        self._session.on_event = self._event
        face.spawn(operations.watch_log(self._session))

    def detach(self) -> None:
        """They are said no more."""
        self._face = None

    def _event(self, event: object) -> None:
        if self._face is None or not isinstance(event, LogLine) or event.level == "debug":
            return
        at = asyncio.get_running_loop().time()
        if len(self._said) == _LINES and at - self._said[0] < _MINUTE:
            if not self._hushed:
                self._hushed = True
                self._face.show("more happens at the server than is said here: its log has it")
            return
        self._hushed = False
        self._said.append(at)
        bad = event.level not in ("info", "debug")
        self._face.show(f"server: {event.text}", "error" if bad else "info")

    async def do(self, face: Face, name: str) -> None:
        """`reload` or `shutdown`. Raises IpcchatError."""
        await serve(face, name)
