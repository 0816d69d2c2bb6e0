"""Names told apart: which two are the same, which look alike, and which no name may be.

`text` says what a name may be made of. Here two names are compared in two ways. Equal *keys*: they
are one name, typed differently. Equal *skeletons*: they are two names that a reader takes for one.
And a name that mixes scripts is refused when it is made: who mixes them means to be taken for
somebody else, nearly always.

The data are those of precis-i18n (RFC 8264, RFC 8266) and confusable-homoglyphs (Unicode's
confusables.txt and Scripts.txt, version 15), loaded at the first name that isn't ASCII, or the
first skeleton: `prepare` loads them beforehand.
"""

import functools
import json
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from ipcchat import text
from ipcchat.errors import TextError

__all__ = ["check_nick", "check_room", "check_scripts", "key", "prepare", "skeleton"]

_ROUNDS = 8
"""Most rounds to a fixed point; each code point of Unicode is there after three."""


def prepare() -> None:
    """Loads all the tables, some 50 ms of computing: call it before, or beside, an event loop."""
    _rules()
    _prototypes()
    _scripts()


# --- the same name ------------------------------------------------------------------------


@functools.cache
def _rules() -> Callable[[str], str]:
    from precis_i18n import get_profile

    return get_profile("NicknameCaseMapped:CaseFold").apply_five_rules


def key(name: str) -> str:
    """The key of a name, with a room's `#`: equal keys are the same name. Never fails.

    The rules of PRECIS' Nickname profile for comparison (RFC 8266, 2.4): case, width, composition
    and compatibility variants don't count. UsernameCaseMapped (RFC 8265) can't be had: its class
    of letters and digits holds no emoji, no symbol, no `…`. Three things differ from RFC 8266:

    - Its string class isn't enforced (RFC 8264, FreeformClass): that refuses joined emoji, old
      Hangul and `·` at most places. `text.check_nick` decides instead what a name is made of.
    - Case is folded, not lowered, as in RFC 7700: ß is ss, ς is σ whatever follows.
    - `text.fold` comes first, which drops variation selectors. So names that it makes equal have
      equal keys: no old name falls apart into two.

    The rules are applied until nothing changes, as RFC 8264, 7 asks: a key is its own key. It is
    for comparing only; what `text` refuses (a slash, a space) may have come out of NFKC.
    """
    if name.isascii() and " " not in name:
        return name.lower()
    apply = _rules()
    for _ in range(_ROUNDS):
        if (mapped := apply(text.fold(name))) == name:
            break
        name = mapped
    return name


# --- names that look alike ----------------------------------------------------------------


def _load(name: str) -> Any:
    from importlib.resources import files

    # Read as data: the package's own modules would load both files and an HTTP client.
    return json.loads(files("confusable_homoglyphs").joinpath(name).read_bytes())


@functools.cache
def _prototypes() -> dict[int, str | None]:
    """From a code point to what it looks like; None: to nothing (a default ignorable).

    confusables.txt maps single code points to prototypes, which it never maps further. The file
    read here has each line in both directions, so that a prototype is what has several partners.
    Of two that have only each other, the lower code point is taken, which changes no comparison.
    """
    table: dict[int, str | None] = dict.fromkeys(
        # Default_Ignorable_Code_Point, of those that `text` lets into a name.
        (0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000))
    )
    pairs = {
        # Right-to-left characters stand between left-to-right marks.
        _bare(char): {_bare(other["c"]) for other in others}
        for char, others in _load("confusables.json").items()
    }
    for char, others in pairs.items():
        other = next(iter(others))
        if len(char) > 1 or len(others) > 1:
            continue
        if len(other) > 1 or len(pairs[other]) > 1 or other < char:
            table[ord(char)] = other
    return table


def _bare(char: str) -> str:
    return char.strip("\u200e") or char


def skeleton(name: str) -> str:
    """What a name looks like, for comparing only: equal skeletons look alike. Never fails.

    The skeleton of UTS 39, section 4, from the name as it is shown, so that `I` is like `l` and `i`
    is not. Beyond it: composed letters are looked up too (Й is like Ѝ), case and width are taken
    off what comes out, and the whole is repeated until nothing changes. Names differ by more than
    case, so `b0b` is like `BOB`. Use it beside `key`, not in its place: `ALICE` and `alice` have
    one key and two skeletons.
    """
    table = _prototypes()
    for _ in range(_ROUNDS):
        seen = unicodedata.normalize("NFC", name).translate(table)
        seen = unicodedata.normalize("NFD", seen).translate(table)
        if (seen := unicodedata.normalize("NFKD", seen.lower())) == name:
            break
        name = seen
    return name


# --- scripts ------------------------------------------------------------------------------

_NEUTRAL = frozenset({"COMMON", "INHERITED"})
_COVERS = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
"""Scripts that are written together (UTS 39, 5.2, "highly restrictive")."""
_KANA = frozenset({"HIRAGANA", "KATAKANA"})
_EXTENSIONS = (
    # Of ScriptExtensions.txt, which confusable-homoglyphs lacks: what would be refused wrongly
    # (digits of several scripts), or be taken for neutral and looks like a letter.
    (0x0660, 0x0669, frozenset({"ARABIC", "THAANA", "YEZIDI"})),
    (0x0966, 0x096F, frozenset({"DEVANAGARI", "DOGRA", "KAITHI", "MAHAJANI"})),
    (0x09E6, 0x09EF, frozenset({"BENGALI", "CHAKMA", "SYLOTI_NAGRI"})),
    (0x0A66, 0x0A6F, frozenset({"GURMUKHI", "MULTANI"})),
    (0x0AE6, 0x0AEF, frozenset({"GUJARATI", "KHOJKI"})),
    (0x0BE6, 0x0BEF, frozenset({"TAMIL", "GRANTHA"})),
    (0x0CE6, 0x0CEF, frozenset({"KANNADA", "NANDINAGARI"})),
    (0x1040, 0x1049, frozenset({"MYANMAR", "CHAKMA", "TAI_LE"})),
    (0x3006, 0x3006, frozenset({"HAN"})),
    (0x3031, 0x3035, _KANA),
    (0x30FC, 0x30FC, _KANA),
    (0xFF70, 0xFF70, _KANA),
)


@functools.cache
def _scripts() -> tuple[list[int], list[int], list[str]]:
    """First and last code points of the ranges, in order, and their scripts."""
    data = _load("categories.json")
    names, ranges = data["iso_15924_aliases"], data["code_points_ranges"]
    return (
        [first for first, *_ in ranges],
        [last for _, last, *_ in ranges],
        [names[script] for _, _, script, _ in ranges],
    )


def _scripts_of(char: str) -> frozenset[str]:
    """The scripts that a character is used in; empty: in all."""
    code = ord(char)
    for low, high, scripts in _EXTENSIONS:
        if low <= code <= high:
            return scripts
    firsts, lasts, names = _scripts()
    i = bisect_right(firsts, code) - 1
    if code <= lasts[i]:
        return frozenset({names[i]}) - _NEUTRAL
    if 0x20000 <= code < 0x40000:
        return frozenset({"HAN"})  # both planes are kept for it
    # An emoji newer than the table, or a letter, whose script then is none of the known.
    return frozenset({"UNKNOWN"} if unicodedata.category(char)[0] in "LM" else ())


def check_scripts(name: str) -> None:
    """Refuses a name that mixes scripts, or digits of several decimal systems.

    Allowed is what UTS 39, section 5.2, calls highly restrictive: one script, or Latin letters
    together with Japanese, Chinese or Korean; and with each of them emoji, punctuation, symbols and
    ASCII digits. Raises `TextError` (`bad_name`).
    """
    if name.isascii():
        return
    shown: dict[frozenset[str], None] = {}
    zeros: dict[int, None] = {}
    for char in name:
        category = unicodedata.category(char)
        if category == "Nd":
            zeros[ord(char) - unicodedata.decimal(char)] = None
        # A letter's variant, such as one of the mathematical alphabets, counts as the letter.
        for one in unicodedata.normalize("NFKC", char) if category[0] == "L" else char:
            if found := _scripts_of(one):
                shown[found] = None
    if len(zeros) > 1:
        raise TextError(
            "a name has digits of one kind only, this one mixes "
            + " and ".join(chr(zero + 1) for zero in zeros),
            code="bad_name",
        )
    if shown and not (
        frozenset.intersection(*shown) or any(all(map(cover.__and__, shown)) for cover in _COVERS)
    ):
        kinds = dict.fromkeys(min(found).replace("_", " ").title() for found in shown)
        raise TextError(
            f"a name keeps to one script, this one mixes {' and '.join(kinds)}", code="bad_name"
        )


def check_nick(s: str) -> str:
    """A nick as it is shown, in one script. Raises `TextError` (`bad_name`) that says what is
    allowed. For new names only: older ones may break the rule for scripts, and stay valid."""
    nick = text.check_nick(s)
    check_scripts(nick)
    return nick


def check_room(s: str) -> str:
    """A room's name as it is shown, with its `#`, which `s` may lack, in one script. Raises
    `TextError` (`bad_name`). For new rooms only, as `check_nick`."""
    room = text.check_room(s)
    check_scripts(room)
    return room
