"""`settings`: one table; the highest layer decides; what is wrong is said with its place."""

import argparse
import shlex
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcchat import paths
from ipcchat.configuration import add_flags, alter, document, keep, kept, load, origins
from ipcchat.errors import EXIT_SETTING, SettingError
from ipcchat.settings import ClientSettings, Row, ServerSettings, rows

ROOT = Path(__file__).parent.parent
TABLES = (ServerSettings, ClientSettings)
ROWS = [row for table in TABLES for row in rows(table)]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment whose two places for files are empty directories."""
    for name in ("user/ipcchat", "system"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(paths, "_SYSTEM_CONFIG", tmp_path / "system")
    monkeypatch.chdir(tmp_path)
    return {"XDG_CONFIG_HOME": str(tmp_path / "user")}


def server(
    places: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    sets: Sequence[str] = (),
    config: Path | None = None,
    **environ: str,
) -> ServerSettings:
    """The settings of the server; no warning is allowed."""
    found, warnings = load(
        ServerSettings, flags=flags or {}, sets=sets, environ={**places, **environ}, config=config
    )
    assert warnings == []
    return found


def row_of(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def test_defaults(places: dict[str, str]) -> None:
    assert server(places) == ServerSettings()
    assert ServerSettings().listen == (":5555",)
    assert ServerSettings().queue_bytes == 262_144
    found, warnings = load(ClientSettings, flags={}, environ=places)
    assert (found, warnings) == (ClientSettings(), [])
    assert found.dead_after == 45.0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_documents_itself(row: Row) -> None:
    assert row.help
    assert row.name.islower()
    assert row.parse(row.default) == row.default
    assert row.parse(row.show(row.default)) == row.default
    assert type(row.parse(row.show(row.default))) is type(row.default)


def test_layers(places: dict[str, str], tmp_path: Path) -> None:
    system = tmp_path / "system" / "server.toml"
    system.write_text("backlog = 1\nmax_clients = 1\n")
    assert server(places).backlog == 1
    (tmp_path / "user" / "ipcchat" / "server.toml").write_text("backlog = 2\n")
    assert (server(places).backlog, server(places).max_clients) == (2, 1)
    assert server(places, IPCCHAT_BACKLOG="3").backlog == 3
    assert server(places, sets=["backlog=4", "backlog=5"], IPCCHAT_BACKLOG="3").backlog == 5
    found = server(places, flags={"backlog": "6", "set": []}, sets=["backlog=4"])
    assert found.backlog == 6
    assert server(places, flags={"backlog": None}).backlog == 2


def test_a_named_file_is_read_alone(places: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "system" / "server.toml").write_text("backlog = 1\n")
    mine = tmp_path / "mine.toml"
    mine.write_text('log-level = "debug"\nlisten = ["127.0.0.1:0", ":6000"]\nheadless = true\n')
    found = server(places, config=mine)
    assert found.log_level == "debug"
    assert found.listen == ("127.0.0.1:0", ":6000")
    assert found.headless is True
    assert found.backlog == 1024


def test_nothing_is_read_from_the_current_directory(places: dict[str, str], tmp_path: Path) -> None:
    for name in ("server.toml", "ipcchat.toml", "ipcchat/server.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("backlog = 9\n")
    assert server(places).backlog == 1024


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("queue_bytes", "65536", 65536),
        ("queue_bytes", "64KiB", 65536),
        ("queue_bytes", "1M", 1024**2),
        ("queue_bytes", "1.5 MiB", 3 * 512 * 1024),
        ("queue_bytes", "2MB", 2_000_000),
        ("queue_bytes", 131072, 131072),
        ("idle_after", "45", 45.0),
        ("idle_after", "45s", 45.0),
        ("idle_after", "500ms", 0.5),
        ("idle_after", "10m", 600.0),
        ("idle_after", "1h", 3600.0),
        ("idle_after", "2d", 172_800.0),
        ("idle_after", 0.75, 0.75),
        ("coalesce", "0", 0.0),
        ("max_clients", "999999999999999", 10**15 - 1),
        ("queue_bytes", "1024GiB", 2**40),
        ("backlog", 7, 7),
        ("headless", "yes", True),
        ("headless", "OFF", False),
        ("headless", False, False),
        ("listen", ":1, :2", (":1", ":2")),
        ("listen", ["[::1]:5555"], ("[::1]:5555",)),
        ("log_level", "warning", "warning"),
        ("data", "/var/lib/chat", "/var/lib/chat"),
        ("notify_rooms", "lab=all, #a=b=none", (("#lab", "all"), ("#a=b", "none"))),
        ("notify_rooms", {"#lab": "all"}, (("#lab", "all"),)),
        ("notify_rooms", "lab=all,#lab=none", (("#lab", "none"),)),
        ("notify_rooms", "", ()),
        ("keys", "next_room=c-n,x=a=b", (("next_room", "c-n"), ("x", "a=b"))),
        ("keys", {"next_room": "c-,"}, (("next_room", "c-,"),)),
    ],
)
def test_values(name: str, given: object, value: object) -> None:
    found = row_of(name).parse(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "allowed"),
    [
        ("queue_bytes", "much", "64KiB or 1M"),
        ("queue_bytes", "1x", "64KiB or 1M"),
        ("queue_bytes", "1K", "at least 64KiB"),
        ("queue_bytes", "-1", "a size"),
        ("queue_bytes", "0.3", "a size"),
        ("queue_bytes", "1TiB", "units: B, K, M, G, KiB, MiB, GiB, KB, MB, GB$"),
        ("queue_bytes", "1025GiB", "64KiB to 1024GiB"),
        ("queue_bytes", "9" * 5000, "64KiB to 1024GiB"),
        pytest.param("queue_bytes", 16**6000, "64KiB to 1024GiB", id="thousands of digits"),
        ("idle_after", "2y", "units: ms, s, m, h, d$"),
        ("idle_after", "40000d", "500ms to 36500d"),
        ("idle_after", float("inf"), "500ms to 36500d"),
        ("max_clients", "1000000000000000", "1 to 999999999999999"),
        ("max_clients", 10**15, "1 to 999999999999999"),
        ("backlog", 10**12, "1 to 65535"),
        ("pages_in_flight", "9" * 16, "1 to 64"),
        ("idle_after", "1w", "500ms, 10m, 1h or 2d"),
        ("idle_after", "0", "at least 500ms"),
        ("idle_after", "nan", "a duration"),
        ("idle_after", True, "a duration"),
        ("idle_after", {}, "a duration"),
        ("coalesce", "1h", "0s to 1s"),
        ("backlog", "1.5", "a whole number"),
        ("backlog", "1k", "a whole number"),
        ("backlog", "٣", "a whole number"),
        ("max_clients", "0", "at least 1"),
        ("headless", "maybe", "true, false"),
        ("log_level", "loud", "debug, info, warning, error"),
        ("data", 3, "text"),
        ("listen", [5555], "a list of texts"),
        ("listen", 5555, "a list of texts"),
        ("color", "red", "auto, always, never"),
        ("notify_rooms", "#lab", "name=value, separated by commas"),
        ("notify_rooms", "#lab=loud", "name=all, mentions, none"),
        ("notify_rooms", {"#lab": 1}, "name=all, mentions, none"),
        ("notify_rooms", ["#lab=all"], "a table of names and texts"),
        ("keys", {"next_room": ["c-n"]}, "a table of names and texts"),
        ("keys", 3, "a table of names and texts"),
    ],
)
def test_bad_values_say_what_is_allowed(name: str, given: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"allowed: .*{allowed}"):
        row_of(name).parse(given)


def test_every_unit_that_is_told_is_one() -> None:
    for name in ("queue_bytes", "idle_after"):
        with pytest.raises(ValueError, match="units: ") as caught:
            row_of(name).parse("100000zz")
        for unit in str(caught.value).rpartition("units: ")[2].split(", "):
            assert row_of(name).parse(f"100000{unit}" if unit in "B ms" else f"1000{unit}")


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind in ("number", "size", "duration")])
def test_the_bounds_of_an_amount_are_values_of_it(row: Row) -> None:
    for bound in row.bounds:
        assert row.parse(row.show(bound)) == bound


@given(st.text(max_size=20), st.sampled_from(ROWS))
def test_any_text_is_a_value_or_a_clear_error(given: str, row: Row) -> None:
    try:
        row.parse(given)
    except ValueError as error:
        assert row.check is not None or str(error).startswith("allowed: ")


def test_bad_values_say_where_they_came_from(places: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "user" / "ipcchat" / "server.toml"
    with pytest.raises(SettingError, match=r"^--set backlog: 'x' is no value for backlog; allow"):
        server(places, sets=["backlog=x"])
    with pytest.raises(SettingError, match=r"^IPCCHAT_BACKLOG: "):
        server(places, IPCCHAT_BACKLOG="\x1b[2J")
    with pytest.raises(SettingError, match=r"^--log-level: 'loud' is no value") as caught:
        server(places, flags={"log_level": "loud"})
    assert caught.value.exit_code == EXIT_SETTING
    file.write_text('# mine\nlog_level = "info"\n\n  backlog = "many"\n')
    with pytest.raises(SettingError, match=r"server\.toml:4: 'many' is no value for backlog"):
        server(places)
    # Also where a higher layer overrides it.
    with pytest.raises(SettingError, match=r"server\.toml:4"):
        server(places, sets=["backlog=5"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"backlog = = 3\n", r"server\.toml:1: not TOML: Invalid value"),
        (b"backlog = 3\nbacklog = 4\n", r"server\.toml:2: not TOML: Cannot overwrite"),
        (b"a = 1\nb = [1,\n", r"server\.toml:3: not TOML: "),
        (b"a = 1\n# caf\xe9\n", r"server\.toml:2: the settings are not UTF-8"),
    ],
)
def test_files_that_are_not_toml(
    places: dict[str, str], tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "user" / "ipcchat" / "server.toml").write_bytes(content)
    with pytest.raises(SettingError, match=message) as caught:
        server(places)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(places: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"cannot read the settings .*none: no such file"):
        server(places, config=tmp_path / "none")
    with pytest.raises(SettingError, match=r"cannot read the settings .*: is a directory"):
        server(places, config=tmp_path)
    (tmp_path / "user" / "ipcchat" / "server.toml").mkdir()
    with pytest.raises(SettingError, match="is a directory"):
        server(places)


def test_unknown_keys_in_a_file_are_warnings(places: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "user" / "ipcchat" / "server.toml"
    file.write_text('backlog = 5\nlog_levle = "debug"\n\n[tls]\nbacklog = 3\n"we\\u001bird" = 1\n')
    found, warnings = load(ServerSettings, flags={}, environ=places)
    assert found == ServerSettings(backlog=5)
    assert warnings == [
        f"{file}:2: unknown setting log_levle; did you mean log_level?",
        f"{file}:4: unknown setting tls",
    ]
    file.write_text('"we\\u001bird" = 1\n')
    assert load(ServerSettings, flags={}, environ=places)[1] == [f"{file}: unknown setting we␛ird"]


def test_unknown_names_in_the_environment_are_warnings(places: dict[str, str]) -> None:
    environ = {**places, "IPCCHAT_BACKLOGS": "1", "IPCCHAT_PAGE": "50", "IPCCHAT": "", "HOME": "/"}
    found, warnings = load(ServerSettings, flags={}, environ=environ)
    assert found == ServerSettings()
    assert warnings == ["unknown setting IPCCHAT_BACKLOGS; did you mean IPCCHAT_BACKLOG?"]
    client, warnings = load(ClientSettings, flags={}, environ=environ)
    assert client.page == 50
    assert len(warnings) == 1


def test_unknown_keys_in_set_are_errors(places: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="unknown setting bakclog; did you mean backlog"):
        server(places, sets=["bakclog=1"])
    with pytest.raises(SettingError, match="write it as --set key=value"):
        server(places, sets=["backlog"])
    assert server(places, sets=["log-level = debug"]).log_level == "debug"


def test_flags(places: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, ServerSettings)
    args = parser.parse_args(
        shlex.split(
            "--listen :0 --listen 127.0.0.1:1 --headless --data /x --set backlog=9"
            " --log-level debug --set max_clients=3"
        )
    )
    found = server(places, flags=vars(args), sets=args.set, config=args.config)
    assert found == ServerSettings(
        listen=(":0", "127.0.0.1:1"),
        headless=True,
        data="/x",
        backlog=9,
        max_clients=3,
        log_level="debug",
    )
    args = parser.parse_args([])
    assert server(places, flags=vars(args), sets=args.set) == ServerSettings()
    assert parser.parse_args(["--config", "a.toml"]).config == Path("a.toml")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    shown = capsys.readouterr().out
    assert "--backlog" not in shown
    assert "(default: :5555)" in shown


@pytest.mark.parametrize("table", TABLES)
def test_every_flag_has_help(table: type[ServerSettings] | type[ClientSettings]) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, table)
    shown = parser.format_help()
    for row in rows(table):
        assert (f"--{row.name.replace('_', '-')}" in shown) == row.flag


def test_the_documentation_is_made_from_the_table() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == document(), (
        "run: python -m ipcchat.configuration > docs/settings.md"
    )
    for row in ROWS:
        assert f"| `{row.name}`" in document()
    cells = {line.count(" |") for line in document().splitlines() if line.startswith("| ")}
    assert cells == {6}


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("operator_nick", "a b", "a nick has no spaces"),
        ("operator_nick", "", "a nick has 1 to 32 characters"),
        ("name", "a b", "a nick has no spaces"),
        ("room", "a b", "a room's name has no spaces"),
        ("server", "http://x", "http://x"),
        ("notify_rooms", "a b=all", "a room's name has no spaces"),
        ("time_format", "%", "a time is written like"),
        ("time_format", "\x1b[31m%H", "a time is written like"),
        ("queue_bytes", "99999999999999999999", "64KiB to 1024GiB"),
        ("queue_bytes", "-1", "at least 64KiB"),
    ],
)
def test_texts_are_checked_where_they_come_from(name: str, given: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        row_of(name).parse(given)


def test_suggestions_are_near(places: dict[str, str]) -> None:
    _, warnings = load(ServerSettings, flags={}, environ={**places, "IPCCHAT_BAKLOG": "3"})
    assert warnings == ["unknown setting IPCCHAT_BAKLOG; did you mean IPCCHAT_BACKLOG?"]
    _, warnings = load(ServerSettings, flags={}, environ={**places, "IPCCHAT_FOO": "3"})
    assert warnings == ["unknown setting IPCCHAT_FOO"]


def test_what_a_notify_command_is_told_by_is_no_setting(places: dict[str, str]) -> None:
    told = {f"IPCCHAT_ALERT_{name}": "ann: \x1b" for name in ("TITLE", "TEXT", "ROOM")}
    environ = {**places, **told}
    assert load(ServerSettings, flags={}, environ=environ) == (ServerSettings(), [])
    assert load(ClientSettings, flags={}, environ=environ) == (ClientSettings(), [])
    assert not any(row.name.startswith("alert") for row in ROWS)


# --- what /set keeps ----------------------------------------------------------------------


def test_what_is_kept_counts_before_the_files(places: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "user" / "ipcchat" / "client.toml").write_text('theme = "light"\npage = 5\n')
    keep("theme", "dark", places)
    found, warnings = load(ClientSettings, flags={}, environ=places)
    assert (found.theme, found.page, warnings) == ("dark", 5, [])
    assert load(ClientSettings, flags={}, environ={**places, "IPCCHAT_THEME": "auto"})[0] == (
        ClientSettings(page=5)
    )
    mine = tmp_path / "mine.toml"
    mine.write_text("page = 7\n")
    assert load(ClientSettings, flags={}, environ=places, config=mine)[0] == ClientSettings(page=7)
    keep("theme", None, places)
    keep("mouse", None, places)
    assert kept(environ=places) == {}
    assert load(ClientSettings, flags={}, environ=places)[0].theme == "light"


def test_the_kept_file_is_private_and_says_what_it_is(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "new")}
    keep("mouse", True, environ)
    file = tmp_path / "new" / "ipcchat" / "client.set.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.read_text().startswith("# Written by ipcchat-client for /set")
    assert file.read_text().endswith("\nmouse = true\n")
    assert [path.name for path in file.parent.iterdir()] == ["client.set.toml"]


texts = st.text(max_size=10)
values = st.fixed_dictionaries(
    {},
    optional={
        "editor": texts,
        "notify_command": texts,
        "mouse": st.booleans(),
        "pane_left": st.integers(0, 10**14),
        "highlight": st.lists(
            texts.map(lambda word: word.replace(",", "").strip()).filter(bool), max_size=3
        ).map(tuple),
        "notify_rooms": st.dictionaries(
            st.sampled_from(["#lab", "#a=b", "#\U0001f600", '#a"b']),
            st.sampled_from(["all", "mentions", "none"]),
            max_size=3,
        ).map(lambda found: tuple(found.items())),
    },
)


@settings(max_examples=30)
@given(values)
def test_whatever_is_kept_is_read_again(given: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as place:
        environ = {"XDG_CONFIG_HOME": place}
        for name, value in given.items():
            keep(name, value, environ)
        assert kept(environ=environ) == given
        file = Path(place) / "ipcchat" / "client.set.toml"
        if given:
            assert file.read_text().count("\n") == 3 + len(given)


def test_clients_keep_beside_each_other(places: dict[str, str]) -> None:
    names = [row.name for row in rows(ClientSettings) if row.kind == "number"]
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda name: keep(name, 50, places), names):
            pass
    assert kept(environ=places) == dict.fromkeys(names, 50)


def test_clients_add_to_a_list_beside_each_other(places: dict[str, str]) -> None:
    def add(number: int) -> None:
        alter("ignore", lambda old: (*(old or ()), f"n{number}"), places)

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(add, range(40)):
            pass
    assert sorted(kept(environ=places)["ignore"]) == sorted(f"n{number}" for number in range(40))


def test_what_is_altered_is_as_the_settings_have_it(places: dict[str, str], tmp_path: Path) -> None:
    seen: list[object] = []

    def remember(old: object) -> object:
        seen.append(old)
        return old

    alter("notify_rooms", remember, places)
    assert kept(environ=places) == {}
    keep("notify_rooms", (("#lab", "all"),), places)
    alter("notify_rooms", remember, places)
    assert kept(environ=places) == {"notify_rooms": (("#lab", "all"),)}
    assert seen == [None, (("#lab", "all"),)]
    alter("notify_rooms", lambda _: None, places)
    assert kept(environ=places) == {}
    file = tmp_path / "user" / "ipcchat" / "client.set.toml"
    file.write_text("ignore = 5\n")
    with pytest.raises(SettingError, match=r"client\.set\.toml:1: '5' is no value for ignore"):
        alter("ignore", remember, places)
    assert file.read_text() == "ignore = 5\n"
    keep("ignore", ("bob",), places)
    assert kept(environ=places) == {"ignore": ("bob",)}


def test_a_number_of_thousands_of_digits_stays_as_it_is(
    places: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "user" / "ipcchat" / "client.set.toml"
    file.write_text(f"later = 0x{'f' * 6000}\nless = -12\n")
    keep("theme", "dark", places)
    found = tomllib.loads(file.read_text())
    assert found == {"later": 16**6000 - 1, "less": -12, "theme": "dark"}


def test_what_is_written_by_hand_there_stays(places: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "user" / "ipcchat" / "client.set.toml"
    file.write_text("later = 2026-01-02\nother = [1.5, {a = inf}]\n[table]\n'b c' = 1\n")
    keep("theme", "dark", places)
    assert kept(environ=places) == {"theme": "dark"}
    found = tomllib.loads(file.read_text())
    assert (str(found["later"]), found["table"]) == ("2026-01-02", {"b c": 1})
    assert found["other"] == [1.5, {"a": float("inf")}]
    warnings = load(ClientSettings, flags={}, environ=places)[1]
    assert [warning.rpartition(": ")[2] for warning in warnings] == [
        "unknown setting later",
        "unknown setting other",
        "unknown setting table",
    ]


@pytest.mark.parametrize("content", ["theme = = 1\n", 'theme = "loud"\n'])
def test_a_damaged_one_is_an_error_with_its_place(
    places: dict[str, str], tmp_path: Path, content: str
) -> None:
    (tmp_path / "user" / "ipcchat" / "client.set.toml").write_text(content)
    with pytest.raises(SettingError, match=r"client\.set\.toml:1: "):
        load(ClientSettings, flags={}, environ=places)
    with pytest.raises(SettingError, match=r"client\.set\.toml:1: "):
        kept(environ=places)


def test_origins(places: dict[str, str], tmp_path: Path) -> None:
    mine = tmp_path / "user" / "ipcchat"
    (mine / "client.toml").write_text('\ntheme = "light"\njoins = "all"\n')
    keep("joins", "none", places)
    environ = {**places, "IPCCHAT_PAGE": "7"}
    found = load(ClientSettings, flags={"room": "#lab"}, environ=environ)[0]
    assert origins(found, environ) == {
        "theme": f"{mine / 'client.toml'}:2",
        "joins": f"{mine / 'client.set.toml'}:4",
        "page": "IPCCHAT_PAGE",
        "room": "the command line",
    }
    (tmp_path / "alone.toml").write_text('theme = "light"\n')
    found = load(ClientSettings, flags={}, environ=places, config=tmp_path / "alone.toml")[0]
    assert origins(found, places, tmp_path / "alone.toml") == {
        "theme": f"{tmp_path / 'alone.toml'}:1"
    }
