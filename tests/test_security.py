"""SECURITY.md: every row of the threat table is held by tests that exist and are run."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from ipcchat.server.requests import TABLE
from ipcchat.settings import ServerSettings, rows

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()
HEAD = "| attacker | means | answer | test |"


def threats() -> list[list[str]]:
    """The rows of the table, as their cells."""
    _, _, rest = PAGE.partition(HEAD + "\n")
    found = []
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found


@cache
def named_in(path: Path) -> frozenset[str]:
    """The names of a file's tests that are not skipped."""
    return frozenset(
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not any("skip" in ast.unparse(mark) for mark in node.decorator_list)
    )


def test_the_table_is_there() -> None:
    assert len(threats()) >= 30
    assert len({(who, means) for who, means, *_ in threats()}) == len(threats())


@pytest.mark.parametrize("row", threats(), ids=lambda row: f"{row[0]}: {row[1]}")
def test_each_threat_has_an_answer_and_tests(row: list[str]) -> None:
    attacker, means, answer, named = row
    assert attacker and means and answer
    for name in named.split(", "):
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), path
        assert test in named_in(ROOT / path), name


def test_each_attack_that_is_to_be_refused_has_a_row() -> None:
    """What must be shown to be refused, by the names of its tests."""
    table = " ".join(row[3] for row in threats())
    for word in (
        *("man_in_the_middle", "changed_certificate", "out_of_its_time", "foreign_authority"),
        *("downgrade", "replayed_login", "relayed_login", "nick_of_another", "invite_that_is_none"),
        "claimed_role",
    ):
        assert word in table, word


def test_what_it_says_of_settings_and_flags_is_so() -> None:
    known = {row.name: row for row in rows(ServerSettings)}
    for name in ("plaintext", "tls_cert", "tls_key"):
        assert "--" + name.replace("_", "-") in PAGE and known[name].flag
    assert "plaintext_anywhere" in PAGE and not known["plaintext_anywhere"].flag
    assert known["access"].default == "invite" and not known["plaintext"].default
    assert "(docs/settings.md)" in PAGE


def test_vulnerabilities_are_reported_privately() -> None:
    _, _, how = PAGE.partition("## How to report a vulnerability")
    assert re.search(r"Privately.*Security.*Advisories", how, re.DOTALL)


def test_operators_have_requests_and_members_too() -> None:
    """The table that the page speaks of knows both roles, and no third."""
    assert {row.role for row in TABLE.values()} == {"member", "operator"}
