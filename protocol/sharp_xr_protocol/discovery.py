"""How a server says in a local network that it is there: DNS-SD over multicast (RFC 6762, 6763).

One service whose TXT record has the fingerprint of the certificate. Nobody need believe it: whoever
connects wants just that certificate, and pairs by the code or has paired before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SERVICE_TYPE = "_sharp-xr._tcp.local."
_KEY = "fingerprint"


def properties(fingerprint: str) -> dict[str, str]:
    """The TXT record.

    Args:
        fingerprint: SHA-256 of the certificate, hexadecimal, with or without colons.
    """
    return {_KEY: fingerprint.replace(":", "").lower()}


def fingerprint_in(found: Mapping[str, str | None]) -> str | None:
    """64 small letters; None where the record has none."""
    text = found.get(_KEY) or ""
    return text if re.fullmatch("[0-9a-f]{64}", text) else None
