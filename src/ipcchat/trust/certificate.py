"""What a server shows to its clients: a private key and its certificate, in one PEM file.

    tls.pem         the server's own, made at its first start
    tls-next.pem    its successor, once one was made; `switch` puts it in the other's place

The key is ECDSA P-256 (0.3 ms a handshake); the certificate is self-signed and lasts ten years:
clients remember the whole of it, and nobody renews it by hand. All of it waits for the disk.
"""

import hashlib
import os
import re
import socket
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from ipcchat.errors import FileError, IpcchatError, SettingError
from ipcchat.files import WholeFile
from ipcchat.files import shown as shown_path
from ipcchat.paths import private_dir

if TYPE_CHECKING:
    import ssl

__all__ = [
    "NEXT",
    "OWN",
    "announced",
    "fingerprint",
    "make",
    "own",
    "read_certificate",
    "server_context",
    "shown",
    "successor",
    "switch",
]

OWN = "tls.pem"
NEXT = "tls-next.pem"

_LIFE = timedelta(days=3652)
_SKEW = timedelta(days=1)
"""For clients whose clock is behind."""
_MOST = 1024 * 1024
"""Bytes that are read of a file; a chain of certificates has some thousands."""
_GROUP = 4
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s[^-]*-----END CERTIFICATE-----", re.DOTALL
)
_KEY = re.compile(rb"-----BEGIN (?:\w+ )?PRIVATE KEY-----")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_AGAIN = "restore it, or move it away: then a new one is made, which clients must be told of"
_PAIR = "give a certificate and its private key, in PEM: --tls-cert FILE --tls-key FILE"


# --- the server's own ---------------------------------------------------------------------


def own(directory: Path) -> Path:
    """The server's own file, made where there is none. Of two starts at once the first one counts.

    One that others may read is closed to them. Raises FileError: damaged, not to be read or made.
    """
    return _there(directory / OWN)


def successor(directory: Path) -> Path:
    """The file that will take its place, made where there is none. Raises FileError."""
    return _there(directory / NEXT)


def switch(directory: Path) -> Path:
    """Puts the successor in the place of the server's own; whole, and lastingly.

    Raises FileError where there is none, or it is damaged; then nothing has changed.
    """
    following, place = directory / NEXT, directory / OWN
    if not following.exists():
        raise FileError(f"no successor of {shown_path(place)} was made", "make and announce one")
    _check(following)
    try:
        following.replace(place)
        handle = os.open(directory, os.O_RDONLY)
        try:
            with suppress(OSError):  # some file systems can't sync a directory
                os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _failed("write", place, error) from None
    return place


def make() -> bytes:
    """A new private key and its certificate, in PEM, kept nowhere."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    host = socket.gethostname()
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ip_address(ip)) for ip in ("127.0.0.1", "::1")]
    if _HOST.fullmatch(host) and host != "localhost":
        names.append(x509.DNSName(host))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ipcchat")])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _there(path: Path) -> Path:
    private_dir(path.parent)
    if not path.exists():
        try:
            with WholeFile(path) as file:
                file.put(make().decode("ascii"))
                file.commit()
        except FileError:
            if not path.exists():
                raise
    _check(path)
    return path


def _check(path: Path) -> None:
    try:
        if path.stat().st_mode & 0o077:
            # Its directory is private as a rule, and some file systems have no modes.
            with suppress(OSError):
                path.chmod(0o600)
        server_context(path)
    except OSError as error:
        raise _failed("read", path, error) from None
    except IpcchatError as error:
        raise FileError(error.text, _AGAIN) from None


# --- for people and programs --------------------------------------------------------------


def announced(directory: Path) -> str:
    """The successor's certificate (PEM) where there is one, else nothing. Raises FileError."""
    import ssl

    path = directory / NEXT
    return ssl.DER_cert_to_PEM_cert(read_certificate(path)[0]) if path.exists() else ""


def fingerprint(der: bytes) -> str:
    """The SHA-256 of a certificate in DER: 64 hexadecimal digits, lower case."""
    return hashlib.sha256(der).hexdigest()


def shown(fingerprint: str) -> str:
    """A fingerprint as people read it out: `12ab 34cd …`."""
    return " ".join(fingerprint[at : at + _GROUP] for at in range(0, len(fingerprint), _GROUP))


def read_certificate(certificate: Path | bytes) -> tuple[bytes, str]:
    """The server's certificate, the first in a PEM file or text: in DER, and its fingerprint.

    Raises SettingError where there is none.
    """
    import ssl

    found = _CERTIFICATE.search(_read(certificate))
    try:
        der = ssl.PEM_cert_to_DER_cert(found[0].decode("ascii")) if found else b""
    except ValueError:
        der = b""
    if not der:
        raise SettingError(f"{_named(certificate)} holds no certificate in PEM", _PAIR)
    return der, fingerprint(der)


def server_context(certificate: Path | bytes, key: Path | None = None) -> "ssl.SSLContext":
    """What a listening socket needs: TLS 1.3 alone, no session tickets (they save next to nothing).

    `certificate`: a PEM file, or its text, with the chain behind it; without `key` it holds the
    private key too. Raises SettingError: a file is missing, not readable, not PEM; the key is
    encrypted, or another certificate's. Never asks on the terminal.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    read_certificate(certificate)
    holder = certificate if key is None else key
    if not _KEY.search(_read(holder)):
        raise SettingError(f"{_named(holder)} holds no private key in PEM", _PAIR)
    try:
        if isinstance(certificate, Path):
            _load(context, certificate, key)
        else:  # OpenSSL reads files only
            with tempfile.NamedTemporaryFile(prefix="ipcchat-") as file:  # has the mode 0600
                file.write(certificate)
                file.flush()
                _load(context, Path(file.name), key)
    except ssl.SSLError as error:
        raise SettingError(_wrong(error.reason or "", certificate, holder), _PAIR) from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SettingError(f"cannot read {_named(holder)}: {why}", _PAIR) from None
    return context


def _load(context: "ssl.SSLContext", certificate: Path, key: Path | None) -> None:
    def password() -> str:
        raise SettingError(
            f"the private key in {shown_path(key or certificate)} is encrypted",
            "a server starts without anybody at its keyboard: "
            "openssl pkey -in KEY -out PLAIN, readable for the server alone",
        )

    context.load_cert_chain(certificate, key, password)


def _wrong(reason: str, certificate: Path | bytes, key: Path | bytes) -> str:
    if reason in _OTHER:
        return f"the private key in {_named(key)} is not the one of {_named(certificate)}"
    if reason in _WEAK:
        return f"{_named(certificate)} is too weak: {reason.lower().replace('_', ' ')}"
    same = key is certificate
    return f"{_named(certificate)}{'' if same else f' or {_named(key)}'} is damaged"


_OTHER = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""The last: of another kind than any certificate in the file."""
_WEAK = ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")


def _read(pem: Path | bytes) -> bytes:
    if isinstance(pem, bytes):
        return pem
    try:
        with pem.open("rb") as file:
            return file.read(_MOST)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise SettingError(f"cannot read {shown_path(pem)}: {why}", _PAIR) from None


def _named(pem: Path | bytes) -> str:
    return "the certificate" if isinstance(pem, bytes) else shown_path(pem)


def _failed(verb: str, path: Path, error: OSError) -> FileError:
    why = (error.strerror or str(error)).lower()
    return FileError(f"cannot {verb} {shown_path(path)}: {why}")
