"""Where a photographer stands, where another would stand beside, and what cameras make of light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.places import Place, Subject
from sharp_xr.train.data.raycast import Camera, Shot, shoot
from sharp_xr.train.data.scene import is_free

Float = NDArray[np.float32]
Rng = np.random.Generator

MIN_DEPTH_M = 0.15
"""A view whose fifth percentile of depth is nearer looks into something."""
BESIDE_M = 0.6
"""Novel views lie within so much of the photo's camera (Apple's SHARP, section 4)."""
BARE_CONTRAST = 0.35
"""Linear light of one thing alone that deviates by less of its mean is a bare wall's."""
OVERVIEW_NEAR_M = 0.6
"""Of an overview, a tenth is nearer at most: who photographs a room steps beside what blocks it."""
RINGS = ((0.33, 2), (0.67, 3), (1.0, 5))
"""Radius, as a share of the farthest, and cameras of each ring around the photo's camera."""


def random_view(
    rng: Rng, place: Place, size_px: int, tries: int = 10
) -> tuple[Camera, Shot] | None:
    """A view worth learning from; None if none was found in so many tries."""
    for _ in range(tries):
        is_overview = rng.random() < place.overview_share
        camera = (overview if is_overview else random_camera)(rng, place, size_px)
        if camera is None:
            continue
        small = shoot(place.scene, _small(camera))
        is_blocked = is_overview and np.percentile(small.depth, 10) < OVERVIEW_NEAR_M
        if _is_worth(small) and not is_blocked:
            return camera, shoot(place.scene, camera)
    return None


def _small(camera: Camera, size_px: int = 48) -> Camera:
    """The same view in few pixels, to see whether it is worth more."""
    focal_px = camera.focal_px * size_px / camera.width
    return Camera(camera.position, camera.world_from_camera, focal_px, size_px, size_px)


def _is_worth(shot: Shot) -> bool:
    """Not inside a thing, not one flat surface, not a bare wall, not only sky."""
    near, far = np.percentile(shot.depth, (5, 95))
    sky = float((shot.subject < 0).mean())
    sizes = np.unique(shot.subject, return_counts=True)[1] / shot.subject.size
    if (sizes > 0.02).sum() > 1:
        varied = far / near > 1.2
    else:
        grey = shot.linear.mean(-1)
        varied = far / near > 2.5 and grey.std() > BARE_CONTRAST * grey.mean()
    return bool(near > MIN_DEPTH_M and varied and sky < 0.8 and shot.linear.max() > 0.01)


def random_camera(rng: Rng, place: Place, size_px: int) -> Camera | None:
    """Looks at a subject, or into the place; None if that leaves the place's bounds."""
    focal_px = size_px * float(np.exp(rng.uniform(np.log(0.45), np.log(1.4))))
    if place.subjects and rng.random() < place.subject_share:
        subject = chosen_subject(rng, place.subjects)
        eye, target = _towards(rng, subject, focal_px / size_px)
        if not _is_open(place, (target * 0.6 + eye * 0.4).astype(np.float32), eye):
            return None
    else:
        eye = rng.uniform(place.low, place.high).astype(np.float32)
        middle = (place.low + place.high) / 2
        target = middle + rng.normal(0, 1, 3) * (place.high - place.low) * [0.25, 0.3, 0.25]
        if place.axis is not None:
            target = (eye + rng.normal(0, 0.25, 3)).astype(np.float32)
            target[place.axis] = eye[place.axis] + (2 if rng.random() < 0.8 else -2)
    if np.any(eye < place.low - [0, 0.6, 0]) or np.any(eye > place.high) or eye[1] < 0.1:
        return None
    turn = look_at(eye, target, rng.normal(0, 0.05))
    return Camera(eye.astype(np.float32), turn, focal_px, size_px, size_px)


def overview(rng: Rng, place: Place, size_px: int) -> Camera:
    """A photo of the room itself: from a wall or a corner, at an eye's height, to the far half."""
    focal_px = size_px * float(np.exp(rng.uniform(np.log(0.5), np.log(1.1))))
    low, high = place.low[[0, 2]], place.high[[0, 2]]
    side, is_low = int(rng.integers(2)), rng.random() < 0.5
    share = rng.uniform(0, 1, 2)  # of the way across the room, from its low side
    share[side] = rng.beta(1, 3)
    aim = rng.uniform(-0.05, 1.05, 2)
    aim[side] = rng.uniform(0.55, 1.05)
    if not is_low:
        share[side], aim[side] = 1 - share[side], 1 - aim[side]
    eye_level = float(np.clip(rng.normal(1.4, 0.25), 0.7, place.high[1]))
    eye, target = (
        np.insert(low + at * (high - low), 1, level).astype(np.float32)
        for at, level in ((share, eye_level), (aim, rng.normal(0.95, 0.35)))
    )
    return Camera(eye, look_at(eye, target, rng.normal(0, 0.04)), focal_px, size_px, size_px)


def chosen_subject(rng: Rng, subjects: list[Subject]) -> Subject:
    """One of them: figures and large things more often than the small ones, of which there are
    more."""
    weight = np.array([1.0 if s.is_figure else np.clip(s.size, 0.05, 1.5) for s in subjects])
    return subjects[int(rng.choice(len(subjects), p=weight / weight.sum()))]


def _towards(rng: Rng, subject: Subject, focal: float) -> tuple[Float, Float]:
    """Eye and target [3] of a photo which that subject fills to 0.3 to 1.6 of the height."""
    filled = np.exp(rng.uniform(np.log(0.3), np.log(1.6)))
    distance = max(0.25, subject.size * focal / filled)
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


# --- beside --------------------------------------------------------------------------------------


def novel_cameras(rng: Rng, place: Place, camera: Camera, shot: Shot, count: int) -> list[Camera]:
    """Up to `count` cameras in rings around the photo's, all looking at what stands in its middle.

    The rings reach to BESIDE_M or, before near things, to half of their distance. Cameras that
    something stands before, or that look into something, are left out.
    """
    third = shot.depth.shape[0] // 3
    # Of what is in the middle third, the nearer: a face rather than the wall beside it.
    distance = float(np.percentile(shot.depth[third:-third, third:-third], 20))
    farthest = min(BESIDE_M, 0.5 * distance)
    right, up, forward = camera.world_from_camera.T
    target = camera.position + forward * distance
    found: list[Camera] = []
    for x, y, z in _ring_offsets(rng)[:count] * farthest:
        eye = (camera.position + right * x + up * y + forward * z).astype(np.float32)
        novel = _turned_to(camera, eye, target)
        if _is_open(place, camera.position, eye) and _sees(place, novel):
            found.append(novel)
    return found


def _ring_offsets(rng: Rng) -> NDArray[np.float64]:
    """[10, 3] right, up, forward, none longer than 1, in a random order."""
    offsets = []
    for radius, count in RINGS:
        angle = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2 * np.pi / count
        ring = np.stack([np.cos(angle), np.sin(angle), rng.normal(0, 0.3, count)], 1)
        longest = np.maximum(1, np.linalg.norm(ring, axis=1, keepdims=True))
        offsets.append(radius * ring / longest)
    return rng.permutation(np.concatenate(offsets))


def _turned_to(camera: Camera, eye: Float, target: Float) -> Camera:
    """At `eye`, with the least turn that keeps the target where it is in the picture."""
    old, new = target - camera.position, target - eye
    old, new = old / np.linalg.norm(old), new / np.linalg.norm(new)
    axis = np.cross(old, new)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.eye(3) + k + k @ k / (1 + float(old @ new))  # Rodrigues' formula
    world = (turn @ camera.world_from_camera).astype(np.float32)
    return Camera(eye, world, camera.focal_px, camera.width, camera.height)


def _is_open(place: Place, start: Float, end: Float) -> bool:
    """Nothing stands between the two points, nor within 5 cm behind the second."""
    way = end - start
    length = float(np.linalg.norm(way))
    reach = np.array([length + 0.05], np.float32)
    return bool(is_free(place.scene, start[None], way[None] / length, reach)[0] > 0)


def _sees(place: Place, camera: Camera) -> bool:
    shot = shoot(place.scene, _small(camera, 24), second_layer=False)
    return bool(np.percentile(shot.depth, 5) > 0.7 * MIN_DEPTH_M and camera.position[1] > 0.03)


# --- exposure ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exposure:
    """What an automatic exposure chose."""

    gain: float

    @staticmethod
    def of(rng: Rng, linear: Float) -> Exposure:
        """For a picture of that linear light [H, W, 3], more or less right."""
        bright = float(np.percentile(linear.max(-1), rng.uniform(75, 97))) + 1e-4
        return Exposure(float(rng.uniform(0.45, 1.0)) / bright)

    def applied(self, linear: Float) -> NDArray[np.uint8]:
        """Linear light [H, W, 3] -> sRGB uint8, highlights rolled off."""
        level = linear * np.float32(self.gain)
        shoulder = np.where(level > 0.7, 0.7 + 0.3 * np.tanh((level - 0.7) / 0.3), level)
        curve = np.where(
            shoulder < 0.0031308,
            12.92 * shoulder,
            1.055 * np.maximum(shoulder, 1e-6) ** (1 / 2.4) - 0.055,
        )
        return (np.clip(curve, 0, 1) * 255).astype(np.uint8)
