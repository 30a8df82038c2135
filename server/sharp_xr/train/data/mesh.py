"""Textured triangle meshes in metres, and the builder that gathers them into one scene.

World axes: x right, y up, z so that the system is right-handed; the ground or floor is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.textures import Texture

Float = NDArray[np.float32]
Int = NDArray[np.int32]

MIP_LEVELS = 7
UNTEXTURED = -1


@dataclass(frozen=True)
class Mesh:
    """T triangles of one or several textures."""

    points: Float
    """[T, 3, 3] corners, metres."""
    normals: Float
    """[T, 3, 3] unit normal at each corner; equal ones make a flat face."""
    uv: Float
    """[T, 3, 2] texture coordinates; textures repeat, v runs upwards."""
    texture: Int
    """[T] index into the textures of the scene, or UNTEXTURED."""
    color: Float
    """[T, 3] linear reflectance, multiplied with the texture."""
    finish: Float
    """[T, 2] share of light that a surface seen head-on mirrors, and that it lets by; matte: 0."""

    def moved(self, turn: Float, offset: Float) -> Mesh:
        """Turned by a rotation matrix [3, 3] (about the origin), then shifted by [3] metres."""
        points = self.points @ turn.T + offset
        normals = self.normals @ turn.T
        return replace(self, points=points.astype(np.float32), normals=normals.astype(np.float32))

    def stretched(self, factors: Float) -> Mesh:
        """Along x, y, z [3], about the origin."""
        points = (self.points * factors).astype(np.float32)
        normals = self.normals / factors
        normals = normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12)
        return replace(self, points=points, normals=normals.astype(np.float32))

    @property
    def box(self) -> tuple[Float, Float]:
        """Lowest and highest corner, [3] each."""
        return self.points.min((0, 1)), self.points.max((0, 1))


def joined(meshes: list[Mesh]) -> Mesh:
    """One mesh of all the triangles."""
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.uv for m in meshes]),
        np.concatenate([m.texture for m in meshes]),
        np.concatenate([m.color for m in meshes]),
        np.concatenate([m.finish for m in meshes]),
    )


def flat_normals(points: Float) -> Float:
    """[T, 3, 3] corners -> [T, 3, 3], the face's normal at all three."""
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    return np.repeat(normal[:, None].astype(np.float32), 3, axis=1)


def turn_about_y(angle: float) -> Float:
    """[3, 3] rotation about the vertical, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


@dataclass
class SceneBuilder:
    """Gathers meshes, each an object of its own, and the textures they share."""

    meshes: list[Mesh] = field(default_factory=list)
    objects: list[Int] = field(default_factory=list)
    textures: list[Texture] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    """Textures that came by name, so that a model used twice brings its pictures once."""
    count: int = 0
    """Objects so far."""

    def add_texture(self, texture: Texture, name: str = "") -> int:
        """Its index."""
        self.textures.append(texture)
        if name:
            self.known[name] = len(self.textures) - 1
        return len(self.textures) - 1

    def add(self, mesh: Mesh, same_object: bool = False) -> int:
        """Puts a mesh in the scene as a new object, or as more of the last one; returns its id.

        What one object hides of itself is not "behind" it: see `raycast`'s second layer.
        """
        if not same_object:
            self.count += 1
        self.meshes.append(mesh)
        self.objects.append(np.full(len(mesh.points), self.count - 1, np.int32))
        return self.count - 1


@dataclass(frozen=True)
class Atlas:
    """All textures in one flat pixel list with their mip levels, for compiled code to index."""

    pixels: Float
    """[P, 3] linear light."""
    first: Int
    """[X, MIP_LEVELS] index of a level's first pixel."""
    shape: Int
    """[X, MIP_LEVELS, 2] height and width of a level."""


def pack(textures: list[Texture]) -> Atlas:
    """Textures [H, W, 3] uint8 sRGB -> linear light with box-filtered levels."""
    table: Float = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(2.2)
    pixels: list[Float] = []
    first = np.zeros((max(1, len(textures)), MIP_LEVELS), np.int32)
    shape = np.ones((max(1, len(textures)), MIP_LEVELS, 2), np.int32)
    count = 0
    for i, texture in enumerate(textures):
        level: Float = table[texture]
        for k in range(MIP_LEVELS):
            first[i, k], shape[i, k] = count, level.shape[:2]
            pixels.append(level.reshape(-1, 3))
            count += len(pixels[-1])
            level = _halved(level)
    if not pixels:
        pixels.append(np.ones((1, 3), np.float32))
    return Atlas(np.concatenate(pixels), first, shape)


def _halved(level: Float) -> Float:
    """Half of the size by averaging 2 x 2 pixels; a side of 1 stays."""
    h, w = level.shape[:2]
    if h > 1:
        level = (level[0 : h // 2 * 2 : 2] + level[1 : h // 2 * 2 : 2]) / np.float32(2)
    if w > 1:
        level = (level[:, 0 : w // 2 * 2 : 2] + level[:, 1 : w // 2 * 2 : 2]) / np.float32(2)
    return level
