"""The input as rows: nothing is lost, no row is too wide, and the cursor is where one types."""

from hypothesis import given
from hypothesis import strategies as st
from tests.glass import cells
from wcwidth import iter_graphemes

from ipcchat.paint.cells import columns
from ipcchat.paint.input import InputRows, lay
from ipcchat.paint.theme import STYLES

PIECES = [*"ab c", "\n", "\t", "\x01", "\x7f", "日", "é", "e\u0301", "🇩🇪", "❤️", "שלום", "हिन्दी"]
PIECES += ["👨\u200d👩\u200d👧\u200d👦", "👍🏽", "\u0301", "\u200d", "\u200b", "word " * 5]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
PROMPTS = st.sampled_from(["> ", "", "(history) 日本: "])
WIDTHS = st.integers(1, 60)


def typed(laid: InputRows, prompt: str, width: int) -> list[str]:
    """The rows without prompt and indent."""
    indent = columns(prompt) if columns(prompt) + 4 <= width else 0
    shown: list[str] = []
    for index, one in enumerate(laid.rows):
        text = one.text
        head = prompt if index == 0 and indent else " " * indent
        assert text.startswith(head)
        shown.append(text[len(head) :])
    return shown


def as_shown(text: str) -> str:
    """What becomes of a text, its rows aside: controls and what can't be seen have a sign."""
    made: list[str] = []
    for cluster in iter_graphemes(text):
        if cluster == "\t":
            made.append("    ")
        elif cluster < " " or cluster == "\x7f":
            made.append("" if cluster in "\r\n" else "^" + chr(ord(cluster) ^ 64))
        elif columns(cluster):
            made.append(cluster)
        else:
            made.append("\ufffd")
    return "".join(made)


@given(PROMPTS, TEXTS, WIDTHS)
def test_nothing_is_lost(prompt: str, text: str, width: int) -> None:
    rows = typed(lay(prompt, text, 0, width), prompt, width)
    assert "".join(rows) == as_shown(text)


@given(PROMPTS, TEXTS, WIDTHS)
def test_no_row_is_wider_than_the_screen(prompt: str, text: str, width: int) -> None:
    for one in lay(prompt, text, len(text), width).rows:
        # What is itself wider than the place it has stands alone.
        alone = sum(cluster != " " for cluster, _ in cells(one).values()) <= 4
        assert one.width <= width or (alone and width < 4)


@given(PROMPTS, TEXTS, WIDTHS, st.data())
def test_the_cursor_is_before_its_character(
    prompt: str, text: str, width: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(text)))
    laid = lay(prompt, text, index, width)
    column, line = laid.cursor
    assert 0 <= line < len(laid.rows)
    indent = columns(prompt) if columns(prompt) + 4 <= width else 0
    assert column >= indent
    # On the end of a line that fills its row it is one further.
    full = text[index : index + 1] == "\n"
    assert column < max(width, indent + 1) + full
    # The cluster that the cursor is in begins there; the rows before hold what is before.
    start = 0
    for cluster in iter_graphemes(text):
        if start + len(cluster) > index:
            break
        start += len(cluster)
    before = columns("".join(typed(laid, prompt, width)[:line])) + column - indent
    assert before == columns(as_shown(text[:start]))


@given(TEXTS, WIDTHS, st.data())
def test_typing_moves_nothing_that_stands_before(
    text: str, width: int, data: st.DataObject
) -> None:
    more = data.draw(st.sampled_from(["a", "日", " ", "\n", "word"]))
    before = lay("> ", text, len(text), width).rows
    after = lay("> ", text + more, len(text) + len(more), width).rows
    assert after[: len(before) - 1] == before[:-1]
    assert after[len(before) - 1].text.startswith(before[-1].text)


@given(TEXTS, WIDTHS, st.integers(1, 8), st.integers(0, 40), st.data())
def test_the_window_has_the_cursors_row(
    text: str, width: int, height: int, first: int, data: st.DataObject
) -> None:
    laid = lay("> ", text, data.draw(st.integers(0, len(text))), width)
    line = laid.cursor[1]
    top, shown = laid.window(height, first)
    assert shown == laid.rows[top : top + height]
    assert len(shown) == min(height, len(laid.rows))
    assert top <= line < top + len(shown)
    # It moves no further than it must.
    if first <= line < first + height <= len(laid.rows):
        assert top == first


@given(st.text("ab 日\n", max_size=40), st.integers(8, 30), st.data())
def test_what_is_selected_stands_out(text: str, width: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    laid = lay("> ", text, start, width, (start, end))
    marked = [part for one in laid.rows for style, part in one.parts if style == "selected"]
    assert "".join(marked) == text[start:end].replace("\n", "")
    assert {style for one in laid.rows for style, _ in one.parts} <= {"", *STYLES}


def test_what_is_there_to_see() -> None:
    laid = lay("> ", "one two\nthree", 8, 8)
    assert [one.text for one in laid.rows] == ["> one tw", "  o", "  three"]
    assert laid.cursor == (2, 2)
    assert [one.text for one in lay("> ", "\x01\t日", 0, 20).rows] == ["> ^A    日"]
    full = lay("> ", "abcdef", 6, 8)  # the cursor needs a column, too
    assert [one.text for one in full.rows] == ["> abcdef", "  "]
    assert full.cursor == (2, 1)
