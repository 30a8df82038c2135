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
from PIL import Image

from sharp_xr.train.data.mesh import UNTEXTURED, Mesh, SceneBuilder
from sharp_xr.train.data.obj import Model, read_obj
from sharp_xr.train.data.textures import Texture

PACKS = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Scopia")
CATALOGUE = "PluginFurnitureCatalog.properties"
MAX_TEXTURE_PX = 512
MAX_TRIANGLES = 60_000
"""A model with more is left out: it would cost more than it teaches."""


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
        """A piece whose longest side lies in that range, of one of the categories; of any, if they
        are empty or have none."""
        sized = [f for f in self.furniture if low_m <= max(f.size) <= high_m]
        fits = [f for f in sized if f.category in categories] or sized
        assert fits, f"nothing of {low_m} to {high_m} m"
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
        # Unequal scales tilt normals the other way round.
        normals = model.normals / scale
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
        clear = model.clear[model.material]
        finish = np.stack([np.where(clear > 0, 0.05, 0), clear], 1).astype(np.float32)
        return Mesh(
            points.astype(np.float32),
            normals.astype(np.float32),
            model.uv,
            of_triangle,
            color,
            finish,
        )

    def _model(self, path: Path) -> Model:
        cached = self._cache / (re.sub(r"\W", "_", f"{path.parts[-4:]}") + ".npz")
        if cached.exists():
            with np.load(cached) as z:
                return Model(
                    **{k: z[k] for k in z.files if k != "pictures"}, pictures=tuple(z["pictures"])
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
