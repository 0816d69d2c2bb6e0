"""The program itself: help, the connection, the end."""

from collections.abc import Callable

from ipcchat import commands
from ipcchat.actions.face import Action, Face
from ipcchat.actions.question import Question
from ipcchat.address import parse_address
from ipcchat.commands import Invocation
from ipcchat.errors import IpcchatError, UsageError

__all__ = ["PROGRAM"]


async def _help(face: Face, call: Invocation) -> None:
    if call.arguments:
        row = commands.find(call.arguments[0], face.role)
        also = f" (also {', '.join('/' + alias for alias in row.aliases)})" if row.aliases else ""
        face.show(f"{row.usage} – {row.help}{also}", "help")
        return
    rows = [row for row in commands.COMMANDS if row.role in ("member", face.role)]
    lines = [f"{row.usage} – {row.help}" for row in rows]
    lines += ["//text says a line that begins with a slash · /keys lists the keys"]
    face.show("\n".join(lines), "help")


async def _keys(face: Face, call: Invocation) -> None:
    face.show("\n".join(face.keys()), "help")


async def _reconnect(face: Face, call: Invocation) -> None:
    face.session.reconnect()


async def _quit(face: Face, call: Invocation) -> None:
    if face.desk is not None:  # the end of this screen is the server's
        await face.desk.do(face, "shutdown")
        return
    await _unless_unsent(face, "quit", face.leave)


async def _connect(face: Face, call: Invocation) -> None:
    if face.desk is not None:
        raise UsageError("not at the server's own screen", "ipcchat-client goes to another server")
    address = parse_address(call.arguments[0].strip("\"'"))
    await _unless_unsent(face, f"go to {address}", lambda: face.connect(address))


async def _unless_unsent(face: Face, what: str, deed: Callable[[], None]) -> None:
    """Does what ends the screen; where lines were not sent, only if the user says so."""
    if face.session.unsent:
        await face.session.settled()  # the last one may be on its way
    count = len(face.session.unsent)
    if not count:
        deed()
        return
    lines = f"{count} line{'s' * (count != 1)} not sent"
    kept = ", kept for next time" if face.session.keeps else ""
    face.ask(Question(f"{lines}{kept}: {what} all the same?  y yes · n no", {"y": deed}))


async def _editor(face: Face, call: Invocation) -> None:
    face.edit()


async def _operate(face: Face, call: Invocation) -> None:
    if face.desk is None:
        raise IpcchatError("only at the server's own screen")
    await face.desk.do(face, call.command.name)


PROGRAM: dict[str, Action] = {
    "help": _help,
    "keys": _keys,
    "editor": _editor,
    "connect": _connect,
    "reconnect": _reconnect,
    "quit": _quit,
    "reload": _operate,
    "shutdown": _operate,
}
