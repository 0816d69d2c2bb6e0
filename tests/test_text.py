"""`text`: safe to show, and as it was meant: both are properties of every output."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipcchat import text
from ipcchat.errors import TextError
from ipcchat.text import (
    MAX_BYTES,
    MAX_CHARS,
    MAX_LINES,
    MAX_MARKS,
    MAX_NICK,
    MAX_ROOM,
    MAX_TOPIC,
    check_nick,
    check_room,
    check_text,
    check_topic,
    clean_line,
    clean_text,
    fold,
    safe_nick,
    split_text,
    visible,
)

AWKWARD = (
    "\t\n\r\x00\x1b\x7f\x85\x9b a1=<_#\u00ad\u0301\u0323\u0338\u0344\u034f\u0345\u05bc\u0628\u0627"
    "\u0653\u06cc\u06dd\u0915\u093c\u094d\u0958\u09b0\u09cd\u09c7\u09be\u1100\u1161\u102c\u103b"
    "\u180e\u200b\u200c\u200d\u200e\u2028\u202e\u2066\u2069\u2194\u20e3\u2640\u2764\u3164\ue000"
    "\ufb2c\ufe0e\ufe0f\ufeff\ufffd\udc80\U0001d160\U0001f1e9\U0001f3f4\U0001f468\U0001f3fd"
    "\U0001faff\U000e0061\U000e0067\U000e0030\U000e007f\U000e0100\U000e0041"
)
"""One of each kind that a rule speaks of, so that rules meet."""

awkward = st.text(st.sampled_from(AWKWARD), max_size=30)
anything = st.one_of(awkward, st.text(st.characters(codec=None), max_size=30))

GOOD = {
    "Persian, with its joiner": "می\u200cخواهم",
    "Arabic initial form": "ه\u200d",
    "Hindi, half form": "क्\u200dष",
    "Hindi, visible virama": "क्\u200cष",
    "Bengali ra with ya-phala": "র\u200d্যাব",
    "Malayalam chillu": "ന്\u200d",
    "Burmese": "လျှော့",
    "Thai": "ที่นี่",
    "Hebrew with points": "שָּׁלוֹם",
    "Vietnamese": "Tiếng Việt",
    "Cyrillic": "Привет, мир",
    "Chinese": "你好，世界",
    "ideographic variant": "葛\U000e0100",
    "family": "👨\u200d👩\u200d👧\u200d👦",
    "profession with skin": "👩🏽\u200d🔬",
    "shaking head": "🙂\u200d↔\ufe0f",
    "heart on fire": "❤\ufe0f\u200d🔥",
    "red heart": "❤\ufe0f",
    "heart as text": "❤\ufe0e",
    "keycap": "1\ufe0f\u20e3",
    "rainbow flag": "🏳\ufe0f\u200d🌈",
    "flag of Germany": "🇩🇪",
    "flag of England": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "emoji newer than the table": "\U0001fae9\U0001faff",
    "code": "if x:\n\treturn  1",
    "symbols": "→ ½ € ≠ ∑ ✓ ☐ █ ⣿ ©™",
}


def shapes(s: str) -> str:
    return s.translate(text._SHAPES)


def is_safe(s: str) -> bool:
    """Nothing that drops, hides or reorders, said without the module's own tables."""
    for i, char in enumerate(s):
        category = unicodedata.category(char)
        if char in "\n\t":
            continue
        if category == "Cn" and "\U0001f000" <= char <= "\U0001faff":
            continue
        if category == "Cf" and i:
            if char in "\u200c\u200d":
                continue
            if "\U000e0030" <= char <= "\U000e007f" and "\U0001f3f4" in s[max(0, i - 7) : i]:
                continue
        if category[0] == "C" or category in ("Zl", "Zp"):
            return False
    return True


@pytest.mark.parametrize("s", GOOD.values(), ids=GOOD)
def test_good_text_survives(s: str) -> None:
    assert clean_text(s) == s
    assert text._clean(s) == s
    assert visible(s) == s
    assert check_text(f"{s} and {s}") == f"{s} and {s}"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\r\nb\rc\x85d\u2028e\u2029f", "a\nb\nc\nd\ne\nf"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x1b\x9b\x07x", "\ufffdx"),
        ("\x1b\u200b\x07x", "\ufffdx"),
        ("user\u202etxt.exe", "user\ufffdtxt.exe"),
        ("\u2066a\u2069", "\ufffda\ufffd"),
        ("\ufeffco\u00adop\u200b\u2060er\u200f", "cooper"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("e\u200d\u0301", "é"),
        ("\ue0b0\udc80", "\ufffd"),
        ("\u0378", "\ufffd"),
        ("ab\u200dcd\u200cef", "abcdef"),
        ("\u200d👨\u200d\u200d👩\u200d", "👨👩"),
        ("👨\u200dx", "👨x"),
        ("\ufe0fa\ufe0f\ufe0fb", "a\ufe0fb"),
        (" \ufe0f", " "),
        ("hi\U000e0068\U000e0069", "hi\ufffd"),
        ("hi\U000e0041\U000e0001", "hi\ufffd"),
        ("🏴\U000e0067\U000e0062", "🏴\ufffd"),
        ("🏴" + "\U000e0067" * 9 + "\U000e007f", "🏴\ufffd"),
        ("q" + "\u0323\u0301" * 4000, "q" + "\u0323" * MAX_MARKS),
        ("\u0915" + "\u093e" * 9, "\u0915" + "\u093e" * MAX_MARKS),
        ("\u0301" * 9, "\u0301" * MAX_MARKS),
        ("क" + "\u094d\u200d" * 9, "क\u094d\u200d" + "\u094d" * 3),
    ],
)
def test_bad_text_is_made_good(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean
    assert clean_text(f"<{raw}>") == f"<{clean}>" or raw[0] == "\ufe0f"


@given(anything)
@example("क\u0301\u200c\u094d\u200dष")
@example("\u2194\u200c\u0338\u200d\u2640")
@example("র\u200d\u09cd\ufe0f\u0345")
@example("a" + "\u0301\u200d" * 9 + "\u0323")
@settings(max_examples=600)
def test_clean_is_idempotent_safe_and_normal(s: str) -> None:
    clean = clean_text(s)
    assert clean_text(clean) == clean
    assert text._clean(clean) == clean
    assert is_safe(clean), ascii(clean)
    assert unicodedata.is_normalized("NFC", clean)
    assert "\r" not in clean
    clean.encode()
    assert len(clean) <= 4 * len(s)
    for run in re.findall("[mvnJNV]+", shapes(clean)):
        assert run.count("m") + run.count("v") <= MAX_MARKS
        assert run.count("n") <= MAX_MARKS


@given(anything)
@settings(max_examples=300)
def test_a_line_is_one_line(s: str) -> None:
    line = clean_line(s)
    assert "\n" not in line
    assert "\t" not in line
    assert clean_line(line) == line
    assert clean_text(line) == line
    assert len(line) == len(clean_text(s))


@given(st.text(st.characters(max_codepoint=0x7F), max_size=40))
def test_ascii_short_cut_equals_the_long_way(s: str) -> None:
    assert clean_text(s) == text._clean(s)


def test_plain_short_cut_equals_the_long_way() -> None:
    plain = [c for c in map(chr, range(0x110000)) if text._PLAIN.fullmatch(c)]
    assert len(plain) > 30_000
    for char in plain:
        assert shapes(char) in "soapF", ascii(char)
        assert shapes(unicodedata.normalize("NFC", char)) in "soapF", ascii(char)


def test_the_cache_of_shapes_is_bounded() -> None:
    fresh = text._Shapes()
    for code in range(40_000):
        assert fresh[code] == text._shape(code)
    assert len(fresh) == 32768


@given(anything)
@settings(max_examples=300)
def test_visible_hides_nothing(s: str) -> None:
    seen = visible(s)
    assert visible(seen) == seen
    seen.encode()
    assert is_safe("x" + seen), ascii(seen)
    assert seen.count("\n") == s.count("\n")


def test_visible_spells_out() -> None:
    assert visible("plain") == "plain"
    assert visible("\x00\x1b\r\x7f") == "␀␛␍␡"
    assert visible("a\x9bb\u202ec\ufeff\udc80") == "a\\x9bb\\u202ec\\ufeff\\udc80".replace(
        "\\x9b", "\\u009b"
    )
    assert visible("\U000e0041\U000e0061") == "\\U000e0041\\U000e0061"
    assert visible("two\n\tlines") == "two\n\tlines"


# --- messages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("s", "words"),
    [
        ("", "visible"),
        (" \n\t ", "visible"),
        ("\u3164\u2800\u200b", "visible"),
        ("x" * (MAX_CHARS + 1), "4,096 characters, this one has 4,097"),
        ("😀" * MAX_CHARS + "y", "characters"),
        ("\n" * MAX_LINES + "x", "100 lines, this one has 101"),
    ],
)
def test_refused_messages(s: str, words: str) -> None:
    with pytest.raises(TextError, match=words) as caught:
        check_text(s)
    assert caught.value.code == "bad_text"


def test_a_message_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(check_text("😀" * MAX_CHARS).encode()) == MAX_BYTES
    monkeypatch.setattr(text, "MAX_BYTES", 10)
    with pytest.raises(TextError, match="10 bytes, this one has 12"):
        check_text("😀😀😀")
    assert split_text("😀😀😀") == ["😀😀", "😀"]


def test_limits_count_what_is_left_after_cleaning() -> None:
    assert check_text("x" * MAX_CHARS + "\u200b" * 50) == "x" * MAX_CHARS
    assert check_text("\r\n".join("x" * MAX_LINES)) == "\n".join("x" * MAX_LINES)


def test_split_prefers_line_ends_then_spaces_then_clusters() -> None:
    assert split_text("") == split_text(" \n ") == []
    assert split_text("hi\n") == ["hi"]
    line = "x" * 3000
    assert split_text(f"{line}\n{line}") == [line, line]
    assert split_text(f"{line} {line}") == [f"{line} ", line]
    assert split_text("x" * 9000) == ["x" * 4096, "x" * 4096, "x" * 808]
    assert split_text("x" * 4096 + "\ny") == ["x" * 4096, "y"]
    family = GOOD["family"]
    parts = split_text(family * 1000)
    assert "".join(parts) == family * 1000
    assert all(part.replace(family, "") == "" for part in parts)
    lines = [str(i) for i in range(250)]
    parts = split_text("\n".join(lines))
    assert [part.count("\n") + 1 for part in parts] == [100, 100, 50]
    assert "\n".join(parts).split("\n") == lines


def test_split_never_cuts_what_belongs_together() -> None:
    word = GOOD["Persian, with its joiner"]
    for shift in range(len(word)):
        long = "x" * shift + word * 1000
        assert "".join(split_text(long)) == long
    # A mark after a space belongs to it.
    long = "x" * 4000 + " \u0301" + "y" * 4000
    assert split_text(long)[0] == "x" * 4000 + " \u0301" + "y" * 94


def test_split_leaves_blank_pieces_out() -> None:
    assert split_text("a" + "\n" * 500 + "b") == ["a" + "\n" * 99, "b"]


def test_split_cuts_a_cluster_longer_than_a_message() -> None:
    parts = split_text("👩\u200d" * 5000 + "👩")
    assert all(check_text(part) == part for part in parts)
    assert "".join(parts).count("👩") == 5001


@given(st.lists(st.one_of(awkward, st.sampled_from(["word ", "\n", *GOOD.values()])), max_size=60))
@settings(max_examples=200)
def test_split_loses_only_line_ends(chunks: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "MAX_CHARS", 40)
        patch.setattr(text, "MAX_BYTES", 100)
        patch.setattr(text, "MAX_LINES", 3)
        whole = "".join(chunks)
        parts = split_text(whole)
        for part in parts:
            assert check_text(part) == part

        def kept(s: str) -> str:
            return re.sub(rf"[\s{text._UNSEEN}\u200c\u200d]", "", s)

        assert kept("".join(parts)) == kept(clean_text(whole))


# --- names --------------------------------------------------------------------------------

NAMES = [
    "ann",
    "Ann-Marie",
    "o'neil",
    "j.r_2",
    "007",
    "Zoë",
    "Ольга",
    "李雷",
    "علی",
    "🦊fox",
    "❤\ufe0f",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_as_typed(name: str) -> None:
    assert check_nick(name) == name
    assert check_room(name) == check_room(f"#{name}") == f"#{name}"
    assert safe_nick(name, "guest") == name


def test_names_are_normal() -> None:
    assert check_nick("Zoe\u0308") == "Zoë"
    assert check_nick("x" * MAX_NICK)
    assert check_room("x" * MAX_ROOM)
    assert check_room("c++ :)".replace(" ", "")) == "#c++:)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "1 to 32 characters"),
        ("x" * 33, "1 to 32 characters, this one has 33"),
        ("x" * 5000, "at most 32 characters, this one has 5,000"),
        ("a b", "no spaces"),
        ("a\u00a0b", "no spaces"),
        ("a\nb", "no spaces"),
        ("a\x1bb", "no invisible"),
        ("a\u202eb", "no invisible"),
        ("a\u200db", "no invisible"),
        ("\u3164", "no invisible"),
        ("\u2800x", "no invisible"),
        ("a\ufe0f\ufe0f", "no invisible"),
        ("a" + "\u0325" * 9, "no invisible"),
        ("_ann", "not with _"),
        ("-x", "not with -"),
        ("$x", r"not with \$"),
        ("\u0301x", "begins with a letter"),
        ("\ufffdx", "begins with a letter"),
        ("x\ufffd", "damaged"),
        ("a@b", "this one has @"),
        ("a#b", "this one has #"),
        ("a,b", "this one has ,"),
        ("a:b", "this one has :"),
        ("a/b", "this one has /"),
    ],
)
def test_refused_nicks(name: str, words: str) -> None:
    with pytest.raises(TextError, match=words) as caught:
        check_nick(name)
    assert caught.value.code == "bad_name"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "#", "##x", "#a/b", "a,b", "#_x", "x" * 65, "a b"])
def test_refused_rooms(name: str) -> None:
    with pytest.raises(TextError, match="a room's name") as caught:
        check_room(name)
    assert caught.value.code == "bad_name"


@given(anything)
@settings(max_examples=300)
def test_any_name_is_good_or_refused(name: str) -> None:
    for check in (check_nick, check_room):
        try:
            shown = check(name)
        except TextError:
            continue
        assert check(shown) == shown == clean_line(shown)
        assert fold(shown)


def test_topics() -> None:
    assert check_topic("") == ""
    assert check_topic(" Week 9:\nsockets\x1b ") == "Week 9: sockets\ufffd"
    assert check_topic("x" * MAX_TOPIC)
    with pytest.raises(TextError, match="512 characters, this one has 513") as caught:
        check_topic("x" * (MAX_TOPIC + 1))
    assert caught.value.code == "bad_text"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ann", "aNN"), ("straße", "STRASSE"), ("Zoe\u0308", "ZOË"), ("❤\ufe0f", "❤"), ("ΣΑΣ", "σας")],
)
def test_equal_names(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_different_names() -> None:
    assert fold("ann") != fold("anne")
    assert fold("#lab") != fold("lab")


@given(anything)
def test_fold_is_idempotent(s: str) -> None:
    assert fold(fold(s)) == fold(s)


@pytest.mark.parametrize(
    ("login", "nick"),
    [
        ("ann", "ann"),
        ("_www", "www"),
        ("ann@corp.example", "ann-corp.example"),
        ("Ann  Lee", "Ann-Lee"),
        ("x" * 99, "x" * 32),
        ("x" * 31 + " y", "x" * 31),
        ("\x1b\x00", "guest"),
        ("___", "guest"),
        ("", "guest"),
        ("a\u3164b", "guest"),
    ],
)
def test_login_names_become_nicks(login: str, nick: str) -> None:
    assert safe_nick(login, "guest") == nick
