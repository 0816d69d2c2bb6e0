"""Makes docs/screen-dark.svg and screen-light.svg from a real screen: a server, three people, a
real pty.

python -m docs.picture
"""

import re
import socket
import tempfile
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

from tests.support import free_port, serve_process
from tests.terminal import Terminal, terminal
from wcwidth import wcwidth

from ipcchat.address import DEFAULT_PORT, Address

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


def talk(ann: Terminal, bob: Terminal, mei: Terminal) -> None:
    """What the picture shows, said in that order."""
    for shown in (ann, bob, mei):
        shown.wait("1:#lobby(3)")  # that somebody came is told a moment later
    bob.line("/topic Week 9: sockets")
    ann.wait("Week 9")
    ann.line("/join #ops")
    ann.wait("2:#ops(1)")
    ann.line("/join #lobby")
    ann.wait("1:#lobby(3)")
    for speaker, text in (
        (ann, "anyone got port 5555 free?"),
        (bob, "mine is, the server has been up since monday"),
        (mei, "こんにちは 👋  my followers see everything exactly once, in one order"),
        (bob, "ann: kill -9 it and look: what was acknowledged is still there"),
        (ann, "/me tries"),
        (mei, "and /save writes the whole room, not what happens to be on the screen"),
    ):
        speaker.line(text)
        last = text.split()[-1]
        for shown in (ann, bob, mei):
            # Above the input, where it is typed.
            shown.wait(lambda seen, last=last: last in seen.rpartition("\n")[0])  # type: ignore[misc]
    bob.line("/join #ops")
    bob.wait("2:#ops(2)")
    bob.line("deploy at four")
    ann.wait(lambda text: "2:#ops(1)" in text.splitlines()[-2])


def afternoon() -> str:
    """A time zone in which it is 14:34: at any hour the pictures are alike, never of midnight."""
    now = datetime.now(UTC)
    since = timedelta(hours=now.hour, minutes=now.minute, seconds=now.second)
    ahead = round((timedelta(hours=14, minutes=34) - since).total_seconds())
    minutes, seconds = divmod(abs(ahead), 60)
    sign = "-" if ahead >= 0 else "+"  # POSIX counts to the west
    return f"<lab>{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def make(folder: Path, port: int) -> None:
    """Draws both pictures into a folder. The server has TLS and that port, as a newcomer's."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        home = Path(place)
        zone = afternoon()
        stack.enter_context(
            serve_process(home / "server", port=port, IPCCHAT_PLAINTEXT="false", TZ=zone)
        )
        server = str(Address("localhost", port))
        ann, bob, mei = (
            stack.enter_context(
                terminal(
                    *("client", server, "--name", name),
                    home=home / name,
                    columns=COLUMNS,
                    rows=ROWS,
                    IPCCHAT_PLAINTEXT="false",
                    TZ=zone,
                )
            )
            for name in ("ann", "bob", "mei")
        )
        talk(ann, bob, mei)
        for theme, (ground, _) in TERMINALS.items():
            ann.raw = b""
            red, green, blue = ground[1:3], ground[3:5], ground[5:7]
            ann.type(f"\x1b]11;rgb:{red}/{green}/{blue}\x07")  # as a terminal answers
            ann.wait(lambda _: whole(ann.raw))
            (folder / f"screen-{theme}.svg").write_text(svg(ann, theme), encoding="utf-8")


def whole(drawn: bytes) -> bool:
    """Whether every row was drawn, in a frame that has ended."""
    return drawn.count(b"\x1b[2K") >= ROWS and drawn.endswith(b"\x1b[?2026l")


def timeless(picture: str) -> str:
    """A picture's text without what differs between two of the same screen: times, the date, the
    server's port."""
    for pattern, instead in (
        (r"\b\d\d:\d\d\b", "--:--"),
        (r"─+ \w+ \d+ \w+ \d{4} ─+", "── date ──"),
        (r"@localhost(:\d+)?", "@localhost"),
        (r" +</text>", "</text>"),
    ):
        picture = re.sub(pattern, instead, picture)
    return picture


def usual_port() -> int:
    """A server's usual port; another where that is taken."""
    with socket.socket() as sock, suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", DEFAULT_PORT))
        return DEFAULT_PORT
    return free_port()


if __name__ == "__main__":
    make(Path(__file__).parent, usual_port())
