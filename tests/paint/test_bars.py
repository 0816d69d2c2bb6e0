"""Direct and private rooms, and who is away, in the bars and lists: in words, never by colour."""

import pytest
from tests.glass import flat

from ipcchat.client.model import Model, RoomView
from ipcchat.entries import Entry
from ipcchat.paint import bars
from ipcchat.wire.messages import FollowOk, HistoryOk, Member, Presence, Room

ANN, BOB = 1, 2


def model() -> Model:
    """In `#lab`; beside it `@zoe`, `@Bob`, and the private `#ops`, in that order of joining."""
    made = Model("lab", "ann")
    made.login(ANN, "ann", "member")
    made.set_state("online")
    for number, name, access, peer in (
        (1, "#lab", "public", 0),
        (91, "@zoe", "direct", 3),
        (92, "@Bob", "direct", BOB),
        (93, "#ops", "private", 0),
    ):
        room = made.add_room(Room(number, name, access=access, peer=peer))
        made.placed(room, "e" * 32, FollowOk(number, 0, 0, 1), resumed=False)
        members = [Member(ANN, "ann"), Member(BOB, "Bob")]
        made.set_members(room, members if access != "direct" or peer == BOB else members[:1])
        room.live = True
    return made


def said(made: Model, number: int, text: str = "hi") -> None:
    room = made.rooms[number]
    made.apply(Entry(number, room.seq + 1, 1, BOB, "Bob", "message", f"{room.seq + 1:032x}", text))


def names(rooms: list[RoomView]) -> list[str]:
    return [room.name for room in rooms]


def test_direct_rooms_come_last_and_by_name() -> None:
    made = model()
    assert names(made.ordered()) == ["#lab", "#ops", "@Bob", "@zoe"]
    rows = [flat(row).removesuffix("│").rstrip() for row in bars.rooms(made, 18, 6)]
    assert rows == [">1 #lab", " 2 #ops private", " 3 @Bob", " 4 @zoe", "", ""]


def test_direct_messages_count_as_mentions() -> None:
    made = model()
    said(made, 92)
    said(made, 92)
    said(made, 93)
    said(made, 93, "ann: look")
    assert "H: 2:#ops(1!,2) 3:@Bob(2!)" in flat(bars.status(made, 120, 0))
    rows = [flat(row) for row in bars.rooms(made, 18, 6)]
    assert "@Bob 2!" in rows[2]
    assert "#ops 1!" in rows[1] or "#ops private 1!" in rows[1]


def test_a_long_name_leaves_no_place_for_private() -> None:
    made = model()
    made.rooms[93].name = "#operations"
    row = bars.rooms(made, 18, 2)[1]
    assert row.width == 18
    assert "#operations" in flat(row)


def test_the_top_says_what_a_room_is() -> None:
    made = model()
    made.rooms[93].topic = "who is on call"
    made.current = 93
    assert flat(bars.topic(made, 80)).startswith(" #ops private — who is on call")
    made.current = 92
    assert flat(bars.topic(made, 80)).startswith(" @Bob  ")
    for status, text, shown in (
        ("away", "lunch", "— away: lunch"),
        ("away", "", "— away"),
        ("offline", "", "— offline"),
        ("online", "", ""),
    ):
        made.apply(Presence(BOB, "Bob", status, text=text))
        assert (
            flat(bars.topic(made, 80)).removesuffix("/help").rstrip() == f" @Bob {shown}".rstrip()
        )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_one_sees_that_one_is_away_oneself(width: int) -> None:
    made = model()
    assert "away" not in flat(bars.status(made, width, 0))
    made.apply(Presence(ANN, "ann", "away", text="lunch"))
    row = bars.status(made, width, 0)
    assert "  away  " in flat(row)
    assert row.width == width


def test_who_is_away_is_said_even_behind_a_long_nick() -> None:
    made = model()
    made.apply(Presence(BOB, "日本語の名前" * 5, "away"))
    row = bars.members(made, 20, 5)[1]
    assert flat(row).endswith("(away)")
    assert row.width <= 20


def test_mentions_that_are_not_all_known_say_so() -> None:
    made = model()
    room = made.add_room(Room(94, "#big"))
    made.recount(Room(94, "#big", head=500, read=1, unread=499))
    made.placed(room, "e" * 32, FollowOk(94, 450, 500, 1), resumed=False)
    for seq in range(451, 501):
        text = "ann: look" if seq % 10 == 0 else "hi"
        made.apply(Entry(94, seq, 1, BOB, "Bob", "message", f"{seq:032x}", text))
    assert room.more_mentions
    assert "3:#big(5+!,499)" in flat(bars.status(made, 120, 0))
    assert "#big 5+!" in flat(bars.rooms(made, 18, 6)[2])
    older = [Entry(94, seq, 1, BOB, "Bob", "message", f"{seq:032x}", "hi") for seq in range(1, 451)]
    made.prepend(room, HistoryOk(94, older, first=1, head=500, more=False))
    assert "3:#big(5!,499)" in flat(bars.status(made, 120, 0))


def busy() -> Model:
    """Something new in all rooms but the current one, a mention in `#ops`, three more rooms."""
    made = model()
    for number in range(101, 104):
        room = made.add_room(Room(number, f"#room{number}"))
        made.placed(room, "e" * 32, FollowOk(number, 0, 0, 1), resumed=False)
        room.live = True
        said(made, number)
    said(made, 93, "ann: look")
    said(made, 92)
    said(made, 91)
    return made


@pytest.mark.parametrize(
    ("width", "end"),
    [
        (
            120,
            "H: 2:#ops(1!,1) 3:#room101(1) 4:#room102(1) 5:#room103(1) 6:@Bob(1!) 7:@zoe(1!)",
        ),
        (80, "H: 6:@Bob(1!) 7:@zoe(1!) 2:#ops(1!,1) 3:#room101(1) +2"),
        (60, "H: 6:@Bob(1!) 7:@zoe(1!) +4!"),
        (40, "H: 6:@Bob(1!)"),
        (30, "H:+6!"),
    ],
)
def test_what_is_new_is_shortened_from_its_end_and_never_gone(width: int, end: str) -> None:
    made = busy()
    row = bars.status(made, width, 0)
    assert row.width == width
    assert end in flat(row)


def test_two_direct_messages_show_in_the_smallest_window() -> None:
    made = model()
    said(made, 91)
    said(made, 92)
    assert flat(bars.status(made, 40, 0)).rstrip().endswith("1:#lab(2)  H: 3:@Bob(1!) +1!")
    assert "H:+2!" in flat(bars.status(made, 40, 50))


def test_what_is_for_nobody_has_no_mark() -> None:
    made = model()
    said(made, 93)
    made.rooms[93].name = "#" + "o" * 60
    assert flat(bars.status(made, 40, 0)).rstrip().endswith("H:+1")


def test_in_no_room_the_top_says_how_to_get_to_one() -> None:
    made = model()
    made.current = 0
    assert "no room: Ctrl+N, Alt+1 or Ctrl+G" in flat(bars.topic(made, 80))
    assert flat(bars.topic(Model("lab", "ann"), 80)).strip() == "ipcchat"
