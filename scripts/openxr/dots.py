"""A scene that can be measured in a picture: green dots on a far wall, one red dot before it.

Axes are the photo's (x right, y down, z ahead) where points are drawn, and the wire's (y up, z
back) where a pose says from where.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Frame, PreparedScene, RenderSettings
from sharp_xr.render.camera import View
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import Eye

WALL_M, NEAR_M = 4.0, 1.0
"""Distances of the green dots and of the red one."""
FAR_DOTS = tuple((x, -0.5) for x in (-1.6, -0.8, 0.0, 0.8, 1.6))
"""x and y of the green ones, metres; a little above the middle."""
NEAR_DOT = (0.0, 0.2)
FAR_RADIUS_M, NEAR_RADIUS_M = 0.13, 0.06
MARGIN_PX = 12.0
"""Dots nearer to a border are not looked for: they may be cut."""

Point = tuple[float, float]
Float32 = NDArray[np.float32]


class DotsScene:
    """What :class:`Dots` draws."""

    def __len__(self) -> int:
        return len(FAR_DOTS) + 1

    def refocused(self, ratio: float) -> DotsScene:
        raise NotImplementedError("these dots are not Gaussians")


class Dots:
    """Casts a ray for each pixel."""

    name = "dots"

    def __init__(self) -> None:
        self.is_torn = False
        """The left two thirds of each picture are empty, as where nobody saw what is there."""

    def warm_up(self) -> None:
        """Nothing to compile."""

    def prepare(self, gaussians: Gaussians) -> PreparedScene:
        raise NotImplementedError("these dots are not Gaussians")

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        rgb, depth = zip(*(_cast(view) for view in views), strict=True)
        distance = np.stack(depth)
        alpha = np.ones_like(distance)
        if self.is_torn:
            alpha[..., : 2 * alpha.shape[-1] // 3] = 0.0
        return Frame(np.stack(rgb) * alpha[:, None], distance * alpha, alpha)


def _cast(view: View) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """[3, H, W] and [H, W] metres along the axis."""
    rotation = view.camera_from_photo[:3, :3].astype(np.float32)
    centre = -rotation.T @ view.camera_from_photo[:3, 3].astype(np.float32)
    x = (np.arange(view.width, dtype=np.float32) + 0.5 - view.cx) / view.fx
    y = (np.arange(view.height, dtype=np.float32) + 0.5 - view.cy) / view.fy
    # Rays of depth 1 along the axis, in the photo's axes, each [H, W].
    ray_x, ray_y, ray_z = (
        rotation[0, k] * x[None, :] + rotation[1, k] * y[:, None] + rotation[2, k] for k in range(3)
    )

    def covered(dot: Point, radius_m: float, distance_m: float) -> tuple[Float32, Float32]:
        """How much of each pixel a dot on the plane at this distance covers, and its depth."""
        depth = (distance_m - centre[2]) / np.maximum(ray_z, np.float32(1e-3))
        away_m = np.hypot(centre[0] + depth * ray_x - dot[0], centre[1] + depth * ray_y - dot[1])
        pixel_m = np.float32(distance_m / view.fx)
        return np.clip((radius_m - away_m) / pixel_m + np.float32(0.5), 0, 1), depth

    rgb = np.full((3, view.height, view.width), 0.25, np.float32)
    for dot in FAR_DOTS:
        share, depth = covered(dot, FAR_RADIUS_M, WALL_M)
        rgb += share * (np.array((0, 1, 0), np.float32)[:, None, None] - rgb)
    share, near_depth = covered(NEAR_DOT, NEAR_RADIUS_M, NEAR_M)
    rgb += share * (np.array((1, 0, 0), np.float32)[:, None, None] - rgb)
    return rgb, np.where(share > 0.5, near_depth, depth)


def expected(
    photo_from_head: Pose, eye: Eye, width: int, height: int
) -> tuple[list[Point], Point | None]:
    """Where this eye sees the green dots and the red one, pixels from the upper left of a picture
    of its field of view; those that are wholly in it."""
    eye_from_photo = (photo_from_head @ eye.pose).inverse()
    left, right, up, down = (
        math.tan(angle) for angle in (eye.fov.left, eye.fov.right, eye.fov.up, eye.fov.down)
    )

    def seen(x_m: float, y_m: float, z_m: float) -> Point | None:
        x, y, z = eye_from_photo.transform((x_m, -y_m, -z_m))
        column = (x / -z - left) / (right - left) * width
        row = (up - y / -z) / (up - down) * height
        inside = MARGIN_PX < column < width - MARGIN_PX and MARGIN_PX < row < height - MARGIN_PX
        return (column, row) if z < 0 and inside else None

    far = [place for dot in FAR_DOTS if (place := seen(*dot, WALL_M))]
    return far, seen(*NEAR_DOT, NEAR_M)


def found(picture: NDArray[np.uint8]) -> tuple[list[Point], Point | None]:
    """Centres of the green dots and of the red one in one eye's picture [H, W, 3], left to right;
    those that are wholly in it."""
    red, green, blue = (picture[..., k].astype(int) for k in range(3))
    height, width = red.shape
    far = _blobs((green > 150) & (red < 110) & (blue < 110))
    near = _blobs((red > 150) & (green < 110) & (blue < 110))

    def is_whole(place: Point) -> bool:
        x, y = place
        return bool(MARGIN_PX < x < width - MARGIN_PX and MARGIN_PX < y < height - MARGIN_PX)

    whole = [place for place in near if is_whole(place)]
    return [place for place in far if is_whole(place)], whole[0] if len(whole) == 1 else None


def errors(picture: NDArray[np.uint8], photo_from_head: Pose, eyes: Sequence[Eye]) -> list[float]:
    """Pixels between where each dot is in a stereo picture and where this head should see it; the
    green ones of both eyes, then the red ones. Infinite where another number of dots is there."""
    height, width = picture.shape[0], picture.shape[1] // 2
    far_px, near_px = [], []
    for side, eye in enumerate(eyes):
        far, near = found(picture[:, side * width : (side + 1) * width])
        wanted_far, wanted_near = expected(photo_from_head, eye, width, height)
        if len(far) != len(wanted_far) or (near is None) != (wanted_near is None):
            return [math.inf]
        far_px += [math.dist(a, b) for a, b in zip(far, wanted_far, strict=True)]
        if near is not None and wanted_near is not None:
            near_px.append(math.dist(near, wanted_near))
    return far_px + near_px


def _blobs(mask: NDArray[np.bool_]) -> list[Point]:
    """Centres of what is separated by columns without any."""
    columns = np.flatnonzero(mask.any(axis=0))
    places = []
    for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
        if len(run) > 3:
            rows, across = np.nonzero(mask[:, run[0] : run[-1] + 1])
            places.append((run[0] + float(across.mean()) + 0.5, float(rows.mean()) + 0.5))
    return places
