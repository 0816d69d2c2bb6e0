"""Who is online: an account's state, not a connection's, and never an entry.

The latest value wins: changes are collected and sent once per interval, encoded once for
everybody. Somebody who is back within the grace time was never away.
"""

import asyncio
from collections.abc import Callable, Iterable

from ipcchat.entries import now_ms
from ipcchat.server.session import Session
from ipcchat.wire import codec
from ipcchat.wire.messages import Changed, Presence

__all__ = ["PresenceBoard"]

_PER_SESSION = 0.0001
"""Seconds of interval added for each session: the cost of a broadcast stays a few per cent."""


class PresenceBoard:
    """Owns who is online. `sessions` are all that want to know."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        grace: float,
        interval: float,
        sessions: Callable[[], Iterable[Session]],
        nick_of: Callable[[int], str],
    ) -> None:
        self._loop = loop
        self._grace = grace
        self._interval = interval
        self._sessions = sessions
        self._nick_of = nick_of
        self._online: dict[int, int] = {}
        """Account → number of its sessions that show."""
        self._leaving: dict[int, asyncio.TimerHandle] = {}
        self._dirty: dict[int, None] = {}
        self._away: dict[int, str] = {}
        """Account → why it is away, or nothing."""
        self._since: dict[int, int] = {}
        """Account that is here → when it came, went away or was back, in ms since 1970 UTC."""
        self._moves: dict[tuple[int, int], str] = {}
        self._rooms_changed = False
        self._timer: asyncio.TimerHandle | None = None

    def status(self, account: int) -> str:
        """`online`, `away` or `offline`."""
        if account not in self._online and account not in self._leaving:
            return "offline"
        return "away" if account in self._away else "online"

    def text(self, account: int) -> str:
        """Why it is away; empty: it is not, or has not said."""
        return self._away.get(account, "")

    def since(self, account: int) -> int:
        """Since when its status is that, in ms since 1970 UTC; 0: it is offline."""
        return self._since.get(account, 0)

    def away(self, account: int, text: str | None) -> None:
        """The account is away, or, without a text, is back. Who is offline is neither."""
        if self._away.get(account) == text or account not in self._since:
            return
        if text is None:
            del self._away[account]
        else:
            self._away[account] = text
        self._since[account] = now_ms()
        self._note(account)

    def came(self, account: int) -> None:
        """A session of the account began to show."""
        self._online[account] = self._online.get(account, 0) + 1
        leaving = self._leaving.pop(account, None)
        if leaving is not None:
            leaving.cancel()
        elif self._online[account] == 1:
            self._since[account] = now_ms()
            self._note(account)

    def went(self, account: int) -> None:
        """A session of the account ended; it counts as gone after the grace time."""
        left = self._online.get(account, 0) - 1
        if left > 0:
            self._online[account] = left
        elif self._online.pop(account, None) is not None:
            self._leaving[account] = self._loop.call_later(self._grace, self._gone, account)

    def renamed(self, account: int) -> None:
        """The account has another nick."""
        self._note(account)

    def moved(self, room: int, account: int, status: str) -> None:
        """The account `joined` or `parted` the room: told to those who follow it."""
        self._moves[room, account] = status
        self._arm()

    def rooms_changed(self) -> None:
        """The list of rooms is another."""
        self._rooms_changed = True
        self._arm()

    def close(self) -> None:
        """No further event is sent."""
        for timer in (*self._leaving.values(), self._timer):
            if timer is not None:
                timer.cancel()
        self._leaving.clear()
        self._timer = None

    def _gone(self, account: int) -> None:
        del self._leaving[account]
        self._away.pop(account, None)
        self._since.pop(account, None)
        self._note(account)

    def _note(self, account: int) -> None:
        self._dirty[account] = None
        self._arm()

    def _arm(self) -> None:
        if self._timer is None:
            sessions = sum(1 for _ in self._sessions())
            interval = self._interval + sessions * _PER_SESSION
            self._timer = self._loop.call_later(interval, self._send)

    def _frame(self, account: int) -> bytes:
        nick, status, text = self._nick_of(account), self.status(account), self.text(account)
        return codec.encode(Presence(account=account, nick=nick, status=status, text=text))

    def _send(self) -> None:
        self._timer = None
        frames = b"".join(map(self._frame, self._dirty))
        if self._rooms_changed:
            frames += codec.encode(Changed(what="rooms"))
        self._dirty.clear()
        self._rooms_changed = False
        if frames:
            for session in self._sessions():
                # Who is bound to some rooms is not told who else is there.
                if not session.quiet and session.scope is None:
                    session.connection.send_state(frames, "presence")
        moves, self._moves = self._moves, {}
        self._tell(moves)

    def settle(self, room: int) -> None:
        """What is known of a room's comings and goings is told now: who comes in after them is not
        to hear of them."""
        moves = {move: status for move, status in self._moves.items() if move[0] == room}
        for move in moves:
            del self._moves[move]
        self._tell(moves)

    def _tell(self, moves: dict[tuple[int, int], str]) -> None:
        by_room: dict[int, bytes] = {}
        for (room, account), status in moves.items():
            event = Presence(account=account, nick=self._nick_of(account), status=status, room=room)
            by_room[room] = by_room.get(room, b"") + codec.encode(event)
        for room, frames in by_room.items():
            for session in self._sessions():
                if room in session.subscriptions and not session.quiet:
                    session.connection.send_state(frames, "presence")
