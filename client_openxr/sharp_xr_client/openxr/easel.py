"""The newest frame as it is shown: warped to where the eyes are, with the pose that it has then."""

from __future__ import annotations

import math
from dataclasses import dataclass

import xr

from sharp_xr_client.follower import Picture
from sharp_xr_client.openxr.painting import Canvas, Painter, Style
from sharp_xr_client.openxr.session import EyeLayer, Session, Sight
from sharp_xr_client.placement import Placement
from sharp_xr_client.reprojection import reproject
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import Eye

STILL_M = 0.0005
"""An eye that moved by less, in the photo's metres, sees the same picture: at 0.3 m this is 0.1
degrees, about a pixel."""


@dataclass(frozen=True)
class Painted:
    """What is in the swapchain's newest picture."""

    key: int
    photo_from_eyes: tuple[Pose, Pose]
    """As warped: the eyes' places, the frame's orientation."""
    eyes: tuple[Eye, Eye]
    width_px: int
    height_px: int
    style: Style


class Easel:
    """Owns the session's swapchain. The painter has the frame's pixels."""

    def __init__(self, session: Session, painter: Painter) -> None:
        self._session = session
        self._painter = painter
        self._canvas: Canvas | None = None
        self._painted: Painted | None = None

    @property
    def swapchain(self) -> xr.Swapchain | None:
        """None before anything was painted."""
        return self._canvas.handle if self._canvas else None

    def paint(self, picture: Picture, placement: Placement, now: Sight, style: Style) -> bool:
        """Show this frame, which was uploaded, to eyes that are there ``now``.

        False: they are where they were, and what is painted stays.
        """
        header, layout = picture.header, picture.header.layout
        left, right = (
            _moved_to(
                header.head @ drawn.pose,
                placement.photo_from_room(now.room_from_head @ eye.pose),
            )
            for drawn, eye in zip(header.eyes, now.eyes, strict=True)
        )
        if not self._is_worth_it(header.key, (left, right), style):
            return False
        eyes = [
            reproject(header.head @ eye.pose, eye.fov, pose, eye.fov, layout, header.near_m)
            for eye, pose in zip(header.eyes, (left, right), strict=True)
        ]
        size = layout.eye_width, layout.eye_height
        with self._canvas_of(*size).next_picture() as target:
            self._painter.paint(target, size, layout, eyes, style)
        self._painted = Painted(header.key, (left, right), header.eyes, *size, style)
        return True

    def layers(self, placement: Placement | None) -> list[EyeLayer]:
        """What is painted, where it stands in the room by now."""
        painted = self._painted
        if painted is None or placement is None:
            return []
        return [
            EyeLayer(
                placement.room_from(pose),
                eye.fov,
                # The right eye is beside the left, whatever the swapchain's own size.
                side * painted.width_px,
                painted.width_px,
                painted.height_px,
            )
            for side, (pose, eye) in enumerate(
                zip(painted.photo_from_eyes, painted.eyes, strict=True)
            )
        ]

    def close(self) -> None:
        if self._canvas is not None:
            self._canvas.close()

    def _is_worth_it(self, key: int, poses: tuple[Pose, Pose], style: Style) -> bool:
        """Whether a new picture would differ from the one that is there."""
        painted = self._painted
        if painted is None or painted.key != key or painted.style != style:
            return True
        return any(
            math.dist(a.position, b.position) > STILL_M
            for a, b in zip(painted.photo_from_eyes, poses, strict=True)
        )

    def _canvas_of(self, width: int, height: int) -> Canvas:
        """Both eyes side by side, each at least so large."""
        canvas, width = self._canvas, 2 * width
        if canvas is None or canvas.width < width or canvas.height < height:
            if canvas is not None:
                width, height = max(width, canvas.width), max(height, canvas.height)
                canvas.close()
            self._canvas = canvas = Canvas(self._session, width, height)
        return canvas


def _moved_to(drawn: Pose, now: Pose) -> Pose:
    """The eye's place by now, with the orientation that the frame was drawn with."""
    return Pose(now.position, drawn.orientation)
