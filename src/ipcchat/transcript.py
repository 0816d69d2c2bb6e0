"""What a saved conversation looks like: text, NDJSON, HTML.

The rules of this file:

- A file is whole or absent (`files`). Nothing invisible is written: what may have come uncleaned
  is spelt out. JSON keeps such text exactly, as `\\u` escapes.
- Entries come in ascending order; a hole in their numbers is stated in its place.
- `as_text` and `as_json` make the lines of `tail` too, so that all agree.
"""

import html
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from ipcchat.entries import Entry
from ipcchat.facts import fact
from ipcchat.files import WholeFile, shown
from ipcchat.text import visible

__all__ = ["Transcript", "as_json", "as_text", "default_name", "summary", "write"]

_LAST_TIME = 253_370_764_800_000
"""Milliseconds at the start of the year 9999: a later time is a mistake or a trick."""


# --- one entry ----------------------------------------------------------------------------

_FLAT = {0x09: "\u2409", 0x0A: "\u240a"}


def _line(s: str) -> str:
    """A name as part of a line, which it can't end."""
    return visible(s).translate(_FLAT)


def _local(time: int) -> datetime:
    """A time in milliseconds as local time."""
    return datetime.fromtimestamp(min(max(time, 0), _LAST_TIME) / 1000, tz=UTC).astimezone()


def as_json(entry: Entry, room: str) -> str:
    """The entry as one line of JSON, without line end. `room`: its shown name."""
    time = datetime.fromtimestamp(min(max(entry.time, 0), _LAST_TIME) / 1000, tz=UTC)
    found: dict[str, str | int] = {
        "room": room,
        "seq": entry.seq,
        "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "nick": entry.nick,
        "by": entry.by,
        "kind": entry.kind,
        "draft": entry.draft,
        "text": entry.text,
    }
    if entry.style:
        found["style"] = entry.style
    return _dumps(found)


def _dumps(found: dict[str, str | int]) -> str:
    line = json.dumps(found, ensure_ascii=False)
    if visible(line) == line:
        return line
    return json.dumps(found).replace("\x7f", "\\u007f")


def as_text(entry: Entry, time_format: str = "%H:%M") -> str:
    """The entry for people, in local time, without line end: `09:02 <ann> hi`.

    Further lines of its text are indented.
    """
    time = _local(entry.time).strftime(time_format)
    body = visible(entry.text).replace("\n", "\n" + " " * (len(time) + 1))
    return f"{time} {_said(entry, body)}"


def _said(entry: Entry, body: str) -> str:
    nick = _line(entry.nick) or "the server"
    if entry.kind != "message":
        return f"-- {fact(_line(entry.kind), nick, body)}"
    return f"* {nick} {body}" if entry.style == "me" else f"<{nick}> {body}"


# --- formats ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Format:
    """How a file begins and ends, and what an entry, a hole and a new day look like in it."""

    entry: Callable[[Entry, str], str]
    gap: Callable[[int, int, str], str]
    head: Callable[[str], str] = lambda room: ""
    day: Callable[[datetime], str] = lambda time: ""
    foot: str = ""


def _gap_words(first: int, last: int) -> str:
    if first == last:
        return f"entry {first} is not in this file"
    return f"entries {first:,}–{last:,} are not in this file"


def _gap_json(first: int, last: int, room: str) -> str:
    return _dumps({"room": room, "kind": "gap", "from": first, "to": last}) + "\n"


def _zone() -> str:
    return datetime.now(UTC).astimezone().strftime("%a %d %b %Y %H:%M (UTC%z)")


def _html_head(room: str) -> str:
    return _HTML_HEAD.format(room=html.escape(_line(room)), saved=html.escape(_zone()))


def _html_entry(entry: Entry, _: str) -> str:
    time = _local(entry.time)
    body = visible(entry.text)
    if entry.kind == "message" and not entry.style:
        nick = f"<b><bdi>{html.escape(_line(entry.nick))}</bdi></b>"
        said = f"{nick} <span dir=auto>{html.escape(body)}</span>"
    else:
        said = f"<i dir=auto>{html.escape(_said(entry, body))}</i>"
    stamp = time.isoformat(timespec="seconds")
    return f'<p id="{entry.seq}"><time datetime="{stamp}">{time:%H:%M}</time> {said}</p>\n'


_HTML_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{room}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
p {{ margin: 0.2rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
h2, time, .gap {{ font-size: 0.85rem; opacity: 0.7; font-variant-numeric: tabular-nums; }}
h2, .gap {{ text-align: center; font-weight: normal; }}
</style>
</head>
<body>
<h1><bdi>{room}</bdi></h1>
<p class="gap">Saved {saved}. Times are local.</p>
"""

_TEXT = _Format(
    head=lambda room: f"{_line(room)}, saved {_zone()}; times are local\n",
    day=lambda time: f"\n--- {time:%a %d %b %Y} ---\n",
    entry=lambda entry, _: as_text(entry) + "\n",
    gap=lambda first, last, _: f"... {_gap_words(first, last)} ...\n",
)
_FORMATS = {
    ".json": _Format(entry=lambda entry, room: as_json(entry, room) + "\n", gap=_gap_json),
    ".html": _Format(
        head=_html_head,
        day=lambda time: f"<h2>{time:%a %d %b %Y}</h2>\n",
        entry=_html_entry,
        gap=lambda first, last, _: f'<p class="gap">{_gap_words(first, last)}</p>\n',
        foot="</body>\n</html>\n",
    ),
}


# --- files --------------------------------------------------------------------------------


class Transcript:
    """A file being written; `commit` puts it in place, `abort` (or leaving the `with`) undoes it.

    The format follows from the ending: `.json`, `.html`, else text. Every method may block on the
    disk: call them off the event loop. After a FileError nothing is left behind.
    """

    def __init__(self, path: Path, room: str, *, force: bool = False) -> None:
        self.path = path
        self.room = room
        """The room's shown name."""
        self.messages = 0
        """Entries of kind `message` so far."""
        self.first_time = self.last_time = 0
        """Of the first and the last message, in milliseconds."""
        self._format = _FORMATS.get(path.suffix.lower(), _TEXT)
        self._next = 1
        self._day: date | None = None
        self._file = WholeFile(path, force=force)
        self._file.put(self._format.head(room))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def add(self, entry: Entry) -> None:
        """Writes the next entry. Raises FileError."""
        put = self._file.put
        if entry.seq > self._next:
            put(self._format.gap(self._next, entry.seq - 1, self.room))
        self._next = entry.seq + 1
        time = _local(entry.time)
        if time.date() != self._day:
            self._day = time.date()
            put(self._format.day(time))
        put(self._format.entry(entry, self.room))
        if entry.kind == "message":
            self.first_time = self.first_time if self.messages else entry.time
            self.last_time = entry.time
            self.messages += 1

    def extend(self, entries: Iterable[Entry]) -> None:
        """Writes the next entries. Raises FileError."""
        for entry in entries:
            self.add(entry)

    def commit(self) -> None:
        """Puts the whole file in place, on disk. Raises FileError."""
        self._file.put(self._format.foot)
        self._file.commit()

    def abort(self) -> None:
        """Leaves nothing behind; without effect after `commit`."""
        self._file.abort()

    def summary(self) -> str:
        """One sentence for the user, after `commit`."""
        return summary(self.room, self.messages, self.first_time, self.last_time, self.path)


def write(path: Path, entries: Iterable[Entry], room: str, *, force: bool = False) -> str:
    """Writes a whole file and returns the sentence that says so. Raises FileError."""
    with Transcript(path, room, force=force) as transcript:
        transcript.extend(entries)
        transcript.commit()
    return transcript.summary()


def default_name(room: str, day: date, directory: Path) -> Path:
    """A name that is free in the directory: `lab-2026-11-20.txt`, then `lab-2026-11-20-2.txt`."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in room.removeprefix("#"))
    safe = kept.encode()[:100].decode(errors="ignore").strip("-.") or "room"
    path = directory / f"{safe}-{day.isoformat()}.txt"
    number = 2
    while path.exists() or path.is_symlink():
        path = directory / f"{safe}-{day.isoformat()}-{number}.txt"
        number += 1
    return path


def summary(room: str, messages: int, first: int, last: int, path: Path) -> str:
    """`saved 1,204 messages of #lab, 09:00–11:42, to PATH`; times in milliseconds."""
    start, end = _local(first), _local(last)
    count = f"{messages:,} message{'s' * (messages != 1)}"
    shape = "%H:%M" if start.date() == end.date() else "%d %b %Y %H:%M"
    span = f"{start.strftime(shape)}–{end.strftime(shape)}"
    span = span if messages > 1 else start.strftime(shape)
    between = f", {span}, to " if messages else " to "
    return f"saved {count} of {_line(room)}{between}{shown(path)}"
