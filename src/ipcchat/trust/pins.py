"""What a client knows of servers: one file for all profiles, and for clients that run at once.

    servers.json    {"servers": {"lab:5555": {"certificates": ["-----BEGIN …"], "before": ["…"]},
                                 "chat.example:5555": {"authority": true}}}
    servers.lock    held while the file is changed

A row says which certificates a server may show (one, or two once a successor was announced), or
that an authority of the system vouches for its name: then it never falls back to less. A row is
only ever replaced by what the server announced, or after `forget`. `before` holds fingerprints of
earlier certificates, so that a join link made before a switch does not contradict the row.

The file is for its owner alone and is replaced whole. All of it waits for the disk.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcchat.address import Address
from ipcchat.errors import FileError, RemoteProtocolError
from ipcchat.files import WholeFile, shown
from ipcchat.paths import private_dir
from ipcchat.trust.certificate import fingerprint

if TYPE_CHECKING:
    import ssl

if sys.platform != "win32":
    import fcntl

__all__ = ["FILE", "Pin", "Pins", "Trust"]

FILE = "servers.json"

_LOCK_WAIT = 5.0
"""Seconds that another client may hold the lock; it takes milliseconds."""
_EARLIER = 8
"""Fingerprints of earlier certificates that a row keeps."""
_UNKNOWN = {"authority": True}
"""Stands for a server without a row, which has nothing to change either."""
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pin:
    """What is known of one server."""

    certificates: tuple[bytes, ...] = ()
    """Those it may show, in DER, a successor last; empty: an authority vouches for its name."""
    before: tuple[str, ...] = ()
    """Fingerprints of those that went."""

    @property
    def authority(self) -> bool:
        return not self.certificates

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(map(fingerprint, self.certificates))

    def context(self) -> "ssl.SSLContext":
        """What refuses, in the handshake, a server that is not this one: TLS 1.3 alone.

        With a pinned certificate, which is trusted for itself and not for what it signed, the
        caller still compares the whole of it: one that may sign others would vouch for them.
        """
        import ssl

        if self.authority:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False  # whatever name it was made for, it is this one
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(cadata=b"".join(self.certificates))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


class Pins:
    """The file of all servers. It is read at each question: other clients change it too."""

    def __init__(self, path: Path) -> None:
        """`path`: `servers.json` in the state directory; it need not be there."""
        self.path = path

    def find(self, address: Address) -> Pin | None:
        """What is known of a server. Raises FileError: damaged, not to be read."""
        rows = self._rows(self._load())
        return self._pin(rows[_key(address)]) if _key(address) in rows else None

    def remember(self, address: Address, der: bytes) -> Pin:
        """Pins a certificate. What was known by then stays: the answer says what counts."""
        return self._first(address, {"certificates": [_pem(der)]})

    def remember_authority(self, address: Address) -> Pin:
        """Notes that an authority vouches for the host's name. What was known by then stays."""
        return self._first(address, {"authority": True})

    def announce(self, address: Address, der: bytes) -> None:
        """Adds the successor that a server named on a connection made with its certificate.

        Another one that was announced before gives way. Without effect on a server that is
        unknown, or that an authority vouches for. Raises RemoteProtocolError: no certificate.
        """
        if not _is_certificate(der):
            raise RemoteProtocolError("the successor is no certificate", "bad_field")
        with self._change() as found:
            row = self._rows(found).get(_key(address), _UNKNOWN)
            pin = self._pin(row)
            if pin.certificates and der not in pin.certificates:
                row["certificates"] = [_pem(pin.certificates[0]), _pem(der)]

    def seen(self, address: Address, der: bytes) -> None:
        """A handshake showed this certificate: where it is the successor, the older one goes."""
        with self._change() as found:
            row = self._rows(found).get(_key(address), _UNKNOWN)
            pin = self._pin(row)
            if der in pin.certificates[1:]:
                row["certificates"] = [_pem(der)]
                row["before"] = [*pin.before, pin.fingerprints[0]][-_EARLIER:]

    def forget(self, address: Address) -> bool:
        """Drops what is known of a server; whether there was anything. Raises FileError."""
        with self._change() as found:
            return self._rows(found).pop(_key(address), None) is not None

    # --- the file ---------------------------------------------------------------------

    def _first(self, address: Address, row: dict[str, Any]) -> Pin:
        with self._change() as found:
            return self._pin(self._rows(found).setdefault(_key(address), row))

    @contextmanager
    def _change(self) -> Iterator[dict[str, Any]]:
        """What the file holds, written back after the block where that changed it."""
        private_dir(self.path.parent)
        with self._locked():
            found = self._load()
            before = json.dumps(found, indent=1)
            yield found
            after = json.dumps(found, indent=1)
            if after != before:
                with WholeFile(self.path, force=True) as file:
                    file.put(after + "\n")
                    file.commit()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.path.with_suffix(".lock")
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FileError(f"cannot write {shown(path)}: {_why(error)}") from None
        try:
            if sys.platform != "win32":
                self._wait(lock, path)
            yield
        finally:
            os.close(lock)

    def _wait(self, lock: int, path: Path) -> None:
        end = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    hint = "another ipcchat-client hangs: end it"
                    raise FileError(f"{shown(path)} is held by somebody", hint) from None
                time.sleep(0.01)
            except OSError:  # a file system without locks: the file is replaced whole anyway
                return

    def _load(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {"servers": {}}
        except OSError as error:
            raise FileError(f"cannot read {shown(self.path)}: {_why(error)}") from None
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not isinstance(found, dict):
            raise self._damaged()
        self._rows(found)
        return found

    def _rows(self, found: dict[str, Any]) -> dict[str, Any]:
        rows = found.get("servers")
        if not isinstance(rows, dict):
            raise self._damaged()
        return rows

    def _pin(self, row: object) -> Pin:
        """A row's meaning; it is judged when it is asked for. Raises FileError."""
        match row:
            case {"authority": True, **rest} if "certificates" not in rest:
                return Pin()
            case {"certificates": [_, *_] as pems, **rest} if "authority" not in rest:
                ders = tuple(map(_der, pems))
                before = rest.get("before", [])
                if (
                    len(ders) <= 2
                    and all(map(_is_certificate, ders))
                    and isinstance(before, list)
                    and _is_hex(before)
                ):
                    return Pin(ders, tuple(before))
        raise self._damaged()

    def _damaged(self) -> FileError:
        return FileError(
            f"{shown(self.path)} is damaged: it is no list of known servers",
            "repair it, or move it away: then each server counts as met for the first time",
        )


def _key(address: Address) -> str:
    """The name of a row: a host's name has no case."""
    return str(address).lower()


def _pem(der: bytes) -> str:
    import ssl

    return ssl.DER_cert_to_PEM_cert(der)


def _der(pem: object) -> bytes:
    import ssl

    try:
        return ssl.PEM_cert_to_DER_cert(pem) if isinstance(pem, str) else b""
    except ValueError:
        return b""


def _is_certificate(der: bytes) -> bool:
    """Whether these bytes are one certificate, and nothing else."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=der)
    except (ssl.SSLError, ValueError):
        return False
    return context.cert_store_stats()["x509"] == 1


def _is_hex(items: list[object]) -> bool:
    return all(isinstance(item, str) and _HEX.fullmatch(item) for item in items)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


@dataclass(frozen=True, slots=True)
class Trust:
    """How a client makes sure whom it talks to over TCP. Unix sockets are always plain."""

    pins: Pins
    plaintext: bool = False
    """No TLS; on loopback alone."""
    plaintext_anywhere: bool = False
    """… and on any other address too."""
    expected: str = ""
    """The fingerprint that a join link names: 64 hexadecimal digits, lower case."""
