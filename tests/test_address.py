"""Addresses as people write them, and join links as servers do."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcchat.address import Address, link, parse_address
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
        "fe80::x",
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


# --- join links ---------------------------------------------------------------------------

FP = "0123456789abcdef" * 4
TOKEN = "Zm9vYmFyLWZvb2Jhcl9mb29iYXJmb29iYXJmb29iYXI"


def everything(address: Address) -> tuple[object, ...]:
    return address.host, address.port, address.path, address.fingerprint, address.invite


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (f"ipcchat://lab:6000/?fp={FP}&invite={TOKEN}", ("lab", 6000, "", FP, TOKEN)),
        (f"ipcchat://lab/?invite={TOKEN}&fp={FP}", ("lab", 5555, "", FP, TOKEN)),
        (f"ipcchat://[fd00::1]:7/?fp={FP}", ("fd00::1", 7, "", FP, "")),
        (f"ipcchat://[fd00::1]/?invite={TOKEN}", ("fd00::1", 5555, "", "", TOKEN)),
        (f"ipcchat://[fe80::1%25eth0]?fp={FP}", ("fe80::1%eth0", 5555, "", FP, "")),
        (f"ipcchat://lab/?inv\n   ite={TOKEN}", ("lab", 5555, "", "", TOKEN)),
        (f"  IPCCHAT://10.0.0.1/?fp={FP.upper()}\n", ("10.0.0.1", 5555, "", FP, "")),
        (f"ipcchat://lab/?v=2&fp={FP}&&room=x", ("lab", 5555, "", FP, "")),
        ("ipcchat://lab", ("lab", 5555, "", "", "")),
        ("ipcchat://lab:1/", ("lab", 1, "", "", "")),
        ("ipcchat://lab/?", ("lab", 5555, "", "", "")),
        ("ipcchat://büro/", ("büro", 5555, "", "", "")),
    ],
)
def test_links_that_lead_somewhere(text: str, address: tuple[object, ...]) -> None:
    assert everything(parse_address(text)) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"ipcchat://lab/?fp={FP}&fp={FP}&invite={TOKEN}", "fp twice"),
        (f"ipcchat://lab/?invite={TOKEN}&invite={TOKEN}", "invite twice"),
        (f"ipcchat://lab/?fp={FP[1:]}&invite={TOKEN}", "64 hexadecimal"),
        (f"ipcchat://lab/?fp={FP}0&invite={TOKEN}", "64 hexadecimal"),
        (f"ipcchat://lab/?fp={FP[1:]}g&invite={TOKEN}", "64 hexadecimal"),
        (f"ipcchat://lab/?fp=&invite={TOKEN}", "64 hexadecimal"),
        (f"ipcchat://lab/?fp&invite={TOKEN}", "64 hexadecimal"),
        (f"ipcchat://lab/?invite={TOKEN[1:]}", "43 characters"),
        (f"ipcchat://lab/?invite={TOKEN}=", "43 characters"),
        (f"ipcchat://lab/?invite={TOKEN[1:]}+", "43 characters"),
        (f"ipcchat://lab/?invite={TOKEN[1:]}%41", "43 characters"),
        ("ipcchat://lab/?invite=", "43 characters"),
        (f"ipcchat:///?invite={TOKEN}", "HOST:PORT"),
        (f"ipcchat://:6000/?invite={TOKEN}", "no host"),
        (f"ipcchat://{TOKEN}@lab/", "no host has that name"),
        (f"ipcchat://::{TOKEN}", "no IPv6 address"),
        (f"ipcchat://[::{TOKEN}]/", "no IPv6 address"),
        (f"ipcchat://lab:{TOKEN}/", "a port is"),
        (f"ipcchat://[::1{TOKEN}/", "brackets"),
        (f"ipcchat://lab/{TOKEN}", "HOST:PORT"),
        (f"ipcchat://lab/&invite={TOKEN}", "HOST:PORT"),
        (f"ipcchat://lab/?fp={FP}#{TOKEN}", "HOST:PORT"),
        (f"ipcchat://lab\x1b[2J/?invite={TOKEN}", "no host has that name"),
        (f"http://lab/?invite={TOKEN}", "begins with ipcchat://"),
        (f"lab:5555/?fp={FP}&invite={TOKEN}", "begins with ipcchat://"),
        (f"lab:5555?invite={TOKEN}", "begins with ipcchat://"),
        (f"/?invite={TOKEN}", "begins with ipcchat://"),
    ],
)
def test_a_broken_link_is_refused_and_its_token_not_shown(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parse_address(text)
    shown = caught.value.text + caught.value.hint
    assert shown.isprintable() and caught.value.hint
    assert TOKEN not in shown and TOKEN[:20] not in shown
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_an_address_shows_no_token() -> None:
    address = parse_address(f"ipcchat://lab/?fp={FP}&invite={TOKEN}")
    assert str(address) == f"{address}" == "lab:5555"
    assert TOKEN not in repr(address)


def test_a_link_leads_to_the_same_place_as_its_address() -> None:
    address = parse_address(f"ipcchat://lab/?fp={FP}&invite={TOKEN}")
    assert address == parse_address("lab") and hash(address) == hash(parse_address("lab"))


def test_a_unix_socket_has_no_link() -> None:
    with pytest.raises(UsageError, match="no join link"):
        link(Address(path="/run/chat.sock"))


def test_a_link_is_made_as_documented() -> None:
    address = Address("fd00::1", 6000, fingerprint=FP, invite=TOKEN)
    assert link(address) == f"ipcchat://[fd00::1]:6000/?fp={FP}&invite={TOKEN}"
    assert link(Address("lab")) == "ipcchat://lab:5555/"


hosts = st.one_of(
    st.from_regex(r"[a-z0-9ü_][\w.-]{0,20}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.builds(
        "fe80::{:x}%{}".format, st.integers(0, 65535), st.text("abcxyz0189", min_size=1, max_size=9)
    ),
)
addresses = st.builds(
    Address,
    hosts,
    st.integers(1, 65535),
    fingerprint=st.one_of(st.just(""), st.from_regex("[0-9a-f]{64}", fullmatch=True)),
    invite=st.one_of(st.just(""), st.from_regex("[0-9A-Za-z_-]{43}", fullmatch=True)),
)


@given(addresses)
def test_a_link_is_read_back(address: Address) -> None:
    assert everything(parse_address(link(address))) == everything(address)
    assert parse_address(str(address)) == address


@given(
    st.one_of(
        st.text(),
        st.text(string.printable).map("ipcchat://{}".format),
        st.text("ipcchat:/?&=#%[]fpinvite0123456789.@\n").map("ipcchat://lab/?{}".format),
    )
)
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except UsageError as error:
        assert error.text.isprintable()
        error.text.encode()
    else:
        assert address.path or (address.host and 0 < address.port < 65536)


@pytest.mark.parametrize("written", ["unix", "ipcchat://unix/", "ipcchat://unix:5555/"])
def test_no_host_is_called_as_a_socket_begins(written: str) -> None:
    with pytest.raises(UsageError):
        parse_address(written)
