"""The server's certificate: made once, whole, private; a wrong one is one sentence and a hint."""

import datetime
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ipcchat.errors import FileError, IpcchatError, SettingError
from ipcchat.trust import certificate
from ipcchat.trust.certificate import fingerprint, own, read_certificate, server_context, shown

PKCS8 = serialization.PrivateFormat.PKCS8
PEM = serialization.Encoding.PEM


def only(pem: bytes, what: bytes) -> bytes:
    """The key, or the certificate, of a file that holds both."""
    begin = pem.index(b"-----BEGIN " + what)
    end = b"-----END " + what + b"-----\n"
    return pem[begin : pem.index(end, begin) + len(end)]


def check(error: IpcchatError, path: Path) -> None:
    assert str(path) in error.text and error.hint
    assert "\n" not in error.text + error.hint


# --- made ---------------------------------------------------------------------------------


def test_it_is_what_a_server_needs_for_ten_years(tmp_path: Path) -> None:
    der, digest = read_certificate(own(tmp_path))
    made = x509.load_der_x509_certificate(der)
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    now = datetime.datetime.now(datetime.UTC)
    assert made.not_valid_before_utc < now
    assert 3640 < (made.not_valid_after_utc - now).days < 3660
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["127.0.0.1", "::1"]
    made.verify_directly_issued_by(made)
    assert digest == made.fingerprint(hashes.SHA256()).hex()


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = own(tmp_path / "data")
    assert path.name == "tls.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    before = path.read_bytes()
    assert own(tmp_path / "data") == path and path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["tls.pem"]


def test_each_is_another() -> None:
    assert read_certificate(certificate.make())[1] != read_certificate(certificate.make())[1]


def test_of_starts_at_once_the_first_counts(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ipcchat.trust.certificate import *;"
        "sys.stdin.read(1); print(read_certificate(own(Path(sys.argv[1])))[1])"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("x")
        start.stdin.flush()
    said = {start.communicate()[0].strip() for start in starts}
    assert said == {read_certificate(tmp_path / "data" / "tls.pem")[1]}
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_threads_at_once_too(tmp_path: Path) -> None:
    barrier, found = threading.Barrier(8), []

    def start() -> None:
        barrier.wait()
        found.append(read_certificate(own(tmp_path))[1])

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_one_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    path = own(tmp_path)
    path.chmod(0o644)
    own(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        lambda pem: b"",
        lambda pem: b"\xff" * 100,
        lambda pem: pem[: len(pem) // 2],
        lambda pem: only(pem, b"CERTIFICATE"),
        lambda pem: only(pem, b"PRIVATE KEY"),
        lambda pem: pem.replace(b"MII", b"MIJ"),
        lambda pem: only(certificate.make(), b"PRIVATE KEY") + only(pem, b"CERTIFICATE"),
    ],
)
def test_a_damaged_one_is_told_of_and_stays(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = own(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(FileError) as caught:
        own(tmp_path)
    check(caught.value, path)
    assert "move it away" in caught.value.hint
    assert path.read_bytes() == before


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot make the directory"):
        own(tmp_path / "file" / "data")
    (tmp_path / "tls.pem").mkdir()
    with pytest.raises(FileError) as caught:
        own(tmp_path)
    check(caught.value, tmp_path / "tls.pem")


# --- its successor ------------------------------------------------------------------------


def test_a_successor_takes_its_place(tmp_path: Path) -> None:
    path = own(tmp_path)
    following = certificate.successor(tmp_path)
    assert following != path and following.stat().st_mode & 0o777 == 0o600
    assert certificate.successor(tmp_path) == following
    expected = read_certificate(following)
    assert expected != read_certificate(path)
    assert certificate.switch(tmp_path) == path
    assert read_certificate(path) == expected and not following.exists()
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_good_successor_nothing_changes(tmp_path: Path) -> None:
    path = own(tmp_path)
    before = path.read_bytes()
    with pytest.raises(FileError, match="no successor"):
        certificate.switch(tmp_path)
    certificate.successor(tmp_path).write_text("rubbish")
    with pytest.raises(FileError):
        certificate.switch(tmp_path)
    assert path.read_bytes() == before


# --- fingerprints -------------------------------------------------------------------------


def test_a_fingerprint_is_what_openssl_says(tmp_path: Path) -> None:
    path = own(tmp_path)
    command = ["openssl", "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    der, digest = read_certificate(path)
    assert said.partition("=")[2].strip().replace(":", "").lower() == digest == fingerprint(der)
    assert shown(digest).replace(" ", "") == digest
    assert {len(group) for group in shown(digest).split()} == {4}


# --- what an operator gives ---------------------------------------------------------------


def test_tls_1_3_alone_and_no_tickets() -> None:
    context = server_context(certificate.make())
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.num_tickets == 0


def test_a_pair_of_files_and_a_chain(tmp_path: Path) -> None:
    pem = certificate.make()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(only(pem, b"CERTIFICATE") + only(certificate.make(), b"CERTIFICATE"))
    key.write_bytes(only(pem, b"PRIVATE KEY"))
    server_context(chain, key)
    assert read_certificate(chain) == read_certificate(pem)


def files(place: Path) -> tuple[Path, Path]:
    pem = certificate.make()
    pair = place / "cert.pem", place / "key.pem"
    pair[0].write_bytes(only(pem, b"CERTIFICATE"))
    pair[1].write_bytes(only(pem, b"PRIVATE KEY"))
    return pair


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "is a directory"),
        (lambda path: path.write_bytes(b""), "holds no"),
        (lambda path: path.write_bytes(os.urandom(500)), "holds no"),
        (lambda path: path.write_bytes(path.read_bytes()[:99]), "holds no|damaged"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"MI", b"MJ")), "damaged"),
    ],
)
def test_a_file_that_will_not_do(
    tmp_path: Path, which: int, spoil: Callable[[Path], object], says: str
) -> None:
    pair = files(tmp_path)
    spoil(pair[which])
    with pytest.raises(SettingError, match=says) as caught:
        server_context(*pair)
    check(caught.value, pair[which])


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    chain, key = files(tmp_path)
    others = (certificate.make(), _rsa())
    for other in others:
        key.write_bytes(only(other, b"PRIVATE KEY"))
        with pytest.raises(SettingError, match="is not the one of") as caught:
            server_context(chain, key)
        check(caught.value, key)


def _rsa() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(PEM, PKCS8, serialization.NoEncryption())


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    chain, key = files(tmp_path)
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"hush")
    for form in (PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        key.write_bytes(plain.private_bytes(PEM, form, secret))
        with pytest.raises(SettingError, match="is encrypted") as caught:
            server_context(chain, key)
        check(caught.value, key)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read(tmp_path: Path) -> None:
    chain, key = files(tmp_path)
    key.chmod(0)
    with pytest.raises(SettingError, match="permission"):
        server_context(chain, key)
