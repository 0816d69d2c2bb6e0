"""The public API for scripts.

    async with ipcchat.connect("lab:5555", name="robot") as chat:
        entry = await chat.say("#lobby", "hi")        # acknowledged: it is on the server's disk
        async for entry in chat.follow("#lobby"):     # every message from now on, once, in order
            print(entry.nick, entry.text)

Lost connections are made again behind the scenes; nothing is said twice or left out. Errors are
those of `ipcchat.errors`; each ends a command with its `exit_code`.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from msgspec import Struct

from ipcchat import text
from ipcchat.address import parse_address
from ipcchat.client import intake, queries
from ipcchat.client.feed import Feed
from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Credentials, Link
from ipcchat.client.outbox import Outbox, Outcome, new_draft
from ipcchat.client.profile import open_profile
from ipcchat.client.room import Pending
from ipcchat.entries import Entry, now_ms
from ipcchat.errors import ConnectionLost, IpcchatError, Refused, UsageError
from ipcchat.paths import login_name
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import (
    Away,
    Gap,
    HelloOk,
    LoginOk,
    Member,
    Nick,
    Part,
    Presence,
    Room,
    RoomInvite,
    RoomUninvite,
    Topic,
    Unfollowed,
    WhoisOk,
)

__all__ = ["Chat", "connect"]


def connect(
    server: str = "",
    *,
    name: str = "",
    quiet: bool = False,
    peer: bool = False,
    timeout: float | None = None,
    state_dir: Path | None = None,
    settings: ClientSettings | None = None,
) -> "Chat":
    """A connection to a server, to be used with `async with`.

    `server`: as `ipcchat-client` takes it (`host`, `host:port`, `unix:/path`); empty: localhost.
    `name`: profile, and nick of a new account; empty: the login name. `quiet`: not shown in member
    lists and presence. `peer`: one's user at a Unix socket is who one is; needs no profile.
    `timeout`: seconds without a connection after which everything raises ConnectionLost; None:
    never, once it was there.

    Entering raises UsageError, TextError, FileError, Unreachable, Refused, ProtocolError.
    """
    return Chat(
        server,
        name=name,
        quiet=quiet,
        peer=peer,
        timeout=timeout,
        state_dir=state_dir,
        settings=settings or ClientSettings(),
    )


class Chat:
    """A script at a server. Made by `connect`."""

    def __init__(
        self,
        server: str,
        *,
        name: str,
        quiet: bool,
        peer: bool,
        timeout: float | None,
        state_dir: Path | None,
        settings: ClientSettings,
    ) -> None:
        self.account = 0
        """One's account at the server."""
        self.name = name
        """The nick by which others see one."""
        self.role = "member"
        """`member` or `operator`."""
        self.epoch = ""
        """The identity of the server's history."""
        self._address = parse_address(server)
        self._quiet = quiet
        self._peer = peer
        self._timeout = timeout
        self._state_dir = state_dir
        self._settings = settings
        self._numbers = queries.Numbers(self.request)
        self._feeds: dict[int, Feed] = {}
        self._lifeline: Lifeline
        self._outbox: Outbox
        self._main: asyncio.Task[None] | None = None
        self._ended: IpcchatError | None = None

    # --- life -------------------------------------------------------------------------

    async def __aenter__(self) -> "Chat":
        credentials = await asyncio.to_thread(self._credentials)
        self._outbox = Outbox(self._settings, _ignore, _ignore)
        self._lifeline = Lifeline(
            self._address,
            credentials,
            self._settings,
            self,
            patience=self._timeout,
            state_dir=self._state_dir,
        )
        self._main = asyncio.get_running_loop().create_task(self._run(), name="ipcchat chat")
        try:
            await self._lifeline.online()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; who waits for something gets ConnectionLost."""
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)

    def _credentials(self) -> Credentials:
        if token := self._settings.token:
            return Credentials("", token=token, quiet=self._quiet, device=new_draft())
        if self._peer:
            nick = self.name or text.safe_nick(login_name(), "guest")
            return Credentials(nick, quiet=self._quiet, device=new_draft())
        with open_profile(self.name, state_dir=self._state_dir) as profile:
            return profile.credentials(
                quiet=self._quiet, invite=self._address.invite, device=new_draft()
            )

    async def _run(self) -> None:
        why: IpcchatError = ConnectionLost("the connection was closed")
        try:
            await self._lifeline.run()
        except IpcchatError as error:
            why = error
        finally:
            self._ended = why
            self._outbox.close(why)
            for feed in self._feeds.values():
                feed.fail(why)

    # --- what the lifeline tells ------------------------------------------------------

    @property
    def link(self) -> Link | None:
        """The present connection, for the feeds."""
        return self._lifeline.link

    @property
    def trouble(self) -> str:
        """Why the server can't store what is said at present (a full disk); empty: it can."""
        return self._outbox.trouble

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        """Logged in."""
        if self.epoch != hello.epoch:
            # What waits is addressed by numbers that mean other rooms now.
            self._numbers.clear()
            self._outbox.close(Refused("regressed"))
        self.epoch = hello.epoch
        self.account, self.name = login.account, intake.clean_name(login.nick)
        self.role = intake.clean_name(login.role)
        self._numbers.forget_nicks()
        self._outbox.up(link)
        for feed in self._feeds.values():
            feed.up()

    def event(self, event: Struct) -> None:
        """The server told something."""
        if isinstance(event, Entry | Gap | Unfollowed):
            feed = self._feeds.get(event.room)
            if feed is not None:
                feed.event(event)
        elif isinstance(event, Presence):
            nick = intake.clean_name(event.nick)
            if event.account == self.account:
                self.name = nick or self.name
            self._numbers.met(event.account, nick)

    def applied(self) -> None:
        """All events of a chunk have been handed over."""

    def down(self, why: str) -> None:
        """The connection is lost."""
        self._outbox.down()

    # --- talking ----------------------------------------------------------------------

    async def say(self, room: str, said: str, *, style: str = "") -> Entry:
        """Says something; returns the entry once the server has stored it.

        `style` `me` makes it an action. Says in one room keep their order. Raises TextError,
        Refused, ConnectionLost (then it may have been said). Cancelling takes it back, where it
        was not said yet.
        """
        said = text.check_text(said)
        number = await self._number(room)
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[Outcome] = loop.create_future()

        def settle(outcome: Outcome) -> None:
            if not settled.done():
                settled.set_result(outcome)

        pending = Pending(new_draft(), number, said, style, now_ms())
        self._outbox.submit(pending, settle)
        try:
            outcome = await settled
        except asyncio.CancelledError:
            self._outbox.discard(pending)
            raise
        if isinstance(outcome, IpcchatError):
            raise outcome
        return Entry(
            room=outcome.room,
            seq=outcome.seq,
            time=outcome.time,
            by=self.account,
            nick=self.name,
            kind="message",
            draft=pending.draft,
            text=said,
            style=style,
        )

    async def follow(
        self,
        room: str,
        *,
        last: int | None = None,
        after: int | None = None,
        kinds: Collection[str] | None = ("message",),
    ) -> AsyncIterator[Entry]:
        """A room's entries for ever: each once, in order, across lost connections.

        From the last N on, from those after a seq, or from now on. `kinds` None: all kinds, without
        a gap in seq. A room has one reader at a time: the older one ends with UsageError. Raises
        Refused (`no_room`; `regressed`: the server's history is another one), ConnectionLost.
        """
        if last is not None and after is not None:
            raise UsageError("follow takes `last` or `after`, not both")
        number = await self._number(room)
        before = self._feeds.get(number)
        if before is not None:
            before.fail(UsageError(f"{room} has another reader now"))
        feed = self._feeds[number] = Feed(self, number, last=last, after=after)
        try:
            feed.follow()
            while True:
                entry = await feed.next()
                if kinds is None or entry.kind in kinds:
                    yield entry
        finally:
            feed.close()
            if self._feeds.get(number) is feed:
                del self._feeds[number]
                feed.unfollow()

    async def history(
        self, room: str, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """At most `limit` entries, ascending: the first after a seq, or the last before one
        (without either, the last there are)."""
        number = await self._number(room)
        return await queries.entries(self.request, number, after=after, before=before, limit=limit)

    async def search(
        self, words: str, *, room: str = "", nick: str = "", after: int = 0, before: int = 0
    ) -> AsyncIterator[Entry]:
        """The messages that have all these words, of those one may read, the newest first.

        `room`, `nick`: only there, only by who has it. `after`, `before`: said at or after, and
        before, in ms since 1970 UTC. Raises TextError, Refused (`bad_query`), ConnectionLost.
        """
        number = await self._number(room) if room else 0
        next = ""
        while True:
            page = await queries.search(
                self.request, words, room=number, nick=nick, after=after, before=before, next=next
            )
            for entry in page.items:
                yield entry
            if page.next in ("", next):
                return
            next = page.next

    # --- rooms ------------------------------------------------------------------------

    async def _number(self, room: str) -> int:
        if self._ended is not None:
            raise self._ended
        return await self._numbers.of(room)

    async def rooms(self) -> list[Room]:
        """Every room that one may see: see `joined`, `access` and `invited` of each."""
        return await queries.every_room(self.request)

    async def members(self, room: str) -> list[Member]:
        """Who is a member of a room."""
        return await queries.every_member(self.request, await self._number(room))

    async def join(self, room: str, private: bool = False) -> Room:
        """Becomes a member of a room, which is made when there is none of that name; `private`:
        one that is not open to all."""
        return await queries.join(self.request, room, private=private)

    async def direct(self, nick: str) -> Room:
        """The direct room with somebody, made at first use; its name is `@` and the nick, and may
        be used wherever a room's is."""
        return await queries.join(self.request, "@" + nick.removeprefix("@"))

    async def invite(self, room: str, nick: str) -> None:
        """Lets somebody join a private room."""
        number, nick = await self._number(room), queries.nick_of(nick)
        await self.request(RoomInvite(0, new_draft(), number, nick))

    async def uninvite(self, room: str, nick: str) -> None:
        """Takes that back, or removes who has joined."""
        number, nick = await self._number(room), queries.nick_of(nick)
        await self.request(RoomUninvite(0, new_draft(), number, nick))

    async def whois(self, nick: str) -> WhoisOk:
        """Who has a nick. Raises Refused (`no_account`)."""
        return await queries.whois(self.request, nick)

    async def away(self, why: str = "") -> None:
        """Says that one is not at the keyboard, until `back`."""
        await self.request(Away(0, True, text.check_topic(why)))

    async def back(self) -> None:
        """Takes that back."""
        await self.request(Away(0, False))

    async def part(self, room: str) -> None:
        """Ends membership of a room."""
        await self.request(Part(0, new_draft(), await self._number(room)))

    async def topic(self, room: str, topic: str) -> None:
        """Sets a room's topic; an empty one clears it."""
        topic = text.check_topic(topic)
        await self.request(Topic(0, new_draft(), await self._number(room), topic))

    async def nick(self, nick: str) -> None:
        """Takes another nick."""
        nick = text.check_nick(nick)
        await self.request(Nick(0, new_draft(), nick))
        self.name = nick

    # --- anything ---------------------------------------------------------------------

    async def request(self, request: Struct) -> Any:
        """Asks, again after each lost connection, until there is an answer; returns the `ok`.

        For what only looks, or has a draft id. Raises Refused, ConnectionLost.
        """
        return await self._lifeline.request(request)

    async def request_once(self, request: Struct) -> Any:
        """Asks on the present connection only: for what may not be repeated, as `shutdown`."""
        link = self.link
        if link is None:
            raise ConnectionLost("not connected")
        return await link.request(request)


def _ignore(pending: Pending) -> None:
    """A script learns of an outcome by its return value."""
