"""Frames: a 4-byte unsigned big-endian length, then so many bytes.

A length over the limit is refused from its four bytes alone, before anything is allocated. The
caller may overwrite what it fed at once.
"""

import struct

from ipcchat.errors import RemoteProtocolError

__all__ = ["HEADER", "LIMIT", "LIMIT_BEFORE_LOGIN", "FrameReader", "encode_frame", "pack_length"]

HEADER = 4
"""Bytes of the length prefix."""
LIMIT = 64 * 1024
"""The longest payload, in bytes."""
LIMIT_BEFORE_LOGIN = 4 * 1024
"""The longest payload that a server takes before login, in bytes."""


_prefix = struct.Struct(">I")
pack_length = _prefix.pack
"""The four bytes before a payload of so many bytes."""
_length = _prefix.unpack_from


def encode_frame(payload: bytes) -> bytes:
    """The payload with its length before it."""
    return pack_length(len(payload)) + payload


class FrameReader:
    """Splits a stream of bytes into frames. After an error it takes nothing more."""

    __slots__ = ("_rest", "error", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        """The longest payload that is taken; may be changed between two calls of `feed`."""
        self.error: RemoteProtocolError | None = None
        """What ended the stream: `too_long` or `bad_frame`."""
        self._rest = b""

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The payloads that are complete with this chunk, in order.

        The frames before a bad one are returned; `error` is set.
        """
        if self.error is not None:
            return []
        # Copied once: slices of bytes cost less than views, in time and for the garbage collector.
        chunk = self._rest + data if self._rest else bytes(data)
        frames: list[bytes] = []
        start, end = 0, len(chunk)
        limit = self.limit
        while end - start >= HEADER:
            (length,) = _length(chunk, start)
            if not 0 < length <= limit:
                self.error = self._refuse(length)
                self._rest = b""
                return frames
            stop = start + HEADER + length
            if stop > end:
                break
            frames.append(chunk[start + HEADER : stop])
            start = stop
        self._rest = chunk[start:] if start < end else b""
        return frames

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return bool(self._rest)

    def _refuse(self, length: int) -> RemoteProtocolError:
        if not length:
            return RemoteProtocolError("a frame of length zero", "bad_frame")
        return RemoteProtocolError(
            f"a frame of {length} bytes; at most {self.limit} are allowed here", "too_long"
        )

    def feed_eof(self) -> RemoteProtocolError | None:
        """What is wrong with the stream ending here: `bad_frame` in the middle of a frame."""
        if self.error is None and self._rest:
            self.error = RemoteProtocolError("the stream ended in the middle of a frame")
        return self.error
