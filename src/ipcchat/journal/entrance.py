"""Decisions about who is in which room: made, joined, left; private and direct rooms.

Part of `apply`, and pure as it is. Membership of a public room is a fact of room 0, for it says
nothing to who reads there; that of a private room is an entry of the room itself, since what one
may read begins with it.
"""

from collections.abc import Callable

from ipcchat.entries import SERVER, SYSTEM_ROOM
from ipcchat.journal.drafts import Decision, Draft, Outcome, refused
from ipcchat.journal.sight import DIRECT, PRIVATE, PUBLIC, first_seen, hidden_number
from ipcchat.journal.state import Overlay, Room

__all__ = ["DEEDS", "INVITED", "direct_key"]

INVITED = 256
"""Accounts that are invited to a room at a time, and have not come."""


def direct_key(one: int, other: int) -> str:
    """The key of the direct room of two accounts; no room's name has such a key."""
    return f"@{min(one, other)}:{max(one, other)}"


def _same(draft: Draft, room: int) -> Decision:
    """Accepted, and nothing changes that is an entry."""
    return Decision(Outcome(room, 0, draft.time))


def _made(state: Overlay, draft: Draft, room: Room) -> Decision:
    """A new room, with the one who made it, and the peer of a direct one."""
    state.add_room(room)
    entry = state.enter(draft, room.number, "create", room.name, room.peer)
    for account in (room.maker, room.peer):
        if account != SERVER:
            state.set_member(room.number, account, (entry.seq, draft.time))
    if room.peer:
        state.hidden[room.peer, room.number] = entry.seq  # until something is said to it
    return Decision(Outcome(room.number, entry.seq, draft.time), entry)


# --- rooms with a name --------------------------------------------------------------------


def _join(state: Overlay, draft: Draft) -> Decision:
    number = draft.room or state.room_number(draft.key)
    if number is None:
        return _make(state, draft)
    room = state.room(number)
    if room is None or number == SYSTEM_ROOM:
        return refused(draft, "no_room")
    seen = first_seen(state, number, draft.account) is not None
    invited = (number, draft.account)
    if not seen and state.room_invites.get(invited) is None:
        return refused(draft, "no_room")
    if draft.access == PRIVATE:
        return refused(draft, "room_taken")
    if room.access == DIRECT:
        state.hidden.remove((draft.account, number))
        return _same(draft, number)
    if draft.account == SERVER or state.membership(number, draft.account) is not None:
        return _same(draft, number)
    if room.access == PUBLIC:
        state.set_member(number, draft.account, (1, draft.time))
        entry = state.enter(draft, SYSTEM_ROOM, "join", target=number)
        return Decision(Outcome(number, 0, draft.time), entry)
    state.room_invites.remove(invited)
    entry = state.enter(draft, number, "join")
    state.set_member(number, draft.account, (entry.seq, draft.time))
    return Decision(Outcome(number, entry.seq, draft.time), entry)


def _make(state: Overlay, draft: Draft) -> Decision:
    if not draft.key:
        return refused(draft, "no_room")
    if draft.skeleton and state.room_skeletons.get(draft.skeleton) is not None:
        return refused(draft, "look_alike")
    access = draft.access or PUBLIC
    number = state.last_room + 1 if access == PUBLIC else hidden_number(state, draft.seq)
    room = Room(number, draft.name, draft.key, skeleton=draft.skeleton, access=access)
    room.maker, room.made = draft.account, draft.time
    return _made(state, draft, room)


def _part(state: Overlay, draft: Draft) -> Decision:
    number = draft.room or state.room_number(draft.key) or SYSTEM_ROOM
    room = state.room(number)
    if room is None or first_seen(state, number, draft.account) is None:
        return _decline(state, draft, number)
    if room.access == DIRECT:
        state.hidden[draft.account, number] = state.head(number)
        return _same(draft, number)
    if draft.account == SERVER or state.membership(number, draft.account) is None:
        return _same(draft, number)
    state.set_member(number, draft.account, None)
    if room.access == PUBLIC:
        entry = state.enter(draft, SYSTEM_ROOM, "part", target=number)
        return Decision(Outcome(number, 0, draft.time), entry)
    entry = state.enter(draft, number, "part")
    return Decision(Outcome(number, entry.seq, draft.time), entry)


def _decline(state: Overlay, draft: Draft, number: int) -> Decision:
    """Who was invited to a private room does not want to come."""
    invited = (number, draft.account)
    if state.room_invites.get(invited) is None:
        return refused(draft, "no_room")
    state.room_invites.remove(invited)
    nick = state.account(draft.account).nick
    entry = state.enter(draft, number, "decline", nick, draft.account)
    return Decision(Outcome(number, 0, draft.time), entry)


def _remove(state: Overlay, room: int, account: int) -> None:
    """Ends a membership against one's will; whom one has invited is invited no more."""
    state.set_member(room, account, None)
    for (number, invited), by in state.room_invites.items():
        if number == room and by == account:
            state.room_invites.remove((number, invited))


def _kick(state: Overlay, draft: Draft) -> Decision:
    room = state.room(draft.room)
    if room is None or first_seen(state, draft.room, draft.account) is None:
        return refused(draft, "no_room")
    if room.access == DIRECT:
        return refused(draft, "forbidden")
    member = state.membership(draft.room, draft.target) is not None
    if state.accounts.get(draft.target) is None or (room.access == PRIVATE and not member):
        return refused(draft, "no_account")
    _remove(state, draft.room, draft.target)
    entry = state.enter(draft, draft.room, "kick", draft.text, draft.target)
    return Decision(Outcome(draft.room, entry.seq, draft.time), entry)


# --- private rooms ------------------------------------------------------------------------


def _private(state: Overlay, draft: Draft) -> tuple[Room | None, str]:
    """The private room that a draft is about, or why its author may not invite there."""
    room = state.room(draft.room)
    if room is None or first_seen(state, draft.room, draft.account) is None:
        return None, "no_room"
    if room.access != PRIVATE:
        return None, "forbidden"
    return (None, "no_account") if state.accounts.get(draft.target) is None else (room, "")


def _invite(state: Overlay, draft: Draft) -> Decision:
    """Lets an account join; everybody in the room may."""
    room, code = _private(state, draft)
    if room is None:
        return refused(draft, code)
    invited = (room.number, draft.target)
    if state.membership(*invited) is not None or state.room_invites.get(invited) is not None:
        return _same(draft, room.number)
    if sum(number == room.number for (number, _), _ in state.room_invites.items()) >= INVITED:
        return refused(draft, "forbidden")
    state.room_invites[invited] = draft.account
    entry = state.enter(draft, room.number, "invite", draft.text, draft.target)
    return Decision(Outcome(room.number, entry.seq, draft.time), entry)


def _uninvite(state: Overlay, draft: Draft) -> Decision:
    """Takes an invitation back: who said it, who made the room, an operator. Removes who has come
    in: the last two."""
    room, code = _private(state, draft)
    if room is None:
        return refused(draft, code)
    invited = (room.number, draft.target)
    member = state.membership(*invited) is not None
    by = state.room_invites.get(invited)
    if not member and by is None:
        return _same(draft, room.number)
    allowed = draft.account in (room.maker, None if member else by)
    if not allowed and state.account(draft.account).role != "operator":
        return refused(draft, "forbidden")
    state.room_invites.remove(invited)
    if member:
        _remove(state, *invited)
    kind = "kick" if member else "uninvite"
    entry = state.enter(draft, room.number, kind, draft.text, draft.target)
    return Decision(Outcome(room.number, entry.seq, draft.time), entry)


# --- direct rooms -------------------------------------------------------------------------


def _direct(state: Overlay, draft: Draft) -> Decision:
    """The room of two accounts, made at first use."""
    if state.accounts.get(draft.target) is None:
        return refused(draft, "no_account")
    if draft.account in (SERVER, draft.target):
        return refused(draft, "forbidden")
    key = direct_key(draft.account, draft.target)
    number = state.room_number(key)
    if number is not None:
        state.hidden.remove((draft.account, number))
        return _same(draft, number)
    room = Room(hidden_number(state, draft.seq), "", key, access=DIRECT)
    room.maker, room.peer, room.made = draft.account, draft.target, draft.time
    return _made(state, draft, room)


DEEDS: dict[str, Callable[[Overlay, Draft], Decision]] = {
    "direct": _direct,
    "join": _join,
    "kick": _kick,
    "part": _part,
    "room_invite": _invite,
    "room_uninvite": _uninvite,
}
