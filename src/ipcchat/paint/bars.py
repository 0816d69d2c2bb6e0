"""The topic line, the status line, the lists at the sides: small rows made of the model."""

from collections.abc import Iterator

from ipcchat.client.model import Model, RoomView
from ipcchat.clock import now
from ipcchat.paint.cells import clip, columns
from ipcchat.paint.row import Part, Row, clipped, row
from ipcchat.paint.theme import nick_style
from ipcchat.paint.wrap import wrap

__all__ = ["first_room", "members", "question", "rooms", "status", "topic", "urgency"]

_HINT = "/help "
"""At the right of the topic, for who is new."""
_PRIVATE = " private"
_NO_ROOM = " — no room: Ctrl+N, Alt+1 or Ctrl+G goes to one"


def _bar(text: str, width: int, style: str) -> Row:
    """A whole row in one style."""
    shown = clip(text, width)
    return row((style, shown + " " * (width - columns(shown))))


def topic(model: Model, width: int) -> Row:
    """`#lab private — Week 9: sockets`, `@bob — away: lunch`."""
    room = model.rooms.get(model.current)
    if room is None:
        return _bar(" ipcchat" + _NO_ROOM * bool(model.rooms), width, "bar")
    private = _PRIVATE if room.access == "private" else ""
    about = _peer(room) if room.access == "direct" else room.topic
    text = f" {room.name}{private}" + (f" — {about}" if about else "")
    hint = " " * (width - columns(text) - columns(_HINT)) + _HINT
    return _bar(text + hint if columns(text) + columns(_HINT) + 2 <= width else text, width, "bar")


def _peer(room: RoomView) -> str:
    """How the other one of a direct room is, in words; empty: online."""
    peer = room.members.get(room.peer)
    if peer is None or peer.status == "online":
        return ""
    return peer.status + (f": {peer.text}" if peer.status == "away" and peer.text else "")


def status(model: Model, width: int, more: int, extra: str = "") -> Row:
    """`[09:04] PLAIN! you@lab 2:#lab(14)  H: 3:#ops(2!,5)  -MORE(50)-`, in words."""
    style = "bar" if model.state == "online" else "bar.trouble"
    plain = "  PLAIN!" if model.plain else ""
    time = f" [{now():%H:%M}]"
    words = _words(model, more, extra)
    hot = _hot(model)
    words["hot"] = next(hot)
    # In a small window: what can be done without, the least first.
    state = words["state"].partition("…")[0] + "…" * bool(words["state"])
    for word, shorter in (
        ("who", model.nick),
        ("state", state),
        ("who", ""),
        *(("hot", fewer) for fewer in hot),
        ("away", ""),
        ("time", ""),
        ("hot", ""),
    ):
        text = "".join(f"  {part}" for part in words.values() if part)
        if columns(time + plain + text) <= width:
            break
        if word == "time":
            time = ""
        else:
            words[word] = shorter
    text = "".join(f"  {part}" for part in words.values() if part)
    # Before whatever may be long: that others can listen in shows in the smallest window, too.
    rest = " " * max(0, width - columns(time + plain + text))
    parts = [(style, time + plain[:2]), ("bar.plain", plain[2:]), (style, text + rest)]
    return row(*clipped(parts, width))


def _words(model: Model, more: int, extra: str) -> dict[str, str]:
    """What the status line says behind the time, in order; empty: nothing."""
    words = dict.fromkeys(("who", "away", "state", "room", "more", "extra", "hot"), "")
    words["who"] = f"{model.nick}@{model.server}"
    words["away"] = "away" if model.away is not None else ""
    if model.state != "online":
        shown = "connecting…" if model.state == "connecting" else f"{model.state}…"
        words["state"] = f"{shown} {model.detail}".strip()
    order = model.ordered()
    numbers = {room.number: index for index, room in enumerate(order, 1)}
    room = model.rooms.get(model.current)
    if room is not None:
        count = sum(member.status != "offline" for member in room.members.values())
        words["room"] = f"{numbers[room.number]}:{room.name}({count})"
    words["more"] = f"-MORE({more})-" if more else ""
    words["extra"] = extra
    return words


def _hot(model: Model) -> Iterator[str]:
    """Where something is new, in words: `H: 2:#lab(2) 4:@bob(1!)`; then shorter and shorter, direct
    messages and mentions first: `H: 4:@bob(1!) +1`, `H:+2!`."""
    items = [(number, room) for number, room in enumerate(model.ordered(), 1) if room.unread]
    yield f"H: {' '.join(_activity(*item) for item in items)}" if items else ""
    items.sort(key=lambda item: urgency(item[1]))
    shown = [_activity(*item) for item in items]
    for count in range(len(items) - 1, -1, -1):
        # They are sorted: where the first of the others is for the user, some are.
        mark = "!" if urgency(items[count][1]) < 2 else ""
        yield (
            "H:"
            + "".join(f" {text}" for text in shown[:count])
            + (f"{' ' * bool(count)}+{len(items) - count}{mark}")
        )


def urgency(room: RoomView) -> int:
    """Which of the rooms with something new is first: the least; below 2 it is for the user."""
    return 0 if room.access == "direct" else 1 if room.mentions else 2


def question(text: str, width: int) -> list[Row]:
    """A question, whole: its keys stand at its end."""
    return [_bar(line, width, "question") for line in wrap(text, width)]


def _activity(number: int, room: RoomView) -> str:
    if room.access == "direct":
        return f"{number}:{room.name}({room.unread}!)"
    mentions = f"{_mentions(room)}," if room.mentions else ""
    return f"{number}:{room.name}({mentions}{room.unread})"


def _mentions(room: RoomView) -> str:
    """`3!`, or `3+!`: there may be more among what is not loaded."""
    return f"{room.mentions}{'+' * room.more_mentions}!"


def rooms(model: Model, width: int, height: int) -> list[Row]:
    """The rooms one is in, the current one marked, those with something new bold."""
    made: list[Row] = []
    for number, room in enumerate(model.ordered(), 1):
        current = room.number == model.current
        mark = ">" if current else " "
        count = ""
        if room.unread:
            count = f" {_mentions(room)}" if room.mentions else f" {room.unread}"
        style = "pane.current" if current else "pane"
        if room.unread and not current:
            style = "pane.unread"
        name = clip(f"{mark}{number} {room.name}", width - 2 - len(count))
        parts: list[Part] = [(style, name + count)]
        if room.access == "private" and columns(name + count + _PRIVATE) <= width - 2:
            parts = [(style, name), ("pane.away", _PRIVATE), (style, count)]
        made.append(_side(parts, width))
    first = first_room(model, height)
    return _fill(made[first : first + height], width, height)


def first_room(model: Model, height: int) -> int:
    """How many rooms are above those that show in so many rows."""
    order = [room.number for room in model.ordered()]
    index = order.index(model.current) if model.current in order else 0
    return max(0, index - height + 1)


def members(model: Model, width: int, height: int) -> list[Row]:
    """Who is in the current room: those online first, each in their colour."""
    room = model.rooms.get(model.current)
    if room is None:
        return _fill([], width, height, left=True)
    order = sorted(
        room.members.values(), key=lambda member: (member.status == "offline", member.nick.lower())
    )
    made: list[Row] = []
    for member in order[: height - 1 if len(order) > height else height]:
        style = nick_style(member.nick, member.account == model.account)
        if member.status != "online":
            style = "pane.away"
        suffix = "" if member.status == "online" else f" ({member.status})"
        nick = clip(member.nick, width - 2 - columns(suffix))
        made.append(_list([(style, nick), ("pane.away", suffix)], width))
    if len(order) > height:
        made.append(_list([("pane.away", f"… {len(order) - height + 1} more")], width))
    return _fill(made, width, height, left=True)


def _side(parts: list[Part], width: int) -> Row:
    """A row with a rule at its right."""
    shown = clipped(parts, width - 2)
    used = sum(columns(text) for _, text in shown)
    return row(*shown, ("", " " * (width - 1 - used)), ("rule", "│"))


def _list(parts: list[Part], width: int) -> Row:
    """A row with a rule at its left."""
    return row(("rule", "│ "), *clipped(parts, width - 2))


def _fill(made: list[Row], width: int, height: int, left: bool = False) -> list[Row]:
    blank = _list([], width) if left else _side([], width)
    return made + [blank] * (height - len(made))
