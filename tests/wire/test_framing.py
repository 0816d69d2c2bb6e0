"""`framing`: however the bytes are cut, the same frames come out, and nothing else is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcchat.wire.framing import HEADER, LIMIT, LIMIT_BEFORE_LOGIN, FrameReader, encode_frame
from ipcchat.wire.protocol import Protocol, Role

PAYLOADS = [b"a", b"{}", b"x" * 300, "é€😀".encode(), b"\0\0\0\1"]
STREAM = b"".join(map(encode_frame, PAYLOADS))


def feed(reader: FrameReader, *chunks: bytes | memoryview) -> list[bytes]:
    """What comes out of the chunks; each is overwritten once its frames were copied."""
    found: list[bytes] = []
    for chunk in chunks:
        buffer = bytearray(chunk)
        found += map(bytes, reader.feed(memoryview(buffer)))
        buffer[:] = b"\xff" * len(buffer)
    return found


def test_the_length_comes_first_in_network_order() -> None:
    assert encode_frame(b"abc") == b"\0\0\0\3abc"
    assert encode_frame(b"x" * 258)[:HEADER] == b"\0\0\1\2"


def test_whole() -> None:
    reader = FrameReader()
    assert feed(reader, STREAM) == PAYLOADS
    assert reader.feed_eof() is None


def test_bytes_are_as_good_as_a_view() -> None:
    assert [bytes(frame) for frame in FrameReader().feed(STREAM)] == PAYLOADS


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_at_every_split(at: int) -> None:
    reader = FrameReader()
    assert feed(reader, STREAM[:at], STREAM[at:]) == PAYLOADS
    assert reader.feed_eof() is None


def test_byte_at_a_time() -> None:
    reader = FrameReader()
    assert feed(reader, *(STREAM[i : i + 1] for i in range(len(STREAM)))) == PAYLOADS


def test_an_empty_chunk_changes_nothing() -> None:
    reader = FrameReader()
    assert feed(reader, b"", STREAM[:3], b"", STREAM[3:], b"") == PAYLOADS


def test_trailing_bytes_wait_and_are_an_error_at_the_end() -> None:
    for rest in (b"\0", b"\0\0\0\5", b"\0\0\0\5abcd"):
        reader = FrameReader()
        assert feed(reader, STREAM + rest) == PAYLOADS
        error = reader.feed_eof()
        assert error is not None
        assert error.code == "bad_frame"
        assert reader.feed_eof() is error


def test_the_longest_frame_passes() -> None:
    for limit in (1, LIMIT_BEFORE_LOGIN, LIMIT):
        assert feed(FrameReader(limit), encode_frame(b"x" * limit)) == [b"x" * limit]


@pytest.mark.parametrize("length", [11, LIMIT, 2**31, 2**32 - 1])
def test_too_long_is_refused_from_the_header_alone(length: int) -> None:
    reader = FrameReader(10)
    assert feed(reader, encode_frame(b"before") + length.to_bytes(4, "big")) == [b"before"]
    assert reader.error is not None
    assert reader.error.code == "too_long"
    assert reader.error.closes
    assert str(length) in str(reader.error)
    assert feed(reader, STREAM) == []
    assert reader.feed_eof() is reader.error


def test_length_zero_is_refused() -> None:
    reader = FrameReader()
    assert feed(reader, STREAM + b"\0\0\0\0" + STREAM) == PAYLOADS
    assert reader.error is not None
    assert reader.error.code == "bad_frame"
    assert reader.error.closes


def test_the_limit_may_change_between_two_chunks() -> None:
    reader = FrameReader(4)
    assert feed(reader, encode_frame(b"1234")) == [b"1234"]
    reader.limit = 5
    assert feed(reader, encode_frame(b"12345")) == [b"12345"]
    assert reader.error is None


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10), st.data())
def test_any_frames_cut_anywhere(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(encode_frame, payloads))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    reader = FrameReader(50)
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert feed(reader, *chunks) == payloads
    assert reader.feed_eof() is None


@pytest.mark.parametrize("end", range(6))
def test_a_frame_that_has_begun_is_partial(end: int) -> None:
    frame = encode_frame(b"{}")
    for whole in (reader := FrameReader(), protocol := Protocol(Role.SERVER)):
        assert not whole.partial
    reader.feed(frame[:end])
    protocol.receive(frame[:end])
    assert reader.partial == protocol.partial == (0 < end < len(frame))
