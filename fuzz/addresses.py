"""Whatever is written for an address: the client's reading gives an Address or raises UsageError,
the server's gives host and port or raises SettingError. The error is one line that is safe to show;
an Address as it is shown is read as itself."""

import random

from fuzz.strings import hostile
from fuzz.target import Target, require
from ipcchat.address import Address, parse_address
from ipcchat.errors import SettingError, UsageError
from ipcchat.sockets import listening

__all__ = ["Addresses"]

_PARTS = (
    *("lab", "localhost", "::1", "[::1]", "[", "]", ":", "::", "5555", ":0", ":65536", "-1", "/"),
    *("unix:", "/tmp/s", "ipcchat://", "?fp=", "&invite=", "127.0.0.1", "fe80::1%eth0", " ", "%"),
    *("９", "٣", "ＬＡＢ", "xn--", ".", "..", "_", "\n", "[::ffff:1.2.3.4]", "1e3", "0x10", "+1"),
    *("9" * 5000, "a" * 300, "::" * 50, "::1%\x1b[2J"),
)


class Addresses(Target):
    name = "addresses"
    weight = 12

    def make(self, chance: random.Random) -> str:
        parts = [
            chance.choice(_PARTS) if chance.random() < 0.8 else hostile(chance, longest=2)
            for _ in range(chance.randrange(1, 6))
        ]
        return "".join(parts)

    def check(self, case: str) -> None:
        try:
            found = parse_address(case)
        except UsageError as error:
            _shown(error)
        else:
            require(type(found) is Address, "no Address", found)
            require(parse_address(str(found)) == found, "read otherwise than shown", found)
            require(bool(found.path) or 0 < found.port < 65536, "no port", found)
        try:
            _, port = listening.parse_address(case)
        except SettingError as error:
            _shown(error)
        else:
            require(0 <= port < 65536, "no port", port)


def _shown(error: UsageError | SettingError) -> None:
    text = error.text + error.hint
    require("\n" not in text, "more than a line", text)
    require(text.encode() != b"", "nothing to show")
