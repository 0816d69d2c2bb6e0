"""TLS as users meet it: first contact, a changed certificate, a successor, plain against TLS."""

import socket
from pathlib import Path

from tests.cli.lan import ask, client, come_in, hosting, invite, own_address
from tests.cli.programs import messages, program, ran
from tests.support import free_port

from ipcchat.trust.certificate import read_certificate, shown

PLAIN = {"IPCCHAT_PLAINTEXT": "true"}


def send(home: Path, where: str, *flags: str) -> tuple[int, str]:
    done = client(home, "send", "--server", where, *flags, "#lobby", "hi")
    return done.returncode, done.stderr


# --- certificates -------------------------------------------------------------------------


def test_a_changed_certificate_is_refused_until_it_is_forgotten(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    key = tmp_path / "data" / "tls.pem"
    with hosting(tmp_path, place):
        come_in(tmp_path, place)
        before = read_certificate(key)[1]
    key.unlink()
    with hosting(tmp_path, place):
        after = read_certificate(key)[1]
        code, said = send(tmp_path, place)
        assert code == 77
        what, hint = said.splitlines()
        assert shown(after) in what and shown(before) in what
        assert hint.endswith(f"ipcchat-client forget {place}")
        assert "sessions     0" in ask(tmp_path, "status").stdout
        assert "entries      2\n" in ask(tmp_path, "status").stdout  # nothing was said
        done = client(tmp_path, "forget", place)
        assert (done.returncode, done.stdout) == (
            0,
            f"forgot {place}: its certificate {shown(before)}\n",
        )
        come_in(tmp_path, place)
    twice = client(tmp_path, "forget", "elsewhere:1")
    assert (twice.returncode, twice.stdout) == (2, "")
    assert "nothing is known of elsewhere:1" in twice.stderr


def test_a_renewed_certificate_is_no_surprise_to_who_was_there(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    with hosting(tmp_path, place):
        come_in(tmp_path / "away", place, "away")
        come_in(tmp_path, place)
        first = ask(tmp_path, "certificate").stdout.splitlines()[0]
        renewed = ask(tmp_path, "certificate", "renew").stdout
        assert "announces it to whoever logs in" in renewed
        assert ask(tmp_path, "certificate", "renew").stdout == renewed  # the same one
        come_in(tmp_path, place)
        switched = ask(tmp_path, "certificate", "switch")
        assert "the server shows it to new connections" in switched.stdout
        assert ask(tmp_path, "certificate").stdout.splitlines()[0] != first
        come_in(tmp_path, place)
        assert send(tmp_path / "away", place)[0] == 77
        none = ask(tmp_path, "certificate", "switch")
        assert (none.returncode, none.stdout) == (1, "")
    assert "no server runs" in ask(tmp_path, "certificate", "renew").stdout
    assert "no server runs" in ask(tmp_path, "certificate", "switch").stdout
    with hosting(tmp_path, place):
        assert send(tmp_path, place)[0] == 77  # it was not there


def test_a_certificate_that_is_not_there_or_somebody_elses(tmp_path: Path) -> None:
    none = ask(tmp_path, "certificate")
    assert none.returncode == 1
    assert "at its first start" in none.stderr
    other = ran(tmp_path, "server", "--tls-cert", "x.pem", "certificate", "renew", "--data", "d")
    assert other.returncode == 2
    assert "x.pem" in other.stderr


def test_a_link_with_another_fingerprint_is_refused(tmp_path: Path) -> None:
    with hosting(tmp_path, f"{own_address()}:0") as server:
        made = invite(tmp_path)
        wrong = made.replace("fp=", "fp=").replace(made.split("fp=")[1][:4], "0000")
        code, said = send(tmp_path, wrong)
        assert code == 77
        assert "than the link names" in said
        come_in(tmp_path, made)
        assert server.popen.poll() is None


# --- plain and TLS ------------------------------------------------------------------------


def test_a_client_with_tls_at_a_plain_server(tmp_path: Path) -> None:
    with hosting(tmp_path, "127.0.0.1:0", "--plaintext") as server:
        code, said = send(tmp_path, server.place)
        assert code == 77, said
        what, hint = said.splitlines()
        assert "does not speak TLS" in what
        assert hint.endswith(f"ipcchat-client --plaintext {server.place}")
        assert send(tmp_path, server.place, "--plaintext") == (0, "")
        assert "none: without TLS" in ask(tmp_path, "status").stdout


def test_a_plain_client_at_a_server_with_tls(tmp_path: Path) -> None:
    with hosting(tmp_path, "127.0.0.1:0") as server:
        code, said = send(tmp_path, server.place, "--plaintext")
        assert code == 77, said
        assert "this server speaks TLS" in said
        come_in(tmp_path, server.place)


def test_no_plaintext_beyond_this_machine(tmp_path: Path) -> None:
    own = own_address()
    done = ran(tmp_path, "server", "--plaintext", "--listen", f"{own}:0", "--data", "data")
    assert (done.returncode, done.stdout) == (78, "")
    assert f"no plaintext on {own}" in done.stderr
    with socket.create_server((own, 0)) as other:
        place = f"{own}:{other.getsockname()[1]}"
        code, said = send(tmp_path, place, "--plaintext")
        assert code == 78
        assert said.startswith(f"ipcchat-client: no plain connection to {place}")
        other.settimeout(10)
        sock, _ = other.accept()
        with sock:
            assert sock.recv(1) == b""  # nothing was sent


def test_plaintext_anywhere_is_for_the_configuration(tmp_path: Path) -> None:
    own = own_address()
    for name in ("server", "client"):
        file = tmp_path / "config" / "ipcchat" / f"{name}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("plaintext_anywhere = true\n")
    with hosting(tmp_path, f"{own}:0", "--plaintext", "--access", "open") as server:
        assert send(tmp_path, server.place, "--plaintext") == (0, "")
        assert "fp=" not in invite(tmp_path)


def test_what_a_server_says_of_itself_is_made_safe(tmp_path: Path) -> None:
    data = "da\x1b[31mta"
    arguments = ("server", "--headless", "--listen", "127.0.0.1:0", "--data", data)
    with program(tmp_path, *arguments, **PLAIN) as server:
        place = server.line().removeprefix("listening on ")
        assert messages(place, "#lobby") == []
        done = ran(tmp_path, "server", "status", "--data", data)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "ta" in done.stdout
    assert (tmp_path / data).is_dir()
