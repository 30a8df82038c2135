"""What a server says of itself in its network."""

import pytest

from sharp_xr_protocol.discovery import fingerprint_in, properties


def test_a_fingerprint_is_read_as_it_was_said() -> None:
    assert fingerprint_in(properties(":".join(["AB"] * 32))) == "ab" * 32


@pytest.mark.parametrize(
    "text", [None, "", "ab", "AB" * 32, "zz" * 32, "ab" * 33, "ab" * 32 + "\n"]
)
def test_anything_else_is_none(text: str | None) -> None:
    assert fingerprint_in({"fingerprint": text}) is None
    assert fingerprint_in({}) is None
