"""The focal length of a scene's photo, which its viewer may correct."""

from __future__ import annotations

import math
from dataclasses import replace

from sharp_xr.photo import DIAGONAL_35MM
from sharp_xr.scenes.index import SceneError, SceneRecord
from sharp_xr.scenes.store import CAMERA_UNKNOWN

FOCAL_RANGE_MM = (8.0, 400.0)
"""As on 35 mm film; what lenses have that people take photos with."""


def focal_in_px(record: SceneRecord, focal_35mm: float | None) -> float:
    """Of the record's photo; None is what the prediction had. Raises SceneError."""
    if record.predicted_focal_px is None:
        raise SceneError(CAMERA_UNKNOWN)
    if focal_35mm is None:
        return record.predicted_focal_px
    least, most = FOCAL_RANGE_MM
    if not least <= focal_35mm <= most:
        raise SceneError(f"a focal length of {focal_35mm:g} mm, wanted {least:g} to {most:g}")
    return focal_35mm * math.hypot(record.photo.width, record.photo.height) / DIAGONAL_35MM


def with_focal(record: SceneRecord, focal_px: float) -> SceneRecord:
    """The record as if its photo's camera had this focal length."""
    return replace(record, photo=replace(record.photo, focal_px=focal_px))
