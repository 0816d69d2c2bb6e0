"""Profiles: one account each, private files, one interactive client at a time."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ipcchat.client.profile import open_profile
from ipcchat.errors import FileError, TextError


@pytest.fixture(autouse=True)
def _login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.paths.getpass.getuser", lambda: "ann")


def test_the_secret_stays(tmp_path: Path) -> None:
    with open_profile("bob", state_dir=tmp_path) as first:
        assert (first.nick, first.asked, len(first.secret)) == ("bob", True, 32)
    with open_profile("bob", state_dir=tmp_path) as again:
        assert again.secret == first.secret
    with open_profile("carl", state_dir=tmp_path) as other:
        assert other.secret != first.secret


def test_the_login_name_is_the_default(tmp_path: Path) -> None:
    with open_profile(state_dir=tmp_path) as profile:
        assert (profile.nick, profile.asked, profile.said) == ("ann", False, "")


def test_case_makes_no_other_profile(tmp_path: Path) -> None:
    with (
        open_profile("Bob", state_dir=tmp_path) as one,
        open_profile("bob", state_dir=tmp_path) as two,
    ):
        assert one.secret == two.secret


def test_files_are_private(tmp_path: Path) -> None:
    with open_profile("bob", state_dir=tmp_path, interactive=True) as profile:
        profile.save_unsent([{"room": "#lobby", "text": "half a"}])
        files = list(profile.directory.iterdir())
        assert {file.name for file in files} == {"profile.json", "unsent.json", "lock"}
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        assert stat.S_IMODE(profile.directory.stat().st_mode) == 0o700


def test_a_second_interactive_client_gets_another(tmp_path: Path) -> None:
    with open_profile(state_dir=tmp_path, interactive=True):
        with open_profile(state_dir=tmp_path, interactive=True) as second:
            assert second.nick == "ann-2"
            assert not second.asked
            assert "ann-2" in second.said
            with open_profile(state_dir=tmp_path, interactive=True) as third:
                assert third.nick == "ann-3"
        with open_profile(state_dir=tmp_path) as script:
            assert script.nick == "ann"  # send and tail are further sessions
        with open_profile("ann", state_dir=tmp_path, interactive=True) as named:
            assert named.nick == "ann"  # asked for by name: a further session too
    with open_profile(state_dir=tmp_path, interactive=True) as later:
        assert later.nick == "ann"


def test_so_many_and_no_more(tmp_path: Path) -> None:
    held = [open_profile(state_dir=tmp_path, interactive=True) for _ in range(9)]
    with pytest.raises(FileError, match="in use"):
        open_profile(state_dir=tmp_path, interactive=True)
    for profile in held:
        profile.close()


def test_unsent_lines_are_kept(tmp_path: Path) -> None:
    with open_profile(state_dir=tmp_path) as profile:
        assert profile.load_unsent() == []
        profile.save_unsent([])
        lines = [{"room": "#lobby", "text": "one line\nand more ✓"}]
        profile.save_unsent(lines)
        assert profile.load_unsent() == lines
        profile.save_unsent([])
        assert profile.load_unsent() == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"secret": 1}', '{"secret": "abc"}', "[" * 100_000, "\udc80"]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    with open_profile("bob", state_dir=tmp_path) as profile:
        path = profile.directory / "profile.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(FileError, match="damaged") as caught:
        open_profile("bob", state_dir=tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", ["[]", '{"lines": 3}', "{"])
def test_damaged_unsent_lines_are_named(tmp_path: Path, content: str) -> None:
    with open_profile("bob", state_dir=tmp_path) as profile:
        (profile.directory / "unsent.json").write_text(content)
        with pytest.raises(FileError, match=r"unsent\.json"):
            profile.load_unsent()


def test_a_name_is_no_path(tmp_path: Path) -> None:
    for name in ("../bob", "a/b", ".", "a b", "\x1b"):
        with pytest.raises(TextError):
            open_profile(name, state_dir=tmp_path)


def test_a_state_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot make"):
        open_profile("bob", state_dir=tmp_path / "file")


def test_two_that_make_it_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        profiles = list(pool.map(lambda _: open_profile("bob", state_dir=tmp_path), range(16)))
    assert len({profile.secret for profile in profiles}) == 1
