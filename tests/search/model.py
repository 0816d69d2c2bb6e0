"""The matching rules in plain Python, without tokens: what the index has to agree with."""

import unicodedata

__all__ = ["matches", "parts"]


def _bare(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text)).casefold()
    kept = "".join(c for c in apart if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", kept).replace("ı", "i")


def _script(character: str) -> str:
    if character.isascii():
        return "word" if character.isalnum() else ""
    name = unicodedata.name(character, "")
    if name.startswith(("CJK UNIFIED", "HIRAGANA", "KATAKANA", "HANGUL")):
        return "dense"
    category = unicodedata.category(character)
    return "word" if category[0] in "LM" or category in ("Nd", "Nl", "No") else ""


def parts(text: str) -> list[tuple[str, str]]:
    """A text's runs of one kind: ("word" or "dense", characters)."""
    found: list[tuple[str, str]] = []
    before = ""
    for character in _bare(text):
        script = _script(character)
        if script and script == before:
            found[-1] = (script, found[-1][1] + character)
        elif script:
            found.append((script, character))
        before = script
    return found


def _alone(want: tuple[str, str], have: tuple[str, str]) -> bool:
    if want[0] != have[0]:
        return False
    if want[0] == "dense" or len(want[1]) > 2:
        return want[1] in have[1]
    return have[1].startswith(want[1]) if len(want[1]) == 2 else have[1] == want[1]


def _begins(want: tuple[str, str], have: tuple[str, str], whole: bool) -> bool:
    if want[0] == "word" and (whole or len(want[1]) == 1):
        return want == have
    return want[0] == have[0] and have[1].startswith(want[1])


def _ends(want: tuple[str, str], have: tuple[str, str]) -> bool:
    return want == have or (want[0] == have[0] == "dense" and have[1].endswith(want[1]))


def matches(term: str, text: str, whole: bool = False) -> bool:
    """Whether a term occurs in a text; `whole`: a quote ends it."""
    want, have = parts(term), parts(text)
    if len(want) == 1:
        return any(_alone(want[0], run) for run in have)
    for at in range(len(have) - len(want) + 1):
        run = have[at : at + len(want)]
        if _ends(want[0], run[0]) and want[1:-1] == run[1:-1] and _begins(want[-1], run[-1], whole):
            return True
    return False
