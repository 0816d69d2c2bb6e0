"""`messages`: the tables are complete, and every message survives the journey."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.wire.strategies import CLASSES, message_of

from ipcchat.wire import codec, messages
from ipcchat.wire.framing import HEADER


def decode(cls: type[Struct], frame: bytes) -> Struct:
    """The message of this class in a frame."""
    data = frame[HEADER:]
    if cls in messages.REPLIES:
        return codec.decode_request(data)
    if cls in messages.REPLIES.values():
        head = codec.decode_event(data)
        assert isinstance(head, messages.Ok)
        return codec.decode_reply(data, cls)
    return codec.decode_event(data)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_round_trip(cls: type[Struct], data: st.DataObject) -> None:
    message = data.draw(message_of(cls))
    frame = codec.encode(message)
    assert int.from_bytes(frame[:HEADER], "big") == len(frame) - HEADER
    assert decode(cls, frame) == message


def test_the_tables_hold_what_the_types_say() -> None:
    assert set(get_args(messages.Request)) == set(messages.REPLIES)
    assert set(get_args(messages.Event)) == set(messages.EVENTS.values())
    assert set(get_args(messages.Reply)) == {*messages.REPLIES.values(), messages.Error}
    assert set(CLASSES) == set(get_args(messages.Message))


def test_names_on_the_wire_are_unique() -> None:
    assert len(messages.REQUESTS) == len(messages.REPLIES)
    assert not messages.REQUESTS.keys() & messages.EVENTS.keys()
    assert not {"ok", "error"} & {*messages.REQUESTS, *messages.EVENTS}


def test_every_request_and_reply_has_an_id() -> None:
    for cls in (*messages.REPLIES, *messages.REPLIES.values()):
        assert cls.__struct_fields__[0] == "id"
    for cls in messages.EVENTS.values():
        assert "id" not in cls.__struct_fields__


def test_everything_public_is_listed() -> None:
    listed = set(messages.__all__)
    assert {cls.__name__ for cls in CLASSES} <= listed
    assert all(hasattr(messages, name) for name in listed)


def test_defaults_do_not_travel() -> None:
    say = messages.Say(7, room=1, draft="0" * 32, text="hé")
    assert (
        codec.encode(say)[HEADER:]
        == ('{"type":"say","id":7,"room":1,"draft":"' + "0" * 32 + '","text":"hé"}').encode()
    )
