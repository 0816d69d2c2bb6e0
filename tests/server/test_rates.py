"""How fast an account may speak: the burst, the rate, and what is kept of whom."""

from hypothesis import given
from hypothesis import strategies as st

from ipcchat.server.rates import Rates


def test_a_burst_then_a_steady_rate() -> None:
    rates = Rates(burst=10, per_second=5)
    assert [rates.take(1, 100.0) for _ in range(10)] == [0.0] * 10
    assert abs(rates.take(1, 100.0) - 0.2) < 1e-6
    assert rates.take(1, 100.2) == 0.0
    assert rates.take(1, 100.2) > 0.0
    assert rates.take(2, 100.2) == 0.0, "another account has a bucket of its own"


def test_a_refusal_costs_nothing() -> None:
    rates = Rates(burst=1, per_second=1)
    assert rates.take(1, 0.0) == 0.0
    waits = [rates.take(1, 0.5) for _ in range(100)]
    assert set(waits) == {waits[0]} and abs(waits[0] - 0.5) < 1e-6


def test_zero_is_no_limit() -> None:
    for rates in (Rates(0, 5), Rates(10, 0)):
        assert not any(rates.take(1, 0.0) for _ in range(1000))
        assert len(rates) == 0


def test_other_numbers_hold_at_once() -> None:
    rates = Rates(burst=1, per_second=0.01)
    assert rates.take(1, 0.0) == 0.0
    assert rates.take(1, 0.0) > 90
    rates.change(2, 1)
    assert [rates.take(1, 0.0) > 0 for _ in range(3)] == [False, False, True]
    rates.change(0, 0)
    assert rates.take(1, 0.0) == 0.0


def test_full_buckets_are_forgotten() -> None:
    rates = Rates(burst=10, per_second=5)
    for account in range(100_000):
        assert rates.take(account, account * 0.01) == 0.0
    assert len(rates) <= 256


@given(
    burst=st.integers(1, 20),
    per_second=st.floats(0.1, 100),
    steps=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 3)), max_size=60),
)
def test_it_is_a_bucket_of_tokens(
    burst: int, per_second: float, steps: list[tuple[int, float]]
) -> None:
    """Against tokens counted in the plain way: same answers, and a wait that suffices."""
    rates = Rates(burst, per_second)
    tokens = dict.fromkeys(range(3), float(burst))
    seen = dict.fromkeys(range(3), 1000.0)
    now = 1000.0
    for account, passed in steps:
        now += passed
        tokens[account] += (now - seen[account]) * per_second
        tokens[account] = min(float(burst), tokens[account])
        seen[account] = now
        wait = rates.take(account, now)
        if abs(tokens[account] - 1) > 1e-6:
            assert (wait == 0.0) == (tokens[account] > 1)
        if wait == 0.0:
            tokens[account] -= 1
        else:
            now += wait
            assert rates.take(account, now) == 0.0
            tokens[account] += (now - seen[account]) * per_second - 1
            seen[account] = now
