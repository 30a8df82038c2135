"""What the network did to a session's video."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Packets, unless said otherwise."""

    received: int = 0
    received_bytes: int = 0
    missing: int = 0
    """Did not come in their turn."""
    repaired: int = 0
    """Of those: came later, and in time."""
    lost: int = 0
    """Of those: given up."""
    duplicate: int = 0
    """Came twice, or after they had been given up."""
    nacks: int = 0
    """Packets asked for, again counts."""
    plis: int = 0
    """Key frames asked for."""
    undecodable_frames: int = 0
    """Frames that came at least in part, but never became a picture."""
