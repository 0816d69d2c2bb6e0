"""Who gets into which room, decided purely: the same for every journal and every order of tries."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.journal.making import LOBBY, draft

from ipcchat.journal.apply import decide
from ipcchat.journal.drafts import Decision, Draft
from ipcchat.journal.entrance import direct_key
from ipcchat.journal.sight import (
    DIRECT,
    HIDDEN_ROOMS,
    PRIVATE,
    PUBLIC,
    first_seen,
    hidden_number,
)
from ipcchat.journal.state import Overlay, Room, State, Stored

OP, ANN, BOB, EVE = 1, 2, 3, 4


class Ledger:
    """A committed state that takes one draft, or one batch, at a time."""

    def __init__(self) -> None:
        self.state = State()
        self.outcomes: dict[tuple[int, str], Stored] = {}
        people = [
            draft("account", 0, name=nick, key=nick, credential=nick, open=True, role=role)
            for nick, role in (("op", "operator"), ("ann", ""), ("bob", ""), ("eve", ""))
        ]
        self.batch(draft("join", 0, name="#lobby", key="#lobby"), *people)

    def batch(self, *drafts: Draft) -> list[Decision]:
        overlay = Overlay(self.state)
        decisions = decide(overlay, drafts, self.outcomes.get)
        overlay.merge()
        self.outcomes |= overlay.outcomes
        return decisions

    def __call__(self, kind: str, account: int, **about: Any) -> Decision:
        (decision,) = self.batch(draft(kind, account, **about))
        return decision

    def code(self, kind: str, account: int, **about: Any) -> str:
        return self(kind, account, **about).outcome.code

    def den(self, *others: int) -> int:
        """Ann's private room with these people in it."""
        room = self("join", ANN, name="#den", key="#den", access=PRIVATE, seq=5).outcome.room
        for other in others:
            self("room_invite", ANN, room=room, target=other)
            assert not self.code("join", other, room=room)
        return room

    def pair(self, one: int = ANN, other: int = BOB) -> int:
        return self("direct", one, target=other, seq=7).outcome.room

    def open_to(self, room: int) -> dict[int, int | None]:
        return {who: first_seen(self.state, room, who) for who in (OP, ANN, BOB, EVE)}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


# --- what is open to whom -----------------------------------------------------------------


def test_a_public_room_is_open_from_its_first_entry_and_room_0_to_nobody(ledger: Ledger) -> None:
    assert set(ledger.open_to(LOBBY).values()) == {1}
    for number in (0, 2, HIDDEN_ROOMS, -1):
        assert set(ledger.open_to(number).values()) == {None}


def test_a_private_room_is_open_to_members_from_where_they_came_in(ledger: Ledger) -> None:
    room = ledger.den()
    assert ledger.open_to(room) == {OP: None, ANN: 1, BOB: None, EVE: None}
    ledger("message", ANN, room=room, text="before")
    ledger("room_invite", ANN, room=room, target=BOB)
    assert ledger.open_to(room)[BOB] is None  # an invitation opens nothing
    came = ledger("join", BOB, room=room)
    assert came.entry is not None and came.entry.kind == "join"
    assert came.entry.seq == came.outcome.seq == 4
    assert ledger.open_to(room) == {OP: None, ANN: 1, BOB: 4, EVE: None}
    ledger("part", BOB, room=room)
    assert ledger.open_to(room)[BOB] is None
    ledger("room_invite", ANN, room=room, target=BOB)
    ledger("join", BOB, key="#den")
    assert ledger.open_to(room)[BOB] == ledger.state.rooms[room].head == 7


def test_a_direct_room_is_open_to_its_two_and_stays_so(ledger: Ledger) -> None:
    room = ledger.pair()
    assert ledger.open_to(room) == {OP: None, ANN: 1, BOB: 1, EVE: None}
    ledger("message", ANN, room=room, text="hi")
    for who in (ANN, BOB):
        parted = ledger("part", who, room=room)
        assert parted.entry is None and not parted.outcome.code
    assert ledger.open_to(room) == {OP: None, ANN: 1, BOB: 1, EVE: None}


def test_a_room_that_lost_its_beginning_is_open_from_what_is_kept(ledger: Ledger) -> None:
    room = ledger.den(BOB)
    ledger.state.rooms[room].first = 2
    assert (ledger.open_to(room)[ANN], ledger.open_to(room)[BOB]) == (2, 3)


ASKED: list[tuple[str, dict[str, Any]]] = [
    ("message", {"text": "hi"}),
    ("topic", {"text": "tea"}),
    ("read", {"seq": 1}),
    ("join", {}),
    ("join", {"access": PRIVATE}),
    ("part", {}),
    ("kick", {"target": ANN}),
    ("kick", {"target": 99}),
    ("room_invite", {"target": EVE}),
    ("room_invite", {"target": 99}),
    ("room_uninvite", {"target": ANN}),
    ("room_uninvite", {"target": EVE}),
]


@pytest.mark.parametrize(("kind", "about"), ASKED)
def test_to_others_a_hidden_room_is_none(ledger: Ledger, kind: str, about: dict[str, Any]) -> None:
    for room in (ledger.den(BOB), ledger.pair()):
        ledger("part", BOB, room=room)
        state = [getattr(ledger.state, it.name) for it in fields(State) if it.name != "applied"]
        before = repr(state)
        for who in (OP, EVE):
            found = ledger(kind, who, room=room, **about)
            none = ledger(kind, who, room=room + 1, **about)
            assert found.entry is none.entry is None
            codes = {found.outcome.code, none.outcome.code}
            assert codes == {"forbidden" if kind == "kick" and who == EVE else "no_room"}
            assert found.stored == none.stored
        assert repr(state) == before


# --- private rooms ------------------------------------------------------------------------


def test_an_invitation_counts_once_and_is_used_up(ledger: Ledger) -> None:
    room = ledger.den()
    assert ledger("room_invite", ANN, room=room, target=BOB).outcome.seq == 2
    again = ledger("room_invite", ANN, room=room, target=BOB)
    assert (again.entry, again.outcome.code) == (None, "")
    assert ledger.state.room_invites == {(room, BOB): ANN}
    assert not ledger.code("join", BOB, room=room)
    assert ledger.state.room_invites == {}
    assert ledger("join", BOB, room=room).entry is None  # twice is once
    member = ledger("room_invite", ANN, room=room, target=BOB)
    assert (member.entry, member.outcome.code) == (None, "")
    ledger("part", BOB, room=room)
    assert ledger.code("join", BOB, room=room) == "no_room"


def test_everybody_inside_invites_and_only_some_take_it_back(ledger: Ledger) -> None:
    room = ledger.den(BOB, OP)
    assert not ledger.code("room_invite", BOB, room=room, target=EVE)
    assert not ledger.code("room_uninvite", BOB, room=room, target=EVE)  # who said it
    ledger("room_invite", ANN, room=room, target=EVE)
    assert ledger.code("room_uninvite", BOB, room=room, target=EVE) == "forbidden"
    assert not ledger.code("room_uninvite", OP, room=room, target=EVE)
    ledger("room_invite", BOB, room=room, target=EVE)
    ledger("join", EVE, room=room)
    assert ledger.code("room_uninvite", BOB, room=room, target=EVE) == "forbidden"
    out = ledger("room_uninvite", ANN, room=room, target=EVE)
    assert out.entry is not None and (out.entry.kind, out.entry.target) == ("kick", EVE)
    assert ledger.open_to(room)[EVE] is None
    assert ledger.code("join", EVE, room=room) == "no_room"
    none = ledger("room_uninvite", ANN, room=room, target=EVE)
    assert (none.entry, none.outcome.code) == (None, "")


def test_an_operator_has_no_more_rights_to_see(ledger: Ledger) -> None:
    room = ledger.den(BOB)
    assert ledger.code("kick", OP, room=room, target=BOB) == "no_room"
    ledger("room_invite", ANN, room=room, target=OP)
    assert ledger.code("kick", OP, room=room, target=BOB) == "no_room"
    ledger("join", OP, room=room)
    assert ledger.code("kick", OP, room=room, target=EVE) == "no_account"
    assert not ledger.code("kick", OP, room=room, target=BOB)
    assert ledger.code("kick", BOB, room=LOBBY, target=EVE) == "forbidden"


def test_public_and_direct_rooms_have_no_invitations(ledger: Ledger) -> None:
    pair = ledger.pair()
    for room in (LOBBY, pair):
        for kind in ("room_invite", "room_uninvite"):
            assert ledger.code(kind, ANN, room=room, target=EVE) == "forbidden"
    assert ledger.code("kick", OP, room=ledger.pair(OP, EVE), target=EVE) == "forbidden"


def test_a_private_room_has_a_new_name(ledger: Ledger) -> None:
    room = ledger.den(BOB)
    for who, code in ((ANN, "room_taken"), (BOB, "room_taken"), (EVE, "no_room")):
        assert ledger.code("join", who, name="#den", key="#den", access=PRIVATE) == code
    ledger("room_invite", ANN, room=room, target=EVE)
    assert ledger.code("join", EVE, key="#den", access=PRIVATE) == "room_taken"
    assert (room, EVE) in ledger.state.room_invites  # and is still invited
    assert ledger.code("join", EVE, name="#lobby", key="#lobby", access=PRIVATE) == "room_taken"


# --- direct rooms -------------------------------------------------------------------------


def test_two_have_one_direct_room_whoever_begins(ledger: Ledger) -> None:
    both = ledger.batch(
        draft("direct", ANN, target=BOB, seq=7), draft("direct", BOB, target=ANN, seq=8)
    )
    assert both[0].outcome.room == both[1].outcome.room
    assert [one.entry is not None for one in both] == [True, False]
    entry = both[0].entry
    assert entry is not None and (entry.kind, entry.text, entry.target) == ("create", "", BOB)
    assert ledger.pair(BOB, ANN) == both[0].outcome.room != ledger.pair(ANN, EVE)
    assert direct_key(ANN, BOB) == direct_key(BOB, ANN) != direct_key(ANN, EVE)


def test_a_direct_room_needs_two(ledger: Ledger) -> None:
    assert ledger.code("direct", ANN, target=ANN) == "forbidden"
    assert ledger.code("direct", 0, target=ANN) == "forbidden"
    for nobody in (0, 99, -1):
        assert ledger.code("direct", ANN, target=nobody) == "no_account"


def test_put_away_is_each_ones_own(ledger: Ledger) -> None:
    room = ledger.pair()
    ledger("message", ANN, room=room, text="hi")
    ledger("part", BOB, room=room)
    assert ledger.state.hidden == {(BOB, room): 2}
    ledger("direct", ANN, target=BOB)
    assert ledger.state.hidden == {(BOB, room): 2}
    ledger("direct", BOB, target=ANN)
    assert ledger.state.hidden == {}
    ledger("part", BOB, room=room)
    ledger("join", BOB, room=room)
    assert ledger.state.hidden == {}


# --- numbers and outcomes -----------------------------------------------------------------


def test_hidden_rooms_take_no_number_of_public_ones(ledger: Ledger) -> None:
    numbers = []
    for step in range(4):
        ledger("join", ANN, key=f"#d{step}", name=f"#d{step}", access=PRIVATE, seq=step)
        made = ledger("join", ANN, key=f"#p{step}", name=f"#p{step}")
        numbers.append(made.outcome.room)
    assert numbers == [2, 3, 4, 5]
    hidden = [it for it in ledger.state.rooms.values() if it.access == PRIVATE]
    assert [it.number for it in hidden] == [HIDDEN_ROOMS + step for step in range(4)]


@given(st.lists(st.integers(0, 5) | st.integers(HIDDEN_ROOMS - 3, 2**53 - 1), max_size=12))
def test_a_number_by_chance_that_is_taken_gives_another(wanted: list[int]) -> None:
    state = State()
    for chance in wanted:
        number = hidden_number(state, chance)
        assert HIDDEN_ROOMS <= number < 2 * HIDDEN_ROOMS and number not in state.rooms
        state.rooms[number] = Room(number, "", str(number), access=DIRECT)


def test_a_draft_sent_again_has_its_first_outcome_whatever_was_since(ledger: Ledger) -> None:
    room = ledger.den()
    refused = draft("message", BOB, room=room, text="hi")
    assert ledger.batch(refused)[0].outcome.code == "no_room"
    invited = draft("room_invite", ANN, room=room, target=BOB)
    first = ledger.batch(invited)[0].outcome
    joined = draft("join", BOB, room=room)
    came = ledger.batch(joined)[0].outcome
    assert ledger.batch(refused)[0].outcome.code == "no_room"
    ledger("room_uninvite", ANN, room=room, target=BOB)
    head = ledger.state.rooms[room].head
    again = ledger.batch(invited, joined, replace(joined, content=b"another"))
    assert [it.outcome for it in again[:2]] == [first, came]
    assert again[2].outcome.code == "draft_conflict"
    assert ledger.open_to(room)[BOB] is None and ledger.state.rooms[room].head == head


def test_who_is_banned_gets_in_nowhere(ledger: Ledger) -> None:
    room = ledger.den()
    ledger("room_invite", ANN, room=room, target=BOB)
    ledger("ban", OP, target=BOB, until=0)
    assert ledger.code("join", BOB, room=room) == "banned"
    assert ledger.code("direct", BOB, target=ANN) == "banned"
    assert (room, BOB) in ledger.state.room_invites
    assert not ledger.code("direct", ANN, target=BOB)  # waits for him


@given(st.data())
def test_one_batch_or_many_is_the_same(data: st.DataObject) -> None:
    """Where the batches end decides nothing: an overlay sees what it changed itself."""
    ledgers = Ledger(), Ledger()
    rooms = st.sampled_from((LOBBY, HIDDEN_ROOMS + 5, HIDDEN_ROOMS + 7, HIDDEN_ROOMS + 6))
    kinds = ("join", "part", "direct", "room_invite", "room_uninvite", "kick", "message", "read")
    drafts = [draft("join", ANN, name="#den", key="#den", access=PRIVATE, seq=5)]
    for _ in range(data.draw(st.integers(1, 20))):
        kind = data.draw(st.sampled_from(kinds))
        about: dict[str, Any] = {"room": data.draw(rooms), "target": data.draw(st.integers(0, 5))}
        if kind == "direct":
            about = {"target": about["target"], "seq": 7}
        about["seq"] = about.get("seq", data.draw(st.integers(0, 3)))
        drafts.append(draft(kind, data.draw(st.integers(1, 4)), **about))
    whole = ledgers[0].batch(*drafts)
    single = [ledgers[1].batch(one)[0] for one in drafts]
    assert [(it.outcome, it.entry) for it in whole] == [(it.outcome, it.entry) for it in single]
    for it in fields(State):
        if it.name not in ("members", "joined"):
            assert getattr(ledgers[0].state, it.name) == getattr(ledgers[1].state, it.name), it
    shown = [{room: who for room, who in ledger.state.members.items() if who} for ledger in ledgers]
    assert shown[0] == shown[1]


def test_access_is_one_of_three(ledger: Ledger) -> None:
    rooms = ledger.state.rooms
    assert rooms[ledger.den()].access == PRIVATE
    assert rooms[ledger.pair()].access == DIRECT
    assert rooms[ledger("join", ANN, name="#o", key="#o").outcome.room].access == PUBLIC
