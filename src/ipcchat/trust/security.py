"""What a server shows to prove itself: its certificate, made at the first start, and the next."""

from pathlib import Path
from typing import TYPE_CHECKING

from ipcchat.trust import certificate
from ipcchat.trust.identity import NO_TLS

if TYPE_CHECKING:
    import ssl

__all__ = ["Security"]


class Security:
    """Owns the certificate in use."""

    def __init__(self, data: Path | None) -> None:
        """`data`: the data directory, or None where nothing is kept."""
        self._data = data
        self._made = b""
        """The certificate and key of a server that keeps nothing."""
        self.context: ssl.SSLContext | None = None
        """None: no TLS."""
        self.fingerprint = NO_TLS
        """SHA-256 of the certificate."""
        self.successor = ""
        """The certificate (PEM) that will take the present one's place; empty: none."""

    def load(self, cert: str = "", key_file: str = "") -> None:
        """Reads the files, or makes them; waits for the disk. `cert`: the path of another's
        certificate, `key_file` that of its key where it is another file. Raises SettingError,
        FileError: what was loaded before stays then."""
        own: Path | bytes
        if cert:
            own = Path(cert)
        elif self._data is not None:
            own = certificate.own(self._data)
        else:
            own = self._made = self._made or certificate.make()
        key = Path(key_file) if key_file else None
        context = certificate.server_context(own, key)
        fingerprint = certificate.read_certificate(own)[1]
        successor = certificate.announced(self._data) if self._data is not None else ""
        self.context, self.fingerprint, self.successor = context, fingerprint, successor
