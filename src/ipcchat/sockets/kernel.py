"""What the kernel tells of a connected socket."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios

__all__ = ["peer_uid", "unacknowledged"]


def peer_uid(sock: socket.socket) -> int | None:
    """The user at the other end of a Unix socket, or None where the system does not tell."""
    if sys.platform == "linux":
        packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", packed)
        return int(uid)
    if sys.platform == "darwin":
        # <sys/un.h>: SOL_LOCAL 0, LOCAL_PEERCRED 1; struct xucred starts with version and uid.
        packed = sock.getsockopt(0, 1, 128)
        version, uid = struct.unpack_from("II", packed)
        return int(uid) if version == 0 else None
    return None


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes in the kernel that the peer's kernel has not acknowledged; 0 where it does not tell."""
    sock = transport.get_extra_info("socket")
    try:
        waiting = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError, AttributeError):
        return 0
    return int.from_bytes(waiting, sys.byteorder)
