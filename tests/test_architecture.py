"""The house keeps to its plan: the tables of ARCHITECTURE.md, against what the modules import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "ipcchat"
MODULES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 400
MOST_MODULES = 18


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _names(cell: str) -> set[str]:
    return set(cell.replace("`", "").split())


def plan() -> dict[str, tuple[set[str], set[str]]]:
    """Package → what it may import of ours, and which libraries."""
    rows: dict[str, tuple[set[str], set[str]]] = {}
    lines = (ROOT / "ARCHITECTURE.md").read_text().splitlines()
    start = lines.index("| package | its one sentence | may import | libraries |")
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, _, allowed, libraries = _cells(line)
        rows[name.strip("`")] = (_names(allowed), _names(libraries))
    everything = {*rows, "__version__"}
    return {
        name: ((everything if allowed == {"all"} else allowed | {name, "__version__"}), libraries)
        for name, (allowed, libraries) in rows.items()
    }


def package(path: Path) -> str:
    """The row that a module belongs to; empty for the front door itself."""
    parts = path.relative_to(SOURCE).parts
    name = parts[0] if len(parts) > 1 else path.stem
    return "" if name.startswith("__") else name


def imports(path: Path) -> Iterator[str]:
    """The full names of what a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_has_its_row() -> None:
    assert {package(path) for path in MODULES} - {""} == set(plan())


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if package(path)],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_a_module_imports_what_its_row_allows(path: Path) -> None:
    own, libraries = plan()[package(path)]
    for name in imports(path):
        first, _, rest = name.partition(".")
        if first == "ipcchat":
            assert rest.partition(".")[0] in own, f"{path.name} imports {name}"
        elif first not in sys.stdlib_module_names:
            assert first in libraries, f"{path.name} imports {name}"


def test_what_the_table_allows_is_needed() -> None:
    used: dict[str, set[str]] = {name: set() for name in plan()}
    for path in MODULES:
        if package(path):
            for name in imports(path):
                first, _, rest = name.partition(".")
                used[package(path)].add(rest.partition(".")[0] if first == "ipcchat" else first)
    for name, (own, libraries) in plan().items():
        allowed = (own - {name, "__version__"} if name != "cli" else set()) | libraries
        assert allowed <= used[name], f"{name}: {allowed - used[name]} is never imported"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize(
    "folder", [path for path in SOURCE.iterdir() if (path / "__init__.py").exists()]
)
def test_a_package_is_small(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.stem != "__init__"]) <= MOST_MODULES


@pytest.mark.parametrize(
    "module", ["ipcchat.wire.messages", "ipcchat.wire.protocol", "ipcchat.text"]
)
def test_a_low_module_loads_nothing_above_it(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = set(loaded.stdout.split())
    above = {"asyncio", "socket", "sqlite3", "prompt_toolkit", "cryptography", "ipcchat.client"}
    assert not names & above


def test_nothing_blocks_the_way_to_sans_io() -> None:
    for path in (SOURCE / "wire").glob("*.py"):
        assert not {name.partition(".")[0] for name in imports(path)} & {"asyncio", "socket", "os"}
