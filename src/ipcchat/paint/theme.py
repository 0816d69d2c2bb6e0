"""Looks: what each style means on a ground, in as many colours as the terminal has.

A style is names separated by spaces: `nick3 own`. The rules of this file:

- Every text has a contrast of at least 4.5:1 (WCAG 2.2, success criterion 1.4.3): on black,
  #1e1e1e, #282c34 and #002b36 where the ground is dark; on white, #fafafa and #fdf6e3 where it is
  light; on black and on white where it is unknown. Text on a ground of its own has it there.
- The 16 colours are whatever the terminal makes of them. Those used here have that contrast in
  xterm's default ones, on black or white. Grey (90) has it in few terminals and is not used: what
  is faint elsewhere is plain there.
- On an unknown ground only luminances 0.175…0.1833 have it. In true colour that is a ring of hues;
  of the 256 six; of the 16 none.
- Nothing is told by colour alone. Where a style has no colour, attributes stand in for it.
- A nick's index keeps its family of hues on all grounds and at all depths, or has no colour.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from ipcchat.paint.ground import Ground
from ipcchat.text import fold

__all__ = [
    "INKS",
    "NICKS",
    "PALETTES",
    "STYLES",
    "Depth",
    "Ink",
    "Look",
    "Shade",
    "Theme",
    "depth",
    "nick_style",
]


class Depth(IntEnum):
    """How many colours a terminal has."""

    MONO = 2
    ANSI = 16
    INDEXED = 256
    TRUE = 1 << 24


# --- colours ------------------------------------------------------------------------------


class Shade(NamedTuple):
    """One colour at each depth: `#rrggbb`, its number of 256, its SGR code as text of 16.

    None: no colour at this depth.
    """

    true: str
    indexed: int | None = None
    ansi: int | None = None


class Ink(NamedTuple):
    """A text's colour, and the ground it needs where that is not the terminal's."""

    text: Shade
    ground: Shade | None = None


_BLACK = Shade("#000000", 16, 30)
_WHITE = Shade("#ffffff", 231, 97)

# They bring their ground, hence are the same everywhere.
_EVERYWHERE = {
    "found": Ink(_BLACK, Shade("#ffd75f", 221, 33)),
    "alarm": Ink(_WHITE, Shade("#b3261e", 124, 31)),
    "question": Ink(Shade("#ffffff", 231), Shade("#2a5db0", 25)),
}

INKS: Mapping[Ground, Mapping[str, Ink]] = {
    "dark": _EVERYWHERE
    | {
        "faint": Ink(Shade("#949ba6", 246)),
        "error": Ink(Shade("#ff7b72", 210, 91)),
        "marker": Ink(Shade("#ffb454", 215, 93)),
        "bar": Ink(Shade("#d7dae0", 253), Shade("#3a3f4b", 238)),
        "trouble": Ink(Shade("#1a1a1a", 16), Shade("#e5a13c", 214)),
        "pick": Ink(Shade("#ffffff", 231), Shade("#3d4f6b", 24)),
        "mention": Ink(Shade("#ffe2a8", 229), Shade("#5a4200", 58)),
    },
    "light": _EVERYWHERE
    | {
        "faint": Ink(Shade("#5f6672", 241)),
        "error": Ink(Shade("#b3001b", 124, 31)),
        "marker": Ink(Shade("#8a4b00", 94, 35)),
        "bar": Ink(Shade("#24292f", 235), Shade("#dfe3e8", 253)),
        "trouble": Ink(Shade("#ffffff", 231), Shade("#9a4a00", 94)),
        "pick": Ink(Shade("#0b1f3a", 16), Shade("#cfe0f7", 153)),
        "mention": Ink(Shade("#4a3200", 58), Shade("#ffe9b0", 229)),
    },
    "unknown": _EVERYWHERE
    | {
        "faint": Ink(Shade("#757575", 243)),
        "error": Ink(Shade("#dc3232", 131)),
        "marker": Ink(Shade("#ad6400")),
        "trouble": Ink(Shade("#1a1a1a", 16), Shade("#e5a13c", 214)),
    },
}

# Hues of OKLab about 30° apart, from red over yellow, green, blue and purple; lightness and chroma
# are chosen so that the nearest two of a palette are far apart.
PALETTES: Mapping[Ground, tuple[Shade, ...]] = {
    "dark": (
        Shade("#faa996", 216, 91),
        Shade("#ea753f", 202, 91),
        Shade("#cdab15", 220, 33),
        Shade("#bee667", 76, 93),
        Shade("#55c975", 35, 92),
        Shade("#31f4d8", 85, 32),
        Shade("#34a8ab", 117, 36),
        Shade("#83cafb", 38, 96),
        Shade("#5294f6", 105),
        Shade("#bd96fe", 171, 95),
        Shade("#feb8ff", 219, 95),
        Shade("#ea73ac", 175, 95),
    ),
    "light": (
        Shade("#750526", 161, 31),
        Shade("#8b3e09", 88, 31),
        Shade("#846d02", 94),
        Shade("#4a4400", 58),
        Shade("#147f0a", 22),
        Shade("#34766a", 23),
        Shade("#01515f", 24),
        Shade("#0a74b4", 19, 34),
        Shade("#033fb2", 27, 34),
        Shade("#530987", 129, 94),
        Shade("#8f3bb3", 97, 35),
        Shade("#c02862", 53, 35),
    ),
    "unknown": (
        Shade("#e61659", 131),
        Shade("#ca4f0f", 131),
        Shade("#a26906"),
        Shade("#6f7b25"),
        Shade("#1e8801", 29),
        Shade("#148561", 29),
        Shade("#487c8a"),
        Shade("#107bc2"),
        Shade("#5462ff", 63),
        Shade("#a148e7", 98),
        Shade("#9a6395", 163),
        Shade("#d029a3", 163),
    ),
}

NICKS = len(PALETTES["dark"])
"""How many nick styles there are: `nick0` … `nick11`."""

# --- styles -------------------------------------------------------------------------------


class Look(NamedTuple):
    """What a style is: an ink, attributes, and attributes more where its ink has no colour."""

    ink: str = ""
    attributes: str = ""
    bare: str = ""


STYLES: Mapping[str, Look] = {
    "bar": Look("bar", "", "reverse"),
    "bar.trouble": Look("trouble", "bold", "reverse"),
    "bar.plain": Look("alarm", "bold", "reverse underline"),
    "question": Look("question", "bold", "reverse"),
    "pick": Look("pick", "", "reverse"),
    "selected": Look("pick", "", "reverse"),
    "found": Look("found", "underline", "reverse"),
    "time": Look("faint"),
    "rule": Look("faint"),
    "notice": Look("faint"),
    "pending": Look("faint"),
    "error": Look("error", "", "bold"),
    "failed": Look("error", "", "bold"),
    "marker": Look("marker", "", "bold"),
    "mention": Look("mention", "bold", "reverse"),
    "help": Look(),
    "me": Look("", "italic"),
    "own": Look("", "bold"),
    "prompt": Look("", "bold"),
    "pane": Look(),
    "pane.current": Look("pick", "bold", "reverse"),
    "pane.unread": Look("", "bold"),
    "pane.away": Look("faint"),
    **{f"nick{index}": Look(f"nick{index}") for index in range(NICKS)},
}

_CODES = {"bold": 1, "italic": 3, "underline": 4, "reverse": 7}


def nick_style(nick: str, own: bool) -> str:
    """The style of a nick, the same on every machine; one's own is bold."""
    index = zlib.crc32(fold(nick).encode()) % NICKS
    return f"nick{index} own" if own else f"nick{index}"


@dataclass(frozen=True)
class Theme:
    """Styles made into escapes, for one ground and depth."""

    ground: Ground
    depth: Depth
    _made: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def sgr(self, style: str) -> str:
        """The escape that ends what was and begins `style`; "" is plain text.

        Later names override colours, and reverse where it stands in for them, and add attributes.
        A name that has a ground comes last, so that its text is its own. Raises `KeyError` for a
        name that is not in `STYLES`.
        """
        made = self._made.get(style)
        if made is None:  # as many as the program has combinations of names
            made = self._made[style] = self._sgr(style.split())
        return made

    def _sgr(self, names: list[str]) -> str:
        attributes: set[str] = set()
        text = ground = ""
        for name in names:
            look = STYLES[name]
            attributes.update(look.attributes.split())
            ink = self._ink(look.ink)
            front = self._code(ink.text, 0) if ink else ""
            if not front:
                attributes.update(look.bare.split())
                if "reverse" in look.bare:
                    text = ground = ""
                continue
            text = front
            if ink and ink.ground:
                ground = self._code(ink.ground, 10)
                attributes.discard("reverse")
        if "bold" in attributes and self.depth is Depth.ANSI and text.startswith("3"):
            # Many terminals draw this in the bright colour (xterm's boldColors): grey for black,
            # and too faint on white.
            if ground:
                attributes.discard("bold")
            elif self.ground == "light":
                text = ""
        codes = [str(code) for name, code in _CODES.items() if name in attributes]
        return f"\x1b[{';'.join(part for part in ('0', *codes, text, ground) if part)}m"

    def _ink(self, name: str) -> Ink | None:
        if name.startswith("nick"):
            return Ink(PALETTES[self.ground][int(name[4:])])
        return INKS[self.ground].get(name)

    def _code(self, shade: Shade, layer: int) -> str:
        """SGR parameters, "" for no colour; `layer` is 0 for text and 10 for ground."""
        if self.depth is Depth.TRUE:
            red, green, blue = bytes.fromhex(shade.true[1:])
            return f"{38 + layer};2;{red};{green};{blue}"
        if self.depth is Depth.INDEXED and shade.indexed is not None:
            return f"{38 + layer};5;{shade.indexed}"
        if self.depth is Depth.ANSI and shade.ansi is not None:
            return str(shade.ansi + layer)
        return ""


# --- depth --------------------------------------------------------------------------------

# By TERM, the first that fits. Terminals of old, and what calls itself dumb, come before COLORTERM:
# a shell inside Emacs inherits that of the terminal around it.
_COLOURLESS = re.compile(r"(|dumb|unknown|emacs|vt\d.*|.+-m(ono)?)")
_TERMS = (
    (re.compile(r".+-direct\d*"), Depth.TRUE),
    (re.compile(r"(xterm-kitty|alacritty|foot|wezterm|xterm-ghostty)(-.+)?"), Depth.TRUE),
    (re.compile(r".+-256color(-.+)?"), Depth.INDEXED),
)
_FORCED = {"0": Depth.MONO, "false": Depth.MONO, "2": Depth.INDEXED, "3": Depth.TRUE}


def depth(choice: str, environ: Mapping[str, str]) -> Depth:
    """How many colours: `always` (16 at least), `never`, or `auto`, by the environment.

    At `auto`, a NO_COLOR that is not empty means none (no-color.org); then FORCE_COLOR 0 or false
    means none, 2 at least 256, 3 true colour, anything else at least 16 (force-color.org, levels as
    in supports-color).
    """
    if choice == "never" or (choice == "auto" and environ.get("NO_COLOR")):
        return Depth.MONO
    found = _terminal(environ)
    if choice == "always":
        return max(found, Depth.ANSI)
    forced = environ.get("FORCE_COLOR")
    if not forced:
        return found
    least = _FORCED.get(forced, Depth.ANSI)
    return least if least is Depth.MONO else max(found, least)


def _terminal(environ: Mapping[str, str]) -> Depth:
    term = environ.get("TERM", "")
    if _COLOURLESS.fullmatch(term):
        return Depth.MONO
    # GNU screen (STY) hands on COLORTERM of the terminal outside, and can't do what it says.
    inside = term.startswith("screen") and "STY" in environ
    if not inside and environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Depth.TRUE
    return next((known for pattern, known in _TERMS if pattern.fullmatch(term)), Depth.ANSI)
