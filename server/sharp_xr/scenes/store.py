"""Scenes on disk: one folder each, and an index of what a gallery shows.

    DIRECTORY/index.sqlite          a row per scene (SQLite, write-ahead log)
    DIRECTORY/scenes/ID/scene.ply
    DIRECTORY/scenes/ID/thumbnail.jpg
    DIRECTORY/scenes/ID/refocused-*.ply   made when it is first downloaded, for a corrected camera
    DIRECTORY/scenes/.new-ID/       being written

The order of writing is what survives a kill at any moment: the files are flushed to disk under a
temporary name, the folder is renamed, and only then does the row appear; it goes first on deletion.
So a row always has its files, and a folder without a row is rubbish that the next start removes.
"""

from __future__ import annotations

import io
import logging
import os
import secrets
import shutil
import threading
import time
import unicodedata
from pathlib import Path
from types import TracebackType

import numpy as np

from sharp_xr.formats.ply import PhotoCamera, PlyError, read_ply, write_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.scenes.index import Origin, SceneError, SceneIndex, SceneRecord, disk_errors

log = logging.getLogger(__name__)

MAX_NAME = 120
"""Characters."""
CAMERA_UNKNOWN = (
    "this scene's file does not say with which camera its photo was taken, "
    "so its focal length cannot be changed"
)


Records = list[SceneRecord]


def warm_up() -> None:
    """Compile what storing the first scene would wait for, seconds on a new machine. Any thread."""
    one = np.ones((1, 6), np.float32)
    write_ply(io.BytesIO(), Gaussians(one[:, :3], one, one[:, :3], one[:, 0]))


def new_record(
    gaussians: Gaussians,
    *,
    name: str,
    model: str,
    photo: PhotoCamera,
    camera_is_known: bool = True,
    origin: Origin | None = None,
) -> SceneRecord:
    """What is known of a new scene before it is stored.

    Args:
        name: for people; see :func:`clean_name`.
        model: name of the predictor, or "ply".
        photo: its size and focal length.
        camera_is_known: whether ``photo`` is more than a guess.
        origin: what a predictor made it of.
    """
    return SceneRecord(
        id=secrets.token_hex(12),
        name=clean_name(name) or "Untitled",
        created=time.time(),
        gaussians=len(gaussians),
        model=model,
        photo=photo,
        near_m=near_distance(gaussians),
        predicted_focal_px=photo.focal_px if camera_is_known else None,
        origin=origin,
    )


class SceneStore:
    """All scenes of one directory. Any thread may call; one process at a time holds the directory.

    Raises (the constructor and each method that touches the disk):
        SceneError: another process holds the directory, or the disk is full, gone or read-only.

    A corrected focal length is a number in the index: the Gaussians stay on the disk as predicted,
    so that no correction adds to the errors of the one before, and cost nothing to correct.
    """

    def __init__(self, directory: Path) -> None:
        self._scenes = directory / "scenes"
        self._exporting = threading.Lock()
        with disk_errors(f"open the scenes in {directory}"):
            self._scenes.mkdir(parents=True, exist_ok=True)
        self._index = SceneIndex(directory / "index.sqlite")
        with disk_errors(f"open the scenes in {directory}"):
            self._clean()

    def __enter__(self) -> SceneStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process have the directory."""
        self._index.close()

    def add(self, record: SceneRecord, gaussians: Gaussians, thumbnail: bytes) -> None:
        """Stores a scene; when this returns, it is on the disk.

        Args:
            record: of :func:`new_record`.
            gaussians: all finite.
            thumbnail: a JPEG.
        """
        with disk_errors("store the scene"):
            self._write_files(record, gaussians, thumbnail)
            try:
                self._index.insert(record)
            except BaseException:
                shutil.rmtree(self._scenes / record.id, ignore_errors=True)
                raise

    def list(self) -> Records:
        """All scenes, newest first."""
        return self._index.list()

    def get(self, scene_id: str) -> SceneRecord:
        """One scene's record. Raises SceneNotFound."""
        return self._index.get(scene_id)

    def rename(self, scene_id: str, name: str) -> SceneRecord:
        """Gives a scene another name. Raises SceneNotFound, or SceneError for an empty name."""
        cleaned = clean_name(name)
        if not cleaned:
            raise SceneError(f"the name is empty, wanted 1 to {MAX_NAME} characters")
        self._index.rename(scene_id, cleaned)
        return self.get(scene_id)

    def refocus(self, scene_id: str, focal_px: float) -> SceneRecord:
        """Gives the photo's camera another focal length. Raises SceneNotFound, or SceneError:
        nobody knows the camera."""
        if self.get(scene_id).predicted_focal_px is None:
            raise SceneError(CAMERA_UNKNOWN)
        self._index.refocus(scene_id, focal_px)
        return self.get(scene_id)

    def renew(self, scene_id: str) -> SceneRecord:
        """Makes it the newest scene. Raises SceneNotFound."""
        self._index.renew(scene_id, time.time())
        return self.get(scene_id)

    def delete(self, scene_id: str) -> None:
        """Removes a scene for good. Raises SceneNotFound."""
        folder = self._folder(scene_id)
        self._index.delete(scene_id)
        shutil.rmtree(folder, ignore_errors=True)  # what stays, the next start removes

    def load(self, scene_id: str) -> Gaussians:
        """The Gaussians as they were predicted: whoever shows them refocuses them by the record's
        stretch. Raises SceneNotFound; SceneError for a damaged file."""
        path = self._folder(scene_id) / "scene.ply"
        try:
            with disk_errors("load the scene"):
                return read_ply(path)[0]
        except PlyError as error:
            raise SceneError(f"the scene's file is damaged: {error}") from error

    def thumbnail(self, scene_id: str) -> bytes:
        """A small JPEG of the photo. Raises SceneNotFound."""
        path = self._folder(scene_id) / "thumbnail.jpg"
        with disk_errors("load the thumbnail"):
            return path.read_bytes()

    def ply_path(self, scene_id: str) -> Path:
        """The scene as a file that other programs read, with the focal length that it has now.

        The first time after a correction this takes a second or two: the file is written then.
        Raises SceneNotFound; SceneError.
        """
        record = self.get(scene_id)
        folder = self._scenes / record.id
        if record.stretch == 1.0:
            return folder / "scene.ply"
        path = folder / f"refocused-{record.photo.focal_px:.6g}px.ply"
        with self._exporting:
            if not path.exists():
                gaussians = self.load(scene_id).refocused(record.stretch)
                with disk_errors("write the scene's file"):
                    _write_refocused(path, gaussians, record.photo)
        return path

    def _folder(self, scene_id: str) -> Path:
        """Through the index, so that an id which is a path leads nowhere."""
        return self._scenes / self.get(scene_id).id

    def _write_files(self, record: SceneRecord, gaussians: Gaussians, thumbnail: bytes) -> None:
        new = self._scenes / f".new-{record.id}"
        try:
            new.mkdir()
            with (new / "scene.ply").open("wb") as file:
                write_ply(file, gaussians, record.photo)
                file.flush()
                os.fsync(file.fileno())
            with (new / "thumbnail.jpg").open("wb") as file:
                file.write(thumbnail)
                file.flush()
                os.fsync(file.fileno())
            _flush_folder(new)
            new.rename(self._scenes / record.id)
            _flush_folder(self._scenes)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _clean(self) -> None:
        """Removes folders without a row, which a kill left, and rows whose folder is gone."""
        known = {record.id for record in self.list()}
        there = {folder.name for folder in self._scenes.iterdir()}
        for orphan in there - known:
            log.info("removing %s, left by an interrupted run", orphan)
            shutil.rmtree(self._scenes / orphan, ignore_errors=True)
        for lost in known - there:
            log.warning("scene %s has lost its files; removing it from the index", lost)
            self._index.delete(lost)


def clean_name(name: str) -> str:
    """One line of at most 120 visible characters: controls (also those of writing direction) are
    taken out, blanks become single spaces. May be empty."""
    visible = (
        " " if char.isspace() else char
        for char in name[: 8 * MAX_NAME]
        if char.isspace() or unicodedata.category(char)[0] != "C" or char in "\u200c\u200d"
    )
    return " ".join("".join(visible).split())[:MAX_NAME].strip()


def near_distance(gaussians: Gaussians) -> float:
    """Where the nearest tenth ends, in metres: the 10 % quantile of depth (as SHARP's camera paths
    use: ``render/trajectories.py``); 2 m for an empty scene."""
    near_m = gaussians.depth_quantile(0.1)
    return 2.0 if near_m is None else near_m


def _write_refocused(path: Path, gaussians: Gaussians, photo: PhotoCamera) -> None:
    """In place of those of earlier corrections. Nothing is flushed: it can be made again."""
    new = path.with_name("refocused.new")
    try:
        write_ply(new, gaussians, photo)
        for earlier in path.parent.glob("refocused-*.ply"):
            earlier.unlink(missing_ok=True)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """A rename is on the disk when its folder is; Windows cannot and need not."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
