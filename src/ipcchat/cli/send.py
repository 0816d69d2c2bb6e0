"""`ipcchat-client send`: says something in a room, and ends well only once it is stored."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from ipcchat.address import parse_address
from ipcchat.cli import run
from ipcchat.cli.streams import read_chunks
from ipcchat.client.chat import connect
from ipcchat.configuration import add_flags
from ipcchat.errors import ConnectionLost, IpcchatError, Unreachable, UsageError
from ipcchat.settings import ClientSettings
from ipcchat.text import split_text

__all__ = ["send"]

T = TypeVar("T")

_OPEN = "it may have been said: look before sending again"
LIMIT = 16 * 1024 * 1024
"""Bytes of standard input that are said as one."""
_EXAMPLES = """\
  ipcchat-client send '#lobby' the printer works again
  ipcchat-client send '@ann' your job is done
  journalctl -f -u backup | ipcchat-client send --server lab --each-line '#ops' -
"""


def send(program: str, arguments: Sequence[str]) -> int:
    """Runs the command; returns the exit code. Raises IpcchatError."""
    parser = run.Parser(
        f"{program} send",
        "Says something in a room. Exit code 0: the server has stored all of it; "
        "69: no server; 75: the server went away, or took too long; 77: refused.",
        _EXAMPLES,
    )
    parser.add_argument("target", metavar="ROOM", help=run.TARGET)
    parser.add_argument(
        "words", nargs="*", metavar="TEXT", help="what to say; - is the standard input"
    )
    parser.add_argument(
        "--each-line", action="store_true", help="each line of the input is a message, as it comes"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="for the server to store a message (default: 30)",
    )
    add_flags(parser, ClientSettings, ("server", "name", "plaintext"))
    options = parser.parse_intermixed_args(arguments)
    if not options.words:
        raise UsageError("nothing to say", "give a text, or - for the standard input")
    if not options.timeout > 0:
        raise UsageError("--timeout: seconds, more than 0")
    settings = run.read_settings(program, ClientSettings, options)
    room = run.check_target(options.target)
    pieces = _pieces(options.words, each_line=options.each_line)
    return run.run(_send(settings, room, pieces, options.timeout))


async def _send(
    settings: ClientSettings, room: str, pieces: AsyncIterator[str], seconds: float
) -> int:
    said = 0
    async with AsyncExitStack() as stack:
        chat = await _within(
            seconds,
            stack.enter_async_context(
                connect(settings.server, name=settings.name, quiet=True, settings=settings)
            ),
            Unreachable(
                f"cannot reach {parse_address(settings.server)}: no answer within {seconds:g} s"
            ),
        )
        async for piece in pieces:
            late = ConnectionLost(f"not stored within {seconds:g} s", _OPEN)
            try:
                await _within(seconds, chat.say(room, piece), late)
            except ConnectionLost as error:
                if error is late and chat.trouble:
                    text = f"not stored within {seconds:g} s: {chat.trouble}"
                    raise ConnectionLost(text, "it was not said: try again later") from None
                raise
            said += 1
    if not said:
        raise UsageError("nothing to say", "the input is empty")
    return 0


async def _within(seconds: float, job: Coroutine[Any, Any, T], late: IpcchatError) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await job
    except TimeoutError:
        raise late from None


# --- what is said -------------------------------------------------------------------------


async def _pieces(words: list[str], *, each_line: bool) -> AsyncIterator[str]:
    """The messages, in order, none of them blank or too long."""
    if words != ["-"]:
        text = " ".join(words)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError("the text is not UTF-8") from None
        texts = text.splitlines() if each_line else [text]
        for text in texts:
            for piece in split_text(text):
                yield piece
        return
    async for data in _lines() if each_line else _whole():
        for piece in split_text(_decoded(data)):
            yield piece


async def _whole() -> AsyncIterator[bytes]:
    kept = bytearray()
    async for chunk in read_chunks():
        kept += chunk
        _check_size(kept)
    yield bytes(kept)


async def _lines() -> AsyncIterator[bytes]:
    """Each line as soon as it is there; the last one may lack its end."""
    kept = bytearray()
    async for chunk in read_chunks():
        kept += chunk
        *lines, rest = kept.split(b"\n")
        kept = bytearray(rest)
        for line in lines:
            yield bytes(line)
        _check_size(kept)
    yield bytes(kept)


def _check_size(kept: bytearray) -> None:
    if len(kept) > LIMIT:
        raise UsageError(f"the input has more than {LIMIT // 2**20} MiB", "send it in parts")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"the input is not UTF-8 (line {line})", "convert it first, as with iconv"
        ) from None
