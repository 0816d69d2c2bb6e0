"""Direct messages, private rooms, search, and one account at two devices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.client.peer import cable, until
from tests.client.test_session import here, lobby, made, notes, said, sitting
from tests.support import RawClient, draft, serve

from ipcchat.client import follower
from ipcchat.client.model import RoomView
from ipcchat.client.session import Session
from ipcchat.entries import Entry
from ipcchat.errors import Refused, TextError
from ipcchat.wire.messages import Done, Error, Ping, Say

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def several(address: object, *nicks: str, **more: Any) -> AsyncIterator[list[Session]]:
    """Sessions of these nicks; the same nick twice is one account at two devices."""
    sessions = [made(address, nick, **more) for nick in nicks]
    try:
        for session in sessions:
            await session.start(10)
            await until(lambda one=session: here(one))
        yield sessions
    finally:
        for session in sessions:
            await session.close()


def room(session: Session, name: str) -> RoomView | None:
    return session.model.room_by_name(name)


def heard(session: Session, name: str, text: str) -> bool:
    found = room(session, name)
    return found is not None and text in said(found)


# --- direct rooms -------------------------------------------------------------------------


async def test_a_direct_message_arrives_and_counts_as_a_mention() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "bob") as (ann, bob):
        number = await ann.direct("bob")
        assert room(ann, "@bob") is ann.model.rooms[number]
        assert ann.model.rooms[number].access == "direct"
        assert room(bob, "@ann") is None, "nothing was said yet"
        assert await ann.direct("@BOB") == number
        ann.submit(number, "psst")
        await until(lambda: heard(bob, "@ann", "psst"))
        at_bob = bob.model.rooms[number]
        assert (at_bob.peer, at_bob.unread, at_bob.mentions) == (ann.model.account, 1, 1)
        ann.submit(number, "again")
        await until(lambda: at_bob.unread == 2)
        assert [alert.mention for alert in bob.model.alerts if alert.room == number][-1:] == [True]


async def test_what_one_device_began_with_somebody_is_on_the_others_with_the_answer() -> None:
    async with (
        serve() as server,
        several(server.addresses[0], "ann", "ann", "bob") as (one, other, bob),
    ):
        number = await one.direct("bob")
        one.submit(number, "psst")
        await until(lambda: heard(other, "@bob", "psst") and heard(bob, "@ann", "psst"))
        bob.submit(number, "yes?")
        await until(lambda: other.model.rooms[number].unread == 1)


async def test_a_direct_room_is_called_by_the_nick_of_the_moment() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "bob") as (ann, bob):
        number = await ann.direct("bob")
        await bob.change_nick("robert")
        await until(lambda: ann.model.rooms[number].name == "@robert")
        assert room(ann, "@robert") is not None
        assert await ann.direct("robert") == number


async def test_a_direct_room_that_was_left_comes_back_with_a_message() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "bob") as (ann, bob):
        number = await ann.direct("bob")
        ann.submit(number, "one")
        await until(lambda: heard(bob, "@ann", "one"))
        await bob.part(number)
        assert room(bob, "@ann") is None
        ann.submit(number, "two")
        await until(lambda: heard(bob, "@ann", "two"))


async def test_a_direct_room_is_asked_for_with_one_draft_whatever_is_lost() -> None:
    async with serve() as server, cable(server.addresses[0]) as wire:
        async with several(server.addresses[0], "bob") as (bob,), sitting(wire.address) as ann:
            wire.hold()
            before = wire.up
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(ann.direct("bob"))
                await until(lambda: wire.up > before)
                wire.cut()
            number = asked.result()
            ann.submit(number, "hi")
            await until(lambda: heard(bob, "@ann", "hi"))
            assert bob.model.rooms[number].seq == 2, "it was made once, and said once"


async def test_one_may_begin_in_a_direct_room() -> None:
    async with serve() as server, several(server.addresses[0], "bob") as (bob,):
        async with sitting(server.addresses[0], rooms=("@bob", "#lab")) as ann:
            assert ann.model.rooms[ann.model.current].name == "@bob"
            assert [one.nick for one in (await ann.list_members("@bob"))[1]] == ["bob", "ann"]
            ann.submit(ann.model.current, "hi")
            await until(lambda: heard(bob, "@ann", "hi"))


async def test_nobody_has_that_nick() -> None:
    async with serve() as server, sitting(server.addresses[0]) as ann:
        with pytest.raises(Refused) as refused:
            await ann.direct("nobody")
        assert refused.value.code == "no_account"
        with pytest.raises(TextError):
            await ann.direct("no body")


# --- private rooms ------------------------------------------------------------------------


async def test_an_invitation_is_told_and_lets_one_in() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "bob") as (ann, bob):
        den = await ann.join("#den", private=True)
        assert den.access == "private"
        ann.submit(den.number, "before")
        await until(lambda: heard(ann, "#den", "before"))
        with pytest.raises(Refused):
            await bob.join("#den")
        await ann.invite(den.number, "bob")
        await until(lambda: den.number in bob.model.invited)
        assert bob.model.invited[den.number].invited == "ann"
        assert "ann invites you to #den: /join #den" in notes(lobby(bob))
        joined = await bob.join("#den")
        assert not bob.model.invited
        ann.submit(den.number, "after")
        await until(lambda: heard(bob, "#den", "after"))
        assert said(joined) == ["after"]
        await until(lambda: {one.nick for one in den.members.values()} == {"ann", "bob"})
        assert not any("bob joined" in note for note in notes(den)), "an entry says so"


async def test_who_is_removed_hears_of_it_and_keeps_what_was_not_sent() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "bob") as (ann, bob):
        den = await ann.join("#den", private=True)
        await ann.invite(den.number, "bob")
        await until(lambda: den.number in bob.model.invited)
        joined = await bob.join("#den")
        await until(lambda: joined.live)
        failed = bob.model.say(joined, "f" * 32, "half a thought", "")
        failed.state = "failed"
        await ann.uninvite(den.number, "bob")
        await until(lambda: room(bob, "#den") is None)
        assert any("removed you from #den" in note for note in notes(lobby(bob)))
        await until(lambda: "not sent in #den: half a thought" in notes(lobby(bob)))
        assert [(name, line.text) for name, line in bob.unsent] == [("#den", "half a thought")]
        await ann.invite(den.number, "bob")
        await until(lambda: den.number in bob.model.invited)
        assert (await bob.join("#den")).pending == [failed]


async def test_a_taken_name_is_no_private_room() -> None:
    async with serve() as server, sitting(server.addresses[0]) as ann:
        with pytest.raises(Refused) as refused:
            await ann.join("#lobby", private=True)
        assert refused.value.code == "room_taken"


# --- two devices --------------------------------------------------------------------------


async def test_rooms_come_and_go_on_both_devices() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "ann") as (one, two):
        assert one.model.account == two.model.account
        lab = await one.join("#lab")
        await until(lambda: room(two, "#lab") is not None)
        await one.part(lab.number)
        await until(lambda: room(two, "#lab") is None)
        den = await two.join("#den", private=True)
        await until(lambda: room(one, "#den") is not None)
        await two.part(den.number)
        await until(lambda: room(one, "#den") is None)


async def test_what_one_device_reads_the_other_has_read() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        async with several(server.addresses[0], "ann", "ann") as (one, two):
            lab = await one.join("#lab")
            await until(lambda: room(two, "#lab") is not None)
            one.model.current = two.model.current = 1
            await until(lambda: two.model.rooms[lab.number].live)
            for number in range(5):
                await bob.say(lab.number, f"{number}")
            at_two = two.model.rooms[lab.number]
            await until(lambda: lab.unread == at_two.unread == 5)
            one.mark_read(lab.number)
            await until(lambda: at_two.unread == 0)
            assert at_two.read_seq == lab.read_seq
            await bob.say(lab.number, "more")
            await until(lambda: lab.unread == at_two.unread == 1)
            one.submit(lab.number, "hm")
            await until(lambda: at_two.unread == 0)


async def test_what_is_left_is_read_at_the_other_device_within_a_moment() -> None:
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        async with several(server.addresses[0], "ann", "ann") as (one, two):
            lab = await one.join("#lab")
            await until(lambda: room(two, "#lab") is not None)
            at_two = two.model.rooms[lab.number]
            one.model.current = two.model.current = 1
            await until(lambda: lab.live and at_two.live)
            await bob.say(lab.number, "new")
            await until(lambda: lab.unread == at_two.unread == 1)
            one.model.current = lab.number
            one.model.focused = False
            one.model.current = 1
            await until(lambda: at_two.unread == 0, 5)


async def test_who_stays_at_the_end_of_a_room_has_read_it_for_the_other_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert follower._LEFT <= follower._SEEN <= 2
    monkeypatch.setattr(follower, "_LEFT", 0.05)
    monkeypatch.setattr(follower, "_SEEN", 0.1)
    async with serve() as server, RawClient.login(server.addresses[0], "bob") as bob:
        async with several(server.addresses[0], "ann", "ann") as (one, two):
            lab = await one.join("#lab")
            await until(lambda: room(two, "#lab") is not None)
            at_two = two.model.rooms[lab.number]
            one.model.current = two.model.current = 1
            await until(lambda: lab.live and at_two.live)
            await bob.say(lab.number, "missed")
            await until(lambda: lab.unread == at_two.unread == 1)
            line = lab.read_seq
            one.model.peek(lab.number)
            await bob.say(lab.number, "looked at")
            await until(lambda: lab.seq == line + 2)
            one._follower.tell_read()
            await two.ask(Ping(0))
            assert at_two.unread == 2, "a mere look reads nothing"
            one.model.current = lab.number
            await until(lambda: at_two.unread == 0, 5)
            await bob.say(lab.number, "seen")
            await until(lambda: at_two.unread == 1 or at_two.read_seq == line + 3)
            await until(lambda: at_two.unread == 0, 5)
            assert lab.read_seq == line, "here the line stays"
            await one.join("#other")  # the list of rooms comes anew
            await until(lambda: room(two, "#other") is not None)
            two.submit(1, "a list later")
            await until(lambda: heard(one, "#lobby", "a list later"))
            assert lab.read_seq == line
            one.model.current = 1
            assert lab.read_seq == line + 3


async def test_a_room_left_elsewhere_leaves_one_in_no_room() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "ann") as (one, two):
        lab = await one.join("#lab")
        await until(lambda: room(two, "#lab") is not None)
        one.model.current = two.model.current = lab.number
        await one.part(lab.number)
        assert one.model.current == 1, "left here: a neighbour shows"
        await until(lambda: room(two, "#lab") is None)
        assert two.model.current == 0
        assert [line.text for line in two.model.loose] == ["#lab was left on another device"]
        assert not notes(lobby(one))


async def test_a_device_that_was_away_for_ten_thousand_messages() -> None:
    async with (
        serve() as server,
        RawClient.login(server.addresses[0], "bob") as bob,
        cable(server.addresses[0]) as wire,
        sitting(server.addresses[0], skip_over=2000) as one,
        sitting(wire.address, skip_over=2000) as two,
    ):
        lab = await one.join("#lab")
        await until(lambda: room(two, "#lab") is not None)
        one.model.current = two.model.current = 1
        at_two = two.model.rooms[lab.number]
        await until(lambda: lab.live and at_two.live)
        wire.dead = True
        wire.cut()
        await until(lambda: two.model.state == "reconnecting")
        await flood(bob, lab.number, 10_000)
        await until(lambda: lab.unread == 10_000, 30)
        one.mark_read(lab.number)
        await bob.say(lab.number, "the last but one")
        await bob.say(lab.number, "the last")
        other = await one.join("#other")
        one.model.current = 1
        await until(lambda: lab.unread == 2)
        wire.dead = False
        two.reconnect()
        await until(lambda: two.model.state == "online" and here(two), 20)
        await until(lambda: at_two.seq == lab.seq and at_two.unread == 2, 20)
        assert list(two.model.rooms) == list(one.model.rooms) == [1, lab.number, other.number]
        assert at_two.read_seq == lab.read_seq
        seqs = [line.seq for line in at_two.lines if isinstance(line, Entry)]
        assert seqs == list(range(at_two.start + 1, at_two.seq + 1)), "each once"
        assert said(at_two)[-2:] == ["the last but one", "the last"]
        async with sitting(server.addresses[0]) as three:
            fresh = three.model.rooms[lab.number]
            assert (fresh.unread, fresh.read_seq) == (2, lab.read_seq)
            assert fresh.messages == 10_002


async def flood(client: RawClient, number: int, count: int) -> None:
    """So many messages, one behind the other."""
    for index in range(count):
        client.send(Say(client.next_id(), number, draft(), f"{index}"))
    outcomes: list[Any] = []
    while len(outcomes) < count:
        assert await client.receive()
        outcomes += [value for value in client.values if isinstance(value, Done | Error)]
        client.values.clear()
    assert not any(isinstance(value, Error) for value in outcomes)


# --- people and search --------------------------------------------------------------------


async def test_away_is_told_with_its_reason_to_all_and_to_the_other_device() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "ann", "bob") as all_of:
        one, two, bob = all_of
        me = one.model.account
        await one.away("lunch")
        assert one.model.away == "lunch"
        await until(lambda: two.model.away == "lunch")
        await until(lambda: lobby(bob).members[me].text == "lunch")
        assert lobby(bob).members[me].status == "away"
        found = await bob.whois("@ann")
        assert (found.status, found.text) == ("away", "lunch")
        async with sitting(server.addresses[0]) as three:
            await until(lambda: three.model.away == "lunch")
        await two.back()
        await until(lambda: one.model.away is None)
        await until(lambda: lobby(bob).members[me].status == "online")
        assert lobby(bob).members[me].text == ""


async def test_who_went_away_is_away_still_after_a_lost_connection() -> None:
    async with serve(presence_grace=0.01) as server, cable(server.addresses[0]) as wire:
        async with several(server.addresses[0], "bob") as (bob,), sitting(wire.address) as ann:
            await ann.away("gone")
            wire.cut()
            await until(lambda: wire.dialled > 1 and here(ann))
            await until(lambda: ann.model.state == "online" and ann.model.away == "gone")
            found = await bob.whois("ann")
            for _ in range(100):
                if found.status == "away":
                    break
                found = await bob.whois("ann")
            assert (found.status, found.text) == ("away", "gone")


async def test_search_finds_what_was_said_where_one_may_read() -> None:
    async with serve() as server, several(server.addresses[0], "ann", "bob") as (ann, bob):
        number = await ann.direct("bob")
        ann.submit(number, "the wombat is ours")
        bob.submit(1, "a wombat for everybody")
        await until(lambda: not ann.unsent and not bob.unsent)
        async with sitting(server.addresses[0], "carl") as carl:
            await found(carl, "wombat", ["a wombat for everybody"])
        await found(ann, "wombat", ["a wombat for everybody", "the wombat is ours"])
        assert [it.text for it in (await ann.search("wombat", nick="@bob")).items] == [
            "a wombat for everybody"
        ]
        with pytest.raises(Refused):
            await ann.search("wombat", nick="nobody")
        with pytest.raises(Refused) as refused:
            await ann.search("")
        assert refused.value.code == "bad_query"


async def found(session: Session, words: str, texts: list[str]) -> None:
    """The index has these, by and by."""
    page = await session.search(words)
    for _ in range(500):
        if sorted(it.text for it in page.items) == texts:
            return
        await asyncio.sleep(0.01)
        page = await session.search(words)
    raise AssertionError(page.items)
