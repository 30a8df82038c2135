"""``sharp-xr predict``: photos from files, Gaussians to files, and how long each step took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sharp_xr.formats.npz import write_npz
from sharp_xr.formats.ply import PhotoCamera, write_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Predictor
from sharp_xr.photo import Photo, PhotoError, read_photo

T = TypeVar("T")

MAX_BYTES = 64 << 20
"""Of a photo's file, as for uploads."""


class OutputError(Exception):
    """There is no place for what was asked for; the message is one sentence for the user."""


@dataclass(frozen=True)
class Focal:
    """What the user knows better than the photo."""

    mm_35: float | None = None
    px: float | None = None


def targets(photos: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """Each photo with the file that its Gaussians go to.

    Raises:
        OutputError: no photos, or several and one file.
    """
    if not photos:
        raise OutputError("predict wants at least one photo")
    if output.suffix.lower() in (".ply", ".npz"):
        if len(photos) > 1:
            raise OutputError(
                f"{len(photos)} photos do not fit into one file {output}: name a folder"
            )
        return [(photos[0], output)]
    if output.suffix and not output.is_dir():
        raise OutputError(f"-o {output}: wanted a .ply or .npz file, or a folder")
    taken: set[str] = set()
    return [(photo, output / f"{_free_name(photo.stem, taken)}.ply") for photo in photos]


def one(predictor: Predictor, photo: Path, target: Path, focal: Focal) -> bool:
    """Photo to file; what keeps it from that is said on stderr. Returns whether it worked."""
    line = ProgressLine(photo.name)
    try:
        image = line.timed("decode", lambda: _read(photo, focal))
        gaussians = line.timed("predict", lambda: predictor.predict(image, line.show))
        line.timed("store", lambda: _write(target, gaussians, image))
    except (PhotoError, ModelError) as error:
        line.end(f"{photo}: {error}")
    except OSError as error:
        line.end(f"{error.filename or photo}: {error.strerror or error}")
    else:
        line.end(f"{photo} -> {target}: {len(gaussians)} Gaussians; {line.times()}")
        return True
    return False


class ProgressLine:
    """One line of a terminal that is written again and again; elsewhere only its last state."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stage = ""
        self._seconds: dict[str, float] = {}
        self._live = sys.stderr.isatty()

    def timed(self, stage: str, work: Callable[[], T]) -> T:
        """Run a stage, and remember its time."""
        self._stage = stage
        self.show(0.0)
        started = time.perf_counter()
        result = work()
        self._seconds[stage] = time.perf_counter() - started
        return result

    def show(self, fraction: float) -> None:
        """How much of the stage is done."""
        if self._live:
            self._write(f"\r\x1b[K{self._name}: {self._stage} {fraction:4.0%}")

    def end(self, sentence: str) -> None:
        """The last state."""
        self._write(("\r\x1b[K" if self._live else "") + f"sharp-xr: {sentence}\n")

    def times(self) -> str:
        """What each stage took."""
        return ", ".join(f"{stage} {took:.2f} s" for stage, took in self._seconds.items())

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _read(path: Path, focal: Focal) -> Photo:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PhotoError(f"the file is larger than {MAX_BYTES >> 20} MB, the limit")
    return read_photo(data, focal_35mm=focal.mm_35, focal_px=focal.px)


def _write(target: Path, gaussians: Gaussians, photo: Photo) -> None:
    """Under another name first: nobody finds half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    camera = PhotoCamera(photo.width, photo.height, photo.focal_px)
    write = write_npz if target.suffix.lower() == ".npz" else write_ply
    new = target.with_name(f".{target.name}.new")
    try:
        with new.open("wb") as file:
            write(file, gaussians, camera)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _free_name(stem: str, taken: set[str]) -> str:
    """The stem, with a number where two photos of different folders have it."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name
