"""Dark or light: from the setting, the terminal's reply, or COLORFGBG; no text breaks it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipcchat.paint.ground import (
    QUERY,
    decide,
    from_environment,
    ground_of,
    luminance,
    may_ask,
    parse_reply,
)

_CHANNEL = st.integers(0, 255)
_RGB = st.tuples(_CHANNEL, _CHANNEL, _CHANNEL)
_ENDS = st.sampled_from(["\x07", "\x1b\\", "\x9c", "\x1b"])
_STARTS = st.sampled_from(["\x1b]11;", "\x9d11;"])


def _digits(channel: int, count: int) -> str:
    return f"{round(channel * (16**count - 1) / 255):0{count}x}"


def test_the_query_is_osc_11() -> None:
    assert QUERY.encode() == b"\x1b]11;?\x1b\\"
    assert parse_reply(QUERY) is None  # some terminals echo it


@given(_RGB, st.integers(2, 4), _STARTS, _ENDS, st.booleans(), st.sampled_from([None, "0", "ffff"]))
def test_every_colour_comes_back(
    rgb: tuple[int, int, int], count: int, start: str, end: str, upper: bool, alpha: str | None
) -> None:
    colour = "/".join(_digits(channel, count) for channel in rgb)
    colour = colour.upper() if upper else colour
    reply = f"{start}rgba:{colour}/{alpha}{end}" if alpha else f"{start}rgb:{colour}{end}"
    assert parse_reply(reply) == rgb
    assert parse_reply(reply.encode("latin-1")) == rgb


@pytest.mark.parametrize(
    ("reply", "rgb"),
    [
        (b"\x1b]11;rgb:f/0/8\x07", (255, 0, 136)),
        (b"\x1b]11;rgb:ff/00/2b\x07", (255, 0, 43)),
        (b"\x1b]11;rgb:fff/000/800\x1b\\", (255, 0, 128)),
        (b"\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\", (253, 246, 227)),
        (b"\x1b]11;rgb:0/2b2b/36\x1b\\", (0, 43, 54)),  # XParseColor allows a mixture
        (b"\x1b]11;rgba:0000/2b2b/3636/ffff\x1b\\", (0, 43, 54)),
        (b"\x1b]11;rgb:0000/2b2b/3636\x1b", (0, 43, 54)),  # rxvt-unicode up to 9.31
    ],
)
def test_replies(reply: bytes, rgb: tuple[int, int, int]) -> None:
    assert parse_reply(reply) == rgb


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "\x1b]11;rgb:00/00/00",
        "\x1b]10;rgb:00/00/00\x07",
        "\x1b]11;rgb:00/00\x07",
        "\x1b]11;rgb:00/00/00/00\x07",
        "\x1b]11;rgba:00/00/00\x07",
        "\x1b]11;rgb:00000/0/0\x07",
        "\x1b]11;rgb:00//00\x07",
        "\x1b]11;rgb:0x/00/00\x07",
        "\x1b]11;rgb:٣/٣/٣\x07",
        "\x1b]11;rgb:00/00/00\x07x",
        "x\x1b]11;rgb:00/00/00\x07",
        "\x1b]11;#000000\x07",
    ],
)
def test_what_is_no_reply(reply: str) -> None:
    assert parse_reply(reply) is None


@given(
    st.one_of(st.text(), st.binary(), st.text("\x1b]1;rgba:/0fF\\\x07").map("\x1b]11;rgb".__add__))
)
@example("\x1b]11;rgb:" + "f" * 100_000)
def test_no_text_breaks_it(text: str | bytes) -> None:
    found = parse_reply(text)
    assert found is None or all(0 <= channel <= 255 for channel in found)


@given(st.text(), st.text(), st.text())
def test_no_environment_breaks_it(colours: str, term: str, setting: str) -> None:
    environ = {"COLORFGBG": colours, "TERM": term}
    assert from_environment(environ) in ("dark", "light", "unknown")
    assert decide(setting, None, environ) in ("dark", "light", "unknown")
    assert may_ask(environ) in (True, False)


@pytest.mark.parametrize(
    ("colour", "ground"),
    [
        ("000000", "dark"),
        ("1e1e1e", "dark"),
        ("282c34", "dark"),
        ("002b36", "dark"),
        ("300a24", "dark"),  # Ubuntu
        ("0000ff", "dark"),
        ("ffffff", "light"),
        ("fdf6e3", "light"),
        ("fafafa", "light"),
        ("ffffdd", "light"),
        ("00ff00", "light"),
        ("757575", "dark"),
        ("777777", "light"),
    ],
)
def test_grounds(colour: str, ground: str) -> None:
    red, green, blue = bytes.fromhex(colour)
    assert ground_of((red, green, blue)) == ground


@given(_RGB)
def test_a_ground_is_light_where_black_text_reads_better(rgb: tuple[int, int, int]) -> None:
    on_white, on_black = 1.05 / (luminance(rgb) + 0.05), (luminance(rgb) + 0.05) / 0.05
    assert ground_of(rgb) == ("light" if on_black > on_white else "dark")


@pytest.mark.parametrize(
    ("value", "ground"),
    [
        ("15;0", "dark"),
        ("0;15", "light"),
        ("0;default;15", "light"),
        ("15;default;0", "dark"),
        ("12;8", "dark"),
        ("0;7", "light"),
        ("0;default", "unknown"),
        ("0;16", "unknown"),
        ("0;٠", "unknown"),
        ("0;", "unknown"),
        ("", "unknown"),
    ],
)
def test_colorfgbg(value: str, ground: str) -> None:
    assert from_environment({"COLORFGBG": value}) == ground
    assert from_environment({}) == "unknown"


def test_the_setting_comes_first_then_the_reply_then_the_environment() -> None:
    black, white = (0, 0, 0), (255, 255, 255)
    light = {"COLORFGBG": "0;15"}
    assert decide("dark", white, light) == "dark"
    assert decide("light", black, {}) == "light"
    assert decide("auto", black, light) == "dark"
    assert decide("auto", white, {"COLORFGBG": "15;0"}) == "light"
    assert decide("auto", None, light) == "light"
    assert decide("auto", None, {}) == "unknown"


@pytest.mark.parametrize(
    ("environ", "may"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "tmux-256color"}, True),
        ({"TERM": "screen-256color", "TMUX": "/tmp/t,1,0"}, True),
        ({"TERM": "screen.xterm-256color", "STY": "1.pts-0.host"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "vt220"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_who_is_asked(environ: dict[str, str], may: bool) -> None:
    assert may_ask(environ) is may
