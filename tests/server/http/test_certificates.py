"""The certificate that is made and kept, and the user's own."""

from __future__ import annotations

import datetime
import hashlib
import ssl
import stat
from pathlib import Path

import pytest

from sharp_xr.http import certificates
from sharp_xr.http.certificates import CertificateError, given, kept, make

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_it_is_for_this_machine_s_names_and_addresses(tmp_path: Path) -> None:
    certificate = kept(tmp_path / "https", "192.168.7.9", NOW)
    for name in ("192.168.7.9", "127.0.0.1", "localhost"):
        assert certificate.is_for(name)
    assert not certificate.is_for("192.168.7.10")
    assert certificate.is_own
    assert 390 * DAY < certificate.until - NOW < 398 * DAY


def test_the_fingerprint_is_what_browsers_show(tmp_path: Path) -> None:
    certificate = kept(tmp_path, "localhost", NOW)
    pem = certificate.file.read_text().partition("-----BEGIN CERTIFICATE")[1:]
    der = ssl.PEM_cert_to_DER_cert("".join(pem))
    assert certificate.fingerprint.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert certificate.fingerprint.count(":") == 31


def test_only_the_user_can_read_the_key(tmp_path: Path) -> None:
    file = kept(tmp_path / "https", "localhost", NOW).file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    kept(tmp_path / "https", "localhost", NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_stays_for_a_year_and_is_renewed_in_its_last_month(tmp_path: Path) -> None:
    first = kept(tmp_path, "localhost", NOW)
    assert kept(tmp_path, "localhost", NOW + 360 * DAY) == first
    second = kept(tmp_path, "localhost", NOW + 370 * DAY)
    assert second.fingerprint != first.fingerprint
    assert second.until - first.until == pytest.approx(370 * DAY, abs=2 * DAY)
    assert [file.name for file in tmp_path.iterdir()] == ["server.pem"]


def test_another_network_makes_a_new_one_and_coming_home_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "own_names", lambda: ["localhost"])
    home = kept(tmp_path, "192.168.1.5", NOW)
    office = kept(tmp_path, "10.0.0.7", NOW)
    assert office != home
    assert kept(tmp_path, "192.168.1.5", NOW) == office


@pytest.mark.parametrize("content", [b"", b"no certificate", "half"])
def test_a_file_that_is_broken_is_replaced(tmp_path: Path, content: bytes | str) -> None:
    file = kept(tmp_path, "localhost", NOW).file
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    kept(tmp_path, "localhost", NOW).context()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "https").write_text("", encoding="utf-8")
    with pytest.raises(CertificateError, match="cannot keep a certificate in .*: file exists"):
        kept(tmp_path / "https", "localhost", NOW)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key in two files, as authorities give them."""
    return write_pair(tmp_path, "mine", NOW)


def write_pair(folder: Path, name: str, now: datetime.datetime) -> tuple[Path, Path]:
    before, mark, rest = make(["*.example.org"], now).partition(b"-----BEGIN CERTIFICATE")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    cert.write_bytes(mark + rest)
    key.write_bytes(before)
    return cert, key


def test_the_user_s_own_is_taken_from_two_files_or_one(tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "mine", NOW)
    certificate = given(cert, key, NOW)
    assert certificate.is_for("photos.example.org") and not certificate.is_for("example.org")
    cert.write_bytes(cert.read_bytes() + key.read_bytes())
    assert given(cert, None, NOW).fingerprint == certificate.fingerprint


def test_one_that_has_expired_is_a_sentence_with_the_day(pair: tuple[Path, Path]) -> None:
    with pytest.raises(CertificateError, match=r"mine.crt expired on \d\d \w+ 20\d\d: .*--https"):
        given(*pair, NOW + 500 * DAY)


def test_one_that_begins_tomorrow_is_a_sentence(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "early", NOW + 5 * DAY)
    with pytest.raises(CertificateError, match=r"early.crt is not valid before \d\d \w+ 20\d\d"):
        given(*pair, NOW)


def test_a_key_of_another_certificate_is_a_sentence(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    _, foreign = write_pair(tmp_path, "other", NOW)
    with pytest.raises(
        CertificateError, match="other.key is not the key of the certificate .*mine.crt"
    ):
        given(pair[0], foreign, NOW)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read .*mine.key: no such file or directory"),
        (b"no key", "mine.key holds no private key in PEM form"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n", "holds no private key|is encrypted"),
    ],
)
def test_a_key_that_is_none_is_a_sentence(
    pair: tuple[Path, Path], content: bytes | None, sentence: str
) -> None:
    cert, key = pair
    key.unlink()
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(CertificateError, match=sentence):
        given(cert, key, NOW)


def test_an_encrypted_key_is_a_sentence_and_asks_nobody(pair: tuple[Path, Path]) -> None:
    from cryptography.hazmat.primitives import serialization as form

    cert, key = pair
    secret = form.load_pem_private_key(key.read_bytes(), None)
    lock = form.BestAvailableEncryption(b"secret")
    key.write_bytes(secret.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock))
    with pytest.raises(CertificateError, match="key is encrypted: decrypt it first"):
        given(cert, key, NOW)


def test_a_certificate_that_is_none_is_a_sentence(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    cert, key = pair
    with pytest.raises(CertificateError, match="mine.key holds no certificate in PEM form"):
        given(key, cert, NOW)
    with pytest.raises(CertificateError, match="cannot read .*gone.pem: no such file"):
        given(tmp_path / "gone.pem", key, NOW)
