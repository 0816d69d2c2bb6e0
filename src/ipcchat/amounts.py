"""Numbers, sizes (bytes) and durations (seconds), as people write them."""

import re
from typing import NamedTuple

__all__ = ["AMOUNTS", "parse_amount", "show_amount"]


class _Kind(NamedTuple):
    """How one kind is written."""

    example: str
    most: int
    """What it may be where nothing else bounds it."""
    units: dict[str, float]
    """In small letters, with what they are worth."""
    told: str = ""
    """The units, for who has written another."""
    shown: tuple[tuple[str, int], ...] = ()
    """Units that a multiple of them is shown in, the largest first."""


_SIZES = {"": 1.0, "b": 1.0, "k": 2.0**10, "m": 2.0**20, "g": 2.0**30, "kb": 1e3, "mb": 1e6}
_SIZES |= {"gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_DURATIONS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
AMOUNTS: dict[str, _Kind] = {
    "number": _Kind("a whole number", 10**15 - 1, {"": 1.0}),
    "size": _Kind(
        "a size such as 65536, 64KiB or 1M",
        2**40,
        _SIZES,
        "B, K, M, G, KiB, MiB, GiB, KB, MB, GB",
        (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)),
    ),
    "duration": _Kind(
        "a duration such as 45, 45s, 500ms, 10m, 1h or 2d",
        36_500 * 86_400,
        _DURATIONS,
        "ms, s, m, h, d",
        (("d", 86400), ("h", 3600), ("m", 60)),
    ),
}
_AMOUNT = re.compile(r"(\d+(?:\.\d{1,9})?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)


def show_amount(kind: str, value: float) -> str:
    """An amount as one would write it."""
    if kind == "duration" and 0 < value < 1:
        return f"{value * 1000:g}ms"
    for unit, size in AMOUNTS[kind].shown:
        if value and value % size == 0:
            return f"{value / size:g}{unit}"
    return f"{value:g}s" if kind == "duration" else str(value)


def parse_amount(
    kind: str, value: object, low: float, high: float, allowed: str = ""
) -> int | float:
    """An amount from text, TOML or a flag, a float for a duration. Raises ValueError: what is
    allowed; `allowed` says it in words."""
    example, _, units, told, _ = AMOUNTS[kind]
    example += f", {allowed}" if allowed else ""
    bounds = f"allowed: {show_amount(kind, low)} to {show_amount(kind, high)}"
    # Not as text where it has thousands of digits: Python refuses to write those.
    if isinstance(value, int | float) and abs(value) >= 10**15:
        raise ValueError(bounds)
    found = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"allowed: {example}")
    if (unit := found[2].lower()) not in units:
        raise ValueError(f"allowed: {example}" + (f"; units: {told}" if told else ""))
    amount = float(found[1]) * units[unit]
    if amount > high:
        raise ValueError(bounds)
    if kind != "duration" and amount != int(amount):
        raise ValueError(f"allowed: {example}")
    if amount < low:
        raise ValueError(f"allowed: {allowed}" if allowed else bounds)
    return amount if kind == "duration" else int(amount)
