"""What asks for attention where there are only sentences: a bell, or the user's command."""

import asyncio
import os
from collections.abc import Callable

from ipcchat.client.model import Model
from ipcchat.errors import IpcchatError
from ipcchat.plain.terminal import Terminal
from ipcchat.settings import ClientSettings
from ipcchat.terminal.hook import Hook

__all__ = ["Alarm"]

_BELLS = 2.0
"""Seconds between two bells, or two starts of the command, at least."""


class Alarm:
    """Owns when it rang last, and the command of the setting `notify_command`."""

    def __init__(
        self,
        model: Model,
        terminal: Terminal,
        settings: ClientSettings,
        failed: Callable[[IpcchatError], None],
    ) -> None:
        """Made inside a running loop. `failed` hears once what is wrong with the command; the bell
        stands in where it can't be run."""
        self._model = model
        self._terminal = terminal
        self._hook = Hook(failed, os.environ)
        self._time = asyncio.get_running_loop().time
        self._rang = float("-inf")
        self.configure(settings)

    def configure(self, settings: ClientSettings) -> None:
        """Other settings count from now on. No terminal notification is written: those are
        escape sequences; whoever chose one hears the bell."""
        self._kind = settings.notify
        self._hook.configure(settings.notify_command)

    def look(self) -> None:
        """Takes the alerts from the model. Of those that come together, and of those that come
        too soon after others or while the command runs, the last one alone, or none, sounds."""
        alerts = self._model.alerts
        if not alerts:
            return
        alert = alerts[-1]
        alerts.clear()
        at = self._time()
        if self._kind == "off" or at - self._rang < _BELLS or self._hook.running:
            return
        room = self._model.rooms.get(alert.room)
        self._rang = at
        name, entry = room.name if room is not None else "", alert.entry
        if self._kind == "command" and self._hook.run(name, f"{entry.nick}: {entry.text}", name):
            return
        if self._terminal.shows:
            self._terminal.write("\a")

    async def close(self) -> None:
        """Kills a command that still runs."""
        await self._hook.close()
