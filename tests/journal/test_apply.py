"""Decisions: whatever is asked, in whatever batches, the same comes of it."""

import copy
from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.journal.making import LOBBY
from tests.world import Disk, rebuilt

from ipcchat.entries import Entry
from ipcchat.errors import CODES
from ipcchat.journal.apply import Decision, StoreFailure, decide, isolate
from ipcchat.journal.drafts import KINDS, Draft, Outcome
from ipcchat.journal.sight import HIDDEN_ROOMS
from ipcchat.journal.state import Overlay, State, Stored

NAMES = ("#lobby", "#den", "ann", "Ann", "bob", "")
KEPT = [kind for kind in KINDS if kind != "read"]
"""Kinds whose outcomes are kept for ever."""
PEOPLE = [
    Draft(
        0,
        f"{0xF0 + number:032x}",
        "account",
        1,
        name=nick,
        key=nick,
        credential=nick,
        open=True,
        role="operator" if nick == "first" else "",
    )
    for number, nick in enumerate(("first", "second"))
]
BEGINNING = [Draft(0, f"{0xFF:032x}", "join", 1, name="#lobby", key="#lobby"), *PEOPLE]


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """A draft of account 1 or 2, with an id that others may have used, about few things."""
    kind = draw(st.sampled_from(KINDS))
    name = draw(st.sampled_from(NAMES))
    return Draft(
        account=0 if kind == "account" else draw(st.sampled_from((1, 2))),
        id=f"{draw(st.integers(0, 30)):032x}",
        kind=kind,
        time=draw(st.integers(1, 99)),
        room=draw(st.sampled_from((0, 1, 2, 3, HIDDEN_ROOMS, HIDDEN_ROOMS + 1))),
        text=draw(st.sampled_from(("", "tea", "more tea"))),
        style=draw(st.sampled_from(("", "me"))) if kind == "message" else "",
        name=name,
        key=name.lower(),
        credential=draw(st.sampled_from(("x", "y", "z", "first", "token:x", "token:y"))),
        seq=draw(st.integers(0, 3)),
        skeleton=name.lower().replace("b", "d"),
        target=draw(st.integers(0, 4)),
        until=draw(st.integers(0, 99)),
        role=draw(st.sampled_from(("member", "operator"))),
        older=draw(st.sampled_from(("", "", "x", "second"))),
        invite=draw(st.sampled_from(("", "x", "y"))),
        open=draw(st.booleans()),
        scope=draw(st.sampled_from(("", "1,2"))),
        access=draw(st.sampled_from(("", "private"))) if kind == "join" else "",
        quiet=draw(st.booleans()),
        refusal=draw(st.sampled_from(("", "", "", "bad_text"))),
    )


class Store:
    """A committed state, and the outcomes kept by earlier batches."""

    def __init__(self) -> None:
        self.state = State()
        self.outcomes: dict[tuple[int, str], Stored] = {}
        self.entries: list[Entry] = []
        self.commit(BEGINNING)

    def attempt(self, overlay: Overlay, asked: Sequence[Draft]) -> list[Decision]:
        return decide(overlay, asked, self.outcomes.get)

    def keep(self, overlay: Overlay, decisions: Sequence[Decision]) -> list[Outcome]:
        overlay.merge()
        self.outcomes |= overlay.outcomes
        self.entries += [item.entry for item in decisions if item.entry is not None]
        return [item.outcome for item in decisions]

    def commit(self, asked: Sequence[Draft]) -> list[Outcome]:
        """One batch."""
        overlay = Overlay(self.state)
        return self.keep(overlay, self.attempt(overlay, asked))


def plain(state: State) -> dict[str, Any]:
    """A state to compare: a room that everybody left is one that nobody joined."""
    found: dict[str, Any] = {item.name: getattr(state, item.name) for item in fields(State)}
    for name in ("members", "joined"):
        found[name] = {number: them for number, them in found[name].items() if them}
    return found


def one_by_one(asked: Sequence[Draft]) -> tuple[Store, list[Outcome]]:
    store = Store()
    return store, [outcome for draft in asked for outcome in store.commit([draft])]


def split(asked: Sequence[Draft], cuts: Sequence[int]) -> list[Sequence[Draft]]:
    edges = [0, *sorted({cut for cut in cuts if cut < len(asked)}), len(asked)]
    return [asked[low:high] for low, high in pairwise(edges)]


many = st.lists(drafts(), max_size=40)


@given(many, st.lists(st.integers(0, 40), max_size=8))
def test_batches_of_any_size_give_the_same(asked: list[Draft], cuts: list[int]) -> None:
    alone, outcomes = one_by_one(asked)
    store = Store()
    assert [it for part in split(asked, cuts) for it in store.commit(part)] == outcomes
    assert store.entries == alone.entries
    assert store.outcomes == alone.outcomes
    assert plain(store.state) == plain(alone.state)


@given(many)
def test_numbers_have_no_gap(asked: list[Draft]) -> None:
    store, outcomes = one_by_one(asked)
    rooms: dict[int, list[int]] = {}
    for entry in store.entries:
        rooms.setdefault(entry.room, []).append(entry.seq)
    heads = {number: room.head for number, room in store.state.rooms.items()}
    assert rooms == {number: list(range(1, head + 1)) for number, head in heads.items()}
    public = [number for number in rooms if number < HIDDEN_ROOMS]
    assert sorted(public) == list(range(len(public)))
    assert store.state.last_room == max(public)
    for number in rooms:
        assert (store.state.rooms[number].access == "public") == (number in public)
    assert sorted(store.state.accounts) == list(range(1, store.state.last_account + 1))
    accepted = [(it.room, it.seq) for it in outcomes if it.seq]
    assert set(accepted) <= {(entry.room, entry.seq) for entry in store.entries}


@given(many)
def test_an_outcome_is_for_ever(asked: list[Draft]) -> None:
    store, outcomes = one_by_one(asked)
    first: dict[tuple[int, str], tuple[Draft, Outcome]] = {}
    for draft, outcome in zip(asked, outcomes, strict=True):
        assert not outcome.code or not CODES[outcome.code].retry
        if draft.kind != "read":
            first.setdefault((draft.account, draft.id), (draft, outcome))
    state, entries = copy.deepcopy(store.state), list(store.entries)
    kept = [*first.values()]
    tries = [replace(draft, time=1000, refusal="bad_name") for draft, _ in kept]
    assert store.commit(tries) == [outcome for _, outcome in kept]
    assert [store.commit([draft])[0] for draft, _ in kept] == [outcome for _, outcome in kept]
    state.applied += 2 * len(kept)
    assert store.state == state
    assert store.entries == entries


@given(many, drafts())
def test_the_same_id_with_other_words_is_a_conflict(asked: list[Draft], other: Draft) -> None:
    store, _ = one_by_one([*asked, replace(other, kind="message")])
    changed = replace(other, kind="message", text="never said", content=b"")
    earlier, _ = store.outcomes[other.account, other.id]
    (outcome,) = store.commit([changed])
    expected = "withdrawn" if earlier.code == "withdrawn" else "draft_conflict"
    assert outcome.code == expected


@given(many, many)
def test_a_dropped_batch_leaves_nothing(before: list[Draft], dropped: list[Draft]) -> None:
    store, _ = one_by_one(before)
    untouched = copy.deepcopy(store.state)
    decide(Overlay(store.state), dropped, store.outcomes.get)
    assert store.state == untouched


@given(many, many)
def test_a_copy_of_an_overlay_goes_its_own_way(asked: list[Draft], more: list[Draft]) -> None:
    store, alone = Store(), one_by_one(asked)[0]
    overlay = Overlay(store.state)
    decisions = decide(overlay, asked, store.outcomes.get)
    decide(overlay.copy(), more, store.outcomes.get)
    store.keep(overlay, decisions)
    assert plain(store.state) == plain(alone.state)
    assert store.outcomes == alone.outcomes


@given(many, st.sets(st.integers(0, 39)))
def test_what_can_not_be_applied_is_as_if_it_had_never_been(
    asked: list[Draft], places: set[int]
) -> None:
    bad = [
        replace(draft, kind="dance", id=f"{100 + place:032x}") if place in places else draft
        for place, draft in enumerate(asked)
    ]
    good = [draft for place, draft in enumerate(asked) if place not in places]
    alone, outcomes = one_by_one(good)
    store = Store()
    blamed: list[Exception] = []
    overlay, decisions = isolate(Overlay(store.state), bad, store.attempt, blamed.append)
    found = store.keep(overlay, decisions)
    culprits = [place for place in range(len(bad)) if place in places and not asked[place].refusal]
    refused = [place for place in range(len(bad)) if place in places and asked[place].refusal]
    assert [found[place].code for place in culprits] == ["internal"] * len(culprits)
    assert [found[place].code for place in refused] == ["bad_text"] * len(refused)
    assert [it for place, it in enumerate(found) if place not in places] == outcomes
    assert len(blamed) == len(culprits)
    assert store.entries == alone.entries
    store.state.applied -= len(refused)
    assert plain(store.state) == plain(alone.state)


def test_a_failing_store_is_nobodys_fault() -> None:
    tried: list[int] = []
    blamed: list[Exception] = []

    def attempt(overlay: Overlay, asked: Sequence[Draft]) -> list[Decision]:
        tried.append(len(asked))
        raise StoreFailure

    with pytest.raises(StoreFailure):
        isolate(Overlay(State()), BEGINNING, attempt, blamed.append)
    assert tried == [len(BEGINNING)]
    assert blamed == []


def test_the_beginning_is_what_the_others_build_on() -> None:
    store = Store()
    assert store.state.rooms[LOBBY].name == "#lobby"
    assert store.state.last_account == 2
    assert [entry.kind for entry in store.entries] == ["create", "account", "account"]


@pytest.mark.parametrize("uses", [1, 2])
@pytest.mark.parametrize("time", [49, 50])
def test_a_rebuild_uses_up_what_let_a_stranger_in(time: int, uses: int) -> None:
    disk, state = Disk(), State()
    asked = [
        *BEGINNING,
        Draft(1, "1" * 32, "admit", 1, credential="z", until=50),
        Draft(1, "2" * 32, "invite", 1, credential="x", seq=uses, until=99),
        Draft(0, "3" * 32, "account", time, name="ann", key="ann", credential="z", invite="x"),
    ]
    overlay = Overlay(state)
    decisions = decide(overlay, asked, disk.outcomes.get)
    disk.store(asked, decisions, overlay)
    overlay.merge()
    assert state.last_account == 3
    assert rebuilt(disk).invites == state.invites and rebuilt(disk).admitted == state.admitted
