"""What was committed means for those who are connected, besides that they read it.

Everything that an entry decides about somebody takes effect here, and from the feed alone: lists
of rooms and members, nicks, roles, and who may read and be here no longer.
"""

from collections.abc import Iterable

from ipcchat import names
from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.errors import CODES
from ipcchat.journal.rights import TOKEN
from ipcchat.journal.sight import DIRECT, HIDDEN_ROOMS, first_seen
from ipcchat.server.hub import Hub
from ipcchat.wire import codec
from ipcchat.wire.messages import Bye, Changed, Error, Unfollowed

__all__ = ["Effects"]

_NARROWING = ("kick", "part")
"""Kinds of entries of a room after which somebody may read it no further."""
_ROLE_CHANGED = codec.encode(Changed(what="role"))


class Effects:
    """Reads the journal's feed, gives the rooms what is theirs, and acts on the hub's sessions."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def run(self) -> None:
        """Delivers the committed feed until the journal is closed."""
        hub = self._hub
        async for entries in hub.journal.feed():
            self._deliver(entries)
            if hub.index is not None:
                hub.index.note(entries)
        hub.finish()

    def _deliver(self, entries: Iterable[Entry]) -> None:
        fresh: dict[int, list[Entry]] = {}
        for entry in entries:
            number = entry.room
            if number == SYSTEM_ROOM:
                self._fact(entry)
                continue
            if number in fresh:
                fresh[number].append(entry)
            else:
                fresh[number] = [entry]
            if number >= HIDDEN_ROOMS or entry.kind != "message":
                if entry.kind in _NARROWING:
                    self._hub.hand_over(fresh)  # the entry that says so is their last
                self._change(entry)
        self._hub.hand_over(fresh)

    def _change(self, entry: Entry) -> None:
        """What an entry of a room means besides: for its members, and for lists of rooms."""
        known = self._hub.journal.state
        match entry.kind:
            case "create" if entry.room < HIDDEN_ROOMS:
                self._hub.presence.rooms_changed()
            case "create":
                self._hub.rooms_changed(entry.by)  # the peer hears of it once something is said
            case "join":
                self._hub.presence.settle(entry.room)
                self._hub.presence.moved(entry.room, entry.by, "joined")
                self._hub.rooms_changed(entry.by)
            case "part":
                self._removed(entry, entry.by, "")
            case "kick":
                self._removed(entry, entry.target, "kicked")
                if entry.room < HIDDEN_ROOMS:  # of others, the log knows nothing
                    self._hub.log.info("kick", f"{entry.nick} removed {entry.text}")
            case "invite" | "uninvite" | "decline":
                self._hub.rooms_changed(entry.target)
            case "message" | "topic" if known.rooms[entry.room].access == DIRECT:
                pair = known.members[entry.room]
                for account in pair:  # it is there now, or again, on every device
                    if entry.seq == 2 or known.hidden.get((account, entry.room)) == entry.seq - 1:
                        self._hub.rooms_changed(account)

    def _removed(self, entry: Entry, account: int, code: str) -> None:
        """Ends the subscriptions of who is in a room no more."""
        first = first_seen(self._hub.journal.state, entry.room, account)
        for session in tuple(self._hub.people.get(account, ())):
            subscription = session.subscriptions.get(entry.room)
            if subscription is not None and entry.seq < (first or 0) <= subscription.next:
                continue  # it has come in again since, and follows from there
            if self._hub.unfollow(session, entry.room, concluded=True):
                session.connection.send(Unfollowed(room=entry.room, code=code))
        self._hub.presence.moved(entry.room, account, "parted")
        self._hub.rooms_changed(account)

    def _fact(self, entry: Entry) -> None:
        if entry.kind == "rename":
            for session in self._hub.people.get(entry.by, ()):
                session.nick = entry.text
            self._hub.presence.renamed(entry.by)
            self._hub.log.info("nick", f"{entry.nick} is now {entry.text}")
        elif entry.kind in ("join", "part"):
            self._hub.presence.moved(entry.target, entry.by, entry.kind + "ed")
            self._hub.rooms_changed(entry.by)
        else:
            self._person(entry)

    def _person(self, entry: Entry) -> None:
        """What operators decided about somebody takes effect, and is logged."""
        log = self._hub.log
        nick = self._hub.nick_of(entry.target)
        sessions = tuple(self._hub.people.get(entry.target, ()))
        match entry.kind:
            case "role":
                for session in sessions:
                    session.role = entry.text
                    session.connection.send_state(_ROLE_CHANGED, "role")
                    if entry.text != "operator" and session.log_sink is not None:
                        log.remove_sink(session.log_sink)
                        session.log_sink = None
                log.info("role", f"{entry.nick or 'the server'} made {nick} {entry.text}")
            case "ban":
                why = f": {entry.text}" if entry.text else ""
                for session in sessions:
                    sentence = CODES["banned"].text + why
                    session.connection.close(Error(code="banned", text=sentence))
                log.info("ban", f"{entry.nick} banned {nick}: {entry.text or 'no reason'}")
            case "release":
                for session in sessions:
                    session.nick = entry.text
                if entry.target:
                    self._hub.presence.renamed(entry.target)
                log.info("release", f"{entry.nick} freed a nick; {nick or 'nobody'} had it")
            case "admit":
                self._hub.asking.pop(names.key(entry.text), None)
                log.info("admit", f"{entry.nick} admits {entry.text}")
            case "account":
                log.debug("account", f"{entry.text} is new here")
            case "revoke":
                for session in tuple(self._hub.sessions.values()):
                    if session.credential == TOKEN + entry.text:
                        session.connection.close(Bye(code="bad_proof", text="the token is revoked"))
                log.info("revoke", f"{entry.nick} revoked {entry.text[:8]} {nick}")
            case "unban" | "invite" | "credential":
                log.info(entry.kind, f"{entry.nick or 'the server'}: {entry.kind} {nick}")
