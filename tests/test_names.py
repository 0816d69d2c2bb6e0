"""`names`: what is one name, what looks like another, and which scripts go together."""

import importlib.resources
import json
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ipcchat import names, text
from ipcchat.errors import TextError
from ipcchat.names import check_nick, check_room, check_scripts, key, skeleton


@st.composite
def allowed_names(draw: st.DrawFn) -> str:
    """Names that `text.check_nick` accepts, of any script, with what is awkward in them."""
    awkward = st.sampled_from(
        "aIl10Oß\u0130ςΣſﬁ①²½Ⅳ｡ｶﾞ가ᄀ々ー٣۳३❤🦊👩🔬🏴\u200d\ufe0f\u0301\u0345\u00b4\U0001fae9"
    )
    chars = st.one_of(awkward, st.characters(codec="utf-8"))
    made = text.safe_nick(draw(st.text(chars, min_size=1, max_size=12)), "")
    assume(made)
    return made


def legal(name: str) -> bool:
    try:
        check_scripts(name)
    except TextError:
        return False
    return True


# --- keys ---------------------------------------------------------------------------------

SAME = [
    ("Ann", "aNN"),
    ("straße", "STRASSE"),
    ("ΣΟΦΟΣ", "σοφος"),
    ("ΣΟΦΟΣ", "σοφοσ"),
    ("Zoe\u0308", "ZOË"),
    ("ann", "ａｎｎ"),
    ("カナ", "ｶﾅ"),
    ("ガ", "ｶﾞ"),
    ("ﬁn", "fin"),
    ("Ⅳ", "iv"),
    ("𝓪nn", "ann"),
    ("①", "1"),
    ("❤\ufe0f", "❤"),
    ("가", "\u1100\u1161"),
    ("Привет", "ПРИВЕТ"),
    ("#Lab", "#lab"),
]
OTHER = [
    ("ann", "anne"),
    ("#lab", "lab"),
    ("e", "é"),
    ("раураl", "paypal"),
    ("O", "0"),
    ("🦊", "🐺"),
    ("👍🏽", "👍"),
    ("かな", "カナ"),
    ("می\u200cخواهم", "میخواهم"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_variants_are_one_name(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_names_have_other_keys(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_keys_are_those_of_the_precis_profile() -> None:
    from precis_i18n import get_profile

    profile = get_profile("NicknameCaseMapped:CaseFold")
    for name in (
        "Ann",
        "Zoë",
        "ＡＮＮ",
        "straße",
        "Ⅳ",
        "Ольга",
        "李雷",
        "علی",
        "カナ",
        "🦊fox",
        "o'neil",
    ):
        assert key(name) == profile.enforce(name)


@given(allowed_names())
@example("a\u00b4")
@example("👩🏽\u200d🔬")
@example("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f")
@example("\U0001fae9")
@settings(max_examples=1000)
def test_every_allowed_name_has_a_key_and_a_skeleton(name: str) -> None:
    for function in (key, skeleton):
        made = function(name)
        assert made
        assert function(made) == made == function(name)
        made.encode()


@given(allowed_names())
@settings(max_examples=500)
def test_a_key_takes_off_case_width_and_composition(name: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert key(unicodedata.normalize(form, name)) == key(name)
    assert key(name.casefold()) == key(text.fold(name)) == key(name)
    assert key("#" + name) == "#" + key(name) or " " in key(name)


def test_each_code_point_comes_to_rest() -> None:
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.decomposition(char) or char.casefold() != char or char.lower() != char:
            for function in (key, skeleton):
                assert function(function(char)) == function(char), hex(code)


# --- look-alikes --------------------------------------------------------------------------

ALIKE = [
    ("paypal", "раураl"),
    ("bob", "b0b"),
    ("BOB", "b0b"),
    ("Bob", "BOB"),
    ("Ian", "lan"),
    ("al", "a1"),
    ("al", "a|"),
    ("max", "rnax"),
    ("Max", "rnax"),
    ("ann", "аnn"),
    ("COCA", "СОСА"),
    ("oo", "οо"),
    ("ann", "ａｎｎ"),
    ("ann", "𝐚𝐧𝐧"),
    ("エース", "工ース"),
    ("一", "ー"),
    ("ｴｰｽ", "工ース"),
    ("a-b", "a–b"),
    ("o'neil", "o’neil"),
    ("bob", "b٥b"),
    ("ø", "o\u0338"),
    ("Андрей", "Андреѝ"),
    ("❤", "❤\ufe0f"),
    ("می\u200cخواهم", "میخواهم"),
    ("#lab", "#1ab"),
]
UNLIKE = [
    ("ann", "anne"),
    ("ann", "anm"),
    ("ian", "lan"),
    ("e", "é"),
    ("w", "vv"),
    ("a-b", "a_b"),
    ("bob2", "bob3"),
    ("田中", "田仲"),
    ("かな", "カナ"),
    ("🦊", "🐺"),
    ("Ольга", "Олег"),
    ("#lab", "lab"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_look_alikes_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_other_names_have_other_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_every_pair_of_the_data_is_alike() -> None:
    data = importlib.resources.files("confusable_homoglyphs").joinpath("confusables.json")
    for char, others in json.loads(data.read_bytes()).items():
        for other in others:
            pair = char.strip("\u200e"), other["c"].strip("\u200e")
            if all(unicodedata.is_normalized("NFC", one) for one in pair):  # as names are
                assert skeleton(pair[0]) == skeleton(pair[1]), pair


# --- scripts ------------------------------------------------------------------------------

ONE_SCRIPT = {
    "Latin": "Zoë",
    "Vietnamese": "Nguyễn",
    "Cyrillic": "Ольга",
    "Greek": "Σοφία",
    "Arabic": "علی",
    "Arabic with ASCII digits": "علی7",
    "Arabic with its digits": "علی٧",
    "Persian with its digits": "علی۷",
    "Thaana with Arabic digits": "ދިވެހި٣",
    "Hebrew": "דוד",
    "Hindi with its digits": "राम३",
    "Thai": "สมชาย",
    "Armenian": "Անի",
    "Kanji and hiragana": "田中さん",
    "Kanji, kana and Latin": "Tanaka田中さんスーパー",
    "Katakana with its mark": "スーパー",
    "Halfwidth katakana": "ｽｰﾊﾟｰ",
    "Katakana with a dot": "ジョン・スミス",
    "Iteration mark": "佐々木",
    "Closing mark": "〆木",
    "Rare kanji": "𠮷野",
    "Korean": "김철수",
    "Korean with Latin": "Kim김철수",
    "Korean with hanja": "김金kim",
    "Chinese": "李雷",
    "Chinese with Latin": "李雷Lee",
    "Zhuyin": "ㄅㄆㄇ",
    "Zhuyin with hanzi and Latin": "王ㄨㄤˊwang",
    "Fullwidth Latin": "Ａnn",
    "Emoji": "🦊",
    "Emoji and Latin": "🦊fox",
    "Emoji and Cyrillic": "Ольга❤\ufe0f🦊",
    "Numero sign": "Ольга№1",
    "Trade mark": "Ольга™",
    "Punctuation": "Ольга-'.!",
    "ASCII": "o'neil_42",
}
MIXED = {
    "Cyrillic in Latin": ("pаypal", "Latin and Cyrillic"),
    "Latin in Cyrillic": ("Ольгa", "Cyrillic and Latin"),
    "Greek in Latin": ("pαul", "Latin and Greek"),
    "Greek and Cyrillic": ("Ольгα", "Cyrillic and Greek"),
    "Armenian in Latin": ("bօb", "Latin and Armenian"),
    "Cherokee in Latin": ("ᎪBC", "Cherokee and Latin"),
    "Arabic and Latin": ("علی-ali", "Arabic and Latin"),
    "Arabic digit in Latin": ("bob٣", "Latin and Arabic"),
    "Japanese and Cyrillic": ("田中Ольга", "Han and Cyrillic"),
    "Japanese and Korean": ("さん김", "Hiragana and Hangul"),
    "Zhuyin and kana": ("ㄅさ", "Bopomofo and Hiragana"),
    "Zhuyin and Korean": ("ㄅ김", "Bopomofo and Hangul"),
    "Kana mark in Cyrillic": ("Ольгаー", "Cyrillic and Hiragana"),
    "Mathematical letter in Cyrillic": ("Ольг𝐚", "Cyrillic and Latin"),
    "Several words": ("ᐁx", "Canadian Aboriginal and Latin"),
}
DIGITS = {
    "ASCII and Arabic": ("علی1٢", "1 and ١"),
    "Arabic and Persian": ("علی٢۲", "١ and ۱"),
    "ASCII and Devanagari": ("राम1३", "1 and १"),
    "ASCII and fullwidth": ("x1２", "1 and １"),
    "ASCII and mathematical": ("x1𝟐", "1 and 𝟏"),
}


@pytest.mark.parametrize("name", ONE_SCRIPT.values(), ids=ONE_SCRIPT)
def test_what_is_written_together_is_allowed(name: str) -> None:
    assert check_nick(name) == text.check_nick(name)
    assert check_room(name) == "#" + check_nick(name)


@pytest.mark.parametrize(("name", "words"), [*MIXED.values(), *DIGITS.values()])
def test_mixes_are_refused(name: str, words: str) -> None:
    for check, typed in ((check_nick, name), (check_room, name), (check_room, "#" + name)):
        with pytest.raises(TextError, match=f"this one mixes {re.escape(words)}$") as caught:
            check(typed)
        assert caught.value.code == "bad_name"
        assert str(caught.value).isprintable()
    assert text.check_nick(name)
    assert key(name) and skeleton(name)


@pytest.mark.parametrize("new", ["\U0001fae9", "\U0001faff"])
def test_emoji_newer_than_the_table_are_neutral(new: str) -> None:
    for name in ONE_SCRIPT.values():
        assert legal(name + new)


def test_the_planes_of_han_are_han() -> None:
    assert legal("\U00031350野") and not legal("я\U00031350")


def test_what_text_refuses_stays_refused() -> None:
    for name in ("", "a b", "a@b", "_x", "x" * 33, "a\u202eb"):
        with pytest.raises(TextError, match="a nick"):
            check_nick(name)
    with pytest.raises(TextError, match="a room's name"):
        check_room("#a/b")


def test_most_letters_of_latin_and_of_cyrillic_do_not_mix() -> None:
    """Said with the standard library's names of the characters, not with the table's."""
    for code in range(0x400, 0x460):
        name = unicodedata.name(chr(code))
        assert name.startswith("CYRILLIC") and not legal("a" + chr(code)) and legal("1" + chr(code))
    for code in (*range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0x100, 0x180)):
        assert unicodedata.name(chr(code)).startswith("LATIN")
        assert legal("a" + chr(code)) and legal("田" + chr(code)) and not legal("я" + chr(code))


@given(allowed_names(), allowed_names())
@settings(max_examples=500)
def test_scripts_are_judged_whatever_the_order(one: str, other: str) -> None:
    assert legal(one + other) == legal(other + one)
    if legal(one + other):
        assert legal(one) and legal(other)
    assert legal(one + "🦊-") == legal(one)


@given(allowed_names())
@settings(max_examples=500)
def test_a_name_is_checked_or_refused_with_a_sentence(name: str) -> None:
    try:
        assert check_nick(name) == name
    except TextError as error:
        assert error.code == "bad_name"
        assert "\n" not in error.text


# --- what it costs ------------------------------------------------------------------------


def test_ascii_names_load_no_table() -> None:
    code = (
        "import sys; from ipcchat.names import check_nick, check_room, key;"
        "check_nick('ann'); check_room('lab'); key('#Lab');"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "ipcchat" in loaded
    assert not loaded & {"precis_i18n", "confusable_homoglyphs", "urllib3", "asyncio"}


def test_prepared_tables_are_loaded_once() -> None:
    names.prepare()
    tables = names._rules(), names._prototypes(), names._scripts()
    names.prepare()
    assert all(
        one is other
        for one, other in zip(
            tables, (names._rules(), names._prototypes(), names._scripts()), strict=True
        )
    )
