"""Makes docs/screen-dark.svg and screen-light.svg from a real screen: a server, three people, a
real pty.

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
TERMINALS = {"dark": ("#1e1e1e", "#e4e4e4"), "light": ("#fafafa", "#1c1c1c")}
"""Ground and ink of a terminal."""


def colour(name: str, default: str) -> str:
    """A colour of pyte's as CSS; with 256 of them it names each by its hexadecimal digits."""
    return default if name == "default" else f"#{name}"


def svg(shown: Terminal, theme: str) -> str:
    """The screen as an SVG picture; each cell stands at its own place."""
    base, plain = TERMINALS[theme]
    screen = shown.screen
    width = COLUMNS * CELL + 2 * MARGIN
    height = ROWS * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="ui-monospace, Menlo, DejaVu Sans Mono, monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="8" fill="{base}"/>',
    ]
    for row in range(ROWS):
        y = MARGIN + row * LINE
        column = 0
        while column < COLUMNS:
            cell = screen.buffer[row][column]
            ink, ground = colour(cell.fg, plain), colour(cell.bg, base)
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
            if ground != base:
                parts.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{(column - start) * CELL:.1f}" '
                    f'height="{LINE}" fill="{ground}"/>'
                )
            if text.strip():
                weight = ' font-weight="bold"' if cell.bold else ""
                weight += ' font-style="italic"' if cell.italics else ""
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
            for theme, (ground, _) in TERMINALS.items():
                ann.raw = b""
                red, green, blue = ground[1:3], ground[3:5], ground[5:7]
                ann.type(f"\x1b]11;rgb:{red}/{green}/{blue}\x07")  # as a terminal answers
                ann.wait(lambda _: ann.raw.count(b"\x1b[2K") >= ROWS)
                Path(f"docs/screen-{theme}.svg").write_text(svg(ann, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
