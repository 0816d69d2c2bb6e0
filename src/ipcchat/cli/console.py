"""`ipcchat-server` on a terminal: the server, and the operator's screen as one of its clients."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import replace

from ipcchat.cli import joining, run
from ipcchat.cli.screen import is_plain
from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.configuration import load
from ipcchat.errors import ConnectionLost, SettingError
from ipcchat.plain.app import run as run_plain
from ipcchat.server.server import Server
from ipcchat.settings import ClientSettings, ServerSettings
from ipcchat.tui.app import run as run_screen
from ipcchat.tui.keys import bound

__all__ = ["console"]


async def console(
    program: str,
    settings: ServerSettings,
    reread: Callable[[], ServerSettings],
    *,
    plain: bool = False,
) -> int:
    """Hosts until the operator shuts down, the terminal is lost, or SIGTERM comes.

    The screen is set up as the user's client is: by `client.toml` and the environment. `plain`: as
    sentences, whatever these say.
    """
    shown, warnings = load(ClientSettings, flags={"plain": plain or None})
    for warning in warnings:
        run.say(program, f"warning: {warning}")
    try:
        bound(dict(shown.keys))
    except SettingError as error:  # a server must not stay away for a key
        run.say(program, f"warning: {error}; the usual keys are used")
        shown = replace(shown, keys=())
    first = joining.is_first(settings)
    server = Server(settings, reread)
    await server.start()
    joining.note_fingerprint(server)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, server.shutdown)
    try:
        head, made = await joining.welcome(server) if first else ([], [])
        links = await joining.public_links(server)
        session = Session(
            await server.open_console(),
            Credentials(settings.operator_nick),
            shown,
            shown="here",
        )
        try:
            await session.start()
            # The session ends with the server, and the screen with the session.
            # A terminal that is lost reads as an end, and can't be written to any more.
            with contextlib.suppress(ConnectionLost, EOFError, OSError):
                greeting = "\n".join([*head, *made])
                show = run_plain if is_plain(shown) else run_screen
                await show(session, shown, operator=True, links=links, greeting=greeting)
        finally:
            await session.close()
    finally:
        server.shutdown()
        with contextlib.suppress(OSError):
            run.say(program, "shutting down")
        await server.wait_closed()
    return 0
