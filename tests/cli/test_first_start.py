"""The first minute: no flag, no file, no question; and from another machine one pasted link."""

import re
import shlex
import signal
from pathlib import Path

import pytest
from tests.cli.lan import UNSET, client, hosting, invite, own_address
from tests.cli.programs import program
from tests.support import free_port
from tests.terminal import terminal

from ipcchat.address import parse_address
from ipcchat.cli import joining
from ipcchat.trust.certificate import shown


def test_server_and_client_talk_over_tls_at_once_and_again(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    arguments = ("server", "--data", "data", "--listen", place)
    guest = tmp_path / "guest"
    for number in (1, 2):
        with program(tmp_path, *arguments, **UNSET) as server:
            assert server.line() == f"listening on {place}"
            assert server.error_line().endswith(f" info listening listening on {place}")
            assert " info loop running on " in server.error_line()
            assert " info certificate fingerprint " in server.error_line()
            done = client(guest, "send", "--server", place, "#lobby", f"hello {number}")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            done = client(guest, "tail", "--server", place, "--last", "1", "--count", "1", "lobby")
            assert (done.returncode, done.stderr) == (0, "")
            assert f"hello {number}" in done.stdout
            server.signal(signal.SIGTERM)
            assert server.ended() == 0
    assert (tmp_path / "data" / "tls.pem").stat().st_mode & 0o777 == 0o600
    assert (guest / "state" / "ipcchat" / "servers.json").exists()


def test_one_pasted_link_is_enough(tmp_path: Path) -> None:
    with hosting(tmp_path, f"{own_address()}:0"):
        made = invite(tmp_path)
        with terminal("client", made, home=tmp_path / "guest", IPCCHAT_PLAINTEXT="false") as screen:
            screen.wait("#lobby")
            screen.line("here I am")
            screen.wait(lambda text: "here I am" in text and "sending" not in text)
            screen.line("/quit")
            assert screen.ended() == 0
            assert parse_address(made).invite.encode() not in screen.raw


def shown_links(text: str) -> list[str]:
    """The links on a screen that is wide enough for them."""
    return [
        shlex.split(line)[1] for line in text.splitlines() if line.startswith("  ipcchat-client ")
    ]


@pytest.mark.parametrize("access", ["invite", "open"])
def test_a_terminal_shows_links_at_the_first_start_alone(access: str, tmp_path: Path) -> None:
    own = own_address()
    arguments = ("server", "--headless", "--listen", f"{own}:0", "--data", "data")
    home = tmp_path / "home"
    with terminal(
        *arguments, "--access", access, home=home, columns=250, rows=20, IPCCHAT_PLAINTEXT="false"
    ) as server:
        (link,) = shown_links(server.wait("  ipcchat-client "))
        address = parse_address(link)
        assert bool(address.invite) == (access == "invite")
        assert f"fingerprint {shown(address.fingerprint)}" in server.text()
        done = client(tmp_path / "guest", "send", "--server", link, "#lobby", "hi")
        assert (done.returncode, done.stderr) == (0, "")
        server.child.kill(signal.SIGTERM)
        assert server.ended() == 0
        logged = [line for line in server.text().splitlines() if re.match(r"\d{4}-.*Z ", line)]
        assert logged and not any("invite=" in line for line in logged)
    for path in home.rglob("*"):
        assert (
            not path.is_file()
            or not address.invite
            or (address.invite.encode() not in path.read_bytes())
        )
    with terminal(*arguments, home=home, columns=250, rows=20, IPCCHAT_PLAINTEXT="false") as again:
        again.wait("listening on ")
        again.child.kill(signal.SIGTERM)
        assert again.ended() == 0
        assert "ipcchat://" not in again.text()


def test_the_console_shows_them_too(tmp_path: Path) -> None:
    arguments = ("server", "--listen", f"{own_address()}:0", "--data", "data")
    with terminal(
        *arguments, home=tmp_path, columns=140, rows=30, IPCCHAT_PLAINTEXT="false"
    ) as console:
        text = console.wait("ipcchat://")
        assert "100 people can join within 24 h" in text
        assert "fingerprint " in text
        console.child.kill(signal.SIGTERM)
        assert console.ended() == 0


def test_on_loopback_alone_there_is_nobody_to_invite(tmp_path: Path) -> None:
    arguments = ("server", "--headless", "--listen", "127.0.0.1:0", "--data", "data")
    with terminal(
        *arguments, home=tmp_path, columns=200, rows=20, IPCCHAT_PLAINTEXT="false"
    ) as server:
        server.wait("listening on 127.0.0.1")
        server.child.kill(signal.SIGTERM)
        assert server.ended() == 0
        assert "ipcchat://" not in server.text()


@pytest.mark.parametrize(
    ("listening", "hosts"),
    [
        (["127.0.0.1:5", "[::1]:5", "/run/chat.sock", "chat.sock"], []),
        (["169.254.1.1:5", "[fe80::1%eth0]:5", "[fe80::1]:5", "224.0.0.1:5"], []),
        (["[2001:db8::7]:5", "192.168.1.7:5", "192.168.1.7:5"], ["192.168.1.7", "2001:db8::7"]),
    ],
)
def test_where_others_find_a_server(listening: list[str], hosts: list[str]) -> None:
    assert [address.host for address in joining.reachable(listening)] == hosts


def test_all_interfaces_are_this_machines_addresses() -> None:
    found = joining.reachable(["0.0.0.0:77", "[::]:77"])
    assert all(address.port == 77 for address in found)
    assert own_address() in [address.host for address in found]
    assert all(":" not in address.host for address in joining.reachable(["0.0.0.0:77"]))
