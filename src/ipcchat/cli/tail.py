"""`ipcchat-client tail`: prints what is said in a room, as it comes."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from ipcchat.cli import run
from ipcchat.cli.streams import Writer
from ipcchat.client.chat import connect
from ipcchat.configuration import add_flags
from ipcchat.errors import FileError
from ipcchat.settings import ClientSettings
from ipcchat.transcript import as_json, as_text

__all__ = ["tail"]

_EXAMPLES = """\
  ipcchat-client tail '#lobby'
  ipcchat-client tail --server lab --json --after 1200 '#ops' | jq -r .text
"""


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or more")
    return int(text)


def tail(program: str, arguments: Sequence[str]) -> int:
    """Runs the command; returns the exit code. Raises IpcchatError."""
    parser = run.Parser(
        f"{program} tail",
        "Prints what is said in a room, for ever: each entry once, in order, across lost "
        "connections.",
        _EXAMPLES,
    )
    parser.add_argument("target", metavar="ROOM", help=run.TARGET)
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--last", type=_number, default=10, metavar="N", help="from the last N on (default: 10)"
    )
    start.add_argument(
        "--after", type=_number, metavar="SEQ", help="from the entry after that one; 0: from all"
    )
    parser.add_argument("--count", type=_number, metavar="N", help="end after N entries")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_flags(parser, ClientSettings, ("server", "name", "plaintext"))
    options = parser.parse_args(arguments)
    settings = run.read_settings(program, ClientSettings, options)
    return run.run(_tail(settings, run.check_target(options.target), options))


async def _tail(settings: ClientSettings, room: str, options: argparse.Namespace) -> int:
    if sys.stdout is None:
        raise FileError("cannot write the output: it is closed")
    writer = Writer(1, "utf-8" if options.json else sys.stdout.encoding)
    try:
        async with asyncio.TaskGroup() as group:
            printing = group.create_task(_print(settings, room, options, writer))
            watching = group.create_task(writer.gone.wait())
            await asyncio.wait((printing, watching), return_when=asyncio.FIRST_COMPLETED)
            printing.cancel()
            watching.cancel()
        await writer.flush()
    finally:
        await writer.close()
    return 0


async def _print(
    settings: ClientSettings, room: str, options: argparse.Namespace, writer: Writer
) -> None:
    last = None if options.after is not None else options.last
    left = options.count
    if left == 0:
        return
    async with connect(settings.server, name=settings.name, quiet=True, settings=settings) as chat:
        # All kinds, so that the numbers have no gap.
        async for entry in chat.follow(room, last=last, after=options.after, kinds=None):
            line = as_json(entry, room) if options.json else as_text(entry, settings.time_format)
            await writer.write(line + "\n")
            if left is not None:
                left -= 1
                if not left:
                    return
