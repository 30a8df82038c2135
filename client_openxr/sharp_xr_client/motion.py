"""Scripted heads: smooth functions of time that look at a photo's place as people do.

A motion is five sums of sines (three of position, yaw and pitch) and a pivot that the turning goes
around: a point in front of the head to orbit, one behind the eyes for a neck. Its velocity is the
exact derivative.

The world is OpenXR's: x right, y up, the photo's camera at the origin looking along -z. Every
motion starts there at time 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sharp_xr_protocol.geometry import (
    Pose,
    Vector3,
    Velocity,
    from_rotation_vector,
    multiply,
    rotate,
)

MotionName = Literal["orbit", "lean", "shake", "mixed"]

NECK_M: Vector3 = (0.0, -0.10, 0.09)
"""From the middle of the eyes to the joint that the head turns on."""

MAX_ORBIT_RAD = math.radians(20)


@dataclass(frozen=True)
class Sine:
    """``amplitude * sin(2 pi hz t)``."""

    amplitude: float
    hz: float

    def value(self, time_s: float) -> float:
        return self.amplitude * math.sin(math.tau * self.hz * time_s)

    def rate(self, time_s: float) -> float:
        """Derivative by time."""
        return self.amplitude * math.tau * self.hz * math.cos(math.tau * self.hz * time_s)


Sines = tuple[Sine, ...]
"""Their sum."""


@dataclass(frozen=True)
class Motion:
    """A head's way through the world."""

    x: Sines = ()
    """Metres, as are y and z."""
    y: Sines = ()
    z: Sines = ()
    yaw: Sines = ()
    """Radians about +y: positive turns left."""
    pitch: Sines = ()
    """Radians about the turned x axis: positive looks up."""
    pivot: Vector3 = (0.0, 0.0, 0.0)
    """The point of the unturned head that turning leaves where it is, metres."""

    def head(self, time_s: float) -> tuple[Pose, Velocity]:
        """world_from_head and its velocity, ``time_s`` seconds after the start."""
        turn_left = from_rotation_vector((0.0, _value(self.yaw, time_s), 0.0))
        look_up = from_rotation_vector((_value(self.pitch, time_s), 0.0, 0.0))
        orientation = multiply(turn_left, look_up)

        shift = (_value(self.x, time_s), _value(self.y, time_s), _value(self.z, time_s))
        px, py, pz = self.pivot
        pivot_to_head = rotate(orientation, (-px, -py, -pz))
        position = _sum(shift, self.pivot, pivot_to_head)

        # The pitch's axis is turned by the yaw; the yaw's axis is the world's up.
        pitch_axis = rotate(turn_left, (1.0, 0.0, 0.0))
        pitch_rate = _rate(self.pitch, time_s)
        ax, ay, az = pitch_axis
        angular = (ax * pitch_rate, ay * pitch_rate + _rate(self.yaw, time_s), az * pitch_rate)
        shift_rate = (_rate(self.x, time_s), _rate(self.y, time_s), _rate(self.z, time_s))
        linear = _sum(shift_rate, _cross(angular, pivot_to_head))
        return Pose(position, orientation), Velocity(linear, angular)


def motion(name: MotionName, focus_m: float = 2.0) -> Motion:
    """The scripted head of this name, for a scene whose near middle is ``focus_m`` metres away."""
    ahead: Vector3 = (0.0, 0.0, -focus_m)
    # A quarter of a metre to each side, whatever the distance; not around behind near things.
    orbit_rad = min(math.asin(min(0.25 / focus_m, 1.0)), MAX_ORBIT_RAD)
    match name:
        case "orbit":
            return Motion(
                yaw=(Sine(orbit_rad, 0.25),), pitch=(Sine(orbit_rad / 2, 0.17),), pivot=ahead
            )
        case "lean":
            return Motion(x=(Sine(0.20, 0.30),), y=(Sine(0.06, 0.21),), z=(Sine(-0.12, 0.13),))
        case "shake":
            return Motion(
                yaw=(Sine(math.radians(12), 1.2), Sine(math.radians(4), 0.31)),
                pitch=(Sine(math.radians(4), 0.7),),
                pivot=NECK_M,
            )
        case "mixed":
            return Motion(
                x=(Sine(0.12, 0.29),),
                y=(Sine(0.04, 0.21),),
                z=(Sine(-0.08, 0.13),),
                yaw=(Sine(math.radians(8), 0.23), Sine(math.radians(3), 1.1)),
                pitch=(Sine(math.radians(3), 0.37),),
                pivot=NECK_M,
            )


def _value(sines: Sines, time_s: float) -> float:
    return sum(sine.value(time_s) for sine in sines)


def _rate(sines: Sines, time_s: float) -> float:
    return sum(sine.rate(time_s) for sine in sines)


def _sum(*vectors: Vector3) -> Vector3:
    xs, ys, zs = zip(*vectors, strict=True)
    return (sum(xs), sum(ys), sum(zs))


def _cross(a: Vector3, b: Vector3) -> Vector3:
    ax, ay, az = a
    bx, by, bz = b
    return (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
