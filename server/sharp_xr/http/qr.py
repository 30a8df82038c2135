"""QR codes, for a page to draw."""

from __future__ import annotations

QUIET = 2
"""Modules of white around it."""


def rows(text: str) -> list[str]:
    """From top to bottom; each is as long as there are rows, "1" where it is dark."""
    import qrcode

    code = qrcode.QRCode(border=QUIET)
    code.add_data(text)
    return ["".join("1" if dark else "0" for dark in row) for row in code.get_matrix()]
