"""A container that lays ready rows into prompt_toolkit's screen, past its per-character window."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from prompt_toolkit.layout.containers import Container
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Char, Screen, WritePosition

from ipcchat.tui.cells import Row, span

__all__ = ["Desk", "RowsPane", "steady"]


class Desk(Protocol):
    """A pane above the talk, with commands of its own: the operator's. `screen`: a `ChatScreen`."""

    height: int
    links: Sequence[str]

    def attach(self, screen: Any) -> None: ...

    def detach(self) -> None: ...

    def rows(self, width: int, height: int) -> list[Row]: ...

    async def do(self, screen: Any, name: str) -> None: ...


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
            if row.doubtful:
                steady(screen, y, left, width, row)
        screen.width = max(screen.width, left + width)
        screen.height = max(screen.height, top + height)

    def get_children(self) -> list[Container]:
        return []


def steady(screen: Screen, y: int, left: int, width: int, row: Row) -> None:
    """Keeps the cursor right behind clusters that the terminal may draw in another width.

    Their cells are erased first, in case it draws them narrower; behind them the cursor is put
    where it belongs, and what it may have drawn too far is erased. The escapes are sent when their
    cell is drawn, and the cells behind such a cluster are drawn whenever it is (see `cells.row`).
    """
    line, escapes = screen.data_buffer[y], screen.zero_width_escapes[y]
    for column, wide, most in row.doubtful:
        first, end = left + column, left + column + wide
        cluster = line[first]
        if column + most > width:
            # It could reach into what stands beside the pane: its first character alone can't.
            alone = Char("x", cluster.style)
            alone.char = cluster.char[0].ljust(1 + wide - max(1, span(cluster.char[0])))
            alone.width = wide
            line[first] = alone
            continue
        escapes[first] += f"\x1b[{wide}X"
        if end >= left + width:
            continue  # nothing of ours stands behind it
        after = f"\x1b[{end + 1}G"
        if (over := min(most - wide, left + width - end)) > 0:
            after += f"\x1b[{over}X"
        if wide == 1:
            escapes[end] += after
            continue
        # Split in two cells: the escape of the second is sent right behind the cluster.
        head, tail = Char("x", cluster.style), Char("x", f"{cluster.style} class:rest")
        head.char, head.width = cluster.char, wide - 1
        tail.char, tail.width = "", 1
        line[first], line[end - 1] = head, tail
        escapes[end - 1] += after
