"""Requests of operators: how the server is, who is connected, the event log, the end."""

import asyncio
import sys

from ipcchat import __version__
from ipcchat.errors import Refused, SettingError
from ipcchat.journal.sight import first_seen
from ipcchat.server.hub import Hub
from ipcchat.server.session import Session
from ipcchat.trust.identity import NO_TLS
from ipcchat.wire import codec
from ipcchat.wire.messages import (
    Log,
    LogLine,
    Ok,
    Reload,
    SessionInfo,
    Sessions,
    SessionsOk,
    Shutdown,
    Status,
    StatusOk,
)

__all__ = ["log", "loop_name", "reload", "sessions", "shutdown", "status"]

_SESSIONS = 100


def loop_name() -> str:
    """The loop that runs, as shown: `asyncio`, or the library's name and version."""
    name = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    version = getattr(sys.modules.get(name), "__version__", "")
    return f"{name} {version}".rstrip()


def status(hub: Hub, session: Session, request: Status) -> StatusOk:
    """How the server is."""
    known, shown = hub.journal.state, hub.security.fingerprint
    own = session.account  # rooms that the asker may not see don't count
    listed = [
        room for number, room in known.rooms.items() if first_seen(known, number, own) is not None
    ]
    return StatusOk(
        request.id,
        version=__version__,
        ready=not hub.journal.trouble,
        since=hub.since,
        epoch=hub.journal.epoch,
        data=hub.data,
        listening=list(hub.addresses),
        sessions=sum(1 for other in hub.sessions.values() if other is not session),
        accounts=len(known.accounts),
        rooms=len(listed),
        entries=sum(room.head for room in listed),
        text=hub.journal.trouble,
        fingerprint="" if shown == NO_TLS else shown,
        access=hub.settings.access,
        loop=loop_name(),
    )


def sessions(hub: Hub, session: Session, request: Sessions) -> SessionsOk:
    """A page of who is connected, in the order of their connections."""
    numbers = sorted(number for number in hub.sessions if number > request.next)[: _SESSIONS + 1]
    items = []
    for number in numbers[:_SESSIONS]:
        other = hub.sessions[number]
        items.append(
            SessionInfo(
                session=number,
                account=other.account,
                nick=other.nick,
                address=other.connection.peer.address,
                since=other.since,
                queue=other.connection.unsent,
                device=other.connection.device,
                role=other.role,
                quiet=other.quiet,
            )
        )
    return SessionsOk(
        request.id, items=items, next=numbers[_SESSIONS - 1] if numbers[_SESSIONS:] else 0
    )


def log(hub: Hub, session: Session, request: Log) -> Ok:
    """The last lines of the event log, then each new one as it is written."""
    connection = session.connection
    for line in hub.log.last(request.last):
        connection.send(line)
    if session.log_sink is None:

        def sink(line: LogLine) -> None:
            connection.send_state(codec.encode(line), "log")

        session.log_sink = sink
        hub.log.add_sink(sink)
    return Ok(request.id)


def reload(hub: Hub, session: Session, request: Reload) -> Ok:
    """Reads the settings again."""
    hub.log.info("reload", f"asked for by {session.nick}")
    try:
        hub.reread()
    except SettingError as error:
        raise Refused("forbidden", error.text) from None
    return Ok(request.id)


def shutdown(hub: Hub, session: Session, request: Shutdown) -> Ok:
    """Drains and stops the server."""
    hub.log.info("shutdown", f"asked for by {session.nick}")
    hub.stop()
    return Ok(request.id)
