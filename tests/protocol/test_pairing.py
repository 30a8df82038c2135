"""The agreement on a key by a short code, and what somebody between the sides may try."""

import re

import pytest

from sharp_xr_protocol.pairing import (
    LETTERS,
    PRIME,
    SHARE_BYTES,
    PairingError,
    Side,
    address_with,
    code_in,
    new_code,
    read_code,
)

OURS, THEIRS = bytes(32), bytes(31) + b"\1"


def sides(
    code: str = "7KM-Q2X", other: str = "7KM-Q2X", seen: bytes = OURS, shown: bytes = OURS
) -> tuple[Side, Side]:
    """After both have met: a client with what it was told and sees, a server with its own."""
    client, server = Side("client", code, seen), Side("server", other, shown)
    client.meet(server.share)
    server.meet(client.share)
    return client, server


def is_composite(number: int) -> bool:
    """By the first few bases of Miller and Rabin: never of a prime."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7):
        power = pow(base, odd, number)
        squares = [power := power * power % number for _ in range(twos - 1)]
        if pow(base, odd, number) != 1 and number - 1 not in [pow(base, odd, number), *squares]:
            return True
    return False


def test_the_prime_is_a_safe_one_of_3072_bits() -> None:
    assert PRIME.bit_length() == 8 * SHARE_BYTES
    assert not is_composite(PRIME) and not is_composite((PRIME - 1) // 2)
    assert is_composite(PRIME - 2)


def test_the_same_code_over_the_same_certificate_agrees() -> None:
    client, server = sides(code="7km q2x")
    assert client.is_proven_by(server.proof) and server.is_proven_by(client.proof)


@pytest.mark.parametrize(
    "different", [{"other": "7KM-Q2Y"}, {"shown": THEIRS}], ids=["code", "certificate"]
)
def test_another_code_or_certificate_does_not(different: dict[str, str]) -> None:
    client, server = sides(**different)  # type: ignore[arg-type]
    assert not client.is_proven_by(server.proof) and not server.is_proven_by(client.proof)


def test_a_proof_is_no_proof_of_the_other_role_nor_of_another_exchange() -> None:
    client, server = sides()
    again, _ = sides()
    assert not client.is_proven_by(client.proof), "a proof that was sent back"
    assert not server.is_proven_by(again.proof), "a proof that was heard before"
    assert not server.is_proven_by("") and not server.is_proven_by("\u00e9" * 64)


@pytest.mark.parametrize("share", [0, 1, PRIME - 1, PRIME, PRIME + 1])
def test_a_share_that_makes_the_key_known_is_refused(share: int) -> None:
    side = Side("server", "7KM-Q2X", OURS)
    with pytest.raises(PairingError, match="share"):
        side.meet(share.to_bytes(SHARE_BYTES, "big").hex())


@pytest.mark.parametrize(
    "share", ["", "zz" * SHARE_BYTES, "ab", "ab" * (SHARE_BYTES + 1), "\u00e9"]
)
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(PairingError, match="wanted a number of 384 bytes"):
        Side("server", "7KM-Q2X", OURS).meet(share)


def test_shares_are_new_each_time() -> None:
    assert Side("client", "7KM-Q2X", OURS).share != Side("client", "7KM-Q2X", OURS).share


def test_codes_are_read_as_people_write_them() -> None:
    assert read_code(" 7km-q2x\n") == read_code("7 K M Q 2 X") == "7KMQ2X"
    assert read_code("oil-OIL") == "011011"
    for wrong in ("", "7KM-Q2", "7KM-Q2XX", "7KM-Q2!", "7KM-Q2U", "\u0667KM-Q2X"):
        with pytest.raises(PairingError, match="is no pairing code, wanted 6"):
            read_code(wrong)


def test_codes_are_readable_and_differ() -> None:
    codes = {new_code() for _ in range(50)}
    assert len(codes) == 50 and all(
        re.fullmatch(rf"[{LETTERS}]{{3}}-[{LETTERS}]{{3}}", c) for c in codes
    )
    assert len(LETTERS) == 32 and not set("ILOU") & set(LETTERS)


def test_an_address_may_have_the_code() -> None:
    address = address_with("https://192.168.1.5:8080/", "7KM-Q2X")
    assert address == "https://192.168.1.5:8080/?pair=7KM-Q2X"
    assert code_in(address) == "7KM-Q2X"
    for other in ("https://host/?token=x", "https://host/?pair=", "host:8080", "http://[", ""):
        assert code_in(other) is None
