"""Whether the terminal's ground is dark or light: asked of the terminal, then of the environment.

Nothing here reads or writes: who owns the terminal sends `QUERY`, and gives what comes back to
`parse_reply`.
"""

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

__all__ = [
    "QUERY",
    "Ground",
    "Rgb",
    "decide",
    "from_environment",
    "ground_of",
    "luminance",
    "may_ask",
    "parse_reply",
]

Ground: TypeAlias = Literal["dark", "light", "unknown"]
Rgb: TypeAlias = tuple[int, int, int]
"""Red, green and blue of sRGB, 0…255."""

QUERY = "\x1b]11;?\x1b\\"
"""OSC 11 with `?` asks for the ground's colour (xterm, "Control Sequences", Ps = 11)."""

# The colour as XParseColor(3) writes it: one to four hexadecimal digits a channel. Alpha follows
# where a terminal says `rgba:`. A lone ESC as end is from old versions of rxvt-unicode.
_CHANNEL = "([0-9a-fA-F]{1,4})"
_REPLY = re.compile(
    r"(?:\x1b\]|\x9d)11;"
    rf"(?:rgb:{_CHANNEL}/{_CHANNEL}/{_CHANNEL}"
    rf"|rgba:{_CHANNEL}/{_CHANNEL}/{_CHANNEL}/[0-9a-fA-F]{{1,4}})"
    r"(?:\x07|\x1b\\?|\x9c)"
)

_EVEN = (1.05 * 0.05) ** 0.5 - 0.05
"""The luminance, 0.179, on which black and white text have the same contrast by WCAG 2."""

# COLORFGBG has numbers of the 16 colours, the ground's last: vim takes the same ones for dark.
_COLORFGBG: Mapping[str, Ground] = {
    str(number): "dark" if number in (0, 1, 2, 3, 4, 5, 6, 8) else "light" for number in range(16)
}
_SETTINGS: Mapping[str, Ground] = {"dark": "dark", "light": "light"}


# Terminals without an answer, or that show the question.
_MUTE = re.compile(r"(|dumb|unknown|linux|cons25|vt\d.*|ansi|emacs|eterm)(-.*)?")


def may_ask(environ: Mapping[str, str]) -> bool:
    """Whether `QUERY` is safe to send.

    Not to consoles and terminals of old, nor from inside GNU screen, whose reply comes late, as
    keys (terminal-colorsaurus, issue 16).
    """
    term = environ.get("TERM", "")
    return not _MUTE.fullmatch(term) and not (term.startswith("screen") and "STY" in environ)


def parse_reply(reply: bytes | str) -> Rgb | None:
    """The colour in one whole answer to `QUERY`; None where it is anything else."""
    text = reply if isinstance(reply, str) else reply.decode("latin-1")
    found = _REPLY.fullmatch(text)
    if found is None:
        return None
    red, green, blue = (_channel(digits) for digits in found.groups() if digits is not None)
    return red, green, blue


def _channel(digits: str) -> int:
    return round(int(digits, 16) * 255 / int("f" * len(digits), 16))


def luminance(rgb: Rgb) -> float:
    """Relative luminance, 0 (black) … 1 (white), as WCAG 2.2 defines it for sRGB."""
    red, green, blue = (_linear(channel / 255) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def ground_of(rgb: Rgb) -> Literal["dark", "light"]:
    """`light` where black text has the better contrast, by WCAG 2's contrast ratio."""
    return "light" if luminance(rgb) > _EVEN else "dark"


def from_environment(environ: Mapping[str, str]) -> Ground:
    """By COLORFGBG (`15;0`, `0;default;15`), which rxvt, Konsole and others set."""
    return _COLORFGBG.get(environ.get("COLORFGBG", "").rpartition(";")[2], "unknown")


def decide(setting: str, reply: Rgb | None, environ: Mapping[str, str]) -> Ground:
    """The setting `dark` or `light`; at `auto` the terminal's reply, then COLORFGBG."""
    if setting in _SETTINGS:
        return _SETTINGS[setting]
    return from_environment(environ) if reply is None else ground_of(reply)
