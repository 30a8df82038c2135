"""Wavefront OBJ and MTL files as triangles and materials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data.mesh import flat_normals

GREY = (0.7, 0.7, 0.7)
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Model:
    """A parsed OBJ: T triangles, M materials, of which 0 is plain grey."""

    points: NDArray[np.float32]
    """[T, 3, 3] in the model's own units."""
    normals: NDArray[np.float32]
    """[T, 3, 3] unit; flat ones where the file gives none."""
    uv: NDArray[np.float32]
    """[T, 3, 2]"""
    material: NDArray[np.int32]
    """[T]"""
    diffuse: NDArray[np.float32]
    """[M, 3] linear."""
    clear: NDArray[np.float32]
    """[M] share of light that it lets by."""
    pictures: tuple[str, ...]
    """[M] path of the texture, or ""."""


def read_obj(path: Path) -> Model:
    """Reads an OBJ and its MTL; faces become fans of triangles, missing coordinates 0.

    Source: the OBJ format's `v`, `vt`, `vn`, `f`, `usemtl`, `mtllib` lines, and of its materials
    `newmtl`, `Kd`, `d`, `map_Kd`.
    """
    vertices: list[list[float]] = []
    coordinates: list[list[float]] = []
    normals: list[list[float]] = []
    corners: list[Triple] = []
    corner_uv: list[Triple] = []
    corner_normal: list[Triple] = []
    material: list[int] = []
    materials = _Materials(path.parent)
    current = 0
    for line in path.read_text("latin1").splitlines():
        words = line.split()
        match words[:1]:
            case ["v"]:
                vertices.append([float(w) for w in words[1:4]])
            case ["vt"]:
                coordinates.append([float(w) for w in words[1:3]])
            case ["vn"]:
                normals.append([float(w) for w in words[1:4]])
            case ["mtllib"]:
                materials.read(" ".join(words[1:]))
            case ["usemtl"]:
                current = materials.index.get(" ".join(words[1:]), 0)
            case ["f"]:
                v, t, n = _face(words[1:], (len(vertices), len(coordinates), len(normals)))
                for k in range(1, len(v) - 1):
                    corners.append((v[0], v[k], v[k + 1]))
                    corner_uv.append((t[0], t[k], t[k + 1]))
                    corner_normal.append((n[0], n[k], n[k + 1]))
                    material.append(current)
    points = np.array(vertices, np.float32)[np.array(corners)]
    return Model(
        points,
        _normals(points, normals, np.array(corner_normal)),
        np.array([*coordinates, [0, 0]], np.float32)[np.array(corner_uv)],
        np.array(material, np.int32),
        np.array(materials.diffuse, np.float32),
        np.array(materials.clear, np.float32),
        tuple(materials.pictures),
    )


def _normals(
    points: NDArray[np.float32], given: list[list[float]], index: NDArray[np.int64]
) -> NDArray[np.float32]:
    """[T, 3, 3] the file's normals; the flat triangle's where it gives none, or one of length 0."""
    flat = flat_normals(points)
    smooth = np.array([*given, [0, 0, 0]], np.float32)[index]
    length = np.linalg.norm(smooth, axis=-1, keepdims=True)
    whole = (length > 1e-6).all((1, 2), keepdims=True)
    # Some files turn a face and not its normals: both must look to the same side.
    agree = np.sign((smooth * flat).sum(-1, keepdims=True))
    smooth = smooth / np.maximum(length, 1e-6) * np.where(agree == 0, 1, agree)
    return np.where(whole, smooth, flat).astype(np.float32)


def _face(words: list[str], counts: Triple) -> tuple[list[int], list[int], list[int]]:
    """A face's indices of vertices, coordinates and normals, from 0; -1 where it gives none."""

    def index(fields: list[str], which: int) -> int:
        if which >= len(fields) or not fields[which]:
            return -1
        i = int(fields[which])
        return i - 1 if i > 0 else counts[which] + i

    fields = [word.split("/") for word in words]
    v, t, n = ([index(f, which) for f in fields] for which in range(3))
    return v, t, n


class _Materials:
    """What the MTL files of a model say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index: dict[str, int] = {}
        self.diffuse: list[tuple[float, ...]] = [GREY]
        self.clear: list[float] = [0.0]
        self.pictures: list[str] = [""]

    def read(self, name: str) -> None:
        path = self.folder / name
        if not path.is_file():
            return
        for line in path.read_text("latin1").splitlines():
            words = line.split()
            match words[:1]:
                case ["newmtl"]:
                    self.index[" ".join(words[1:])] = len(self.diffuse)
                    self.diffuse.append(GREY)
                    self.clear.append(0.0)
                    self.pictures.append("")
                case ["Kd"] if len(self.diffuse) > 1:
                    self.diffuse[-1] = tuple(float(w) for w in words[1:4])
                case ["d"] if len(self.clear) > 1:
                    # An exporter's 0 means that it knew nothing, rather than that nothing is seen.
                    opaque = float(words[-1])
                    self.clear[-1] = 1 - opaque if 0 < opaque < 1 else 0.0
                case ["map_Kd"] if len(self.diffuse) > 1:
                    self.pictures[-1] = str(self.folder / " ".join(words[1:]))
