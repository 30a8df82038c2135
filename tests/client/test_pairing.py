"""A headset's machine that pairs, over real TLS, with servers that know the code and others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.client.partner import CODE, Partner

from sharp_xr_client import remembered
from sharp_xr_client.address import Address, parse_address
from sharp_xr_client.pairing import paired
from sharp_xr_client.problem import ClientError


def refusal(address: Address, code: str = CODE) -> str:
    with pytest.raises(ClientError) as refused:
        asyncio.run(paired(address, code))
    return str(refused.value)


def test_the_code_becomes_token_and_fingerprint(partner: Partner) -> None:
    found = asyncio.run(paired(partner.address, "7km q2x"))
    assert (found.token, found.fingerprint) == ("secret", partner.fingerprint)
    assert found.url == partner.address.url


def test_a_server_without_the_code_learns_nothing_of_it(partner: Partner) -> None:
    partner.code = "000-000"
    assert "does not know this code" in refusal(partner.address)
    assert partner.finished == 0, "no proof, which could be compared with guesses"


def test_who_stands_between_and_passes_all_on_is_noticed(partner: Partner) -> None:
    """It shows a certificate of its own; the server's code is bound to the server's."""
    partner.certificate_of_the_code = "ab" * 32
    assert "somebody else answers in its place" in refusal(partner.address)
    assert partner.finished == 0


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        ("<html>", "it sent no share"),
        ({}, "it sent no share"),
        ({"share": 5, "proof": ""}, "it sent no share"),
        ({"share": "00" * 384, "proof": ""}, "it sent a share"),
        ({"share": "00" * 383 + "01", "proof": ""}, "it sent a share"),
        ({"share": "12" * 384, "proof": ""}, "does not know this code"),
        ({"share": "12" * 384, "proof": "\u00e9"}, "it sent no proof"),
    ],
)
def test_a_server_that_lies_is_one_sentence(
    partner: Partner, lie: dict[str, Any] | str, sentence: str
) -> None:
    partner.lie = lie
    assert sentence in refusal(partner.address)
    assert partner.finished == 0


def test_what_cannot_pair_is_said_before_anything_is_sent() -> None:
    plain = parse_address("http://127.0.0.1:9")
    assert "--pair is for TLS: use https://" in refusal(plain)
    nobody = parse_address("https://127.0.0.1:9")
    assert "no server answers" in refusal(nobody)
    assert "is no pairing code" in refusal(nobody, "7KM")


# --- what is remembered --------------------------------------------------------------------------


def test_a_paired_server_is_known_by_its_address_alone(home: Path) -> None:
    bare = parse_address("https://photo.example:8443")
    assert remembered.completed(bare) == bare
    known = parse_address("https://photo.example:8443", "secret", "ab" * 32)
    remembered.keep(known)
    remembered.keep(parse_address("https://other.example", "other", "cd" * 32))
    assert home.stat().st_mode & 0o777 == 0o600
    assert remembered.completed(bare) == known
    for other in (
        parse_address("http://photo.example:8443"),
        parse_address("https://photo.example"),
        parse_address("https://photo.example:8443", "mine"),
        parse_address("https://photo.example:8443", None, "ef" * 32),
    ):
        assert remembered.completed(other) == other


@pytest.mark.parametrize("content", ["", "[]", '{"https://a/": 1}', "\0"])
def test_a_spoilt_memory_is_one_sentence(home: Path, content: str) -> None:
    home.parent.mkdir()
    home.write_text(content)
    with pytest.raises(ClientError, match="mend or remove it"):
        remembered.completed(parse_address("https://a"))
