"""The runner.

    python -m fuzz [TARGET …] [--count N] [--seed S] [--seconds T]
    python -m fuzz TARGET --input "b'…'"

Without a target: all of them, the count divided by their weights. The same seed makes the same
inputs. A failure prints its input as a Python literal and ends with exit code 1.
"""

import argparse
import ast
import json
import random
import secrets
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fuzz.addresses import Addresses
from fuzz.decoder import Decoder
from fuzz.framing import Framing
from fuzz.protocol import ProtocolTarget
from fuzz.server import ServerTarget
from fuzz.settings import Settings
from fuzz.target import Target
from fuzz.text import Text

__all__ = ["TARGETS", "Failure", "Result", "fuzz", "main"]

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (Framing, Decoder, ProtocolTarget, ServerTarget, Text, Addresses, Settings)
}
_LOOK = 32
"""Inputs between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a target did."""

    target: str
    seed: str
    inputs: int
    seconds: float

    @property
    def rate(self) -> float:
        """Inputs in a second."""
        return self.inputs / self.seconds if self.seconds else 0.0


class Failure(Exception):
    """An input that broke the invariant; `__cause__` says how."""

    def __init__(self, target: str, seed: str, number: int, case: Any) -> None:
        super().__init__(f"{target}: input {number} of seed {seed}")
        self.target = target
        self.seed = seed
        self.number = number
        self.case = case


def fuzz(
    target: type[Target], *, seed: str, count: int | None = None, seconds: float | None = None
) -> Result:
    """Tries so many inputs, or for so long; whichever ends first. Raises Failure."""
    chance = random.Random(f"{seed}/{target.name}")
    begun = time.perf_counter()
    number = 0
    with target() as used:
        while count is None or number < count:
            looks = seconds is not None and number % _LOOK == 0
            if looks and time.perf_counter() - begun >= (seconds or 0.0):
                break
            case = used.make(chance)
            number += 1
            try:
                used.check(case)
            except Exception as error:
                raise Failure(target.name, seed, number, case) from error
    return Result(target.name, seed, number, time.perf_counter() - begun)


def _again(target: type[Target], literal: str) -> int:
    """Tries one input that was printed."""
    with target() as used:
        used.check(ast.literal_eval(literal))
    print(f"{target.name}: it holds")
    return 0


def _report(failure: Failure) -> None:
    cause = failure.__cause__
    if cause is not None and not isinstance(cause, AssertionError):
        traceback.print_exception(cause)
    print(f"FAILED {failure}: {type(cause).__name__}: {str(cause)!a}")
    print(f"  input: {failure.case!a}")
    print(f"  again: python -m fuzz {failure.target} --seed {failure.seed}")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Tries hostile inputs.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--count", type=int, metavar="N", help="inputs in all (default: 100,000)")
    parser.add_argument("--seed", default="", help="text (default: random; it is printed)")
    parser.add_argument("--seconds", type=float, metavar="T", help="in all, instead of --count")
    parser.add_argument("--input", metavar="LITERAL", help="one input of one target, as printed")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name in options.targets:
        if name not in TARGETS:
            parser.error(f"no target {name!r}; there are {', '.join(TARGETS)}")
    chosen = [TARGETS[name] for name in options.targets or TARGETS]
    if options.input is not None:
        if len(chosen) != 1:
            parser.error("--input needs one target")
        return _again(chosen[0], options.input)
    seed = options.seed or secrets.token_hex(4)
    count = options.count if options.count is not None or options.seconds else 100_000
    weights = sum(target.weight for target in chosen)
    inputs, spent, code = 0, 0.0, 0
    for target in chosen:
        try:
            result = fuzz(
                target,
                seed=seed,
                count=None if count is None else max(1, round(count * target.weight / weights)),
                seconds=options.seconds / len(chosen) if options.seconds else None,
            )
        except Failure as failure:
            _report(failure)
            code = 1
            continue
        inputs, spent = inputs + result.inputs, spent + result.seconds
        print(
            f"{result.target:10} {result.inputs:9,} inputs {result.seconds:8.1f} s"
            f" {result.rate:9,.0f}/s"
        )
        print(json.dumps({**asdict(result), "rate": round(result.rate)}), flush=True)
    print(f"{'all':10} {inputs:9,} inputs {spent:8.1f} s, seed {seed}")
    return code


if __name__ == "__main__":
    sys.exit(main())
