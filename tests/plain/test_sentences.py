"""What is said of the model: the words, and which of them when."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ipcchat.client.model import Model
from ipcchat.client.room import Notice, Pending, RoomView
from ipcchat.entries import Entry
from ipcchat.plain import sentences
from ipcchat.plain.teller import Teller
from ipcchat.text import clean_text
from ipcchat.wire import messages

NOON = 1_795_176_000_000


def entry(seq: int, text: str, by: int = 2, room: int = 1, **more: object) -> Entry:
    usual = {"time": NOON, "nick": f"nick{by}", "kind": "message", "draft": f"{room}d{seq}"}
    return Entry(room=room, seq=seq, by=by, text=text, **{**usual, **more})  # type: ignore[arg-type]


def world(*names: str, now: list[float] | None = None) -> tuple[Model, Teller]:
    """A model that is online and live in rooms 1, 2 …, and who tells of it."""
    model = Model("lab", "ann", now=lambda: NOON)
    clock = now if now is not None else [0.0]
    model.login(1, "ann", "member")
    model.set_state("online")
    teller = Teller(model, lambda: clock[0])
    for number, name in enumerate(names, 1):
        room = model.add_room(messages.Room(number, name, head=0, members=1))
        room.place("epoch", 0, 1, resumed=False)
        model.set_members(room, [messages.Member(1, "ann", "online")])
        model.apply(messages.Live(number, 0))
    teller.look()
    return model, teller


def told(teller: Teller) -> list[str]:
    teller.look()
    return list(teller.tell())


def lose(model: Model) -> None:
    model.set_state("reconnecting", "")
    for room in model.rooms.values():
        room.following = room.live = False


def regain(model: Model, room: RoomView, count: int) -> None:
    model.set_state("online")
    room.place("epoch", room.seq, 1, resumed=True)
    first = room.seq + 1
    for seq in range(first, first + count):
        model.apply(entry(seq, f"line {seq}"))


def test_a_message_is_said_once_and_a_mention_to_you() -> None:
    model, teller = world("#lobby")
    assert told(teller)[0] == "now in #lobby, 1 here"
    model.apply(entry(1, "hello"))
    model.apply(entry(2, "ann: look"))
    said = [line for line in told(teller) if "2026" not in line]
    assert said == ["nick2: hello", "(to you) nick2: ann: look"]
    assert told(teller) == []


def test_an_own_line_is_not_said_again_but_one_from_elsewhere_is() -> None:
    model, teller = world("#lobby")
    told(teller)
    room = model.rooms[1]
    model.say(room, "1d1", "typed here", "")
    teller.look()
    model.apply(entry(1, "typed here", by=1))
    model.apply(entry(2, "typed there", by=1))
    assert [line for line in told(teller) if "2026" not in line] == ["you: typed there"]


def test_what_failed_is_said_once_for_each_reason() -> None:
    model, teller = world("#lobby")
    told(teller)
    pending = model.say(model.rooms[1], "d", "something", "")
    assert told(teller) == []
    pending.state, pending.reason = "failed", "too fast"
    assert told(teller) == ["not sent: too fast. /retry or /discard"]
    assert told(teller) == []
    pending.state, pending.reason = "sending", ""
    assert told(teller) == []


def test_what_was_missed_is_counted_and_said_together() -> None:
    model, teller = world("#lobby")
    told(teller)
    room = model.rooms[1]
    lose(model)
    assert told(teller) == ["connection lost, trying again"]
    regain(model, room, 3)
    assert told(teller) == []
    model.apply(messages.Live(1, room.seq))
    said = [line for line in told(teller) if "2026" not in line]
    assert said == ["connected again, 3 new messages", *(f"nick2: line {n}" for n in (1, 2, 3))]
    lose(model)
    told(teller)
    regain(model, room, 1234)
    model.apply(messages.Live(1, room.seq))
    said = told(teller)
    assert said[:2] == ["connected again, 1,234 new messages", "1,184 earlier messages: /history"]
    assert len(said) == 52
    assert said[-1] == "nick2: line 1237"
    recalled = list(teller.recalled(room, 0, "%H:%M"))
    assert recalled[-1].endswith("nick2: line 1187")
    again = list(teller.recalled(room, len(room.lines) - 2, "%H:%M"))
    assert [line[-4:] for line in again[1:]] == ["1236", "1237"]


def test_another_room_is_counted_at_most_every_thirty_seconds() -> None:
    now = [0.0]
    model, teller = world("#lobby", "#ops", now=now)
    told(teller)
    for seq in (1, 2, 3):
        model.apply(entry(seq, "something", room=2))
    assert told(teller) == ["3 new in #ops"]
    model.apply(entry(4, "more", room=2))
    model.apply(entry(5, "ann, you too", room=2))
    assert told(teller) == ["(to you) in #ops, nick2: ann, you too"]
    assert teller.due == 30.0
    now[0] = 30.0
    assert told(teller) == ["1 new in #ops"]
    model.current = 2
    said = [line for line in told(teller) if "2026" not in line]
    assert said[0] == "now in #ops, 1 here"
    assert len(said) == 6


def test_a_direct_message_is_said_wherever_one_is() -> None:
    model, teller = world("#lobby")
    told(teller)
    room = model.add_room(messages.Room(9, "@bob", access="direct", peer=2))
    room.place("epoch", 0, 1, resumed=False)
    both = [messages.Member(1, "ann", "online"), messages.Member(2, "bob", "away")]
    model.set_members(room, both)
    model.apply(messages.Live(9, 0))
    model.apply(entry(1, "", by=2, room=9, kind="create"))
    model.apply(entry(2, "psst, ann", by=2, room=9, nick="bob"))
    model.apply(entry(3, "waves", by=2, room=9, nick="bob", style="me"))
    said = [line for line in told(teller) if "2026" not in line]
    assert said == ["from bob: psst, ann", "from bob: * bob waves"]
    model.apply(entry(4, "from my other device", by=1, room=9, nick="ann"))
    model.current = 9
    said = [line for line in told(teller) if "2026" not in line]
    assert said[:2] == ["now with bob, away", "nick2 made this room for two"]
    assert said[2:] == ["(to you) bob: psst, ann", "* bob waves", "you: from my other device"]
    model.current = 1
    told(teller)
    for seq in range(5, 12):
        model.apply(entry(seq, "again and again", by=2, room=9, nick="bob"))
    assert told(teller)[-1] == "7 new from bob"


def test_what_a_search_found() -> None:
    hit = sentences.hit(1204, entry(1, "a\nb  c"), "#lab", "3 Nov 14:02")
    assert hit == "1,204. in #lab, 3 Nov 14:02, nick2: a b c"
    assert sentences.hit(1, entry(1, "waves", style="me"), "@bob", "14:02") == (
        "1. in @bob, 14:02, * nick2 waves"
    )
    assert len(sentences.hit(1, entry(1, "x" * 4000), "#lab", "14:02")) < 600
    assert sentences.found(0, 0, more=False) == "nothing that you may read has that"
    assert sentences.found(1, 0, more=False) == "1 message has that"
    assert sentences.found(50, 0, more=True, remarks=["so slow"]) == (
        "the newest 50 that have that. so slow. /search: more"
    )
    assert sentences.found(20, 50, more=False) == "70 messages have that"
    assert sentences.found(0, 50, more=False) == "nothing more has that"


def test_a_line_about_joins_that_grows_is_said_before_the_next() -> None:
    now = [0.0]
    model, teller = world("#lobby", now=now)
    told(teller)
    room = model.rooms[1]
    room.note(Notice(NOON, "bob joined"))
    assert told(teller)[-1] == "bob joined"
    room.lines[-1] = Notice(NOON, "bob, mei joined")
    assert told(teller) == []
    now[0] = 31.0
    assert told(teller) == ["bob, mei joined"]
    room.lines[-1] = Notice(NOON, "bob, mei, carl joined")
    model.apply(entry(1, "hi"))
    assert told(teller)[:2] == ["bob, mei, carl joined", "nick2: hi"]


def test_local_lines_are_said_while_the_connection_is_lost() -> None:
    model, teller = world("#lobby")
    told(teller)
    lose(model)
    model.note(0, "something local", "error")
    assert told(teller)[-1] == "something local"


def test_what_comes_while_lines_are_told_is_told_after_them() -> None:
    model, teller = world("#lobby")
    told(teller)
    for seq in (1, 2, 3):
        model.apply(entry(seq, f"line {seq}"))
    telling = teller.tell()
    said = [next(telling)]
    model.apply(entry(4, "line 4"))
    said += [*telling, *teller.tell()]
    spoken = [line for line in said if "2026" not in line]
    assert spoken == [f"nick2: line {n}" for n in (1, 2, 3, 4)]


@given(st.text().map(clean_text), st.sampled_from(["", "me"]), st.booleans())
def test_nobody_can_say_a_line_of_somebody_else(text: str, style: str, mention: bool) -> None:
    said = sentences.entry(entry(1, text, style=style), account=1, mention=mention)
    head, *others = said.split("\n")
    assert head.removeprefix("(to you) ").startswith(("nick2:", "nick2,", "* nick2 "))
    assert all(line.startswith("  ") for line in others)
    assert not set(said) & {chr(code) for code in range(32) if chr(code) != "\n"}


def test_words() -> None:
    assert sentences.day(datetime(2026, 11, 20, tzinfo=UTC)) == "Friday 20 November 2026"
    assert sentences.question(" paste 6 lines?  s send · c cancel") == (
        "paste 6 lines? s send, c cancel"
    )
    left = Pending("d", 1, "hi", "", 0, "failed", "left from last time")
    assert sentences.failed(left, typed=False, room="#ops") == (
        'not sent in #ops: left from last time. It was: "hi". /retry or /discard'
    )
    skipped = Notice(0, "1,900 messages skipped · PgUp to load")
    assert sentences.notice(skipped) == "1,900 messages skipped: /history"
    link = Notice(0, "ipcchat://lab:5555/?a · b", "bare")
    assert sentences.notice(link) == link.text
    two = sentences.entry(entry(1, "a\nb", room=2), account=1, room="#ops")
    assert two == "in #ops, nick2, 2 lines:\n  a\n  b"
    assert sentences.entry(entry(1, "waves", style="me"), account=1) == "* nick2 waves"
    assert sentences.entry(entry(1, "plan", kind="topic", by=1), account=1) == (
        "you set the topic: plan"
    )
    for kind, said in [
        ("join", "nick2 came in"),
        ("part", "nick2 left"),
        ("invite", "nick2 invited bob"),
        ("uninvite", "nick2 took back the invitation of bob"),
    ]:
        assert sentences.entry(entry(1, "bob", kind=kind), account=1) == said
    assert sentences.entry(entry(1, "bob", kind="invite", by=1), account=1) == "you invited bob"
    assert sentences.failed(left, typed=True, room="@bob") == (
        "not sent to bob: left from last time. /retry or /discard"
    )
    assert sentences.entry(entry(1, "a\nb"), account=1, room="@bob") == (
        "from nick2, 2 lines:\n  a\n  b"
    )
    model, _ = world()
    model.add_room(messages.Room(9, "#plans", access="private", topic="us"))
    assert sentences.arrival(model.rooms[9]) == "now in #plans, private, topic: us"
    assert sentences.fewer("@bob", 3) == "3 new from bob"
