"""People: hands with fingers, clothed bodies in many poses; their heads are in `heads.py`.

What a depth network has to learn from them: how large people are, that a face is a hand's breadth
deep and no more, that a hand held out to the camera is nearer than its owner. Each is made with
the foot at the origin, facing +z.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import figures, shapes, textures
from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.heads import head
from sharp_xr.train.data.mesh import Mesh, SceneBuilder, joined, turn_about_y
from sharp_xr.train.data.places import Subject, faces_of, placed

Float = NDArray[np.float32]
Rng = np.random.Generator
vec = figures.vec

MODELS = ("Female", "Male", "Mannequin male", "Mannequin female")
"""The catalogue's people."""


@dataclass(frozen=True)
class Pose:
    """What a body does."""

    sits: bool = False
    reach: float = 0.0
    """0 to 1: how far the right hand is held out to the front."""
    turn: float = 0.0
    """Of the head to the side, radians."""
    nod: float = 0.0
    """Of the head, forwards, radians."""


def anyone(rng: Rng, scene: SceneBuilder, library: Library) -> Mesh:
    """A made-up person, at times one of the catalogue's."""
    if rng.random() < 0.1:
        found = [f for f in library.furniture if f.name in MODELS]
        if found and (mesh := library.mesh(found[int(rng.integers(len(found)))], scene)):
            return mesh
    return person(rng, scene)


def random_pose(rng: Rng) -> Pose:
    """Mostly standing, looking about."""
    return Pose(
        sits=bool(rng.random() < 0.2),
        reach=float(rng.uniform(0.3, 1)) if rng.random() < 0.15 else 0.0,
        turn=float(rng.normal(0, 0.35)),
        nod=float(rng.normal(0.05, 0.15)),
    )


def person(rng: Rng, scene: SceneBuilder, pose: Pose | None = None) -> Mesh:
    """A clothed person of 0.9 to 2.0 m; in a random pose where none is given."""
    pose = random_pose(rng) if pose is None else pose
    height = rng.uniform(1.5, 1.95) if rng.random() < 0.85 else rng.uniform(0.9, 1.5)
    skin = scene.add_texture(textures.skin(rng))
    cloth = (textures.fabric, textures.fabric, textures.plaster, textures.print_on)
    shirt = scene.add_texture(textures.any_of(rng, cloth))
    trousers = scene.add_texture(textures.fabric(rng))
    bulk = float(rng.uniform(0.85, 1.35))
    parts = [
        *head(rng, scene, skin, pose.turn, pose.nod),
        *_body(rng, skin, shirt, trousers, bulk, pose),
    ]
    return scaled(joined(parts), float(height))


def scaled(mesh: Mesh, factor: float) -> Mesh:
    """That many times as large about the origin."""
    return replace(mesh, points=(mesh.points * np.float32(factor)).astype(np.float32))


def sitters(rng: Rng, scene: SceneBuilder, library: Library, spot: Float) -> list[Subject]:
    """Somebody who has a picture taken: a face, a selfie's arm, a thing held up. Subjects."""
    kind = rng.random()
    turn = float(rng.uniform(0, 2 * np.pi))
    reach = float(rng.uniform(0.5, 1)) if kind < 0.55 else 0.0
    pose = Pose(reach=reach, turn=float(rng.normal(0, 0.2)), nod=float(rng.normal(0.03, 0.1)))
    mesh = person(rng, scene, pose)
    subject = placed(scene, mesh, spot, turn, True)
    found = [*faces_of(subject)] * 2
    if reach and kind < 0.4:
        found += 2 * [_held(rng, scene, library, mesh, spot, turn)]
    if rng.random() < 0.25:  # a second one beside
        side = turn_about_y(turn) @ vec(float(rng.choice([-0.55, 0.55])), 0, rng.uniform(-0.4, 0))
        other = placed(scene, person(rng, scene), spot + side, turn + rng.normal(0, 0.3), True)
        found += faces_of(other)
    return [*found, subject]


def _held(
    rng: Rng, scene: SceneBuilder, library: Library, mesh: Mesh, spot: Float, turn: float
) -> Subject:
    """A small thing at the most forward point of the body: in its hand."""
    points = mesh.points.reshape(-1, 3)
    hand = points[points[:, 2].argmax()]
    thing = (figures.vessel if rng.random() < 0.4 else figures.packet)(rng, scene)
    if rng.random() < 0.4:
        thing = library.mesh(library.choose(rng, 0.05, 0.3), scene) or thing
    low, high = thing.box
    where = hand + vec(0, -0.4 * (high[1] - low[1]), 0.3 * (high[2] - low[2]))
    place = spot + turn_about_y(turn) @ where
    return replace(placed(scene, thing, place, turn, False), front=turn)


def _body(rng: Rng, skin: int, shirt: int, trousers: int, bulk: float, pose: Pose) -> list[Mesh]:
    b = bulk
    parts = [
        _torso(rng, shirt, b),
        shapes.ellipsoid((0, 0.515, 0), (0.093 * b, 0.06, 0.067 * b), trousers, repeats=2),
    ]
    for side in (-1, 1):
        reach = pose.reach if side > 0 else 0.0
        parts += _arm(rng, side, reach, skin, shirt, b)
        parts += _leg(rng, side, pose.sits, trousers, b)
    low = min(float(p.points[..., 1].min()) for p in parts)
    if abs(low) < 0.05 or pose.sits:
        return parts
    return [p.moved(np.eye(3, dtype=np.float32), vec(0, -low, 0)) for p in parts]


def _torso(rng: Rng, shirt: int, b: float) -> Mesh:
    """From the hips to the neck in one piece, wider than deep, by chance with a belly."""
    belly = float(rng.uniform(0.85, 1.15))
    profile = np.array(
        [
            (0.5, 0.0), (0.5, 0.09), (0.53, 0.094), (0.57, 0.092 * belly), (0.61, 0.088 * belly),
            (0.65, 0.09), (0.7, 0.1), (0.74, 0.107), (0.775, 0.108), (0.8, 0.098), (0.815, 0.078),
            (0.828, 0.05), (0.84, 0.034), (0.845, 0.0),
        ]
    )  # fmt: skip
    turned = shapes.lathe(profile[:, 0], profile[:, 1] * b, 28, shirt, repeats=2)
    return turned.stretched(vec(1.0, 1.0, 0.64))


def _arm(rng: Rng, side: int, reach: float, skin: int, shirt: int, b: float) -> list[Mesh]:
    shoulder = vec(0.112 * b * side, 0.79, 0)
    if reach:
        aim = _unit(vec(rng.normal(-0.35 * side, 0.15), rng.normal(0.15, 0.2), 1))
        down = _unit(aim + vec(0.2 * side, -1.3 * (1 - reach) - 0.15, 0))
        elbow = shoulder + 0.17 * down
        bend = _unit(aim * (0.5 + reach) + vec(0, 0.5 * (1 - reach), 0))
    else:
        lift = np.clip(abs(rng.normal(0, 0.5)), 0, 2.2)
        out = np.sin(lift) * side * rng.uniform(0.2, 1)
        elbow = shoulder + 0.17 * _unit(vec(out + 0.15 * side, -np.cos(lift), rng.normal(0, 0.3)))
        loose = vec(rng.normal(-0.3 * side, 0.4), rng.normal(-0.4, 0.6), abs(rng.normal(0.3, 0.4)))
        bend = _unit(loose)
    wrist = elbow + 0.145 * bend
    bare = rng.random() < 0.4
    return [
        shapes.limb(shoulder, elbow, (0.034 * b, 0.027), shirt),
        shapes.limb(elbow, wrist, (0.025, 0.016), skin if bare else shirt),
        *_hand(rng, wrist, bend, side, skin),
    ]


def _hand(rng: Rng, wrist: Float, forward: Float, side: int, skin: int) -> list[Mesh]:
    """A palm, four fingers and a thumb, from the wrist on along `forward`."""
    across = _unit(np.cross(forward, _unit(rng.normal(0, 1, 3).astype(np.float32))))
    palm_up = np.cross(across, forward).astype(np.float32)
    knuckles = wrist + forward * np.float32(0.052)
    curl = float(rng.uniform(0, 1.1))
    parts = [
        shapes.limb(
            wrist + across * np.float32(0.009 * s), knuckles + across * np.float32(0.015 * s),
            (0.013, 0.011), skin,
        )
        for s in (-1, 1)
    ]  # fmt: skip
    for k in range(4):
        base = knuckles + across * np.float32(0.0115 * (k - 1.5))
        length = (0.034, 0.042, 0.045, 0.04)[k]
        middle = base + np.float32(0.55 * length) * _unit(forward + palm_up * np.float32(curl))
        tip = middle + np.float32(0.45 * length) * _unit(forward + palm_up * np.float32(2.2 * curl))
        parts.append(shapes.limb(base, middle, (0.0062, 0.0055), skin))
        parts.append(shapes.limb(middle, tip, (0.0055, 0.0048), skin))
    thumb = wrist + forward * np.float32(0.02) + across * np.float32(0.014 * side)
    end = thumb + np.float32(0.04) * _unit(forward + across * np.float32(0.9 * side))
    parts.append(shapes.limb(thumb, end, (0.008, 0.006), skin))
    return parts


def _leg(rng: Rng, side: int, sits: bool, trousers: int, b: float) -> list[Mesh]:
    hip = vec(0.05 * b * side, 0.52, 0)
    stride = rng.normal(0, 0.12)
    thigh = vec(0.05 * side, -0.2 if sits else -1, 1.0 if sits else stride)
    knee = hip + 0.24 * _unit(thigh)
    foot = knee + 0.245 * _unit(vec(0, -1, -abs(stride)))
    shoe = textures.random_color(rng, 0.02, 0.8, 0.1) ** np.float32(2.2)
    return [
        shapes.limb(hip, knee, (0.052 * b, 0.036), trousers),
        shapes.limb(knee, foot, (0.036, 0.026), trousers),
        shapes.ellipsoid(foot + vec(0, 0, 0.03), (0.026, 0.024, 0.06), color=shoe),
    ]


def _unit(v: Float) -> Float:
    return np.asarray(v / (np.linalg.norm(v) + 1e-6), np.float32)
