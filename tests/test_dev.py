"""`./dev`: what a newcomer meets first."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEV = ROOT / "dev"
TOOLS = ("cat", "cksum", "dirname", "mkdir", "rm", "sh", "sleep")


def dev(*arguments: str, script: Path = DEV, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        env={**os.environ, "PYTHON": "", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def commands() -> set[str]:
    """The commands that the script knows: the names before each `)` of its last `case`."""
    block = DEV.read_text().rpartition("case $command in")[2]
    labels = re.findall(r"^    ([a-z |]+)\)", block, re.MULTILINE)
    return {name.strip() for label in labels for name in label.split("|")}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the shell's usual tools, and nothing that is or makes a Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree without an environment."""
    folder = tmp_path / "a tree"
    folder.mkdir()
    for path in (DEV, ROOT / "pyproject.toml"):
        shutil.copy(path, folder)
    return folder


def fake(folder: Path, name: str, text: str) -> None:
    """A program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_shell_can_read_it() -> None:
    done = subprocess.run(["sh", "-n", DEV], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("word", [(), ("help",), ("-h",), ("--help",)])
def test_help_names_every_command(word: tuple[str, ...]) -> None:
    done = dev(*word)
    assert (done.returncode, done.stderr) == (0, "")
    named = set(re.findall(r"^  ([a-z]+)(?: …)?   ", done.stdout, re.MULTILINE))
    assert named == commands()
    assert {"server", "client", "test", "check"} <= named


def test_an_unknown_command_is_answered_by_the_usage() -> None:
    done = dev("frobnicate")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == dev("help").stdout


def test_without_a_fit_python_it_says_what_to_install(tools: Path, tree: Path) -> None:
    # as 3.9 answers both to a check of its version and to anything else
    fake(tools, "python3", 'case "$*" in *version_info*) exit 1;; esac; echo "Python 3.9.2"')
    done = dev("test", script=tree / "dev", PATH=str(tools))
    assert (done.returncode, done.stdout) == (1, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("dev: preparing .venv")
    assert rest == ["dev: needs Python 3.11 or newer: install python3.11 (or uv)"]
    # nothing is left that would be in the way of the next try
    assert not (tree / ".venv.lock").exists()


def test_without_any_python_it_says_the_same(tools: Path, tree: Path) -> None:
    done = dev("server", script=tree / "dev", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.endswith("dev: needs Python 3.11 or newer: install python3.11 (or uv)\n")


def test_a_python_without_venv_is_said(tools: Path, tree: Path) -> None:
    fake(tools, "python3", 'case "$*" in *venv*) exit 1;; esac')
    done = dev("test", script=tree / "dev", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "dev: needs the venv module of python3: install python3-venv (or uv)"
    ]


def test_an_environment_that_cannot_be_made_shows_why(tools: Path, tree: Path) -> None:
    fake(tools, "python3", 'case "$*" in "-m venv"*) echo "no space"; exit 1;; esac')
    done = dev("test", script=tree / "dev", PATH=str(tools))
    assert done.returncode == 1
    assert "no space" in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1] == (
        "dev: the environment could not be made; the above is in .venv.log"
    )
    assert "no space" in (tree / ".venv.log").read_text()


def test_an_environment_is_made_once(tools: Path, tree: Path) -> None:
    fake(
        tools,
        "python3",
        # `python3 -m venv --clear PLACE` makes a Python that says what it is asked to do
        'case "$*" in "-m venv"*) mkdir -p "$4/bin"; cat >"$4/bin/python" <<END\n'
        "#!/bin/sh\n"
        'echo "did: \\$*"\n'
        "END\n"
        'chmod +x "$4/bin/python";; esac',
    )
    (tools / "chmod").symlink_to(shutil.which("chmod") or "")
    first = dev("python", "-c", "two words", script=tree / "dev", PATH=str(tools))
    assert first.returncode == 0, first.stderr
    assert first.stdout == "did: -c two words\n"
    assert "preparing" in first.stderr
    again = dev("client", "lab", script=tree / "dev", PATH=str(tools))
    assert (again.stdout, again.stderr) == ("did: -m ipcchat client lab\n", "")
    with (tree / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert "preparing" in dev("test", script=tree / "dev", PATH=str(tools)).stderr


def test_a_lock_of_a_process_that_is_gone_is_taken(tools: Path, tree: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tree / ".venv.lock").mkdir()
    (tree / ".venv.lock" / "pid").write_text(f"{gone.pid}\n")
    done = dev("test", script=tree / "dev", PATH=str(tools))
    assert "install python3.11" in done.stderr
    assert not (tree / ".venv.lock").exists()
