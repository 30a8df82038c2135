"""Rigid poses and fields of view, in OpenXR's conventions.

Axes are right-handed: x right, y up, z towards the viewer. Lengths are metres, angles radians.
A pose named ``target_from_source`` maps points of the source frame into the target frame, so that
``world_from_eye = world_from_head @ head_from_eye``. Everything here is finite: a NaN or an
infinity raises :class:`ValueError` where the value is made, not frames later.
"""

from __future__ import annotations

import math

import msgspec

Vector3 = tuple[float, float, float]
"""x, y, z."""

Quaternion = tuple[float, float, float, float]
"""x, y, z, w of a unit quaternion (the order of ``XrQuaternionf``)."""

IDENTITY_QUATERNION: Quaternion = (0.0, 0.0, 0.0, 1.0)

NORM_TOLERANCE = 0.01
"""How far a quaternion's norm may be from 1 before it is refused (OpenXR 1.1, XrPosef: 1 %)."""


class Pose(msgspec.Struct, frozen=True):
    """A rigid transform, OpenXR's ``XrPosef``: rotate by ``orientation``, then add ``position``.

    Raises:
        ValueError: a number is not finite, or the quaternion's norm is further than 1 % from 1.
    """

    position: Vector3 = (0.0, 0.0, 0.0)
    """Metres."""
    orientation: Quaternion = IDENTITY_QUATERNION

    def __post_init__(self) -> None:
        norm = math.hypot(*self.orientation)
        if not (all(map(math.isfinite, self.position)) and math.isfinite(norm)):
            raise ValueError("a pose has a number that is not finite")
        if abs(norm - 1.0) > NORM_TOLERANCE:
            raise ValueError(f"an orientation has norm {norm:.3g}, wanted a unit quaternion")

    def __matmul__(self, other: Pose) -> Pose:
        """Compose: ``(a_from_b @ b_from_c)`` is ``a_from_c``."""
        return Pose(
            self.transform(other.position),
            normalized(multiply(self.orientation, other.orientation)),
        )

    def inverse(self) -> Pose:
        """``b_from_a`` of ``a_from_b``."""
        turned_back = conjugate(self.orientation)
        x, y, z = rotate(turned_back, self.position)
        return Pose((-x, -y, -z), turned_back)

    def transform(self, point: Vector3) -> Vector3:
        """The point of the source frame, in the target frame."""
        x, y, z = rotate(self.orientation, point)
        px, py, pz = self.position
        return (x + px, y + py, z + pz)


class Velocity(msgspec.Struct, frozen=True):
    """How a frame moves, both vectors in world axes (as in OpenXR's ``XrSpaceVelocity``)."""

    linear: Vector3 = (0.0, 0.0, 0.0)
    """Metres per second."""
    angular: Vector3 = (0.0, 0.0, 0.0)
    """Radians per second about each axis."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.linear, *self.angular))):
            raise ValueError("a velocity has a number that is not finite")


class Fov(msgspec.Struct, frozen=True):
    """A field of view, OpenXR's ``XrFovf``: angles from the optical axis, left and down negative.

    Raises:
        ValueError: an angle is not finite, is 90 degrees or more, or the field is empty.
    """

    left: float
    right: float
    up: float
    down: float

    def __post_init__(self) -> None:
        for angle in (self.left, self.right, self.up, self.down):
            # A NaN fails this comparison as well.
            if not abs(angle) < math.pi / 2:
                raise ValueError(f"a field of view has an angle of {angle} rad, wanted below pi/2")
        if not (self.left < self.right and self.down < self.up):
            raise ValueError("a field of view is empty: wanted left < right and down < up")

    @staticmethod
    def symmetric(horizontal: float, vertical: float) -> Fov:
        """The field with these full angles, the optical axis in its middle."""
        return Fov(-horizontal / 2, horizontal / 2, vertical / 2, -vertical / 2)


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Hamilton product: the rotation that does ``b`` first."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(q: Quaternion) -> Quaternion:
    """The inverse rotation of a unit quaternion."""
    x, y, z, w = q
    return (-x, -y, -z, w)


def normalized(q: Quaternion) -> Quaternion:
    """Scaled to norm 1. Raises ValueError for the zero quaternion."""
    norm = math.hypot(*q)
    if not norm > 0.0:
        raise ValueError("the zero quaternion is no rotation")
    x, y, z, w = q
    return (x / norm, y / norm, z / norm, w / norm)


def rotate(q: Quaternion, v: Vector3) -> Vector3:
    """The vector, turned by a unit quaternion."""
    x, y, z, w = q
    vx, vy, vz = v
    # v + 2 w (u x v) + 2 u x (u x v), with u the vector part.
    tx, ty, tz = 2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)
    return (
        vx + w * tx + y * tz - z * ty,
        vy + w * ty + z * tx - x * tz,
        vz + w * tz + x * ty - y * tx,
    )


def from_rotation_vector(rotation: Vector3) -> Quaternion:
    """The quaternion that turns about ``rotation`` by its length in radians."""
    angle = math.hypot(*rotation)
    # sin(a/2)/a, with its limit 1/2 at zero.
    scale = math.sin(angle / 2) / angle if angle > 1e-9 else 0.5
    x, y, z = rotation
    return normalized((x * scale, y * scale, z * scale, math.cos(angle / 2)))


def slerp(a: Quaternion, b: Quaternion, t: float) -> Quaternion:
    """Spherical interpolation along the shorter arc (Shoemake 1985): ``a`` at 0, ``b`` at 1."""
    cosine = sum(p * q for p, q in zip(a, b, strict=True))
    if cosine < 0.0:
        bx, by, bz, bw = b
        b, cosine = (-bx, -by, -bz, -bw), -cosine
    angle = math.acos(min(cosine, 1.0))
    if angle < 1e-6:  # the weights' limit; sin(angle) is too small to divide by
        weight_a, weight_b = 1.0 - t, t
    else:
        weight_a = math.sin((1.0 - t) * angle) / math.sin(angle)
        weight_b = math.sin(t * angle) / math.sin(angle)
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return normalized(
        (
            weight_a * ax + weight_b * bx,
            weight_a * ay + weight_b * by,
            weight_a * az + weight_b * bz,
            weight_a * aw + weight_b * bw,
        )
    )


def interpolate(a: Pose, b: Pose, t: float) -> Pose:
    """Between two poses: positions linearly, orientations by :func:`slerp`."""
    ax, ay, az = a.position
    bx, by, bz = b.position
    position = (ax + t * (bx - ax), ay + t * (by - ay), az + t * (bz - az))
    return Pose(position, slerp(a.orientation, b.orientation, t))


def predict(world_from_head: Pose, velocity: Velocity, seconds: float) -> Pose:
    """Where the head is ``seconds`` later if its velocity stays (constant in world axes)."""
    x, y, z = world_from_head.position
    vx, vy, vz = velocity.linear
    wx, wy, wz = velocity.angular
    turn = from_rotation_vector((wx * seconds, wy * seconds, wz * seconds))
    return Pose(
        (x + vx * seconds, y + vy * seconds, z + vz * seconds),
        normalized(multiply(turn, world_from_head.orientation)),
    )
