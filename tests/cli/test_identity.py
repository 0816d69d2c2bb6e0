"""`ipcchat-client identity`: the key is shown, carried elsewhere, and never lost by accident."""

import stat
from pathlib import Path

import pytest
from tests.cli.programs import program, ran
from tests.terminal import terminal

from ipcchat.trust.identity import Identity

BOB = ("--name", "bob")
KEY = Identity(bytes(range(32)))


def identity(home: Path, *arguments: str, given: bytes = b"", code: int = 0) -> tuple[str, str]:
    """Its output and errors, where it ended with that code."""
    done = ran(home, "client", "identity", *arguments, given=given)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def profile(home: Path, name: str = "bob") -> Path:
    return home / "state" / "ipcchat" / "profiles" / name / "profile.json"


def shown(home: Path, *arguments: str) -> dict[str, str]:
    """What `show` prints."""
    lines = identity(home, *arguments)[0].splitlines()
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in lines)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose bob has the key `KEY`."""
    identity(tmp_path, "import", *BOB, given=KEY.exported.encode() + b"\n")
    return tmp_path


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another machine's home."""
    return tmp_path_factory.mktemp("elsewhere")


def test_it_shows_who_one_is(home: Path) -> None:
    expected = {"nick": "bob", "profile": str(profile(home)), "fingerprint": KEY.fingerprint}
    assert shown(home, "show", *BOB) == shown(home, *BOB) == expected
    out, _ = identity(home, *BOB)
    assert KEY.stored not in out


def test_the_name_may_stand_anywhere(home: Path) -> None:
    expected = shown(home, *BOB)
    assert shown(home, *BOB, "show") == expected
    done = ran(home, "client", *BOB, "identity", "show")
    assert (done.returncode, done.stderr) == (0, "")
    assert KEY.fingerprint in done.stdout
    done = ran(home, "client", "identity", IPCCHAT_NAME="bob")
    assert KEY.fingerprint in done.stdout


def test_without_a_name_it_is_the_login_name(elsewhere: Path) -> None:
    done = ran(elsewhere, "client", "identity", LOGNAME="ann")
    assert done.stdout.startswith("nick         ann\n")


def test_export_prints_one_line(home: Path) -> None:
    assert identity(home, "export", *BOB) == (KEY.exported + "\n", "")
    assert identity(home, "export", *BOB, "-") == (KEY.exported + "\n", "")


def test_a_key_is_carried_by_a_pipe(home: Path, elsewhere: Path) -> None:
    line, _ = identity(home, "export", *BOB)
    out, err = identity(elsewhere, "import", "--name", "rob", given=line.encode())
    assert (out, err) == (f"rob has the key {KEY.fingerprint} now\n", "")
    assert shown(elsewhere, "--name", "rob")["fingerprint"] == KEY.fingerprint


def test_a_key_is_carried_by_a_file(home: Path, elsewhere: Path) -> None:
    path = elsewhere / "bob.key"
    out, err = identity(home, "export", *BOB, str(path))
    assert (str(path) in out, KEY.stored in out, err) == (True, False, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == KEY.exported + "\n"
    identity(elsewhere, "import", str(path), *BOB)
    assert shown(elsewhere, *BOB)["fingerprint"] == KEY.fingerprint


def test_export_writes_over_a_file_by_force_alone(home: Path) -> None:
    path = home / "notes"
    path.write_text("dear diary")
    path.chmod(0o644)
    out, err = identity(home, "export", *BOB, str(path), code=1)
    assert (out, "exists" in err, "--force" in err) == ("", True, True)
    assert path.read_text() == "dear diary"
    identity(home, "export", "--force", *BOB, str(path))
    assert path.read_text() == KEY.exported + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_import_replaces_a_key_by_force_alone(home: Path) -> None:
    other, before = Identity.make(), profile(home).read_bytes()
    line = other.exported.encode()
    out, err = identity(home, "import", *BOB, given=line, code=1)
    assert (out, "bob has a key already" in err, "--force" in err) == ("", True, True)
    assert profile(home).read_bytes() == before
    identity(home, "import", "--force", *BOB, given=line)
    assert shown(home, *BOB)["fingerprint"] == other.fingerprint


def test_import_ends_with_the_line(elsewhere: Path) -> None:
    with program(elsewhere, "client", "identity", "import", *BOB) as running:
        running.type(KEY.exported.encode() + b"\n")  # and the input stays open
        assert running.ended() == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", "not an exported key"),
        (b"\n", "not an exported key"),
        (KEY.exported.encode()[:40], "cut off"),
        (KEY.exported.encode()[:-1] + b"0", "checksum"),
        (KEY.public.encode(), "not an exported key"),
        (b"\xff\xfe\x00" * 3000, "not an exported key"),
        (b"ipcchat-key-1:\x1b]0;owned\x07" + b"A" * 60 + b":00000000", "checksum"),
    ],
)
def test_what_is_no_key_is_refused_in_a_line(elsewhere: Path, given: bytes, told: str) -> None:
    out, err = identity(elsewhere, "import", *BOB, given=given, code=2)
    first, hint = err.splitlines()
    assert (out, told in first, hint.startswith("  ")) == ("", True, True)
    assert KEY.stored[:8] not in err
    assert "\x1b" not in err
    assert not profile(elsewhere).exists()


@pytest.mark.parametrize("name", ["absent", ".", "a\nb"])
def test_a_file_that_cannot_be_read_is_named(elsewhere: Path, name: str) -> None:
    out, err = identity(elsewhere, "import", name, *BOB, code=1)
    assert (out, len(err.splitlines()), "cannot read" in err) == ("", 1, True)


@pytest.mark.parametrize(
    "arguments",
    [("lose",), ("show", "file"), ("--force",), ("export", "a", "b")],
)
def test_a_senseless_command_line_is_told(elsewhere: Path, arguments: tuple[str, ...]) -> None:
    out, err = identity(elsewhere, *arguments, code=2)
    assert out == ""
    assert err.startswith(("ipcchat-client", "usage:"))


def test_a_profile_is_needed_for_nothing_else(home: Path) -> None:
    profile(home).write_text("{")
    for action in ("show", "export"):
        out, err = identity(home, action, *BOB, code=1)
        assert (out, str(profile(home)) in err) == ("", True)


def test_help_has_examples(elsewhere: Path) -> None:
    out, err = identity(elsewhere, "--help")
    assert (out.startswith("examples:"), "--force" in out, err) == (True, True, "")


def test_closed_streams_are_told(home: Path) -> None:
    done = ran(home, "client", "identity", "import", *BOB, redirect="<&-")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    done = ran(home, "client", "identity", "export", *BOB, redirect=">&-")
    assert (done.returncode, KEY.stored in done.stderr) == (1, False)


# --- on a terminal ------------------------------------------------------------------------


def test_a_terminal_is_told_what_the_line_is(home: Path) -> None:
    with terminal("client", "identity", "export", *BOB, home=home, columns=100) as screen:
        text = screen.wait(KEY.exported)
        assert "whoever has this line is bob" in text
        assert screen.ended() == 0


def test_what_is_pasted_is_not_shown(elsewhere: Path) -> None:
    with terminal("client", "identity", "import", *BOB, home=elsewhere, columns=100) as screen:
        screen.wait("paste the line")
        screen.line(KEY.exported)
        screen.wait(f"bob has the key {KEY.fingerprint} now")
        assert screen.ended() == 0
        assert KEY.stored.encode() not in screen.raw


@pytest.mark.parametrize(("key", "code"), [("\x04", 2), ("\x03", 130)])
def test_nothing_needs_to_be_pasted(elsewhere: Path, key: str, code: int) -> None:
    with terminal("client", "identity", "import", *BOB, home=elsewhere) as screen:
        screen.wait("paste the line")
        screen.type(key)
        assert screen.ended() == code
        assert "Traceback" not in screen.text()
    assert not profile(elsewhere).exists()
