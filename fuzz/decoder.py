"""Whatever a payload holds: decoding it gives a value of the wire or raises RemoteProtocolError,
never anything else. The error has a known code and one clean, short line, and keeps the `id` where
that could be read; a value encodes, and decodes to itself."""

import random
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from fuzz.payloads import from_server, id_of, payload, request
from fuzz.target import Target, require
from ipcchat.errors import CODES, RemoteProtocolError
from ipcchat.text import clean_line
from ipcchat.wire import codec, messages
from ipcchat.wire.framing import HEADER

__all__ = ["Decoder"]

_LONGEST = 300
_REPLIES = tuple(dict.fromkeys(messages.REPLIES.values()))


class Decoder(Target):
    name = "decoder"
    weight = 25

    def make(self, chance: random.Random) -> bytes:
        made = request(chance) if chance.random() < 0.5 else from_server(chance)
        return payload(made, chance)

    def check(self, case: bytes) -> None:
        _try(codec.decode_request, case)
        event = _try(codec.decode_event, case)
        if isinstance(event, messages.Ok):
            for cls in _REPLIES:
                _try(partial(_reply, cls), case)


def _reply(cls: type[Struct], data: bytes) -> Struct:
    return codec.decode_reply(data, cls)


def _try(decoder: Callable[[bytes], Struct], data: bytes) -> Struct | None:
    try:
        value = decoder(data)
    except RemoteProtocolError as error:
        require(error.code in CODES, "an unknown code", error.code)
        require(clean_line(error.text) == error.text, "an error's text is not clean", error.text)
        require(len(error.text) <= _LONGEST, "an error's text is long", error.text)
        number = id_of(data)
        if type(number) is int and 0 <= number < 2**53 and not error.closes:
            require(error.request == number, "the id is lost", error.request, error.text)
        return None
    again = codec.encode(value)
    require(decoder(again[HEADER:]) == value, "another value after encoding", value)
    return value
