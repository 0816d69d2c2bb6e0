"""Addresses as people write them."""

import pytest

from ipcchat.address import Address, parse_address
from ipcchat.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", Address("localhost", 5555)),
        ("lab", Address("lab", 5555)),
        (" lab ", Address("lab", 5555)),
        ("lab.example.org:6000", Address("lab.example.org", 6000)),
        (":6000", Address("localhost", 6000)),
        ("6000", Address("localhost", 6000)),
        ("10.0.0.1:1", Address("10.0.0.1", 1)),
        ("[::1]", Address("::1", 5555)),
        ("[::1]:6000", Address("::1", 6000)),
        ("::1", Address("::1", 5555)),
        ("[fe80::1%eth0]:7", Address("fe80::1%eth0", 7)),
        ("büro:80", Address("büro", 80)),
        ("unix:/run/chat.sock", Address(path="/run/chat.sock")),
        ("unix:chat.sock", Address(path="chat.sock")),
        ("/run/chat.sock", Address(path="/run/chat.sock")),
    ],
)
def test_what_people_write(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "lab:",
        "lab:x",
        "lab:0",
        "lab:65536",
        "[::1",
        "[::1]x",
        "[lab]:1",
        "a:b:c",
        "unix:",
        "http://lab",
        "two words",
        "lab\x1b[2J",
        "99999",
        "lab:٣",
    ],
)
def test_what_makes_no_sense(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "\x1b" not in str(caught.value)
    assert "HOST:PORT" in caught.value.hint


def test_shown_as_it_can_be_typed() -> None:
    for text in ("lab:5555", "[::1]:5555", "unix:/run/chat.sock"):
        assert str(parse_address(text)) == text
