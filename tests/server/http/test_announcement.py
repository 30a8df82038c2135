"""What the server prints when it is ready."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import pytest

from sharp_xr.http.announcement import about, address, announce
from sharp_xr.http.certificates import Certificate, given, kept, make

NOW = datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize(
    ("host", "token", "scheme", "url"),
    [
        ("127.0.0.1", None, "http", "http://127.0.0.1:80/"),
        ("::1", None, "https", "https://[::1]:80/"),
        ("192.168.1.5", "t", "http", "http://192.168.1.5:80/?token=t"),
    ],
)
def test_the_page_s_address_can_be_opened(
    host: str, token: str | None, scheme: str, url: str
) -> None:
    assert address(host, 80, token, scheme) == url


def test_all_addresses_become_one_that_others_can_reach() -> None:
    assert "0.0.0.0" not in address("0.0.0.0", 80, None)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return kept(tmp_path, "127.0.0.1", NOW)


def test_the_warning_of_browsers_is_explained_with_the_fingerprint(
    certificate: Certificate,
) -> None:
    words = about(certificate, "127.0.0.1")
    assert certificate.fingerprint in words
    assert f"until {certificate.until:%d %B %Y}" in words
    assert "browsers warn once" in words and '"Proceed"' in words


def test_a_foreign_certificate_tells_for_whom_it_is(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    file.write_bytes(make(["photos.example.org"], NOW))
    words = about(given(file, None, NOW), "192.168.1.5")
    assert "not for 192.168.1.5 but for photos.example.org: open that name" in words
    assert "not for" not in about(given(file, None, NOW), "photos.example.org")


def test_a_pairing_code_is_what_the_qr_code_holds_and_how_a_headset_gets_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("sharp_xr.http.announcement._print_qr", shown.append)
    announce("https://192.168.1.5:80/?token=t", "0.0.0.0", None, "7KM-Q2X")
    assert shown == ["https://192.168.1.5:80/?pair=7KM-Q2X"]
    out = capsys.readouterr().out
    assert "sharp-xr-client https://192.168.1.5:80 --pair 7KM-Q2X\n" in out
    assert "in its browser https://192.168.1.5:80/ and the code 7KM-Q2X\n" in out
    announce("https://192.168.1.5:80/?token=t", "0.0.0.0", None)
    assert shown[1:] == ["https://192.168.1.5:80/?token=t"]
    assert "--pair" not in capsys.readouterr().out


@pytest.mark.parametrize(("host", "is_coded"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_terminal_shows_a_code_for_who_can_come_from_elsewhere(
    host: str,
    is_coded: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    announce("https://192.168.1.5:80/?token=t", host, None)
    out = capsys.readouterr().out
    assert out.startswith("sharp-xr: open https://192.168.1.5:80/?token=t\n")
    assert ("█" in out) == is_coded
