"""What the sessions of one server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sharp_xr.clients.video import OpenVideo
from sharp_xr_protocol.messages import Scene

if TYPE_CHECKING:
    from sharp_xr.stream.loop import ShownScene


class Gallery(Protocol):
    """The scenes that a client may see."""

    def scenes(self) -> list[Scene]:
        """Newest first."""
        ...

    async def load(self, scene_id: str) -> tuple[Scene, ShownScene]:
        """Raises LookupError with one sentence."""
        ...


@dataclass(frozen=True)
class Host:
    """What the sessions of one server share."""

    server: str
    """Name and version."""
    renderer: str
    model: str
    gallery: Gallery
    open_video: OpenVideo
    max_eye_px: int = 512
    """The longer side of one eye's picture at most."""
