"""Hostile payloads: messages from the wire's own tables, with one thing broken at a time.

Values follow from the fields' types, so that a new message or field is covered as soon as it is in
the table.
"""

import json
import random
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import msgspec
from msgspec import Struct, inspect

from fuzz.strings import WORDS, hostile
from ipcchat.wire import messages

__all__ = ["dumps", "frame", "from_server", "id_of", "message", "payload", "request", "spoil"]

Maker = Callable[[random.Random], Any]

_INTS = (0, 1, 2, 3, 100, 2**31, 2**53 - 1)
_WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**53,
    2**64,
    10**400,
    1.0,
    1.5,
    1e400,
    -0.0,
    float("nan"),
    "",
    "1",
    [],
    {},
    [[]],
    {"": None},
    "\ud800",
    "\x00",
    "a" * 20_000,
    ["x"] * 2_000,
)
_LENGTHS = (0, 1, 3, 4, 4096, 4097, 65536, 65537, 2**31, 2**32 - 1)
_DEEP = (b"[", b'{"a":', b'[{"type":')


# --- values by type -----------------------------------------------------------------------


def _int(info: inspect.IntType, chance: random.Random) -> int:
    return chance.choice(_INTS) if chance.random() < 0.9 else chance.randrange(2**53)


def _str(info: inspect.StrType, chance: random.Random) -> str:
    if info.pattern is not None:
        return f"{chance.getrandbits(128):032x}"
    if chance.random() < 0.5:
        return chance.choice(WORDS)
    return hostile(chance, longest=6)


def _list(item: Maker, chance: random.Random) -> list[Any]:
    return [item(chance) for _ in range(chance.randrange(4))]


def _dict(key: Maker, value: Maker, chance: random.Random) -> dict[str, Any]:
    return {str(key(chance)): value(chance) for _ in range(chance.randrange(4))}


def _union(kinds: list[Maker], chance: random.Random) -> Any:
    return chance.choice(kinds)(chance)


def _struct(
    tag: str, fields: list[tuple[str, bool, Maker]], chance: random.Random
) -> dict[str, Any]:
    made: dict[str, Any] = {"type": tag} if tag else {}
    for name, required, maker in fields:
        if required or chance.random() < 0.6:
            made[name] = maker(chance)
    return made


def _maker(info: inspect.Type) -> Maker:
    match info:
        case inspect.IntType():
            return partial(_int, info)
        case inspect.StrType():
            return partial(_str, info)
        case inspect.Metadata(extra_json_schema={"pattern": pattern}):
            return partial(_str, inspect.StrType(pattern=pattern))
        case inspect.BoolType():
            return lambda chance: chance.random() < 0.5
        case inspect.NoneType():
            return lambda chance: None
        case inspect.ListType() | inspect.VarTupleType():
            return partial(_list, _maker(info.item_type))
        case inspect.DictType():
            return partial(_dict, _maker(info.key_type), _maker(info.value_type))
        case inspect.UnionType():
            return partial(_union, [_maker(one) for one in info.types])
        case inspect.StructType():
            return _of(info.cls)
    raise TypeError(f"no values for {info!r}")


@cache
def _of(cls: type[Struct]) -> Maker:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields = [(field.encode_name, field.required, _maker(field.type)) for field in info.fields]
    return partial(_struct, str(info.tag) if info.tag is not None else "", fields)


_ASKED: tuple[type[Struct], ...] = tuple(messages.REQUESTS.values())
_TOLD: tuple[type[Struct], ...] = (
    *messages.EVENTS.values(),
    messages.Error,
    *dict.fromkeys(messages.REPLIES.values()),
)


def message(cls: type[Struct], chance: random.Random) -> dict[str, Any]:
    """A message of that type, each field as its type allows."""
    made: dict[str, Any] = _of(cls)(chance)
    return made


def request(chance: random.Random) -> dict[str, Any]:
    """What a client might say."""
    return message(chance.choice(_ASKED), chance)


def from_server(chance: random.Random) -> dict[str, Any]:
    """What a server might say."""
    return message(chance.choice(_TOLD), chance)


# --- one thing broken ---------------------------------------------------------------------


def broken(made: dict[str, Any], chance: random.Random) -> bytes:
    """The message as JSON with one field wrong, missing, doubled, unknown, or nested deep."""
    name = chance.choice([*made])
    match chance.randrange(7):
        case 0 | 1:
            return dumps({**made, name: chance.choice(_WRONG)}, chance)
        case 2:
            return dumps({key: value for key, value in made.items() if key != name}, chance)
        case 3:
            twice = dumps({name: chance.choice((made[name], *_WRONG))}, chance)
            return twice[:-1] + b"," + dumps(made, chance)[1:]
        case 4:
            return dumps({**made, hostile(chance, longest=3): chance.choice(_WRONG)}, chance)
        case 5:
            opening = chance.choice(_DEEP) * chance.choice((10, 200, 1100, 5000))
            return dumps(made, chance)[:-1] + b',"deep":' + opening
        case _:
            return dumps({**made, "type": chance.choice((*_KNOWN, *WORDS))}, chance)


_KNOWN = (*messages.REQUESTS, *messages.EVENTS, "ok", "error")


def dumps(value: Any, chance: random.Random) -> bytes:
    """JSON, escaped or not; lone surrogates and NaN included, where they are in it."""
    escaped = chance.random() < 0.5
    text = json.dumps(value, ensure_ascii=escaped, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def spoil(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them changed, lost, doubled, or put elsewhere."""
    if not data:
        return data
    at = chance.randrange(len(data))
    end = min(len(data), at + chance.choice((1, 2, 4, 16, 64)))
    match chance.randrange(6):
        case 0:
            return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:end] + data[at:]
        case 4:
            return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]
        case _:
            other = chance.randrange(len(data))
            return data[:at] + data[other : other + end - at] + data[end:]


def frame(payload: bytes, chance: random.Random) -> bytes:
    """The payload with its length, which now and then is another one."""
    length = len(payload)
    if chance.random() < 0.03:
        length = chance.choice((*_LENGTHS, length + 1, max(0, length - 1)))
    return (length & 0xFFFFFFFF).to_bytes(4, "big") + payload


def payload(made: dict[str, Any], chance: random.Random) -> bytes:
    """The message, whole, broken in one field, or with bytes spoilt."""
    kind = chance.random()
    if kind < 0.35:
        return dumps(made, chance)
    if kind < 0.75:
        return broken(made, chance)
    if kind < 0.97:
        return spoil(dumps(made, chance), chance)
    return chance.choice((b"", b"null", b"[]", b"{}", b"\xff\xfe", chance.randbytes(40)))


class _Head(Struct):
    id: Any = None


_heads = msgspec.json.Decoder(_Head)


def id_of(data: bytes) -> Any:
    """The `id` of a payload, of whatever type; None where it has none, or is no JSON object."""
    try:
        return _heads.decode(data).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
