"""The operator's desk: who is connected, what happened, and the commands of the server itself."""

import asyncio
from collections import deque
from collections.abc import Sequence

from ipcchat.actions import operations
from ipcchat.actions.face import Face
from ipcchat.actions.operations import Changed, LogLine, SessionInfo
from ipcchat.actions.serving import serve
from ipcchat.client.session import Session
from ipcchat.clock import local
from ipcchat.paint.cells import columns
from ipcchat.paint.row import Part, Row, row
from ipcchat.paint.wrap import wrap
from ipcchat.text import clean_line
from ipcchat.tui.screen import ChatScreen

__all__ = ["OperatorDesk"]

_LOG = 200
"""Lines of the event log that are kept."""
_ASKS, _MINUTE = 5, 60.0
"""Lines of the room about who asks to join, in so many seconds."""
_ROWS = 6
"""Rows of the desk, its heading included."""


class OperatorDesk:
    """A pane above the talk. What it shows comes by the protocol, like everything else."""

    height = _ROWS

    def __init__(self, session: Session, links: Sequence[str] = ()) -> None:
        self.links = links
        """The server's join links, without an invite."""
        self._asks: deque[float] = deque(maxlen=_ASKS)
        self._session = session
        self._sessions: list[SessionInfo] = []
        self._log: deque[LogLine] = deque(maxlen=_LOG)
        self._screen: ChatScreen | None = None
        self._asking = False
        self._stale = False
        self._hushed = False

    def attach(self, screen: ChatScreen) -> None:
        """The desk is shown on a screen."""
        self._screen = screen
        self._session.on_event = self._event
        screen.spawn(self._begin())

    def detach(self) -> None:
        """It is shown no more."""
        self._screen = None

    async def _begin(self) -> None:
        await operations.watch_log(self._session)
        await self._refresh()

    def _event(self, event: object) -> None:
        if isinstance(event, LogLine):
            self._log.append(event)
            if event.event == "asks":
                self._asked(event)
        elif isinstance(event, Changed) and event.what == "sessions":
            self._stale = True
            if self._screen is not None and not self._asking:
                self._screen.spawn(self._refresh())

    def _asked(self, line: LogLine) -> None:
        """Somebody asks to join: that shows in the room too, unless many do."""
        at = asyncio.get_running_loop().time()
        many = len(self._asks) == _ASKS and at - self._asks[0] < _MINUTE
        if self._screen is None or (many and self._hushed):
            return
        self._hushed = many
        if not many:
            self._asks.append(at)
        self._screen.show("others ask to join, too: the log has them" if many else line.text)

    async def _refresh(self) -> None:
        """Asks who is connected; what changes meanwhile is asked for once more."""
        self._asking = True
        try:
            while True:
                self._stale = False
                self._sessions = await operations.sessions(self._session)
                if self._screen is not None:
                    self._screen.changed()
                if not self._stale:
                    return
        finally:
            self._asking = False

    # --- what shows -------------------------------------------------------------------

    def rows(self, width: int, height: int) -> list[Row]:
        """Connections at the left, the event log at the right; a rule below."""
        left = width // 2 if width >= 70 else width
        people = self._people(left - 1, height - 1)
        log = self._lines(width - left - 1, height - 1) if left < width else []
        made = []
        for index in range(height - 1):
            parts = people[index] if index < len(people) else []
            if left < width:
                used = sum(columns(text) for _, text in parts)
                beside = log[index] if index < len(log) else []
                parts = [*parts, ("", " " * (left - 1 - used)), ("rule", "│ "), *beside]
            made.append(row(*parts))
        made.append(row(("rule", "─" * width)))
        return made

    def _people(self, width: int, height: int) -> list[list[Part]]:
        count = len(self._sessions)
        made: list[list[Part]] = [[("own", f"{count} connected"[:width])]]
        for item in self._sessions[: height - 1]:
            since = local(item.since)
            queue = f" queue {item.queue}" if item.queue else ""
            role = " operator" if item.role == "operator" else ""
            text = f"{item.nick}{role}  {item.address}  since {since:%H:%M}{queue}"
            made.append([("", wrap(clean_line(text), width)[0])])
        if count > height - 1 > 0:
            made[-1] = [("notice", f"… {count - height + 2} more"[:width])]
        return made

    def _lines(self, width: int, height: int) -> list[list[Part]]:
        made: list[list[Part]] = []
        for line in list(self._log)[-height:]:
            at = local(line.time)
            style = "notice" if line.level in ("debug", "info") else "error"
            text = clean_line(f"{at:%H:%M:%S} {line.text}")
            made.append([(style, wrap(text, width)[0])])
        return made

    # --- what operators do ------------------------------------------------------------

    async def do(self, face: Face, name: str) -> None:
        """`reload` or `shutdown`. Raises IpcchatError."""
        await serve(face, name)
