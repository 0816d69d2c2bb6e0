"""How somebody at another machine joins: this machine's addresses, and join links made of them."""

import asyncio
import secrets
import shlex
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from msgspec import Struct

from ipcchat import paths
from ipcchat.address import Address, link, parse_address
from ipcchat.client.connector import Trust, dial
from ipcchat.client.link import Credentials, Link
from ipcchat.client.outbox import new_draft
from ipcchat.errors import IpcchatError, UsageError
from ipcchat.journal.schema import NAME
from ipcchat.server.access import token_hash
from ipcchat.server.server import Server
from ipcchat.settings import ClientSettings, ServerSettings
from ipcchat.trust.certificate import shown
from ipcchat.trust.identity import NO_TLS
from ipcchat.trust.pins import Pins
from ipcchat.wire.messages import Invite

__all__ = [
    "SHORT",
    "is_first",
    "links",
    "new_token",
    "note_fingerprint",
    "public_links",
    "quoted",
    "reachable",
    "welcome",
]

IP = IPv4Address | IPv6Address

SHORT = 8
"""Digits of an invite's hash that are shown to name it."""
_USES = 100
_SECONDS = 86_400
"""Of the invite that is made at the first start."""
_LOOKUP = 1.0
"""Seconds that the look-up of the machine's own name may take: without a network it hangs."""
_FAR = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses elsewhere (RFC 5737, RFC 3849), to which nothing is sent."""


def new_token() -> str:
    """A fresh token: 32 random bytes in base64url, 43 characters."""
    return secrets.token_urlsafe(32)


# --- this machine's addresses -------------------------------------------------------------


def reachable(listening: Iterable[str]) -> list[Address]:
    """Where other machines may find a server that listens there (`0.0.0.0:5555`, a Unix socket's
    path), IPv4 first; waits for a look-up. Empty: nowhere, as on loopback alone."""
    found: dict[Address, None] = {}
    own: list[IP] | None = None
    for place in listening:
        try:
            address = parse_address(place)
            ip = ip_address(address.host)
        except (UsageError, ValueError):  # a Unix socket
            continue
        if not ip.is_unspecified:
            found |= {address: None} if _is_shared(ip) else {}
            continue
        own = _own_addresses() if own is None else own
        found |= {Address(str(each), address.port): None for each in own if _fits(each, ip)}
    return sorted(found, key=lambda address: ":" in address.host)


def _is_shared(ip: IP) -> bool:
    """Whether another machine may reach it, without naming an interface."""
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


def _fits(ip: IP, wildcard: IP) -> bool:
    return ip.version == wildcard.version


def _own_addresses() -> list[IP]:
    """Those of the default routes, and those that the machine's own name has."""
    named: list[str] = []

    def look_up() -> None:
        with suppress(OSError, UnicodeError):
            infos = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
            named.extend(str(info[4][0]) for info in infos)

    # A daemon, for nothing ends a look-up that hangs.
    thread = threading.Thread(target=look_up, name="own addresses", daemon=True)
    thread.start()
    thread.join(_LOOKUP)
    texts = [_routed(family, far) for family, far in _FAR.items()] + named
    ips = [ip_address(text.partition("%")[0]) for text in texts if text]
    return [ip for ip in dict.fromkeys(ips) if _is_shared(ip)]


def _routed(family: socket.AddressFamily, far: str) -> str:
    """The address that packets to the far one would have; empty: there is no way. To connect a
    UDP socket sends nothing."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((far, 9))
        return str(probe.getsockname()[0])
    return ""


# --- links --------------------------------------------------------------------------------


def links(addresses: Iterable[Address], fingerprint: str, invite: str = "") -> list[str]:
    """A join link for each address; `fingerprint`: empty where there is no TLS."""
    return [
        link(Address(place.host, place.port, fingerprint=fingerprint, invite=invite))
        for place in addresses
    ]


def quoted(link: str) -> str:
    """A link as a word of a shell, for which `?` and `&` would mean something."""
    return shlex.quote(link)


def is_first(settings: ServerSettings) -> bool:
    """Whether a server that is started now has no history yet."""
    if settings.data == paths.MEMORY:
        return True
    return not (Path(settings.data or paths.data_dir()) / NAME).exists()


def note_fingerprint(server: Server) -> None:
    """Says in the log what the server proves itself with."""
    if server.fingerprint != NO_TLS:
        server.log.info("certificate", f"fingerprint {shown(server.fingerprint)}")


async def public_links(server: Server, invite: str = "") -> list[str]:
    """The join links of a server in this process; none where no other machine can reach it."""
    fingerprint = "" if server.fingerprint == NO_TLS else server.fingerprint
    addresses = await asyncio.to_thread(reachable, server.addresses)
    return links(addresses, fingerprint, invite)


async def welcome(server: Server) -> tuple[list[str], list[str]]:
    """What a terminal shows at the first start: lines with the fingerprint and what links are for,
    and the links; nothing where no other machine can reach the server. Their token is kept
    nowhere. Never raises IpcchatError."""
    token = new_token() if server.settings.access == "invite" else ""
    made = await public_links(server, token)
    if not made:
        return [], []
    lines = []
    if server.fingerprint != NO_TLS:
        lines.append(f"fingerprint {shown(server.fingerprint)}")
    if not token:
        return [*lines, "others join with this link, in quotes on a command line:"], made
    digest = token_hash(token)
    try:
        await _ask(server, Invite(0, new_draft(), digest, _USES, _SECONDS))
    except IpcchatError as error:
        return [*lines, f"no invite could be made: {error.text}"], []
    which = "this link" if len(made) == 1 else "any of these links"
    who = f"{_USES} people can join within 24 h with {which}, in quotes on a command line"
    return [*lines, f"{who}; to end it: ipcchat-server invite revoke {digest[:SHORT]}"], made


async def _ask(server: Server, request: Struct) -> None:
    """One request as the operator, whose screen needs not be there. Raises IpcchatError."""
    settings = ClientSettings()
    sock = await server.open_console()
    nowhere = Trust(Pins(Path()))  # of no meaning for a socket that is connected
    link = await dial(sock, lambda: Link(settings, _ignore, _nothing), 1.0, nowhere)
    try:
        await link.login(Credentials(server.settings.operator_nick, quiet=True))
        await link.request(request)
    finally:
        link.abort()
        await link.lost


def _ignore(event: Struct) -> None:
    """Events are for sessions that show them."""


def _nothing() -> None:
    """Nothing shows."""
