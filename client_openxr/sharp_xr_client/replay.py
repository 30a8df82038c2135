"""Recorded poses, to be sent again as they were: what --record-poses wrote."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sharp_xr_client.problem import ClientError
from sharp_xr_protocol.geometry import Pose, Quaternion, Vector3, Velocity
from sharp_xr_protocol.messages import Eye, Tracking, UInt32


class Line(msgspec.Struct, frozen=True):
    """One line of the file. What else is in it does not matter here."""

    key: UInt32
    time_ns: int
    position: Vector3
    orientation: Quaternion
    linear: Vector3
    angular: Vector3
    eyes: tuple[Eye, Eye]


def read_poses(path: Path) -> list[Tracking]:
    """In the order of the file; nothing is acknowledged in them.

    Raises:
        ClientError: there is no such file, it has no pose, or a line is none.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ClientError(f"cannot read poses from {path}: {error.strerror}") from error
    poses = [_pose(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not poses:
        raise ClientError(f"{path} has no pose")
    for number, (before, pose) in enumerate(zip(poses, poses[1:], strict=False), 2):
        if pose.time_ns <= before.time_ns:
            raise ClientError(f"{path}: pose {number} is not later than the one before it")
    return poses


def _pose(path: Path, number: int, line: bytes) -> Tracking:
    try:
        read = msgspec.json.decode(line, type=Line)
        head, velocity = Pose(read.position, read.orientation), Velocity(read.linear, read.angular)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ClientError(f"{path}: line {number} is no recorded pose: {error}") from error
    return Tracking(read.key, read.time_ns, head, read.eyes, velocity)
