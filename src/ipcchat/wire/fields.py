"""What the fields of messages may hold, and what all messages have in common."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

__all__ = ["DraftId", "Int", "Name", "Reason", "Tagged", "Text"]

Int: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
"""Integers stay below 2^53, so that every JSON library keeps them whole."""
DraftId: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
"""128 random bits as 32 lower-case hexadecimal digits."""
Name: TypeAlias = Annotated[str, Meta(max_length=256)]
"""A nick or room name as typed; `text` decides what is allowed."""
Reason: TypeAlias = Annotated[str, Meta(max_length=2048)]
"""A line as typed, cut where it is used."""
Text: TypeAlias = Annotated[str, Meta(max_length=16384)]
"""A text as typed; `text` decides what is allowed."""


class Tagged(Struct, tag_field="type", omit_defaults=True, gc=False):
    """Base of all messages: the tag is the lower-case class name unless said otherwise."""
