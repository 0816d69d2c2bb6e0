"""`run`: sentences on a session, from the first to the last."""

import sys
from collections.abc import Sequence
from typing import TextIO

from ipcchat.actions.table import ACTIONS
from ipcchat.address import Address
from ipcchat.client.session import Session
from ipcchat.plain.desk import PlainDesk
from ipcchat.plain.screen import PlainScreen
from ipcchat.plain.terminal import Terminal
from ipcchat.settings import ClientSettings

__all__ = ["run"]


async def run(
    session: Session,
    settings: ClientSettings,
    *,
    operator: bool = False,
    links: Sequence[str] = (),
    greeting: str = "",
    input: TextIO = sys.stdin,
    output: TextIO = sys.stdout,
) -> Address | None:
    """Speaks and listens until the user leaves; the server that he wants to go on at, if any. The
    caller has called `session.start`.

    `operator`: it is the server's own screen; `links` are then its join links, without an invite.
    `greeting` is said first. Where `input` is no terminal, its lines are read, and its end is the
    end once all that was said has an outcome.

    Raises what ended the session (Unreachable, Refused, ProtocolError, ConnectionLost), and
    BrokenPipeError where nobody reads `output`; where `input` is no terminal, also what kept its
    lines from their room, or, at the end, IpcchatError or UsageError for the first of them that
    was not done. The terminal is as it was before.
    """
    desk = PlainDesk(session, links) if operator else None
    terminal = Terminal(input, output)
    screen = PlainScreen(session, settings, ACTIONS, terminal, desk, greeting=greeting)
    try:
        await screen.run()
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return screen.elsewhere
