"""Scenes on disk: one folder each, and an index of what a gallery shows.

    DIRECTORY/index.sqlite          a row per scene (SQLite, write-ahead log)
    DIRECTORY/scenes/ID/scene.ply
    DIRECTORY/scenes/ID/thumbnail.jpg
    DIRECTORY/scenes/.new-ID/       being written

The order of writing is what survives a kill at any moment: the files are flushed to disk under a
temporary name, the folder is renamed, and only then does the row appear; it goes first on deletion.
So a row always has its files, and a folder without a row is rubbish that the next start removes.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import secrets
import shutil
import sqlite3
import threading
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from sharp_xr.formats.ply import PhotoCamera, PlyError, read_ply, write_ply
from sharp_xr.gaussians import Gaussians

log = logging.getLogger(__name__)

MAX_NAME = 120
"""Characters."""
FOCUS_RANGE_M = (0.3, 100.0)
"""Nearer than an arm's length nobody turns around something; farther away nothing moves."""


class SceneError(Exception):
    """A scene could not be stored or loaded; the message is one sentence for the user."""


class SceneNotFound(SceneError, LookupError):
    """There is no scene of that id."""


@dataclass(frozen=True)
class SceneRecord:
    """What the index knows of a scene."""

    id: str
    """Not to be guessed: who knows it may see the scene."""
    name: str
    created: float
    """Seconds since 1970, UTC."""
    gaussians: int
    """How many."""
    model: str
    """Name of the predictor, or "ply" for an uploaded scene."""
    photo: PhotoCamera
    focus_m: float
    """See :func:`focus_distance`."""


def warm_up() -> None:
    """Compile what storing the first scene would wait for, seconds on a new machine. Any thread."""
    one = np.ones((1, 6), np.float32)
    write_ply(io.BytesIO(), Gaussians(one[:, :3], one, one[:, :3], one[:, 0]))


def new_record(gaussians: Gaussians, *, name: str, model: str, photo: PhotoCamera) -> SceneRecord:
    """What is known of a new scene before it is stored.

    Args:
        name: for people; see :func:`clean_name`.
        model: name of the predictor, or "ply".
        photo: its size and focal length.
    """
    return SceneRecord(
        id=secrets.token_hex(12),
        name=clean_name(name) or "Untitled",
        created=time.time(),
        gaussians=len(gaussians),
        model=model,
        photo=photo,
        focus_m=focus_distance(gaussians),
    )


COLUMNS = "id, name, created, gaussians, model, width, height, focal_px, focus_m"
SCHEMA = """
CREATE TABLE IF NOT EXISTS scenes (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL, gaussians INTEGER NOT NULL,
    model TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, focal_px REAL NOT NULL,
    focus_m REAL NOT NULL
) STRICT
"""


Records = list[SceneRecord]
Rows = list[tuple[Any, ...]]


class SceneStore:
    """All scenes of one directory. Any thread may call; one process at a time holds the directory.

    Raises (the constructor and each method that touches the disk):
        SceneError: another process holds the directory, or the disk is full, gone or read-only.
    """

    def __init__(self, directory: Path) -> None:
        self._scenes = directory / "scenes"
        self._lock = threading.Lock()
        with _disk_errors(f"open the scenes in {directory}"):
            self._scenes.mkdir(parents=True, exist_ok=True)
            self._index = _open_index(directory / "index.sqlite")
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
        with self._lock:
            self._index.close()

    def add(self, record: SceneRecord, gaussians: Gaussians, thumbnail: bytes) -> None:
        """Stores a scene; when this returns, it is on the disk.

        Args:
            record: of :func:`new_record`.
            gaussians: all finite.
            thumbnail: a JPEG.
        """
        with _disk_errors("store the scene"):
            self._write_files(record, gaussians, thumbnail)
            try:
                self._insert(record)
            except BaseException:
                shutil.rmtree(self._scenes / record.id, ignore_errors=True)
                raise

    def list(self) -> Records:
        """All scenes, newest first."""
        rows = self._execute(f"SELECT {COLUMNS} FROM scenes ORDER BY created DESC, rowid DESC")
        return [_record(row) for row in rows]

    def get(self, scene_id: str) -> SceneRecord:
        """One scene's record. Raises SceneNotFound."""
        rows = self._execute(f"SELECT {COLUMNS} FROM scenes WHERE id = ?", scene_id)
        if not rows:
            raise SceneNotFound("there is no such scene: it may have been deleted")
        return _record(rows[0])

    def rename(self, scene_id: str, name: str) -> SceneRecord:
        """Gives a scene another name. Raises SceneNotFound, or SceneError for an empty name."""
        cleaned = clean_name(name)
        if not cleaned:
            raise SceneError(f"the name is empty, wanted 1 to {MAX_NAME} characters")
        self._execute("UPDATE scenes SET name = ? WHERE id = ?", cleaned, scene_id)
        return self.get(scene_id)

    def delete(self, scene_id: str) -> None:
        """Removes a scene for good. Raises SceneNotFound."""
        folder = self._folder(scene_id)
        self._execute("DELETE FROM scenes WHERE id = ?", scene_id)
        shutil.rmtree(folder, ignore_errors=True)  # what stays, the next start removes

    def load(self, scene_id: str) -> Gaussians:
        """The Gaussians of a scene. Raises SceneNotFound; SceneError for a damaged file."""
        path = self.ply_path(scene_id)
        try:
            with _disk_errors("load the scene"):
                return read_ply(path)[0]
        except PlyError as error:
            raise SceneError(f"the scene's file is damaged: {error}") from error

    def thumbnail(self, scene_id: str) -> bytes:
        """A small JPEG of the photo. Raises SceneNotFound."""
        path = self._folder(scene_id) / "thumbnail.jpg"
        with _disk_errors("load the thumbnail"):
            return path.read_bytes()

    def ply_path(self, scene_id: str) -> Path:
        """The scene as a file that other programs read. Raises SceneNotFound."""
        return self._folder(scene_id) / "scene.ply"

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

    def _insert(self, record: SceneRecord) -> None:
        photo = record.photo
        self._execute(
            f"INSERT INTO scenes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(record.id, record.name, record.created, record.gaussians, record.model),
            *(photo.width, photo.height, photo.focal_px, record.focus_m),
        )

    def _execute(self, statement: str, *values: str | float) -> Rows:
        """One statement as one transaction."""
        with _disk_errors("use the index of scenes"), self._lock, self._index:
            return self._index.execute(statement, values).fetchall()

    def _clean(self) -> None:
        """Removes folders without a row, which a kill left, and rows whose folder is gone."""
        known = {record.id for record in self.list()}
        there = {folder.name for folder in self._scenes.iterdir()}
        for orphan in there - known:
            log.info("removing %s, left by an interrupted run", orphan)
            shutil.rmtree(self._scenes / orphan, ignore_errors=True)
        for lost in known - there:
            log.warning("scene %s has lost its files; removing it from the index", lost)
            self._execute("DELETE FROM scenes WHERE id = ?", lost)


def clean_name(name: str) -> str:
    """One line of at most 120 visible characters: controls (also those of writing direction) are
    taken out, blanks become single spaces. May be empty."""
    visible = (
        " " if char.isspace() else char
        for char in name[: 8 * MAX_NAME]
        if char.isspace() or unicodedata.category(char)[0] != "C" or char in "\u200c\u200d"
    )
    return " ".join("".join(visible).split())[:MAX_NAME].strip()


def focus_distance(gaussians: Gaussians) -> float:
    """A distance worth turning around, in metres: the 10 % quantile of depth (as SHARP's camera
    paths use, sharp-model section 11), within :data:`FOCUS_RANGE_M`; 2 m for an empty scene."""
    depths = gaussians.means[:, 2]
    depths = depths[depths > 0]
    if not len(depths):
        return 2.0
    return float(np.clip(np.quantile(depths, 0.1), *FOCUS_RANGE_M))


def _record(row: tuple[Any, ...]) -> SceneRecord:
    """Of the row's :data:`COLUMNS`."""
    scene_id, name, created, gaussians, model, width, height, focal_px, focus_m = row
    photo = PhotoCamera(width, height, focal_px)
    return SceneRecord(scene_id, name, created, gaussians, model, photo, focus_m)


def _open_index(path: Path) -> sqlite3.Connection:
    # Our lock serialises the threads; SQLite's exclusive mode keeps other processes out.
    index = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
    try:
        index.execute("PRAGMA locking_mode = EXCLUSIVE")
        index.execute("PRAGMA journal_mode = WAL")
        index.execute("PRAGMA synchronous = FULL")
        with index:
            index.execute(SCHEMA)
            index.execute("DELETE FROM scenes WHERE 0")  # takes the lock now, not at the first add
    except BaseException:
        index.close()
        raise
    return index


def _flush_folder(folder: Path) -> None:
    """A rename is on the disk when its folder is; Windows cannot and need not."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk_errors(task: str) -> Iterator[None]:
    """What the disk or SQLite refuses, as a sentence."""
    try:
        yield
    except OSError as error:
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise SceneError(f"cannot {task}: {why}") from error
    except sqlite3.Error as error:
        why = "another sharp-xr is using them" if "locked" in str(error) else str(error)
        raise SceneError(f"cannot {task}: {why}") from error
