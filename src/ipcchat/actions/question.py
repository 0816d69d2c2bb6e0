"""A question at the foot of the screen, answered by one key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """`answers`: key → what it does. Any other key, and Esc, does `otherwise`."""

    text: str
    """With the keys in it: `paste 30 lines?  s send · j join lines · c cancel`."""
    answers: Mapping[str, Callable[[], None]]
    otherwise: Callable[[], None] = lambda: None
