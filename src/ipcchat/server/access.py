"""Who is asking: where a connection comes from, and the table of login methods.

A method turns a login request into a *credential*: a hashed proof under which the journal finds
the account again. Raw secrets go no further than this file. A method that is not offered to a
peer does not exist for it.
"""

import hashlib
import re
import secrets
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ipcchat.errors import Refused
from ipcchat.wire.messages import Login

__all__ = [
    "METHODS",
    "OPERATOR",
    "Method",
    "Peer",
    "credential",
    "methods",
    "new_nonce",
    "peer_uid",
]

OPERATOR = "console"
"""The credential of the operator's account: the server's terminal, and its own user on the
control socket. The account is there from the first start, so nobody else can have its nick."""
_SECRET = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection, as the kernel tells it."""

    kind: Literal["tcp", "unix", "control", "console"]
    address: str
    """For people: `192.168.1.7:40312`, `uid 1000`, `console`."""
    uid: int | None = None
    """Of a Unix socket: the user at the other end."""
    operator: bool = False
    """Whether every account from there is an operator."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to prove an account."""

    kinds: tuple[str, ...]
    """The kinds of peer it is offered to."""
    prove: Callable[[Peer, Login], str]
    """Returns the credential; raises Refused (`bad_proof`)."""


def _secret(peer: Peer, login: Login) -> str:
    if not _SECRET.fullmatch(login.secret):
        raise Refused("bad_proof", "a secret is 32 lower-case hexadecimal digits")
    return "secret:" + hashlib.sha256(bytes.fromhex(login.secret)).hexdigest()


def _peer(peer: Peer, login: Login) -> str:
    if peer.operator:
        return OPERATOR
    if peer.uid is None:
        raise Refused("bad_proof", "this system does not tell who is at the other end")
    return f"peer:{peer.uid}"


METHODS: dict[str, Method] = {
    "secret": Method(("tcp", "unix", "control"), _secret),
    "peer": Method(("unix", "control", "console"), _peer),
}


def methods(peer: Peer) -> list[str]:
    """The names of the methods that this peer may use."""
    return [name for name, method in METHODS.items() if peer.kind in method.kinds]


def credential(peer: Peer, login: Login) -> str:
    """The credential that a login proves. Raises Refused (`bad_method`, `bad_proof`)."""
    method = METHODS.get(login.method)
    if method is None or peer.kind not in method.kinds:
        offered = " or ".join(methods(peer))
        raise Refused("bad_method", f"log in by {offered}")
    return method.prove(peer, login)


def new_nonce() -> str:
    """128 random bits, fresh for each connection."""
    return secrets.token_hex(16)


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
