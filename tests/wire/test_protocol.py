"""`protocol`: two ends back to back, cut anywhere, and what each refuses."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from msgspec import Struct

from ipcchat.errors import CODES, LocalProtocolError, RemoteProtocolError
from ipcchat.wire import codec, messages
from ipcchat.wire.framing import LIMIT, LIMIT_BEFORE_LOGIN, encode_frame
from ipcchat.wire.messages import (
    Bye,
    Cursor,
    Done,
    Entry,
    Error,
    Follow,
    FollowOk,
    Gap,
    Hello,
    HelloOk,
    History,
    HistoryOk,
    Live,
    Login,
    LoginOk,
    Ok,
    Part,
    Ping,
    Presence,
    Say,
    Unfollow,
    Unfollowed,
)
from ipcchat.wire.protocol import ALLOWED, MOVES, Protocol, Role, State

Values: TypeAlias = list[Struct | RemoteProtocolError]
Cut: TypeAlias = Callable[[bytes], Iterator[bytes]]

DRAFT = "0123456789abcdef0123456789abcdef"
SAY = Say(3, room=1, draft=DRAFT, text="good morning, é😀")
ENTRY = Entry(1, 12, 1000, 4, "ada", "message", DRAFT, SAY.text)

CONVERSATION: list[tuple[Role, Struct]] = [
    (Role.CLIENT, Hello(1, versions=[1], device="d")),
    (Role.SERVER, HelloOk(1, version=1, epoch="e", nonce="n", methods=["secret"])),
    (Role.CLIENT, Ping(9)),
    (Role.SERVER, Ok(9)),
    (Role.CLIENT, Login(2, method="secret", nick="bob", secret=DRAFT)),
    (Role.SERVER, Error("nick_taken", id=2)),
    (Role.CLIENT, Login(2, method="secret", nick="ada", secret=DRAFT)),
    (Role.SERVER, LoginOk(2, account=4, nick="ada")),
    (Role.CLIENT, SAY),
    (Role.CLIENT, Follow(4, room=1, cursor=Cursor("e", 10, DRAFT))),
    (Role.SERVER, FollowOk(4, from_=10, head=12, first=1)),
    (Role.SERVER, Gap(room=1, from_=10, first=12)),
    (Role.SERVER, ENTRY),
    (Role.SERVER, Done(3, room=1, seq=12, time=1000)),
    (Role.SERVER, Live(room=1, head=12)),
    (Role.CLIENT, History(5, room=1, before=12)),
    (Role.SERVER, Presence(account=4, nick="ada", status="online")),
    (Role.SERVER, HistoryOk(5, entries=[ENTRY, ENTRY], first=1, head=12, more=True)),
    (Role.CLIENT, Unfollow(6, room=1)),
    (Role.SERVER, Unfollowed(room=1)),
    (Role.SERVER, Ok(6)),
    (Role.SERVER, Bye("shutdown", wait_ms=500)),
]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def byte_at_a_time(data: bytes) -> Iterator[bytes]:
    yield from (data[i : i + 1] for i in range(len(data)))


def two() -> dict[Role, Protocol]:
    return {role: Protocol(role) for role in Role}


def greeted() -> dict[Role, Protocol]:
    ends = two()
    play(ends, CONVERSATION[:2])
    return ends


def ready() -> dict[Role, Protocol]:
    ends = two()
    play(ends, CONVERSATION[:8])
    return ends


def play(ends: dict[Role, Protocol], lines: list[tuple[Role, Struct]], cut: Cut = whole) -> None:
    """Sends each line to the other end, which must understand it as it was meant."""
    for role, message in lines:
        other = ends[Role.SERVER if role is Role.CLIENT else Role.CLIENT]
        data = ends[role].send(message)
        values = [value for chunk in cut(data) for value in other.receive(chunk)]
        assert values == [message]
        assert ends[Role.CLIENT].state is ends[Role.SERVER].state


def one(values: Values) -> RemoteProtocolError:
    """The one value, which is an error."""
    (error,) = values
    assert isinstance(error, RemoteProtocolError)
    return error


@pytest.mark.parametrize("cut", [whole, byte_at_a_time])
def test_a_whole_conversation(cut: Cut) -> None:
    ends = two()
    play(ends, CONVERSATION, cut)
    assert {end.state for end in ends.values()} == {State.CLOSED}


@pytest.mark.parametrize("role", list(Role))
def test_many_messages_cut_at_every_byte(role: Role) -> None:
    lines = [message for who, message in CONVERSATION[8:] if who is role]
    other = Role.SERVER if role is Role.CLIENT else Role.CLIENT
    asked = [message for who, message in CONVERSATION[8:] if who is other]

    def ends() -> dict[Role, Protocol]:
        made = ready()
        if role is Role.SERVER:
            for request in asked:
                made[Role.SERVER].receive(made[Role.CLIENT].send(request))
        return made

    stream = b"".join(codec.encode(message) for message in lines)
    for at in range(0, len(stream) + 1, 3):
        end = ends()[other]
        assert end.receive(stream[:at]) + end.receive(memoryview(stream)[at:]) == lines


def test_the_buffer_may_be_overwritten() -> None:
    server = ready()[Role.SERVER]
    buffer = bytearray(codec.encode(SAY) + codec.encode(Ping(5))[:7])
    (value,) = server.receive(memoryview(buffer))
    buffer[:] = b"\0" * len(buffer)
    assert value == SAY
    assert server.receive(codec.encode(Ping(5))[7:]) == [Ping(5)]


# --- states -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [two, greeted, ready])
def test_a_server_refuses_what_the_state_does_not_allow(
    make: Callable[[], dict[Role, Protocol]],
) -> None:
    server = make()[Role.SERVER]
    before = server.state
    for cls, message in {
        Hello: Hello(8, versions=[1]),
        Login: Login(8, method="peer"),
        Ping: Ping(8),
        Say: Say(8, room=1, draft=DRAFT, text="x"),
        Part: Part(8, draft=DRAFT, room=1),
    }.items():
        (value,) = server.receive(codec.encode(message))
        if cls in ALLOWED[before]:
            assert value == message
        else:
            assert isinstance(value, RemoteProtocolError)
            assert (value.code, value.request, value.closes) == ("bad_state", 8, False)
    assert server.state is before


@pytest.mark.parametrize("make", [two, greeted, ready])
def test_a_client_does_not_ask_for_it(make: Callable[[], dict[Role, Protocol]]) -> None:
    client = make()[Role.CLIENT]
    for message in (Hello(8, versions=[1]), Login(8, method="peer"), SAY):
        if type(message) not in ALLOWED[client.state]:
            with pytest.raises(LocalProtocolError) as caught:
                client.send(message)
            assert caught.value.code == "bad_state"


def test_every_request_is_allowed_somewhere() -> None:
    assert frozenset().union(*ALLOWED.values()) == set(messages.REPLIES)
    assert ALLOWED.keys() == set(State)
    assert all(cls not in messages.REPLIES for _, cls in MOVES)


def test_nothing_after_the_end() -> None:
    ends = two()
    play(ends, [(Role.SERVER, Bye("shutdown"))])
    for end in ends.values():
        assert end.receive(codec.encode(Ping(1))) == []
        assert end.receive_eof() is None
        with pytest.raises(LocalProtocolError, match="after the end"):
            end.send(Ping(1))


def test_what_follows_a_bye_in_the_same_chunk_is_ignored() -> None:
    client = ready()[Role.CLIENT]
    stream = codec.encode(Bye("shutdown")) + codec.encode(ENTRY) + b"\0\0\0\0"
    assert client.receive(stream) == [Bye("shutdown")]


# --- frames -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\0\0\0\0", "bad_frame"),
        (b"\xff\xff\xff\xff", "too_long"),
        (encode_frame(b"\xff"), "bad_utf8"),
        (encode_frame(b"[]"), "bad_json"),
        (encode_frame(b"[" * 3000), "bad_json"),
    ],
)
@pytest.mark.parametrize("role", list(Role))
def test_an_error_that_closes_is_the_last_value(role: Role, data: bytes, code: str) -> None:
    end = ready()[role]
    good: Struct = Ping(5) if role is Role.SERVER else ENTRY
    first, error = end.receive(codec.encode(good) + data + codec.encode(good))
    assert first == good
    assert isinstance(error, RemoteProtocolError)
    assert (error.code, error.closes) == (code, True)
    assert end.state is State.CLOSED
    assert end.receive(codec.encode(good)) == []


def test_the_limit_before_and_after_login() -> None:
    padding = b'{"type":"ping","id":1}'.ljust(LIMIT_BEFORE_LOGIN + 1)
    ends = greeted()
    assert one(ends[Role.SERVER].receive(encode_frame(padding))).code == "too_long"
    ends = greeted()
    assert ends[Role.SERVER].receive(encode_frame(padding[:-1])) == [Ping(1)]
    ends = ready()
    assert ends[Role.SERVER].receive(encode_frame(padding)) == [Ping(1)]
    assert ends[Role.SERVER].receive(encode_frame(padding.ljust(LIMIT))) == [Ping(1)]
    header = (LIMIT + 1).to_bytes(4, "big")
    assert one(ends[Role.SERVER].receive(header)).code == "too_long"


def test_a_client_takes_long_frames_always() -> None:
    bye = b'{"type":"bye","code":"shutdown"}'.ljust(LIMIT)
    assert Protocol(Role.CLIENT).receive(encode_frame(bye)) == [Bye("shutdown")]


def test_the_end_in_the_middle_of_a_frame() -> None:
    for role in Role:
        end = Protocol(role)
        assert end.receive(b"\0\0\0\5{") == []
        error = end.receive_eof()
        assert error is not None
        assert error.code == "bad_frame"
        assert end.state is State.CLOSED
        assert end.receive_eof() is None


def test_the_end_between_two_frames() -> None:
    end = ready()[Role.SERVER]
    assert end.receive_eof() is None
    assert end.state is State.CLOSED


def test_recoverable_errors_keep_their_place() -> None:
    server = ready()[Role.SERVER]
    stream = (
        codec.encode(Ping(5))
        + encode_frame(b'{"type":"dance","id":6}')
        + encode_frame(b'{"type":"part","id":7,"room":"x"}')
        + codec.encode(Hello(8, versions=[1]))
        + codec.encode(Ping(9))
    )
    first, unknown, field, state, last = server.receive(stream)
    assert (first, last) == (Ping(5), Ping(9))
    found = [error for error in (unknown, field, state) if isinstance(error, RemoteProtocolError)]
    assert [(error.code, error.request) for error in found] == [
        ("unknown_type", 6),
        ("bad_field", 7),
        ("bad_state", 8),
    ]


# --- the client's table of requests -------------------------------------------------------


def test_replies_find_their_request_in_any_order() -> None:
    ends = ready()
    client, server = ends[Role.CLIENT], ends[Role.SERVER]
    for message in (SAY, Follow(4, room=1), Ping(5)):
        server.receive(client.send(message))
    replies: list[Struct] = [Ok(5), FollowOk(4, 0, 0, 1), Done(3, 1, 1, 1)]
    assert client.receive(b"".join(map(server.send, replies))) == replies


@pytest.mark.parametrize("reply", [Ok(77), Error("no_room", id=77)])
def test_a_reply_to_no_request_is_an_error(reply: Struct) -> None:
    client = ready()[Role.CLIENT]
    error = one(client.receive(codec.encode(reply)))
    assert (error.code, error.request, error.closes) == ("bad_state", 77, False)


def test_a_reply_comes_once() -> None:
    client = ready()[Role.CLIENT]
    client.send(Ping(5))
    first, again = client.receive(codec.encode(Ok(5)) * 2)
    assert first == Ok(5)
    assert isinstance(again, RemoteProtocolError)


def test_a_wrong_reply_is_an_error_of_that_request() -> None:
    client = ready()[Role.CLIENT]
    client.send(Follow(4, room=1))
    error = one(client.receive(codec.encode(Ok(4))))
    assert (error.code, error.request, error.closes) == ("bad_field", 4, False)
    assert client.state is State.READY


def test_an_id_is_free_again_after_its_reply() -> None:
    client = ready()[Role.CLIENT]
    client.send(Ping(5))
    with pytest.raises(LocalProtocolError, match="5 is in use"):
        client.send(Ping(5))
    client.receive(codec.encode(Ok(5)))
    client.send(Ping(5))
    client.receive(codec.encode(Error("busy", id=5, retry=True)))
    client.send(Ping(5))


def test_unknown_events_and_codes_are_for_later_versions() -> None:
    client = ready()[Role.CLIENT]
    client.send(Ping(5))
    stream = encode_frame(b'{"type":"poke","id":1}') + codec.encode(Error("new_code", id=5))
    assert client.receive(stream) == [Error("new_code", id=5)]
    assert client.state is State.READY


def test_a_bad_event_is_an_error_that_leaves_the_connection() -> None:
    client = ready()[Role.CLIENT]
    bad, good = client.receive(encode_frame(b'{"type":"live"}') + codec.encode(Live(1, 2)))
    assert isinstance(bad, RemoteProtocolError)
    assert (bad.code, good) == ("bad_field", Live(1, 2))


@pytest.mark.parametrize(
    "error", [Error("idle"), Error("internal"), Error("bad_version", id=1), Error("too_long")]
)
def test_an_error_without_id_or_of_a_code_that_closes_is_the_end(error: Error) -> None:
    ends = two()
    ends[Role.SERVER].receive(ends[Role.CLIENT].send(Hello(1, versions=[9])))
    play(ends, [(Role.SERVER, error)])
    assert ends[Role.CLIENT].state is State.CLOSED


# --- what may not be sent -----------------------------------------------------------------


def test_a_frame_over_the_limit_is_not_sent() -> None:
    ends = ready()
    with pytest.raises(LocalProtocolError) as caught:
        ends[Role.SERVER].send(Bye("shutdown", text="x" * LIMIT))
    assert caught.value.code == "too_long"
    assert ends[Role.SERVER].state is State.READY
    payload = len(codec.encode(Bye("shutdown", text=""))) - 4 + len(',"text":""')
    longest = Bye("shutdown", text="x" * (LIMIT - payload))
    play(ends, [(Role.SERVER, longest)])


def test_a_server_makes_no_requests() -> None:
    with pytest.raises(LocalProtocolError, match="no requests"):
        Protocol(Role.SERVER).send(Ping(1))


def test_a_server_sends_no_code_of_its_own_making() -> None:
    server = ready()[Role.SERVER]
    with pytest.raises(LocalProtocolError, match="unknown code"):
        server.send(Error("oops", id=1))
    assert server.state is State.READY


def test_a_client_sends_requests_alone() -> None:
    with pytest.raises(LocalProtocolError):
        Protocol(Role.CLIENT).send(Live(1, 2))


@pytest.mark.parametrize("code", CODES)
def test_each_code_closes_both_ends_or_none(code: str) -> None:
    ends = ready()
    ends[Role.SERVER].receive(ends[Role.CLIENT].send(Ping(5)))
    play(ends, [(Role.SERVER, Error(code, id=5))])
    assert (ends[Role.CLIENT].state is State.CLOSED) == CODES[code].closes
