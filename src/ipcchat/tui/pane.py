"""A container that lays ready rows into prompt_toolkit's screen, past its per-character window."""

from collections.abc import Callable

from prompt_toolkit.layout.containers import Container
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition

from ipcchat.tui.cells import Row

__all__ = ["RowsPane"]


class RowsPane(Container):
    """`rows(width, height)` gives at most `height` rows, each no wider than `width`."""

    def __init__(
        self,
        rows: Callable[[int, int], list[Row]],
        width: int | None = None,
        height: int | Callable[[int], int] = 0,
    ) -> None:
        """`height`: of so many rows, or as many as that says for a width; 0: what is left."""
        self._lay = rows
        self._width = width
        self._height = height

    def reset(self) -> None:
        pass

    def preferred_width(self, max_available_width: int) -> Dimension:
        return Dimension() if self._width is None else Dimension.exact(self._width)

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        height = self._height(width) if callable(self._height) else self._height
        return Dimension.exact(height) if height else Dimension(min=1, weight=1)

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        left, top = write_position.xpos, write_position.ypos
        width, height = write_position.width, write_position.height
        for y, row in enumerate(self._lay(width, height)[:height], top):
            line = screen.data_buffer[y]
            if left:
                for column, char in row.items():
                    line[left + column] = char
            else:
                line.update(row)
        screen.width = max(screen.width, left + width)
        screen.height = max(screen.height, top + height)

    def get_children(self) -> list[Container]:
        return []
