"""Where a photographer would stand, and what the camera makes of the light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.raycast import Camera, Shot, shoot
from sharp_xr.train.data.rooms import Place, Subject

Float = NDArray[np.float32]
Rng = np.random.Generator

WIDTH, HEIGHT = 288, 216
"""Pixels of a stored view; training crops it to LITE's size."""
MIN_DEPTH_M = 0.2
"""A view whose tenth percentile of depth is nearer looks into something."""


def random_view(rng: Rng, place: Place, tries: int = 8) -> tuple[Camera, Shot] | None:
    """A view worth learning from; None if none was found in so many tries."""
    for _ in range(tries):
        camera = random_camera(rng, place)
        if camera is None:
            continue
        shot = shoot(place.scene, camera)
        if _is_worth(shot):
            return camera, shot
    return None


def _is_worth(shot: Shot) -> bool:
    """Not inside a thing, not one flat surface, not only sky."""
    near, far = np.percentile(shot.depth, (5, 95))
    sky = float((shot.subject < 0).mean())
    return bool(
        near > MIN_DEPTH_M and far / near > 1.15 and sky < 0.85 and shot.linear.max() > 0.01
    )


def random_camera(rng: Rng, place: Place) -> Camera | None:
    """Looks at a subject, or into the place; None if that leaves the place's bounds."""
    focal_px = WIDTH * float(np.exp(rng.uniform(np.log(0.55), np.log(1.8))))
    if place.subjects and rng.random() < 0.65:
        subject = place.subjects[int(rng.integers(len(place.subjects)))]
        eye, target = _towards(rng, subject, focal_px)
    else:
        eye = rng.uniform(place.low, place.high).astype(np.float32)
        middle = (place.low + place.high) / 2
        target = middle + rng.normal(0, 1, 3) * (place.high - place.low) * [0.25, 0.3, 0.25]
    if np.any(eye < place.low - [0, 0.6, 0]) or np.any(eye > place.high) or eye[1] < 0.1:
        return None
    return Camera(
        eye.astype(np.float32), look_at(eye, target, rng.normal(0, 0.05)), focal_px, WIDTH, HEIGHT
    )


def _towards(rng: Rng, subject: Subject, focal_px: float) -> tuple[Float, Float]:
    """Eye and target [3] of a photo which that subject fills to 0.3 to 1.6 of the height."""
    filled = np.exp(rng.uniform(np.log(0.3), np.log(1.6)))
    distance = max(0.25, subject.size * focal_px / (HEIGHT * filled))
    spread = 0.5 if subject.is_figure else 1.2
    angle = subject.front + rng.normal(0, spread)
    pitch = rng.normal(0.02, 0.15) if subject.is_figure else abs(rng.normal(0.2, 0.35))
    pitch = float(np.clip(pitch, -0.4, 1.3))
    target = subject.center + rng.normal(0, 0.15, 3) * subject.size
    if subject.is_figure and filled > 0.8:  # near: the face rather than the belt
        target[1] = subject.center[1] + subject.size * rng.uniform(0.15, 0.42)
    away = np.array([np.cos(pitch) * np.sin(angle), np.sin(pitch), np.cos(pitch) * np.cos(angle)])
    return (target + away * distance).astype(np.float32), target.astype(np.float32)


def look_at(eye: Float, target: Float, roll: float) -> Float:
    """World from camera [3, 3], columns right, up, forward; roll in radians."""
    forward = np.asarray(target - eye, np.float64)
    forward /= np.linalg.norm(forward) + 1e-9
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right) + 1e-9
    up = np.cross(right, forward)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * right + s * up, c * up - s * right, forward], 1).astype(np.float32)


def exposed(rng: Rng, linear: Float) -> NDArray[np.uint8]:
    """Linear light [H, W, 3] -> sRGB uint8, as an automatic exposure would, more or less."""
    bright = float(np.percentile(linear.max(-1), rng.uniform(75, 97))) + 1e-4
    level = linear * (rng.uniform(0.45, 1.0) / bright)
    shoulder = np.where(level > 0.7, 0.7 + 0.3 * np.tanh((level - 0.7) / 0.3), level)
    curve = np.where(
        shoulder < 0.0031308,
        12.92 * shoulder,
        1.055 * np.maximum(shoulder, 1e-6) ** (1 / 2.4) - 0.055,
    )
    return (np.clip(curve, 0, 1) * 255).astype(np.uint8)
