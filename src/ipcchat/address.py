"""Where a server is, as people write it: `lab`, `lab:5555`, `[::1]:5555`, `:6000`, `unix:/path`.

Or as a server writes it for who may join, a *join link* in one line:

    ipcchat://HOST:PORT/?fp=FINGERPRINT&invite=TOKEN

with the SHA-256 of the server's certificate (64 hexadecimal digits), so that the first contact is
safe, and an invitation (43 characters of base64url: 32 random bytes). Each may be missing; unknown
parameters are ignored, so that there can be more. The token is a secret: no `str`, `repr` or error
of this module shows it.
"""

import re
from dataclasses import dataclass, field

from ipcchat.errors import UsageError
from ipcchat.text import visible

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Address", "link", "parse_address"]

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 5555

_HOST = re.compile(r"[\w.-]{1,253}")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(?:%[\w.-]{1,64})?")
_PORT = re.compile(r"[0-9]{1,5}")
_SCHEME = "ipcchat://"
_LINK = re.compile(rf"{_SCHEME}(?P<where>[^/?#]+)/?(?:\?(?P<parameters>[^#]*))?", re.IGNORECASE)
_PARAMETERS = {
    "fp": (re.compile("[0-9A-Fa-f]{64}"), "its fingerprint (fp) has 64 hexadecimal digits"),
    "invite": (re.compile("[0-9A-Za-z_-]{43}"), "its invitation (invite) has 43 characters"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP host and port, or the path of a Unix socket. Equal addresses lead to the same place:
    what a link says besides it is for the first contact, and doesn't count."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    path: str = ""
    """Not empty: a Unix socket."""
    fingerprint: str = field(default="", compare=False)
    """SHA-256 of the server's certificate, 64 lower-case hexadecimal digits, or empty."""
    invite: str = field(default="", compare=False, repr=False)
    """The token of an invitation, or empty."""

    def __str__(self) -> str:
        """As it may be shown and typed: without fingerprint and token."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that was written, or a join link; empty: localhost. Raises UsageError."""
    text = text.strip()
    if text[: len(_SCHEME)].lower() == _SCHEME:
        return _parse_link("".join(text.replace("│", " ").split()))  # copied over several rows
    try:
        return _parse(text)
    except ValueError as error:
        # Of what may be a mangled link, nothing after the question mark is shown.
        raise UsageError(
            f"{visible(text.partition('?')[0])!r} is no server's address: {error}",
            "write it as HOST, HOST:PORT, [::1]:PORT, unix:PATH or a join link",
        ) from None


def link(address: Address) -> str:
    """The join link of an address, which `parse_address` reads back, with what it has of
    fingerprint and token. Raises UsageError for a Unix socket, which has none."""
    if address.path:
        raise UsageError(
            "a Unix socket has no join link", "who can open it needs no invitation either"
        )
    values = {"fp": address.fingerprint, "invite": address.invite}
    parameters = "&".join(f"{name}={value}" for name, value in values.items() if value)
    # The percent sign of an IPv6 zone is written as RFC 6874 says.
    where = str(address).replace("%", "%25")
    return f"{_SCHEME}{where}/" + (f"?{parameters}" if parameters else "")


def _parse(text: str) -> Address:
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path:
            raise ValueError("no path after unix:")
        return Address(path=path)
    if "://" in text:
        raise ValueError(f"a join link begins with {_SCHEME}")
    if "?" in text and "invite=" in text:
        raise ValueError(f"a join link begins with {_SCHEME}")
    if "/" in text:
        return Address(path=text)
    if _PORT.fullmatch(text):
        return Address(port=_port(text))
    host, port = _host_and_port(text)
    return Address(host or DEFAULT_HOST, port)


def _host_and_port(text: str) -> tuple[str, int]:
    """A host, which may be empty, and a port. Raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("the brackets are wrong")
        return _ipv6(host), _port(rest[1:]) if rest else DEFAULT_PORT
    if text.count(":") > 1:
        return _ipv6(text), DEFAULT_PORT
    host, colon, port = text.partition(":")
    if host == "unix":
        raise ValueError("no host is called so here")  # unix:PATH is a socket
    if host and not _HOST.fullmatch(host):
        raise ValueError("no host has that name")
    return host, _port(port) if colon else DEFAULT_PORT


def _ipv6(host: str) -> str:
    try:
        if not _IPV6.fullmatch(host):  # as a zone ipaddress takes anything
            raise ValueError
        import ipaddress  # seldom used, and slow to import

        ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("that is no IPv6 address") from None
    return host


def _port(port: str) -> int:
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return int(port)


def _parse_link(text: str) -> Address:
    try:
        match = _LINK.fullmatch(text)
        if not match:
            raise ValueError(f"it has the form {_SCHEME}HOST:PORT/?fp=…&invite=…")
        host, port = _host_and_port(match["where"].replace("%25", "%"))
        if not host:
            raise ValueError("it names no host")
        values = _parameters(match["parameters"] or "")
    except ValueError as error:
        # Nothing of the link is shown: wherever it is broken, its token may be.
        raise UsageError(
            f"that join link can't be used: {error}",
            "copy the whole link, and on a command line put it in quotes",
        ) from None
    return Address(
        host, port, fingerprint=values.get("fp", "").lower(), invite=values.get("invite", "")
    )


def _parameters(text: str) -> dict[str, str]:
    """The known parameters of a link. Raises ValueError, which shows no value."""
    values: dict[str, str] = {}
    for item in text.split("&"):
        name, _, value = item.partition("=")
        if name not in _PARAMETERS:
            continue
        pattern, rule = _PARAMETERS[name]
        if name in values:
            raise ValueError(f"it has {name} twice")
        if not pattern.fullmatch(value):
            raise ValueError(rule)
        values[name] = value
    return values
