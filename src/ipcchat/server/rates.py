"""How fast an account may say things, over all its sessions together.

A token bucket kept as one number an account, the time at which its bucket is full again (the
"theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371). An account whose
bucket is full is the same as one that was never seen, and is forgotten.
"""

__all__ = ["Rates"]

_KEEP = 256
"""So many accounts are kept before the first look for full buckets."""
_ROUNDING = 1e-9
"""Seconds: who waits as long as it was told is not refused for the last bit of a float."""


class Rates:
    """Token buckets of `burst` tokens, filled by `per_second`; either 0: no limit.

    Memory is bounded by the accounts that spoke within `burst / per_second` seconds, twice.
    """

    __slots__ = ("_full_at", "_interval", "_limit", "_room", "limited")

    def __init__(self, burst: int = 10, per_second: float = 5.0) -> None:
        self._full_at: dict[int, float] = {}
        self._limit = _KEEP
        self.change(burst, per_second)

    def change(self, burst: int, per_second: float) -> None:
        """Other numbers from now on; every bucket starts full."""
        self.limited = burst > 0 and per_second > 0
        """Whether there is any limit."""
        self._interval = 1.0 / per_second if self.limited else 0.0
        """Seconds until a spent token is there again; 0: no limit."""
        self._room = burst * self._interval + _ROUNDING
        """Seconds from empty to full."""
        self._full_at.clear()
        self._limit = _KEEP

    def take(self, account: int, now: float, cost: int = 1) -> float:
        """Takes `cost` tokens: 0.0 when they were there, else the seconds until they will be.

        A refusal takes nothing. `now` is of a clock that never goes back, in seconds; `cost` is
        at most `burst`.
        """
        if not self._interval:
            return 0.0
        full_at = self._full_at.get(account)
        if full_at is None:
            if len(self._full_at) >= self._limit:
                self._forget(now)
            full_at = now
        elif full_at < now:
            full_at = now
        full_at += self._interval * cost
        wait = full_at - now - self._room
        if wait > 0.0:
            return wait + _ROUNDING
        self._full_at[account] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._limit = max(_KEEP, 2 * len(self._full_at))

    def __len__(self) -> int:
        """Accounts that are kept at present."""
        return len(self._full_at)
