"""Configuration: where settings come from, and the flags and the page made of their table.

The rules of this file:

- Layers, highest first: flags, `--set KEY=VALUE`, environment `IPCCHAT_KEY`, file, default. The
  file is `--config FILE`, else what `/set` kept (`client.set.toml`), filled in by the user's
  `server.toml` or `client.toml`, and that by the one in `/etc/ipcchat`. Nothing is read from the
  current directory.
- An unknown key in a file or the environment is a warning with a suggestion; an unknown key in
  `--set` and a bad value anywhere raise `SettingError`, naming where it came from.
- `python -m ipcchat.configuration` prints `docs/settings.md`; a test compares them.
"""

import argparse
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from ipcchat import paths
from ipcchat.errors import FileError, SettingError
from ipcchat.files import WholeFile
from ipcchat.settings import TABLES, ClientSettings, Row, ServerSettings, Table, rows
from ipcchat.text import visible

__all__ = ["add_flags", "alone", "alter", "document", "keep", "kept", "load", "origins"]

S = TypeVar("S", ServerSettings, ClientSettings)

_PREFIX = "IPCCHAT_"
_ALERT = "IPCCHAT_ALERT_"
"""So begin the variables that a notify command is told by, which may run a program of ours."""

alone: Path | None = None
"""The client's file of `--config`: set where the arguments are read, and never again. While there
is one, later starts like this one do not read what `keep` writes."""

# --- reading ------------------------------------------------------------------------------

Given = tuple[str, object, str]
"""A key, its value as given, and where it came from."""


def load(
    table: type[S],
    *,
    flags: Mapping[str, object],
    sets: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    config: Path | None = None,
) -> tuple[S, list[str]]:
    """The settings, and warnings to be shown, one line each.

    `flags`: by setting name; None and names that are no settings count as not given. `sets`:
    `KEY=VALUE`. `config`: the only file to read, which must exist. Raises SettingError.
    """
    known = {row.name: row for row in rows(table)}
    warnings: list[str] = []
    layers = _lasting(table, known, environ, config, warnings)
    layers.append(_from_sets(sets, known))
    layers.append((name, flags.get(name), f"--{name.replace('_', '-')}") for name in known)
    given = _checked(layers, known)
    return table(**{name: value for name, (value, _) in given.items()}), warnings


def origins(
    settings: ServerSettings | ClientSettings,
    environ: Mapping[str, str],
    config: Path | None = None,
) -> dict[str, str]:
    """Where each value comes from that is not the default: `client.toml:3`, `IPCCHAT_THEME`, …; as
    the files are now. `config`: the only file that was read. Raises SettingError."""
    table = type(settings)
    known = {row.name: row for row in rows(table)}
    given = _checked(_lasting(table, known, environ, config, []), known)
    found: dict[str, str] = {}
    for name, row in known.items():
        value = getattr(settings, name)
        if value != row.default:
            there, origin = given.get(name, (row.default, ""))
            found[name] = origin if there == value else "the command line"
    return found


def _lasting(
    table: Table,
    known: Mapping[str, Row],
    environ: Mapping[str, str],
    config: Path | None,
    warnings: list[str],
) -> list[Iterator[Given]]:
    """What counts at every start, lowest first."""
    places = reversed(paths.config_dirs(environ))
    files = [config] if config else [place / f"{table.program}.toml" for place in places]
    if not config and table is ClientSettings:
        files.append(_kept_file(environ))
    layers = [_from_file(path, bool(config), known, warnings) for path in files]
    return [*layers, _from_environment(environ, known, warnings)]


def _checked(
    layers: Sequence[Iterator[Given]], known: Mapping[str, Row]
) -> dict[str, tuple[Any, str]]:
    """The values and where they came from, of layers that are given lowest first."""
    values: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        for name, value, origin in layer:
            if value is None:
                continue
            try:
                values[name] = known[name].parse(value), origin
            except ValueError as error:
                shown = _line(_written(value))
                raise SettingError(f"{origin}: {shown!r} is no value for {name}; {error}") from None
    return values


def _line(s: str) -> str:
    """Foreign text as part of a line, which it can't end."""
    return visible(s).translate({0x09: "\u2409", 0x0A: "\u240a"})


def _written(value: object) -> str:
    """A value that is none, as it was given or nearly so."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return str(value)
    except ValueError:  # an integer, in TOML's hexadecimal, of more digits than Python writes
        return "a number of thousands of digits"


def _from_file(
    path: Path, needed: bool, known: Mapping[str, Row], warnings: list[str]
) -> Iterator[Given]:
    text, found = _read(path, needed=needed)
    for key, value in found.items():
        name = key.replace("-", "_")
        at = re.search(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(key)}\b", text, re.MULTILINE)
        origin = f"{path}:{text.count(chr(10), 0, at.start()) + 1}" if at else str(path)
        if name in known:
            yield name, value, origin
        else:
            warnings.append(f"{origin}: unknown setting {_line(key)}{_suggestion(name, known)}")


def _read(path: Path, *, needed: bool) -> tuple[str, dict[str, Any]]:
    """A file's text, and what it says. Raises SettingError."""
    try:
        text = path.read_bytes().decode()
        import tomllib  # where there is a file

        return text, tomllib.loads(text)
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not needed:
            return "", {}
        reason = (error.strerror or str(error)).lower()
        raise SettingError(f"cannot read the settings {path}: {reason}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingError(f"{path}:{line}: the settings are not UTF-8") from None
    except RecursionError:
        raise SettingError(f"{path}: not TOML: it nests too deep") from None
    except ValueError as error:  # not TOMLDecodeError alone: an integer may have too many digits
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        reason = str(error)[: at.start()] if at else str(error)
        raise SettingError(f"{path}:{line}: not TOML: {_line(reason)}") from None


def _from_environment(
    environ: Mapping[str, str], known: Mapping[str, Row], warnings: list[str]
) -> Iterator[Given]:
    every = {_PREFIX + row.name.upper() for table in TABLES for row in rows(table)}
    mine = {_PREFIX + name.upper(): row for name, row in known.items()}
    for variable, value in environ.items():
        if variable in mine:
            yield _anywhere(mine[variable], variable).name, value, variable
        elif variable in every or variable.startswith(_ALERT):
            continue
        elif variable.startswith(_PREFIX):
            warnings.append(
                f"unknown setting {_line(variable)}{_suggestion(variable, mine, _PREFIX)}"
            )


def _from_sets(sets: Sequence[str], known: Mapping[str, Row]) -> Iterator[Given]:
    for given in sets:
        key, equals, value = given.partition("=")
        name = key.strip().replace("-", "_")
        if not equals:
            raise SettingError(f"--set {_line(given)}: write it as --set key=value")
        if name not in known:
            raise SettingError(f"--set: unknown setting {_line(key)}{_suggestion(name, known)}")
        yield _anywhere(known[name], f"--set {name}").name, value.strip(), f"--set {name}"


def _anywhere(row: Row, origin: str) -> Row:
    """Refuses a setting that counts in a file alone."""
    if row.file_only:
        raise SettingError(f"{origin}: this one counts in a configuration file alone")
    return row


def _suggestion(name: str, known: Mapping[str, Row], prefix: str = "") -> str:
    import difflib  # for mistakes alone

    names = [other.removeprefix(prefix) for other in known]
    close = difflib.get_close_matches(name.removeprefix(prefix), names, n=1, cutoff=0.7)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


# --- what /set keeps ----------------------------------------------------------------------


def kept(table: Table = ClientSettings, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What `/set` keeps, by name; unknown keys are left out. Reads a file. Raises SettingError."""
    known = {row.name: row for row in rows(table)}
    layer = _from_file(_kept_file(environ), False, known, [])
    return {name: value for name, (value, _) in _checked([layer], known).items()}


def keep(name: str, value: object, environ: Mapping[str, str] = os.environ) -> None:
    """Keeps a value of `ClientSettings` for every later start; None: it is kept no more. The other
    keys stay, those of other clients too. Reads and writes a file. Raises SettingError, FileError.
    """
    with _turn(environ) as path:
        _put(path, name, value)


def alter(
    name: str, change: Callable[[Any], object], environ: Mapping[str, str] = os.environ
) -> None:
    """The same for a value that follows from the one that is kept, which `change` gets (None where
    none is): what other clients kept meanwhile isn't lost. Raises SettingError, FileError."""
    known = {row.name: row for row in rows(ClientSettings) if row.name == name}
    with _turn(environ) as path:
        found = _checked([_from_file(path, False, known, [])], known)
        _put(path, name, change(found[name][0] if found else None))


@contextmanager
def _turn(environ: Mapping[str, str]) -> Iterator[Path]:
    """The file, while no other client of the user writes it."""
    path = _kept_file(environ)
    paths.private_dir(path.parent)
    try:
        directory = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"cannot keep the settings in {path.parent}: {reason}") from None
    try:
        with suppress(OSError):  # a file system without locks
            _lock(directory)
        yield path
    finally:
        os.close(directory)


def _put(path: Path, name: str, value: object) -> None:
    _, found = _read(path, needed=False)
    found = {key: old for key, old in found.items() if key.replace("-", "_") != name}
    if value is not None:
        table = any(row.table for row in rows(ClientSettings) if row.name == name)
        found[name] = dict(cast(Any, value)) if table else value
    lines = [f"{_key(key)} = {_toml(found[key])}\n" for key in sorted(found)]
    with WholeFile(path, force=True) as file:
        file.put(_KEPT + "".join(lines))
        file.commit()


def _kept_file(environ: Mapping[str, str]) -> Path:
    return paths.config_dirs(environ)[0] / "client.set.toml"


def _lock(file: int) -> None:
    """Until it is closed: clients of one user write one after the other."""
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(value[key])}" for key in value) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        import json

        plain = value.encode("utf-8", "replace").decode()  # lone surrogates
        return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | float):
        return str(value).lower()
    # Python writes no more than 4,300 decimal digits; more came from hexadecimal, without a sign.
    return hex(value) if isinstance(value, int) and abs(value) >= 10**4000 else str(value)


_KEPT = """\
# Written by ipcchat-client for /set, which removes a line, too: /set KEY default
# Comments are lost here; what is written by hand has its place in client.toml.

"""

# --- flags and documentation --------------------------------------------------------------


def add_flags(
    parser: argparse.ArgumentParser, table: Table, only: Sequence[str] | None = None
) -> None:
    """Adds the flags of the table (or of those rows only), `--set` and `--config`. All default to
    None or an empty list; their values are `load`'s to check: `load(…, flags=vars(args), …)`."""
    for row in rows(table):
        if only is not None and row.name not in only:
            continue
        flag = f"--{row.name.replace('_', '-')}"
        shown = row.show(row.default)
        help = (row.help + (f" (default: {shown})" if shown else "")).replace("%", "%%")
        metavar = "|".join(row.choices) or row.name.upper()
        if row.flag and row.kind == "yes or no":
            parser.add_argument(flag, action="store_true", default=None, help=row.help)
        elif row.flag:
            action = "append" if row.kind == "list" else "store"
            parser.add_argument(flag, action=action, metavar=metavar, help=help)
    settings = "any setting, as often as needed (see docs/settings.md)"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=settings)
    file = "the file to read settings from, alone"
    parser.add_argument("--config", type=Path, metavar="FILE", help=file)


def document() -> str:
    """`docs/settings.md`."""
    parts = [_PREFACE]
    for table in TABLES:
        parts.append(
            f"\n## ipcchat-{table.program}\n\n"
            "| name | type | unit | default | allowed | meaning |\n|---|---|---|---|---|---|\n"
        )
        for row in rows(table):
            shown = row.show(row.default)
            unit = {"s": "seconds"}.get(row.unit, row.unit)
            name = f"`{row.name}`" + (f" `--{row.name.replace('_', '-')}`" if row.flag else "")
            name += " `/set`" * row.live
            cells = (name, row.kind, unit, f"`{shown}`" if shown else "", row.allowed, row.help)
            parts.append(f"| {' | '.join(cells)} |\n".replace("  ", " "))
    return "".join(parts)


_PREFACE = """\
# Settings

<!-- Made from src/ipcchat/settings.py: python -m ipcchat.configuration > docs/settings.md -->

Each setting can be given in several places; the first that has it decides: a flag of its own, where
the table shows one; `--set name=value`; the environment, such as `IPCCHAT_LOG_LEVEL`; a file in
TOML; the default. The file is the one named by `--config`, alone; without that, the user's
`~/.config/ipcchat/server.toml` or `client.toml` (`$XDG_CONFIG_HOME`), and for what it leaves out,
the file of the same name in `/etc/ipcchat`. Nothing is read from the current directory. What is
chosen on the screen, with `/set` and the like, is kept in `client.set.toml` beside `client.toml`,
and comes before it; `/set` beside a name says that it can be chosen so.

An unknown name in a file or in the environment is a warning; an unknown name in `--set` and a bad
value anywhere end the program with exit code 78. A size is a number of bytes, or has a unit:
`64KiB`, `1M` (1024 × 1024), `2MB` (2,000,000). A duration is a number of seconds, or has a unit:
`500ms`, `45s`, `10m`, `1h`, `2d`. A list is a list in TOML, and separated by commas elsewhere. A
table is a table in TOML, such as `notify_rooms = {"#lab" = "all"}`, and elsewhere pairs that are
separated by commas: `#lab=all,#ops=none`.
"""

if __name__ == "__main__":
    print(document(), end="")
