"""Any message, made from the types themselves: a new field or class is covered as it appears."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Struct, inspect

from ipcchat.wire import messages

__all__ = ["CLASSES", "message", "message_of", "value_of"]

CLASSES: tuple[type[Struct], ...] = (
    *messages.REPLIES,
    *sorted(set(messages.REPLIES.values()), key=lambda cls: cls.__name__),
    messages.Error,
    *messages.EVENTS.values(),
)
"""Every class that travels as a message of its own."""


def value_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have."""
    match kind:
        case inspect.Metadata(extra_json_schema={"pattern": pattern}):
            return st.from_regex(pattern)
        case inspect.Metadata(type=inner):
            return value_of(inner)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType(ge=low, lt=high):
            return st.integers(low, None if high is None else high - 1)
        case inspect.StrType(pattern=pattern, max_length=longest):
            if pattern is not None:
                return st.from_regex(pattern)
            return st.text(st.characters(codec="utf-8"), max_size=min(longest or 40, 40))
        case inspect.ListType(item_type=item):
            return st.lists(value_of(item), max_size=4)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(value_of(key), value_of(value), max_size=4)
        case inspect.UnionType(types=kinds):
            return st.one_of(*map(value_of, kinds))
        case inspect.StructType(cls=cls):
            return message_of(cls)
    raise TypeError(f"no strategy for {kind}")


def message_of(cls: type[Struct]) -> st.SearchStrategy[Struct]:
    """Any value of one class."""
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    return st.builds(
        cls,
        **{
            field.name: value_of(field.type)
            if field.required
            else st.one_of(st.just(_default(field)), value_of(field.type))
            for field in found.fields
        },
    )


def _default(field: inspect.Field) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def message() -> st.SearchStrategy[Struct]:
    """Any message of any class."""
    return st.sampled_from(CLASSES).flatmap(message_of)
