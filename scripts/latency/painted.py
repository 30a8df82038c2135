"""Pictures that cost nothing and say which head they were drawn for.

Where the head is, x and y in tenths of a millimetre, is a barcode in the corner of each eye (12
bits each, and a checksum): what a frame shows is known from its pixels, whatever the wire says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scripts.impairment.standin import DISTANCE_M, CropRenderer
from tests.server.stream.barcode import CELL, COLUMNS, ROWS, barcode, read_barcode

from sharp_xr.render import Frame, PreparedScene, RenderSettings, View
from sharp_xr_protocol.geometry import Vector3

STEP_M = 1e-4
HALF = 1 << 11
"""In steps: heads within 20 cm of the middle can be told apart."""
Place = tuple[int, int]
"""x and y of a head in steps."""


def place_of(position: Vector3) -> Place:
    """Of a head in OpenXR's world."""
    return round(position[0] / STEP_M), round(position[1] / STEP_M)


def is_place(painted: Place, sent: Place) -> bool:
    """Whether they are one: arithmetic on the way may round to the next step."""
    return all(abs(a - b) <= 1 for a, b in zip(painted, sent, strict=True))


def read_place(luma: NDArray[np.uint8]) -> Place:
    """What a picture [H, W] shows; ValueError where it is damaged."""
    identity = read_barcode(luma)
    return (identity & 0xFFF) - HALF, (identity >> 12) - HALF


class PaintedRenderer(CropRenderer):
    """Crops of a photo, in arrays that are used again, with the head's place painted in."""

    name = "painted"

    def __init__(self) -> None:
        super().__init__()
        self.took_ms: dict[Place, float] = {}
        """By the place that was painted."""
        self._frame = Frame(*(np.empty(0, np.float32) for _ in range(3)))

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        began_s = time.perf_counter()
        frame = self._frame_of((len(views), views[0].height, views[0].width))
        place = place_of(_head(views))
        code = barcode((place[0] + HALF) & 0xFFF | ((place[1] + HALF) & 0xFFF) << 12)
        for rgb, view in zip(frame.rgb, views, strict=True):
            rgb[:] = self._cut(view)
            rgb[:, : ROWS * CELL, : COLUMNS * CELL] = code
        self.took_ms[place] = 1e3 * (time.perf_counter() - began_s)
        return frame

    def _frame_of(self, shape: tuple[int, int, int]) -> Frame:
        if self._frame.depth.shape != shape:
            views, height, width = shape
            rgb = np.empty((views, 3, height, width), np.float32)
            depth, alpha = np.full(shape, DISTANCE_M, np.float32), np.ones(shape, np.float32)
            self._frame = Frame(rgb, depth, alpha)
        return self._frame


def _head(views: Sequence[View]) -> Vector3:
    """The middle of the eyes in OpenXR's world."""
    centres = [np.linalg.inv(view.camera_from_photo)[:3, 3] for view in views]
    x, y, z = np.mean(centres, axis=0)
    return float(x), float(-y), float(-z)
