"""`ipcchat-server`: hosts the chat; its commands ask one that runs, and care for its history."""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ipcchat.cli import certificate, invites, joining, orders, run, status, upkeep
from ipcchat.cli.streams import Writer
from ipcchat.configuration import add_flags
from ipcchat.server.server import Server
from ipcchat.settings import ServerSettings
from ipcchat.text import visible
from ipcchat.wire.messages import LogLine

__all__ = ["log_line", "main"]

PROGRAM = "ipcchat-server"
_EXAMPLES = """\
  ipcchat-server                      host on port 5555, with the operator's screen
  ipcchat-server --headless --listen 127.0.0.1:6000 --data ./talk
"""
_PARTS = (status, invites, orders, certificate, upkeep)
"""Modules of commands."""
_COMMANDS: dict[str, Callable[[ServerSettings, argparse.Namespace], int]] = {
    name: command for part in _PARTS for name, command in part.COMMANDS.items()
}


def _parser() -> run.Parser:
    made = run.Parser(PROGRAM, "Hosts a group chat for terminals.", _EXAMPLES)
    add_flags(made, ServerSettings)
    made.add_argument(
        "--plain", action="store_true", help="the operator's screen as sentences, without escapes"
    )
    commands = made.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=run.CommandParser
    )
    for part in _PARTS:
        part.add(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    return run.command(PROGRAM, lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    options.set += getattr(options, "more", [])
    settings = run.read_settings(PROGRAM, ServerSettings, options)
    if options.command is not None:
        return _COMMANDS[options.command](settings, options)

    def reread() -> ServerSettings:
        return run.read_settings(PROGRAM, ServerSettings, options, quiet=not headless)

    headless = settings.headless or not run.on_terminal()
    if headless:
        return run.run(_headless(settings, reread), fast=settings.loop == "auto")
    from ipcchat.cli.console import console

    screen = console(PROGRAM, settings, reread, plain=options.plain)
    return run.run(screen, fast=settings.loop == "auto")


def log_line(line: LogLine) -> str:
    """A line of the event log for standard error: time, level, event, text."""
    time = datetime.fromtimestamp(line.time / 1000, UTC)
    stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{stamp} {line.level} {line.event} {visible(line.text)}\n"


async def _headless(settings: ServerSettings, reread: Callable[[], ServerSettings]) -> int:
    first = run.on_terminal() and joining.is_first(settings)
    server = Server(settings, reread)
    writer = Writer(2, sys.stderr.encoding) if sys.stderr is not None else None
    if writer is not None:
        server.log.add_sink(lambda line: writer.offer(log_line(line)))
    try:
        await server.start()
        joining.note_fingerprint(server)
        # What a server makes lives short or for ever: looking for cycles often finds none, and
        # stops delivery while it looks.
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.shutdown)
        loop.add_signal_handler(signal.SIGHUP, server.reload)
        for address in server.addresses:
            with contextlib.suppress(OSError):  # whoever waited for it may have gone
                print(f"listening on {address}", flush=True)
        if first:
            head, links = await joining.welcome(server)
            for line in [*head, *(f"  ipcchat-client {joining.quoted(link)}" for link in links)]:
                print(line, flush=True)
        await server.wait_closed()
    finally:
        if writer is not None:
            await writer.close()
    return 0
