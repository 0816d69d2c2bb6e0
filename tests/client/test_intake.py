"""Nothing that a server sends reaches a terminal unchecked."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from tests.client.peer import entry

from ipcchat.client import intake
from ipcchat.entries import Entry
from ipcchat.wire.messages import (
    BanInfo,
    Bye,
    Error,
    InviteInfo,
    LoginOk,
    Member,
    Presence,
    Room,
    SearchOk,
    WhoisOk,
)

HOSTILE = "\x1b[2J\u202eevil\x07\u2066\x9b"


def harmless(text: str) -> bool:
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in text if c not in "\n\t")


def test_every_field_of_an_entry() -> None:
    made = intake.clean_entry(Entry(1, 2, -5, 3, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE))
    for field in (made.nick, made.kind, made.draft, made.text, made.style):
        assert harmless(field)
    assert (made.room, made.seq, made.by, made.time) == (1, 2, 3, 0)


def test_a_message_keeps_its_lines_and_others_have_one() -> None:
    assert intake.clean_entry(entry(1, "a\nb\tc")).text == "a\nb\tc"
    assert intake.clean_entry(entry(1, "a\nb", kind="topic")).text == "a b"


def test_scripts_and_emoji_survive() -> None:
    for text in ("می‌خواهم", "क्‍ष", "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️", "日本語"):
        assert intake.clean_entry(entry(1, text)).text == text


def test_times_fit_a_calendar() -> None:
    assert intake.clean_entry(entry(1, time=10**18)).time < 10**15


def test_names_are_shared() -> None:
    one, two = intake.clean_name("".join(["a", "nn"])), intake.clean_name("".join(["an", "n"]))
    assert one is two


def test_lists_and_errors() -> None:
    room = intake.clean_room(Room(1, HOSTILE, topic=HOSTILE))
    member = intake.clean_member(Member(1, HOSTILE, HOSTILE))
    for text in (room.name, room.topic, member.nick, member.status):
        assert harmless(text)
    assert harmless(str(intake.refused(Error(HOSTILE, HOSTILE))))
    assert harmless(str(intake.farewell(Bye(HOSTILE, HOSTILE))))


def test_people_and_what_was_found() -> None:
    who = intake.clean_whois(
        WhoisOk(1, 2, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 10**18, [HOSTILE, "#lab"], 3)
    )
    event = intake.clean_presence(Presence(2, HOSTILE, "away", 0, HOSTILE))
    page = intake.clean_search(SearchOk(1, [entry(1, HOSTILE, nick=HOSTILE)], "ab", True, 5))
    room = intake.clean_room(
        Room(1, HOSTILE, 9, read=99, access=HOSTILE, since=10**18, invited=HOSTILE)
    )
    told = (who.nick, who.role, who.status, who.text, *who.rooms, event.nick, event.text)
    for text in (*told, page.items[0].text, page.items[0].nick, room.access, room.invited):
        assert harmless(text)
    assert max(who.since, room.since) < 10**15
    assert (who.account, who.rooms[1], who.more) == (2, "#lab", 3)
    assert (page.next, page.cut, page.lag) == ("ab", True, 5)
    assert room.read == 9, "nothing is read that is not there"
    assert intake.clean_presence(Presence(2, "ann", "online", 0, "why")).text == ""


def test_what_operators_read() -> None:
    invite = intake.clean_invite(InviteInfo(HOSTILE, HOSTILE, 3, 10**18))
    ban = intake.clean_ban(BanInfo(2, HOSTILE, 10**18))
    for text in (invite.hash, invite.by, ban.nick):
        assert harmless(text)
    assert (invite.uses, ban.account) == (3, 2)
    assert max(invite.expires, ban.until) < 10**15
    assert harmless(intake.clean_entry(entry(1, HOSTILE, kind="kick", target=2)).text)


def test_a_login_keeps_its_successor_up_to_a_bound() -> None:
    made = intake.clean_login(LoginOk(1, 7, HOSTILE, HOSTILE, True, "x\n" * 8192))
    assert (made.id, made.account, made.moved, len(made.successor)) == (1, 7, True, 16_384)
    assert harmless(made.nick)
    assert harmless(made.role)
    assert intake.clean_login(LoginOk(1, 7, "ann", successor="x" * 16_385)).successor == ""


def test_who_is_not_invited_hears_what_may_help() -> None:
    for code in ("not_invited", "bad_invite"):
        assert intake.refused(Error(code)).hint == (
            "ask for a link, or let an operator type /admit NICK"
        )
    assert intake.refused(Error("nick_taken")).hint == ""


def test_who_says_farewell_may_be_tried_again() -> None:
    assert intake.farewell(Bye("shutdown", wait_ms=5)).retry
    assert intake.farewell(Bye("something new")).retry
    assert not intake.farewell(Error("forbidden")).retry


@given(st.text(), st.text())
def test_never_fails(text: str, nick: str) -> None:
    made = intake.clean_entry(entry(1, text, nick=nick))
    made.text.encode()
    made.nick.encode()
