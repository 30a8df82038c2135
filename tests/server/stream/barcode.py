"""A renderer that writes a pose's identity into the pixels, and the reader of what it wrote.

24 bits of identity and 8 of checksum, as an 8 x 4 barcode of black and white cells in the corner of
each eye: what a frame shows is then known from its pixels alone, whatever the codec did to them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import Frame, PreparedScene, RenderSettings, View
from sharp_xr_protocol.geometry import Fov, Pose
from sharp_xr_protocol.messages import Eye, Tracking

COLUMNS, ROWS, CELL = 8, 4, 16  # one macroblock a cell: cheap to encode at any rate
STEP_M = 1e-3
"""Identity n is drawn for a head at x = n mm."""


class BarcodeRenderer:
    """Draws the left eye's x in millimetres, on a background that differs between the eyes."""

    name = "barcode"

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self.budgets_ms: list[float | None] = []
        self.views: Sequence[View] = ()

    def warm_up(self) -> None:
        """Nothing to compile."""

    def prepare(self, gaussians: Gaussians) -> PreparedScene:
        return gaussians

    def render(
        self,
        scene: PreparedScene,
        views: Sequence[View],
        settings: RenderSettings = RenderSettings(),
    ) -> Frame:
        # camera_from_photo moves the world against the eye.
        identity = round(-views[0].camera_from_photo[0, 3] / STEP_M)
        self.drawn.append(identity)
        self.views = views
        self.budgets_ms.append(settings.budget_ms)
        height, width = views[0].height, views[0].width
        rgb = np.empty((len(views), 3, height, width), np.float32)
        for eye in range(len(views)):
            rgb[eye] = 0.3 + 0.4 * eye
            rgb[eye, :, : ROWS * CELL, : COLUMNS * CELL] = barcode(identity)
        flat = np.ones((len(views), height, width), np.float32)
        return Frame(rgb, flat, flat)


def barcode(identity: int) -> NDArray[np.float32]:
    """[ROWS * CELL, COLUMNS * CELL], 0 and 1."""
    value = identity & 0xFFFFFF | _checksum(identity) << 24
    bits = np.array([value >> i & 1 for i in range(ROWS * COLUMNS)], np.float32)
    return np.kron(bits.reshape(ROWS, COLUMNS), np.ones((CELL, CELL), np.float32))


def read_barcode(luma: NDArray[np.uint8]) -> int:
    """The identity in the corner of a decoded picture [H, W]; ValueError where it is damaged."""
    cells = luma[: ROWS * CELL, : COLUMNS * CELL].reshape(ROWS, CELL, COLUMNS, CELL)
    bits = cells.mean(axis=(1, 3)).reshape(-1) > 127
    value = sum(int(bit) << i for i, bit in enumerate(bits))
    identity = value & 0xFFFFFF
    if value >> 24 != _checksum(identity):
        raise ValueError(f"a damaged barcode: {value:#x}")
    return identity


def tracking(identity: int, key: int, ack: int | None = None) -> Tracking:
    """A pose whose picture is this identity."""
    fov = Fov.symmetric(1.5, 1.5)
    eyes = (Eye(Pose(), fov), Eye(Pose((0.064, 0.0, 0.0)), fov))
    head = Pose((identity * STEP_M, 0.0, 0.0))
    return Tracking(key=key, time_ns=0, head=head, eyes=eyes, ack=ack)


def _checksum(identity: int) -> int:
    return zlib.crc32((identity & 0xFFFFFF).to_bytes(3, "little")) & 0xFF
