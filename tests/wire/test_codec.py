"""`codec`: whatever comes in is a struct or one typed error that says what to answer."""

import json
from typing import Any

import pytest

from ipcchat.errors import CODES, LocalProtocolError, RemoteProtocolError
from ipcchat.wire import codec, messages
from ipcchat.wire.framing import HEADER

DRAFT = "0123456789abcdef0123456789abcdef"
SAY: dict[str, Any] = {"type": "say", "id": 7, "room": 1, "draft": DRAFT, "text": "hi"}


def refused(data: bytes | dict[str, Any]) -> RemoteProtocolError:
    """The error of a request."""
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode_request(data)
    assert "\n" not in caught.value.text
    assert len(caught.value.text) < 300
    return caught.value


def test_the_smallest_request() -> None:
    assert codec.decode_request(b'{"type":"ping","id":0}') == messages.Ping(0)


def test_a_view_is_as_good_as_bytes() -> None:
    data = b'{"type":"ping","id":1}'
    assert codec.decode_request(memoryview(data)) == messages.Ping(1)
    with pytest.raises(RemoteProtocolError):
        codec.decode_request(memoryview(data)[1:])


def test_order_and_space_do_not_matter() -> None:
    text = json.dumps(dict(reversed(SAY.items())), indent=3, ensure_ascii=True)
    assert codec.decode_request(text.encode()) == messages.Say(7, 1, DRAFT, "hi")


def test_unknown_fields_are_ignored() -> None:
    data = json.dumps({**SAY, "rev": 2, "gone": True, "reply": {"seq": [1, None, 2.5]}}).encode()
    assert codec.decode_request(data) == messages.Say(7, 1, DRAFT, "hi")


def test_of_duplicate_keys_the_last_counts() -> None:
    assert codec.decode_request(b'{"id":1,"id":2,"type":"ping"}') == messages.Ping(2)


@pytest.mark.parametrize(
    "data",
    [b'{"type":"\xff","id":1}', b"\xff", b'{"type":"ping\xc3","id":1}', b'\xed\xa0\x80{"id":1}'],
)
def test_bad_utf8_closes(data: bytes) -> None:
    error = refused(data)
    assert (error.code, error.closes, error.request) == ("bad_utf8", True, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"ping"',
        b'[{"type":"ping","id":1}]',
        b'{"type":"ping","id":1}{}',
        b'{"type":"ping","id":1,}',
        b"{'type':'ping','id':1}",
        b'\xef\xbb\xbf{"type":"ping","id":1}',
        b'{"type":"ping","id":NaN}',
        b'{"type":"ping","id":1,"x":NaN}',
        b'{"type":"ping","id":1,"x":-Infinity}',
        b'{"type":"ping","id":01}',
        b'{"type":"ping","id":1e999}',
        b'{"type":"nick","id":1,"nick":"\\ud800"}',
        b'{"type":"ping","id":1,"x":"\\udc00\\ud800"}',
        b'{"type":"nick","id":1,"nick":"a\0"}',
        b"[" * 100_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"type":"ping","id":1,"x":' + b"[" * 100_000,
        b'{"type":"ping","id":1,"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"x":' * 20_000,
    ],
    ids=lambda data: repr(data[:30]),
)
def test_bad_json_closes(data: bytes) -> None:
    error = refused(data)
    assert (error.code, error.closes, error.request) == ("bad_json", True, None)


@pytest.mark.parametrize("value", [None, 5, True, ["ping"], {"ping": 1}])
def test_a_type_is_a_string(value: object) -> None:
    error = refused({"type": value, "id": 3})
    assert (error.code, error.closes, error.request) == ("bad_field", False, 3)
    assert refused({"id": 3}).code == "bad_field"
    assert refused(b"{}").request is None


@pytest.mark.parametrize("name", ["", "Say", "say ", "entry", "ok", "error", "edit", "x" * 9999])
def test_an_unknown_type_leaves_the_connection(name: str) -> None:
    error = refused({"type": name, "id": 3})
    assert (error.code, error.closes, error.request) == ("unknown_type", False, 3)


def test_a_foreign_name_is_cleaned_before_it_is_repeated() -> None:
    assert "\x1b" not in refused({"type": "\x1b[2J\n\u202e", "id": 1}).text
    assert refused({"type": "two\nlines", "id": 1}).text.endswith("'two lines'")


@pytest.mark.parametrize(
    "change",
    [
        {"room": "1"},
        {"room": 1.0},
        {"room": True},
        {"room": None},
        {"room": -1},
        {"room": 2**53},
        {"room": 2**64},
        {"room": 10**1000},
        {"room": [1]},
        {"text": 5},
        {"text": None},
        {"text": "x" * 16385},
        {"style": "x" * 257},
        {"draft": ""},
        {"draft": DRAFT.upper()},
        {"draft": DRAFT + "\n"},
        {"draft": DRAFT[:-1]},
        {"draft": DRAFT[:-1] + "g"},
        {"draft": DRAFT[:-1] + "٣"},
    ],
    ids=repr,
)
def test_a_bad_field_leaves_the_connection(change: dict[str, Any]) -> None:
    error = refused({**SAY, **change})
    assert (error.code, error.closes, error.request) == ("bad_field", False, 7)
    assert next(iter(change)) in error.text


@pytest.mark.parametrize("name", SAY.keys() - {"type"})
def test_a_missing_field_leaves_the_connection(name: str) -> None:
    error = refused({key: value for key, value in SAY.items() if key != name})
    assert (error.code, error.closes) == ("bad_field", False)
    assert error.request == (None if name == "id" else 7)


@pytest.mark.parametrize("number", ["-1", "9007199254740992", "1.0", "true", '"7"', "null", "[]"])
def test_an_id_that_is_none_is_not_answered(number: str) -> None:
    error = refused(f'{{"type":"ping","id":{number}}}'.encode())
    assert (error.code, error.request) == ("bad_field", None)


def test_events_and_errors_of_a_server() -> None:
    assert codec.decode_event(b'{"type":"live","room":1,"head":2}') == messages.Live(1, 2)
    error = codec.decode_event(b'{"type":"error","code":"new_code","id":4}')
    assert error == messages.Error("new_code", id=4)
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode_event(b'{"type":"poke"}')
    assert caught.value.code == "unknown_type"
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode_event(b'{"type":"live","room":"1","head":2}')
    assert caught.value.code == "bad_field"


def test_a_reply_in_full() -> None:
    data = b'{"type":"ok","id":3,"from":1,"head":2,"first":1}'
    assert codec.decode_event(data) == messages.Ok(3)
    assert codec.decode_reply(data, messages.FollowOk) == messages.FollowOk(3, 1, 2, 1)
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode_reply(b'{"type":"ok","id":3}', messages.FollowOk)
    assert (caught.value.code, caught.value.request) == ("bad_field", 3)


def test_text_travels_as_utf8() -> None:
    frame = codec.encode(messages.Say(1, room=1, draft=DRAFT, text="é😀\n"))
    assert '"text":"é😀\\n"'.encode() in frame[HEADER:]


def test_what_is_not_text_can_not_be_sent() -> None:
    with pytest.raises(LocalProtocolError, match="Say can't be encoded"):
        codec.encode(messages.Say(1, room=1, draft=DRAFT, text="\ud800"))


def test_every_code_that_decoding_gives_is_in_the_table() -> None:
    assert {"bad_utf8", "bad_json", "bad_field", "unknown_type"} <= CODES.keys()


def test_many_at_once_are_as_one_by_one() -> None:
    pings = [messages.Ping(number) for number in range(3)]
    frames = codec.frames(pings)
    assert frames == [codec.encode(ping) for ping in pings]
    payloads = [frame[HEADER:] for frame in frames]
    assert codec.decode_requests(payloads) == pings
    assert codec.decode_requests([*payloads, b"?"]) is None
