"""The user's own time: entries keep UTC, the screen shows local time."""

from datetime import UTC, datetime

__all__ = ["local", "now"]


def local(milliseconds: int) -> datetime:
    """A time of the wire, in the user's zone."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()


def now() -> datetime:
    """This moment, in the user's zone."""
    return datetime.now(UTC).astimezone()
