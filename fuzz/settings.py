"""Whatever a settings file, `--set` or the environment holds: reading gives settings whose values
have the table's types and lie within its limits, or raises SettingError with one line that is safe
to show; a row alone gives a value or raises ValueError."""

import dataclasses
import random
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from fuzz.payloads import spoil
from fuzz.strings import hostile
from fuzz.target import Target, require
from ipcchat.configuration import load
from ipcchat.errors import SettingError
from ipcchat.settings import TABLES, Row, rows
from ipcchat.text import visible

__all__ = ["Settings"]

Case = tuple[int, bytes, list[str], dict[str, str]]
"""Which table, the file, the `--set`s, the environment."""

_ROWS = tuple(rows(table) for table in TABLES)
_VALUES = (
    *("1", "0", "-1", "1.5", "64KiB", "1M", "2MB", "10m", "500ms", "45s", "1h", "2d", "true", "no"),
    *("999999999999999", "1e9", "nan", "inf", "", " ", "a,b", ",", "%H:%M", "%", "%999999999d"),
    *("debug", "auto", ":5555", "[::1]:6000", "unix:/s", "#lobby", "ann", "0x10", "１", "1_000"),
    *("9" * 5000, "1" * 15 + "d", "1" * 15 + "g"),
)
_LITERALS = (
    *("1", "0", "-1", "1.5", "nan", "inf", "-inf", "1e400", "true", "[]", "[1]", '["a"]', "{}"),
    *("1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "0xff", "0o7", "0b1", "1_000", '""'),
    *('"64KiB"', "'10m'", '"""\nx"""', "[[[[]]]]", "{a=1}", "[{a=[]}]", '"\\u0000"', '"\\u202e"'),
    *("9" * 5000, "0x" + "f" * 5000, "[" * 2000, "[" * 2000 + "]" * 2000, "{a=" * 500),
)


class Settings(Target):
    name = "settings"
    weight = 8

    def __enter__(self) -> "Settings":
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-settings-")
        self._path = Path(self._folder.name) / "settings.toml"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def make(self, chance: random.Random) -> Case:
        table = chance.randrange(len(TABLES))
        lines = [
            f"{self._name(table, chance)} = {self._literal(chance)}\n"
            for _ in range(chance.randrange(3))
        ]
        data = "".join(lines).encode("utf-8", "surrogatepass")
        if chance.random() < 0.3:
            data = spoil(data, chance)
        sets = [
            f"{self._name(table, chance)}={self._value(chance)}" for _ in range(chance.randrange(3))
        ]
        if chance.random() < 0.1:
            sets.append(hostile(chance, longest=3))
        environ = {
            f"IPCCHAT_{self._name(table, chance).upper()}": self._value(chance)
            for _ in range(chance.randrange(2))
        }
        return table, data, sets, environ

    def _name(self, table: int, chance: random.Random) -> str:
        kind = chance.random()
        if kind < 0.9:
            return chance.choice(_ROWS[table]).name
        return chance.choice(("", "listen-", "a.b", "[x]", hostile(chance, longest=2)))

    def _value(self, chance: random.Random) -> str:
        return chance.choice(_VALUES) if chance.random() < 0.8 else hostile(chance, longest=3)

    def _literal(self, chance: random.Random) -> str:
        if chance.random() < 0.8:
            return chance.choice(_LITERALS)
        return f'"{hostile(chance, longest=3)}"'

    def check(self, case: Case) -> None:
        index, data, sets, environ = case
        for row in _ROWS[index]:
            for value in (*(given.partition("=")[2] for given in sets), *environ.values()):
                try:
                    _allowed(row, row.parse(value))
                except ValueError as error:
                    _shown(str(error))
        self._path.write_bytes(data)
        try:
            table: Any = TABLES[index]
            found, warnings = load(table, flags={}, sets=sets, environ=environ, config=self._path)
        except SettingError as error:
            _shown(error.text)
            return
        for warning in warnings:
            _shown(warning)
        for field, row in zip(dataclasses.fields(found), _ROWS[index], strict=True):
            _allowed(row, getattr(found, field.name))


def _allowed(row: Row, value: Any) -> None:
    if row.kind in ("number", "size", "duration"):
        require(type(value) in (int, float), "no number", row.name, value)
        require(row.low is None or value >= row.low, "below its limit", row.name, value)
        require(row.high is None or value <= row.high, "over its limit", row.name, value)
    else:
        require(type(value) is type(row.default), "another type", row.name, value)
        chosen = [one for _, one in value] if row.table else [value]
        for one in chosen if row.choices else ():
            require(one in row.choices, "no choice", row.name, value)


def _shown(text: str) -> None:
    require("\n" not in text, "more than a line", text)
    require(visible(text) == text, "something invisible is shown", text)
