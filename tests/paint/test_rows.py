"""A line becomes rows: its time and nick, what stands before it, and nothing a terminal obeys."""

import unicodedata
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.glass import cells, flat

from ipcchat.client.model import Model, Pending, RoomView
from ipcchat.clock import local
from ipcchat.entries import Entry
from ipcchat.paint import bars
from ipcchat.paint.rows import RowMaker
from ipcchat.paint.theme import NICKS, nick_style
from ipcchat.wire.messages import FollowOk, HistoryOk, Member, Room

NINE = local(1_795_000_000_000).replace(hour=9, minute=2, second=0, microsecond=0)
"""A morning in the user's own zone."""
ANN, BOB = 1, 2


def entry(
    seq: int,
    text: str = "hello",
    *,
    nick: str = "bob",
    by: int = BOB,
    kind: str = "message",
    style: str = "",
    at: datetime = NINE,
) -> Entry:
    time = round(at.timestamp() * 1000)
    return Entry(1, seq, time, by, nick, kind, f"{seq:032x}", text, style=style)


def build(*entries: Entry, head: int = 0, read: int = 0, current: bool = True) -> Model:
    """A model whose room has those entries; the user looks at it, or at no room."""
    model = Model("lab", "ann")
    model.login(ANN, "ann", "member")
    room = model.add_room(Room(1, "#lab", head=head, read=read))
    first = entries[0].seq if entries else head + 1
    model.placed(room, "e" * 32, FollowOk(1, from_=first - 1, head=head, first=1), resumed=False)
    model.focused = current
    for item in entries:
        model.apply(item)
    return model


def room_of(model: Model) -> RoomView:
    return model.rooms[1]


def rows(model: Model, index: int = 0, width: int = 60, time_format: str = "%H:%M") -> list[str]:
    maker = RowMaker(model, time_format)
    maker.resize(width)
    return [flat(row) for row in maker.rows(room_of(model), index)]


def styles(model: Model, index: int, part: str) -> set[str]:
    """The styles of the cells that show a part of a line's last row."""
    row = RowMaker(model, "%H:%M").rows(room_of(model), index)[-1]
    shown = flat(row)
    start = shown.rindex(part)
    laid = cells(row)
    return {laid[column][1] for column in range(start, start + len(part))}


# --- what stands before a line ------------------------------------------------------------


def test_a_new_day_has_a_rule_with_its_date() -> None:
    later = NINE + timedelta(minutes=5)
    tomorrow = NINE + timedelta(days=1)
    model = build(entry(1), entry(2, at=later), entry(3, at=tomorrow), entry(4, at=tomorrow))
    counts = [len(rows(model, index)) for index in range(4)]
    assert counts == [2, 1, 2, 1]
    rule, line = rows(model, 2)
    assert f" {tomorrow:%a} {tomorrow.day} {tomorrow:%b %Y} " in rule
    assert set(rule.split(f"{tomorrow:%a}")[0]) == {"─", " "}
    assert len(rule) == 60
    assert line.startswith("09:02")


def test_the_day_is_the_users_own() -> None:
    midnight = NINE.replace(hour=0, minute=0)
    model = build(entry(1, at=midnight - timedelta(milliseconds=1)), entry(2, at=midnight))
    assert len(rows(model, 1)) == 2
    assert rows(model, 1)[1].startswith("00:00")


def test_the_rule_moves_up_with_older_lines_of_its_day() -> None:
    model = build(entry(2))
    maker = RowMaker(model, "%H:%M")
    room = room_of(model)
    assert len(maker.rows(room, 0)) == 2
    model.prepend(room, HistoryOk(1, [entry(1)], first=1, head=2, more=False))
    assert [len(maker.rows(room, index)) for index in (0, 1)] == [2, 1]


def test_the_first_new_line_has_a_marker_and_only_that() -> None:
    model = build(*(entry(seq) for seq in range(1, 6)), head=5, read=2, current=False)
    marked = [index for index in range(5) if any(" new " in row for row in rows(model, index))]
    assert marked == [2]  # seq 3
    assert len(rows(model, 2)[0]) <= 60


def test_a_local_line_does_not_double_the_marker() -> None:
    model = build(entry(1), entry(2), head=2, read=2, current=False)
    model.note(1, "carl joined")
    for seq in (3, 4):
        model.apply(entry(seq))
        model.note(1, "dora joined")
    count = len(room_of(model).lines)
    assert sum(" new " in row for index in range(count) for row in rows(model, index)) == 1


def test_what_is_read_or_was_never_missed_has_no_marker() -> None:
    everything = build(*(entry(seq) for seq in range(1, 4)), head=3, read=3)
    newcomer = build(*(entry(seq) for seq in range(1, 4)), head=3, read=0)
    for model in (everything, newcomer):
        assert not any(" new " in row for index in range(3) for row in rows(model, index))


def test_the_marker_goes_when_the_room_was_read() -> None:
    model = build(entry(1), entry(2), head=2, read=1, current=False)
    maker = RowMaker(model, "%H:%M")
    room = room_of(model)
    assert len(maker.rows(room, 1)) == 2
    model.mark_read(room)
    assert len(maker.rows(room, 1)) == 1


# --- a line itself ------------------------------------------------------------------------


def test_time_nick_and_text_have_their_columns() -> None:
    model = build(entry(1, "anyone here?"), entry(2, "yes", nick="日本"))
    assert rows(model, 0)[-1] == "09:02        bob │ anyone here?"
    # a wide letter has two columns, the second of them blank
    assert rows(model, 1)[-1] == "09:02       日本 │ yes"
    assert rows(model, 0, time_format="%H.%M.%S")[-1].startswith("09.02.00 ")


def test_several_lines_and_long_ones_hang_below_the_first() -> None:
    model = build(entry(1, "one\ntwo " + "word " * 20 + "\n\nend"))
    _, first, *others = rows(model)
    assert first == "09:02        bob │ one"
    assert others[0].startswith(" " * 16 + " │ two word")
    assert others[-2:] == [" " * 17 + "│", " " * 17 + "│ end"]
    assert all(row[:17].strip() == "" and row[17] == "│" for row in others)
    assert len(others) > 4


def test_me_is_told_of_the_speaker() -> None:
    model = build(entry(1, "waves", style="me"), entry(2, "hi"))
    assert rows(model)[-1] == "09:02          * │ bob waves"
    assert styles(model, 0, "waves") == {"me"}
    assert styles(model, 1, "hi") == {""}


def test_a_style_or_kind_nobody_knows_is_still_shown() -> None:
    model = build(entry(1, "look", style="sparkling"), entry(2, "to what?", kind="reaction"))
    assert rows(model)[-1].endswith("bob │ look")
    assert rows(model, 1)[-1].endswith("-- │ bob: to what? (reaction)")


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("topic", "Week 9", "bob set the topic: Week 9"),
        ("topic", "", "bob cleared the topic"),
        ("create", "#lab", "bob made #lab"),
        ("rename", "#den", "bob renamed the room to #den"),
        ("kick", "ann: too loud", "bob removed ann: too loud"),
        ("kick", "ann", "bob removed ann"),
    ],
)
def test_facts_are_sentences(kind: str, text: str, shown: str) -> None:
    assert rows(build(entry(1, text, kind=kind)))[-1] == f"09:02         -- │ {shown}"


def test_a_mention_stands_out_whatever_its_style() -> None:
    model = build(
        entry(1, "ann: come"),
        entry(2, "pokes ann", style="me"),
        entry(3, "annual report"),
        entry(4, "I am ann", nick="ann", by=ANN),
    )
    looks = [styles(model, index, "ann") for index in range(4)]
    assert looks[:2] == [{"mention"}] * 2
    assert looks[2:] == [{""}] * 2


def test_a_new_nick_makes_old_mentions_stand_out() -> None:
    model = build(entry(1, "where is zoe"))
    maker = RowMaker(model, "%H:%M")
    assert "mention" not in dict(maker.rows(room_of(model), 0)[-1].parts)
    model.nick = "Zoë"
    model.nick = "zoe"
    assert "mention" in dict(maker.rows(room_of(model), 0)[-1].parts)


def test_own_lines_say_how_far_they_are() -> None:
    model = build(entry(1))
    maker = RowMaker(model, "%H:%M")
    time = entry(1).time
    waits = Pending("d", 1, "on my way", "", time)
    assert [flat(row) for row in maker.pending(waits)] == [f"09:02 {'ann':>10} │ … on my way"]
    waits.state = "sent"
    assert [flat(row) for row in maker.pending(waits)] == [f"09:02 {'ann':>10} │ on my way"]
    waits.state, waits.reason = "failed", "too fast"
    said, why = (flat(row) for row in maker.pending(waits))
    assert said.endswith("! on my way")
    assert why.endswith("not sent: too fast – Enter retries, Del discards")
    waits.state, waits.style = "sending", "me"
    assert flat(maker.pending(waits)[0]).endswith("… ann on my way")


# --- colours ------------------------------------------------------------------------------


def test_nicks_spread_over_the_palette() -> None:
    found = {nick_style(f"user{number}", False) for number in range(500)}
    assert len(found) == NICKS


def test_a_nick_has_one_colour_in_the_talk_and_in_the_list() -> None:
    model = build(entry(1))
    model.set_members(room_of(model), [Member(BOB, "bob", "online")])
    listed = bars.members(model, 20, 3)[0]
    column = flat(listed).index("bob")
    assert {cells(listed)[column][1]} == styles(model, 0, "bob")


# --- bars ---------------------------------------------------------------------------------


def test_a_narrow_status_line_drops_the_server_before_the_place() -> None:
    model = build(entry(1))
    model.server = "chat.example.org:5555"
    model.set_state("online")
    assert f"ann@{model.server}" in flat(bars.status(model, 80, 7))
    narrow = flat(bars.status(model, 40, 7))
    assert model.server not in narrow
    assert narrow.endswith("ann  1:#lab(0)  -MORE(7)-")


@pytest.mark.parametrize("width", [17, 40, 120])
def test_plain_stands_before_whatever_is_long(width: int) -> None:
    model = build(entry(1))
    model.server, model.nick = "chat.example.org:5555", "n" * 32
    model.set_state("online")
    model.plain = True
    laid = bars.status(model, width, 7)
    assert "PLAIN!" in flat(laid)
    assert laid.width == width
    looks = [style for _, (char, style) in sorted(cells(laid).items()) if char in "PLAIN!"]
    assert looks[:6] == ["bar.plain"] * 6
    model.plain = False
    assert "PLAIN" not in flat(bars.status(model, width, 7))


def test_what_is_to_be_copied_begins_at_the_edge() -> None:
    model = build(entry(1))
    link = "ipcchat://192.168.1.7:5555/?fp=" + "ab" * 32 + "&invite=" + "x" * 43
    model.note(1, link, "bare")
    laid = rows(model, 1)[1:]  # below the date
    assert "".join(laid) == link
    assert all(len(row) == 60 for row in laid[:-1])


def test_a_question_shows_its_keys_in_a_narrow_window() -> None:
    text = "3 lines not sent: quit all the same?  y yes · n no"
    laid = bars.question(text, 30)
    assert " ".join(" ".join(map(flat, laid)).split()) == " ".join(text.split())
    assert all(row.width == 30 for row in laid)


# --- what a terminal would obey -----------------------------------------------------------

_NASTY = st.text(
    alphabet=st.sampled_from(
        "ab \t\n\r\x00\x07\x08\x1b[2J]0;\x7f\x85\x9b\u200b\u200e\u200f\u202a\u202d\u202e"
        "\u2028\u2066\u2067\u2069\ufeff\ue000\ufffe\u0301日🎉\U000e0041"
    ),
    max_size=60,
)


def _obeyed(char: str) -> bool:
    """Whether a terminal would do something, or show other text elsewhere."""
    kind = unicodedata.category(char)
    return kind in ("Cc", "Cs", "Co", "Zl", "Zp") or (kind == "Cf" and char not in "\u200c\u200d")


@given(_NASTY, _NASTY, st.sampled_from(["message", "topic", "create", "odd\x1b"]), st.booleans())
def test_nothing_obeyed_reaches_a_row(text: str, nick: str, kind: str, me: bool) -> None:
    item = entry(1, text, nick=nick, kind=kind, style="me" if me else "\x1b[0m")
    model = build(item)
    model.set_members(room_of(model), [Member(BOB, nick, "online\x1b[1m")])
    topic = Room(1, "#l\x1b]0;" + nick, topic=text)
    model.add_room(topic)
    for width in (12, 30, 80):
        maker = RowMaker(model, "%H:%M")
        maker.resize(width)
        laid = [*maker.rows(room_of(model), 0), bars.topic(model, width)]
        laid += [bars.status(model, width, 0), *bars.members(model, width, 3)]
        laid += bars.rooms(model, width, 3)
        chars = {char for row in laid for char in row.text}
        assert not [char for char in chars if _obeyed(char)]


@pytest.mark.parametrize(
    "seen", ["می\u200cخواهم", "हिन्दी में", "👨\u200d👩\u200d👧\u200d👦", "🇩🇪 é", "日本語"]
)
def test_letters_of_all_scripts_stay_whole(seen: str) -> None:
    model = build(entry(1, f"<{seen}>"))
    row = RowMaker(model, "%H:%M").rows(room_of(model), 0)[-1]
    assert f"<{seen}>" in row.text


@given(
    st.integers(1, 130),
    st.text(alphabet="ab日🎉 ", min_size=1, max_size=32),
    st.text(alphabet="xy 日🎉\n", max_size=80),
    st.sampled_from(["%H:%M", "%Y-%m-%d %H:%M:%S", ""]),
)
def test_no_row_is_wider_than_the_window(
    width: int, nick: str, text: str, time_format: str
) -> None:
    model = build(entry(1, text, nick=nick), head=1)
    model.nick = nick
    maker = RowMaker(model, time_format)
    maker.resize(width)
    waits = Pending("d", 1, text, "", 0, "failed", "why")
    for row in (*maker.rows(room_of(model), 0), *maker.pending(waits)):
        # A wide letter alone in a window of one column is clipped.
        assert row.width <= max(width, 2)


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("create", "#lab", "bob made #lab"),
        ("create", "", "bob made this room for two"),
        ("join", "", "bob came in"),
        ("part", "", "bob left"),
        ("invite", "zoe", "bob invited zoe"),
        ("uninvite", "zoe", "bob took back the invitation of zoe"),
        ("decline", "bob", "bob declined the invitation"),
        ("kick", "zoe: spam", "bob removed zoe: spam"),
        ("topic", "", "bob cleared the topic"),
        ("topic", "{nick} {0}", "bob set the topic: {nick} {0}"),
        ("later", "", "bob (later)"),
        ("later", "x", "bob: x (later)"),
    ],
)
def test_facts_of_a_room_are_sentences(kind: str, text: str, shown: str) -> None:
    assert rows(build(entry(1, text, kind=kind)))[-1].endswith(f"-- │ {shown}")


def test_a_line_can_be_pointed_at_by_more_than_colour() -> None:
    model = build(entry(1), entry(2, "word " * 30))
    maker = RowMaker(model, "%H:%M")
    for width, plain, pointed in (
        (60, "09:02        bob │", "09:02>       bob │"),
        (23, "bob: ", "bob> "),
    ):
        maker.resize(width)
        before = [flat(row) for row in maker.rows(room_of(model), 1)]
        assert before[0].startswith(plain)
        maker.point(1, 2)
        after = [flat(row) for row in maker.rows(room_of(model), 1)]
        assert after[0].startswith(pointed)
        assert after[1:] == before[1:]
        assert not any(">" in flat(row) for row in maker.rows(room_of(model), 0))
        maker.point(0, 0)
        assert [flat(row) for row in maker.rows(room_of(model), 1)] == before
