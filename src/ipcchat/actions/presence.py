"""Who is there: the nicks that are known, who somebody is, whether one is away."""

from ipcchat import names
from ipcchat.actions.face import Action, Face
from ipcchat.actions.moments import moment
from ipcchat.client.model import Model
from ipcchat.commands import Invocation
from ipcchat.errors import Refused, UsageError
from ipcchat.text import clean_line, fold

__all__ = ["PRESENCE", "known", "somebody", "unknown"]

_LONGEST = 200
"""Characters of why one is away."""


# --- nicks --------------------------------------------------------------------------------


def known(model: Model) -> list[str]:
    """Every nick that is known: those of the current room first, who spoke last before others, and
    one's own last."""
    here = model.rooms.get(model.current)
    found = here.nicks(model.account) if here is not None else []
    for room in model.rooms.values():
        found += room.nicks(model.account) if room is not here else []
    others = dict.fromkeys(nick for nick in found if nick != model.nick)
    return [*others, *([model.nick] if model.nick in found else [])]


def somebody(face: Face, nick: str, instead: str = "") -> str:
    """The nick, of somebody else. Raises UsageError where it is one's own, or a room's name;
    `instead`: what the user may do then."""
    if nick.startswith("#"):
        raise UsageError(f"{nick} is a room, and no person", f"/join {nick}")
    if names.key(nick) == names.key(face.model.nick):
        raise UsageError("that is you", instead)
    return nick


def unknown(model: Model, nick: str) -> Refused:
    """The error for a nick that nobody has, with those known that are like it."""
    import difflib  # for mistakes alone

    nicks = {fold(one): one for one in known(model) if one != model.nick}
    close = [one for key, one in nicks.items() if key.startswith(fold(nick))][:3]
    close = close or [nicks[key] for key in difflib.get_close_matches(fold(nick), nicks, n=3)]
    hint = f"did you mean {' or '.join(close)}?" if close else "/names lists who is in this room"
    return Refused("no_account", f"nobody has that nick: {nick}", hint=hint)


# --- commands -----------------------------------------------------------------------------


async def _whois(face: Face, call: Invocation) -> None:
    nick = call.arguments[0]
    try:
        found = await face.session.whois(nick)
    except Refused as error:
        raise unknown(face.model, nick) if error.code == "no_account" else error from None
    since = f" since {moment(found.since)}" if found.since else ""
    why = f": {found.text}" if found.text else ""
    lines = [f"{found.nick} is {found.status}{since}{why}"]
    if found.role == "operator":
        lines.append(f"{found.nick} is an operator")
    rooms = list(found.rooms)
    if found.more:
        rooms.append(f"{found.more:,} more")
    lines.append(f"in {', '.join(rooms)}" if rooms else "in no room that you see")
    face.show("\n".join(lines), "help")


async def _away(face: Face, call: Invocation) -> None:
    text = clean_line(call.arguments[0]).strip() if call.arguments else ""
    if len(text) > _LONGEST:
        raise UsageError(f"why you are away has at most {_LONGEST} characters")
    await face.session.away(text)
    face.show(f"you are away{f': {text}' if text else ''} – /back ends it")


async def _back(face: Face, call: Invocation) -> None:
    await face.session.back()
    face.show("you are back")


PRESENCE: dict[str, Action] = {"whois": _whois, "away": _away, "back": _back}
