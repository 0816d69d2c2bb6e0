"""Where sockets listen, and what is said when they can't."""

import socket
from pathlib import Path

import pytest

from ipcchat.errors import ListenError, SettingError
from ipcchat.sockets.listening import open_tcp, open_unix, parse_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:5555", ("127.0.0.1", 5555)),
        ("[::1]:5555", ("::1", 5555)),
        (":6000", ("", 6000)),
        ("6000", ("", 6000)),
        ("lab.example:1", ("lab.example", 1)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert parse_address(address) == expected


@pytest.mark.parametrize("address", ["", "host", "host:", "host:x", "::1:5555", ":70000", ":-1"])
def test_bad_addresses_are_named(address: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_address(address)
    assert repr(address) in str(caught.value)


@pytest.mark.asyncio
async def test_all_interfaces_get_one_port() -> None:
    sockets = await open_tcp(":0", 10)
    try:
        ports = {sock.getsockname()[1] for sock in sockets}
        assert len(ports) == 1
        assert socket.AF_INET in {sock.family for sock in sockets}
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.asyncio
async def test_an_unknown_host_is_said() -> None:
    with pytest.raises(ListenError, match="unknown host"):
        await open_tcp("no.such.host.invalid:1", 10)


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    first = open_unix(path, 0o600, 10)
    with pytest.raises(ListenError, match="another server"):
        open_unix(path, 0o600, 10)
    first.close()  # as after kill -9: the file is still there
    second = open_unix(path, 0o600, 10)
    assert path.stat().st_mode & 0o777 == 0o600
    second.close()
    other = tmp_path / "file"
    other.write_text("precious")
    with pytest.raises(ListenError, match="a file of that name"):
        open_unix(other, 0o600, 10)
    assert other.read_text() == "precious"
