"""`run`: the screen on a session, from the first key to the last."""

from collections.abc import Sequence
from typing import Any

from ipcchat.client.session import Session
from ipcchat.settings import ClientSettings
from ipcchat.tui.actions import ACTIONS
from ipcchat.tui.keys import bindings
from ipcchat.tui.operator import OperatorDesk
from ipcchat.tui.screen import ChatScreen

__all__ = ["made", "run"]


def made(
    session: Session, settings: ClientSettings, desk: OperatorDesk | None = None, **more: Any
) -> ChatScreen:
    """A screen with its keys and commands. `more`: see `ChatScreen`."""
    return ChatScreen(session, settings, ACTIONS, bindings, desk, **more)


async def run(
    session: Session,
    settings: ClientSettings,
    *,
    operator: bool = False,
    links: Sequence[str] = (),
    greeting: str = "",
) -> None:
    """Shows the screen until the user leaves. The caller has called `session.start`.

    `operator`: it is the server's own screen; `links` are then its join links, without an invite.
    `greeting` is shown once, in the first room.

    Raises what ended the session (Unreachable, Refused, ProtocolError, ConnectionLost); the
    terminal is as it was before.
    """
    desk = OperatorDesk(session, links) if operator else None
    try:
        await made(session, settings, desk, greeting=greeting).run()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
