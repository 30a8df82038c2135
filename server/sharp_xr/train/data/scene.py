"""What can be drawn: triangles in embree's tree, their textures, lights and sky; and its rays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from sharp_xr.train.data.mesh import Atlas, Int, Mesh, SceneBuilder, joined, pack

Float = NDArray[np.float32]

FAR_M = 80.0
"""Depth is clipped here; the sky is exactly this far."""
NOWHERE_M = 1e6
"""The distance of a ray that hits nothing."""
SKY = -1
"""The object that such a ray sees."""


@dataclass(frozen=True)
class Lights:
    """L lamps or suns and the light from everywhere."""

    position: Float
    """[L, 4] metres and 1 for a lamp; the direction towards it and 0 for a sun."""
    color: Float
    """[L, 3] linear."""
    ambient: Float
    """[2, 3] linear, from below and from above."""
    gloss: float
    """0 to 1, the strength of highlights."""
    radius: Float
    """[L] of a lamp in metres, of a sun in radians: the softness of its shadows."""
    reach_m: float = 1.5
    """What stands nearer than this dims the light from everywhere (ambient occlusion)."""


@dataclass(frozen=True)
class Scene:
    """Everything that a camera sees."""

    mesh: Mesh
    objects: Int
    """[T] the object that each triangle is of."""
    faces: Float
    """[T, 3] unit normals of the flat triangles."""
    atlas: Atlas
    tracer: EmbreeScene
    lights: Lights
    sky: Callable[[Float], Float]
    """Directions [R, 3] -> linear colour [R, 3] of rays that hit nothing."""
    haze_m: float
    """Distance at which the air hides about two thirds; infinite indoors."""


@dataclass(frozen=True)
class Hits:
    """What R rays meet first."""

    triangle: Int
    """[R], -1 for none."""
    distance: Float
    """[R] metres along the ray, NOWHERE_M for none."""
    u: Float
    """[R] barycentric, of corner 1."""
    v: Float
    """[R] of corner 2."""

    def __getitem__(self, which: NDArray[np.generic]) -> Hits:
        """Those of some of the rays, by indices or a mask."""
        return Hits(self.triangle[which], self.distance[which], self.u[which], self.v[which])


def scene_of(
    builder: SceneBuilder,
    lights: Lights,
    sky: Callable[[Float], Float],
    haze_m: float = float("inf"),
) -> Scene:
    """Joins what was gathered and builds embree's tree over it."""
    mesh = joined(builder.meshes)
    tracer = EmbreeScene()
    TriangleMesh(tracer, np.ascontiguousarray(mesh.points, np.float32))
    edge, other = (mesh.points[:, k] - mesh.points[:, 0] for k in (1, 2))
    faces = np.cross(edge, other)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True) + 1e-20
    objects = np.concatenate(builder.objects)
    atlas = pack(builder.textures)
    return Scene(mesh, objects, faces.astype(np.float32), atlas, tracer, lights, sky, haze_m)


def cast(scene: Scene, origins: Float, directions: Float) -> Hits:
    """What rays from origins [R, 3] along unit directions [R, 3] meet first."""
    hit = scene.tracer.run(
        np.ascontiguousarray(origins, np.float32),
        np.ascontiguousarray(directions, np.float32),
        output=True,
    )
    triangle = hit["primID"].astype(np.int32)
    distance = np.where(triangle < 0, np.float32(NOWHERE_M), hit["tfar"]).astype(np.float32)
    return Hits(triangle, distance, hit["u"], hit["v"])


def is_free(scene: Scene, origins: Float, directions: Float, reach_m: Float) -> Float:
    """[R] 1 where nothing stands within reach_m [R] of an origin, 0 where something does."""
    blocked = scene.tracer.run(
        np.ascontiguousarray(origins, np.float32),
        np.ascontiguousarray(directions, np.float32),
        dists=np.maximum(reach_m, 1e-3).astype(np.float32),
        query="OCCLUDED",
    )
    return np.asarray(blocked == -1, np.float32)


def objects_of(scene: Scene, hits: Hits) -> Int:
    """[R] the object that each ray sees, SKY for none."""
    return np.where(hits.triangle < 0, SKY, scene.objects[hits.triangle]).astype(np.int32)
