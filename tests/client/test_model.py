"""What the screen shows follows from what the server said, and from nothing else."""

import pytest
from tests.client.peer import EPOCH, ME, entry

from ipcchat.client.model import Model, Notice, Pending, RoomView
from ipcchat.entries import Entry
from ipcchat.settings import ClientSettings
from ipcchat.wire.messages import (
    Changed,
    FollowOk,
    Gap,
    HistoryOk,
    Live,
    Member,
    Presence,
    Room,
    Unfollowed,
)

BOB = 2


@pytest.fixture
def model() -> Model:
    made = Model(
        "lab:5555", "ann", settings=ClientSettings(highlight=("deploy",)), now=lambda: 1000
    )
    made.login(ME, "ann", "member")
    for number, name in ((1, "#lobby"), (2, "#ops")):
        room = made.add_room(Room(number, name))
        made.placed(room, EPOCH, FollowOk(0, from_=0, head=0, first=1), resumed=False)
        made.apply(Live(number, 0))
    return made


def texts(room: RoomView) -> list[str]:
    return [line.text for line in room.lines]


def test_the_first_room_shows(model: Model) -> None:
    assert model.current == 1
    assert list(model.rooms) == [1, 2]


def test_rooms_by_name(model: Model) -> None:
    for name in ("ops", "#ops", "#OPS"):
        assert model.room_by_name(name) is model.rooms[2]
    assert model.room_by_name("#other") is None


def test_unread_and_mentions_count_elsewhere(model: Model) -> None:
    said = ["hello", "ANN: hi", "joanna", "ann", "deploy!", "(ann)", "annex"]
    for seq, text in enumerate(said, 1):
        model.apply(entry(seq, text, room=2))
    ops = model.rooms[2]
    assert (ops.unread, ops.mentions) == (7, 4)
    model.current = 2
    assert (ops.unread, ops.mentions) == (0, 0)


def test_mentions_in_any_script(model: Model) -> None:
    model.nick = "Ömer"
    assert model.mentions(entry(1, "selam ömer!"))
    assert model.mentions(entry(1, "O\u0308MER?"))
    assert not model.mentions(entry(1, "ömerler"))
    assert not model.mentions(entry(1, "ömer", by=ME))
    assert not model.mentions(entry(1, "ömer", kind="topic"))


def test_without_a_nick_nothing_is_a_mention() -> None:
    assert not Model().mentions(entry(1, "anything"))


def test_the_marker_moves_along_while_one_looks(model: Model) -> None:
    room = model.rooms[1]
    model.apply(entry(1))
    assert room.read_seq == 1
    model.focused = False
    model.apply(entry(2))
    model.apply(entry(3))
    assert room.read_seq == 1
    assert room.unread == 2
    model.focused = True
    model.apply(entry(4))
    assert room.read_seq == 1  # what was missed stays new
    model.current = 2
    assert room.read_seq == 4


def kick(seq: int, target: int, text: str, *, nick: str = "bob") -> Entry:
    return entry(seq, text, kind="kick", target=target, nick=nick)


def test_who_was_removed_is_told_and_is_in_no_room_then(model: Model) -> None:
    model.apply(kick(1, ME, "ann: too: loud"))
    assert model.apply(Unfollowed(1, "kicked")) is None
    assert list(model.rooms) == [2]
    assert model.current == 0, "what is being typed was not meant for #ops"
    assert [line.text for line in model.loose] == ["bob removed you from #lobby: too: loud"]
    assert model.apply(Unfollowed(2, "kicked")) is None  # and nobody said why
    assert not model.rooms
    assert [line.text for line in model.loose][1:] == ["an operator removed you from #ops"]


def test_a_room_that_is_lost_elsewhere_is_told_where_one_is(model: Model) -> None:
    model.lose(model.rooms[2], "#ops was left on another device")
    assert model.current == 1
    assert texts(model.rooms[1]) == ["#ops was left on another device"]


def test_a_room_that_is_only_looked_into_may_be_lost(model: Model) -> None:
    model.peek(2)
    model.lose(model.rooms[2], "gone")
    assert model.current == 0
    model.current = 1
    model.apply(entry(1))
    assert model.rooms[1].read_seq == 1, "here it is no mere look"


def test_who_sees_the_end_has_seen_what_he_missed_though_the_line_stays(model: Model) -> None:
    room = model.rooms[1]
    model.apply(entry(1))
    model.focused = False
    model.apply(entry(2))
    model.look()
    assert (room.read_seq, room.seen_seq) == (1, 1)
    model.focused = True
    model.look()
    model.apply(entry(3))
    assert (room.read_seq, room.seen_seq) == (1, 3)
    model.current = 2
    assert room.read_seq == 3


def test_a_mere_look_sees_nothing(model: Model) -> None:
    model.current = 2
    model.apply(entry(1))
    model.peek(1)
    model.apply(entry(2))
    model.look()
    assert (model.rooms[1].read_seq, model.rooms[1].seen_seq) == (0, 0)


def test_whoever_looks_is_told_of(model: Model) -> None:
    told: list[bool] = []
    model.on_look = told.append
    model.current = 2
    assert told == [True], "a room was left"
    model.focused = True
    model.focused = False
    model.apply(entry(1, room=2))
    assert told == [True]
    model.focused = True
    model.apply(entry(2, room=2))
    assert told == [True, False, False]


def test_a_removal_of_somebody_else_is_a_line_and_takes_him_off_the_list(model: Model) -> None:
    room = model.rooms[1]
    model.set_members(room, [Member(ME, "ann"), Member(BOB, "bob")])
    model.apply(kick(1, BOB, "bob"))
    model.apply(Presence(BOB, "bob", "parted", room=1))
    assert texts(room) == ["bob"]
    assert list(room.members) == [ME]


def test_a_removal_of_long_ago_changes_no_list(model: Model) -> None:
    room = model.rooms[1]
    room.live = False
    model.set_members(room, [Member(ME, "ann"), Member(BOB, "bob")])
    model.apply(kick(1, BOB, "bob"))
    assert list(room.members) == [ME, BOB]


def test_another_role_is_told_once(model: Model) -> None:
    for role in ("operator", "operator", "member"):
        model.set_role(role)
    assert texts(model.rooms[1]) == [
        "you are an operator now: /help",
        "you are no operator any more",
    ]


def test_what_is_told_without_a_room_is_kept_up_to_a_bound() -> None:
    model = Model("lab", "ann")
    for number in range(60):
        model.note(0, f"{number}")
    model.note(7, "of a room that is gone")
    assert [line.text for line in model.loose] == [f"{number}" for number in range(10, 60)]


def test_saying_something_moves_the_marker(model: Model) -> None:
    room = model.rooms[1]
    model.focused = False
    model.apply(entry(1))
    pending = model.say(room, "a" * 32, "hi", "")
    assert (room.read_seq, room.unread) == (1, 0)
    assert room.pending == [pending]
    model.apply(entry(2, "hi", by=ME, draft="a" * 32))
    assert room.pending == []
    assert room.read_seq == 2
    assert texts(room) == ["1", "hi"]


def test_what_was_missed_is_new_after_a_reconnect(model: Model) -> None:
    room = model.rooms[1]
    model.apply(entry(1))
    room.following = room.live = False
    model.placed(room, EPOCH, FollowOk(0, from_=1, head=3, first=1), resumed=True)
    for event in (entry(2), entry(3), Live(1, 3)):
        model.apply(event)
    assert room.read_seq == 1


def test_the_marker_comes_from_the_server(model: Model) -> None:
    room = model.add_room(Room(3, "#new", head=9, read=4))
    assert room.read_seq == 4
    assert model.add_room(Room(4, "#newer", head=9)).read_seq == 9  # never here: missed nothing
    assert model.add_room(Room(5, "#newest", head=2, read=9)).read_seq == 2


def test_another_ones_draft_leaves_pending_lines(model: Model) -> None:
    room = model.rooms[1]
    model.say(room, "a" * 32, "hi", "")
    model.apply(entry(1, draft="a" * 32))
    assert len(room.pending) == 1


def test_a_missing_entry_is_asked_for(model: Model) -> None:
    room = model.rooms[1]
    assert model.apply(entry(1)) is None
    assert model.apply(entry(3)) is room
    assert model.apply(entry(1)) is None
    assert texts(room) == ["1"]


def test_a_head_that_was_not_reached(model: Model) -> None:
    room = model.rooms[1]
    assert model.apply(Live(1, 4)) is room
    assert not room.live


def test_a_subscription_that_ended(model: Model) -> None:
    assert model.apply(Unfollowed(1)) is None
    assert model.apply(Unfollowed(1, "internal")) is model.rooms[1]


def test_rooms_that_are_not_known_are_ignored(model: Model) -> None:
    for event in (entry(1, room=9), Live(9, 1), Gap(9, 0, 5), Unfollowed(9, "x")):
        assert model.apply(event) is None
    model.apply(Presence(BOB, "bob", "joined", room=9))
    model.apply(Changed("rooms"))
    assert list(model.rooms) == [1, 2]


def test_a_gap_is_told(model: Model) -> None:
    model.apply(Gap(1, 0, 813))
    model.apply(entry(813))
    assert texts(model.rooms[1]) == ["812 messages skipped · PgUp to load", "813"]


def test_topics_and_names(model: Model) -> None:
    room = model.rooms[1]
    model.apply(entry(1, "Week 9", kind="topic"))
    assert room.topic == "Week 9"
    model.apply(entry(2, "#hall", kind="rename"))
    assert room.name == "#hall"
    model.apply(entry(3, "?", kind="something later"))
    assert room.seq == 3


def notices(room: RoomView) -> list[str]:
    return [line.text for line in room.lines if isinstance(line, Notice)]


def test_who_comes_and_goes(model: Model) -> None:
    room = model.rooms[1]
    model.configure(ClientSettings(joins="all"))
    model.apply(Presence(BOB, "bob", "joined", room=1))
    model.apply(Presence(BOB, "bob", "joined", room=1))
    assert room.members[BOB].nick == "bob"
    model.apply(Presence(ME, "ann", "joined", room=1))
    model.apply(Presence(BOB, "bob", "parted", room=1))
    model.apply(Presence(BOB, "bob", "parted", room=1))
    assert notices(room) == ["bob joined and left"]
    assert list(room.members) == [ME]


def test_only_who_spoke_shows_as_coming_and_going(model: Model) -> None:
    lobby, ops = model.rooms[1], model.rooms[2]
    for room in (lobby, ops):
        model.set_members(room, [Member(BOB, "bob"), Member(3, "carl")])
    model.apply(entry(1, by=BOB))
    for account, nick in ((BOB, "bob"), (3, "carl"), (99, "nobody")):
        model.apply(Presence(account, nick, "offline"))
    assert notices(lobby) == ["bob is offline"]
    assert notices(ops) == []
    assert lobby.members[3].status == ops.members[BOB].status == "offline"


def test_another_nick(model: Model) -> None:
    lobby, ops = model.rooms[1], model.rooms[2]
    model.set_members(lobby, [Member(BOB, "bob"), Member(ME, "ann")])
    model.apply(Presence(BOB, "rob", "online"))
    model.apply(Presence(ME, "anna", "online"))
    assert notices(lobby) == ["bob is now known as rob", "you are now known as anna"]
    assert notices(ops) == []
    assert model.nick == "anna"
    assert model.mentions(entry(1, "anna?"))


def test_leaving_a_room_shows_its_neighbour(model: Model) -> None:
    model.add_room(Room(3, "#third"))
    model.current = 3
    model.remove_room(3)
    assert model.current == 2
    model.remove_room(1)
    assert model.current == 2
    model.remove_room(2)
    model.remove_room(2)
    assert model.current == 0
    model.note(0, "nowhere to show it")


def test_starting_over(model: Model) -> None:
    room = model.rooms[1]
    model.apply(entry(1))
    pending = model.say(room, "a" * 32, "kept", "")
    model.start_over(room)
    model.renumber({1: -1})
    assert model.current == -1
    model.renumber({-1: 5})
    assert model.rooms[5] is room
    assert (room.number, pending.room, model.current) == (5, 5, 5)
    assert room.cursor is None
    assert notices(room) == ["the server's history has changed: this room starts over"]
    model.placed(room, "f" * 32, FollowOk(0, from_=3, head=4, first=1), resumed=False)
    model.apply(entry(4, room=5))
    assert room.unread == 0


def test_hostile_text_never_gets_in(model: Model) -> None:
    bad = "\x1b]0;x\x07\u202e"
    model.apply(entry(1, bad, nick=bad))
    model.apply(entry(2, bad, kind="topic"))
    model.set_members(model.rooms[1], [Member(BOB, bad, bad)])
    model.apply(Presence(BOB, bad + "b", bad))
    model.apply(Presence(4, bad, "joined", room=1))
    model.prepend(model.rooms[2], HistoryOk(0, [entry(1, bad)], first=1, head=1))
    model.login(ME, bad, bad)
    model.add_room(Room(6, bad, topic=bad))
    seen = [model.nick, model.role]
    for room in model.rooms.values():
        seen += [room.name, room.topic, *texts(room)]
        seen += [line.nick for line in room.lines if isinstance(line, Entry)]
        seen += [part for one in room.members.values() for part in (one.nick, one.status)]
    assert not any(char in text for text in seen for char in "\x1b\x07\u202e")


def test_versions_grow_with_what_shows(model: Model) -> None:
    room, other = model.rooms[1], model.rooms[2]
    for change in (
        lambda: model.apply(entry(1)),
        lambda: model.apply(Presence(BOB, "bob", "joined", room=1)),
        lambda: model.say(room, "b" * 32, "x", ""),
        lambda: model.touch(room.pending[0]),
        lambda: model.drop(room.pending[0]),
        lambda: model.note(1, "x"),
    ):
        before = (model.version, room.version, other.version)
        change()
        assert model.version > before[0]
        assert room.version > before[1]
        assert other.version == before[2]
    before_state = model.version
    model.set_state("reconnecting", "why")
    assert model.version > before_state


def test_coming_back_after_a_lost_connection_is_no_news(model: Model) -> None:
    lobby = model.rooms[1]
    model.set_members(lobby, [Member(ME, "ann"), Member(BOB, "bob")])
    model.apply(entry(1, by=BOB))
    model.set_state("online")
    model.set_state("reconnecting")
    model.set_members(lobby, [Member(ME, "ann"), Member(BOB, "bob", "offline")])
    model.set_state("online")
    model.apply(Presence(BOB, "bob", "online"))
    assert notices(lobby) == []
    model.apply(Presence(BOB, "bob", "offline"))
    model.apply(Presence(BOB, "bob", "online"))
    assert notices(lobby) == ["bob is offline", "bob is online"]


def said(model: Model, draft: str, seq: int) -> Pending:
    """A line of one's own whose `ok` has come, and whose entry has not."""
    pending = model.say(model.rooms[1], draft, "mine", "")
    pending.state, pending.seq = "sent", seq
    model.touch(pending)
    return pending


def test_a_line_that_is_left_out_by_a_gap_does_not_stay(model: Model) -> None:
    said(model, "a" * 32, 3)
    later = said(model, "b" * 32, 12)
    assert len(model.rooms[1].pending) == 2
    model.apply(Gap(1, from_=0, first=10))
    assert model.rooms[1].pending == [later]
    for seq in (10, 11):
        model.apply(entry(seq))
    model.apply(entry(12, by=ME, draft="b" * 32))
    assert model.rooms[1].pending == []


def test_an_outcome_after_the_entry_leaves_nothing_behind(model: Model) -> None:
    model.apply(entry(1, by=ME, draft="a" * 32))
    assert said(model, "a" * 32, 1) not in model.rooms[1].pending
    assert said(model, "c" * 32, 0) in model.rooms[1].pending


def test_a_line_whose_entry_is_found_in_the_past_is_no_draft_any_more(model: Model) -> None:
    model.apply(Gap(1, from_=0, first=10))
    left = model.say(model.rooms[1], "a" * 32, "mine", "")
    left.state = "failed"
    page = [entry(seq, draft=f"{seq:032x}") for seq in range(1, 10)]
    page[4] = entry(5, by=ME, draft="a" * 32)
    model.prepend(model.rooms[1], HistoryOk(0, page, first=1, head=10))
    assert model.rooms[1].pending == []


def test_looking_into_a_room_reads_nothing(model: Model) -> None:
    ops = model.rooms[2]
    for seq in (1, 2, 3):
        model.apply(entry(seq, f"news {seq}", room=2, by=BOB))
    before = (ops.unread, ops.read_seq)
    assert before == (3, 0)
    model.peek(2)
    assert model.current == 2 and (ops.unread, ops.read_seq) == before
    model.apply(entry(4, "more", room=2, by=BOB))
    model.current = 1  # back, or elsewhere
    assert (ops.unread, ops.read_seq) == (4, 0)
    model.peek(2)
    model.current = 2  # one stays
    assert ops.unread == 0
    model.current = 1
    assert ops.read_seq == 4


def test_what_a_script_of_ones_own_says_is_news_and_rings_no_bell(model: Model) -> None:
    lobby = model.rooms[1]
    model.current = 2
    model.apply(entry(1, "ann: beep", by=ME, nick="ann"))
    assert (lobby.unread, lobby.mentions, lobby.read_seq) == (1, 0, 0)
    assert not model.alerts
