"""The protocol as a JSON Schema, made from the types: `python -m ipcchat.wire.schema`.

The root takes any message; `$defs` has one definition a struct. Replies share the type `ok`: which
of them answers which request is under `x-replies`.
"""

import inspect
import json
import sys
from typing import Any

import msgspec

from ipcchat.wire import messages

__all__ = ["render", "schema"]

_ITEMS = (
    messages.Cursor,
    messages.Room,
    messages.Member,
    messages.SessionInfo,
    messages.InviteInfo,
    messages.BanInfo,
)


def schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that every message of version 1 validates against."""
    replies = sorted(set(messages.REPLIES.values()), key=lambda cls: cls.__name__)
    roots = [*messages.REPLIES, *replies, messages.Error, *messages.EVENTS.values()]
    found, parts = msgspec.json.schema_components([*roots, *_ITEMS], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ipcchat protocol, version 1",
        "anyOf": list(found[: len(roots)]),
        "x-replies": {
            name: messages.REPLIES[cls].__name__ for name, cls in messages.REQUESTS.items()
        },
        "$defs": {name: _portable(part) for name, part in sorted(parts.items())},
    }


def _portable(node: Any) -> Any:
    """Patterns in the common subset of regular expressions, where `$` is the very end."""
    if isinstance(node, dict):
        return {key: _portable(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_portable(value) for value in node]
    if isinstance(node, str):
        node = inspect.cleandoc(node)  # as Python 3.13 does by itself
        return node.replace(r"\A", "^").replace(r"\Z", "$")
    return node


def render() -> str:
    """The schema as text, as docs/protocol.schema.json has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
