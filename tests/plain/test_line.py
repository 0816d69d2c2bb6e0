"""The typed line: what is shown equals the text, whatever the keys."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plain.spoken import said

from ipcchat.plain.line import PROMPT, TypedLine
from ipcchat.plain.strokes import Stroke, Strokes, pasted

MARK = "\u0301"
PIECES = st.sampled_from(
    [
        "a",
        "word",
        " ",
        "日",
        "本語",
        "🎉",
        "e\u0301",
        MARK,
        "\n",
        "👨‍👩‍👧",
        "🇩🇪",
        "❤️",
        "क्षि",
        "x" * 9,
    ]
)
DEEDS = st.one_of(
    PIECES,
    st.sampled_from(["<back>", "<word>", "<kill>", "<again>", "<said>", "<end>"]),
    st.builds("<become>{}".format, st.lists(PIECES.filter(MARK.__ne__), max_size=4).map("".join)),
)


def after(line: TypedLine, deed: str) -> str:
    """What a deed writes."""
    if deed == "<back>":
        return line.backspace()
    if deed == "<word>":
        return line.word()
    if deed == "<kill>":
        return line.become("")
    if deed == "<again>":
        return line.hide() + line.show()
    if deed == "<said>":
        return line.hide() + "ann: hi\n" + line.show()
    if deed == "<end>":
        return line.end() + line.show()
    if deed.startswith("<become>"):
        return line.become(deed.removeprefix("<become>"))
    return line.insert(deed)


def standing(stream: str, text: str, columns: int) -> str:
    """What stands where the prompt and so many lines of text must be."""
    lines = said(stream, columns).split("\n")
    return "\n".join(lines[-(text.count("\n") + 1) :])


@settings(max_examples=300)
@given(st.lists(DEEDS, max_size=20), st.integers(16, 40))
def test_what_is_shown_is_the_text(deeds: list[str], columns: int) -> None:
    line = TypedLine(columns)
    stream = line.show()
    for deed in deeds:
        if deed.startswith(MARK) and not line.text[-1:].isalpha():
            continue  # nothing that it could stand on
        stream += after(line, deed)
        lines = standing(stream, line.text, columns).split("\n")
        wanted = f"{PROMPT}{line.text}".split("\n")
        if line.text.isascii():
            assert [row.rstrip() for row in lines] == [row.rstrip() for row in wanted]
        # A wide cluster that does not fit leaves a space at the end of its row.
        assert [row.replace(" ", "") for row in lines] == [row.replace(" ", "") for row in wanted]
    assert not set(stream) & {chr(code) for code in range(32) if chr(code) not in "\n\r\b"}


@given(st.lists(PIECES, max_size=12).map("".join))
def test_taking_back_every_cluster_leaves_nothing(text: str) -> None:
    line = TypedLine(200)
    line.show()
    line.insert(text)
    assert line.text == text
    while line.text:
        before = line.text
        line.backspace()
        assert before.startswith(line.text)
        assert len(line.text) < len(before)


def test_a_cluster_is_taken_back_at_its_width() -> None:
    line = TypedLine(40)
    line.show()
    line.insert("a日e\u0301")
    assert line.backspace() == "\b \b"
    assert line.backspace() == "\b\b  \b\b"
    assert line.backspace() == "\b \b"
    assert line.backspace() == ""


def test_what_reaches_over_a_row_is_written_on_a_fresh_one() -> None:
    line = TypedLine(10)
    assert line.show() == "> "
    assert line.insert("12345678") == "12345678 \r"
    assert line.insert("9") == "9"
    assert line.backspace() == "\b \b"
    assert line.backspace() == "\n> 1234567"


def test_where_terminals_disagree_nothing_is_taken_back() -> None:
    line = TypedLine(40)
    line.show()
    line.insert("hi 👨‍👩‍👧")
    assert line.backspace() == "\n> hi "


@given(
    st.lists(
        st.sampled_from(["\x1b[A", "\x1b[1;5D", "\x1bOP", "\x1b[200~", "\x1bx", "\x1b]0;t\x07"])
    ),
    st.data(),
)
def test_sequences_never_become_text_however_they_are_cut(
    keys: list[str], data: st.DataObject
) -> None:
    stream = "".join(f"{key}ä" for key in keys)
    strokes = Strokes()
    found: list[Stroke] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += strokes.feed(stream[:cut])
        stream = stream[cut:]
    assert "".join(stroke.text for stroke in found) == "ä" * len(keys)
    assert [stroke.name for stroke in found].count("up") == keys.count("\x1b[A")


@given(st.text())
def test_text_has_no_controls(chars: str) -> None:
    for stroke in Strokes().feed(chars):
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in stroke.text)


def test_an_esc_alone_is_a_key_after_a_while() -> None:
    strokes = Strokes()
    assert strokes.feed("\x1b") == []
    assert strokes.alone
    assert strokes.settle() == [Stroke("other")]
    assert strokes.feed("[A") == [Stroke("text", "[A")]


@pytest.mark.parametrize(
    ("chunk", "found"),
    [
        ("one\r", None),
        ("\rone", None),
        ("\r\rone\r", None),
        ("one\r\x04", None),
        ("a\rb", ("", "a\nb")),
        ("a\r\nb\r\n\r\n", ("", "a\nb")),
        ("\x15a\n\tb", ("\x15", "a\n\tb")),
        ("a\x1b[31m\nb\x07", ("", "a\nb")),
    ],
)
def test_a_paste_is_more_than_a_line_at_once(chunk: str, found: tuple[str, str] | None) -> None:
    assert pasted(chunk) == found
