"""Where the photo stands in the room, and how large.

The room is the headset's reference space; the photo's world has the photo's camera at its origin,
looking along -z. At first they meet where the head is, and a metre is a metre.

    room point = room_from_photo @ (scale * photo point)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sharp_xr_protocol.geometry import (
    Pose,
    Quaternion,
    Vector3,
    conjugate,
    multiply,
    normalized,
    rotate,
)

SMALLEST, LARGEST = 0.05, 20.0
"""Scales: a street as a model on a table, a model that one walks into."""


@dataclass(frozen=True)
class Placement:
    """A similarity: turned, scaled, moved."""

    room_from_photo: Pose = Pose()
    scale: float = 1.0
    """Metres of the room per metre of the photo."""

    def photo_from_room(self, room_from_thing: Pose) -> Pose:
        """The same thing's pose in the photo's world; lengths shrink where the photo has grown."""
        back = conjugate(self.room_from_photo.orientation)
        ox, oy, oz = self.room_from_photo.position
        x, y, z = room_from_thing.position
        x, y, z = rotate(back, (x - ox, y - oy, z - oz))
        position = (x / self.scale, y / self.scale, z / self.scale)
        return Pose(position, normalized(multiply(back, room_from_thing.orientation)))

    def room_from(self, photo_from_thing: Pose) -> Pose:
        """The inverse of :meth:`photo_from_room`."""
        x, y, z = photo_from_thing.position
        scaled = Pose(
            (x * self.scale, y * self.scale, z * self.scale), photo_from_thing.orientation
        )
        return self.room_from_photo @ scaled

    def at(self, scale: float) -> Placement:
        """With this scale, within SMALLEST and LARGEST."""
        return Placement(self.room_from_photo, min(max(scale, SMALLEST), LARGEST))


def recentred(room_from_head: Pose, scale: float = 1.0) -> Placement:
    """The photo's camera is where the head is, level, and looks where the head looks."""
    heading = turn_about_up(yaw(room_from_head.orientation))
    return Placement(Pose(room_from_head.position, heading), scale)


def yaw(orientation: Quaternion) -> float:
    """Of what looks along -z: radians to the left, about the room's up.

    Somebody who looks straight up or down has the heading of the top of their head.
    """
    x, _, z = rotate(orientation, (0.0, 0.0, -1.0))
    if math.hypot(x, z) < 1e-3:
        looks_up = rotate(orientation, (0.0, 0.0, -1.0))[1] > 0
        ux, _, uz = rotate(orientation, (0.0, 1.0, 0.0))
        x, z = (-ux, -uz) if looks_up else (ux, uz)
    return math.atan2(-x, -z)


def turn_about_up(radians: float) -> Quaternion:
    """Positive turns left."""
    return (0.0, math.sin(radians / 2), 0.0, math.cos(radians / 2))


def middle(a: Vector3, b: Vector3) -> Vector3:
    """The point halfway."""
    (ax, ay, az), (bx, by, bz) = a, b
    return ((ax + bx) / 2, (ay + by) / 2, (az + bz) / 2)
