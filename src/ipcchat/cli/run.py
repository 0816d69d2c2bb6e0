"""How every command starts and ends: arguments, the loop, errors in one line, exit codes.

The rules of this file:

- Data goes to standard output, everything else to standard error.
- An error that nobody foresaw leaves its traceback in a file, not on the user's screen.
- Whoever reads our output and goes away has what he wanted: a quiet end.
- The token of a join link is shown to nobody, in whatever error it turns up.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ipcchat import __version__, configuration, paths
from ipcchat.address import parse_address
from ipcchat.errors import EXIT_OK, EXIT_RUNTIME, FileError, IpcchatError
from ipcchat.settings import ClientSettings, ServerSettings
from ipcchat.text import check_nick, check_room, visible

__all__ = [
    "EXIT_SIGINT",
    "TARGET",
    "CommandParser",
    "Parser",
    "add_data",
    "check_target",
    "command",
    "drop_output",
    "on_terminal",
    "read_settings",
    "report",
    "run",
    "say",
    "show",
]

T = TypeVar("T")
S = TypeVar("S", ServerSettings, ClientSettings)

EXIT_SIGINT = 128 + signal.SIGINT
TARGET = "with or without its #; @NICK: direct messages with somebody"
"""What helps about an argument that names where one talks."""
_TOKEN = re.compile(r"(invite=)[\w-]{8,}")
"""The secret of a join link, whole or mangled."""
_QUOTES = "'\""


class Parser(argparse.ArgumentParser):
    """A parser whose help starts with examples, and which never guesses a shortened flag."""

    def __init__(self, prog: str, about: str, examples: str, **more: Any) -> None:
        """`more`: what argparse itself hands to the parser of a subcommand."""
        super().__init__(prog=prog, description=about, allow_abbrev=False, **more)
        self._examples = examples
        version = f"{prog.split()[0]} {__version__}"
        self.add_argument(
            "--version", action="version", version=version, help="show the version and exit"
        )

    def error(self, message: str) -> NoReturn:
        """The usage and what is wrong; without secrets."""
        super().error(_discreet(message))

    def format_help(self) -> str:
        """The examples, then argparse's own."""
        return f"examples:\n{self._examples}\n{super().format_help()}"


class CommandParser(Parser):
    """The parser of a subcommand: flags may stand before, between and behind its words."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What argparse calls for subcommands, and by itself once more."""
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def _discreet(text: str) -> str:
    """The text without the tokens of links."""
    return _TOKEN.sub(r"\1…", text)


def say(program: str, text: str) -> None:
    """A line for people, to standard error; to nowhere, where that is closed."""
    if sys.stderr is not None:  # else print would take standard output
        print(f"{program}: {visible(_discreet(text))}", file=sys.stderr)


def report(program: str, error: IpcchatError) -> None:
    """One line, and the hint below it, to standard error."""
    say(program, error.text)
    if error.hint and sys.stderr is not None:
        print(f"  {visible(_discreet(error.hint))}", file=sys.stderr)


def show(text: str = "", *, flush: bool = True) -> None:
    """Data, to standard output, at once; whatever was written before, too.

    Raises BrokenPipeError where nobody reads, FileError.
    """
    if sys.stdout is None:
        if text:
            raise FileError("cannot write the output: it is closed")
        return
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except OSError as error:
        drop_output()
        if isinstance(error, BrokenPipeError):
            raise
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"cannot write the output: {reason}") from None


def on_terminal() -> bool:
    """Whether somebody sits there: what is typed comes from a terminal, and what shows is one."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def add_data(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a server's data, of every subcommand."""
    parser.add_argument(
        "--data", default=argparse.SUPPRESS, metavar="DATA", help="its data directory"
    )
    parser.add_argument(
        "--set",
        dest="more",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, such as control=PATH",
    )
    parser.add_argument(
        "--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help="its settings"
    )


def check_target(target: str) -> str:
    """A room's name with its `#`, which `target` may lack, or `@` and a nick: the direct room with
    somebody. Raises TextError."""
    if target.startswith("@"):
        return "@" + check_nick(target[1:])
    return check_room(target)


def read_settings(
    program: str, table: type[S], options: argparse.Namespace, *, quiet: bool = False
) -> S:
    """The settings that arguments, environment and files make; warnings go to standard error,
    unless `quiet`. A join link may still have the quotes that a shell would have taken.

    Raises SettingError; UsageError for a join link that can't be used, which shows nothing of it.
    """
    flags = dict(vars(options))
    server = flags.get("server")
    if table is ClientSettings and isinstance(server, str) and "://" in server:
        flags["server"] = server.strip().strip(_QUOTES)
        parse_address(flags["server"])
    found, warnings = configuration.load(
        table, flags=flags, sets=options.set, config=options.config
    )
    if table is ClientSettings:
        configuration.alone = options.config
    for warning in [] if quiet else warnings:
        say(program, f"warning: {warning}")
    return found


def run(main: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Runs a coroutine to its end; `fast`: on uvloop, where it is installed."""
    if not fast:
        return asyncio.run(main)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def command(program: str, work: Callable[[], int]) -> int:
    """Runs a command; whatever it raises becomes an exit code and at most two lines."""
    try:
        code = _ended(work)
        show()
        return code
    except BaseException as caught:
        return _failed(program, caught)


def _ended(work: Callable[[], int]) -> int:
    try:
        return work()
    except SystemExit as end:  # argparse's: help, version, a wrong argument
        return end.code if isinstance(end.code, int) else EXIT_OK


def _failed(program: str, caught: BaseException) -> int:
    error = caught
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, IpcchatError):
        report(program, error)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return EXIT_SIGINT
    if isinstance(error, BrokenPipeError):
        drop_output()
        return EXIT_OK
    report(program, IpcchatError(f"this should not happen: {error!r}", _kept(program, caught)))
    return EXIT_RUNTIME


def drop_output() -> None:
    """Keeps the interpreter from writing once more at its end what can't be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _kept(program: str, error: BaseException) -> str:
    """Writes the traceback to a file, and says where it is."""
    try:
        folder = paths.private_dir(paths.state_dir())
        path = folder / f"{program}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.traceback"
        details = _discreet("".join(traceback.format_exception(error)))
        path.write_text(details, encoding="utf-8")
    except (OSError, IpcchatError):
        return ""
    return f"the details are in {_shown(path)}"


def _shown(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
