"""How a benchmark ends that is told to: its servers with it, and no traceback."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

__all__ = ["run"]

_TOLD = (signal.SIGTERM, signal.SIGHUP)


def run(main: Callable[[], int]) -> NoReturn:
    """Runs it and exits with its code.

    SIGTERM and SIGHUP (unless it was started with that ignored) leave every block as an exception
    does, and exit with 128 + the signal; Ctrl-C in one line, with 130.
    """
    for number in _TOLD:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    try:
        code = main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 128 + signal.SIGINT
    sys.exit(code)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    for told in _TOLD:  # the second does not disturb how the first ends things
        signal.signal(told, signal.SIG_IGN)
    raise SystemExit(128 + number)
