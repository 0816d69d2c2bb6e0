"""Times as short as they can be told today: an hour, a day, a year only where they are others."""

from datetime import datetime

from ipcchat.clock import local, now

__all__ = ["day", "moment"]


def day(time: int) -> str:
    """`3 Nov`, or `3 Nov 2025` in another year; milliseconds since 1970 UTC."""
    return _day(local(time))


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}" + (f" {at.year}" if at.year != now().year else "")


def moment(time: int, time_format: str = "%H:%M") -> str:
    """`14:02`, or `3 Nov 14:02` on another day; milliseconds since 1970 UTC."""
    at = local(time)
    clock = at.strftime(time_format)
    return clock if at.date() == now().date() else f"{_day(at)} {clock}"
