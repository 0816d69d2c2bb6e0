"""`run`: the screen on a session, from the first key to the last."""

from ipcchat.client.session import Session
from ipcchat.settings import ClientSettings
from ipcchat.tui.operator import OperatorDesk
from ipcchat.tui.screen import ChatScreen

__all__ = ["run"]


async def run(
    session: Session, settings: ClientSettings, *, operator: bool = False, greeting: str = ""
) -> None:
    """Shows the screen until the user leaves. The caller has called `session.start`.

    `greeting` is shown once, in the first room.

    Raises what ended the session (Unreachable, Refused, ProtocolError, ConnectionLost); the
    terminal is as it was before.
    """
    desk = OperatorDesk(session) if operator else None
    try:
        await ChatScreen(session, settings, desk, greeting=greeting).run()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
