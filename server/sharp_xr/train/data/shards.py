"""Shards: tar files in the naming of WebDataset, an instance a sample, written whole or not at all.

    synth-000000-000003.tar                the scenes of seeds 0 to 3
      000000-0.json                        kind, and of each view lens and pose: see `_about`
      000000-0.rgb.png                     the photo, sRGB
      000000-0.depth.npy                   [H, W] float16 metres; FAR_M is sky, 0 unknown
      000000-0.behind.npy                  [H, W] float16 metres, its second layer
      000000-0.marks.png                   [H, W] bits: 1 reflective, 2 transparent
      000000-0.novel01.rgb.png             and .depth.npy, .marks.png: a novel view
      000000-1.json ...

The same instances make the same bytes.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sharp_xr.train.data.instances import Instance
from sharp_xr.train.samples import Sample

HELD_OUT = 100_000
"""Scenes of this seed and above are never trained on."""


class ShardError(Exception):
    """A file that is no shard of ours; one sentence for the user."""


# --- names ---------------------------------------------------------------------------------------


def shard_path(folder: Path, first: int, last: int) -> Path:
    """Where the scenes of the seeds from first to last are kept."""
    return folder / f"synth-{first:06d}-{last:06d}.tar"


def seeds_of(path: Path) -> range:
    """The seeds that a shard's name says; none for other files."""
    match = re.fullmatch(r"synth-(\d{6,})-(\d{6,})\.tar", path.name)
    return range(int(match[1]), int(match[2]) + 1) if match else range(0)


def shard_paths(folder: Path, held_out: bool = False) -> list[Path]:
    """Shards to train on, or those held out from training, in the order of their seeds."""
    found = [(seeds_of(path), path) for path in folder.glob("synth-*.tar")]
    wanted = [(s.start, p) for s, p in found if len(s) and (s.start >= HELD_OUT) == held_out]
    return [path for _, path in sorted(wanted)]


def view_prefix(view: int) -> str:
    """What the names of a view's files begin with; view 0 is the photo."""
    return f"novel{view:02d}." if view else ""


# --- writing -------------------------------------------------------------------------------------


def write_shard(path: Path, instances: Iterable[Instance]) -> None:
    """Written beside and renamed, so that a reader never meets half a shard."""
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for instance in instances:
            for name, data in encoded(instance).items():
                info = tarfile.TarInfo(f"{instance.key}.{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    part.replace(path)


def encoded(instance: Instance) -> dict[str, bytes]:
    """File endings and contents."""
    sample = instance.sample
    files = {"json": json.dumps(_about(instance)).encode()}
    for view in range(len(sample)):
        prefix = view_prefix(view)
        files[f"{prefix}rgb.png"] = _png(sample.rgb[view])
        files[f"{prefix}depth.npy"] = _npy(sample.depth[view])
        files[f"{prefix}marks.png"] = _png(instance.marks[view])
    if sample.behind is not None:
        files["behind.npy"] = _npy(sample.behind)
    return files


def _about(instance: Instance) -> dict[str, Any]:
    """What is not a picture. The lens is fx, fy, cx, cy in px, the first pixel's centre at
    (0.5, 0.5); poses are 4 x 4, metres, OpenCV axes (x right, y down, z forward)."""
    sample = instance.sample
    return {
        "kind": instance.kind,
        "world_from_input": instance.world_from_input.tolist(),
        "views": [
            {"lens": lens.tolist(), "camera_from_input": pose.tolist()}
            for lens, pose in zip(sample.lenses, sample.camera_from_input, strict=True)
        ],
    }


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _npy(depth: NDArray[np.floating]) -> bytes:
    file = io.BytesIO()
    np.save(file, depth.astype(np.float16))
    return file.getvalue()


# --- reading -------------------------------------------------------------------------------------


class Shard:
    """A shard on disk, any member of which is read by itself.

    Raises:
        ShardError: from the constructor, if it is no shard; from readers, if a member is broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, tuple[int, int]] = {}
        try:
            with tarfile.open(path, "r:") as tar:
                self._members = {m.name: (m.offset_data, m.size) for m in tar}
        except (tarfile.TarError, OSError) as error:
            raise ShardError(f"{path} is not a readable tar file: {error}") from error
        endings = (name for name in self._members if name.endswith(".json"))
        self.keys = sorted(name.removesuffix(".json") for name in endings)
        if not self.keys:
            raise ShardError(f"{path} is a tar file without a single KEY.json: not one of ours")
        self._about: dict[str, dict[str, Any]] = {}

    def read(self, name: str) -> bytes:
        """One member's content."""
        try:
            offset, size = self._members[name]
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except (KeyError, OSError) as error:
            raise ShardError(f"{self.path} has no readable member {name}") from error

    def about(self, key: str) -> dict[str, Any]:
        """The content of KEY.json."""
        if key not in self._about:
            self._about[key] = _parsed(self.path, key, self.read(f"{key}.json"))
        return self._about[key]

    def views(self, key: str) -> int:
        """1 + K."""
        return len(self.about(key)["views"])

    def rgb(self, key: str, view: int) -> NDArray[np.uint8]:
        """[H, W, 3]"""
        return _image(self.read(f"{key}.{view_prefix(view)}rgb.png"))

    def depth(self, key: str, view: int) -> NDArray[np.float16]:
        """[H, W] metres."""
        return _array(self.read(f"{key}.{view_prefix(view)}depth.npy"))

    def marks(self, key: str, view: int) -> NDArray[np.uint8]:
        """[H, W] bits."""
        return _image(self.read(f"{key}.{view_prefix(view)}marks.png"))

    def behind(self, key: str) -> NDArray[np.float16] | None:
        """[H, W] metres, the photo's second layer; None where it has none."""
        name = f"{key}.behind.npy"
        return _array(self.read(name)) if name in self._members else None

    def sample(self, key: str, views: Sequence[int] | None = None) -> Sample:
        """The photo with some of its novel views (1 and up), or with all."""
        about = self.about(key)
        chosen = [0, *(range(1, len(about["views"])) if views is None else views)]
        behind = self.behind(key)
        return Sample(
            np.stack([self.rgb(key, view) for view in chosen]),
            np.stack([self.depth(key, view) for view in chosen]).astype(np.float32),
            np.array([about["views"][view]["lens"] for view in chosen]),
            np.array([about["views"][view]["camera_from_input"] for view in chosen]),
            None if behind is None else behind.astype(np.float32),
        )

    def instance(self, key: str) -> Instance:
        """All there is."""
        about = self.about(key)
        marks = np.stack([self.marks(key, view) for view in range(self.views(key))])
        pose = np.array(about["world_from_input"])
        return Instance(key, about["kind"], self.sample(key), marks, pose)


def _parsed(path: Path, key: str, text: bytes) -> dict[str, Any]:
    try:
        about: Any = json.loads(text)
        sizes = {(len(v["lens"]), len(v["camera_from_input"])) for v in about["views"]}
        if sizes == {(4, 4)}:
            return dict(about)
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{key}.json in {path} is not what `data synth` writes") from error
    raise ShardError(f"{key}.json in {path} has no views with lens and camera_from_input")


def _image(data: bytes) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return np.asarray(image)
    except OSError as error:
        raise ShardError(f"a picture in a shard is not readable: {error}") from error


def _array(data: bytes) -> NDArray[np.float16]:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ShardError(f"a depth in a shard is not readable: {error}") from error
    return np.asarray(array, np.float16)
