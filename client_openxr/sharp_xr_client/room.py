"""Whether the room is seen around the photo, and by which of the runtime's ways."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

BlendMode = Literal["OPAQUE", "ADDITIVE", "ALPHA_BLEND"]
"""Names of ``XrEnvironmentBlendMode``."""
PASSTHROUGH = "XR_FB_passthrough"


@dataclass(frozen=True)
class Room:
    """How frames are blended with what is around."""

    mode: BlendMode
    is_clear: bool
    """The picture has alpha, premultiplied: 0 where the photo has nothing."""
    passthrough: bool = False
    """A layer of the room lies below ours."""
    problem: str | None = None
    """Why it is not what was wished: a sentence for the person."""


def choose_room(offered: Collection[BlendMode], extensions: Collection[str], wish: bool) -> Room:
    """The way for this headset.

    Args:
        offered: the runtime's blend modes.
        extensions: that the runtime has.
        wish: the room is to be seen.
    """
    if not wish:
        if "OPAQUE" in offered or not offered:
            return Room("OPAQUE", is_clear=False)
        # Glasses that see through anyway: what is black lets the room in, and nothing prevents it.
        mode: BlendMode = "ALPHA_BLEND" if "ALPHA_BLEND" in offered else "ADDITIVE"
        return Room(mode, is_clear=False)
    if "ALPHA_BLEND" in offered:
        return Room("ALPHA_BLEND", is_clear=True)
    if PASSTHROUGH in extensions:
        return Room("OPAQUE", is_clear=True, passthrough=True)
    if "ADDITIVE" in offered:
        return Room("ADDITIVE", is_clear=True)
    return Room("OPAQUE", is_clear=False, problem="this headset cannot show the room around it")
