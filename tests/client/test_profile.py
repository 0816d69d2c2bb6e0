"""Profiles: one account each, private files, one interactive client at a time."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest

from ipcchat.client.profile import Profile, import_identity, open_profile
from ipcchat.errors import FileError, TextError
from ipcchat.trust.identity import Identity

T = TypeVar("T")
SECRET = "00112233445566778899aabbccddeeff"


@pytest.fixture(autouse=True)
def _login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.paths.getpass.getuser", lambda: "ann")


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
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"secret": 1}',
        '{"secret": "abc"}',
        '{"key": 1}',
        '{"key": "abc"}',
        '{"key": ""}',
        f'{{"secret": "{SECRET}", "key": null}}',
        f'{{"secret": "{SECRET}", "key": "{"A" * 42}B"}}',
        f'{{"secret": "abc", "key": "{"A" * 43}"}}',
        "[" * 100_000,
        "\udc80",
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    with open_profile("bob", state_dir=tmp_path) as profile:
        path = profile.directory / "profile.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(FileError, match="damaged") as caught:
        open_profile("bob", state_dir=tmp_path)
    assert str(path) in str(caught.value)
    with pytest.raises(FileError, match="damaged"):
        import_identity(Identity.make(), "bob", state_dir=tmp_path, force=True)
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")


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


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """What so many threads get that do it at the same moment."""
    start = Barrier(count, timeout=20)

    def begin(number: int) -> T:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_two_that_make_it_at_once_agree(tmp_path: Path) -> None:
    profiles = at_once(16, lambda _: open_profile("bob", state_dir=tmp_path))
    assert len({(profile.secret, profile.identity) for profile in profiles}) == 1


# --- the key ------------------------------------------------------------------------------


def content(profile: Profile) -> dict[str, Any]:
    """What is in the profile's file."""
    found = json.loads(profile.path.read_bytes())
    assert isinstance(found, dict)
    return found


def older(place: Path, nick: str = "bob") -> Path:
    """The file of a profile that an older client made, without a key."""
    path = place / "profiles" / nick / "profile.json"
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text(json.dumps({"nick": nick, "secret": SECRET, "colour": "green"}))
    path.chmod(0o600)
    return path


def test_the_key_stays(tmp_path: Path) -> None:
    with open_profile("bob", state_dir=tmp_path) as first:
        assert content(first)["key"] == first.identity.stored
    with open_profile("bob", state_dir=tmp_path) as again:
        assert again.identity == first.identity
    with open_profile("carl", state_dir=tmp_path) as other:
        assert other.identity != first.identity


def test_a_profile_with_a_key_needs_no_secret(tmp_path: Path) -> None:
    path, key = older(tmp_path), Identity.make()
    path.write_text(json.dumps({"nick": "bob", "key": key.stored}))
    with open_profile("bob", state_dir=tmp_path) as profile:
        assert (profile.identity, profile.secret) == (key, "")
        profile.moved("e" * 32)
    assert json.loads(path.read_bytes()) == {"nick": "bob", "key": key.stored}


def test_an_older_profile_keeps_its_secret_and_gets_a_key(tmp_path: Path) -> None:
    path = older(tmp_path)
    with open_profile("bob", state_dir=tmp_path) as profile:
        key = profile.identity
        assert profile.secret == SECRET
        expected = {"nick": "bob", "secret": SECRET, "colour": "green", "key": key.stored}
        assert json.loads(path.read_bytes()) == expected
    with open_profile("bob", state_dir=tmp_path) as again:
        assert (again.identity, again.secret) == (key, SECRET)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.parent.iterdir())


def test_of_two_keys_made_at_once_one_counts(tmp_path: Path) -> None:
    for round in range(10):
        path = older(tmp_path / str(round))

        def opened(_: int, place: Path = path.parents[2]) -> Profile:
            return open_profile("bob", state_dir=place)

        profiles = at_once(8, opened)
        keys = {profile.identity.stored for profile in profiles}
        assert keys == {json.loads(path.read_bytes())["key"]}


def test_processes_agree_on_the_key(tmp_path: Path) -> None:
    path = older(tmp_path)
    code = (
        "import sys; from pathlib import Path; from ipcchat.client.profile import open_profile;"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(open_profile('bob', state_dir=Path(sys.argv[1])).identity.stored)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        keys = {process.communicate(timeout=20)[0].strip() for process in started}
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert keys == {json.loads(path.read_bytes())["key"]}


def test_a_key_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    path = older(tmp_path)
    (path.parent / "change").mkdir()  # in place of the file that guards the change
    with pytest.raises(FileError, match="cannot lock"):
        open_profile("bob", state_dir=tmp_path)
    assert "key" not in json.loads(path.read_bytes())


def test_a_secret_is_kept_for_the_servers_that_know_one_by_it(tmp_path: Path) -> None:
    older(tmp_path)
    with (
        open_profile("bob", state_dir=tmp_path) as one,
        open_profile("bob", state_dir=tmp_path) as two,
    ):
        secret = one.secret
        one.moved("b")
        two.moved("a")
        two.moved("b")  # the same account, told a second time
        assert content(one)["moved"] == ["a", "b"]
        assert content(one)["colour"] == "green"
    with open_profile("bob", state_dir=tmp_path) as later:
        assert (later.identity, later.secret) == (one.identity, secret)
        assert later.moved_at == {"a", "b"}


def test_what_moved_is_not_what_was_imported_since(tmp_path: Path) -> None:
    older(tmp_path)
    with open_profile("bob", state_dir=tmp_path) as running:
        with import_identity(Identity.make(), "bob", state_dir=tmp_path, force=True) as other:
            kept = content(other)
            running.moved("e" * 32)
            assert content(other) == kept


def test_a_key_comes_into_a_new_profile(tmp_path: Path) -> None:
    key = Identity.make()
    with import_identity(key, "Bob", state_dir=tmp_path) as profile:
        assert (profile.nick, profile.identity, profile.asked) == ("Bob", key, True)
        assert stat.S_IMODE(profile.path.stat().st_mode) == 0o600
    with open_profile("bob", state_dir=tmp_path) as again:
        assert again.identity == key
    with import_identity(key, state_dir=tmp_path) as own:
        assert (own.nick, own.asked) == ("ann", False)


def test_the_same_key_again_changes_nothing(tmp_path: Path) -> None:
    with open_profile("bob", state_dir=tmp_path) as profile:
        before = profile.path.read_bytes()
        import_identity(profile.identity, "bob", state_dir=tmp_path)
        import_identity(profile.identity, "bob", state_dir=tmp_path, force=True)
        assert profile.path.read_bytes() == before


@pytest.mark.parametrize("old", [False, True])
def test_another_key_is_replaced_by_force_alone(tmp_path: Path, old: bool) -> None:
    if old:
        path = older(tmp_path)
    else:
        with open_profile("bob", state_dir=tmp_path) as profile:
            path = profile.path
    before = path.read_bytes()
    key = Identity.make()
    with pytest.raises(FileError, match="bob has a key already") as caught:
        import_identity(key, "bob", state_dir=tmp_path)
    assert "--force" in caught.value.hint
    assert path.read_bytes() == before
    with import_identity(key, "bob", state_dir=tmp_path, force=True) as imported:
        assert imported.identity == key
        assert imported.secret != SECRET  # that is another account's
    assert key.stored in path.read_text()
    assert SECRET not in path.read_text()


def test_an_import_never_replaces_what_a_client_uses(tmp_path: Path) -> None:
    """One makes the profile while another imports: whoever got a key has the one that stays."""
    for round in range(20):
        place, key = tmp_path / str(round), Identity.make()

        def work(number: int, place: Path = place, key: Identity = key) -> Profile | None:
            try:
                if number % 2:
                    return import_identity(key, "bob", state_dir=place)
            except FileError:
                return None
            return open_profile("bob", state_dir=place)

        found = [profile for profile in at_once(4, work) if profile is not None]
        assert len({profile.identity for profile in found}) == 1
        assert content(found[0])["key"] == found[0].identity.stored
