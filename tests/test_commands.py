"""`commands`: a line with a slash is a command or an error, never something said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcchat.commands import (
    COMMANDS,
    Command,
    Invocation,
    OperatorsOnly,
    Role,
    Say,
    complete,
    find,
    help_table,
    parse,
    seconds,
)
from ipcchat.commands.rows import REST
from ipcchat.errors import IpcchatError, TextError, UsageError
from ipcchat.settings import ClientSettings, rows

ROOMS = ("#lobby", "#lab", "#Straße")
NICKS = ("ann", "Anna", "bob", "Zoë")


def done(line: str, role: Role = "member") -> tuple[str, tuple[str, ...], frozenset[str]]:
    found = parse(line, role)
    assert isinstance(found, Invocation)
    return found.command.name, found.arguments, found.options


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_row_explains_itself(row: Command) -> None:
    assert row.help
    assert row.usage.startswith(f"/{row.name}")
    assert row.name.isalpha()
    assert row.name.islower()
    needed = [argument.needed for argument in row.arguments]
    assert needed == sorted(needed, reverse=True)
    rests = [argument.kind in REST for argument in row.arguments]
    assert rests == sorted(rests)
    assert f"| `{row.usage}`" in help_table()


def test_names_are_unique() -> None:
    names = [name for row in COMMANDS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("line", ["hi", "", " /quit", "a /join b", "#lab", "two\n/lines", "ünï"])
def test_lines_without_a_slash_are_said(line: str) -> None:
    assert parse(line) == Say(line)


@pytest.mark.parametrize("line", [" /msg bob psst", "\n/MSG bob psst", "\t /reply psst", " /me x"])
def test_a_space_before_it_makes_no_room_hear_what_one_was_to(line: str) -> None:
    with pytest.raises(UsageError, match="a space stands before /"):
        parse(line)
    assert parse(line.replace("/", "//", 1)) == Say(line.replace("/", "//", 1))


def test_two_slashes_say_one() -> None:
    assert parse("//usr/bin") == Say("/usr/bin")
    assert parse("///") == Say("//")


@pytest.mark.parametrize(
    ("line", "name", "arguments", "options"),
    [
        ("/help", "help", (), ()),
        ("/HELP Join", "help", ("join",), ()),
        ("/help /j", "help", ("join",), ()),
        ("/join lab", "join", ("#lab",), ()),
        ("/J   #Lab ", "join", ("#Lab",), ()),
        ("/part", "part", (), ()),
        ("/leave #lab", "part", ("#lab",), ()),
        ("/who", "names", (), ()),
        ("/list so*", "list", ("so*",), ()),
        ("/topic", "topic", (), ()),
        ("/topic Week 9:  sockets ", "topic", ("Week 9:  sockets ",), ()),
        ("/me waves\nand goes", "me", ("waves\nand goes",), ()),
        ("/nick Zoe\u0308", "nick", ("Zoë",), ()),
        ("/exit", "quit", (), ()),
        ("/save", "save", (), ()),
        ("/save my notes.txt", "save", ("my notes.txt",), ()),
        ("/save --force --loaded x.json", "save", ("x.json",), ("--force", "--loaded")),
        ("/save x.json --force", "save", ("x.json",), ("--force",)),
        ("/save --loaded", "save", (), ("--loaded",)),
        ('/save --force "odd --force"', "save", ("odd --force",), ("--force",)),
        ("/save it's", "save", ("it's",), ()),
        ("/save '", "save", ("'",), ()),
        ("/ignore @bob", "ignore", ("bob",), ()),
        ("/notify ALL", "notify", ("all",), ()),
        ("/notify", "notify", (), ()),
        ("/dnd 30m", "dnd", ("30m",), ()),
        ("/dnd OFF", "dnd", ("off",), ()),
        ("/history 500", "history", ("500",), ()),
        ("/history 2h", "history", ("2h",), ()),
        ("/set", "set", (), ()),
        ("/set theme", "set", ("theme",), ()),
        (
            "/set notify_command  notify-send -t 5 ",
            "set",
            ("notify_command", "notify-send -t 5"),
            (),
        ),
        ("/find two  words", "find", ("two  words",), ()),
        ("/connect lab:6000", "connect", ("lab:6000",), ()),
        ("/join --private plans", "join", ("#plans",), ("--private",)),
        ("/join #plans --private", "join", ("#plans",), ("--private",)),
        ("/join @bob", "join", ("@bob",), ()),
        ("/part @old/nick", "part", ("@old/nick",), ()),
        ("/msg @bob  two\nlines ", "msg", ("bob", "two\nlines "), ()),
        ("/msg bob /quit", "msg", ("bob", "/quit"), ()),
        ("/reply on my way", "reply", ("on my way",), ()),
        ("/query bob", "query", ("bob",), ()),
        ("/invite @bob", "invite", ("bob",), ()),
        ("/whois Zo\u0308e", "whois", ("Zöe",), ()),
        ("/away", "away", (), ()),
        ("/away out to lunch", "away", ("out to lunch",), ()),
        ('/search "a b" from:x --y', "search", ('"a b" from:x --y',), ()),
        ("/search", "search", (), ()),
    ],
)
def test_commands(
    line: str, name: str, arguments: tuple[str, ...], options: tuple[str, ...]
) -> None:
    assert done(line) == (name, arguments, frozenset(options))


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("/jion #lab", "unknown command /jion", "did you mean /join?"),
        ("/na", "unknown command /na", "did you mean /names?"),
        ("/n", "unknown command /n", "did you mean /names or /nick or /notify?"),
        ("/q", "unknown command /q", "did you mean /query or /quit?"),
        ("/usr/bin/x", "unknown command /usr/bin/x", "start with //"),
        ("/password hunter2", "unknown command /password", "start with //"),
        ("/", "a command follows its slash directly", "start with //"),
        ("/ join", "a command follows its slash directly", "start with //"),
        ("/\x1b[2J", "unknown command /␛[2j", "start with //"),
        ("/join", "/join needs ROOM", "usage: /join [--private] ROOM"),
        ("/join  ", "/join needs ROOM", "usage: /join [--private] ROOM"),
        ("/join a b", "/join takes at most 1 argument", "usage: /join [--private] ROOM"),
        ("/quit now", "/quit takes no arguments", "usage: /quit"),
        ("/me", "/me needs TEXT", "usage: /me TEXT"),
        ("/save --all", "unknown option --all", "usage: /save [--loaded] [--force] [FILE]"),
        ("/help me now", "/help takes at most 1 argument", "usage: /help [COMMAND]"),
        ("/help jion", "unknown command /jion", "did you mean /join?"),
        ("/shutdown", "/shutdown is for operators", ""),
        ("/unignore", "/unignore needs NICK", "usage: /unignore NICK"),
        ("/notify loud", "loud? it is all, mentions or none", "usage: /notify [LEVEL]"),
        ("/mouse perhaps", "perhaps? it is on or off", "usage: /mouse [on/off]"),
        ("/dnd later", "/dnd can't use later", "usage: /dnd [DURATION]; a duration is 10m"),
        ("/history all", "/history can't use all", "usage: /history [AMOUNT]"),
        ("/shut", "unknown command /shut", "start with //"),
        ("/mgs bob my secret", "unknown command /mgs", "did you mean /msg?"),
        ("/msg", "/msg needs NICK", "usage: /msg NICK TEXT"),
        ("/msg bob ", "/msg needs TEXT", "usage: /msg NICK TEXT"),
        ("/msg @ my secret", "/msg needs NICK", "usage: /msg NICK TEXT"),
        ("/join @", "/join needs ROOM", "usage: /join [--private] ROOM"),
        ("/join --secret #x", "unknown option --secret", "usage: /join [--private] ROOM"),
        ("/query bob hi", "/query takes at most 1 argument", "usage: /query NICK"),
        ("/invite", "/invite needs NICK", "usage: /invite NICK"),
        ("/links", "/links is for operators", ""),
    ],
)
def test_mistakes_are_errors_with_a_hint(line: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert caught.value.text == message
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)


@pytest.mark.parametrize("line", ["/join a/b", "/join _", "/nick a@b", "/nick " + "x" * 40])
def test_names_are_checked(line: str) -> None:
    with pytest.raises(TextError):
        parse(line)


def test_operators_may_use_all() -> None:
    for row in COMMANDS:
        assert find(row.name, "operator") == row
    assert done("/shutdown", "operator") == ("shutdown", (), frozenset())
    with pytest.raises(UsageError) as caught:
        parse("/shut", "operator")
    assert caught.value.hint == "did you mean /shutdown?"


def test_members_are_told_that_a_command_is_not_theirs() -> None:
    for row in COMMANDS:
        if row.role == "operator":
            with pytest.raises(OperatorsOnly, match=f"/{row.name} is for operators"):
                parse(f"/{row.name} bob")


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("/op @bob", "op", ("bob",)),
        ("/deop old/nick", "deop", ("old/nick",)),  # from before today's rules
        ("/kick bob", "kick", ("bob",)),
        ("/kick bob 10m is enough", "kick", ("bob", "10m is enough")),
        ("/ban bob", "ban", ("bob",)),
        ("/ban bob 2d", "ban", ("bob", "2d")),
        ("/ban bob 2d spam, twice", "ban", ("bob", "2d", "spam, twice")),
        ("/ban bob spam  2d", "ban", ("bob", "", "spam  2d")),
        ("/link", "link", ()),
        ("/link 5", "link", ("5",)),
        ("/link 1d", "link", ("", "1d")),
        ("/link 10000 52w", "link", ("10000", "52w")),
        ("/revoke 3f9a", "revoke", ("3f9a",)),
        ("/bans", "bans", ()),
    ],
)
def test_what_operators_order(line: str, name: str, arguments: tuple[str, ...]) -> None:
    assert done(line, "operator") == (name, arguments, frozenset())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/ban bob 10min", "/ban can't use 10min"),
        ("/ban bob 0d", "/ban can't use 0d"),
        ("/ban bob 3 strikes", "/ban can't use 3"),
        ("/link many", "/link can't use many"),
        ("/link 0", "/link can't use 0"),
        ("/link 1d 5", "/link takes at most 2 arguments"),
        ("/link 5 tomorrow", "/link can't use tomorrow"),
        ("/link 123456", "/link can't use 123456"),
        ("/kick", "/kick needs NICK"),
        ("/revoke", "/revoke needs PREFIX"),
        ("/bans now", "/bans takes no arguments"),
    ],
)
def test_a_mistyped_amount_is_no_reason(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, "operator")
    assert caught.value.text == message
    assert caught.value.hint.startswith("usage: /")


def test_durations() -> None:
    assert [seconds(one) for one in ("10m", "1h", "2d", "1w", "")] == [
        600,
        3600,
        172_800,
        604_800,
        0,
    ]


@given(st.text(max_size=40), st.sampled_from(["member", "operator"]))
def test_a_slash_is_never_said(tail: str, role: Role) -> None:
    try:
        found = parse("/" + tail, role)
    except IpcchatError as error:
        assert str(error)
        return
    assert isinstance(found, Invocation) or (tail.startswith("/") and found == Say(tail))


# --- completion ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "start", "options"),
    [
        ("/jo", 0, ("/join ",)),
        ("/J", 0, ("/join ",)),
        ("/w", 0, ("/who ", "/whois ")),
        ("/n", 0, ("/names ", "/nick ", "/notify ")),
        ("/k", 0, ("/keys",)),
        ("/shut", 0, ()),
        ("/join ", 6, ROOMS),
        ("/join #l", 6, ("#lobby", "#lab")),
        ("/join LA", 6, ("#lab",)),
        ("/join strass", 6, ("#Straße",)),
        ("/join #lab #", 11, ()),
        ("/help jo", 6, ("join",)),
        ("/help /jo", 6, ("/join",)),
        ("/save --", 6, ("--loaded", "--force")),
        ("/save --loaded --f", 15, ("--force",)),
        ("/save no", 6, ()),
        ("/save notes --", 12, ()),
        ("/topic ask an", 11, ("ann", "Anna")),
        ("/me @b", 4, ("@bob",)),
        ("/quit a", 6, ()),
        ("/nonsense an", 10, ()),
        ("an", 0, ("ann: ", "Anna: ")),
        ("@an", 0, ("@ann", "@Anna")),
        ("ask zoe\u0308", 4, ("Zoë",)),
        ("two\nan", 4, ("ann", "Anna")),
        ("see #lo", 4, ("#lobby",)),
        ("#", 0, ROOMS),
        ("//an", 0, ()),
        ("", 0, ()),
        ("hello ", 6, ()),
        ("@", 0, ()),
    ],
)
def test_completion(line: str, start: int, options: tuple[str, ...]) -> None:
    found = complete(line, len(line), rooms=ROOMS, nicks=NICKS)
    assert (found.start, found.options) == (start, options)


@pytest.mark.parametrize(
    ("line", "start", "options"),
    [
        ("/ki", 0, ("/kick ",)),
        ("/kick an", 6, ("ann", "Anna")),
        ("/kick @zo", 6, ("@Zoë",)),
        ("/kick #l", 6, ()),
        ("/ban bob 1", 9, ()),
        ("/ban bob 1d as an", 15, ("ann", "Anna")),
        ("/link 5", 6, ()),
        ("/bans a", 6, ()),
    ],
)
def test_completion_for_operators(line: str, start: int, options: tuple[str, ...]) -> None:
    found = complete(line, len(line), rooms=ROOMS, nicks=NICKS, role="operator")
    assert (found.start, found.options) == (start, options)


SETTINGS = {"theme": ("auto", "dark", "default"), "title": ("on", "off", "default")}


@pytest.mark.parametrize(
    ("line", "start", "options"),
    [
        ("/notify ", 8, ("all", "mentions", "none")),
        ("/notify M", 8, ("mentions",)),
        ("/theme d", 7, ("dark",)),
        ("/dnd o", 5, ("off",)),
        ("/mouse of", 7, ("off",)),
        ("/history 2", 9, ()),
        ("/ignore an", 8, ("ann", "Anna")),
        ("/unignore m", 10, ("mei",)),
        ("/unignore a", 10, ()),
        ("/set t", 5, ("theme ", "title ")),
        ("/set ", 5, ("theme ", "title ")),
        ("/set theme d", 11, ("dark", "default")),
        ("/set title ", 11, ("on", "off", "default")),
        ("/set nothing d", 13, ()),
    ],
)
def test_completion_of_choices(line: str, start: int, options: tuple[str, ...]) -> None:
    found = complete(line, len(line), rooms=ROOMS, nicks=NICKS, ignored=("mei",), settings=SETTINGS)
    assert (found.start, found.options) == (start, options)


def test_words_of_choices_are_those_of_the_settings() -> None:
    table = {row.name: row for row in rows(ClientSettings)}
    for command, name in (("theme", "theme"), ("notify", "notify_rooms")):
        assert find(command).arguments[0].words == table[name].choices


PEOPLE = ("ann", "Anna", "bob", "Zoë", "carl", "from-afar")


@pytest.mark.parametrize(
    ("line", "start", "options"),
    [
        ("/msg c", 5, ("carl",)),
        ("/msg @c", 5, ("@carl",)),
        ("/msg carl an", 10, ("ann", "Anna")),
        ("/msg carl c", 10, ()),  # about who is here
        ("/query zo", 7, ("Zoë",)),
        ("/whois ca", 7, ("carl",)),
        ("/invite ca", 8, ("carl",)),
        ("/reply an", 7, ("ann", "Anna")),
        ("/join -", 6, ("--private",)),
        ("/join --private #l", 16, ("#lobby", "#lab")),
        ("/join @", 6, ("@bob", "@ann", "@Anna", "@Zoë", "@carl", "@from-afar")),
        ("/join @z", 6, ("@Zoë",)),
        ("/part b", 6, ()),
        ("/join ", 6, (*ROOMS, "@bob")),
        ("see #", 4, ROOMS),
        ("/search f", 8, ("from:", "from-afar")),
        ("/search AF", 8, ("after:",)),
        ("/search x from:c", 10, ("from:carl",)),
        ("/search from:@z", 8, ("from:@Zoë",)),
        ("/search FROM:z", 8, ("from:Zoë",)),
        ("/search in:#la", 8, ("in:#lab",)),
        ("/search in:la", 8, ("in:#lab",)),
        ("/search in:@b", 8, ("in:@bob",)),
        ("/search after:", 8, ("after:today", "after:yesterday")),
        ("/search before:y", 8, ("before:yesterday",)),
        ("/search http:x", 8, ()),
        ("/search #l", 8, ("#lobby", "#lab")),
        ("/search ca", 8, ("carl",)),
        ("/search ", 8, ()),
    ],
)
def test_completion_of_people_and_searches(line: str, start: int, options: tuple[str, ...]) -> None:
    found = complete(line, len(line), rooms=(*ROOMS, "@bob"), nicks=NICKS, people=PEOPLE)
    assert (found.start, found.options) == (start, options)


def test_completion_in_the_middle() -> None:
    found = complete("an and bob", 2, rooms=ROOMS, nicks=NICKS)
    assert (found.start, found.options) == (0, ("ann: ", "Anna: "))
    assert complete("/help", 0, rooms=(), nicks=()).options == ()
    assert complete("/jo lab", 3, rooms=ROOMS, nicks=NICKS).options == ("/join ",)


def test_completion_knows_the_role() -> None:
    found = complete("/shut", 5, rooms=(), nicks=(), role="operator")
    assert found.options == ("/shutdown",)
    assert "shutdown" in complete("/help s", 7, rooms=(), nicks=(), role="operator").options
    assert "shutdown" not in complete("/help s", 7, rooms=(), nicks=()).options


@given(st.text(max_size=20), st.integers(0, 20))
def test_completion_never_fails_and_keeps_what_is_typed(line: str, cursor: int) -> None:
    cursor = min(cursor, len(line))
    for typed in (line, f"/search {line}", f"/join {line}"):
        at = cursor + len(typed) - len(line)
        found = complete(typed, at, rooms=(*ROOMS, "@bob"), nicks=NICKS)
        assert 0 <= found.start <= at
