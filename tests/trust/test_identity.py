"""Keys: only their owner's signature of this very login counts, and no damaged key is taken."""

import hashlib
import secrets
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcchat.errors import TextError
from ipcchat.trust.identity import NO_TLS, Identity, fingerprint, new_nonce, transcript, verify

ANN = Identity(bytes(range(32)))
HERE, THERE = (hashlib.sha256(name).hexdigest() for name in (b"here", b"there"))
SERVER, CLIENT = "0123456789abcdef" * 2, "fedcba9876543210" * 2
LOGIN = transcript(HERE, SERVER, CLIENT)
SIGNED = ANN.sign(LOGIN)

seeds = st.binary(min_size=32, max_size=32)


def flipped(data: bytes, place: int, mask: int) -> bytes:
    changed = bytearray(data)
    changed[place % len(data)] ^= mask
    return bytes(changed)


# --- signatures ---------------------------------------------------------------------------


def test_the_key_is_that_of_the_standard() -> None:
    # RFC 8032, 7.1, test 2
    seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = Identity(bytes.fromhex(seed))
    assert (key.public, key.sign(b"\x72")) == (public, signature)
    assert verify(public, signature, b"\x72")


def test_what_is_signed_is_laid_out_as_told() -> None:
    assert transcript("11" * 32, "22" * 16, "33" * 16) == (
        b"ipcchat login 1\0" + b"\x11" * 32 + b"\x22" * 16 + b"\x33" * 16
    )
    assert transcript(NO_TLS, SERVER, CLIENT)[16:48] == bytes(32)


@given(seeds, seeds, st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_the_owner_is_believed(seed: bytes, here: bytes, server: bytes, client: bytes) -> None:
    key, signed = Identity(seed), transcript(here.hex(), server.hex(), client.hex())
    assert verify(key.public, key.sign(signed), signed)


def test_a_relayed_login_is_worth_nothing() -> None:
    assert verify(ANN.public, SIGNED, transcript(HERE, SERVER, CLIENT))
    assert not verify(ANN.public, SIGNED, transcript(THERE, SERVER, CLIENT))
    assert not verify(ANN.public, SIGNED, transcript(NO_TLS, SERVER, CLIENT))
    plain = ANN.sign(transcript(NO_TLS, SERVER, CLIENT))
    assert not verify(ANN.public, plain, LOGIN)


def test_a_replayed_login_is_worth_nothing() -> None:
    assert not verify(ANN.public, SIGNED, transcript(HERE, new_nonce(), CLIENT))
    assert not verify(ANN.public, SIGNED, transcript(HERE, SERVER, new_nonce()))
    assert not verify(ANN.public, SIGNED, transcript(HERE, CLIENT, SERVER))


def test_a_foreign_key_is_worth_nothing() -> None:
    other = Identity.make()
    assert not verify(other.public, SIGNED, LOGIN)
    assert not verify(ANN.public, other.sign(LOGIN), LOGIN)


def test_a_signature_of_anything_else_is_no_login() -> None:
    for other in (LOGIN[16:], LOGIN.replace(b"login 1", b"login 2"), LOGIN + b"\0", b""):
        assert not verify(ANN.public, ANN.sign(other), LOGIN)


@given(st.integers(0, len(LOGIN) - 1), st.integers(1, 255))
def test_each_byte_of_what_is_signed_counts(place: int, mask: int) -> None:
    assert not verify(ANN.public, SIGNED, flipped(LOGIN, place, mask))


@given(st.integers(0, 63), st.integers(1, 255))
def test_each_byte_of_the_signature_counts(place: int, mask: int) -> None:
    assert not verify(ANN.public, flipped(bytes.fromhex(SIGNED), place, mask).hex(), LOGIN)


@given(st.integers(0, 31), st.integers(1, 255))
def test_each_byte_of_the_public_key_counts(place: int, mask: int) -> None:
    assert not verify(flipped(bytes.fromhex(ANN.public), place, mask).hex(), SIGNED, LOGIN)


def test_a_signature_has_one_form() -> None:
    order = 2**252 + 27742317777372353535851937790883648493  # RFC 8032: S must be below it
    half = int.from_bytes(bytes.fromhex(SIGNED)[32:], "little") + order
    assert not verify(ANN.public, SIGNED[:64] + half.to_bytes(32, "little").hex(), LOGIN)


@given(st.text(max_size=140), st.text(max_size=140), st.binary(max_size=100))
def test_nothing_malformed_is_believed_or_raises(
    public: str, signature: str, signed: bytes
) -> None:
    assert not verify(public, signature, signed)
    assert not verify(ANN.public, signature, signed)
    assert not verify(public, SIGNED, LOGIN)


@given(seeds, st.binary(min_size=64, max_size=64))
def test_no_bytes_of_the_right_length_raise(public: bytes, signature: bytes) -> None:
    assert not verify(public.hex(), signature.hex(), LOGIN)


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        (ANN.public.upper(), SIGNED),
        (ANN.public, SIGNED.upper()),
        (ANN.public + "\n", SIGNED),
        (ANN.public, SIGNED + "\n"),
        (ANN.public[:-2], SIGNED),
        (ANN.public + "00", SIGNED),
        (ANN.public, SIGNED[:-2]),
        (ANN.public, SIGNED + "00"),
        (ANN.public.replace(ANN.public[0], "٣", 1), SIGNED),
        ("", ""),
    ],
)
def test_there_is_one_spelling(public: str, signature: str) -> None:
    assert not verify(public, signature, LOGIN)


# Points of a small order, both signs, and the spellings that are not the shortest.
_P = 2**255 - 19
_Y8 = 0x05FC536D880238B13933C6D3ACDFD5F098EFF2F489F245B04527B2C28F95E826
LOW = [
    (y | sign << 255).to_bytes(32, "little").hex()
    for y in (0, 1, _Y8, _P - _Y8, _P - 1, _P, _P + 1)
    for sign in (0, 1)
]


@pytest.mark.parametrize("public", LOW)
def test_a_key_that_anybody_could_sign_for_is_refused(public: str) -> None:
    # With S = 0 the equation is R = -hA, and A has eight multiples at most: one try in eight fits.
    assert all(
        not verify(public, nonce + "00" * 32, transcript(HERE, f"{number:032x}", CLIENT))
        for nonce in LOW
        for number in range(20)
    )


def test_such_forgeries_are_real() -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    identity = "01" + "00" * 31
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity))
    try:
        key.verify(bytes.fromhex(identity + "00" * 32), LOGIN)
    except InvalidSignature:
        pytest.skip("the library refuses them by itself")
    assert not verify(identity, identity + "00" * 32, LOGIN)


@pytest.mark.parametrize(
    ("certificate", "server", "client"),
    [
        (HERE[:-2], SERVER, CLIENT),
        (HERE + "00", SERVER, CLIENT),
        (HERE.upper(), SERVER, CLIENT),
        (HERE, SERVER[:-2], CLIENT + "00"),
        (HERE, SERVER, ""),
        (HERE, "", CLIENT),
        (HERE, SERVER, CLIENT + "\n"),
        (HERE, " 1" * 16, CLIENT),
        (HERE, SERVER, "٣" * 32),
        ("", "", ""),
    ],
)
def test_only_fixed_lengths_are_signed(certificate: str, server: str, client: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal digits"):
        transcript(certificate, server, client)


def test_a_nonce_is_fresh() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100
    assert len(new_nonce()) == 32


# --- the key as text ----------------------------------------------------------------------


def test_keys_differ() -> None:
    assert len({Identity.make().public for _ in range(20)}) == 20


def test_a_seed_has_32_bytes() -> None:
    for size in (0, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            Identity(bytes(size))


def test_people_compare_the_public_half() -> None:
    digits = hashlib.sha256(bytes.fromhex(ANN.public)).hexdigest()
    assert fingerprint(ANN.public) == ANN.fingerprint
    groups = ANN.fingerprint.split(" ")
    assert [len(group) for group in groups] == [4] * 5
    assert digits.startswith("".join(groups))


@given(seeds)
def test_a_key_is_not_shown_by_chance(seed: bytes) -> None:
    key = Identity(seed)
    shown = f"{key} {key!r} {[key]} {key.fingerprint}"
    assert key.stored not in shown
    assert seed.hex() not in shown
    assert repr(seed) not in shown


@given(seeds)
def test_both_forms_come_back(seed: bytes) -> None:
    key = Identity(seed)
    assert Identity.from_stored(key.stored) == key
    assert Identity.from_exported(key.exported) == key
    assert Identity.from_exported(f" \t{key.exported}\r\n") == key
    assert len(key.stored) == 43
    assert Identity.from_stored(key.stored).public == key.public


def test_the_exported_form_stays() -> None:
    line = "ipcchat-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8:91267e8a"
    assert ANN.exported == line
    assert Identity.from_exported(line).public == (
        "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    )


def refused(line: str) -> TextError:
    """The refusal, which repeats nothing of the key."""
    with pytest.raises(TextError) as caught:
        Identity.from_exported(line)
    told = f"{caught.value.text} {caught.value.hint}"
    assert "\n" not in told
    assert ANN.stored[:8] not in told
    return caught.value


alphabet = st.sampled_from(string.ascii_letters + string.digits + "-_:=+/ \n\0é")


@given(seeds, st.data())
def test_a_wrong_character_is_found(seed: bytes, data: st.DataObject) -> None:
    line = Identity(seed).exported
    place = data.draw(st.integers(0, len(line) - 1))
    char = data.draw(alphabet.filter(lambda char: char != line[place]))
    damaged = line[:place] + char + line[place + 1 :]
    if damaged.strip(" \t\r\n") != line:
        refused(damaged)


@given(seeds, st.integers(0, 64), st.integers(1, 8))
def test_a_lost_stretch_is_found(seed: bytes, place: int, length: int) -> None:
    line = Identity(seed).exported
    damaged = line[:place] + line[place + length :]
    assert damaged != line
    refused(damaged)


@given(seeds, st.integers(0, 66), st.text(alphabet, min_size=1, max_size=8))
def test_an_added_stretch_is_found(seed: bytes, place: int, more: str) -> None:
    line = Identity(seed).exported
    damaged = line[:place] + more + line[place:]
    if damaged.strip(" \t\r\n") != line:
        refused(damaged)


@given(seeds, st.integers(0, 64))
def test_exchanged_neighbours_are_found(seed: bytes, place: int) -> None:
    line = Identity(seed).exported
    damaged = line[:place] + line[place + 1] + line[place] + line[place + 2 :]
    if damaged != line:
        refused(damaged)


@given(st.text(max_size=100))
def test_text_is_no_key(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("end", range(len(ANN.exported)))
def test_a_line_that_is_cut_off_is_called_that(end: int) -> None:
    assert ("cut off" in refused(ANN.exported[:end]).text) == (end > 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (ANN.exported[:-1] + "0", "checksum"),
        (ANN.exported.upper(), "not an exported key"),
        (ANN.exported.replace("91267e8a", "91267E8A"), "checksum"),
        (ANN.exported + "0", "checksum"),
        (ANN.exported.replace("Hh8:", "Hh9:"), "checksum"),  # a bit that is not the seed's
        (ANN.exported.replace("key-1", "key-2"), "ipcchat-key-2"),
        (ANN.public, "not an exported key"),
        (ANN.stored, "not an exported key"),
        ("", "not an exported key"),
    ],
)
def test_what_is_wrong_is_named(line: str, told: str) -> None:
    assert told in refused(line).text


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", "é" * 43])
def test_a_stored_key_has_one_spelling(text: str) -> None:
    with pytest.raises(TextError, match="a stored key"):
        Identity.from_stored(text)


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys; from ipcchat.trust.identity import Identity;"
        "Identity.from_exported(Identity.make().exported);"
        "assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_equal_keys_are_equal() -> None:
    seed = secrets.token_bytes(32)
    assert {Identity(seed), Identity(seed)} == {Identity(seed)}
    assert Identity(seed) != Identity.make()
    assert Identity(seed) != seed
