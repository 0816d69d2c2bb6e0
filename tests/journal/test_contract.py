"""What every journal promises: the same tests for the one in memory and the one on disk."""

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.journal.making import LOBBY, account, draft, join, one, opened, say

from ipcchat.entries import Entry
from ipcchat.errors import JournalUnavailable
from ipcchat.journal.drafts import Outcome
from ipcchat.journal.journal import Journal
from ipcchat.journal.rights import RESERVED

pytestmark = pytest.mark.asyncio

Where = Path | None


@pytest.fixture(params=["memory", "sqlite"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    return None if request.param == "memory" else tmp_path


async def people(journal: Journal) -> None:
    """Accounts 1 (ann) and 2 (bob)."""
    await journal.append([account("ann"), account("bob")])


async def spoken(journal: Journal, texts: list[str]) -> None:
    await people(journal)
    await journal.append([say(text) for text in texts])


# --- a new journal ------------------------------------------------------------------------


async def test_a_new_journal_has_its_lobby(where: Where) -> None:
    async with opened(where) as journal:
        assert journal.state.rooms[LOBBY].name == "#lobby"
        assert journal.state.room_keys == {"#lobby": LOBBY}
        assert len(bytes.fromhex(journal.epoch)) == 16
        assert journal.trouble == ""


# --- order and outcomes -------------------------------------------------------------------


async def test_entries_are_numbered_in_the_order_given(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        first = journal.append([say("a"), say("b", 2)])
        second = journal.append([say("c")])
        outcomes = [*await first, *await second]
        assert [outcome.seq for outcome in outcomes] == [2, 3, 4]
        found = await journal.read(LOBBY, after=1, upto=99, limit=99, size=9999)
        assert [(entry.seq, entry.text, entry.nick) for entry in found] == [
            (2, "a", "ann"),
            (3, "b", "bob"),
            (4, "c", "ann"),
        ]


async def test_nothing_asked_is_nothing_answered(where: Where) -> None:
    async with opened(where) as journal:
        assert await journal.append([]) == []


async def test_a_retry_gets_the_first_outcome(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("once", time=5)
        again = say("once", id=asked.id, time=99)
        outcomes = await journal.append([asked, again])
        assert outcomes == [Outcome(LOBBY, 2, 5)] * 2
        assert await one(journal, again) == Outcome(LOBBY, 2, 5)
        assert journal.state.rooms[LOBBY].head == 2


async def test_the_same_id_of_another_account_is_another_draft(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("x")
        other = say("y", 2, id=asked.id)
        assert [outcome.seq for outcome in await journal.append([asked, other])] == [2, 3]


@pytest.mark.parametrize("together", [True, False])
async def test_the_same_id_with_other_content_conflicts(where: Where, together: bool) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("one")
        other = say("two", id=asked.id)
        if together:
            first, second = await journal.append([asked, other])
        else:
            first, second = await one(journal, asked), await one(journal, other)
        assert (first.code, second.code) == ("", "draft_conflict")
        assert (await one(journal, asked)) == first


async def test_a_refusal_is_remembered_although_its_reason_is_gone(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("too soon", room=2, time=7)
        refused = await one(journal, asked)
        assert refused == Outcome(2, 0, 7, "no_room")
        assert (await one(journal, join("#later"))).room == 2
        assert await one(journal, asked) == refused
        assert journal.state.rooms[2].head == 1


async def test_an_earlier_outcome_comes_before_a_refusal_found_before(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("fine", time=3)
        assert (await one(journal, asked)).seq == 2
        stricter = say("fine", id=asked.id, refusal="bad_text")
        assert await one(journal, stricter) == Outcome(LOBBY, 2, 3)
        bad = say("bad", refusal="bad_text", time=4)
        assert (await one(journal, bad)).code == "bad_text"
        laxer = say("bad", id=bad.id, time=9)
        assert await one(journal, laxer) == Outcome(LOBBY, 0, 4, "bad_text")


async def test_an_impossible_draft_does_not_harm_its_batch(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        before = say("before")
        stranger = draft("part", 77, room=LOBBY)
        unknown = draft("dance", 1)
        part = draft("join", 88, room=LOBBY)
        outcomes = await journal.append([before, stranger, unknown, part, before, say("after")])
        assert [item.code for item in outcomes] == ["", "", "internal", "internal", "", ""]
        assert [item.seq for item in outcomes] == [2, 0, 0, 0, 2, 3]
        assert 88 not in journal.state.members.get(LOBBY, set())
        retried = say("at last", id=unknown.id)
        assert (await one(journal, retried)).seq == 4


async def test_withdrawing_what_is_there_tells_its_place(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("there", time=2)
        outcome = await one(journal, asked)
        assert await one(journal, draft("withdraw", 1, id=asked.id, time=50)) == outcome
        assert await one(journal, asked) == outcome


async def test_withdrawing_what_is_unknown_refuses_it_for_ever(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say("never")
        gone = await one(journal, draft("withdraw", 1, id=asked.id, time=8))
        assert gone == Outcome(code="withdrawn", time=8)
        assert await one(journal, asked) == gone
        assert await one(journal, say("other words", id=asked.id)) == gone
        assert await one(journal, draft("withdraw", 1, id=asked.id, time=60)) == gone
        assert journal.state.rooms[LOBBY].head == 1


# --- rooms --------------------------------------------------------------------------------


async def test_joining_makes_a_room_and_its_first_member(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        assert await one(journal, join("#Den")) == Outcome(2, 1, 1000)
        assert journal.state.members[2].keys() == {1}
        assert journal.state.joined[1] == {2}
        (entry,) = await journal.read(2, after=0, upto=9, limit=9, size=999)
        assert (entry.kind, entry.text, entry.by, entry.nick) == ("create", "#Den", 1, "ann")
        assert await one(journal, join("#DEN", 2)) == Outcome(2, 0, 1000)
        assert journal.state.members[2].keys() == {1, 2}
        assert journal.state.rooms[2].head == 1


async def test_joining_and_parting_twice_change_nothing(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        system = journal.state.rooms[0].head
        for kind, member in (("join", True), ("part", False)):
            for _ in range(2):
                outcome = await one(journal, draft(kind, 1, room=LOBBY))
                assert outcome == Outcome(LOBBY, 0, 1000)
                assert (1 in journal.state.members.get(LOBBY, ())) is member
        assert journal.state.rooms[0].head == system + 2
        found = await journal.read(0, after=system, upto=99, limit=9, size=999)
        assert [(entry.kind, entry.target) for entry in found] == [("join", 1), ("part", 1)]


@pytest.mark.parametrize("room", [0, 9])
@pytest.mark.parametrize("kind", ["message", "topic", "part", "read"])
async def test_rooms_that_are_not_there(where: Where, kind: str, room: int) -> None:
    async with opened(where) as journal:
        await people(journal)
        assert (await one(journal, draft(kind, 1, room=room, seq=1))).code == "no_room"


async def test_joining_an_unknown_number(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        assert (await one(journal, draft("join", 1, room=9))).code == "no_room"


async def test_a_topic_and_the_same_topic(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        assert (await one(journal, draft("topic", 1, room=LOBBY, text="tea"))).seq == 2
        assert (await one(journal, draft("topic", 2, room=LOBBY, text="tea"))).seq == 0
        assert journal.state.rooms[LOBBY].topic == "tea"
        assert journal.state.rooms[LOBBY].head == 2


# --- accounts -----------------------------------------------------------------------------


async def test_accounts_are_numbered_and_found_by_credential(where: Where) -> None:
    async with opened(where) as journal:
        outcomes = await journal.append([account("ann"), account("bob"), account("ANN", "else")])
        assert [outcome.code for outcome in outcomes] == ["", "", "nick_taken"]
        assert journal.state.credentials == {"secret:ann": 1, "secret:bob": 2}
        assert journal.state.accounts[2].nick == "bob"
        again = await one(journal, account("other", "secret:ann"))
        assert again == Outcome(time=1000)
        assert journal.state.last_account == 2
        assert journal.state.accounts[1].nick == "ann"


async def test_nicks_are_unique_and_stay_reserved_for_a_while(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        taken = draft("nick", 2, name="Ann", key="ann")
        assert (await one(journal, taken)).code == "nick_taken"
        head = journal.state.rooms[0].head
        same = draft("nick", 1, name="ann", key="ann")
        assert await one(journal, same) == Outcome(time=1000)
        assert journal.state.rooms[0].head == head
        assert (await one(journal, draft("nick", 1, name="ANN", key="ann"))).code == ""
        assert (await one(journal, draft("nick", 1, name="eve", key="eve"))).code == ""
        found = await journal.read(0, after=head, upto=99, limit=9, size=999)
        assert [(entry.nick, entry.text) for entry in found] == [("ann", "ANN"), ("ANN", "eve")]
        assert (await one(journal, taken)).code == "nick_taken"
        late = 1001 + RESERVED
        assert (await one(journal, replace(taken, time=late))).code == "nick_taken"  # for ever
        for time, code in ((999 + RESERVED, "nick_taken"), (late, "")):
            asked = draft("nick", 2, name="Ann", key="ann", time=time)
            assert (await one(journal, asked)).code == code
        assert journal.state.nick_keys == {"eve": 1, "ann": 2}


async def test_an_old_nick_can_be_taken_back_at_once(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        for name in ("eve", "ann"):
            assert (await one(journal, draft("nick", 1, name=name, key=name))).code == ""
        assert set(journal.state.reserved) == {"eve"}


async def test_read_markers_only_rise_and_stay_below_the_head(where: Where) -> None:
    async with opened(where) as journal:
        await spoken(journal, ["a", "b"])
        for seq, marker in ((2, 2), (1, 2), (99, 3)):
            outcome = await one(journal, draft("read", 2, room=LOBBY, seq=seq))
            assert outcome.code == ""
            assert journal.state.markers == {(1, LOBBY): 3, (2, LOBBY): marker}


# --- what is committed --------------------------------------------------------------------


async def test_the_state_is_never_ahead_of_the_commit(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        before = copy.deepcopy(journal.state)
        asked = [say("x"), join("#den"), draft("topic", 1, room=LOBBY, text="t")]
        future = journal.append(asked)
        heads: list[int] = []
        future.add_done_callback(lambda _: heads.append(journal.state.rooms[LOBBY].head))
        assert journal.state == before
        while not future.done():
            assert journal.state == before
            assert await journal.mark(LOBBY, 2) is None or future.done()
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert heads == [3]
        assert journal.state.rooms[2].name == "#den"


async def test_a_cancelled_caller_does_not_harm_the_others(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        first, second = journal.append([say("a")]), journal.append([say("b")])
        first.cancel()
        assert [outcome.seq for outcome in await second] == [3]


# --- the feed -----------------------------------------------------------------------------


async def test_the_feed_has_every_entry_once_in_order_and_ends(where: Where) -> None:
    heard: list[Entry] = []

    async def listen(journal: Journal) -> None:
        async for entries in journal.feed():
            assert entries
            heard.extend(entries)

    async with asyncio.TaskGroup() as group:
        async with opened(where, batch_drafts=7) as journal:
            listening = group.create_task(listen(journal))
            await people(journal)
            asked = [[say(f"{turn}.{line}") for line in range(4)] for turn in range(20)]
            futures = [journal.append(drafts) for drafts in asked]
            for turn, future in enumerate(futures):
                if turn % 3 == 0:
                    await future
            await asyncio.gather(*futures)
            await journal.append([draft("join", 1, room=LOBBY), say("x", room=9)])
            await journal.append([draft("read", 1, room=LOBBY, seq=1)])
        await listening
    lobby = [entry for entry in heard if entry.room == LOBBY]
    assert [entry.seq for entry in lobby] == list(range(1, 82))
    assert [entry.draft for entry in lobby[1:]] == [item.id for job in asked for item in job]
    system = [entry for entry in heard if entry.room == 0]
    assert [(entry.seq, entry.kind) for entry in system] == [
        (1, "account"),
        (2, "account"),
        (3, "join"),
    ]


async def test_an_unread_feed_holds_up_the_next_commit(where: Where) -> None:
    async with opened(where, feed_batches=3) as journal:  # the lobby is the first batch
        await people(journal)
        await journal.append([say("third")])
        held = journal.append([say("held up")])
        for _ in range(50):
            await asyncio.sleep(0)
        assert not held.done()
        assert journal.state.rooms[LOBBY].head == 2
        feed = journal.feed()
        await anext(feed)
        assert (await held)[0].seq == 3
        texts = [entry.text for _ in range(3) for entry in await anext(feed)]
        assert texts == ["ann", "bob", "third", "held up"]


async def test_what_is_held_up_is_stored_by_closing(where: Where) -> None:
    async with opened(where, feed_batches=1, batch_drafts=1) as journal:
        held = [journal.append([account(f"nick{number}")]) for number in range(5)]
        await journal.close()
        assert [(await future)[0].code for future in held] == [""] * 5
        heard = [entry.text async for entries in journal.feed() for entry in entries]
        assert heard == ["#lobby", *[f"nick{number}" for number in range(5)]]


async def test_too_much_waiting_is_refused_at_once(where: Where) -> None:
    async with opened(where, pending_drafts=4) as journal:
        await people(journal)
        kept = journal.append([say("a"), say("b"), say("c")])
        refused = journal.append([say("d"), say("e")])
        fits = journal.append([say("f")])
        with pytest.raises(JournalUnavailable) as raised:
            await refused
        assert raised.value.code == "busy"
        assert [outcome.seq for outcome in [*await kept, *await fits]] == [2, 3, 4, 5]
        assert (await one(journal, say("g"))).seq == 6


async def test_after_closing_nothing_is_taken(where: Where) -> None:
    async with opened(where) as journal:
        waiting = journal.append([account("ann")])
        await journal.close()
        assert (await waiting)[0].code == ""
        with pytest.raises(JournalUnavailable):
            await journal.append([account("bob")])
        await journal.close()


# --- reading ------------------------------------------------------------------------------


def seqs(found: list[Entry]) -> list[int]:
    return [entry.seq for entry in found]


async def test_pages_keep_to_their_bounds(where: Where) -> None:
    async with opened(where) as journal:
        await spoken(journal, [f"{number}" for number in range(2, 11)])
        await journal.append([join("#den"), say("elsewhere", room=2)])

        async def after(seq: int, upto: int = 99, limit: int = 99) -> list[int]:
            return seqs(await journal.read(LOBBY, after=seq, upto=upto, limit=limit, size=9999))

        async def before(seq: int, limit: int = 99) -> list[int]:
            return seqs(await journal.read_back(LOBBY, before=seq, limit=limit, size=9999))

        assert await after(0) == list(range(1, 11))
        assert await after(-3) == list(range(1, 11))
        assert await after(4, 6) == [5, 6]
        assert await after(4, limit=3) == [5, 6, 7]
        assert await after(4, limit=0) == await after(6, 6) == await after(6, -2) == []
        assert await after(10) == await after(50) == []
        assert await before(99) == list(range(1, 11))
        assert await before(5) == [1, 2, 3, 4]
        assert await before(5, 2) == [3, 4]
        assert await before(1) == await before(0) == await before(-4) == await before(5, 0) == []
        assert await journal.read(9, after=0, upto=9, limit=9, size=99) == []
        assert await journal.read_back(9, before=9, limit=9, size=99) == []


@pytest.mark.parametrize("text", ["x" * 100, "é" * 50, "\N{PARTY POPPER}" * 25])
async def test_pages_close_by_bytes_and_hold_at_least_one(where: Where, text: str) -> None:
    async with opened(where) as journal:
        await people(journal)
        await journal.append([join("#den"), *[say(text, room=2) for _ in range(9)]])

        async def after(size: int) -> list[int]:
            return seqs(await journal.read(2, after=1, upto=99, limit=99, size=size))

        async def before(size: int) -> list[int]:
            return seqs(await journal.read_back(2, before=99, limit=99, size=size))

        for size in (-1, 0, 1, 100):
            assert await after(size) == [2]
            assert await before(size) == [10]
        assert await after(300) == [2, 3, 4]
        assert await before(300) == [8, 9, 10]


async def test_entries_come_back_as_they_were_fed(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        texts = ["", "'\"\\", "a\nb\tc", "\N{PARTY POPPER} é ひ"]
        await journal.append([say(text, style="me", time=2**52) for text in texts])
        await journal.append([draft("join", 1, room=LOBBY)])
        feed = journal.feed()
        fed: list[Entry] = []
        while len(fed) < 8:
            fed.extend(await anext(feed))
        read = [
            entry
            for room in (1, 0)
            for entry in await journal.read(room, after=0, upto=99, limit=99, size=9999)
        ]
        key: Callable[[Entry], tuple[int, int]] = lambda entry: (entry.room, entry.seq)  # noqa: E731
        assert sorted(fed, key=key) == sorted(read, key=key)


async def test_marks(where: Where) -> None:
    async with opened(where) as journal:
        await people(journal)
        asked = say()
        await journal.append([asked])
        assert await journal.mark(LOBBY, 2) == asked.id
        for room, seq in ((LOBBY, 0), (LOBBY, -1), (LOBBY, 3), (9, 1)):
            assert await journal.mark(room, seq) is None
