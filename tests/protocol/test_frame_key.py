"""A frame's key in its SEI message; through a real encoder and decoder: ``test_units.py``."""

import random

import pytest

from sharp_xr_protocol.frame_key import FRAME_UUID, escaped, key_of_message, key_of_unit, key_unit


def test_a_message_of_somebody_else_has_no_key() -> None:
    assert key_of_message(bytes(16) + b"1234") is None
    assert key_of_message(FRAME_UUID + b"12") is None


def test_no_start_code_is_left_inside_a_unit() -> None:
    """H.264, 7.4.1.1: 00 00 followed by 00 to 03 is escaped with 03."""
    assert escaped(bytes([0, 0, 0, 0, 0, 1])) == bytes([0, 0, 3, 0, 0, 3, 0, 1])
    assert escaped(bytes([0, 0, 3])) == bytes([0, 0, 3, 3])
    assert escaped(bytes([0, 0, 4])) == bytes([0, 0, 4])
    chance = random.Random(1)
    for _ in range(100):
        unit = escaped(bytes(chance.choices(range(4), k=200)))
        assert not any(bytes([0, 0, low]) in unit for low in (0, 1, 2))


@pytest.mark.parametrize("key", [0, 1, 0x03000000, 0x00000300, 0x01000000, 1 << 16, (1 << 32) - 1])
def test_keys_of_many_zeros_are_read_from_the_sei_too(key: int) -> None:
    unit = key_unit(key) + b"\0\0\0\1\x65slice"
    assert key_of_unit(unit) == key


@pytest.mark.parametrize(
    "data", [b"", FRAME_UUID, FRAME_UUID + b"\1\2\3", FRAME_UUID[:15] + b"12345"]
)
def test_half_a_message_is_none(data: bytes) -> None:
    assert key_of_unit(data) is None
