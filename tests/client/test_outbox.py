"""The outbox: what is said arrives once and in order, or comes back to who said it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import Struct
from tests.client.peer import Line, Peer, quick, scripted, until

from ipcchat.client.lifeline import Lifeline
from ipcchat.client.link import Credentials, Link
from ipcchat.client.outbox import Outbox, Outcome, new_draft
from ipcchat.client.room import Pending
from ipcchat.errors import ConnectionLost, Refused
from ipcchat.wire.messages import Done, Error, HelloOk, LoginOk, Ping, Say, Withdraw

ANN = Credentials("ann", "5" * 32)


class Talker:
    """An outbox on a connection that comes back, and what became of each line."""

    def __init__(self, peer: Peer, **changes: Any) -> None:
        settings = quick(**changes)
        self.changed: list[tuple[str, str]] = []
        self.dropped: list[Pending] = []
        self.outcomes: dict[str, list[Outcome]] = {}
        self.outbox = Outbox(settings, self._changed, self.dropped.append)
        self.lifeline = Lifeline(peer.address, ANN, settings, self, insist=True)

    def _changed(self, pending: Pending) -> None:
        self.changed.append((pending.text, pending.state))

    def up(self, link: Link, hello: HelloOk, login: LoginOk) -> None:
        self.outbox.up(link)

    def event(self, event: Struct) -> None:
        pass

    def applied(self) -> None:
        pass

    def down(self, why: str) -> None:
        self.outbox.down()

    def say(self, text: str, room: int = 1) -> Pending:
        pending = Pending(new_draft(), room, text, "", 0)
        self.outbox.submit(pending, self.outcomes.setdefault(text, []).append)
        return pending

    def ping(self) -> None:
        """Asks something that shows that nothing was asked before it."""
        assert self.lifeline.link is not None
        self.lifeline.link.ask(Ping(0), lambda reply: None)


@asynccontextmanager
async def talking(peer: Peer, **changes: Any) -> AsyncIterator[tuple[Talker, Line]]:
    """A talker that is logged in, and the other end."""
    talker = Talker(peer, **changes)
    task = asyncio.get_running_loop().create_task(talker.lifeline.run())
    try:
        line = await again(peer)
        await talker.lifeline.online()
        yield talker, line
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        talker.outbox.close()


async def again(peer: Peer) -> Line:
    """The next connection, logged in."""
    line = await peer.accept()
    await line.login()
    return line


async def quiet(talker: Talker, line: Line) -> None:
    """Nothing more has been asked for."""
    talker.ping()
    await line.expect(Ping)


@pytest.mark.asyncio
async def test_a_room_has_one_unanswered_line() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        for text in "abc":
            talker.say(text)
        talker.say("elsewhere", room=2)
        first, other = await line.expect(Say), await line.expect(Say)
        assert [(first.room, first.text), (other.room, other.text)] == [(1, "a"), (2, "elsewhere")]
        await quiet(talker, line)
        for seq, text in enumerate("abc", 1):
            if text != "a":
                first = await line.expect(Say)
            assert first.text == text
            await quiet(talker, line)
            line.send(Done(first.id, 1, seq, 0))
            await until(lambda text=text: (text, "sent") in talker.changed)
        assert not talker.outbox.idle.is_set()
        line.send(Done(other.id, 2, 1, 0))
        await talker.outbox.idle.wait()
        assert [one[0] for one in talker.changed] == ["a", "b", "c", "elsewhere"]
        assert [outcome.seq for [outcome] in talker.outcomes.values()] == [1, 2, 3, 1]  # type: ignore[union-attr]


@pytest.mark.asyncio
async def test_without_a_connection_lines_wait() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        line.abort()
        await until(lambda: talker.lifeline.link is None)
        drafts = [talker.say(text).draft for text in "ab"]
        line = await again(peer)
        say = await line.expect(Say)
        await quiet(talker, line)
        line.send(Done(say.id, 1, 1, 0))
        assert [say.draft, (await line.expect(Say)).draft] == drafts


@pytest.mark.asyncio
async def test_a_line_without_an_answer_goes_first_again_as_the_same_draft() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        talker.say("b")
        for _ in range(4):
            assert (await line.expect(Say)).draft == pending.draft
            assert pending.state == "sending"
            line.abort()
            line = await again(peer)
        say = await line.expect(Say)
        assert (say.draft, say.text) == (pending.draft, "a")
        line.send(Done(say.id, 1, 1, 0))
        assert (await line.expect(Say)).text == "b"
        assert pending.state == "sent"
        assert talker.outcomes["a"] == [Done(say.id, 1, 1, 0)]


@pytest.mark.asyncio
async def test_a_busy_server_is_asked_again_when_it_said_and_nothing_overtakes() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        talker.say("b")
        clock = asyncio.get_running_loop().time
        say = await line.expect(Say)
        before = clock()
        line.send(Error("busy", id=say.id, retry=True, wait_ms=80))
        say = await line.expect(Say)
        assert clock() - before >= 0.075
        assert say.draft == pending.draft
        assert (pending.state, talker.outcomes["a"]) == ("sending", [])


@pytest.mark.asyncio
async def test_a_busy_server_that_names_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.client.outbox._PAUSE", 0.05)
    async with scripted() as peer, talking(peer) as (talker, line):
        talker.say("a")
        say = await line.expect(Say)
        before = asyncio.get_running_loop().time()
        line.send(Error("full", id=say.id, retry=True))
        assert (await line.expect(Say)).draft == say.draft
        assert asyncio.get_running_loop().time() - before >= 0.045


@pytest.mark.asyncio
async def test_a_pause_outlives_the_connection() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        talker.say("a")
        say = await line.expect(Say)
        line.send(Error("busy", id=say.id, retry=True, wait_ms=100))
        await quiet(talker, line)
        line.abort()
        line = await again(peer)
        await talker.lifeline.online()
        await quiet(talker, line)
        assert (await line.expect(Say)).draft == say.draft


@pytest.mark.asyncio
async def test_a_refused_line_comes_back_and_the_next_one_goes() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        talker.say("b")
        say = await line.expect(Say)
        line.send(Error("forbidden", "\x1b[31mno", id=say.id))
        assert (await line.expect(Say)).text == "b"
        (outcome,) = talker.outcomes["a"]
        assert isinstance(outcome, Refused)
        assert outcome.code == "forbidden"
        assert pending.state == "failed"
        assert "no" in pending.reason
        assert "\x1b" not in pending.reason
        assert talker.changed == [("a", "failed")]


@pytest.mark.asyncio
async def test_a_refused_line_is_sent_again_as_another_draft() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        say = await line.expect(Say)
        line.send(Error("forbidden", id=say.id))
        await talker.outbox.idle.wait()
        talker.outbox.retry(pending)
        assert (pending.state, pending.reason) == ("sending", "")
        second = await line.expect(Say)
        assert second.text == "a"
        assert second.draft == pending.draft != say.draft
        talker.outbox.retry(pending)  # it is on its way: nothing to do
        await quiet(talker, line)


@pytest.mark.asyncio
async def test_the_entry_is_an_answer_where_the_ok_was_lost() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        talker.say("b")
        await line.expect(Say)
        talker.outbox.seen(1, pending.draft)
        assert pending.state == "sending"  # the ok is still to come
        line.abort()
        await until(lambda: talker.lifeline.link is None)
        talker.outbox.seen(1, pending.draft)
        talker.outbox.seen(1, pending.draft)
        assert talker.changed == [("a", "sent")]
        assert len(talker.outcomes["a"]) == 1
        assert (await (await again(peer)).expect(Say)).text == "b"


# --- giving up ----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_could_not_be_sent_for_long_is_never_sent_by_surprise() -> None:
    async with scripted() as peer, talking(peer, outbox_expiry=0.05) as (talker, line):
        line.abort()
        await until(lambda: talker.lifeline.link is None)
        pending = talker.say("a")
        draft = pending.draft
        await until(lambda: pending.state == "failed")
        assert "not sent within" in pending.reason
        assert isinstance(talker.outcomes["a"][0], ConnectionLost)
        line = await again(peer)
        await talker.lifeline.online()
        await quiet(talker, line)
        talker.outbox.retry(pending)
        assert (await line.expect(Say)).draft == pending.draft != draft


@pytest.mark.asyncio
async def test_a_line_that_may_have_arrived_is_sent_again_as_the_same_draft() -> None:
    async with scripted() as peer, talking(peer, outbox_expiry=0.05) as (talker, line):
        pending = talker.say("a")
        say = await line.expect(Say)
        line.abort()
        await until(lambda: pending.state == "failed")
        line = await again(peer)
        await talker.lifeline.online()
        while await _asked_within(talker, line):  # asked until it expired: the same draft each time
            pass
        talker.outbox.retry(pending)
        second = await line.expect(Say)
        assert second.draft == say.draft
        line.send(Done(second.id, 1, 1, 0))
        await until(lambda: pending.state == "sent")


async def _asked_within(talker: Talker, line: Line) -> bool:
    talker.ping()
    request = await line.next()
    if isinstance(request, Say):
        await line.expect(Ping)
    return isinstance(request, Say)


@pytest.mark.asyncio
async def test_an_answer_after_the_expiry_still_counts() -> None:
    async with scripted() as peer, talking(peer, outbox_expiry=0.05) as (talker, line):
        pending = talker.say("a")
        say = await line.expect(Say)
        await until(lambda: pending.state == "failed")
        line.send(Done(say.id, 1, 1, 0))
        await until(lambda: pending.state == "sent")
        assert len(talker.outcomes["a"]) == 1


@pytest.mark.asyncio
async def test_a_line_that_was_never_sent_is_dropped_at_once() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        talker.say("a")
        pending = talker.say("b")
        await line.expect(Say)
        talker.outbox.discard(pending)
        assert talker.dropped == [pending]
        assert isinstance(talker.outcomes["b"][0], ConnectionLost)
        await quiet(talker, line)


@pytest.mark.asyncio
async def test_a_line_on_its_way_is_withdrawn_before_it_is_dropped() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        talker.say("b")
        await line.expect(Say)
        talker.outbox.discard(pending)
        asked = [await line.next(), await line.next()]
        assert {type(request) for request in asked} == {Withdraw, Say}
        withdraw = next(request for request in asked if isinstance(request, Withdraw))
        assert withdraw.draft == pending.draft
        assert talker.dropped == []
        line.send(Error("busy", id=withdraw.id, retry=True, wait_ms=5))
        withdraw = await line.expect(Withdraw)
        line.send(Done(withdraw.id))
        await until(lambda: talker.dropped == [pending])


@pytest.mark.asyncio
async def test_a_withdrawal_outlives_the_connection() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        await line.expect(Say)
        line.abort()
        await until(lambda: talker.lifeline.link is None)
        talker.outbox.discard(pending)
        line = await again(peer)
        assert (await line.expect(Withdraw)).draft == pending.draft
        line.abort()
        line = await again(peer)
        withdraw = await line.expect(Withdraw)
        assert talker.dropped == []
        line.send(Error("withdrawn", id=withdraw.id))
        await until(lambda: talker.dropped == [pending])


@pytest.mark.asyncio
async def test_what_was_said_after_all_can_not_be_taken_back() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        await line.expect(Say)
        talker.outbox.discard(pending)
        withdraw = await line.expect(Withdraw)
        line.send(Done(withdraw.id, 1, 4, 0))
        await until(lambda: pending.state == "sent")
        talker.outbox.discard(pending)
        await quiet(talker, line)
        assert talker.dropped == []


@pytest.mark.asyncio
async def test_the_ok_overtakes_the_withdrawal() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        say = await line.expect(Say)
        talker.outbox.discard(pending)
        withdraw = await line.expect(Withdraw)
        line.send(Done(say.id, 1, 4, 0), Done(withdraw.id, 1, 4, 0))
        await quiet(talker, line)
        await until(lambda: pending.state == "sent")
        assert talker.dropped == []
        assert talker.changed[-1] == ("a", "sent")


@pytest.mark.asyncio
async def test_a_refused_line_is_dropped_without_asking() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        pending = talker.say("a")
        say = await line.expect(Say)
        line.send(Error("forbidden", id=say.id))
        await talker.outbox.idle.wait()
        talker.outbox.discard(pending)
        assert talker.dropped == [pending]
        await quiet(talker, line)


# --- bounds and the end -------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_room_without_a_number_waits_for_it() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        talker.say("a", room=-1)
        talker.say("b", room=-1)
        await quiet(talker, line)
        talker.outbox.renumber({-1: 9})
        say = await line.expect(Say)
        assert (say.room, say.text) == (9, "a")


@pytest.mark.asyncio
async def test_past_the_bound_a_line_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcchat.client.outbox.LIMIT", 3)
    async with scripted() as peer, talking(peer) as (talker, _line):
        for text in "abc":
            assert talker.say(text).state == "sending"
        pending = talker.say("d")
        assert (pending.state, pending.reason) == ("failed", "too many lines wait to be sent")
        assert talker.say("elsewhere", room=2).state == "sending"


@pytest.mark.asyncio
async def test_the_end_settles_everything_once() -> None:
    async with scripted() as peer, talking(peer) as (talker, line):
        talker.say("a")
        talker.say("b")
        await line.expect(Say)
        talker.outbox.close(Refused("replaced"))
        talker.outbox.close()
        assert [[type(one) for one in got] for got in talker.outcomes.values()] == [[Refused]] * 2
        await quiet(talker, line)


# --- whatever happens ---------------------------------------------------------------------

_FATES = st.lists(
    st.sampled_from(["ok", "busy", "lost before", "lost after", "refused", "entry"]), max_size=30
)


@given(_FATES)
@hypothesis_settings(max_examples=40, deadline=None)
def test_whatever_happens_each_line_is_stored_once_and_in_order(fates: list[str]) -> None:
    asyncio.run(_live_through(fates))


async def _live_through(fates: list[str]) -> None:
    texts = [f"{number}" for number in range(8)]
    stored: dict[str, str] = {}
    refused: set[str] = set()
    async with (
        asyncio.timeout(30),
        scripted() as peer,
        talking(peer, retry_early=0.01) as (talker, line),
    ):
        pending = [talker.say(text) for text in texts]
        left = iter(fates)
        while not talker.outbox.idle.is_set():
            try:
                say = await line.expect(Say)
            except EOFError:
                line = await again(peer)
                continue
            fate = next(left, "ok")
            if fate == "busy" and say.draft not in stored:
                line.send(Error("busy", id=say.id, retry=True, wait_ms=1))
                continue
            if fate == "refused" and say.draft not in stored:
                refused.add(say.text)
                line.send(Error("forbidden", id=say.id))
            elif fate == "lost before":
                line.abort()
                line = await again(peer)
                continue
            else:
                stored[say.draft] = say.text
                if fate in ("lost after", "entry"):
                    line.abort()
                    await until(lambda: talker.lifeline.link is None)
                    if fate == "entry":
                        talker.outbox.seen(1, say.draft)
                    if not talker.outbox.idle.is_set():
                        line = await again(peer)
                    continue
                line.send(Done(say.id, 1, len(stored), 0))
            outcomes = talker.outcomes[say.text]
            await until(lambda outcomes=outcomes: outcomes)
    assert list(stored.values()) == [text for text in texts if text not in refused]
    assert [one.state for one in pending] == [
        "failed" if text in refused else "sent" for text in texts
    ]
    assert all(len(outcomes) == 1 for outcomes in talker.outcomes.values())
