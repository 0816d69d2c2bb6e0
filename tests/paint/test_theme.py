"""Every text reads on its ground at every depth, nicks are told apart, and nothing needs colour.

Contrast and relative luminance are computed here, as WCAG 2.2 defines them; distances and hues in
OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020); the colours of the
terminal are xterm's defaults (XTerm-col.ad, 256colres.h).
"""

import itertools
import math
import re
from typing import NamedTuple, TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipcchat.paint.ground import Ground
from ipcchat.paint.theme import NICKS, PALETTES, STYLES, Depth, Theme, depth, nick_style

Rgb: TypeAlias = tuple[int, ...]


def _rgb(text: str) -> Rgb:
    return tuple(bytes.fromhex(text.removeprefix("#")))


_GROUNDS: dict[Ground, list[Rgb]] = {
    "dark": [_rgb(text) for text in ("000000", "1e1e1e", "282c34", "002b36")],
    "light": [_rgb(text) for text in ("ffffff", "fdf6e3", "fafafa")],
    "unknown": [_rgb(text) for text in ("000000", "ffffff")],
}
_XTERM = [
    *map(_rgb, ("000000", "cd0000", "00cd00", "cdcd00", "0000ee", "cd00cd", "00cdcd", "e5e5e5")),
    *map(_rgb, ("7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff")),
]
_LEVELS = (0, 95, 135, 175, 215, 255)
_CUBE: list[Rgb] = list(itertools.product(_LEVELS, repeat=3))
_INDEXED = _XTERM + _CUBE + [(8 + 10 * step,) * 3 for step in range(24)]
_THEMES = [Theme(ground, depth_) for ground in _GROUNDS for depth_ in Depth]
_COLOURED = [theme for theme in _THEMES if theme.depth is not Depth.MONO]
# Names that bring their ground, hence come after others.
_ON_TOP = [name for name, look in STYLES.items() if "reverse" in look.bare]
_STYLES = [
    *STYLES,
    *(f"nick{index} own" for index in range(NICKS)),
    *(f"{below} {above}" for below in STYLES for above in _ON_TOP),
    *(f"nick{index} own {above}" for index in range(NICKS) for above in _ON_TOP),
]


def _name(theme: Theme) -> str:
    return f"{theme.ground}-{theme.depth.name}"


# --- what a terminal makes of an escape ---------------------------------------------------


class _Seen(NamedTuple):
    """None stands for the terminal's own colour."""

    text: Rgb | None
    ground: Rgb | None
    attributes: frozenset[int]


def _seen(sgr: str, bold_is_bright: bool = False) -> _Seen:
    found = re.fullmatch(r"\x1b\[0((?:;\d+)*)m", sgr)
    assert found, sgr
    codes = iter([int(code) for code in found[1].split(";")[1:]])
    colours: dict[int, Rgb | None] = {3: None, 4: None}
    attributes = set()
    number = None
    for code in codes:
        if code < 30:
            attributes.add(code)
        elif code in (38, 48):
            if next(codes) == 5:
                colours[code // 10] = _INDEXED[next(codes)]
            else:
                colours[code // 10] = (next(codes), next(codes), next(codes))
        elif code >= 90:
            colours[3 if code < 100 else 4] = _XTERM[code % 10 + 8]
        else:
            colours[code // 10] = _XTERM[code % 10]
            number = code % 10 if code // 10 == 3 else number
    if bold_is_bright and 1 in attributes and number is not None:
        colours[3] = _XTERM[number + 8]
    if 7 in attributes:
        colours[3], colours[4] = colours[4], colours[3]
    return _Seen(colours[3], colours[4], frozenset(attributes))


# --- colour, by its definitions -----------------------------------------------------------


def _linear(channel: int) -> float:
    part = channel / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _luminance(rgb: Rgb) -> float:
    return sum(
        weight * _linear(channel)
        for weight, channel in zip((0.2126, 0.7152, 0.0722), rgb, strict=True)
    )


def _contrast(one: Rgb, other: Rgb) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _oklab(rgb: Rgb) -> tuple[float, float, float]:
    red, green, blue = map(_linear, rgb)
    l = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)  # noqa: E741
    m = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    s = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    )


def _apart(one: Rgb, other: Rgb) -> float:
    return math.dist(_oklab(one), _oklab(other))


def _hue(rgb: Rgb) -> float:
    _, a, b = _oklab(rgb)
    return math.degrees(math.atan2(b, a)) % 360


def _grounds(theme: Theme) -> list[Rgb]:
    """Where the text is to be read. Whoever has 16 colours of his own has a ground that fits."""
    if theme.depth is Depth.ANSI:
        return [ground for ground in _GROUNDS[theme.ground] if ground in (_XTERM[0], _XTERM[15])]
    return _GROUNDS[theme.ground]


def _worst(theme: Theme, style: str, bold_is_bright: bool = False) -> float:
    """The lowest contrast of a style; the terminal's own colours on each other are its affair."""
    seen = _seen(theme.sgr(style), bold_is_bright)
    if seen.text is not None and seen.ground is not None:
        return _contrast(seen.text, seen.ground)
    colour = seen.text or seen.ground
    return min(_contrast(colour, ground) for ground in _grounds(theme)) if colour else 21


def _nicks(theme: Theme) -> list[Rgb | None]:
    return [_seen(theme.sgr(f"nick{index}")).text for index in range(NICKS)]


# --- reading ------------------------------------------------------------------------------


def test_the_measure_is_right() -> None:
    assert _contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert _contrast(_rgb("767676"), _rgb("ffffff")) == pytest.approx(4.54, abs=0.01)
    assert _apart(_rgb("ffffff"), _rgb("000000")) == pytest.approx(1, abs=1e-3)
    assert _hue(_rgb("ff0000")) == pytest.approx(29.2, abs=0.1)


@pytest.mark.parametrize("theme", _COLOURED, ids=_name)
def test_every_text_reads_on_its_ground(theme: Theme) -> None:
    faint = {style: round(_worst(theme, style), 2) for style in _STYLES}
    assert {style: ratio for style, ratio in faint.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("ground", _GROUNDS)
def test_it_does_where_bold_is_drawn_bright(ground: Ground) -> None:
    theme = Theme(ground, Depth.ANSI)
    faint = {style: round(_worst(theme, style, bold_is_bright=True), 2) for style in _STYLES}
    assert {style: ratio for style, ratio in faint.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", _COLOURED, ids=_name)
def test_a_ground_of_its_own_has_a_text_of_its_own(theme: Theme) -> None:
    # Else the text would be the terminal's, of which nothing is known.
    for style in _STYLES:
        seen = _seen(theme.sgr(style))
        if 7 not in seen.attributes:
            assert seen.ground is None or seen.text is not None, style


# --- nicks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ground", "depth_", "colours", "bound"),
    [
        ("dark", Depth.TRUE, 12, 0.12),
        ("light", Depth.TRUE, 12, 0.11),
        ("unknown", Depth.TRUE, 12, 0.08),
        ("dark", Depth.INDEXED, 12, 0.12),
        ("light", Depth.INDEXED, 12, 0.06),
        ("unknown", Depth.INDEXED, 5, 0.06),
        ("dark", Depth.ANSI, 8, 0.06),
        ("light", Depth.ANSI, 4, 0.06),
        ("unknown", Depth.ANSI, 0, 0),
    ],
)
def test_nicks_are_told_apart(ground: Ground, depth_: Depth, colours: int, bound: float) -> None:
    found = {colour for colour in _nicks(Theme(ground, depth_)) if colour}
    assert len(found) == colours
    # 0.02 is about what the eye can tell at all.
    assert min((_apart(*pair) for pair in itertools.combinations(found, 2)), default=0) >= bound


@pytest.mark.parametrize("index", range(NICKS))
def test_a_nick_keeps_its_family_of_hues(index: int) -> None:
    family = 24 + 30 * index
    bounds = {Depth.TRUE: 25, Depth.INDEXED: 36, Depth.ANSI: 40}
    for theme in _COLOURED:
        colour = _nicks(theme)[index]
        if colour is not None:
            away = abs((_hue(colour) - family + 180) % 360 - 180)
            assert away <= bounds[theme.depth], _name(theme)


def test_a_nick_keeps_its_style() -> None:
    # By name, from one run to the next and between machines: not by Python's salted hash.
    shown = {nick: nick_style(nick, False) for nick in ("ann", "bob", "you", "Zoë")}
    assert shown == {"ann": "nick3", "bob": "nick8", "you": "nick6", "Zoë": "nick8"}
    assert nick_style("ANN", False) == nick_style("ann", False)
    assert nick_style("ann", True) == nick_style("ann", False) + " own"


def test_nicks_spread_over_the_palette() -> None:
    found = {nick_style(f"user{number}", False) for number in range(200)}
    assert found == {f"nick{index}" for index in range(NICKS)}
    assert {len(palette) for palette in PALETTES.values()} == {NICKS}
    assert NICKS >= 12


@given(st.text())
def test_every_nick_has_a_style(nick: str) -> None:
    assert nick_style(nick, False) in STYLES


# --- without colour -----------------------------------------------------------------------


def test_mono_has_attributes_only() -> None:
    for style in _STYLES:
        for ground in _GROUNDS:
            sgr = Theme(ground, Depth.MONO).sgr(style)
            seen = _seen(sgr)
            assert seen.text is None and seen.ground is None
            assert sgr == Theme("unknown", Depth.MONO).sgr(style)


@pytest.mark.parametrize("theme", _THEMES, ids=_name)
@pytest.mark.parametrize(
    "styles",
    [
        ("", "mention", "own", "me", "found", "pick"),
        ("", "error", "mention", "mention found"),
        ("", "failed", "mention"),
        ("", "marker"),
        ("bar", "bar.trouble", "bar.plain", ""),
        ("question", "bar", ""),
        ("pane", "pane.unread", "pane.current"),
        ("", "selected", "own"),
        ("nick3", "nick3 own", "nick3 pick", "nick3 mention"),
        ("pick", "pick found", ""),
    ],
    ids=" ".join,
)
def test_what_stands_together_is_told_apart(theme: Theme, styles: tuple[str, ...]) -> None:
    shown = [theme.sgr(style) for style in styles]
    assert len(set(shown)) == len(shown), shown


# --- escapes ------------------------------------------------------------------------------


def test_an_escape_is_whole() -> None:
    theme = Theme("dark", Depth.TRUE)
    assert theme.sgr("") == theme.sgr("help") == "\x1b[0m"
    assert theme.sgr("own") == "\x1b[0;1m"
    red, green, blue = _rgb(PALETTES["dark"][7].true)
    assert theme.sgr("nick7 own") == f"\x1b[0;1;38;2;{red};{green};{blue}m"
    assert Theme("dark", Depth.INDEXED).sgr("nick7") == "\x1b[0;38;5;38m"
    assert Theme("dark", Depth.ANSI).sgr("bar.plain") == "\x1b[0;1;97;41m"


@pytest.mark.parametrize("theme", _THEMES, ids=_name)
def test_later_names_win_and_attributes_add_up(theme: Theme) -> None:
    assert theme.sgr("time nick0") == theme.sgr("nick0")
    assert _seen(theme.sgr("me own nick3")).attributes == {1, 3}
    assert theme.sgr("pick found") == theme.sgr("found")
    assert theme.sgr("nick3 pick") == theme.sgr("pick")


@pytest.mark.parametrize("style", ["nobody", "nick12", "own nobody", "class:own", "nick"])
def test_an_unknown_name_is_an_error(style: str) -> None:
    for theme in _THEMES:
        for _ in range(2):
            with pytest.raises(KeyError):
                theme.sgr(style)


def test_a_theme_is_a_value() -> None:
    one, other = Theme("dark", Depth.ANSI), Theme("dark", Depth.ANSI)
    one.sgr("own")
    assert one == other and hash(one) == hash(other)
    assert one != Theme("light", Depth.ANSI)
    assert one.sgr("own nick3") is one.sgr("own nick3")


# --- depth --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "environ", "found"),
    [
        ("auto", {}, Depth.MONO),
        ("auto", {"TERM": "dumb"}, Depth.MONO),
        ("auto", {"TERM": "dumb", "COLORTERM": "truecolor"}, Depth.MONO),
        ("auto", {"TERM": "vt100"}, Depth.MONO),
        ("auto", {"TERM": "vt220"}, Depth.MONO),
        ("auto", {"TERM": "xterm-mono"}, Depth.MONO),
        ("auto", {"TERM": "linux"}, Depth.ANSI),
        ("auto", {"TERM": "xterm"}, Depth.ANSI),
        ("auto", {"TERM": "xterm-16color"}, Depth.ANSI),
        ("auto", {"TERM": "xterm-256color"}, Depth.INDEXED),
        ("auto", {"TERM": "tmux-256color"}, Depth.INDEXED),
        ("auto", {"TERM": "screen-256color-bce"}, Depth.INDEXED),
        ("auto", {"TERM": "xterm-direct"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-direct2"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-kitty"}, Depth.TRUE),
        ("auto", {"TERM": "alacritty"}, Depth.TRUE),
        ("auto", {"TERM": "foot"}, Depth.TRUE),
        ("auto", {"TERM": "foot-extra"}, Depth.TRUE),
        ("auto", {"TERM": "wezterm"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-ghostty"}, Depth.TRUE),
        ("auto", {"TERM": "xterm", "COLORTERM": "truecolor"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-256color", "COLORTERM": "24bit"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-256color", "COLORTERM": "yes"}, Depth.INDEXED),
        ("auto", {"TERM": "screen", "COLORTERM": "truecolor", "STY": "1.a"}, Depth.ANSI),
        ("auto", {"TERM": "screen-256color", "COLORTERM": "truecolor"}, Depth.TRUE),  # tmux
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, Depth.MONO),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, Depth.ANSI),
        ("auto", {"TERM": "xterm-kitty", "NO_COLOR": "1", "FORCE_COLOR": "3"}, Depth.MONO),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, Depth.ANSI),
        ("auto", {"TERM": "xterm", "FORCE_COLOR": "2"}, Depth.INDEXED),
        ("auto", {"TERM": "xterm", "FORCE_COLOR": "3"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-kitty", "FORCE_COLOR": "yes"}, Depth.TRUE),
        ("auto", {"TERM": "xterm-kitty", "FORCE_COLOR": "0"}, Depth.MONO),
        ("auto", {"TERM": "xterm", "FORCE_COLOR": ""}, Depth.ANSI),
        ("never", {"TERM": "xterm", "COLORTERM": "truecolor", "FORCE_COLOR": "3"}, Depth.MONO),
        ("always", {"TERM": "xterm-256color", "NO_COLOR": "1"}, Depth.INDEXED),
        ("always", {"TERM": "dumb"}, Depth.ANSI),
        ("always", {}, Depth.ANSI),
    ],
)
def test_how_many_colours(choice: str, environ: dict[str, str], found: Depth) -> None:
    assert depth(choice, environ) is found


@given(st.sampled_from(["auto", "always", "never"]), st.text(), st.text(), st.text())
@example("auto", "\n", "", "")
def test_no_environment_breaks_the_depth(choice: str, term: str, colours: str, force: str) -> None:
    environ = {"TERM": term, "COLORTERM": colours, "FORCE_COLOR": force}
    assert depth(choice, environ) in Depth
