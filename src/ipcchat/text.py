"""Names and foreign text made safe: what another party chose never reaches a terminal unchecked.

The rules of this file:

- It serves every field another party chose (nick, room, topic, message, error text, history, log
  line, transcript): at the server when it enters, at the client when it arrives.
- Text is NFC. Letters of all scripts, emoji, newline and tab survive. Controls, surrogates, private
  and unassigned code points, bidi embeddings, overrides and isolates, and stray tag characters
  become one U+FFFD a run: a reader sees that something was there. Soft hyphen, byte order mark,
  zero-width space, word joiner and bidi marks go without a trace: they hide nothing.
- Joiners, variation selectors and tags stay only where they mean something: in emoji, after or
  before a virama, between letters that join. A base carries at most four nonspacing and four
  spacing marks.
- Cleaning twice changes nothing. Unassigned code points of the emoji planes stay, so that new
  emoji survive an old Unicode table.

Each code point has a *shape*, one letter; rules about neighbours are regular expressions over the
string of shapes, so that they depend on no version of Unicode but Python's.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from wcwidth import grapheme_boundary_before

from ipcchat.errors import TextError

__all__ = [
    "MAX_BYTES",
    "MAX_CHARS",
    "MAX_LINES",
    "MAX_MARKS",
    "MAX_NICK",
    "MAX_ROOM",
    "MAX_TOPIC",
    "check_nick",
    "check_room",
    "check_text",
    "check_topic",
    "clean_line",
    "clean_text",
    "fold",
    "safe_nick",
    "split_text",
    "visible",
]

MAX_CHARS = 4096
"""Code points in a message, after cleaning."""
MAX_BYTES = 16 * 1024
"""Bytes of UTF-8 in a message."""
MAX_LINES = 100
"""Lines in a message."""
MAX_NICK = 32
"""Code points in a nick."""
MAX_ROOM = 64
"""Code points in a room's name, without its `#`."""
MAX_TOPIC = 512
"""Code points in a topic."""
MAX_MARKS = 4
"""Marks of a kind (nonspacing, spacing) on one base."""

_REPLACEMENT = "\ufffd"
_RAW_MARKS = 16
"""Marks that may enter normalization, whose time grows with the square of their number."""

# --- shapes -------------------------------------------------------------------------------
# s space   o base       a letter that joins (Arabic and its like)   p emoji   F black flag
# m mark    n spacing mark    v virama    V variation selector    J ZWJ    N ZWNJ
# t tag letter or digit    e tag end    x dropped with a sign    z dropped without

_FIXED = {0x09: "s", 0x0A: "s", 0x1F3F4: "F"}
_FORMATS = {
    0x200C: "N",
    0x200D: "J",
    0xE007F: "e",
    **dict.fromkeys((0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF), "z"),
    **dict.fromkeys(range(0x2060, 0x2065), "z"),
    **dict.fromkeys((*range(0xE0030, 0xE003A), *range(0xE0061, 0xE007B)), "t"),
}
_SELECTORS = dict.fromkeys((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
_EMOJI = (
    # Whole blocks rather than the exact emoji: normalization can't lead out of them.
    (0x2190, 0x21FF),
    (0x2300, 0x23FF),
    (0x25A0, 0x27BF),
    (0x2900, 0x297F),
    (0x2B00, 0x2BFF),
    (0x1F000, 0x1FAFF),
)
_JOINING = (
    (0x620, 0x8FF),
    (0x1820, 0x18AA),
    (0xA840, 0xA873),
    (0x10AC0, 0x10FFF),
    (0x1E900, 0x1E943),
)


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


def _shape(code: int) -> str:
    """The shape of one code point."""
    if code in _FIXED:
        return _FIXED[code]
    category = unicodedata.category(chr(code))
    match category[0]:
        case "L":
            return "a" if _within(code, _JOINING) else "o"
        case "M":
            if code in _SELECTORS:
                return "V"
            if unicodedata.combining(chr(code)) == 9:
                return "v"
            return "n" if category == "Mc" else "m"
        case "C":
            if category == "Cn" and 0x1F000 <= code <= 0x1FAFF:
                return "p"
            return _FORMATS.get(code, "x")
        case "Z":
            return "s" if category == "Zs" else "x"
        case _:
            return "p" if _within(code, _EMOJI) else "o"


class _Shapes(dict[int, str]):
    """A cache of shapes for `str.translate`, bounded: who sends all of Unicode gains no memory."""

    def __missing__(self, code: int) -> str:
        shape = _shape(code)
        if len(self) < 32768:
            self[code] = shape
        return shape


_SHAPES = _Shapes()

_NEWLINE = re.compile("\r\n?|[\x85\u2028\u2029]")
_PLAIN = re.compile(
    "[\t\n\x20-\x7e\xa0-\xac\xae-\u02ff\u0384-\u038a\u038e-\u03a1\u03a3-\u0482\u048a-\u052f"
    "\u05d0-\u05ea\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2190-\u23ff\u2500-\u27bf\u3000-\u3029"
    "\u3041-\u3096\u30a0-\u30ff\u4e00-\u9ffc\uac00-\ud7a3\uff01-\uff9f\U0001f300-\U0001f6d7]*"
)
"""Text of blocks that hold nothing to drop, to cap or to judge by its neighbours."""

_rule = lru_cache(maxsize=None)(re.compile)
"""What plain text never needs is compiled when it is."""
_QUIET = "[soapF]*"
_FORBIDDEN = "(?P<sign>x[xz]*)|(?P<drop>z+)"
_HIDDEN = "(?P<keep>Ft{3,6}e)|(?P<escape>[xzte]+)"
_CONTEXT = (
    # Every kept joiner, selector or tag lies in a token that begins at a base and is unbroken:
    # dropping the others can't change its neighbours.
    "(?P<keep>Ft{3,6}e"  # a flag such as England's
    "|[pF]V?J(?=[pF])"  # an emoji made of several
    "|a[mnv]*(?:J|N(?=a))"  # letters that would join, or not
    "|[oapF][mnv]*v[mnv]*[JN]"  # which form a conjunct takes
    "|[oapF][mnv]*[JN](?=[mnv]*v)"
    "|[oapF]V)"  # emoji or text, ideographic variants
    "|(?P<sign>[te]+)|(?P<drop>[JNV])"
)
_CAP = {n: f"[mnv](?:[JNVte]*[mnv]){{{n},}}" for n in (MAX_MARKS, _RAW_MARKS)}


Change = Callable[[str, str, str], str]
"""From the name of the group that matched, the stretch, and its shapes, to what takes its place."""


def _edit(s: str, shapes: str, pattern: str, change: Change) -> str:
    """Changes each stretch of `s` whose shapes match the pattern."""
    pieces: list[str] = []
    end = 0
    for match in _rule(pattern).finditer(shapes):
        pieces.append(s[end : match.start()])
        end = match.end()
        pieces.append(change(match.lastgroup or "", s[match.start() : end], match[0]))
    return "".join(pieces) + s[end:] if pieces else s


def _drop(group: str, stretch: str, _: str) -> str:
    if group == "keep":
        return stretch
    return _REPLACEMENT if group == "sign" else ""


def _cap(s: str, most: int) -> str:
    """At most so many marks of a kind on a base. Joiners between them count for nothing, so that
    it doesn't matter which of those stay."""

    def few(_: str, run: str, shapes: str) -> str:
        kept: list[str] = []
        nonspacing = spacing = 0
        for char, shape in zip(run, shapes, strict=True):
            if shape == "n":
                spacing += 1
                if spacing > most:
                    continue
            elif shape in "mv":
                nonspacing += 1
                if nonspacing > most:
                    continue
            kept.append(char)
        return "".join(kept)

    return _edit(s, s.translate(_SHAPES), _CAP[most], few)


def _clean(s: str) -> str:
    """`clean_text` without its short cuts."""
    s = _NEWLINE.sub("\n", s)
    shapes = s.translate(_SHAPES)
    if _rule(_QUIET).fullmatch(shapes):
        return unicodedata.normalize("NFC", s)
    s = _cap(_edit(s, shapes, _FORBIDDEN, _drop), _RAW_MARKS)
    s = _cap(unicodedata.normalize("NFC", s), MAX_MARKS)
    return unicodedata.normalize("NFC", _edit(s, s.translate(_SHAPES), _CONTEXT, _drop))


def clean_text(s: str) -> str:
    """Multi-line foreign text, safe to show: NFC, line ends as `\\n`, tabs kept (see above).

    Never fails; the result may be empty and has no bound but the length of `s`.
    """
    if s.isascii() and s.isprintable():
        return s
    if _PLAIN.fullmatch(s) and unicodedata.is_normalized("NFC", s):
        return s
    return _clean(s)


def clean_line(s: str) -> str:
    """The same for one line: each line end and tab becomes a space."""
    return clean_text(s).replace("\n", " ").replace("\t", " ")


def visible(s: str) -> str:
    """Text that was not cleaned, with everything invisible spelt out: `\\x1b` becomes `␛`, a bidi
    override `\\u202e`. Line feeds, tabs, joiners and selectors stay. Encodes to UTF-8."""
    if s.isascii() and s.isprintable():
        return s

    def spell(group: str, stretch: str, _: str) -> str:
        return stretch if group == "keep" else "".join(map(_spelt, stretch))

    return _edit(s, s.translate(_SHAPES), _HIDDEN, spell)


def _spelt(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# --- messages -----------------------------------------------------------------------------

_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
"""Letters, marks and symbols that show nothing."""
_SEEN = re.compile(rf"[^\s{_UNSEEN}]")
_BLANK = re.compile(f"[{_UNSEEN}]")
_LAST_SPACE = re.compile(".*s(?=[oapF])")


def check_text(s: str) -> str:
    """A message, cleaned. Raises `TextError` (`bad_text`) where it is blank or over a limit."""
    if len(s) <= MAX_CHARS and s.isascii() and s.isprintable() and not s.isspace() and s:
        return s  # most messages: as `clean_text`, and within every limit
    s = clean_text(s)
    if not _SEEN.search(s):
        raise TextError("a message needs at least one visible character")
    if len(s) > MAX_CHARS:
        raise TextError(f"a message has at most {MAX_CHARS:,} characters, this one has {len(s):,}")
    if (size := len(s.encode())) > MAX_BYTES:
        raise TextError(f"a message has at most {MAX_BYTES:,} bytes, this one has {size:,}")
    if (lines := s.count("\n") + 1) > MAX_LINES:
        raise TextError(f"a message has at most {MAX_LINES} lines, this one has {lines:,}")
    return s


def split_text(s: str) -> list[str]:
    """A text of any length as messages, in order, each of which `check_text` returns unchanged.

    Cut at a line end, else after a space, else between grapheme clusters (a cluster longer than a
    message is cut). Lost are the line ends that were cut at, those at the end, and blank pieces.
    """
    s = clean_text(s).rstrip("\n")
    pieces: list[str] = []
    while s:
        end, after = _cut(s)
        piece, s = s[:end], s[after:]
        if _SEEN.search(piece):
            pieces.append(clean_text(piece))
    return pieces


def _cut(s: str) -> tuple[int, int]:
    """Where the first message of `s` ends, and where the next begins."""
    # A prefix of the bytes may end inside a character, which then is not in it.
    most = len(s[:MAX_CHARS].encode()[:MAX_BYTES].decode(errors="ignore"))
    start = -1
    for _ in range(MAX_LINES):
        start = s.find("\n", start + 1, most)
        if start < 0:
            break
    else:
        return start, start + 1
    if most == len(s):
        return most, most
    if s[most] == "\n":
        return most, most + 1
    if (newline := s.rfind("\n", 0, most)) > 0:
        return newline, newline + 1
    shapes = s[: most + 1].translate(_SHAPES)
    if space := _LAST_SPACE.match(shapes):
        return space.end(), space.end()
    end = grapheme_boundary_before(s, most + 1)
    # A joiner at the end of a message would mean nothing, and be dropped.
    while end and shapes[end - 1] in "JN":
        end = grapheme_boundary_before(s, end)
    return (end, end) if end else (most, most)


# --- names --------------------------------------------------------------------------------


def fold(name: str) -> str:
    """The key of a name: equal keys are the same name. Case and variation selectors don't count."""
    folded = unicodedata.normalize("NFD", name.translate(_SELECTORS)).casefold()
    return unicodedata.normalize("NFC", folded)


def check_nick(s: str) -> str:
    """A nick as it is shown. Raises `TextError` (`bad_name`) that says what is allowed."""
    return _check_name(s, "a nick", MAX_NICK, "@#,:/")


def check_room(s: str) -> str:
    """A room's name as it is shown, with its `#`, which `s` may lack. Raises `TextError`."""
    return "#" + _check_name(s.removeprefix("#"), "a room's name", MAX_ROOM, "#,/")


def check_topic(s: str) -> str:
    """A topic: one cleaned line, which may be empty. Raises `TextError` (`bad_text`)."""
    s = clean_line(s).strip()
    if len(s) > MAX_TOPIC:
        raise TextError(f"a topic has at most {MAX_TOPIC} characters, this one has {len(s):,}")
    return s


def safe_nick(s: str, default: str) -> str:
    """A usable nick as near to `s` (a login name) as can be, else `default`."""
    made = re.sub(r"[\s@#,:/\ufffd]+", "-", clean_line(s)[: 4 * MAX_NICK])
    while made and not _may_begin(made[0]):
        made = made[1:]
    try:
        return check_nick(made[:MAX_NICK].rstrip("-"))
    except TextError:
        return default


def _may_begin(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LN" or (category == "So" and char != _REPLACEMENT)


def _check_name(s: str, what: str, most: int, refused: str) -> str:
    def no(reason: str) -> TextError:
        return TextError(f"{what} {reason}", code="bad_name")

    if len(s) > 8 * most:
        raise no(f"has at most {most} characters, this one has {len(s):,}")
    name = unicodedata.normalize("NFC", s)
    if not 1 <= len(name) <= most:
        raise no(f"has 1 to {most} characters, this one has {len(name)}")
    if re.search(r"\s", name):
        raise no("has no spaces: use - or _")
    if not name.isprintable() or _BLANK.search(name) or clean_line(name) != name:
        raise no("has no invisible or control characters")
    if not _may_begin(name[0]):
        raise no(f"begins with a letter, a digit or an emoji, not with {name[0]}")
    if found := next((char for char in name if char in refused), ""):
        raise no(f"has none of {' '.join(refused)} in it, this one has {found}")
    if _REPLACEMENT in name:
        raise no("has no damaged characters")
    return name
