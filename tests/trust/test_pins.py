"""What is known of servers: kept, shared, never lowered, and never lost in silence."""

import fcntl
import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ipcchat.address import Address
from ipcchat.errors import FileError, RemoteProtocolError
from ipcchat.trust import certificate
from ipcchat.trust.certificate import fingerprint, read_certificate
from ipcchat.trust.pins import Pin, Pins

LAB = Address("lab")
DERS = [read_certificate(certificate.make())[0] for _ in range(4)]


def at(place: Path) -> Pins:
    return Pins(place / "state" / "servers.json")


def test_nothing_is_known_and_nothing_is_made(tmp_path: Path) -> None:
    pins = at(tmp_path)
    assert pins.find(LAB) is None
    assert not pins.forget(LAB)
    assert not pins.path.exists()


def test_a_pin_is_there_for_the_next_client(tmp_path: Path) -> None:
    assert at(tmp_path).remember(LAB, DERS[0]) == Pin((DERS[0],))
    pins = at(tmp_path)
    assert pins.find(LAB) == Pin((DERS[0],))
    assert pins.find(Address("LAB")) == Pin((DERS[0],))
    assert pins.find(Address("lab", 5556)) is None
    assert pins.path.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in pins.path.parent.iterdir()} == {"servers.json", "servers.lock"}
    row = json.loads(pins.path.read_text())["servers"]["lab:5555"]
    assert ssl.PEM_cert_to_DER_cert(row["certificates"][0]) == DERS[0]


def test_what_was_known_first_stays(tmp_path: Path) -> None:
    pins = at(tmp_path)
    pins.remember(LAB, DERS[0])
    assert pins.remember(LAB, DERS[1]) == Pin((DERS[0],))
    assert not pins.remember_authority(LAB).authority
    vouched = Address("chat.example")
    assert pins.remember_authority(vouched).authority
    assert pins.remember(vouched, DERS[0]).authority
    pins.announce(vouched, DERS[1])
    found = pins.find(vouched)
    assert found is not None and found.authority


def test_a_successor_comes_and_the_older_one_goes(tmp_path: Path) -> None:
    pins = at(tmp_path)
    pins.announce(LAB, DERS[1])
    assert pins.find(LAB) is None
    pins.remember(LAB, DERS[0])
    pins.announce(LAB, DERS[0])
    assert pins.find(LAB) == Pin((DERS[0],))
    pins.announce(LAB, DERS[1])
    pins.announce(LAB, DERS[2])
    pins.seen(LAB, DERS[0])
    pins.seen(LAB, DERS[3])
    assert pins.find(LAB) == Pin((DERS[0], DERS[2]))
    pins.seen(LAB, DERS[2])
    assert pins.find(LAB) == Pin((DERS[2],), (fingerprint(DERS[0]),))


@pytest.mark.parametrize("der", [b"", b"rubbish", DERS[0][:-1], DERS[0] + DERS[1]])
def test_a_successor_that_is_no_certificate(tmp_path: Path, der: bytes) -> None:
    pins = at(tmp_path)
    pins.remember(LAB, DERS[2])
    with pytest.raises(RemoteProtocolError):
        pins.announce(LAB, der)
    assert pins.find(LAB) == Pin((DERS[2],))


class Known(RuleBasedStateMachine):
    """Against a model: two clients with the same file, in any order."""

    place = Path()

    def __init__(self) -> None:
        super().__init__()
        path = self.place / "servers.json"
        path.unlink(missing_ok=True)
        self.clients = (Pins(path), Pins(path))
        self.model: list[bytes] | None = None  # an empty list: an authority

    @rule(who=st.integers(0, 1), which=st.integers(0, 3))
    def remember(self, who: int, which: int) -> None:
        self.model = [DERS[which]] if self.model is None else self.model
        assert list(self.clients[who].remember(LAB, DERS[which]).certificates) == self.model

    @rule(who=st.integers(0, 1))
    def vouch(self, who: int) -> None:
        self.model = [] if self.model is None else self.model
        assert list(self.clients[who].remember_authority(LAB).certificates) == self.model

    @rule(who=st.integers(0, 1), which=st.integers(0, 3))
    def announce(self, who: int, which: int) -> None:
        if self.model and DERS[which] not in self.model:
            self.model = [self.model[0], DERS[which]]
        self.clients[who].announce(LAB, DERS[which])

    @rule(who=st.integers(0, 1), which=st.integers(0, 3))
    def see(self, who: int, which: int) -> None:
        if self.model and DERS[which] in self.model[1:]:
            self.model = [DERS[which]]
        self.clients[who].seen(LAB, DERS[which])

    @rule(who=st.integers(0, 1))
    def forget(self, who: int) -> None:
        assert self.clients[who].forget(LAB) == (self.model is not None)
        self.model = None

    @invariant()
    def both_know_the_same(self) -> None:
        for pins in self.clients:
            found = pins.find(LAB)
            assert (None if found is None else list(found.certificates)) == self.model
            assert found is None or len(found.before) <= 8


def test_any_order_of_changes(tmp_path: Path) -> None:
    Known.place = tmp_path
    run_state_machine_as_test(
        Known, settings=settings(max_examples=25, stateful_step_count=15, deadline=None)
    )


# --- clients at once ----------------------------------------------------------------------


def test_clients_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, ssl; from pathlib import Path; from ipcchat.address import Address;"
        "from ipcchat.trust.pins import Pins; pins = Pins(Path(sys.argv[1]));"
        "der = ssl.PEM_cert_to_DER_cert(sys.stdin.read());"
        "[pins.remember(Address(sys.argv[2] + str(n)), der) for n in range(10)]"
    )
    path = at(tmp_path).path
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), name], stdin=subprocess.PIPE, text=True
        )
        for name in "abcd"
    ]
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(ssl.DER_cert_to_PEM_cert(DERS[0]))
        client.stdin.close()
    assert [client.wait(30) for client in clients] == [0] * 4
    for name in "abcd":
        for number in range(10):
            assert at(tmp_path).find(Address(f"{name}{number}")) == Pin((DERS[0],))


def test_a_client_that_hangs_with_the_lock_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipcchat.trust.pins._LOCK_WAIT", 0.05)
    pins = at(tmp_path)
    pins.remember(LAB, DERS[0])
    with pins.path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FileError, match="is held by somebody"):
            pins.forget(LAB)
        assert pins.find(LAB) is not None
    assert pins.forget(LAB)


# --- damage -------------------------------------------------------------------------------

PEM = ssl.DER_cert_to_PEM_cert(DERS[0])


ROWS: list[Any] = [
    None,
    [],
    {},
    {"authority": False},
    {"authority": 1},
    {"authority": True, "certificates": [PEM]},
    {"certificates": []},
    {"certificates": PEM},
    {"certificates": [PEM, PEM, PEM]},
    {"certificates": [7]},
    {"certificates": ["rubbish"]},
    {"certificates": [ssl.DER_cert_to_PEM_cert(b"rubbish")]},
    {"certificates": [PEM], "before": "x"},
    {"certificates": [PEM], "before": ["x"]},
]
FILES = ["", "{", "[]", "{}", '{"servers": []}', "[" * 100_000, "\ufeff{}"]


@pytest.mark.parametrize(
    "text",
    FILES + [json.dumps({"servers": {"lab:5555": row}}) for row in ROWS],
    ids=lambda text: text[:40],
)
def test_a_damaged_file_is_told_of_and_stays(tmp_path: Path, text: str) -> None:
    pins = at(tmp_path)
    pins.path.parent.mkdir()
    pins.path.write_text(text)
    changes: list[Callable[[], Any]] = [
        lambda: pins.find(LAB),
        lambda: pins.remember(LAB, DERS[1]),
        lambda: pins.remember_authority(LAB),
        lambda: pins.announce(LAB, DERS[1]),
        lambda: pins.seen(LAB, DERS[1]),
    ]
    for change in changes:
        with pytest.raises(FileError, match="is damaged") as caught:
            change()
        assert str(pins.path) in caught.value.text and "move it away" in caught.value.hint
    assert pins.path.read_text() == text


def test_a_damaged_row_can_be_forgotten_and_hurts_no_other(tmp_path: Path) -> None:
    pins = at(tmp_path)
    pins.remember(Address("other"), DERS[0])
    found = json.loads(pins.path.read_text())
    found["servers"]["lab:5555"] = {"certificates": ["rubbish"], "new": 1}
    pins.path.write_text(json.dumps(found))
    assert pins.find(Address("other")) == Pin((DERS[0],))
    assert pins.forget(LAB) and pins.find(LAB) is None


@given(data=st.binary(max_size=200))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
def test_any_bytes_are_an_answer_or_a_file_error(tmp_path: Path, data: bytes) -> None:
    pins = Pins(tmp_path / "servers.json")
    pins.path.write_bytes(data)
    try:
        pins.find(LAB)
    except FileError as error:
        assert "\n" not in error.text


def test_what_a_later_version_wrote_is_kept(tmp_path: Path) -> None:
    pins = at(tmp_path)
    pins.path.parent.mkdir()
    row = {"certificates": [PEM], "seen": "2030-01-01"}
    pins.path.write_text(json.dumps({"format": 2, "servers": {"lab:5555": row}}))
    pins.announce(LAB, DERS[1])
    pins.remember(Address("other"), DERS[2])
    found = json.loads(pins.path.read_text())
    assert found["format"] == 2 and found["servers"]["lab:5555"]["seen"] == "2030-01-01"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(FileError):
        at(tmp_path).remember(LAB, DERS[0])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "servers.json").mkdir()
    with pytest.raises(FileError, match="is a directory"):
        Pins(tmp_path / "other" / "servers.json").find(LAB)
