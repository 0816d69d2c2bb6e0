"""Makes docs/screen.svg from a real screen: a server, three people, a real pty.

python -m docs.picture
"""

import tempfile
from html import escape
from pathlib import Path

from tests.support import serve_process
from tests.terminal import Terminal, terminal
from wcwidth import wcwidth

COLUMNS, ROWS = 100, 22
CELL, LINE, MARGIN = 8.4, 18, 14
GROUND, INK = "#1c1f26", "#d7dae0"
COLOURS = {
    "black": "#5c6370",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#d7dae0",
    "default": INK,
}


def colour(name: str, default: str) -> str:
    """A pyte colour as CSS."""
    if name == "default":
        return default
    name = name.removeprefix("bright")
    return COLOURS.get(name, f"#{name}" if len(name) == 6 else default)


def svg(shown: Terminal) -> str:
    """The screen as an SVG picture; each cell stands at its own place."""
    screen = shown.screen
    width = COLUMNS * CELL + 2 * MARGIN
    height = ROWS * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="ui-monospace, Menlo, DejaVu Sans Mono, monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>',
    ]
    for row in range(ROWS):
        y = MARGIN + row * LINE
        column = 0
        while column < COLUMNS:
            cell = screen.buffer[row][column]
            ink, ground = colour(cell.fg, INK), colour(cell.bg, GROUND)
            if cell.reverse:
                ink, ground = ground, ink
            text, wide = cell.data, max(1, wcwidth(cell.data[:1] or " "))
            start = column
            column += wide
            while column < COLUMNS and wide == 1:
                other = screen.buffer[row][column]
                same = (other.fg, other.bg, other.bold, other.reverse)
                if same != (cell.fg, cell.bg, cell.bold, cell.reverse) or not other.data:
                    break
                if wcwidth(other.data[:1]) != 1:
                    break
                text += other.data
                column += 1
            x = MARGIN + start * CELL
            if ground != GROUND:
                parts.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{(column - start) * CELL:.1f}" '
                    f'height="{LINE}" fill="{ground}"/>'
                )
            if text.strip():
                weight = ' font-weight="bold"' if cell.bold else ""
                parts.append(
                    f'<text x="{x:.1f}" y="{y + 14}" fill="{ink}"{weight} xml:space="preserve" '
                    f'textLength="{(column - start) * CELL:.1f}" lengthAdjust="spacing">'
                    f"{escape(text)}</text>"
                )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            serve_process(home / "server") as server,
            terminal(
                "client",
                server.address,
                "--name",
                "ann",
                home=home / "ann",
                columns=COLUMNS,
                rows=ROWS,
            ) as ann,
            terminal("client", server.address, "--name", "bob", home=home / "bob") as bob,
            terminal("client", server.address, "--name", "mei", home=home / "mei") as mei,
        ):
            for shown in (ann, bob, mei):
                shown.wait(lambda text: "#lobby" in text and "connecting" not in text)
            bob.line("/topic Week 9: sockets")
            ann.wait("Week 9")
            ann.line("/join #ops")
            ann.wait("#ops")
            ann.line("/join #lobby")
            for speaker, text in (
                (ann, "anyone got port 5555 free?"),
                (bob, "mine is, the server has been up since monday"),
                (mei, "こんにちは 👋  my followers see everything exactly once, in one order"),
                (bob, "ann: kill -9 it and look: what was acknowledged is still there"),
                (ann, "/me tries"),
                (mei, "and /save writes the whole room, not what happens to be on the screen"),
            ):
                speaker.line(text)
                said = text.removeprefix("/me ")[-20:]
                for shown in (ann, bob, mei):
                    shown.wait(lambda seen, said=said: said.split()[-1] in seen)  # type: ignore[misc]
            bob.line("/join #ops")
            bob.wait("#ops")
            bob.line("deploy at four")
            ann.wait(lambda text: "2:#ops" in text.splitlines()[-2])
            Path("docs/screen.svg").write_text(svg(ann), encoding="utf-8")


if __name__ == "__main__":
    main()
