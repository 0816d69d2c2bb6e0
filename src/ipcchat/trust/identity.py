"""Who one is: an Ed25519 key (RFC 8032), what a login signs with it, and its forms as text.

    public key    64 lower-case hexadecimal digits
    signature     128 lower-case hexadecimal digits
    fingerprint   3f2a 91c0 77de 0b15 5c1e, for people: the start of SHA-256 of the public key
    stored        the 32-byte seed as base64url without padding
    exported      ipcchat-key-1:<stored>:<CRC-32 of the seed, 8 hexadecimal digits>

What a login signs names the server's certificate and a nonce of each side. So a signature that one
server got is worth nothing at another, or the next time. Upper case is refused everywhere: a key
has one spelling, as accounts are found by it.
"""

import base64
import hashlib
import re
import secrets
import zlib
from typing import TYPE_CHECKING

from ipcchat.errors import TextError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["NO_TLS", "Identity", "fingerprint", "new_nonce", "transcript", "verify"]

NO_TLS = bytes(32).hex()
"""Stands in the transcript for the certificate where there is none: Unix sockets, plain TCP."""

_DOMAIN = b"ipcchat login 1\0"
_HASH = re.compile("[0-9a-f]{64}")
_NONCE = re.compile("[0-9a-f]{32}")
_PUBLIC = _HASH
_SIGNATURE = re.compile("[0-9a-f]{128}")
_STORED = re.compile("[A-Za-z0-9_-]{43}")
_CHECKSUM = re.compile("[0-9a-f]{8}")
_PREFIX = "ipcchat-key-1"
_LOW_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""Points of an order up to 8, the sign bit aside. As public keys they have signatures that anybody
can make, and OpenSSL takes them; the list is that of libsodium's `ge25519_has_small_order`."""


def new_nonce() -> str:
    """128 random bits as 32 hexadecimal digits, for one login."""
    return secrets.token_hex(16)


def transcript(fingerprint: str, server_nonce: str, client_nonce: str) -> bytes:
    """What a login signs: 80 bytes.

    `fingerprint`: SHA-256 of the server's certificate (DER) as 64 lower-case hexadecimal digits, as
    the signer saw it, or `NO_TLS`. The nonces have 32 each. Raises ValueError for anything else.
    """
    if not _HASH.fullmatch(fingerprint):
        raise ValueError("a certificate's fingerprint is 64 lower-case hexadecimal digits")
    if not (_NONCE.fullmatch(server_nonce) and _NONCE.fullmatch(client_nonce)):
        raise ValueError("a nonce is 32 lower-case hexadecimal digits")
    return _DOMAIN + bytes.fromhex(fingerprint + server_nonce + client_nonce)


def verify(public: str, signature: str, transcript: bytes) -> bool:
    """Whether the owner of that key signed this. False for whatever is malformed; never raises."""
    if not (_PUBLIC.fullmatch(public) and _SIGNATURE.fullmatch(signature)):
        return False
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = bytes.fromhex(public)
    if key[:31] + bytes([key[31] & 0x7F]) in _LOW_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(signature), transcript)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public: str) -> str:
    """A public key as people compare it: 80 bits of its SHA-256, in five groups."""
    digits = hashlib.sha256(bytes.fromhex(public)).hexdigest()
    return " ".join(digits[start : start + 4] for start in range(0, 20, 4))


class Identity:
    """A private key. It is shown nowhere but by `stored` and `exported`."""

    __slots__ = ("_public", "_seed")

    def __init__(self, seed: bytes) -> None:
        """`seed`: 32 random bytes. Raises ValueError for any other number."""
        if len(seed) != 32:
            raise ValueError(f"a seed has 32 bytes, not {len(seed)}")
        self._seed = seed
        self._public = ""

    def __repr__(self) -> str:
        return "Identity(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and secrets.compare_digest(self._seed, other._seed)

    def __hash__(self) -> int:
        return hash(self._seed)

    @classmethod
    def make(cls) -> "Identity":
        """A new one, of the system's randomness."""
        return cls(secrets.token_bytes(32))

    @property
    def public(self) -> str:
        """The public key."""
        if not self._public:
            self._public = self._key().public_key().public_bytes_raw().hex()
        return self._public

    @property
    def fingerprint(self) -> str:
        """The public key as people compare it."""
        return fingerprint(self.public)

    def sign(self, transcript: bytes) -> str:
        """The signature of what `transcript` made."""
        return self._key().sign(transcript).hex()

    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed)

    # --- as text ----------------------------------------------------------------------

    @property
    def stored(self) -> str:
        """The form in a file, 43 characters. Whoever has it is its owner."""
        return base64.urlsafe_b64encode(self._seed).decode().rstrip("=")

    @classmethod
    def from_stored(cls, text: str) -> "Identity":
        """Undoes `stored`. Raises TextError, which doesn't repeat the text."""
        if not _STORED.fullmatch(text):
            raise TextError("a stored key is 43 characters of base64url")
        made = cls(base64.urlsafe_b64decode(text + "="))
        if made.stored != text:  # the last two bits lie outside the seed
            raise TextError("a stored key has an unused bit set")
        return made

    @property
    def exported(self) -> str:
        """One line to be carried to another machine. Whoever has it is its owner.

        The checksum is there for damage on the way, not for malice: CRC-32 finds every error that
        lies within 32 bits, such as a wrong character or two neighbours exchanged.
        """
        return f"{_PREFIX}:{self.stored}:{zlib.crc32(self._seed):08x}"

    @classmethod
    def from_exported(cls, line: str) -> "Identity":
        """Undoes `exported`; white space around the line is ignored. Raises TextError that names
        what is wrong, and doesn't repeat the line."""
        line = line.strip(" \t\r\n")
        prefix, _, rest = line.partition(":")
        if prefix != _PREFIX:
            raise _not_exported(line, prefix)
        stored, _, checksum = rest.partition(":")
        if len(stored) < 43 or len(checksum) < 8:
            raise TextError("the key is cut off", "copy the whole line that export printed")
        try:
            made = cls.from_stored(stored)
        except TextError:
            raise _damaged() from None
        if not _CHECKSUM.fullmatch(checksum) or int(checksum, 16) != zlib.crc32(made._seed):
            raise _damaged()
        return made


def _not_exported(line: str, prefix: str) -> TextError:
    if line and (_PREFIX + ":").startswith(line):
        return TextError("the key is cut off", "copy the whole line that export printed")
    if re.fullmatch(r"ipcchat-key-[0-9]{1,9}", prefix):
        return TextError(f"the key has a form that is not known here: {prefix}", "update ipcchat")
    hint = f"it is the line that `ipcchat-client identity export` prints: {_PREFIX}:…"
    return TextError("that is not an exported key", hint)


def _damaged() -> TextError:
    return TextError(
        "the key is damaged: its checksum does not fit", "copy the whole line that export printed"
    )
