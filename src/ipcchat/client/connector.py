"""The one place where a client's connections are made; what secures them is decided here."""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from typing import Any, TypeVar

from ipcchat.address import Address
from ipcchat.errors import Unreachable

__all__ = ["NoAnswer", "dial"]

P = TypeVar("P", bound=asyncio.BaseProtocol)
Info = tuple[Any, ...]
"""A row of `getaddrinfo`."""

_EYEBALLS = 0.25
"""Seconds before the next address of a host is tried beside the one before (RFC 8305)."""
_START = "is the server running?  start one: ipcchat-server"
_HINTS = {
    errno.ECONNREFUSED: _START,
    errno.ENOENT: _START,
    errno.EACCES: "the socket belongs to somebody else",
}


class NoAnswer(Unreachable):
    """Nobody has answered yet: trying on may help."""


async def dial(address: Address | socket.socket, factory: Callable[[], P], seconds: float) -> P:
    """Connects a new protocol to a server, or to a socket that is connected already.

    Raises Unreachable: nobody listens, no route, no such host; NoAnswer after so many seconds.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            if isinstance(address, Address) and address.path:
                _, protocol = await loop.create_unix_connection(factory, address.path)
                return protocol
            sock = address if isinstance(address, socket.socket) else await _reach(address)
            try:
                _, protocol = await loop.create_connection(factory, sock=sock)
            except BaseException:
                sock.close()
                raise
            return protocol
    except TimeoutError:
        raise NoAnswer(f"cannot reach {address}: no answer", "is that the right address?") from None
    except (socket.gaierror, UnicodeError) as error:
        again = getattr(error, "errno", 0) == socket.EAI_AGAIN
        why = "its name can't be looked up" if again else "unknown host"
        raise Unreachable(f"cannot reach {address}: {why}", "check the server's name") from None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = _HINTS.get(error.errno or 0, "")
        raise Unreachable(f"cannot reach {address}: {why.lower()}", hint) from None


async def _reach(address: Address) -> socket.socket:
    """A connected socket: the addresses of the host race, each a little later than the one before.

    Raises OSError.
    """
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    left = deque(_interleaved(infos))
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        while left or running:
            if left:
                running.add(loop.create_task(_connect(left.popleft())))
            done, _ = await asyncio.wait(
                running,
                timeout=_EYEBALLS if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    errors.append(error)
    finally:
        for task in running:
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(result, socket.socket):
                result.close()
    refused = (error for error in errors if isinstance(error, ConnectionRefusedError))
    raise next(refused, errors[-1] if errors else OSError("no address"))


def _interleaved(infos: Iterable[Info]) -> Iterable[Info]:
    """IPv6 and IPv4 in turn, in the order that the system prefers."""
    families: dict[int, list[Info]] = {}
    for info in infos:
        families.setdefault(info[0], []).append(info)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [info for info in turns if info is not None]


async def _connect(info: Info) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
