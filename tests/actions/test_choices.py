"""What the user chooses counts at once, and is kept."""

import asyncio
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.actions.face import ListFace, facing
from tests.client.peer import until
from tests.client.test_session import lobby, sitting
from tests.support import serve

from ipcchat import configuration, paths
from ipcchat.actions.choices import SETTINGS
from ipcchat.configuration import load
from ipcchat.settings import ClientSettings
from ipcchat.text import visible

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration directory, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "_SYSTEM_CONFIG", tmp_path / "system")
    return tmp_path / "ipcchat"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def there(place: Path) -> bool:
    return place.exists()


def kept(place: Path) -> dict[str, object]:
    return tomllib.loads((place / "client.set.toml").read_text())


async def test_a_setting_counts_at_once_and_is_kept(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        assert await ann.type("/set theme dark") == ["theme = dark"]
        assert ann.configured[-1].theme == ann.settings.theme == "dark"
        assert kept(place) == {"theme": "dark"}
        assert await ann.type("/set pane-left 70") == ["pane_left = 70"]
        assert kept(place) == {"theme": "dark", "pane_left": 70}
        found, warnings = load(ClientSettings, flags={})
        assert (found.theme, found.pane_left, warnings) == ("dark", 70, [])
        shown = await ann.type("/set")
        assert any(
            line.startswith("theme = dark  (") and "client.set.toml:" in line for line in shown
        )
        assert "ignore = nothing" in shown
        assert [line.split(" = ")[0] for line in shown[:-1]] == list(SETTINGS)
        assert await ann.type("/set theme default") == ["theme = auto"]
        assert kept(place) == {"pane_left": 70}
        assert (await ann.type("/set joins"))[1].endswith("allowed: recent, all, none")


async def test_default_is_what_the_other_places_say(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place / "client.toml", 'theme = "light"\nignore = ["bob"]\n')
    async with serve() as server, facing(server.addresses[0], ignore=("bob",)) as ann:
        await ann.type("/theme dark")
        assert await ann.type("/set theme default") == ["theme = light"]
        assert await ann.type("/unignore bob") == ["you see the messages of bob again"]
        assert kept(place) == {"ignore": []}  # which the other file would fill again
        assert load(ClientSettings, flags={})[0].ignore == ()
        monkeypatch.setenv("IPCCHAT_JOINS", "none")
        assert await ann.type("/set joins all") == [
            "IPCCHAT_JOINS decides again at the next start",
            "joins = all",
        ]


async def test_where_a_value_comes_from(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCCHAT_PANE_LEFT", "70")
    given: dict[str, Any] = {"theme": "light", "pane_left": 70}
    async with serve() as server, facing(server.addresses[0], **given) as ann:
        shown = await ann.type("/set")
        assert {"theme = light  (the command line)", "color = auto"} < set(shown)
        assert "pane_left = 70  (IPCCHAT_PANE_LEFT)" in shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/set theme loud", "! loud is no value for theme – allowed: auto, dark, light"),
        ("/set thme dark", "! unknown setting thme – did you mean theme?"),
        ("/set zzz", "! unknown setting zzz – /set lists the settings"),
        (
            "/set server lab",
            "! server can't be changed while the program runs – it has its place in client.toml",
        ),
        (
            "/set notify_rooms #lab=loud",
            "! #lab=loud is no value for notify_rooms – allowed: name=all, mentions, none",
        ),
        ("/set time_format %", "! % is no value for time_format – a time is written like"),
        ("/ignore ann", "! that is you"),
        ("/ignore a,b", "! one at a time"),
        ("/unignore zoe", "! you do not ignore zoe"),
        ("/unhighlight x", "! x is no such word"),
        ("/highlight w\x1b]0;x\az", "! w␛]0;x␇z has invisible characters"),
        ("/set highlight ok,w\x9b1m", "! w\\u009b1m has invisible characters"),
        ("/set ignore w\u202ez", "! w\\u202ez has invisible characters"),
        ("/ignore w\x1bz", "! w\ufffdz has invisible characters"),
        ("/ignore \u200b", "! it has invisible characters"),
        ("/unhighlight x\x1b[m", "! x␛[m is no such word"),
        ("/unignore x\x1b[m", "! you do not ignore x\ufffd[m"),
        ("/set x\x1b[m", "! unknown setting x␛[m"),
        ("/set theme x\x1b[m\ny", "! x␛[m␊y is no value for theme"),
        ("/editor", "! no editor"),
        ("/retry", "! nothing in #lobby failed: all you said was sent"),
        ("/connect http://x", "! "),
    ],
)
async def test_what_cannot_be_is_an_error(place: Path, line: str, shown: str) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        (told,) = await ann.type(line)
        assert told.startswith(shown)
        assert not there(place)
        assert not ann.configured


async def test_what_cannot_be_kept_counts_until_the_end(place: Path) -> None:
    write(place, "no directory")
    async with serve() as server, facing(server.addresses[0]) as ann:
        (told,) = await ann.type("/mouse")
        assert told.startswith("! cannot make the directory")
        assert told.endswith("it counts until you leave")
        assert ann.settings.mouse


async def test_damaged_file_is_left_as_it_is(place: Path) -> None:
    write(place / "client.set.toml", "theme = = 1\n")
    async with serve() as server, facing(server.addresses[0]) as ann:
        for line in ("/mouse on", "/ignore bob"):
            (told,) = await ann.type(line)
            assert "client.set.toml:1: not TOML" in told
            assert told.endswith(" – it counts until you leave")
        assert ann.settings.ignore == ("bob",)
        assert (place / "client.set.toml").read_text() == "theme = = 1\n"
        shown = await ann.type("/set")
        assert "client.set.toml:1: not TOML" in shown[0]
        assert "mouse = true" in shown


async def test_what_is_chosen_beside_a_file_that_is_read_alone_is_not_kept(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place / "client.toml", 'theme = "dark"\n')
    alone = place / "alone.toml"
    alone.write_text('theme = "light"\n')
    monkeypatch.setattr(configuration, "alone", alone)
    async with serve() as server, facing(server.addresses[0], theme="light") as ann:
        assert f"theme = light  ({alone}:1)" in await ann.type("/set")
        until_then = f"it counts until you leave: --config {alone}"
        assert await ann.type("/set theme auto") == [until_then, "theme = auto"]
        assert (await ann.type("/ignore bob"))[0] == until_then
        assert await ann.type("/set theme default") == ["theme = light"]
        assert ann.settings.ignore == ("bob",)
        assert not there(place / "client.set.toml")


async def test_what_clients_choose_at_the_same_time_is_all_kept(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        async with facing(server.addresses[0], "bob") as bob:
            await ann.type("/ignore aaa")
            await bob.type("/ignore bbb")
            await ann.type("/highlight deploy")
            await bob.type("/highlight outage")
            await bob.type("/join #ops")
            await until(lambda: bob.model.room_by_name("#ops"))
            await ann.type("/notify all")
            await bob.type("/notify none")
            assert kept(place) == {
                "ignore": ["aaa", "bbb"],
                "highlight": ["deploy", "outage"],
                "notify_rooms": {"#lobby": "all", "#ops": "none"},
            }
            assert bob.settings.ignore == ("bbb",)
            await ann.type("/unignore aaa")
            await bob.type("/unhighlight OUTAGE")
            await ann.type("/notify mentions")
            assert kept(place) == {
                "ignore": ["bbb"],
                "highlight": ["deploy"],
                "notify_rooms": {"#ops": "none"},
            }


# --- what was typed, shown ----------------------------------------------------------------


def harmless(lines: list[str]) -> bool:
    return all(visible(line) == line and "\t" not in line for line in lines)


HEADS = (
    *("/ignore", "/unignore", "/highlight", "/unhighlight", "/theme", "/mouse", "/notify", "/dnd"),
    *("/set", *(f"/set {name}" for name in SETTINGS)),
)
TYPED = st.one_of(
    st.text(max_size=20),
    st.text(st.sampled_from("ab,=#%\x1b\a\n\t\x7f\x9b\u202e\u200b\U000e0041\ud800"), max_size=8),
)


async def test_whatever_is_typed_no_control_character_is_shown(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:

        @hypothesis.settings(max_examples=200, deadline=None)
        @given(st.sampled_from(HEADS), TYPED)
        def try_it(head: str, typed: str) -> None:
            """In a loop of its own, on a thread, as Hypothesis can't await."""
            before = len(ann.lines)
            for line in (f"{head} {typed}", head, "/set"):
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(asyncio.run, ann.type(line)).result()
            # The screens split what they are shown into lines.
            assert harmless(ann.lines[before:])

        try_it()


async def test_what_is_in_a_file_is_shown_with_its_control_characters_spelt_out(
    place: Path,
) -> None:
    hostile: dict[str, Any] = {
        "editor": "vi\x1b]0;x\a\n/quit",
        "notify_command": "a\tb\x9b",
        "highlight": ("w\x1bz",),
        "ignore": ("\u202ebob",),
    }
    async with serve() as server, facing(server.addresses[0], **hostile) as ann:
        shown = [*await ann.type("/set"), *await ann.type("/highlight"), *await ann.type("/ignore")]
        for name in hostile:
            shown += await ann.type(f"/set {name}")
        assert harmless(shown)
        assert "editor = vi␛]0;x␇␊/quit  (the command line)" in shown
        # What is there stays there: only what is new is refused.
        assert await ann.type("/highlight ok") == ["words that count as a mention: ann, w␛z, ok"]
        await ann.type("/unhighlight w\x1bz")
        assert ann.settings.highlight == ("ok",)


async def test_the_mouse_is_switched(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        assert await ann.type("/mouse") == ["the mouse scrolls and clicks – /mouse off ends it"]
        assert await ann.type("/mouse") == ["the mouse selects text – /mouse on ends it"]
        assert await ann.type("/mouse OFF") == ["the mouse selects text – /mouse on ends it"]
        assert kept(place) == {"mouse": False}
        assert await ann.type("/theme") == ["theme: auto"]


async def test_who_is_ignored_stays_ignored_under_another_nick(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        async with sitting(server.addresses[0], "bob") as bob:
            room = lobby(ann.session)
            assert await ann.type("/ignore BOB") == [
                "you see no messages of BOB – /unignore BOB ends it"
            ]
            bob.submit(1, "ann: one")
            await until(lambda: room.seq and room.lines[-1].text == "ann: one")
            assert ann.model.ignores(room.lines[-1])  # type: ignore[arg-type]
            assert not ann.model.alerts
            await bob.change_nick("rob")
            await until(lambda: any(one.nick == "rob" for one in room.members.values()))
            bob.submit(1, "ann: two")
            await until(lambda: room.lines[-1].text == "ann: two")
            assert ann.model.ignores(room.lines[-1])  # type: ignore[arg-type]
            assert await ann.type("/ignore") == ["ignored: BOB (now rob)"]
            await ann.type("/ignore bob")
            assert list(ann.settings.ignore) == ["BOB"]
            await ann.type("/unignore rob")
            assert list(ann.settings.ignore) == []
            assert not ann.model.ignores(room.lines[-1])  # type: ignore[arg-type]
            bob.submit(1, "ann: three")
            await until(lambda: ann.model.alerts)
            assert ann.model.alerts[-1].entry.text == "ann: three"
            assert await ann.type("/ignore") == ["ignored: nobody"]


async def test_words_are_highlighted(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        assert await ann.type("/highlight deploy") == ["words that count as a mention: ann, deploy"]
        assert ann.model.interest.among("a Deploy!")
        assert kept(place) == {"highlight": ["deploy"]}
        await ann.type("/unhighlight DEPLOY")
        assert not ann.model.interest.among("a Deploy!")


async def said(face: ListFace, text: str) -> list[str]:
    """What asks for attention once that was said by somebody else."""
    async with sitting(face.session.address, "bob") as bob:
        bob.submit(1, text)
        await until(lambda: any(line.text == text for line in lobby(face.session).lines))
    return [alert.entry.text for alert in face.model.alerts]


async def test_how_loud_a_room_is(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        assert await ann.type("/notify") == ["#lobby: mentions, mentions ask for attention"]
        assert await said(ann, "one") == []
        assert await ann.type("/notify ALL") == ["#lobby: all, every message asks for attention"]
        assert kept(place) == {"notify_rooms": {"#lobby": "all"}}
        assert await said(ann, "two") == ["two"]
        await ann.type("/notify none")
        assert await said(ann, "ann: three") == ["two"]
        await ann.type("/notify mentions")
        assert kept(place) == {"notify_rooms": {}}
        assert load(ClientSettings, flags={})[0].notify_rooms == ()
        assert await said(ann, "ann: four") == ["two", "ann: four"]
        await ann.type("/set notify off")
        assert (await ann.type("/notify"))[0].endswith("but notify is off: /set notify auto")


async def test_not_to_be_disturbed(place: Path) -> None:
    async with serve() as server, facing(server.addresses[0]) as ann:
        assert (await ann.type("/dnd"))[0].startswith("messages may ask for attention")
        (shown,) = await ann.type("/dnd 30m")
        assert shown.startswith("nothing asks for attention until ")
        assert await said(ann, "ann: one") == []
        await ann.type("/theme dark")  # which changes nothing of it
        assert await said(ann, "ann: two") == []
        assert await ann.type("/dnd") == [shown]
        await ann.type("/dnd off")
        assert await said(ann, "ann: three") == ["ann: three"]
        assert kept(place) == {"theme": "dark"}
