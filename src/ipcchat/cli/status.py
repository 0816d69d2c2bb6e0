"""`ipcchat-server status`: how the server of a data directory is."""

import argparse
import json
from datetime import datetime
from typing import Any

from ipcchat.cli import control, run
from ipcchat.client import intake
from ipcchat.errors import EXIT_RUNTIME
from ipcchat.settings import ServerSettings
from ipcchat.trust.certificate import shown
from ipcchat.wire import messages

__all__ = ["COMMANDS", "add"]

_EXAMPLES = """\
  ipcchat-server status               the server of the usual data directory
  ipcchat-server status --data ./talk --json | jq .entries
"""


def add(commands: Any) -> None:
    """The subcommand's arguments."""
    made: argparse.ArgumentParser = commands.add_parser(
        "status",
        help="how the running server is; exit code 0 when it is ready",
        about="Asks the running server how it is. Exit code 0: ready; 1: it can't store at "
        "present; 69: no server.",
        examples=_EXAMPLES,
    )
    made.add_argument("--json", action="store_true", help="one JSON object")
    run.add_data(made)


def _status(settings: ServerSettings, options: argparse.Namespace) -> int:
    return run.run(_ask(settings, as_json=options.json))


async def _ask(settings: ServerSettings, *, as_json: bool) -> int:
    """Prints how the server is. Exit code 0: ready; 1: it can't store at present."""
    async with control.operator(settings) as chat:
        answer = intake.clean_status(await chat.request(messages.Status(0)))
    if as_json:
        names = [name for name in answer.__struct_fields__ if name != "id"]
        run.show(json.dumps({name: getattr(answer, name) for name in names}) + "\n")
    else:
        run.show("".join(f"{name:11}  {value}\n" for name, value in _lines(answer).items()))
    return 0 if answer.ready else EXIT_RUNTIME


def _lines(answer: messages.StatusOk) -> dict[str, object]:
    since = datetime.fromtimestamp(answer.since / 1000).astimezone()
    fingerprint = shown(answer.fingerprint) if answer.fingerprint else "none: without TLS"
    return {
        "state": "ready" if answer.ready else f"not ready: {answer.text}",
        "version": answer.version,
        "since": f"{since:%Y-%m-%d %H:%M:%S}",
        "listening": ", ".join(answer.listening),
        "fingerprint": fingerprint,
        "access": answer.access,
        "loop": answer.loop,
        "data": answer.data,
        "sessions": answer.sessions,
        "accounts": answer.accounts,
        "rooms": answer.rooms,
        "entries": f"{answer.entries:,}",
    }


COMMANDS = {"status": _status}
