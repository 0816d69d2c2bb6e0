"""Listening sockets: where, and opening them."""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import stat
from pathlib import Path

from ipcchat.errors import EXIT_RUNTIME, EXIT_SETTING, ListenError, SettingError

__all__ = ["open_tcp", "open_unix", "parse_address", "raise_descriptors"]

_MANY = 1 << 20
_ELSEWHERE = "choose another path: --unix PATH, or --data DIR"


def parse_address(address: str) -> tuple[str, int]:
    """`HOST:PORT`, `[::1]:5555`, `:6000` or `6000` as (host, port); no host is all interfaces.

    Raises SettingError.
    """
    host, _, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise SettingError(f"listen: {address!r}: write an IPv6 address as [::1]:5555")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise SettingError(
            f"listen: {address!r} is not an address", "write HOST:PORT, :PORT or PORT"
        )
    return host, int(port)


def _listen_error(where: str, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"cannot listen on {where}: the port is in use",
            "is a server running already?  choose another port: --listen :6000",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ListenError(
            f"cannot listen on {where}: no permission",
            "ports below 1024 need it; choose another: --listen :5555",
            EXIT_SETTING,
        )
    reason = (error.strerror or str(error)).lower()
    hint = "name an address of this machine, or a path that can be made"
    return ListenError(f"cannot listen on {where}: {reason}", hint, EXIT_RUNTIME)


def _bind(family: int, address: tuple[object, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


async def open_tcp(address: str, backlog: int) -> list[socket.socket]:
    """Listening sockets for an address: IPv4 and IPv6 where it has no host.

    With port 0 both get the same port. Raises SettingError, ListenError.
    """
    host, port = parse_address(address)
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(
            host or None,
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except OSError:
        hint = f"name an address of this machine, or none: --listen :{port}"
        raise ListenError(f"cannot listen on {address}: unknown host", hint) from None
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, where in sorted(infos, key=lambda info: info[0]):
            bound = (where[0], port, *where[2:])
            try:
                sock = _bind(family, bound, backlog)
            except OSError as error:
                if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue  # no IPv6 on this machine
                raise _listen_error(f"{host or '*'}:{port}", error) from None
            sockets.append(sock)
            port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def raise_descriptors() -> int:
    """Lets this process have as many open files as the system allows; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = _MANY
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def open_unix(path: Path, mode: int, backlog: int) -> socket.socket:
    """A listening Unix socket; one that nobody listens on any more is replaced.

    Raises ListenError.
    """
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenError(f"cannot listen on {path}: there is a file of that name", _ELSEWHERE)
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(os.fspath(path))
            except PermissionError as error:
                raise _listen_error(str(path), error) from None
        raise ListenError(f"cannot listen on {path}: another server listens there", _ELSEWHERE)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        path.unlink(missing_ok=True)
        sock.bind(os.fspath(path))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _listen_error(str(path), error) from None
    finally:
        os.umask(before)
    return sock
