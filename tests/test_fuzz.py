"""A short run of every fuzz target: the inputs of a fixed seed, then others."""

import ast
import os
import random

import pytest
from fuzz.__main__ import TARGETS, Failure, fuzz, main
from fuzz.target import Target

# Each is a fraction of a second; `python -m fuzz` is the long run.
COUNT = 400
SECONDS = 0.4


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_invariant_holds_for_known_inputs(target: type[Target]) -> None:
    assert fuzz(target, seed="tests", count=COUNT).inputs == COUNT


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_invariant_holds_for_other_inputs(target: type[Target]) -> None:
    seed = os.environ.get("IPCCHAT_FUZZ_SEED", "others")  # `python -m fuzz` looks further
    try:
        fuzz(target, seed=seed, seconds=SECONDS)
    except Failure as failure:
        again = f"python -m fuzz {target.name} --seed {seed}"
        pytest.fail(f"{failure.__cause__!r}; {again}; input: {failure.case!a}")


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_seed_makes_the_same_inputs_and_each_is_a_literal(target: type[Target]) -> None:
    chances = random.Random("one"), random.Random("one")
    with target() as first, target() as second:
        for _ in range(50):
            case, again = (
                used.make(chance) for used, chance in zip((first, second), chances, strict=True)
            )
            assert ast.literal_eval(ascii(case)) == case == again


class _Odd(Target):
    """No odd number."""

    name = "odd"
    weight = 1

    def make(self, chance: object) -> int:
        return chance.randrange(10)  # type: ignore[attr-defined, no-any-return]

    def check(self, case: int) -> None:
        assert case % 2 == 0, "odd"


def test_a_failure_tells_its_input_and_the_way_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "odd", _Odd)
    assert main(["odd", "--count", "1000", "--seed", "s"]) == 1
    shown = capsys.readouterr().out
    literal = shown.partition("input: ")[2].partition("\n")[0]
    assert "again: python -m fuzz odd --seed s" in shown
    with pytest.raises(AssertionError, match="odd"):
        main(["odd", "--input", literal])
    assert main(["odd", "--input", "2"]) == 0
