"""One table of keys and one of commands: every row is bound, done and explained."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding.key_bindings import Binding
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput

from ipcchat.actions.question import Question
from ipcchat.actions.table import ACTIONS
from ipcchat.address import parse_address
from ipcchat.client.link import Credentials
from ipcchat.client.session import Session
from ipcchat.commands import COMMANDS
from ipcchat.settings import ClientSettings
from ipcchat.tui.app import made
from ipcchat.tui.keymap import parse_key
from ipcchat.tui.keys import KEYS, Key, bindings, help_table
from ipcchat.tui.screen import ChatScreen

READLINE = ("c-a", "c-e", "c-k", "c-u", "c-w", "c-y", "c-r", "c-b", "c-f", "c-t", "home", "end")
"""Keys of readline's that are to stay as they are."""


@contextmanager
def screen() -> Iterator[ChatScreen]:
    """A screen that was not started: no server, no terminal."""
    settings = ClientSettings(server="127.0.0.1:9", plaintext=True)
    session = Session(parse_address(settings.server), Credentials("ann", "0" * 32), settings)
    with create_pipe_input() as pipe:
        yield made(session, settings, input=pipe, output=DummyOutput())


def pressed(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys as prompt_toolkit reports them: Enter is `c-m`, Tab `c-i`."""
    same = {"enter": "c-m", "tab": "c-i"}
    return tuple(same.get(key, key) for key in keys)


def bound(binding: Binding) -> tuple[str, ...]:
    return tuple(key.value if isinstance(key, Keys) else key for key in binding.keys)


def press(shown: ChatScreen, key: str) -> None:
    """A key, while a question is asked."""
    assert shown.panes.mode is not None
    shown.panes.mode.press(key, key)


@pytest.mark.asyncio
async def test_every_key_is_bound_and_nothing_else() -> None:
    with screen() as shown:
        found = [bound(binding) for binding in bindings(KEYS, shown).bindings]
    rows = [pressed(keys) for row in KEYS for keys in row.keys]
    answers: list[tuple[str, ...]] = [("<any>",), ("escape",), ("c-m",), ("c-c",)]
    pastes: list[tuple[str, ...]] = [("<bracketed-paste>",)] * 2
    assert sorted(found) == sorted(rows + answers + pastes)


def test_no_key_means_two_things() -> None:
    seen = [(pressed(keys), row.when) for row in KEYS for keys in row.keys]
    assert len(seen) == len(set(seen))


def test_readlines_keys_stay() -> None:
    taken = {pressed(keys)[0] for row in KEYS for keys in row.keys if len(keys) == 1}
    assert not taken & set(READLINE)


def test_terminals_can_send_every_key() -> None:
    found = [keys if isinstance(keys, tuple) else (keys,) for keys in ANSI_SEQUENCES.values()]
    sent = {key.value for keys in found for key in keys}
    for row in KEYS:
        for keys in row.keys:
            for key in pressed(keys):
                assert len(key) == 1 or key in sent, row


@pytest.mark.parametrize("row", KEYS, ids=lambda row: row.shown)
def test_every_row_explains_itself(row: Key) -> None:
    assert row.help
    assert [parse_key(name) for name in row.shown.split(", ")] == list(row.keys)


def test_every_alt_key_has_another_way() -> None:
    for row in KEYS:
        if any(keys[0] == "escape" for keys in row.keys if len(keys) > 1):
            assert any(keys[0] != "escape" for keys in row.keys) or "(or /" in row.help


def test_the_table_for_readers_has_every_row_once() -> None:
    lines = help_table().splitlines()
    assert lines[:2] == ["| key | what it does | name |", "|---|---|---|"]
    numbers = [row for row in KEYS if row.deed.startswith("room-")]
    assert len(numbers) == 9
    others = [f"| {row.shown} | {row.help} | `{row.deed}` |" for row in KEYS if row not in numbers]
    shown = lines[2:]
    assert len(shown) == len(others) + 1
    assert [line for line in shown if "Alt+1 … Alt+9" not in line] == others
    # The numbers stand where they stand among the keys.
    place = KEYS.index(numbers[0])
    assert shown[place].startswith("| Alt+1 … Alt+9 | ")


def test_every_command_has_an_action_and_no_action_lacks_a_command() -> None:
    assert sorted(ACTIONS) == sorted(row.name for row in COMMANDS)


@pytest.mark.asyncio
async def test_keys_rest_while_a_question_is_asked() -> None:
    with screen() as shown:
        made = bindings(KEYS, shown)
        answers: list[str] = []
        shown.ask(Question("well?", {"y": lambda: answers.append("y")}))
        awake = {bound(binding) for binding in made.bindings if binding.filter()}
        assert awake == {("<any>",), ("escape",), ("c-m",), ("c-c",), ("<bracketed-paste>",)}
        press(shown, "Y")
        assert answers == ["y"]
        awake = {bound(binding) for binding in made.bindings if binding.filter()}
        assert ("c-m",) in awake
        assert ("<any>",) not in awake


@pytest.mark.asyncio
async def test_some_keys_wait_for_an_empty_input() -> None:
    with screen() as shown:
        made = bindings(KEYS, shown)

        def awake() -> set[tuple[str, ...]]:
            return {bound(binding) for binding in made.bindings if binding.filter()}

        assert ("c-d",) in awake()
        assert ("delete",) not in awake()  # nothing has failed
        shown.editor.insert("a")
        assert ("c-d",) not in awake()  # it deletes a character then


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["y", "n", "\x1b", "\r", "\x03", "q"])
async def test_any_key_ends_a_question(key: str) -> None:
    with screen() as shown:
        done: list[str] = []
        yes = {"y": lambda: done.append("y")}
        shown.ask(Question("well?", yes, lambda: done.append("otherwise")))
        press(shown, key)
        assert done == ["y" if key == "y" else "otherwise"]
        assert shown.panes.mode is None
