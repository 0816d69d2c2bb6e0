"""`ipcchat-client search`: finds what was said, for people and for pipes, as grep does.

The rules of this file:

- A line of output is a message, the newest at the bottom; nothing but messages goes to standard
  output.
- The server gives the newest first, page by page. What was found is kept as the lines that will be
  printed, a page in one piece, until the last page is there.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from ipcchat.actions.query import Query, parse_query
from ipcchat.cli import run
from ipcchat.cli.streams import Writer
from ipcchat.client import intake, queries
from ipcchat.client.chat import Chat, connect
from ipcchat.clock import now
from ipcchat.configuration import add_flags
from ipcchat.entries import Entry
from ipcchat.errors import EXIT_OK, EXIT_RUNTIME, FileError, Refused, UsageError
from ipcchat.settings import ClientSettings
from ipcchat.text import check_nick
from ipcchat.transcript import as_json, as_text
from ipcchat.wire.messages import Search, SearchOk, Whois

__all__ = ["search"]

_EXAMPLES = """\
  ipcchat-client search printer broken
  ipcchat-client search backup --room '#ops' --from cron --after 2026-11-01
  ipcchat-client search 'backup in:#ops from:cron after:2026-11-01' --json | jq -r .text
"""
_LIMIT = 100
"""Messages that are printed unless another number is asked for."""
_PAGE = 100
"""Messages that are asked for at a time."""
_PATIENCE = 30.0
"""Seconds without a connection after which it is given up."""
_PAUSE = 0.1
"""Seconds, at least, before a server that had no time is asked again."""
_TIME = "%Y-%m-%d %H:%M"


@dataclass(slots=True)
class _Found:
    """What was found up to now; `pages` as it will be printed, the newest page first."""

    pages: list[str] = field(default_factory=list)
    count: int = 0
    more: bool = False
    """There are others beyond the limit."""
    cut: bool = False
    lag: int = 0


def search(program: str, arguments: Sequence[str]) -> int:
    """Runs the command; returns the exit code. Raises IpcchatError."""
    parser = run.Parser(
        f"{program} search",
        "Prints the messages that have all these words, the newest at the bottom. A word finds "
        "longer ones, too; from:NICK in:ROOM after:DATE before:DATE may stand among the words. "
        "Exit code 0: something was found; 1: nothing; 2: there is nothing to search for; "
        "69: no server; 75: the server went away; 77: refused.",
        _EXAMPLES,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="what the messages have")
    parser.add_argument("--room", dest="where", metavar="ROOM", help="in this one: #lab, or @bob")
    parser.add_argument("--from", dest="by", metavar="NICK", help="said by this one")
    parser.add_argument("--after", metavar="DATE", help="since then: 2026-11-01, today, 2h")
    parser.add_argument("--before", metavar="DATE", help="before then, likewise")
    parser.add_argument(
        "--limit", type=_number, metavar="N", help=f"the newest N; 0: all (default: {_LIMIT})"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as by tail")
    add_flags(parser, ClientSettings, ("server", "name", "plaintext"))
    options = parser.parse_intermixed_args(arguments)
    query = _query(options)
    settings = run.read_settings(program, ClientSettings, options)
    found = run.run(_search(settings, query, options))
    for note in _notes(found, limited=options.limit is not None):
        run.say(program, note)
    return EXIT_OK if found.count else EXIT_RUNTIME


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or more")
    return int(text)


def _query(options: argparse.Namespace) -> Query:
    """What is searched for: a flag says the same as the operator of its name.

    Raises TextError, UsageError.
    """
    typed = list(options.words)
    if options.by is not None:
        typed.append(f"from:{check_nick(options.by)}")
    if options.where is not None:
        typed.append(f"in:{run.check_target(options.where)}")
    for flag in ("after", "before"):
        if (time := getattr(options, flag)) is not None:
            if not time or " " in time:
                raise UsageError(f"--{flag}: {time!r} is no time", "such as 2026-11-01T14:00 or 7d")
            typed.append(f"{flag}:{time}")
    query = parse_query(" ".join(typed), now())
    if query == Query():
        raise UsageError("nothing to search for", "give words, or from:NICK, or after:DATE")
    return query


def _notes(found: _Found, *, limited: bool) -> list[str]:
    """What there is to know of a search besides what it found."""
    notes = []
    if found.more and not limited:
        notes.append(f"only the newest {found.count:,} are shown: --limit 0 shows all")
    if found.cut:
        notes.append("the server had no time to look everywhere: name a room, a day or more words")
    if found.lag:
        newest = "the newest message" if found.lag == 1 else f"the newest {found.lag:,} messages"
        notes.append(f"{newest} can't be found yet: search again in a moment")
    return notes


# --- asking -------------------------------------------------------------------------------


async def _search(settings: ClientSettings, query: Query, options: argparse.Namespace) -> _Found:
    if sys.stdout is None:
        raise FileError("cannot write the output: it is closed")
    chatting = connect(
        settings.server, name=settings.name, quiet=True, timeout=_PATIENCE, settings=settings
    )
    async with chatting as chat:
        found = await _find(chat, query, options)
    writer = Writer(1, "utf-8" if options.json else sys.stdout.encoding)
    try:
        for page in reversed(found.pages):
            await writer.write(page)
        await writer.flush()
    finally:
        await writer.close()
    return found


async def _find(chat: Chat, query: Query, options: argparse.Namespace) -> _Found:
    found = _Found()
    asked = await _request(chat, query)
    if asked is None:
        return found
    most = _LIMIT if options.limit is None else options.limit or sys.maxsize
    titles: dict[int, str] = {}
    while True:
        asked.limit = min(_PAGE, most - found.count)
        page = await _ask(chat, asked)
        items = [intake.clean_entry(entry) for entry in page.items][: asked.limit]
        for number in {entry.room for entry in items} - titles.keys():
            titles[number] = await _title(chat, number)
        lines = [_line(entry, titles[entry.room], as_data=options.json) for entry in items]
        found.pages.append("".join(reversed(lines)))
        found.count += len(items)
        found.cut = found.cut or page.cut
        found.lag = found.lag or page.lag
        found.more = page.next not in ("", asked.next)
        if not found.more or not items or found.count >= most:
            return found
        asked.next = page.next


async def _ask(chat: Chat, asked: Search) -> SearchOk:
    """A page, as soon as the server gives it: it has a limit of how fast one may ask."""
    while True:
        try:
            page: SearchOk = await chat.request(asked)
            return page
        except Refused as error:
            if error.code == "bad_query":
                raise UsageError(error.text, "give words of letters or digits") from None
            if error.code == "unknown_type":
                raise Refused(error.code, "this server has no search") from None
            if not error.retry:
                raise
            await asyncio.sleep(max(error.wait_ms / 1000, _PAUSE))


async def _request(chat: Chat, query: Query) -> Search | None:
    """What the server is asked; None: nothing was said between these two.

    Raises Refused (`no_room`, `no_account`).
    """
    room = 0
    if query.room:
        try:
            room = (await queries.find_room(chat.request, query.room)).room
        except Refused as error:
            if error.code != "no_room" or not query.room.startswith("@"):
                raise
            # A direct room is not made in order to be searched.
            await chat.request(Whois(0, query.room[1:]))
            return None
    return Search(0, query.words, room, query.nick, query.after, query.before)


async def _title(chat: Chat, number: int) -> str:
    """A room's shown name."""
    try:
        return (await queries.find_number(chat.request, number)).name
    except Refused as error:
        if error.code != "no_room":
            raise
        return f"#{number}"  # left, or put away, since it was found


def _line(entry: Entry, title: str, *, as_data: bool) -> str:
    """One line, whatever the entry has in it."""
    if as_data:
        return as_json(entry, title) + "\n"
    flat = replace(entry, text=entry.text.replace("\n", "\u240a"))
    return as_text(flat, f"{_TIME} {title.replace('%', '%%')}") + "\n"
