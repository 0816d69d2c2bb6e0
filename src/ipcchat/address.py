"""Where a server is, as people write it: `lab`, `lab:5555`, `[::1]:5555`, `:6000`, `unix:/path`."""

import ipaddress
import re
from dataclasses import dataclass

from ipcchat.errors import UsageError
from ipcchat.text import visible

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Address", "parse_address"]

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 5555

_HOST = re.compile(r"[\w.-]{1,253}")
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP host and port, or the path of a Unix socket."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    path: str = ""
    """Not empty: a Unix socket."""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that was written; empty: localhost. Raises UsageError."""
    text = text.strip()
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path:
            raise _bad(text, "no path after unix:")
        return Address(path=path)
    if "://" in text:
        raise _bad(text, "it is not a link")
    if "/" in text:
        return Address(path=text)
    if _PORT.fullmatch(text):
        return Address(port=_port(text, text))
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _bad(text, "the brackets are wrong")
        return Address(_ipv6(host, text), _port(rest[1:], text) if rest else DEFAULT_PORT)
    if text.count(":") > 1:
        return Address(_ipv6(text, text))
    host, colon, port = text.partition(":")
    if host and not _HOST.fullmatch(host):
        raise _bad(text, "no host has that name")
    return Address(host or DEFAULT_HOST, _port(port, text) if colon else DEFAULT_PORT)


def _ipv6(host: str, text: str) -> str:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise _bad(text, f"{visible(host)} is no IPv6 address") from None
    return host


def _port(port: str, text: str) -> int:
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise _bad(text, "a port is a number from 1 to 65535")
    return int(port)


def _bad(text: str, why: str) -> UsageError:
    return UsageError(
        f"{visible(text)!r} is no server's address: {why}",
        "write it as HOST, HOST:PORT, [::1]:PORT or unix:PATH",
    )
