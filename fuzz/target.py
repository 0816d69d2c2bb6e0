"""What a target is: it makes inputs out of chance, and checks what becomes of each."""

import random
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

__all__ = ["Target", "require"]


class Target(ABC):
    """One invariant. Used as a context manager, so that it may own a server or a file."""

    name: str
    weight: int
    """Its share of a count that is divided among several targets."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @abstractmethod
    def make(self, chance: random.Random) -> Any:
        """The next input: a value whose `repr` is a Python literal."""

    @abstractmethod
    def check(self, case: Any) -> None:
        """Tries one input. Whatever it raises is a failure: AssertionError names the invariant."""


def require(holds: bool, what: str, *facts: object) -> None:
    """Raises AssertionError unless it holds; unlike `assert` also under `python -O`."""
    if not holds:
        raise AssertionError(": ".join((what, *map(repr, facts))))
