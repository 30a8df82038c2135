"""CC0 and CC-BY furniture: the catalogue and models of Debian's `sweethome3d-furniture` as meshes.

A `.sh3f` is a zip of OBJ + MTL + JPG and a catalogue with real sizes. Only these packs are read:
BlendSwap-CC-0 (CC0), BlendSwap-CC-BY, KatorLegaz and Scopia (CC-BY-3.0), which
`model/weights/MODEL_CARD.md` names.
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.train.data.mesh import UNTEXTURED, Mesh, SceneBuilder, flat_normals
from sharp_xr.train.data.textures import Texture

PACKS = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Scopia")
CATALOGUE = "PluginFurnitureCatalog.properties"
MAX_TEXTURE_PX = 512
MAX_TRIANGLES = 60_000
"""A model with more is left out: it would cost more than it teaches."""
GREY = (0.7, 0.7, 0.7)


@dataclass(frozen=True)
class Furniture:
    """One entry of the catalogue."""

    model: Path
    """Its .obj."""
    name: str
    size: tuple[float, float, float]
    """Width x, height y, depth z in metres."""
    elevation: float
    """Metres above the floor."""
    category: str


@dataclass(frozen=True)
class Model:
    """A parsed OBJ: T triangles, M materials, of which 0 is plain grey."""

    points: NDArray[np.float32]
    """[T, 3, 3] in the model's own units."""
    uv: NDArray[np.float32]
    """[T, 3, 2]"""
    material: NDArray[np.int32]
    """[T]"""
    diffuse: NDArray[np.float32]
    """[M, 3] linear."""
    pictures: tuple[str, ...]
    """[M] path of the texture, or ""."""


class AssetError(Exception):
    """The assets are not there or not readable; one sentence for the user."""


def catalogue(assets: Path) -> list[Furniture]:
    """All furniture that stands freely: no doors, no windows, no model that needs a rotation.

    Args:
        assets: folder with the `.sh3f` files; each is unpacked beside itself, once.

    Raises:
        AssetError: no furniture there.
    """
    found: list[Furniture] = []
    for pack in PACKS:
        _unpack(assets, pack)
        if (assets / pack / CATALOGUE).exists():
            found += _entries(assets / pack)
    if not found:
        raise AssetError(
            f"no furniture in {assets}: wanted {PACKS[0]}.sh3f and its like, "
            "from the Debian package sweethome3d-furniture"
        )
    return found


def _unpack(assets: Path, pack: str) -> None:
    archive = assets / f"{pack}.sh3f"
    if archive.exists() and not (assets / pack / CATALOGUE).exists():
        with zipfile.ZipFile(archive) as z:
            z.extractall(assets / pack)


def _entries(folder: Path) -> list[Furniture]:
    rows: dict[str, dict[str, str]] = {}
    for line in (folder / CATALOGUE).read_text("latin1").splitlines():
        if match := re.match(r"(\w+)#(\d+)\s*=\s*(.*)", line.strip()):
            rows.setdefault(match[2], {})[match[1]] = match[3]
    furniture = [_furniture(folder, row) for row in rows.values() if _stands_freely(row)]
    return [f for f in furniture if f.model.exists()]


def _stands_freely(row: dict[str, str]) -> bool:
    return (
        "model" in row and "modelRotation" not in row and row.get("doorOrWindow", "false") != "true"
    )


def _furniture(folder: Path, row: dict[str, str]) -> Furniture:
    width, depth, height = (float(row[k]) / 100 for k in ("width", "depth", "height"))
    return Furniture(
        folder / row["model"].lstrip("/"),
        row["name"],
        (width, height, depth),
        float(row.get("elevation", 0)) / 100,
        row.get("category", ""),
    )


class Library:
    """The catalogue with the models parsed so far, in memory and as .npz files in `cache`."""

    def __init__(self, assets: Path, cache: Path) -> None:
        self.furniture = catalogue(assets)
        self._cache = cache
        self._pictures: dict[str, Texture | None] = {}
        cache.mkdir(parents=True, exist_ok=True)

    def choose(
        self,
        rng: np.random.Generator,
        low_m: float,
        high_m: float,
        categories: tuple[str, ...] = (),
    ) -> Furniture:
        """A piece whose longest side lies in that range, of one of the categories; empty: any."""
        fits = [
            f
            for f in self.furniture
            if low_m <= max(f.size) <= high_m and (not categories or f.category in categories)
        ]
        assert fits, f"nothing of {low_m} to {high_m} m in {categories}"
        return fits[int(rng.integers(len(fits)))]

    def mesh(self, piece: Furniture, scene: SceneBuilder) -> Mesh | None:
        """The piece in metres, its foot's middle at the origin; None with too many triangles."""
        model = self._model(piece.model)
        if len(model.points) > MAX_TRIANGLES:
            return None
        low, high = model.points.min((0, 1)), model.points.max((0, 1))
        scale = np.array(piece.size, np.float32) / np.maximum(high - low, 1e-6)
        points = (model.points - (low + high) / 2) * scale
        points[..., 1] += piece.size[1] / 2
        texture = np.array([self._texture(p, scene) for p in model.pictures], np.int32)
        of_triangle = texture[model.material]
        textured = (of_triangle != UNTEXTURED)[:, None]
        color = np.where(textured, 1, model.diffuse[model.material]).astype(np.float32)
        points = points.astype(np.float32)
        return Mesh(
            points,
            flat_normals(points),
            model.uv,
            of_triangle,
            color,
            np.zeros((len(points), 2), np.float32),
        )

    def _model(self, path: Path) -> Model:
        cached = self._cache / (re.sub(r"\W", "_", f"{path.parts[-4:]}") + ".npz")
        if cached.exists():
            with np.load(cached) as z:
                return Model(
                    z["points"], z["uv"], z["material"], z["diffuse"], tuple(z["pictures"])
                )
        model = read_obj(path)
        part = cached.with_suffix(f".{os.getpid()}.npz")  # several processes may share the folder
        np.savez(part, **vars(model))
        part.replace(cached)
        return model

    def _texture(self, picture: str, scene: SceneBuilder) -> int:
        if picture in scene.known:
            return scene.known[picture]
        if picture not in self._pictures:
            self._pictures[picture] = _read_picture(picture)
        texture = self._pictures[picture]
        return UNTEXTURED if texture is None else scene.add_texture(texture, picture)


def _read_picture(path: str) -> Texture | None:
    """None where it is missing or broken: that material keeps its plain colour."""
    if not path or not Path(path).is_file():
        return None
    try:
        with Image.open(path) as image:
            image.thumbnail((MAX_TEXTURE_PX, MAX_TEXTURE_PX))
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None


def read_obj(path: Path) -> Model:
    """Reads a Wavefront OBJ and its MTL; faces become fans of triangles, missing coordinates 0.

    Source: the OBJ format's `v`, `vt`, `f`, `usemtl`, `mtllib` lines, and `newmtl`, `Kd`, `map_Kd`.
    """
    vertices: list[list[float]] = []
    coordinates: list[list[float]] = []
    corners: list[tuple[int, int, int]] = []
    corner_uv: list[tuple[int, int, int]] = []
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
            case ["mtllib"]:
                materials.read(" ".join(words[1:]))
            case ["usemtl"]:
                current = materials.index.get(" ".join(words[1:]), 0)
            case ["f"]:
                v, t = _face(words[1:], len(vertices), len(coordinates))
                for k in range(1, len(v) - 1):
                    corners.append((v[0], v[k], v[k + 1]))
                    corner_uv.append((t[0], t[k], t[k + 1]))
                    material.append(current)
    return Model(
        np.array(vertices, np.float32)[np.array(corners)],
        np.array([*coordinates, [0, 0]], np.float32)[np.array(corner_uv)],
        np.array(material, np.int32),
        np.array(materials.diffuse, np.float32),
        tuple(materials.pictures),
    )


def _face(words: list[str], vertices: int, coordinates: int) -> tuple[list[int], list[int]]:
    """Vertex and coordinate indices of a face, counted from 0; -1 where it gives no coordinate."""

    def index(text: str, count: int) -> int:
        i = int(text)
        return i - 1 if i > 0 else count + i

    fields = [word.split("/") for word in words]
    v = [index(f[0], vertices) for f in fields]
    t = [index(f[1], coordinates) if len(f) > 1 and f[1] else -1 for f in fields]
    return v, t


class _Materials:
    """What the MTL files of a model say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index: dict[str, int] = {}
        self.diffuse: list[tuple[float, ...]] = [GREY]
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
                    self.pictures.append("")
                case ["Kd"] if len(self.diffuse) > 1:
                    self.diffuse[-1] = tuple(float(w) for w in words[1:4])
                case ["map_Kd"] if len(self.diffuse) > 1:
                    self.pictures[-1] = str(self.folder / " ".join(words[1:]))
