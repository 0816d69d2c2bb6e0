"""`schema`: docs/protocol.schema.json is what the types say, and takes every message."""

import functools
import json
import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.wire.strategies import CLASSES, message_of

from ipcchat.wire import messages
from ipcchat.wire.schema import render, schema

FILE = Path(__file__).parents[2] / "docs" / "protocol.schema.json"
SCHEMA = schema()
ANY = jsonschema.Draft202012Validator(SCHEMA)


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """For one class."""
    return jsonschema.Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{name}"}]})


def test_the_file_is_current() -> None:
    assert FILE.read_text("utf-8") == render(), (
        "run: python -m ipcchat.wire.schema > docs/protocol.schema.json"
    )


# The module is here already, and runs a second time as a program.
@pytest.mark.filterwarnings("ignore:'ipcchat.wire.schema' found in sys.modules:RuntimeWarning")
def test_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("ipcchat.wire.schema", run_name="__main__")
    assert capsys.readouterr().out == render()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_has_every_message_and_every_reply() -> None:
    roots = {part["$ref"].removeprefix("#/$defs/") for part in SCHEMA["anyOf"]}
    assert roots == {cls.__name__ for cls in CLASSES}
    assert SCHEMA["x-replies"].keys() == messages.REQUESTS.keys()
    assert set(SCHEMA["x-replies"].values()) <= roots


def test_its_patterns_are_portable() -> None:
    patterns = re.findall(r'"pattern": (".*")', render())
    assert {json.loads(found) for found in patterns} == {"^[0-9a-f]{32}$", "^[0-9a-f]{64}$"}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_message_is_valid(cls: type[Struct], data: st.DataObject) -> None:
    message: Any = json.loads(msgspec.json.encode(data.draw(message_of(cls))))
    validator(cls.__name__).validate(message)
    ANY.validate(message)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "ping"},
        {"type": "ping", "id": -1},
        {"type": "ping", "id": 2**53},
        {"type": "dance", "id": 1},
        {"type": "withdraw", "id": 1, "draft": "x"},
    ],
)
def test_what_is_no_message_is_not_valid(message: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        ANY.validate(message)
