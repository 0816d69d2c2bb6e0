"""Who is asking: where a connection comes from, and the table of login methods.

A method turns a login request into a *credential*: a hashed proof under which the journal finds
the account again. Raw secrets go no further than this file. A method that is not offered to a
peer does not exist for it.
"""

import hashlib
import pwd
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ipcchat import text
from ipcchat.errors import Refused
from ipcchat.journal.rights import TOKEN
from ipcchat.server.admission import Source
from ipcchat.trust.identity import NO_TLS, transcript, verify
from ipcchat.wire.messages import Login

__all__ = [
    "METHODS",
    "OPERATOR",
    "TOKEN",
    "Method",
    "Peer",
    "credential",
    "login_name",
    "methods",
    "moving",
    "new_nonce",
    "token_hash",
]

OPERATOR = "console"
"""The credential of the operator's account: the server's terminal, and its own user on the
control socket. The account is there from the first start, so nobody else can have its nick."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SECRET = re.compile(r"[0-9a-f]{32}")
_HERE = Source("", False)


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection, as the kernel tells it."""

    kind: Literal["tcp", "unix", "control", "console"]
    address: str
    """For people: `192.168.1.7:40312`, `uid 1000`, `console`."""
    uid: int | None = None
    """Of a Unix socket: the user at the other end."""
    operator: bool = False
    """Whether the operator's own account can be had from there."""
    trusted: bool = True
    """Whether who comes from there needs no invite: this very machine."""
    source: Source = _HERE
    """With whom it is counted."""
    fingerprint: str = NO_TLS
    """SHA-256 of the certificate that this very connection was served with."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to prove an account."""

    kinds: tuple[str, ...]
    """The kinds of peer it is offered to."""
    prove: Callable[[Peer, Login, str], str]
    """Returns the credential; raises Refused (`bad_proof`)."""


def _key(peer: Peer, login: Login, nonce: str) -> str:
    try:
        signed = transcript(peer.fingerprint, nonce, login.nonce)
    except ValueError as error:
        raise Refused("bad_proof", str(error)) from None
    if not verify(login.key, login.signature, signed):
        raise Refused("bad_proof", "that is not this key's signature of this login")
    return "key:" + login.key


def _secret(peer: Peer, login: Login, nonce: str) -> str:
    if not _SECRET.fullmatch(login.secret):
        raise Refused("bad_proof", "a secret is 32 lower-case hexadecimal digits")
    return "secret:" + hashlib.sha256(bytes.fromhex(login.secret)).hexdigest()


def _token(peer: Peer, login: Login, nonce: str) -> str:
    try:
        return TOKEN + token_hash(login.token)
    except ValueError:
        raise Refused("bad_proof", "a token has 43 characters") from None


def token_hash(token: str) -> str:
    """What is kept of a token: SHA-256 of its text, as 64 hexadecimal digits.

    It is looked up, never compared byte by byte: the time that takes tells nothing of a token.
    Raises ValueError where it is none.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError("no token")
    return hashlib.sha256(token.encode()).hexdigest()


def _peer(peer: Peer, login: Login, nonce: str) -> str:
    if peer.operator:
        return OPERATOR
    if peer.uid is None:
        raise Refused("bad_proof", "this system does not tell who is at the other end")
    return f"peer:{peer.uid}"


METHODS: dict[str, Method] = {
    "key": Method(("tcp", "unix", "control"), _key),
    "secret": Method(("tcp", "unix", "control"), _secret),
    "token": Method(("tcp", "unix", "control"), _token),
    "peer": Method(("unix", "control", "console"), _peer),
}


def methods(peer: Peer) -> list[str]:
    """The names of the methods that this peer may use."""
    return [name for name, method in METHODS.items() if peer.kind in method.kinds]


def credential(peer: Peer, login: Login, nonce: str) -> str:
    """The credential that a login proves; `nonce`: the one that this connection's client was given.
    Raises Refused (`bad_method`, `bad_proof`)."""
    method = METHODS.get(login.method)
    if method is None or peer.kind not in method.kinds:
        offered = " or ".join(methods(peer))
        raise Refused("bad_method", f"log in by {offered}")
    return method.prove(peer, login, nonce)


def moving(peer: Peer, login: Login) -> str:
    """The older credential that a login by key proves besides, whose account moves to the key;
    empty: none. Raises Refused (`bad_proof`)."""
    return _secret(peer, login, "") if login.method == "key" and login.secret else ""


def login_name(uid: int | None) -> str:
    """The login name of a local user, as a nick; empty where there is none."""
    try:
        found = pwd.getpwuid(-1 if uid is None else uid).pw_name
    except (KeyError, OverflowError):
        return ""
    return text.safe_nick(found, "")


def new_nonce() -> str:
    """128 random bits, fresh for each connection."""
    return secrets.token_hex(16)
