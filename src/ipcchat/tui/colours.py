"""Colours: a nick's own colour, and the styles of everything else.

A nick's colour is a stable hash of its name over a palette whose colours are readable on dark and
on light grounds. Nothing is told by colour alone.
"""

import os
import zlib
from collections.abc import Mapping

from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.styles import Style

from ipcchat.text import fold

__all__ = ["PALETTE", "STYLE", "depth", "nick_style"]

PALETTE = (
    "#0087af",
    "#00875f",
    "#5f8700",
    "#af5f00",
    "#d75f5f",
    "#af5faf",
    "#875fd7",
    "#5f87d7",
    "#d75f87",
    "#8a6d3b",
)
"""Middle tones: about the same contrast on black and on white."""

STYLE = Style.from_dict(
    {
        "bar": "reverse",
        "bar.trouble": "reverse bold",
        "bar.plain": "reverse bold #d75f5f",
        "time": "#808080",
        "rule": "#808080",
        "notice": "#808080",
        "error": "#d75f5f bold",
        "help": "",
        "me": "italic",
        "own": "bold",
        "mention": "bold reverse",
        "pending": "#808080",
        "failed": "#d75f5f bold",
        "marker": "#d75f5f",
        "pane": "",
        "pane.current": "bold reverse",
        "pane.unread": "bold",
        "pane.away": "#808080",
        "question": "bold reverse",
        **{f"nick{index}": colour for index, colour in enumerate(PALETTE)},
    }
)


def nick_style(nick: str, own: bool) -> str:
    """The style of a nick; one's own is bold."""
    index = zlib.crc32(fold(nick).encode()) % len(PALETTE)
    return f"class:nick{index}" + (" class:own" if own else "")


def depth(choice: str, environ: Mapping[str, str] = os.environ) -> ColorDepth | None:
    """How many colours: `always`, `never`, or `auto` (by NO_COLOR and the terminal: None)."""
    if choice == "never" or (choice == "auto" and environ.get("NO_COLOR")):
        return ColorDepth.MONOCHROME
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        return ColorDepth.TRUE_COLOR
    return ColorDepth.DEPTH_8_BIT if choice == "always" else None
