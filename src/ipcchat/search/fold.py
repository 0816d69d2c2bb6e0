"""Text as words that compare: one folding for what was said and for what is looked for.

    ASCII text            letters and digits are words, all else separates; this much the index's
                          tokenizer does by itself, so such text is stored as it is
    other text            compatibility forms, case and accents of Latin, Greek and Cyrillic fold
                          (NFKC, full case folding, combining diacritical marks dropped); marks of
                          other scripts are part of their word; format characters vanish
    Han, kana, Hangul     written without spaces, or with endings attached: a run of them becomes
                          its pairs and its last character (東京都: 東京 京都 都), so that any part
                          of it is a token, the beginning of one, or a phrase

A run is a word, or characters of the last kind that stand together.
"""

import re
import unicodedata

__all__ = ["fold", "grams", "is_dense", "runs"]

# Letters with a stroke or of two letters, which have no decomposition.
_LETTERS = {
    "ł": "l",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ı": "i",
    "ŧ": "t",
    "æ": "ae",
    "œ": "oe",
}
# Combining diacritical marks, and selectors of a glyph's variant.
_ACCENTS = (
    (0x300, 0x36F),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)
_DENSE = (
    "\u1100-\u11ff\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c"
    "\uac00-\ud7a3\ud7b0-\ud7fb\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U000323af"
)
_RUN = re.compile(f"[{_DENSE}]+|[^ {_DENSE}]+")
_IS_DENSE = re.compile(f"[{_DENSE}]")


class _Table(dict[int, str]):
    """What each character becomes; computed when it is first seen."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = "".join(map(_kept, _base(chr(code))))
        return folded


def _base(character: str) -> str:
    apart = unicodedata.normalize("NFKD", character).casefold()
    bare = "".join(c for c in unicodedata.normalize("NFKD", apart) if not _is_accent(c))
    return "".join(_LETTERS.get(c, c) for c in unicodedata.normalize("NFC", bare))


def _is_accent(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _ACCENTS)


def _kept(character: str) -> str:
    """A word's character, nothing (format characters), or a space."""
    category = unicodedata.category(character)
    if character.isalnum() or category.startswith("M"):
        return character
    return "" if category == "Cf" else " "


_TABLE = _Table()


def runs(text: str) -> list[str]:
    """The words and dense runs of a text, folded, in order."""
    return _RUN.findall(unicodedata.normalize("NFKC", text).translate(_TABLE))


def is_dense(run: str) -> bool:
    """Whether a run is of a script that is split into pairs."""
    return _IS_DENSE.match(run) is not None


def grams(run: str) -> list[str]:
    """The tokens of a dense run: its pairs, and its last character."""
    return [run[at : at + 2] for at in range(len(run))]


def fold(text: str) -> str:
    """The tokens of a text, with a space between them."""
    return " ".join(
        token for run in runs(text) for token in (grams(run) if is_dense(run) else (run,))
    )
