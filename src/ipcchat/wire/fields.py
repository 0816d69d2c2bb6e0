"""What the fields of messages may hold, and what all messages have in common."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

__all__ = ["DRAFT_ID", "DraftId", "Int", "Name", "Reason", "Tagged", "Text"]

Int: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
"""Integers stay below 2^53, so that every JSON library keeps them whole."""
DRAFT_ID = r"\A[0-9a-f]{32}\Z"
DraftId: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": DRAFT_ID})]
"""128 random bits as 32 lower-case hexadecimal digits. `codec` looks at the pattern, once for all
that came together: as a `Meta(pattern=)` it costs more than decoding all the rest."""
Name: TypeAlias = Annotated[str, Meta(max_length=256)]
"""A nick or room name as typed; `text` decides what is allowed."""
Reason: TypeAlias = Annotated[str, Meta(max_length=2048)]
"""A line as typed, cut where it is used."""
Text: TypeAlias = Annotated[str, Meta(max_length=16384)]
"""A text as typed; `text` decides what is allowed."""


class Tagged(Struct, tag_field="type", omit_defaults=True, gc=False):
    """Base of all messages: the tag is the lower-case class name unless said otherwise."""
