"""Who may come in from another machine: invites, tokens, bans, exit codes of the refused."""

import asyncio
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.lan import ask, client, client_here, come_in, hosting, invite, own_address
from tests.cli.programs import Program, ran
from tests.support import RawClient, draft
from tests.terminal import terminal

from ipcchat.address import Address, link, parse_address
from ipcchat.wire.messages import Done, Join


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Program]:
    """One that strangers reach."""
    with hosting(home, f"{own_address()}:0") as running:
        yield running


def send(home: Path, where: str, name: str = "bob") -> tuple[int, str]:
    done = client(home, "send", "--server", where, "--name", name, "#lobby", "hi")
    assert done.stdout == ""
    return done.returncode, done.stderr


def token_of(link: str) -> str:
    return parse_address(link).invite


# --- who is not invited -------------------------------------------------------------------


def test_a_stranger_is_told_whom_to_ask_and_comes_in_once_admitted(
    server: Program, home: Path, tmp_path: Path
) -> None:
    code, said = send(tmp_path, server.place, "zoe")
    assert code == 77
    assert "you are not invited" in said
    assert "ask" in said
    assert len(said.splitlines()) <= 2
    assert ask(home, "admit", "zoe").stdout == "zoe may join\n"
    come_in(tmp_path, server.place, "zoe")
    again = ask(home, "admit", "nobody-here")
    assert again.returncode == 77
    assert "since the server's start" in again.stderr


def test_a_link_is_for_so_many_and_the_token_is_never_shown(
    server: Program, home: Path, tmp_path: Path
) -> None:
    made = invite(home)
    come_in(tmp_path / "a", made, "ann")
    come_in(tmp_path / "a", server.place, "ann")  # known by now
    code, said = send(tmp_path / "b", made, "bea")
    assert code == 77
    assert "used up or expired" in said
    assert token_of(made) not in said
    assert b"bea" not in (home / "data" / "journal.sqlite").read_bytes()


def test_a_guessed_invite_is_refused(server: Program, home: Path, tmp_path: Path) -> None:
    made = parse_address(invite(home))
    guess = "A" * 43
    other = link(Address(made.host, made.port, fingerprint=made.fingerprint, invite=guess))
    code, said = send(tmp_path, other)
    assert code == 77
    assert "that invite is unknown" in said
    assert guess not in said


def test_a_revoked_invite_is_refused(server: Program, home: Path, tmp_path: Path) -> None:
    before = set(ask(home, "invite", "list").stdout.splitlines())
    made = invite(home, "--uses", "7", "--expires", "2h")
    (line,) = set(ask(home, "invite", "list").stdout.splitlines()) - before
    name = line.split()[0]
    assert " 7 left  until " in line
    assert token_of(made) not in line
    assert ask(home, "invite", "revoke", name).returncode == 0
    assert send(tmp_path, made)[0] == 77
    gone = ask(home, "invite", "revoke", name)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert f"no invite begins with '{name}'" in gone.stderr


def test_an_expired_invite_is_refused(server: Program, home: Path, tmp_path: Path) -> None:
    others = len(ask(home, "invite", "list").stdout.splitlines())
    made = invite(home, "--expires", "1s")
    deadline = time.monotonic() + 10
    while len(ask(home, "invite", "list").stdout.splitlines()) > others:
        assert time.monotonic() < deadline
    code, said = send(tmp_path, made)
    assert (code, "expired" in said) == (77, True)


def test_who_is_banned_stays_out_until_the_ban_ends(
    server: Program, home: Path, tmp_path: Path
) -> None:
    made = invite(home)
    come_in(tmp_path, made, "mallory")
    assert (
        ask(home, "ban", "--for", "2h", "MALLORY", "--reason", "spam").stdout
        == "MALLORY is banned\n"
    )
    assert send(tmp_path, made, "mallory") == (77, "ipcchat-client: you are banned here\n")
    assert ask(home, "bans").stdout.startswith("mallory  until ")
    assert ask(home, "unban", "mallory").returncode == 0
    assert ask(home, "bans").stdout == ""
    come_in(tmp_path, made, "mallory")


def test_a_released_nick_can_be_taken(server: Program, home: Path, tmp_path: Path) -> None:
    made = invite(home, "--uses", "2")
    come_in(tmp_path / "old", made, "lost")
    assert send(tmp_path / "new", made, "lost")[0] == 77
    assert ask(home, "release", "lost").returncode == 0
    come_in(tmp_path / "new", made, "lost")


# --- what operators ask -------------------------------------------------------------------


def test_operators_are_made_and_can_not_be_banned(
    server: Program, home: Path, tmp_path: Path
) -> None:
    come_in(tmp_path, invite(home), "olga")
    assert ask(home, "op", "olga").stdout == "olga is an operator\n"
    refused = ask(home, "ban", "olga")
    assert refused.returncode == 77
    assert "deop" in refused.stderr
    assert ask(home, "deop", "olga").returncode == 0
    assert ask(home, "kick", "lobby", "olga", "--reason", "too many jokes").stdout == (
        "olga is no member of #lobby any more\n"
    )
    assert ask(home, "deop", "operator").returncode == 77


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ban", "nobody"), 77, "nobody has that nick"),
        (("kick", "--reason", "no", "nowhere", "bob"), 77, "no room #nowhere"),
        (("invite", "--uses", "0"), 2, "allowed: 1 to 10000"),
        (("invite", "--expires", "soon"), 2, "such as 45"),
        (("invite", "list", "3f"), 2, "list takes no name"),
        (("invite", "revoke"), 2, "revoke needs a name"),
        (("token", "bot", "--rooms", "#nowhere"), 77, "must be there"),
        (("token", "bot", "--rooms", ","), 2, "names no room"),
        (("token", "a b"), 2, "nick"),
        (("token", "operator"), 77, "accounts of scripts"),
    ],
)
def test_what_makes_no_sense_is_refused_in_two_lines(
    arguments: tuple[str, ...], code: int, words: str, server: Program, home: Path
) -> None:
    done = ask(home, *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert words in done.stderr
    if code == 77:
        assert len(done.stderr.splitlines()) <= 2


# --- links and tokens ---------------------------------------------------------------------


def test_a_link_names_what_status_shows(server: Program, home: Path) -> None:
    address = parse_address(invite(home))
    assert str(address) == server.place
    shown = dict(line.split(maxsplit=1) for line in ask(home, "status").stdout.splitlines())
    assert shown["fingerprint"].replace(" ", "") == address.fingerprint
    assert shown["access"] == "invite"
    log = "".join(server.error_line() for _ in range(3))
    assert shown["fingerprint"] in log


def test_another_address_can_be_named(server: Program, home: Path) -> None:
    assert str(parse_address(invite(home, "--address", "chat.example:7000"))) == "chat.example:7000"


def test_a_link_is_taken_with_its_quotes(server: Program, home: Path, tmp_path: Path) -> None:
    assert send(tmp_path, shlex.quote(invite(home)), "quentin") == (0, "")


def test_a_broken_link_shows_nothing_of_itself(server: Program, home: Path, tmp_path: Path) -> None:
    made = invite(home)
    token = token_of(made)
    for broken in (made + "x", made.replace("&", "&&fp=0&"), made.replace("fp=", "fp=z")):
        done = client_here(tmp_path, broken)
        assert done.returncode == 2
        assert token not in done.stdout + done.stderr
    done = ran(tmp_path, "client", "tail", "lobby", IPCCHAT_SERVER=made + "x", IPCCHAT_PLAINTEXT="")
    assert done.returncode == 78
    assert token not in done.stderr
    twice = client_here(tmp_path, made, made)
    assert twice.returncode == 2
    assert token not in twice.stderr


def test_a_token_is_one_line_in_a_pipe(server: Program, home: Path) -> None:
    done = ask(home, "token", "robot", "--rooms", "#lobby")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.strip()) == 43
    assert done.stdout.count("\n") == 1
    assert done.stdout.strip().encode() not in (home / "data" / "journal.sqlite").read_bytes()


def test_a_script_logs_in_with_its_token_and_is_kept_to_its_rooms(tmp_path: Path) -> None:
    with hosting(tmp_path, "127.0.0.1:0", "--plaintext") as server:

        async def talk() -> list[object]:
            async with RawClient.login(server.place, "", method="token", token=token) as robot:
                said = await robot.say(1, "hi")
                made = await robot.ask(Join(robot.next_id(), draft(), name="#other"))
                return [robot.nick, type(said), made.code]

        token = ask(tmp_path, "token", "robot", "--rooms", "lobby").stdout.strip()
        assert asyncio.run(talk()) == ["robot", Done, "forbidden"]
        assert ask(tmp_path, "ban", "robot").returncode == 0
        with pytest.raises(AssertionError, match="banned"):
            asyncio.run(talk())


def test_on_a_terminal_an_invite_says_what_it_is(server: Program, home: Path) -> None:
    arguments = ("server", "invite", "--uses", "2", "--data", "data")
    with terminal(*arguments, home=home, columns=250, rows=20) as shown:
        assert shown.ended() == 0
        text = shown.text()
    assert "2 people may join until " in text
    assert f"  ipcchat-client 'ipcchat://{server.place}/?fp=" in text
    assert "fingerprint " in text
    name = text.split("invite revoke ")[1].split()[0]
    assert ask(home, "invite", "revoke", name).returncode == 0


def test_nobody_needs_an_invite_on_loopback_alone(tmp_path: Path) -> None:
    with hosting(tmp_path, "127.0.0.1:0") as server:
        done = ask(tmp_path, "invite")
        assert (done.returncode, done.stdout) == (2, "")
        assert "no other machine reaches this server" in done.stderr
        assert ask(tmp_path, "invite", "list").stdout == ""
        come_in(tmp_path, server.place)
