"""README and the other documents: their tables and examples, against the program."""

import ast
import re
from pathlib import Path

import pytest
from docs import picture
from tests.support import free_port

from ipcchat import __version__, commands, errors, text
from ipcchat.journal.sight import HIDDEN_ROOMS
from ipcchat.search.query import MOST_CHARACTERS, MOST_TERMS
from ipcchat.settings import ServerSettings
from ipcchat.tui import keys
from ipcchat.wire.messages import EVENTS, FEATURES, REQUESTS, Join, Presence, Room

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
SINCE_THEN = {*Join.__struct_fields__, *Presence.__struct_fields__, *Room.__struct_fields__}
"""Fields of messages that had others before."""


def test_commands_and_keys_are_those_of_the_program() -> None:
    assert commands.help_table() in README
    assert keys.help_table() in README


def test_every_exit_code_is_explained() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", README, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == codes | {130, 143}


def test_limits_are_those_of_the_program() -> None:
    flat = " ".join(README.split())
    for value, unit in (
        (text.MAX_CHARS, "characters"),
        (text.MAX_BYTES, "bytes"),
        (text.MAX_LINES, "lines"),
        (text.MAX_NICK, "characters"),
        (ServerSettings().room_limit, "rooms"),
        (ServerSettings().max_clients, "connections"),
    ):
        assert f"{value:,} {unit}" in flat
    assert f"the name of a room {text.MAX_ROOM}, a topic {text.MAX_TOPIC}" in flat


def test_every_feature_is_explained() -> None:
    section = PROTOCOL.split("| feature | what it is |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
    assert tuple(name for name, _ in rows) == FEATURES
    told = {word for _, words in rows for word in re.findall(r"`(\w+)`", words)}
    known = {*REQUESTS, *EVENTS, *SINCE_THEN}
    assert told <= known
    assert {"direct", "room_invite", "room_uninvite", "away", "whois", "search", "marker"} <= told


def test_the_search_that_is_documented_is_that_of_the_program() -> None:
    flat = " ".join(PROTOCOL.split())
    assert f"at most {MOST_CHARACTERS} characters and {MOST_TERMS} words" in flat
    assert f"at most {MOST_TERMS} words" in README
    assert f"from {HIDDEN_ROOMS:,} up" in flat


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_examples_in_python_are_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        ast.parse(block)


def test_the_version_is_one() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_no_page_has_a_line_that_is_hard_to_read() -> None:
    for page in PAGES:
        for line in page.read_text().splitlines():
            assert len(line) <= 100 or line.startswith(("|", "→", "←")), f"{page.name}: {line}"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures of README are, as the screen looks now."""
    folder = tmp_path_factory.mktemp("pictures")
    picture.make(folder, free_port())
    return folder


@pytest.mark.parametrize("theme", picture.TERMINALS)
def test_the_picture_shows_the_screen(theme: str, pictures: Path) -> None:
    name = f"screen-{theme}.svg"
    kept = picture.timeless((ROOT / "docs" / name).read_text())
    now = picture.timeless((pictures / name).read_text())
    assert kept.splitlines() == now.splitlines(), "a stale picture: run ./dev docs"


@pytest.mark.parametrize("theme", picture.TERMINALS)
def test_the_picture_is_what_a_newcomer_has(theme: str) -> None:
    shown = (ROOT / "docs" / f"screen-{theme}.svg").read_text()
    assert "ann@localhost:" in shown
    assert "PLAIN!" not in shown
