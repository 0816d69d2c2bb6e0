"""`paths`: the XDG variables decide, and a shared directory is never trusted."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from ipcchat import paths
from ipcchat.errors import FileError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATA", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_xdg_variables_decide(home: Path) -> None:
    assert paths.data_dir() == home / "data" / "ipcchat"
    assert paths.state_dir() == home / "state" / "ipcchat"
    assert paths.config_dirs() == [home / "config" / "ipcchat", Path("/etc/ipcchat")]
    assert paths.config_dirs({"XDG_CONFIG_HOME": "/else"})[0] == Path("/else/ipcchat")
    assert paths.runtime_dir() == home / "run" / "ipcchat"
    assert sorted(path.name for path in home.iterdir()) == ["run"]


def test_a_relative_variable_does_not_count() -> None:
    assert paths.config_dirs({"XDG_CONFIG_HOME": "here"})[0].is_absolute()
    assert paths.config_dirs({"XDG_CONFIG_HOME": "here"})[0].parent.name != "here"


def test_private_directories(home: Path) -> None:
    assert mode(paths.private_dir(home / "a" / "b")) == 0o700
    assert paths.private_dir(home / "a" / "b") == home / "a" / "b"
    (home / "file").touch()
    with pytest.raises(FileError, match=r"cannot make the directory .*file: file exists"):
        paths.private_dir(home / "file" / "x")
    with pytest.raises(FileError, match="file: file exists"):
        paths.private_dir(home / "file")


def test_the_runtime_directory_is_private(home: Path) -> None:
    assert mode(paths.runtime_dir()) == 0o700
    (home / "run" / "ipcchat").chmod(0o755)
    assert mode(paths.runtime_dir()) == 0o700


@pytest.mark.parametrize("value", ["", "relative", "/does/not/exist"])
def test_without_a_runtime_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    path = paths.runtime_dir()
    assert path == home / f"ipcchat-{os.getuid()}"
    assert mode(path) == 0o700


def test_what_another_made_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    (home / "theirs").mkdir()
    (home / f"ipcchat-{os.getuid()}").symlink_to(home / "theirs")
    with pytest.raises(FileError, match="not a directory of yours") as caught:
        paths.runtime_dir()
    assert "XDG_RUNTIME_DIR" in caught.value.hint


def test_the_control_socket_follows_from_the_data(home: Path) -> None:
    one = paths.control_path(home / "one")
    assert one.parent == home / "run" / "ipcchat"
    assert one == paths.control_path(str(home / "x" / ".." / "one"))
    assert len({one, paths.control_path(home / "two"), paths.control_path(":memory:")}) == 3
    (home / "link").symlink_to(home / "one")
    assert paths.control_path(home / "link") == one


def test_a_socket_path_is_short(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = home / ("x" * 90)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(paths, "_SHORT", Path(short))
        path = paths.control_path(home / ("y" * 200))
        assert len(os.fsencode(path)) <= paths.MAX_SOCKET_PATH
        assert path.parent == Path(short) / f"ipcchat-{os.getuid()}"
        assert mode(path.parent) == 0o700


def test_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert paths.login_name() == "ann"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert paths.login_name() == ""
