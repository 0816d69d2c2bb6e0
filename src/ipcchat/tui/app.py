"""The full screen, from the first key to the last.

`opened` shows it before anything else is there; `run` shows it on a session that has begun. What
only a screen with a session needs is imported when there is one: typing comes first.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ipcchat.settings import ClientSettings
from ipcchat.tui.shell import Shell

if TYPE_CHECKING:
    from ipcchat.address import Address
    from ipcchat.client.session import Session
    from ipcchat.tui.operator import OperatorDesk
    from ipcchat.tui.screen import ChatScreen

__all__ = ["load", "made", "opened", "run"]


def load() -> None:
    """Imports what a screen needs: to be called on a thread while one types."""
    import ipcchat.actions.table
    import ipcchat.tui.keys
    import ipcchat.tui.screen  # noqa: F401


def made(
    session: "Session",
    settings: ClientSettings,
    desk: "OperatorDesk | None" = None,
    *,
    shell: Shell | None = None,
    greeting: str = "",
    **more: Any,
) -> "ChatScreen":
    """A screen with its keys and commands. `more`: see `Shell`, where none is given.

    Raises SettingError for keys that can't be what the settings say.
    """
    from ipcchat.actions.table import ACTIONS
    from ipcchat.tui.keys import bindings, bound
    from ipcchat.tui.screen import ChatScreen

    rows = bound(dict(settings.keys))
    return ChatScreen(
        session,
        settings,
        ACTIONS,
        partial(bindings, rows),
        desk,
        shell=shell or Shell(settings, **more),
        keys=rows,
        greeting=greeting,
    )


async def opened(
    settings: ClientSettings, begin: Callable[[], "Awaitable[tuple[Session, str]]"]
) -> "Address | None":
    """Shows the screen at once, and the talk as soon as `begin` has a session and what to greet
    with; ends like `run`. What `begin` raises ends it, too."""
    shell = Shell(settings)
    onward: Address | None = None

    async def main() -> None:
        nonlocal onward
        session, greeting = await begin()
        screen = made(session, settings, shell=shell, greeting=greeting)
        try:
            await screen.live()
        finally:
            onward = screen.onward

    try:
        await shell.run(main)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return onward


async def run(
    session: "Session",
    settings: ClientSettings,
    *,
    operator: bool = False,
    links: Sequence[str] = (),
    greeting: str = "",
) -> "Address | None":
    """Shows the screen until the user leaves; returns the server to go on at, if so asked. The
    caller has called `session.start`.

    `operator`: it is the server's own screen; `links` are then its join links, without an invite.
    `greeting` is shown once, in the first room.

    Raises what ended the session (Unreachable, Refused, ProtocolError, ConnectionLost); the
    terminal is as it was before.
    """
    from ipcchat.tui.operator import OperatorDesk

    screen = made(
        session, settings, OperatorDesk(session, links) if operator else None, greeting=greeting
    )
    try:
        await screen.run()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return screen.onward


def _first(error: BaseException) -> BaseException:
    """What ended the first task of the innermost group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
