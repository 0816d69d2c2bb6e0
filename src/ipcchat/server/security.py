"""What a server shows to prove itself: its certificate, made at the first start, and the next."""

from pathlib import Path
from typing import TYPE_CHECKING

from ipcchat.errors import SettingError
from ipcchat.server.admission import source_of
from ipcchat.settings import ServerSettings
from ipcchat.trust import certificate
from ipcchat.trust.identity import NO_TLS

if TYPE_CHECKING:
    import ssl

__all__ = ["Security", "refuse_plain"]


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

    def load(self, settings: ServerSettings) -> None:
        """Reads the files, or makes them; waits for the disk. Raises SettingError, FileError: what
        was loaded before stays then."""
        if settings.plaintext:
            return
        own: Path | bytes
        if settings.tls_cert:
            own = Path(settings.tls_cert)
        elif self._data is not None:
            own = certificate.own(self._data)
        else:
            own = self._made = self._made or certificate.make()
        key = Path(settings.tls_key) if settings.tls_key else None
        context = certificate.server_context(own, key)
        fingerprint = certificate.read_certificate(own)[1]
        successor = certificate.announced(self._data) if self._data is not None else ""
        self.context, self.fingerprint, self.successor = context, fingerprint, successor


def refuse_plain(host: str) -> None:
    """Raises SettingError where another machine could reach a port without TLS there."""
    if source_of(host).counted:
        raise SettingError(
            f"no plaintext on {host}: others could listen in",
            "listen on loopback alone: --listen 127.0.0.1:5555; or set plaintext_anywhere = true in"
            " the configuration file",
        )
