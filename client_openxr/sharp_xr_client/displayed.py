"""How far what a display shows is from where the head is: the reason for warping, as figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sharp_xr_client.reprojection import reproject
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import Eye, FrameHeader

SAMPLES = 100
"""Ticks at most at which the uncovered share is worked out: each takes milliseconds."""


@dataclass(frozen=True)
class Displayed:
    """What one tick of a display shows."""

    header: FrameHeader
    """Of the newest frame."""
    head: Pose
    """world_from_head at the tick."""
    eyes: tuple[Eye, Eye]
    """The display's."""
    is_warped: bool
    """To that head; else it is shown as it was drawn."""

    @property
    def moved(self) -> tuple[float, float]:
        """Metres and radians from the pose that the frame was drawn for to the head."""
        drawn_from_head = self.header.head.inverse() @ self.head
        x, y, z, w = drawn_from_head.orientation
        return math.hypot(*drawn_from_head.position), 2 * math.atan2(math.hypot(x, y, z), abs(w))

    @property
    def off(self) -> tuple[float, float]:
        """Metres and radians by which the picture on the display is of another pose."""
        metres, radians = self.moved
        if not self.is_warped:
            return metres, radians
        return (0.0 if self.header.near_m > 0 else metres), 0.0

    @property
    def uncovered(self) -> float:
        """Share of the display, 0 to 1, whose far distance the frame did not see: both eyes."""
        header, head = self.header, self.head if self.is_warped else self.header.head
        shares = [
            reproject(
                header.head @ drawn.pose,
                drawn.fov,
                head @ shown.pose,
                shown.fov,
                header.layout,
                header.near_m,
            ).uncovered_share()
            for drawn, shown in zip(header.eyes, self.eyes, strict=True)
        ]
        return sum(shares) / len(shares)


def figures(ticks: Sequence[Displayed]) -> dict[str, float]:
    """Of a session; nothing where nothing was displayed."""
    if not ticks:
        return {}
    found: dict[str, float] = {}
    for name, pairs in (
        ("head_moved", [tick.moved for tick in ticks]),
        ("shown_off", [tick.off for tick in ticks]),
    ):
        metres, radians = np.array(pairs).T
        for unit, values in (("mm", 1e3 * metres), ("deg", np.degrees(radians))):
            found[f"{name}_median_{unit}"] = float(np.median(values))
            found[f"{name}_p95_{unit}"] = float(np.percentile(values, 95))
    some = ticks[:: math.ceil(len(ticks) / SAMPLES)]
    uncovered = [tick.uncovered for tick in some]
    found["uncovered_share_mean"] = float(np.mean(uncovered))
    found["uncovered_share_max"] = float(np.max(uncovered))
    return found
