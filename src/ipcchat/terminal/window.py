"""The terminal's window: its ground and colours, its focus, its title, its bell."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from prompt_toolkit.input import Input

from ipcchat.errors import IpcchatError
from ipcchat.paint import ground
from ipcchat.paint.theme import Theme, depth
from ipcchat.settings import ClientSettings
from ipcchat.terminal.attention import Attention
from ipcchat.terminal.replies import FOCUS_OFF, FOCUS_ON, Replies, install

if TYPE_CHECKING:
    from ipcchat.client.model import Model

__all__ = ["Window"]


class Window:
    """Owns the theme and whether one looks at the window; `changed` is called when either changes.
    `write` sends to the terminal at once."""

    def __init__(
        self,
        input: Input,
        write: Callable[[str], None],
        settings: ClientSettings,
        environ: Mapping[str, str],
        changed: Callable[[], None],
        failed: Callable[[IpcchatError], None],
    ) -> None:
        self._environ = environ
        self._changed = changed
        self._rgb: tuple[int, int, int] | None = None
        self._asked = not ground.may_ask(environ)
        self.focused: bool | None = None
        """None: the terminal has not told."""
        self._attention = Attention(environ=environ, write=write, failed=failed)
        self.configure(settings)
        install(input, Replies(self._focus, self._ground))

    def configure(self, settings: ClientSettings) -> None:
        """Other settings from now on."""
        self._settings = settings
        self._attention.configure(settings.notify, settings.notify_command, settings.title)
        self._choose()

    def _choose(self) -> None:
        shade = ground.decide(self._settings.theme, self._rgb, self._environ)
        self.theme: Theme = Theme(shade, depth(self._settings.color, self._environ))
        """The colours that fit."""

    def modes(self, on: bool) -> str:
        """What to send when the screen is entered, or left."""
        if not on:
            self._attention.end()
            return FOCUS_OFF
        self._attention.begin()
        if self._asked or self._settings.theme != "auto":
            return FOCUS_ON
        self._asked = True
        return FOCUS_ON + ground.QUERY

    def look(self, model: "Model") -> None:
        """What has come deserves attention, maybe; the title says what is unread."""
        while model.alerts:
            alert = model.alerts.popleft()
            room, entry = model.rooms.get(alert.room), alert.entry
            if room is None or (self.focused and model.focused and room.number == model.current):
                continue
            self._attention.alert(room.name, f"{entry.nick}: {entry.text}", room.name)
        self._attention.title(model)

    async def close(self) -> None:
        """Nothing sounds any more."""
        await self._attention.close()

    def _focus(self, focused: bool) -> None:
        self.focused = focused
        self._attention.focus(focused)
        self._changed()

    def _ground(self, reply: str) -> None:
        self._rgb = ground.parse_reply(reply)
        self._choose()
        self._changed()
