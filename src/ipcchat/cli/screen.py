"""`ipcchat-client` on a terminal: a screen at once, and the talk as soon as it is there.

What only a connection needs is imported on a thread while the screen shows and takes keys.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ipcchat.address import Address
from ipcchat.cli.run import drop_output
from ipcchat.errors import IpcchatError
from ipcchat.settings import ClientSettings

if TYPE_CHECKING:
    from ipcchat.client.profile import Profile
    from ipcchat.client.session import Session

__all__ = ["is_plain", "quick_start", "screen"]

_LOST = 128 + getattr(signal, "SIGHUP", 1)
"""The exit code where the terminal is gone: nothing can be written to it any more."""


def is_plain(settings: ClientSettings) -> bool:
    """Whether the talk is to be sentences, one below the other: asked for, or all there can be."""
    return settings.plain or os.environ.get("TERM", "") in ("", "dumb")


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Nothing that a program begins with is garbage: it is not looked for until `started`."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def started() -> None:
    """What is there now stays to the end, and is not looked at again."""
    gc.freeze()
    gc.enable()


async def screen(address: Address, settings: ClientSettings) -> int:
    """Shows the talk until the user leaves; returns the exit code. Raises what ended it."""
    code = 0
    main = asyncio.current_task()
    assert main is not None

    def end(number: int) -> None:
        nonlocal code
        code = 128 + number
        main.cancel()

    # The terminal must be as it was before, however we end. Not all systems have these.
    with contextlib.suppress(NotImplementedError, AttributeError):
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    before, onward, greeting = address, address, ""
    try:
        while True:
            try:
                there = await _at(onward, settings, greeting)
            except IpcchatError as error:
                if onward == before:
                    _forget_keys()
                    raise
                # It was /connect that led here: back to where one was.
                greeting = f"{error}" + (f" – {error.hint}" if error.hint else "")
                onward = before
                continue
            if there is None:
                break
            before, onward, greeting = onward, there, ""
    except asyncio.CancelledError:
        if not code:
            raise
    except EOFError:  # the terminal is gone, which SIGHUP may say a moment later
        code = code or _LOST
    if code == _LOST:
        drop_output()
    return code


def _forget_keys() -> None:
    """What was typed for the talk must not become commands of the shell."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


async def _at(address: Address, settings: ClientSettings, said: str = "") -> Address | None:
    """At one server; the next one, where the user asked for it. `said` is told first."""
    visit = _Visit(address, settings, said)
    try:
        if is_plain(settings):
            from ipcchat.plain.app import run

            session, greeting = await visit.begin()
            return await run(session, settings, greeting=greeting)
        from ipcchat.tui.app import load, opened

        return await opened(settings, lambda: visit.begin(load))
    finally:
        await visit.end()


class _Visit:
    """The profile and the session at one server."""

    def __init__(self, address: Address, settings: ClientSettings, said: str) -> None:
        self._address = address
        self._said = said
        self._settings = settings
        self._profile: Profile | None = None
        self._session: Session | None = None

    async def begin(self, meanwhile: Callable[[], None] = lambda: None) -> "tuple[Session, str]":
        """The session, which connects while `meanwhile` runs on a thread; and what to greet with.

        Raises FileError, TextError.
        """
        profile = await asyncio.to_thread(self._open)
        session = self._made(profile)
        await session.start(0)
        await asyncio.to_thread(meanwhile)
        started()
        return session, "\n".join(filter(None, (profile.said, self._said)))

    def _open(self) -> "Profile":
        import ipcchat.client.session  # noqa: F401  # imported while nobody waits for the loop
        from ipcchat.client.profile import open_profile

        self._profile = open_profile(self._settings.name, interactive=True)
        return self._profile

    def _made(self, profile: "Profile") -> "Session":
        from ipcchat.client.link import Credentials
        from ipcchat.client.outbox import new_draft
        from ipcchat.client.session import Session
        from ipcchat.client.unsent import Unsent

        credentials = Credentials(
            profile.nick,
            profile.secret,
            profile.identity,
            profile.asked,
            moved=profile.moved,
            moved_at=profile.moved_at,
            invite=self._address.invite,
            token=self._settings.token,
            device=new_draft(),
        )
        unsent = Unsent(profile, str(self._address)) if profile.locked else None
        self._session = Session(self._address, credentials, self._settings, unsent=unsent)
        return self._session

    async def end(self) -> None:
        """Says goodbye, and frees the profile."""
        if self._session is not None:
            await self._session.close()
        if self._profile is not None:
            self._profile.close()
