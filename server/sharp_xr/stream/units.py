"""NAL units: what an access unit in Annex B form is made of (ITU-T H.264, Annex B)."""

from __future__ import annotations

import re

_START_OF_UNIT = re.compile(b"\0\0\x01(.)", re.DOTALL)


def nal_types(access_unit: bytes) -> list[int]:
    """Of each NAL unit, in order (H.264, table 7-1)."""
    # Emulation prevention keeps this pattern out of everything but the starts of units.
    return [found[1][0] & 31 for found in _START_OF_UNIT.finditer(access_unit)]
