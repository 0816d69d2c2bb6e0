"""The command that a user has run for what deserves attention."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping

from ipcchat.errors import IpcchatError, SettingError
from ipcchat.text import clean_line

__all__ = ["TIMEOUT", "Hook"]

TIMEOUT = 10.0
"""Seconds a command may take; then it is killed."""


class Hook:
    """Owns the command of the setting `notify_command`, and the one process of it that runs.

    No shell reads it, and what others wrote is never on its command line: that comes by
    IPCCHAT_ALERT_TITLE, IPCCHAT_ALERT_TEXT and IPCCHAT_ALERT_ROOM, and the text on standard input,
    in UTF-8 whatever the locale. No setting's variable has such a name, so that the command may be
    ipcchat-client itself.
    """

    def __init__(
        self, failed: Callable[[IpcchatError], object], environ: Mapping[str, str]
    ) -> None:
        self._failed = failed
        self._environ = environ
        self._task: asyncio.Task[None] | None = None

    def configure(self, command: str) -> None:
        """Another command from now on, of which failures are told anew."""
        import shlex

        self._told = self._useless = False
        self._words: list[str] = []
        self._wrong = "no command is set"
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            self._wrong = f"{clean_line(command)}: {error}".lower()

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def run(self, title: str, text: str, room: str) -> bool:
        """Starts it, unless it can't be used. Not to be called while it runs."""
        if not self._words:
            self._tell(SettingError(f"notify: {self._wrong}", "/set notify_command PROGRAM"))
            return False
        if self._useless:
            return False
        self._task = asyncio.get_running_loop().create_task(
            self._call(title, text, room), name="ipcchat notify command"
        )
        return True

    async def close(self) -> None:
        """Kills what runs, and waits for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _call(self, title: str, text: str, room: str) -> None:
        told = {"TITLE": title, "TEXT": text, "ROOM": room}
        environ: dict[str, str | bytes] = {**self._environ}
        for name, value in told.items():
            environ[f"IPCCHAT_ALERT_{name}"] = value.encode()
        try:
            process = await asyncio.create_subprocess_exec(
                *map(_word, self._words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=environ,
                # Ctrl+C is not for it, and it can't write to the terminal.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._useless = True
            self._no(getattr(error, "strerror", None) or str(error))
            return
        # A timer, not a timeout: a task that only `close` cancels never leaves its process.
        loop = asyncio.get_running_loop()
        limit = loop.call_later(TIMEOUT, _kill, process)
        try:
            await process.communicate(f"{text}\n".encode())
        finally:
            limit.cancel()
            if process.returncode is None:
                _kill(process)
                await process.wait()
        code = await process.wait()
        if code < 0 and loop.time() >= limit.when():
            self._no(f"took more than {TIMEOUT:.0f} s")
        elif code:
            self._no(f"exit code {code}" if code > 0 else f"ended by signal {-code}")

    def _no(self, why: str) -> None:
        command = clean_line(self._words[0])
        self._tell(IpcchatError(f"notify command {command}: {why}".rstrip(), "/set notify bell"))

    def _tell(self, error: IpcchatError) -> None:
        if not self._told:
            self._told = True
            self._failed(error)


def _word(word: str) -> bytes:
    """A word of the command as the system takes it; in UTF-8 where the locale can't have it."""
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "replace")


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kills a command that leads a session, with what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
