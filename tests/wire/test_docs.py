"""docs/protocol.md says what the program does: its tables, and its conversation."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import Struct, inspect
from tests.wire.test_schema import validator

from ipcchat.errors import CODES, RemoteProtocolError
from ipcchat.server import access, login
from ipcchat.settings import ServerSettings
from ipcchat.wire import messages
from ipcchat.wire.framing import LIMIT, LIMIT_BEFORE_LOGIN, encode_frame
from ipcchat.wire.protocol import ALLOWED, Protocol, Role, State

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
FLAT = " ".join(TEXT.split())
CONVERSATIONS = [
    part
    for part in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    if part.startswith(("→", "←"))
]


def table(first: str) -> list[list[str]]:
    """The rows of the table whose head begins with this cell, as cells."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert found, first
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in found[1].splitlines()]


def words(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def fields(cls: type[Struct]) -> list[str]:
    """The fields as the tables write them."""
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    return [
        field.encode_name + ("" if field.required else "?")
        for field in found.fields
        if not (cls not in messages.EVENTS.values() and field.name == "id")
    ]


def test_requests_and_their_replies() -> None:
    rows = table("request")
    assert [words(row[0])[0] for row in rows] == list(messages.REQUESTS)
    for name, asked, answered in rows:
        cls = messages.REQUESTS[words(name)[0]]
        assert sorted(words(asked)) == sorted(fields(cls)), name
        assert sorted(words(answered)) == sorted(fields(messages.REPLIES[cls])), name


def test_each_request_is_explained() -> None:
    after = TEXT.split("| `shutdown` | | |")[1].split("\n### ")[0]
    # The table, and the sections that follow, say all there is to say of these.
    plain = {"part", "nick", "ping"}
    assert set(messages.REQUESTS) - set(words(after)) <= plain


def test_events() -> None:
    rows = table("event")
    assert [words(row[0])[0] for row in rows] == list(messages.EVENTS)
    for name, listed, _ in rows:
        assert words(listed) == fields(messages.EVENTS[words(name)[0]]), name


def test_objects() -> None:
    classes: list[type[Struct]] = [
        messages.Cursor,
        messages.Room,
        messages.Member,
        messages.SessionInfo,
        messages.InviteInfo,
        messages.BanInfo,
    ]
    assert [words(row[1]) for row in table("object")] == [fields(cls) for cls in classes]


def test_the_error_and_its_codes() -> None:
    (line,) = re.findall(r"`error \{(.*?)\}`", TEXT)
    assert line.split(", ") == ["code", "text?", "id?", "retry?", "wait_ms?"]
    assert {*fields(messages.Error), "id?"} == set(line.split(", "))
    expected = [
        [
            f"`{name}`",
            "yes" if code.retry else "",
            "yes" if code.closes else "",
            code.fault,
            code.text,
        ]
        for name, code in CODES.items()
    ]
    assert table("code") == expected


def test_states() -> None:
    rows = {row[0]: row for row in table("state")}
    assert list(rows) == [state.name.lower() for state in State]
    by_class = {cls: name for name, cls in messages.REQUESTS.items()}
    for state in (State.OPEN, State.GREETED):
        allowed = sorted(by_class[cls] for cls in ALLOWED[state])
        assert sorted(words(rows[state.name.lower()][2])) == allowed
    assert ALLOWED[State.READY] == set(by_class) - {messages.Hello, messages.Login}


def test_login_methods() -> None:
    rows = table("method")
    assert [words(row[0])[0] for row in rows] == list(access.METHODS)
    for name, where, asked, _ in rows:
        kinds = access.METHODS[words(name)[0]].kinds
        assert ("TCP" in where) == ("tcp" in kinds)
        assert ("Unix" in where) == ("unix" in kinds)
        assert {f"{field}?" for field in words(asked)} <= set(fields(messages.Login))


def test_limits() -> None:
    hub = cast(Any, SimpleNamespace(settings=ServerSettings()))
    said = {words(row[0])[0]: int(row[1]) for row in table("limit")}
    assert said == login.Door(hub)._limits
    assert said["frame"] == LIMIT
    for number in (LIMIT, LIMIT_BEFORE_LOGIN):
        assert f"at most {number:,}" in FLAT


def test_defaults_of_the_deadlines() -> None:
    settings = ServerSettings()
    assert f"after {settings.login_timeout:.0f} seconds" in FLAT
    assert f"for {settings.idle_after:.0f} seconds (`idle`)" in FLAT
    assert f"for {settings.reply_timeout:.0f} seconds although" in FLAT
    assert f"at most {settings.room_limit:,} rooms" in FLAT


def test_kinds_now_and_reserved() -> None:
    now = TEXT.split("\n- Kinds: ")[1].split("\n- ")[0]
    names = {field.rstrip("?") for field in fields(messages.Entry)}
    assert [word for word in words(now) if word not in names] == [
        *("message", "create", "topic", "rename", "kick"),
        *("join", "part", "invite", "uninvite", "decline"),
    ]
    later = words(TEXT.split("Reserved for later")[1].split("##")[0])
    assert later == [
        *("edit", "delete", "react", "role", "prune"),
        *("rev", "gone", "reply"),
    ]
    known = {field.rstrip("?") for cls in messages.EVENTS.values() for field in fields(cls)}
    assert not known & {"rev", "gone", "reply"}


def test_the_frame_of_the_first_example() -> None:
    assert encode_frame(b'{"type":"ping","id":1}')[:4] == bytes.fromhex("00000016")
    assert "`00 00 00 16` and 22 bytes" in FLAT


@pytest.mark.parametrize("closed", [False, True])
def test_the_conversation(closed: bool) -> None:
    """Both ends understand each line as it stands, and would have sent it so."""
    assert len(CONVERSATIONS) == 3
    parts = CONVERSATIONS[2:] if closed else CONVERSATIONS[:2]
    ends = {role: Protocol(role) for role in Role}
    asked: dict[int, type[Struct]] = {}
    for line in "".join(parts).splitlines():
        arrow, payload = line.split(" ", 1)
        sender, receiver = (
            (Role.CLIENT, Role.SERVER) if arrow == "→" else (Role.SERVER, Role.CLIENT)
        )
        (value,) = ends[receiver].receive(encode_frame(payload.encode()))
        assert not isinstance(value, RemoteProtocolError), (line, str(value))
        assert ends[sender].send(value) == encode_frame(payload.encode()), line
        assert ends[sender].state is ends[receiver].state
        validator(type(value).__name__).validate(json.loads(payload))
        if isinstance(value, messages.Error | messages.Bye):
            assert value.code in CODES
        if sender is Role.CLIENT:
            asked[value.id] = type(value)  # type: ignore[attr-defined]
    assert len(asked) > 5
    state = State.READY if closed else State.CLOSED
    assert {end.state for end in ends.values()} == {state}


def test_the_conversation_keeps_the_rules() -> None:
    for start, part in ((0, "".join(CONVERSATIONS[:2])), (3, CONVERSATIONS[2])):
        cursor = start
        for line in part.splitlines():
            message = json.loads(line[2:])
            if message["type"] == "gap":
                assert message["from"] == cursor
                cursor = message["first"] - 1
            elif message["type"] == "entry":
                assert message["seq"] == cursor + 1
                cursor += 1
            elif message["type"] == "live":
                assert message["head"] == cursor
        assert cursor in (3, 9)


def test_it_speaks_of_nothing_that_is_not_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (Path(__file__).parents[2] / "docs" / target).is_file()
    heads = {
        re.sub(r"[^a-z ]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= heads
