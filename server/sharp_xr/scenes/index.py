"""The index of the scenes on disk: what a gallery shows of each, in SQLite.

A database of an earlier version is brought up to date when it is opened, one migration after
another; its version is how many of them it has had (``PRAGMA user_version``).
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sharp_xr.formats.ply import PhotoCamera

FOCUS_RANGE_M = (0.3, 100.0)
"""Nearer than an arm's length nobody turns around something; farther away nothing moves."""


class SceneError(Exception):
    """A scene could not be stored, loaded or changed; the message is one sentence for the user."""


class SceneNotFound(SceneError, LookupError):
    """There is no scene of that id."""


class DiskError(SceneError):
    """The disk or its index refused."""


@dataclass(frozen=True)
class Origin:
    """What Gaussians were made of: those of equal origin are equal."""

    photo_sha256: str
    """Of the file's bytes, in hexadecimal; its focal length is in them."""
    predictor: str
    """Name, weights and precision."""


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
    """As it is believed to have been; a user may have corrected its focal length."""
    near_m: float
    """Where the scene's nearest tenth ends, by the Gaussians on disk."""
    predicted_focal_px: float | None
    """The camera's focal length by the Gaussians on disk; None if nobody knows a camera."""
    origin: Origin | None = None
    """None for an uploaded scene, and for scenes of before this was kept."""

    @property
    def stretch(self) -> float:
        """What the Gaussians on disk are to be refocused by (``Gaussians.refocused``)."""
        predicted = self.predicted_focal_px
        return 1.0 if predicted is None else self.photo.focal_px / predicted

    @property
    def focus_m(self) -> float:
        """A distance worth turning around, in metres, within :data:`FOCUS_RANGE_M`."""
        return float(np.clip(self.near_m * self.stretch, *FOCUS_RANGE_M))


Records = list[SceneRecord]
Rows = list[tuple[Any, ...]]

COLUMNS = (
    "id, name, created, gaussians, model, width, height, focal_px, focus_m, "
    "predicted_focal_px, photo_sha256, predictor"
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE IF NOT EXISTS scenes (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL, gaussians INTEGER NOT NULL,
        model TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
        focal_px REAL NOT NULL, focus_m REAL NOT NULL) STRICT""",
    ),
    (
        # focus_m was held within FOCUS_RANGE_M; from here on it is near_m.
        "ALTER TABLE scenes ADD COLUMN predicted_focal_px REAL",
        "ALTER TABLE scenes ADD COLUMN photo_sha256 TEXT",
        "ALTER TABLE scenes ADD COLUMN predictor TEXT",
        "UPDATE scenes SET predicted_focal_px = focal_px WHERE model != 'ply'",
    ),
)
"""From a new database to today's; IF NOT EXISTS because the first version did not count itself."""


class SceneIndex:
    """One database. Any thread may call; one process at a time holds it.

    Raises (the constructor and each method):
        DiskError: another process holds it, or the disk is full, gone or read-only.
    """

    def __init__(self, path: Path) -> None:
        """Raises SceneError besides: a later version has written it."""
        self._lock = threading.Lock()
        with disk_errors("open the index of scenes"):
            self._connection = _open(path)

    def close(self) -> None:
        """Lets another process have it."""
        with self._lock:
            self._connection.close()

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

    def insert(self, record: SceneRecord) -> None:
        """Adds a scene."""
        photo, origin = record.photo, record.origin
        self._execute(
            f"INSERT INTO scenes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(record.id, record.name, record.created, record.gaussians, record.model),
            *(photo.width, photo.height, photo.focal_px, record.near_m, record.predicted_focal_px),
            *((origin.photo_sha256, origin.predictor) if origin else (None, None)),
        )

    def rename(self, scene_id: str, name: str) -> None:
        """No matter whether it is there."""
        self._execute("UPDATE scenes SET name = ? WHERE id = ?", name, scene_id)

    def refocus(self, scene_id: str, focal_px: float) -> None:
        """Likewise."""
        self._execute("UPDATE scenes SET focal_px = ? WHERE id = ?", focal_px, scene_id)

    def renew(self, scene_id: str, created: float) -> None:
        """Likewise."""
        self._execute("UPDATE scenes SET created = ? WHERE id = ?", created, scene_id)

    def delete(self, scene_id: str) -> None:
        """Likewise."""
        self._execute("DELETE FROM scenes WHERE id = ?", scene_id)

    def _execute(self, statement: str, *values: str | float | None) -> Rows:
        """One statement as one transaction."""
        with disk_errors("use the index of scenes"), self._lock, self._connection:
            return self._connection.execute(statement, values).fetchall()


def _record(row: tuple[Any, ...]) -> SceneRecord:
    """Of the row's :data:`COLUMNS`."""
    scene_id, name, created, gaussians, model, width, height, focal_px, near_m = row[:9]
    predicted_focal_px, photo_sha256, predictor = row[9:]
    return SceneRecord(
        id=scene_id,
        name=name,
        created=created,
        gaussians=gaussians,
        model=model,
        photo=PhotoCamera(width, height, focal_px),
        near_m=near_m,
        predicted_focal_px=predicted_focal_px,
        origin=Origin(photo_sha256, predictor) if photo_sha256 else None,
    )


def _open(path: Path) -> sqlite3.Connection:
    # Our lock serialises the threads; SQLite's exclusive mode keeps other processes out.
    connection = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        with connection:
            connection.execute("BEGIN EXCLUSIVE")  # takes the lock now, not at the first add
            _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    """All or nothing: within the caller's transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise SceneError("a newer sharp-xr has written the index of scenes: install that one")
    for migration in MIGRATIONS[version:]:
        for statement in migration:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextlib.contextmanager
def disk_errors(task: str) -> Iterator[None]:
    """What the disk or SQLite refuses, as a sentence."""
    try:
        yield
    except OSError as error:
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise DiskError(f"cannot {task}: {why}") from error
    except sqlite3.Error as error:
        why = "another sharp-xr is using them" if "locked" in str(error) else str(error)
        raise DiskError(f"cannot {task}: {why}") from error
