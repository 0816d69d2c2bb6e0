"""Whatever bytes come in whatever pieces: `FrameReader` gives the frames that a reader of the whole
would find, and no others; a length of zero or over the limit ends the stream with one error, before
anything of it is kept; nothing is ever raised."""

import random

from fuzz.payloads import frame, from_server, payload, request, spoil
from fuzz.target import Target, require
from ipcchat.wire.framing import HEADER, LIMIT, LIMIT_BEFORE_LOGIN, FrameReader, encode_frame

__all__ = ["Framing"]

Case = tuple[int, list[bytes]]
"""The limit, and the chunks."""


class Framing(Target):
    name = "framing"
    weight = 15

    def make(self, chance: random.Random) -> Case:
        parts = []
        for _ in range(chance.randrange(1, 5)):
            kind = chance.random()
            if kind < 0.4:
                parts.append(encode_frame(chance.randbytes(chance.choice((1, 2, 40, 300)))))
            elif kind < 0.7:
                made = request(chance) if kind < 0.6 else from_server(chance)
                parts.append(frame(payload(made, chance), chance))
            elif kind < 0.8:
                parts.append(bytes(chance.choice((3, 4, 5))))
            elif kind < 0.9:
                parts.append(frame(bytes(chance.choice((4095, 4096, 4097))), chance))
            else:
                parts.append(chance.randbytes(chance.randrange(30)))
        data = b"".join(parts)
        if chance.random() < 0.2:
            data = spoil(data, chance)
        chunks: list[bytes] = []
        while data:
            size = chance.choice((1, 2, 3, 4, 5, 64, 1024, len(data)))
            if len(chunks) > 40:
                size = len(data)
            chunks.append(data[:size])
            data = data[size:]
        return chance.choice((LIMIT, LIMIT_BEFORE_LOGIN, 40)), chunks

    def check(self, case: Case) -> None:
        limit, chunks = case
        reader = FrameReader(limit)
        found: list[bytes] = []
        for chunk in chunks:
            buffer = bytearray(chunk)
            found += reader.feed(memoryview(buffer))
            buffer[:] = bytes(len(buffer))  # the caller may overwrite what it fed
        wanted, code, rest = _whole(b"".join(chunks), limit)
        require(found == wanted, "other frames than those of the whole", found, wanted)
        got = reader.error.code if reader.error is not None else ""
        require(got == code, "another end than that of the whole", got, code)
        if code:
            require(reader.feed(encode_frame(b"x")) == [], "a frame after the end")
        else:
            error = reader.feed_eof()
            require((error is not None) == bool(rest), "an end in the middle of a frame", rest)


def _whole(data: bytes, limit: int) -> tuple[list[bytes], str, bytes]:
    """Frames, the code of the error that ends them, and what is left."""
    frames: list[bytes] = []
    while len(data) >= HEADER:
        length = int.from_bytes(data[:HEADER], "big")
        if length == 0 or length > limit:
            return frames, "too_long" if length else "bad_frame", b""
        if len(data) < HEADER + length:
            break
        frames.append(data[HEADER : HEADER + length])
        data = data[HEADER + length :]
    return frames, "", data
