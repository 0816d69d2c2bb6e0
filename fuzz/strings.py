"""Hostile strings: all planes of Unicode, above all what terminals and parsers obey."""

import random
import unicodedata
from functools import cache

__all__ = ["SEQUENCES", "WORDS", "hostile"]

_EMPHASIS = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs", "Mn", "Mc", "Me", "Sk", "So", "Lo")
_SAMPLE = 400
"""Code points kept of a category."""

WORDS = ("", "a", "hi", "hello there", "#lobby", "ann", "0", "1", "ß", "日本", "שלום", "नमस्ते", "🎉")
SEQUENCES = (
    "\x1b[2J",
    "\x1b[31;1m",
    "\x1b[10;10H",
    "\x1b[?1049l",
    "\x1b[?25l",
    "\x1b[4h",
    "\x1b[1;5r",
    "\x1b[3g",
    "\x1b]0;owned\x07",
    "\x1b]52;c;cm0gLXJm\x1b\\",
    '\x1bP$q"p\x1b\\',
    "\x1bc",
    "\x1b(0",
    "\x1b#8",
    "\x1bD",
    "\x1bM",
    "\x9b2J",
    "\x9d0;owned\x9c",
    "\x90q\x9c",
    "\x84\x85\x8d",
    "\x0e\x0f",
    "\x01\x1b]0;raw\x07\x02",
    "\x00",
    "\x07\x08\x7f",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\v\f",
    "\u2028",
    "\u2029",
    "\u0085",
    "\u202e",
    "\u202a\u202b\u202d\u202c",
    "\u2066\u2067\u2068\u2069",
    "\u200e\u200f\u061c",
    "\u200b\u2060\ufeff\u00ad",
    "\u200c",
    "\u200d",
    "\ufe0e",
    "\ufe0f",
    "\u20e3",
    "\ufffd",
    "\uffff",
    "\ufff9a\ufffab\ufffb",
    "\U000e0001",
    "\U000e0100",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\U000e0061\U000e0062",
    "\U000e007f",
    "👨\u200d👩\u200d👧\u200d👦",
    "👩🏽\u200d🔬",
    "🇩🇪",
    "🇩",
    "❤\ufe0f",
    "1\ufe0f\u20e3",
    "क्\u200dष",
    "می\u200cخواهم",
    "\u1100\u1161\u11a8",
    "\u0344",
    "\u0e33",
    "\u034f",
    "\u115f\u1160\u3164\uffa0\u2800",
    "\ud800",
    "\udc80",
    "\ud83d\ude00",
    "%s%n{0}",
    "<script>alert(1)</script>&amp;",
    "<b>{room}</b>",
    "/quit",
    "\\u001b",
    "unix:",
    "://",
    "@#,:/",
)


@cache
def _points() -> tuple[tuple[int, ...], ...]:
    """A sample of the code points of each category that deserves emphasis."""
    found: dict[str, list[int]] = {name: [] for name in _EMPHASIS}
    for code in range(0x110000):
        kept = found.get(unicodedata.category(chr(code)))
        if kept is not None:
            kept.append(code)
    sampled = []
    for codes in found.values():
        step = max(1, len(codes) // _SAMPLE)
        # The first ones are those of the Latin and general planes: always in.
        sampled.append((*codes[:64], *codes[64::step]))
    return tuple(sampled)


def _piece(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(SEQUENCES)
    if kind < 0.45:
        return chance.choice(WORDS)
    if kind < 0.75:
        return chr(chance.choice(chance.choice(_points())))
    if kind < 0.83:
        return chr(chance.randrange(0x110000))
    if kind < 0.92:
        return chr(chance.randrange(0x80))
    if kind < 0.96:
        return "".join(chr(chance.randrange(0x300, 0x370)) for _ in range(chance.randrange(1, 40)))
    if kind < 0.98:
        return chance.choice(SEQUENCES) * chance.randrange(2, 30)
    return "".join(chr(chance.randrange(0xE0020, 0xE0080)) for _ in range(chance.randrange(1, 12)))


def hostile(chance: random.Random, *, longest: int = 12, surrogates: bool = True) -> str:
    """A string of at most so many pieces. `surrogates`: lone ones may be in it."""
    made = "".join([_piece(chance) for _ in range(chance.randrange(longest + 1))])
    if chance.random() < 0.01:
        made *= chance.choice((10, 100, 1000))
    if not surrogates:
        made = made.encode("utf-8", "replace").decode()
    return made[:20_000]
