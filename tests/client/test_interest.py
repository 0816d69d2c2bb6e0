"""What the user wants to know: who is ignored, what asks for attention, who came and went."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.peer import EPOCH, ME, entry

from ipcchat.client.interest import Interest, Moves
from ipcchat.client.model import Model, Notice, RoomView
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import FollowOk, Live, Member, Presence, Room

BOB, MEI = 2, 3


def made(**settings: object) -> Model:
    """In #lobby, which shows, and #ops; nothing was said so far."""
    model = Model("lab", "ann", settings=ClientSettings(**settings), now=lambda: 1000)  # type: ignore[arg-type]
    model.login(ME, "ann", "member")
    for number, name in ((1, "#lobby"), (2, "#ops")):
        room = model.add_room(Room(number, name))
        model.placed(room, EPOCH, FollowOk(0, from_=0, head=0, first=1), resumed=False)
        model.set_members(room, [Member(ME, "ann"), Member(BOB, "bob"), Member(MEI, "mei")])
        model.apply(Live(number, 0))
    return model


def asked(model: Model) -> list[tuple[int, str, bool]]:
    return [(alert.room, alert.entry.text, alert.mention) for alert in model.alerts]


# --- who is ignored -----------------------------------------------------------------------


def test_nicks_are_compared_as_names() -> None:
    interest = Interest(ClientSettings(ignore=("Bob", "Straße")), "ann")
    assert interest.ignores(9, "BOB")
    assert interest.ignores(9, "strasse")
    assert not interest.ignores(9, "bobby")
    assert not interest.ignores(0, "bob")  # the server itself


def test_who_was_met_stays_ignored() -> None:
    interest = Interest(ClientSettings(ignore=("bob",)), "ann")
    interest.meet(BOB, "bob")
    interest.meet(BOB, "rob")
    assert interest.ignores(BOB, "rob")
    assert interest.ignored_as(BOB) == "bob"
    other = interest.renewed(ClientSettings(ignore=("bob", "mei")), "ann")
    assert other.ignores(BOB, "rob")
    assert not other.renewed(ClientSettings(ignore=("mei",)), "ann").ignores(BOB, "rob")


def test_reading_the_history_is_no_meeting() -> None:
    model = made(ignore=("carl",))
    assert model.ignores(entry(1, nick="carl"))  # bob, when that was his nick
    assert not model.ignores(entry(2))


def test_ignored_messages_count_nothing() -> None:
    model = made(ignore=("bob",))
    model.apply(entry(1, "ann: hi", room=2))
    model.apply(Presence(BOB, "rob", "online"))
    model.apply(entry(2, "ann: hi", room=2, nick="rob"))
    ops = model.rooms[2]
    assert (ops.unread, ops.mentions, asked(model)) == (0, 0, [])
    assert model.ignores(entry(2, nick="rob"))
    model.apply(entry(3, "hi", room=2, by=MEI, nick="mei"))
    assert ops.unread == 1
    model.apply(entry(1, "seen"))
    assert model.rooms[1].read_seq == 1  # what is not shown is seen


def test_who_is_here_is_met_when_the_list_changes() -> None:
    model = made()
    model.configure(ClientSettings(ignore=("bob",)))
    model.apply(Presence(BOB, "rob", "online"))
    assert model.ignores(entry(1, nick="rob"))
    assert not model.ignores(entry(1, nick="bob", by=ME))  # oneself never
    before = (model.version, model.rooms[1].version)
    model.configure(ClientSettings())
    assert not model.ignores(entry(1, nick="rob"))
    assert before < (model.version, model.rooms[1].version)


# --- attention ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "wanted"),
    [("all", ["hi", "ann!"]), ("mentions", ["ann!"]), ("none", [])],
)
def test_a_room_is_as_loud_as_told(level: str, wanted: list[str]) -> None:
    model = made(notify_rooms=(("#OPS", level),))
    for seq, text in enumerate(("hi", "ann!"), 1):
        model.apply(entry(seq, text, room=2))
    assert asked(model) == [(2, text, text == "ann!") for text in wanted]
    assert (model.rooms[2].unread, model.rooms[2].mentions) == (2, 1)


def test_what_asks_for_attention() -> None:
    model = made(notify_rooms=(("#lobby", "all"),))
    model.apply(entry(1, "ann", by=ME, nick="ann"))
    model.apply(entry(2, "ann", kind="topic"))
    assert asked(model) == []
    model.apply(entry(3, "looked at, too"))
    assert asked(model) == [(1, "looked at, too", False)]
    model.rooms[1].live = False
    model.apply(entry(4, "ann: missed"))
    assert len(asked(model)) == 1
    model.rooms[1].live = True
    model.interest.dnd_until = 1001
    model.apply(entry(5, "ann: not now"))
    model.configure(ClientSettings())
    model.apply(entry(6, "ann: not now"))
    assert len(asked(model)) == 1
    model.interest.dnd_until = 1000
    model.apply(entry(7, "ann: now"))
    assert asked(model)[1:] == [(1, "ann: now", True)]
    for seq in range(8, 40):
        model.apply(entry(seq, f"ann: {seq}"))
    assert [text for _, text, _ in asked(model)] == [f"ann: {seq}" for seq in range(24, 40)]


# --- who came and went --------------------------------------------------------------------


def moves(model: Model, *happened: tuple[int, str, str]) -> list[str]:
    """What #lobby says of who joined and left."""
    for account, nick, status in happened:
        model.apply(Presence(account, nick, status, room=1))
    return [line.text for line in model.rooms[1].lines if isinstance(line, Notice)]


def test_joins_of_those_who_spoke_lately() -> None:
    model = made()
    model.apply(entry(1))
    told = moves(model, (MEI, "mei", "parted"), (9, "zoe", "joined"), (BOB, "bob", "parted"))
    assert told == ["bob left"]
    assert moves(model, (9, "zoe", "parted"), (BOB, "bob", "joined")) == ["bob left and came back"]


def test_coming_back_is_told_when_the_leaving_was() -> None:
    model = made()
    model.apply(entry(1))
    moves(model, (BOB, "bob", "parted"))
    for seq in range(2, 300):
        model.apply(entry(seq, by=MEI, nick="mei"))
    assert moves(model, (BOB, "bob", "joined")) == ["bob left", "bob joined"]
    assert moves(model, (BOB, "bob", "parted")) == ["bob left", "bob joined and left"]


def test_none_and_all() -> None:
    happened = ((BOB, "bob", "parted"), (9, "zoe", "joined"), (ME, "ann", "parted"))
    assert moves(made(joins="none"), *happened) == []
    assert moves(made(joins="all"), *happened) == ["zoe joined · bob left"]
    assert moves(made(joins="all", ignore=("bob", "zoe")), *happened) == []


def test_a_line_takes_all_in_a_row_and_keeps_its_key() -> None:
    model = made(joins="all")
    room: RoomView = model.rooms[1]
    seen: list[Notice] = []
    for number in range(20):
        model.apply(Presence(10 + number, f"n{number}", "joined", room=1))
        (line,) = room.lines
        assert isinstance(line, Notice)
        seen.append(line)
    assert len({id(line) for line in seen}) == 20
    assert line.text == "n0, n1, n2, n3, n4, n5, n6, n7 and 12 more joined"
    assert room.first_key == 0
    model.apply(entry(1))
    assert moves(model, (10, "n0", "parted"))[1:] == ["n0 left"]
    room.clear()
    assert moves(model, (11, "n1", "parted")) == ["n1 left"]


def test_no_line_takes_moves_for_ever() -> None:
    model = made(joins="all")
    for number in range(1200):
        model.apply(Presence(BOB, "bob", "joined" if number % 2 else "parted", room=1))
    assert len(model.rooms[1].lines) == 3


@given(st.lists(st.integers(0, 12), max_size=40))
def test_names_are_on_the_side_where_they_ended(toggled: list[int]) -> None:
    here, told = {number: number % 2 == 0 for number in range(13)}, Moves()
    start = dict(here)
    for number in toggled:
        here[number] = not here[number]
        told.add(number, f"n{number}", here[number])
    text = told.text()
    assert bool(text) == bool(toggled)
    for mark, came in ((" joined", True), (" left", False)):
        wanted = {f"n{one}" for one in here if here[one] is came is not start[one]}
        part = next((part for part in text.split(" · ") if part.endswith(mark)), "")
        named, _, more = part.removesuffix(mark).partition(" and ")
        if wanted:
            assert set(named.split(", ")) <= wanted
            assert len(named.split(", ")) == min(len(wanted), 8)
            assert more == (f"{len(wanted) - 8} more" if len(wanted) > 8 else "")


# --- what presence says -------------------------------------------------------------------


def test_being_back_after_a_lost_connection_is_no_news_in_any_room() -> None:
    model = made()
    for number in (1, 2):
        model.apply(entry(1, room=number))
    model.set_state("online")
    model.set_state("reconnecting")
    for room in model.rooms.values():
        model.set_members(room, [Member(ME, "ann"), Member(BOB, "bob", "offline")])
    model.set_state("online")
    model.apply(Presence(BOB, "bob", "online"))
    assert not [
        line for room in model.rooms.values() for line in room.lines if type(line) is Notice
    ]
