"""How every command starts and ends: arguments, the loop, errors in one line, exit codes.

The rules of this file:

- Data goes to standard output, everything else to standard error.
- An error that nobody foresaw leaves its traceback in a file, not on the user's screen.
- Whoever reads our output and goes away has what he wanted: a quiet end.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from ipcchat import __version__, paths, settings
from ipcchat.errors import EXIT_OK, EXIT_RUNTIME, IpcchatError
from ipcchat.text import visible

__all__ = [
    "EXIT_SIGINT",
    "Parser",
    "command",
    "on_terminal",
    "read_settings",
    "report",
    "run",
    "say",
]

T = TypeVar("T")
S = TypeVar("S", settings.ServerSettings, settings.ClientSettings)

EXIT_SIGINT = 128 + signal.SIGINT


class Parser(argparse.ArgumentParser):
    """A parser whose help starts with examples, and which never guesses a shortened flag."""

    def __init__(self, program: str, about: str, examples: str) -> None:
        super().__init__(prog=program, description=about, allow_abbrev=False)
        self._examples = examples
        version = f"{program.split()[0]} {__version__}"
        self.add_argument(
            "--version", action="version", version=version, help="show the version and exit"
        )

    def format_help(self) -> str:
        """The examples, then argparse's own."""
        return f"examples:\n{self._examples}\n{super().format_help()}"


def say(program: str, text: str) -> None:
    """A line for people, to standard error."""
    print(f"{program}: {visible(text)}", file=sys.stderr)


def report(program: str, error: IpcchatError) -> None:
    """One line, and the hint below it, to standard error."""
    say(program, error.text)
    if error.hint:
        print(f"  {visible(error.hint)}", file=sys.stderr)


def on_terminal() -> bool:
    """Whether somebody sits there: what is typed comes from a terminal, and what shows is one."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def read_settings(
    program: str, table: type[S], options: argparse.Namespace, *, quiet: bool = False
) -> S:
    """The settings that arguments, environment and files make; warnings go to standard error,
    unless `quiet`.

    Raises SettingError.
    """
    found, warnings = settings.load(
        table, flags=vars(options), sets=options.set, config=options.config
    )
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
        code = work()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except SystemExit as end:  # argparse's: help, version, a wrong argument
        return _ended(end)
    except BaseException as caught:
        return _failed(program, caught)


def _ended(end: SystemExit) -> int:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _nobody_reads()
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
        _nobody_reads()
        return EXIT_OK
    report(program, IpcchatError(f"this should not happen: {error!r}", _kept(program, caught)))
    return EXIT_RUNTIME


def _nobody_reads() -> None:
    """Keeps the interpreter from writing to the closed pipe once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _kept(program: str, error: BaseException) -> str:
    """Writes the traceback to a file, and says where it is."""
    try:
        folder = paths.private_dir(paths.state_dir())
        path = folder / f"{program}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.traceback"
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except (OSError, IpcchatError):
        return ""
    return f"the details are in {_shown(path)}"


def _shown(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
