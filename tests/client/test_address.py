"""Addresses as people type and paste them."""

import pytest

from sharp_xr_client.address import parse_address
from sharp_xr_client.problem import ClientError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ws://10.0.0.5:8080/session", "ws://10.0.0.5:8080/session"),
        ("http://10.0.0.5:8080/", "ws://10.0.0.5:8080/session"),
        ("http://10.0.0.5:8080", "ws://10.0.0.5:8080/session"),
        ("https://sharp.example", "wss://sharp.example/session"),
        ("wss://sharp.example/behind/proxy", "wss://sharp.example/behind/proxy"),
        ("10.0.0.5:8080", "ws://10.0.0.5:8080/session"),
        ("localhost:8080", "ws://localhost:8080/session"),
        ("[::1]:8080", "ws://[::1]:8080/session"),
        ("http://host:8080/?token=abc", "ws://host:8080/session"),
    ],
)
def test_every_way_to_name_a_server_leads_to_its_session(text: str, url: str) -> None:
    assert parse_address(text).url == url


def test_the_token_comes_with_the_pasted_url_or_beside_it() -> None:
    assert parse_address("http://host:8080/?token=abc").token == "abc"
    assert parse_address("http://host:8080/?token=abc", "xyz").token == "xyz"
    assert parse_address("https://host:8080/#token=abc").token == "abc"
    assert parse_address("host:8080").token is None


def test_the_page_is_named_without_its_token() -> None:
    assert parse_address("ws://host:80/session?token=abc").page == "http://host:80/"


@pytest.mark.parametrize(
    ("text", "loopback"),
    [("localhost:1", True), ("127.0.0.2:1", True), ("[::1]:1", True), ("10.0.0.5:1", False)],
)
def test_a_server_on_this_machine_is_known_by_its_name(text: str, loopback: bool) -> None:
    assert parse_address(text).is_loopback is loopback


@pytest.mark.parametrize("text", ["ftp://host", "", "http://", "host:port", "ws://[::1"])
def test_what_is_no_address_is_refused_with_what_is_wanted(text: str) -> None:
    with pytest.raises(ClientError, match="wanted ws://host:port/session"):
        parse_address(text)


FINGERPRINT = ":".join(["5B", "2D"] * 16)


@pytest.mark.parametrize(
    "text", [FINGERPRINT, FINGERPRINT.replace(":", ""), f" {FINGERPRINT.lower()} "]
)
def test_a_fingerprint_is_taken_however_it_was_copied(text: str) -> None:
    assert parse_address("https://host:1", fingerprint=text).fingerprint == "5b2d" * 16


@pytest.mark.parametrize(
    ("address", "fingerprint", "sentence"),
    [
        ("https://host:1", "5B:2D", "'5B:2D' is no SHA-256 in hexadecimal, wanted the one that"),
        ("http://host:1", FINGERPRINT, "--fingerprint is for TLS: use https://"),
        ("host:1", FINGERPRINT, "--fingerprint is for TLS"),
    ],
)
def test_a_fingerprint_that_cannot_be_compared_is_refused(
    address: str, fingerprint: str, sentence: str
) -> None:
    with pytest.raises(ClientError, match=sentence):
        parse_address(address, fingerprint=fingerprint)
