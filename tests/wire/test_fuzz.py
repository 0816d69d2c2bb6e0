"""Whatever the peer sends, and however it is cut: `receive` never raises, and gives values that
are structs or typed errors of the table; after an error that closes there is nothing more; and
both the values and the state are the same for every cut of the same bytes.
"""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.wire.strategies import message

from ipcchat.errors import CODES, RemoteProtocolError
from ipcchat.wire import codec
from ipcchat.wire.framing import HEADER, encode_frame
from ipcchat.wire.messages import Hello, HelloOk, Login, LoginOk
from ipcchat.wire.protocol import Protocol, Role, State

_NASTY = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    encode_frame(b"null"),
    encode_frame(b"[" * 4000),
    encode_frame(b'{"type":"ping","id":' + b"9" * 500 + b"}"),
    encode_frame(b'{"type":"ping","id":' + b"9" * 4000 + b"}"),
    encode_frame(b'{"type":"ping","id":1e999}'),
    encode_frame(b'{"type":"ping","id":NaN}'),
    encode_frame(b'{"type":"\\ud800","id":1}'),
    encode_frame(b'{"type":"ping","type":"part","id":1}'),
    encode_frame(b'{"type":"zz\xc3\xa9","id":1}'),
]


def _mutated(payload: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    for at, data in edits:
        at %= len(payload) + 1
        payload = payload[:at] + data + payload[at + max(1, len(data)) :]
    return encode_frame(payload)


def _frame(draft: Struct) -> bytes:
    return codec.encode(draft)


edits = st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3)), max_size=4)
pieces = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=1, max_size=40).map(encode_frame),
    message().map(_frame),
    st.builds(lambda value, made: _mutated(_frame(value)[HEADER:], made), message(), edits),
    st.sampled_from(_NASTY),
)
streams = st.lists(pieces, max_size=6).map(b"".join)


def end(role: Role, state: State) -> Protocol:
    """One end of a connection that has come so far."""
    ends = {each: Protocol(each) for each in Role}
    client, server = ends[Role.CLIENT], ends[Role.SERVER]
    if state is not State.OPEN:
        server.receive(client.send(Hello(1, versions=[1])))
        client.receive(server.send(HelloOk(1, version=1, epoch="e", nonce="n", methods=["peer"])))
    if state is State.READY:
        server.receive(client.send(Login(2, method="peer")))
        client.receive(server.send(LoginOk(2, account=1, nick="a")))
    assert ends[role].state is state
    return ends[role]


def shown(values: list[Struct | RemoteProtocolError]) -> list[str]:
    """The values, comparable."""
    return [
        f"{value.code} {value.request} {value}"
        if isinstance(value, RemoteProtocolError)
        else repr(value)
        for value in values
    ]


@settings(max_examples=300, deadline=None)
@given(
    role=st.sampled_from(Role),
    state=st.sampled_from([State.OPEN, State.GREETED, State.READY]),
    stream=streams,
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
@example(Role.SERVER, State.READY, b"".join(_NASTY[2:]), [3, 9])
@example(Role.CLIENT, State.READY, b"".join(_NASTY[4:]), [1, 2, 3])
def test_any_bytes(role: Role, state: State, stream: bytes, cuts: list[int]) -> None:
    protocol = end(role, state)
    values = protocol.receive(stream)
    for index, value in enumerate(values):
        if isinstance(value, RemoteProtocolError):
            assert value.code in CODES
            assert value.request is None or 0 <= value.request < 2**53
            assert "\n" not in value.text
            if value.closes:
                assert index == len(values) - 1
                assert protocol.state is State.CLOSED
        else:
            assert isinstance(value, Struct)
    if protocol.state is State.CLOSED:
        assert protocol.receive(stream) == []

    again = end(role, state)
    at = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [again.receive(stream[a:b]) for a, b in pairwise(at)]
    assert shown([value for piece in pieces for value in piece]) == shown(values)
    assert again.state is protocol.state

    error = again.receive_eof()
    assert error is None or error.code in CODES
    assert again.state is State.CLOSED
