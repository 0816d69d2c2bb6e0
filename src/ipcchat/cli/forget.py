"""`ipcchat-client forget`: drops what is known of a server, so that it is met anew."""

from collections.abc import Sequence

from ipcchat import paths
from ipcchat.address import parse_address
from ipcchat.cli import run
from ipcchat.errors import FileError, UsageError
from ipcchat.trust.certificate import shown
from ipcchat.trust.pins import FILE, Pin, Pins

__all__ = ["forget"]

_EXAMPLES = """\
  ipcchat-client forget lab:5555
"""


def forget(program: str, arguments: Sequence[str]) -> int:
    """Runs the command; returns the exit code. Raises IpcchatError."""
    parser = run.Parser(
        f"{program} forget",
        "Forgets which certificate a server has: the next one that it shows is taken. Ask its "
        "operator for the fingerprint first.",
        _EXAMPLES,
    )
    parser.add_argument("server", metavar="HOST:PORT")
    address = parse_address(parser.parse_args(arguments).server)
    if address.path:
        raise UsageError("a Unix socket has no certificate", f"usage: {program} forget HOST:PORT")
    pins = Pins(paths.state_dir() / FILE)
    try:
        pin = pins.find(address)
    except FileError:  # a damaged row can be dropped; where the whole file is, this fails again
        pin = None
    if not pins.forget(address):
        raise UsageError(
            f"nothing is known of {address}", "write it as it was written to connect: HOST:PORT"
        )
    run.show(f"forgot {address}: {_told(pin)}\n")
    return 0


def _told(pin: Pin | None) -> str:
    if pin is None:
        return "what was noted of it was damaged"
    if pin.authority:
        return "an authority had vouched for its name"
    return "its certificate " + ", and the next, ".join(map(shown, pin.fingerprints))
