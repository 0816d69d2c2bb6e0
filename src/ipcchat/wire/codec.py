"""Payloads ↔ structs: the one place that encodes and decodes JSON of the wire.

Whatever comes in, decoding gives a struct or raises RemoteProtocolError, never anything else.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ipcchat import text
from ipcchat.errors import LocalProtocolError, RemoteProtocolError
from ipcchat.wire import messages
from ipcchat.wire.fields import DRAFT_ID
from ipcchat.wire.framing import encode_frame, pack_length

__all__ = ["decode_event", "decode_reply", "decode_request", "decode_requests", "encode", "frames"]

T = TypeVar("T", bound=Struct)
Payload = bytes | memoryview

_encoder = msgspec.json.Encoder()
_requests: msgspec.json.Decoder[messages.Request] = msgspec.json.Decoder(messages.Request)
_events: msgspec.json.Decoder[messages.Event | messages.Error | messages.Ok]
_events = msgspec.json.Decoder(messages.Event | messages.Error | messages.Ok)
_replies: dict[type[Struct], msgspec.json.Decoder[Any]] = {
    cls: msgspec.json.Decoder(cls) for cls in set(messages.REPLIES.values())
}
_decode_request = _requests.decode
_hexadecimal = re.compile("[0-9a-f]*").fullmatch
_LONGEST = 200
"""Code points of an error's sentence."""


class _Head(Struct):
    """What can be read of a message that is wrong otherwise."""

    type: Any = None
    id: Any = None


_heads = msgspec.json.Decoder(_Head)


def encode(message: Struct) -> bytes:
    """A message as a frame. Raises LocalProtocolError for what is not text."""
    try:
        data = _encoder.encode(message)
    except (UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise LocalProtocolError(f"{type(message).__name__} can't be encoded: {error}") from None
    return encode_frame(data)


def frames(messages: Iterable[Struct]) -> list[bytes]:
    """Messages as frames. They must be text: for what the server made of checked values."""
    encode = _encoder.encode
    return [pack_length(len(data := encode(message))) + data for message in messages]


def decode_requests(frames: list[bytes]) -> list[messages.Request] | None:
    """What a client sent, where each frame can be decoded; else None: decode them one by one."""
    try:
        requests = list(map(_decode_request, frames))
    except _BAD:
        return None
    return requests if _identified(requests) else None


def decode_request(data: Payload) -> messages.Request:
    """What a client sent. Raises RemoteProtocolError."""
    try:
        request = _decode_request(data)
        if not _identified([request]):
            raise msgspec.ValidationError(
                f"Expected `str` matching regex {DRAFT_ID!r} - at `$.draft`"
            )
    except _BAD as error:
        raise _explain(data, error, messages.REQUESTS) from None
    return request


def _identified(requests: Sequence[Any]) -> bool:
    """Whether every draft id among them is one."""
    try:
        drafts = [request.draft for request in requests]  # most chunks: drafts alone
    except AttributeError:
        drafts = [request.draft for request in requests if hasattr(request, "draft")]
    return {*map(len, drafts)} <= {32} and _hexadecimal("".join(drafts)) is not None


def decode_event(data: Payload) -> messages.Event | messages.Error | messages.Ok:
    """What a server sent: an event, an error, or the head of an `ok` (see `decode_reply`).

    Raises RemoteProtocolError; `unknown_type` is to be ignored.
    """
    try:
        return _events.decode(data)
    except _BAD as error:
        raise _explain(data, error, _FROM_SERVER) from None


def decode_reply(data: Payload, cls: type[T]) -> T:
    """An `ok` in full, as the request wants it. Raises RemoteProtocolError."""
    try:
        reply: T = _replies[cls].decode(data)
    except _BAD as error:
        raise _explain(data, error, _FROM_SERVER) from None
    return reply


_BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_FROM_SERVER: dict[str, type[Struct]] = {
    **messages.EVENTS,
    "error": messages.Error,
    "ok": messages.Ok,
}


def _explain(
    data: Payload, error: Exception, known: dict[str, type[Struct]]
) -> RemoteProtocolError:
    """The typed error for a payload that could not be decoded."""
    try:
        bytes(data).decode()
    except UnicodeDecodeError:
        return RemoteProtocolError("a frame that is not UTF-8", "bad_utf8")
    try:
        head = _heads.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return RemoteProtocolError(
            "a frame that is not one JSON object, or nests too deep", "bad_json"
        )
    request = head.id if type(head.id) is int and 0 <= head.id < 2**53 else None
    if not isinstance(head.type, str):
        return RemoteProtocolError("a message without a type", "bad_field", request)
    if head.type not in known:
        name = text.clean_line(head.type)[:40]
        return RemoteProtocolError(f"unknown message type {name!r}", "unknown_type", request)
    sentence = text.clean_line(str(error))[:_LONGEST]
    return RemoteProtocolError(f"{head.type}: {sentence}", "bad_field", request)
