"""`transcript`: a file is whole or absent, holds what was said, and nothing that hides."""

import errno
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcchat.entries import Entry
from ipcchat.errors import EXIT_RUNTIME, FileError
from ipcchat.text import visible
from ipcchat.transcript import Transcript, as_json, as_text, default_name, summary, write

NINE = int(datetime(2026, 11, 20, 9, 2, 11, 123_000, tzinfo=UTC).timestamp() * 1000)
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def entry(
    seq: int = 1,
    text: str = "hi",
    *,
    nick: str = "ann",
    kind: str = "message",
    style: str = "",
    at: int = NINE,
) -> Entry:
    return Entry(
        room=2,
        seq=seq,
        time=at,
        by=7,
        nick=nick,
        kind=kind,
        draft=f"{seq:032x}",
        text=text,
        style=style,
    )


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# --- one entry ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (entry(), "09:02 <ann> hi"),
        (entry(text="one\n\ttwo"), "09:02 <ann> one\n      \ttwo"),
        (entry(text="waves", style="me"), "09:02 * ann waves"),
        (entry(text="Week 9", kind="topic"), "09:02 -- ann set the topic: Week 9"),
        (entry(text="", kind="topic"), "09:02 -- ann cleared the topic"),
        (entry(text="#lab", kind="create"), "09:02 -- ann made #lab"),
        (entry(text="#new", kind="rename"), "09:02 -- ann renamed the room to #new"),
        (entry(text="bob: too loud", kind="kick"), "09:02 -- ann removed bob: too loud"),
        (entry(text="", kind="create"), "09:02 -- ann made this room for two"),
        (entry(text="", kind="join"), "09:02 -- ann came in"),
        (entry(text="", kind="part"), "09:02 -- ann left"),
        (entry(text="bob", kind="invite"), "09:02 -- ann invited bob"),
        (entry(text="bob", kind="uninvite"), "09:02 -- ann took back the invitation of bob"),
        (entry(text="x", kind="edit"), "09:02 -- ann: x (edit)"),
        (entry(text="", kind="gone"), "09:02 -- ann (gone)"),
        (entry(text="a\x1b]0;b\u202ec"), "09:02 <ann> a␛]0;b\\u202ec"),
        (entry(nick="a\n09:03 <bob>", text="x"), "09:02 <a␊09:03 <bob>> x"),
        (entry(at=-5), "00:00 <ann> hi"),
        (entry(at=2**53 - 1), "00:00 <ann> hi"),
    ],
)
def test_text(given: Entry, line: str) -> None:
    assert as_text(given) == line


def test_text_has_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-5:30")
    time.tzset()
    assert as_text(entry()) == "14:32 <ann> hi"
    assert as_text(entry(text="a\nb"), "%H:%M:%S") == "14:32:11 <ann> a\n         b"
    assert json.loads(as_json(entry(), "#lab"))["time"] == "2026-11-20T09:02:11.123Z"


def test_json() -> None:
    assert json.loads(as_json(entry(3, "hi\nü"), "#lobby")) == {
        "room": "#lobby",
        "seq": 3,
        "time": "2026-11-20T09:02:11.123Z",
        "nick": "ann",
        "by": 7,
        "kind": "message",
        "draft": "00000000000000000000000000000003",
        "text": "hi\nü",
    }
    assert list(json.loads(as_json(entry(), "#lobby"))) == [
        *("room", "seq", "time", "nick", "by", "kind", "draft", "text")
    ]
    assert json.loads(as_json(entry(style="me"), "#lobby"))["style"] == "me"
    assert "ü" in as_json(entry(text="ü"), "#lobby")
    assert json.loads(as_json(entry(at=2**53 - 1), "#x"))["time"].startswith("9999-01-01")


@given(st.text(), st.text())
def test_json_keeps_the_text_and_shows_nothing_raw(text: str, nick: str) -> None:
    line = as_json(entry(text=text + "\x7f", nick=nick), "#lab")
    found = json.loads(line)
    assert (found["text"], found["nick"]) == (text + "\x7f", nick)
    assert visible(line) == line
    assert "\n" not in line


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_text_never_ends_its_line_early(text: str, nick: str) -> None:
    lines = as_text(entry(text=text, nick=nick)).split("\n")
    assert all(line.startswith("      ") for line in lines[1:])
    assert len(lines) == text.count("\n") + 1
    "\n".join(lines).encode()


# --- files --------------------------------------------------------------------------------

TALK = [
    entry(1, "#lab", kind="create", at=NINE - DAY),
    entry(2, "first", at=NINE),
    entry(3, '<b>bold</b> & "quoted"', nick="b&b", at=NINE + MINUTE),
    entry(7, "waves", style="me", at=NINE + 2 * MINUTE),
    entry(9, "می\u200cخواهم\nand 👨\u200d👩\u200d👧", at=NINE + 3 * MINUTE),
]


def test_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "lab.txt"
    said = write(path, TALK, "#lab")
    assert said == f"saved 4 messages of #lab, 09:02–09:05, to {path}"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"#lab, saved .* \(UTC\+0000\); times are local", head)
    assert lines == [
        "",
        "--- Thu 19 Nov 2026 ---",
        "09:02 -- ann made #lab",
        "",
        "--- Fri 20 Nov 2026 ---",
        "09:02 <ann> first",
        '09:03 <b&b> <b>bold</b> & "quoted"',
        "... entries 4–6 are not in this file ...",
        "09:04 * ann waves",
        "... entry 8 is not in this file ...",
        "09:05 <ann> می\u200cخواهم",
        "      and 👨\u200d👩\u200d👧",
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["lab.txt"]


def test_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "lab.JSON"
    write(path, TALK, "#lab")
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line.get("seq") for line in found] == [1, 2, 3, None, 7, None, 9]
    assert found[3] == {"room": "#lab", "kind": "gap", "from": 4, "to": 6}
    assert found[1] == json.loads(as_json(TALK[1], "#lab"))


class Page(HTMLParser):
    """What a browser would make of it: tags that open and close, and what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_an_html_file(tmp_path: Path) -> None:
    path = tmp_path / "lab.html"
    write(path, [*TALK, entry(10, "<script>alert(1)</script>\x1b", nick="<i>")], "#<lab>")
    content = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(content)
    page.close()
    assert page.open == []
    assert "script" not in page.tags
    assert "default-src 'none'" in content
    assert "light dark" in content
    for shown in (
        "#<lab>",
        '09:03 b&b <b>bold</b> & "quoted"',
        "entries 4–6 are not",
        "<script>alert(1)</script>␛",
        "* ann waves",
        "Fri 20 Nov 2026",
        "می\u200cخواهم\nand",
    ):
        assert shown in page.shown


def test_a_file_that_begins_late_says_so(tmp_path: Path) -> None:
    write(tmp_path / "x", [entry(1200), entry(1201)], "#lab")
    assert "... entries 1–1,199 are not in this file ...\n" in (tmp_path / "x").read_text()


def test_an_empty_room(tmp_path: Path) -> None:
    assert write(tmp_path / "x.json", [], "#lab") == (
        f"saved 0 messages of #lab to {tmp_path / 'x.json'}"
    )
    assert (tmp_path / "x.json").read_bytes() == b""


def test_many_entries_stream(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with Transcript(path, "#lab") as transcript:
        for start in range(1, 10_001, 1000):
            transcript.extend(entry(n, "x" * 100) for n in range(start, start + 1000))
        part = next(tmp_path.iterdir())
        assert part.name.startswith(".ipcchat-")
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        assert part.stat().st_size > 500_000
        assert not path.exists()
        transcript.commit()
    assert transcript.messages == 10_000
    assert len(path.read_text().splitlines()) == 10_003
    assert names(tmp_path) == ["big.txt"]


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "x.txt", "#lab")
    transcript.add(entry())
    transcript.abort()
    transcript.abort()
    assert names(tmp_path) == []

    def broken() -> Iterator[Entry]:
        yield entry()
        raise RuntimeError("the connection is gone")

    with pytest.raises(RuntimeError):
        write(tmp_path / "x.txt", broken(), "#lab")
    assert names(tmp_path) == []


# --- what can go wrong --------------------------------------------------------------------


def refused(path: Path, *, force: bool = False) -> str:
    with pytest.raises(FileError) as caught:
        write(path, TALK, "#lab", force=force)
    assert caught.value.exit_code == EXIT_RUNTIME
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lab.txt"
    path.write_text("mine")
    assert refused(path) == f"cannot write {path}: the file exists"
    assert path.read_text() == "mine"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert refused(tmp_path / "dangling").endswith("the file exists")
    assert names(tmp_path) == ["dangling", "lab.txt"]


def test_force_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "lab.txt"
    path.write_text("old")
    path.chmod(0o644)
    write(path, TALK, "#lab", force=True)
    assert "first" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["lab.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        without_links(monkeypatch)
    path = tmp_path / "lab.txt"
    with Transcript(path, "#lab") as transcript:
        transcript.extend(TALK)
        path.write_text("theirs")
        with pytest.raises(FileError, match="the file exists"):
            transcript.commit()
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["lab.txt"]


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system such as FAT, which has no hard links."""

    def no(_: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(target))

    monkeypatch.setattr(Path, "hardlink_to", no)


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_links(monkeypatch)
    path = tmp_path / "lab.txt"
    write(path, TALK, "#lab")
    assert "first" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["lab.txt"]


def test_a_part_that_vanishes_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    transcript = Transcript(tmp_path / "lab.txt", "#lab")
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(FileError):
        transcript.commit()
    assert names(tmp_path) == []


def test_places_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    assert refused(tmp_path / "dir").endswith("it is a directory")
    assert refused(tmp_path / "dir", force=True).endswith("it is a directory")
    assert refused(Path()).endswith("it is a directory")
    assert refused(tmp_path / "none" / "x.txt").endswith("no such directory")
    assert refused(tmp_path / "file" / "x.txt").endswith("no such directory")
    assert refused(tmp_path / ("x" * 300)).endswith("the name is too long")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(FileError, match="not a regular file"):
            write(path, TALK, "#lab", force=True)
    with pytest.raises(FileError, match="a␀b: not a file name"):
        write(tmp_path / "a\0b", TALK, "#lab")
    assert names(tmp_path) == before


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write everywhere: the file system is asked as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o555)
        with nobody():
            assert refused(Path(name) / "x.txt").endswith("x.txt: no permission")
        Path(name).chmod(0o700)
        assert names(Path(name)) == []


LIMITED = """
import resource, sys
from pathlib import Path
from ipcchat.entries import Entry
from ipcchat.errors import FileError
from ipcchat.transcript import write

# Large enough to begin, too small to end: the kernel refuses in the middle of the file.
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
entries = (
    Entry(room=1, seq=n, time=n, by=1, nick="ann", kind="message", draft="", text="x" * 1000)
    for n in range(1, int(sys.argv[2]))
)
try:
    write(Path(sys.argv[1]), entries, "#lab")
except FileError as error:
    print(f"{error}\\n  {error.hint}")
"""


@pytest.mark.parametrize("count", [397, 2000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, count: int) -> None:
    path = tmp_path / "lab.txt"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(count)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == (
        f"cannot write {path}: the file would be too large\n  raise the limit (ulimit -f)\n"
    )
    assert done.stderr == ""
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EIO, "input/output error"),
    ],
)
def test_a_disk_that_refuses_to_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def no(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", no)
    with pytest.raises(FileError, match=f"cannot write .*lab.txt: {words}$"):
        write(tmp_path / "lab.txt", TALK, "#lab")
    assert names(tmp_path) == []


# --- names and words ----------------------------------------------------------------------


def test_default_names(tmp_path: Path) -> None:
    day = date(2026, 11, 20)
    assert default_name("#lab", day, tmp_path) == tmp_path / "lab-2026-11-20.txt"
    (tmp_path / "lab-2026-11-20.txt").touch()
    assert default_name("#lab", day, tmp_path).name == "lab-2026-11-20-2.txt"
    (tmp_path / "lab-2026-11-20-2.txt").symlink_to("nowhere")
    assert default_name("#lab", day, tmp_path).name == "lab-2026-11-20-3.txt"
    assert default_name("#c++:x\\y", day, tmp_path).name == "c---x-y-2026-11-20.txt"
    assert default_name("#Straße", day, tmp_path).name == "Straße-2026-11-20.txt"
    assert default_name("#😀", day, tmp_path).name == "room-2026-11-20.txt"


@given(st.text(st.characters(codec=None), max_size=80))
def test_default_names_are_names_of_files(room: str) -> None:
    directory = Path("/nonexistent")
    path = default_name(room, date(2026, 11, 20), directory)
    assert path.parent == directory
    assert not path.name.startswith((".", "-"))
    assert len(path.name.encode()) <= 255
    assert visible(path.name) == path.name


def test_summaries() -> None:
    end = NINE + 160 * MINUTE
    path = Path("PATH")
    assert summary("#lab", 1204, NINE, end, path) == (
        "saved 1,204 messages of #lab, 09:02–11:42, to PATH"
    )
    assert summary("#lab", 1, NINE, NINE, path) == "saved 1 message of #lab, 09:02, to PATH"
    assert summary("#lab", 0, 0, 0, path) == "saved 0 messages of #lab to PATH"
    assert summary("#lab", 2, NINE, NINE + DAY, path) == (
        "saved 2 messages of #lab, 20 Nov 2026 09:02–21 Nov 2026 09:02, to PATH"
    )
