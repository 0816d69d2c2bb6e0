"""Keys as people write them: what is understood, what is refused and why, and who has which."""

import string
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.key_binding import KeyBindings

from ipcchat.errors import SettingError
from ipcchat.text import visible
from ipcchat.tui.keymap import Keys, parse_key, rebound, shown


def clean(text: str) -> str:
    """The text as one line that a terminal may get."""
    return " ".join(visible(text).splitlines())


@pytest.mark.parametrize(
    ("text", "keys", "written"),
    [
        ("ctrl-n", ("c-n",), "Ctrl+N"),
        ("Ctrl+N", ("c-n",), "Ctrl+N"),
        ("c-n", ("c-n",), "Ctrl+N"),
        ("^N", ("c-n",), "Ctrl+N"),
        ("alt-a", ("escape", "a"), "Alt+A"),
        ("Alt+A", ("escape", "a"), "Alt+A"),
        ("M-x", ("escape", "x"), "Alt+X"),
        ("alt-shift-x", ("escape", "X"), "Alt+Shift+X"),
        ("alt-enter", ("escape", "enter"), "Alt+Enter"),
        ("alt-3", ("escape", "3"), "Alt+3"),
        ("alt-,", ("escape", ","), "Alt+Comma"),
        ("alt--", ("escape", "-"), "Alt+Minus"),
        ("alt-\u00c4", ("escape", "\u00e4"), "Alt+\u00c4"),
        ("alt-a\u0308", ("escape", "\u00e4"), "Alt+\u00c4"),
        ("alt-\u00df", ("escape", "\u00df"), "Alt+\u00df"),
        ("f5", ("f5",), "F5"),
        ("shift-tab", ("s-tab",), "Shift+Tab"),
        ("pgup", ("pageup",), "PgUp"),
        ("PageUp", ("pageup",), "PgUp"),
        ("pgdn", ("pagedown",), "PgDn"),
        ("home", ("home",), "Home"),
        ("ctrl-home", ("c-home",), "Ctrl+Home"),
        ("alt-home", ("escape", "home"), "Alt+Home"),
        ("ctrl-alt-shift-up", ("escape", "c-s-up"), "Ctrl+Alt+Shift+Up"),
        ("enter", ("enter",), "Enter"),
        ("ctrl-space", ("c-@",), "Ctrl+Space"),
        ("del", ("delete",), "Del"),
        ("delete", ("delete",), "Del"),
        ("esc", ("escape",), "Esc"),
        ("esc a", ("escape", "a"), "Alt+A"),
        ("esc esc", ("escape", "escape"), "Esc Esc"),
        ("ctrl-x ctrl-e", ("c-x", "c-e"), "Ctrl+X Ctrl+E"),
        ("ctrl-x  shift-e", ("c-x", "E"), "Ctrl+X Shift+E"),
    ],
)
def test_what_is_understood(text: str, keys: Keys, written: str) -> None:
    assert parse_key(text) == keys
    assert shown(keys) == written
    assert parse_key(written) == keys


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("", "missing", "ctrl-n"),
        ("a", "typing", "Alt+A"),
        ("A", "typing", "Alt+A"),
        ("space", "typing", "Alt+Space"),
        (",", "typing", "Alt+Comma"),
        ("ctrl-i", "Tab", ""),
        ("ctrl-m", "Enter", ""),
        ("ctrl-h", "Backspace", ""),
        ("ctrl-[", "Esc", ""),
        ("alt-[", "begin other keys", ""),
        ("alt-shift-o", "begin other keys", ""),
        ("esc tab", "Shift+Tab", ""),
        ("ctrl-shift-n", "same as Ctrl+N", ""),
        ("shift-f3", "F15", "f15"),
        ("shift-enter", "don't send", ""),
        ("ctrl-/", "don't send", "letter"),
        ("alt-shift-1", "another character", "without shift"),
        ("pgupp", "no key pgupp", "pgup"),
        ("foo-a", "no modifier foo", "/keys"),
        ("cmd-a", "no modifier cmd", "terminal"),
        ("ctrl-", "no key", ""),
        ("alt-\x1b", "no key is for", ""),
        ("\x1b[31m" * 100, "no key", ""),
    ],
)
def test_what_is_refused_and_why(text: str, why: str, hint: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_key(text)
    assert why in caught.value.text
    assert hint in caught.value.hint
    assert caught.value.text == clean(caught.value.text)
    assert len(caught.value.text) < 160


WORDS = st.builds(
    lambda modifiers, name: "-".join([*modifiers, name]),
    st.lists(st.sampled_from(["ctrl", "alt", "shift"]), unique=True),
    st.one_of(
        st.sampled_from([*string.printable, "pgup", "up", "tab", "enter", "esc", "f1", "f13"]),
        st.sampled_from(["home", "insert", "del", "space", "backspace", "comma", "plus"]),
        st.characters(),
    ),
)


@given(st.one_of(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), st.text()))
def test_what_is_shown_is_read_and_can_be_bound(text: str) -> None:
    try:
        keys = parse_key(text)
    except SettingError as error:
        assert error.text == clean(error.text)
        return
    assert parse_key(shown(keys)) == keys
    KeyBindings().add(*keys)(lambda event: None)


# --- who has which ------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    deed: str
    keys: tuple[Keys, ...]
    help: str = ""


TABLE = (
    Row("send", (("c-m",),)),
    Row("clear", (("c-c",),)),
    Row("next-room", (("c-n",),)),
    Row("next-activity", (("escape", "a"), ("f4",))),
    Row("editor", (("c-x", "c-e"),)),
    Row("help", (("f1",),)),
)


def held(**changes: str) -> dict[str, str]:
    """What differs from the table."""
    made = rebound(TABLE, changes)
    assert [row for row, _ in made] == [*TABLE]
    return {row.deed: ", ".join(map(shown, keys)) for row, keys in made if tuple(keys) != row.keys}


def test_without_changes_the_table_holds() -> None:
    assert held() == {}


def test_a_deed_gets_other_keys() -> None:
    assert held(help="alt-h, F1, f1") == {"help": "Alt+H, F1"}
    assert held(Next_Room="f2") == {"next-room": "F2"}


@pytest.mark.parametrize("none", ["", "none", " None "])
def test_a_deed_can_be_without_a_key(none: str) -> None:
    assert held(help=none) == {"help": ""}


def test_a_key_moves_to_whom_it_is_given() -> None:
    assert held(help="f4") == {"help": "F4", "next-activity": "Alt+A"}


def test_two_can_swap() -> None:
    assert held(help="ctrl-n", next_room="f1") == {"help": "Ctrl+N", "next-room": "F1"}


def test_enter_may_have_others_besides() -> None:
    assert held(send="enter, ctrl-o") == {"send": "Enter, Ctrl+O"}


@pytest.mark.parametrize(
    ("changes", "text", "hint"),
    [
        ({"nxt-room": "f2"}, "nothing is called nxt-room", "did you mean next-room?"),
        ({"zzz": "f2"}, "nothing is called zzz", "/keys"),
        ({"help": "f2", "editor": "f3, f2"}, "F2 is given to both help and editor", "one of"),
        ({"help": "f2", "HELP": "f3"}, "help is there twice", ""),
        ({"help": "f2,, f3"}, "help: a key is missing", "ctrl-n"),
        ({"help": "alt-,"}, "help: ", "called comma"),
        ({"help": "hom"}, "help: hom is not a key", "did you mean home?"),
        ({"send": ""}, "send can't be without Enter", "Enter"),
        ({"send": "f2"}, "send can't be without Enter", "Enter, F2"),
        ({"clear": "f2"}, "clear can't be without Ctrl+C", "Ctrl+C, F2"),
        ({"help": "enter"}, "Enter can't be given to help: it stays with send", ""),
        ({"help": "ctrl-c"}, "Ctrl+C can't be given to help: it stays with clear", ""),
        ({"help": "esc"}, "Esc can't be given to help", ""),
        ({"help": "ctrl-x"}, "Ctrl+X (help) begins Ctrl+X Ctrl+E (editor)", "another"),
        ({"help": "ctrl-c a"}, "Ctrl+C (clear) begins Ctrl+C A (help)", "another"),
        ({"help": "f2", "editor": "f2 f3"}, "F2 (help) begins F2 F3 (editor)", "another"),
    ],
)
def test_what_can_not_be(changes: dict[str, str], text: str, hint: str) -> None:
    with pytest.raises(SettingError) as caught:
        rebound(TABLE, changes)
    assert caught.value.text.startswith("keys: ")
    assert text in caught.value.text
    assert hint in caught.value.hint
