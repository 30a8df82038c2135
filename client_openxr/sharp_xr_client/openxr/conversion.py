"""Poses, fields of view and velocities, as OpenXR's structures have them and as the wire does.

Axes and units are the same: x right, y up, z back, metres, radians.
"""

from __future__ import annotations

import xr

from sharp_xr_protocol.geometry import Fov, Pose, Vector3, Velocity


def pose_from(posef: xr.Posef) -> Pose:
    """Of OpenXR's."""
    p, q = posef.position, posef.orientation
    return Pose((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))


def posef_from(pose: Pose) -> xr.Posef:
    """For OpenXR."""
    return xr.Posef(
        orientation=xr.Quaternionf(*pose.orientation), position=xr.Vector3f(*pose.position)
    )


def fov_from(fov: xr.Fovf) -> Fov:
    """Of OpenXR's."""
    return Fov(fov.angle_left, fov.angle_right, fov.angle_up, fov.angle_down)


def fovf_from(fov: Fov) -> xr.Fovf:
    """For OpenXR."""
    return xr.Fovf(fov.left, fov.right, fov.up, fov.down)


def velocity_from(found: xr.SpaceVelocity) -> Velocity:
    """Of OpenXR's; what is not known is 0."""

    def vector(value: xr.Vector3f, valid: xr.SpaceVelocityFlags) -> Vector3:
        if not found.velocity_flags & valid.value:
            return (0.0, 0.0, 0.0)
        return (value.x, value.y, value.z)

    flags = xr.SpaceVelocityFlags
    return Velocity(
        vector(found.linear_velocity, flags.LINEAR_VALID_BIT),
        vector(found.angular_velocity, flags.ANGULAR_VALID_BIT),
    )
