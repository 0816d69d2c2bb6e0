"""`ipcchat-server certificate`: shows what the server proves itself with, and replaces it."""

import argparse
from pathlib import Path
from typing import Any

from ipcchat.cli import control, run
from ipcchat.client import intake
from ipcchat.errors import FileError, UsageError
from ipcchat.files import shown as shown_path
from ipcchat.settings import ServerSettings
from ipcchat.trust import certificate
from ipcchat.wire import messages

__all__ = ["COMMANDS", "add"]

PROGRAM = "ipcchat-server"
_EXAMPLES = """\
  ipcchat-server certificate
  ipcchat-server certificate renew            then, when everybody has been here:
  ipcchat-server certificate switch
"""


def add(commands: Any) -> None:
    """The subcommand's arguments."""
    made: argparse.ArgumentParser = commands.add_parser(
        "certificate",
        help="show or replace the server's certificate",
        about="Shows the certificate that clients remember. `renew` makes the next one, which a "
        "running server announces to whoever logs in; `switch` puts it in place. Who was not "
        "there in between is told that it has changed.",
        examples=_EXAMPLES,
    )
    made.add_argument("action", nargs="?", choices=tuple(_ACTIONS), default="show")
    run.add_data(made)


def _certificate(settings: ServerSettings, options: argparse.Namespace) -> int:
    return _ACTIONS[options.action](settings)


def _show(settings: ServerSettings) -> int:
    path = Path(settings.tls_cert) if settings.tls_cert else _own(settings)
    run.show(_described(path))
    following = path.parent / certificate.NEXT
    if not settings.tls_cert and following.exists():
        run.show(f"\nannounced as its successor:\n{_described(following)}")
    return 0


def _renew(settings: ServerSettings) -> int:
    path = certificate.successor(_own(settings, change=True).parent)
    fingerprint = certificate.read_certificate(path)[1]
    run.show(f"the next certificate has the fingerprint {certificate.shown(fingerprint)}\n")
    status = run.run(_reload(settings))
    if status is None:
        run.show("no server runs: the next one that starts announces it\n")
    elif not status.fingerprint:
        run.show("the server runs without TLS: it announces nothing\n")
    else:
        run.show(
            "the server announces it to whoever logs in from now on\n"
            f"when everybody has been here: {PROGRAM} certificate switch\n"
        )
    return 0


def _switch(settings: ServerSettings) -> int:
    own = _own(settings, change=True)
    path = certificate.switch(own.parent)
    fingerprint = certificate.read_certificate(path)[1]
    run.show(f"the certificate has the fingerprint {certificate.shown(fingerprint)} now\n")
    status = run.run(_reload(settings))
    if status is None:
        run.show("no server runs: the next one that starts shows it\n")
    elif status.fingerprint == fingerprint:
        run.show("the server shows it to new connections\n")
    else:
        run.show("the server that runs does not show it: it was started with another, or plain\n")
    run.show("join links that name the one before are void: make new ones\n")
    return 0


_ACTIONS = {"show": _show, "renew": _renew, "switch": _switch}


def _own(settings: ServerSettings, *, change: bool = False) -> Path:
    """The server's own file, which is there. Raises UsageError, FileError."""
    if change and settings.tls_cert:
        raise UsageError(
            f"the certificate is {shown_path(Path(settings.tls_cert))}, which somebody else makes",
            "replace that file, then have the server read it: /reload, or SIGHUP",
        )
    path = control.data_of(settings) / certificate.OWN
    if not path.exists():
        raise FileError(f"there is no {shown_path(path)}", "a server makes it at its first start")
    return path


def _described(path: Path) -> str:
    fingerprint = certificate.read_certificate(path)[1]
    return f"fingerprint  {certificate.shown(fingerprint)}\nfile         {shown_path(path)}\n"


async def _reload(settings: ServerSettings) -> messages.StatusOk | None:
    """Has the running server read its files; how it is then. None: none runs."""
    try:
        async with control.operator(settings) as chat:
            await chat.request(messages.Reload(0))
            return intake.clean_status(await chat.request(messages.Status(0)))
    except control.NoServer:
        return None


COMMANDS = {"certificate": _certificate}
