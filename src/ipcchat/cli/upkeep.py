"""`ipcchat-server backup`, `restore`, `export`, `check`, `reindex`: care of a server's history."""

import argparse
from pathlib import Path
from typing import Any

from ipcchat.cli import run
from ipcchat.cli.control import data_of
from ipcchat.errors import EXIT_RUNTIME
from ipcchat.files import WholeFile, shown
from ipcchat.journal import upkeep
from ipcchat.settings import ServerSettings
from ipcchat.transcript import as_json

__all__ = ["COMMANDS", "add"]

PROGRAM = "ipcchat-server"
_EXAMPLES = {
    "backup": """\
  ipcchat-server backup /backups/chat-$(date +%F).sqlite
""",
    "restore": """\
  ipcchat-server restore /backups/chat-2026-11-20.sqlite --data ./talk
""",
    "export": """\
  ipcchat-server export | jq -r 'select(.room == "#ops") | .text'
  ipcchat-server export everything.json
""",
    "check": """\
  ipcchat-server check --data ./talk
""",
    "reindex": """\
  ipcchat-server reindex --data ./talk
""",
}
_ABOUT = {
    "backup": (
        "copy the history to a file, while the server runs or not",
        "Copies the whole history, as it is at this moment, to a new file. A server that runs "
        "goes on. The file is complete and checked, or is not there.",
    ),
    "restore": (
        "put a backup in place of the history",
        "Puts a backup in place of the history, which is kept under another name. Clients are "
        "told that the history is another one. No server may run on the data.",
    ),
    "export": (
        "print every entry of the public rooms as JSON",
        "Prints every entry of every public room, one JSON object a line, in the shape of "
        "`ipcchat-client tail --json`. Direct messages and private rooms are left out; whoever "
        "has the history's file, or a backup, can read them.",
    ),
    "check": (
        "look for damage in the history",
        "Looks at every page, index and number of the history. Exit code 0: it is sound; 1: it "
        "is not, and what is wrong is printed.",
    ),
    "reindex": (
        "make the index for search anew",
        "Makes the index that search uses anew, from the history. No server may run on the data; "
        "one mends what it lacks by itself.",
    ),
}


def add(commands: Any) -> None:
    """The subcommands' arguments."""
    for name, (help, about) in _ABOUT.items():
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=help, about=about, examples=_EXAMPLES[name]
        )
        if name in ("backup", "restore"):
            made.add_argument("file", type=Path, metavar="FILE")
        elif name == "export":
            made.add_argument(
                "file", type=Path, nargs="?", metavar="FILE", help="(default: standard output)"
            )
        if name in ("backup", "export"):
            made.add_argument("--force", action="store_true", help="over a file that exists")
        run.add_data(made)


def _backup(settings: ServerSettings, options: argparse.Namespace) -> int:
    made = upkeep.backup(data_of(settings), options.file, force=options.force)
    run.show(f"backed up {made} to {shown(made.path)}\n")
    return 0


def _restore(settings: ServerSettings, options: argparse.Namespace) -> int:
    made = upkeep.restore(data_of(settings), options.file)
    before = f"; what was there before is in {shown(made.aside)}" if made.aside else ""
    run.show(f"restored {made} as a new history{before}\n")
    return 0


def _export(settings: ServerSettings, options: argparse.Namespace) -> int:
    entries = upkeep.export(data_of(settings))
    if options.file is None:
        for room, entry in entries:
            run.show(as_json(entry, room) + "\n", flush=False)
        run.show()
        return 0
    upkeep.refuse_own(data_of(settings), options.file)
    count = 0
    with WholeFile(options.file, force=options.force) as file:
        for room, entry in entries:
            file.put(as_json(entry, room) + "\n")
            count += 1
        file.commit()
    run.show(f"exported {count:,} entries to {shown(options.file)}\n")
    return 0


def _check(settings: ServerSettings, options: argparse.Namespace) -> int:
    found, wrong = upkeep.check(data_of(settings))
    if not wrong:
        run.show(f"sound: {found}\n")
        return 0
    lines = "".join(f"  {line}\n" for line in wrong)
    run.show(f"damaged: {shown(found.path)}\n{lines}")
    return EXIT_RUNTIME


def _reindex(settings: ServerSettings, options: argparse.Namespace) -> int:
    from ipcchat.search.rebuild import reindex

    count = reindex(data_of(settings), lambda line: run.say(PROGRAM, line))
    run.show(f"indexed {count:,} entries\n")
    return 0


COMMANDS = {
    "backup": _backup,
    "restore": _restore,
    "export": _export,
    "check": _check,
    "reindex": _reindex,
}
