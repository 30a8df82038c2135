"""A small panel of figures, fixed to the head, below where it looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import xr
from OpenGL import GL

from sharp_xr_client.openxr.conversion import posef_from
from sharp_xr_client.openxr.lettering import HEIGHT, WIDTH, lettered
from sharp_xr_client.openxr.painting import Canvas
from sharp_xr_client.openxr.session import Session
from sharp_xr_protocol.geometry import Pose

COLUMNS, LINES = 27, 7
DOT_PX = 2
WIDTH_PX, HEIGHT_PX = COLUMNS * WIDTH * DOT_PX, LINES * HEIGHT * DOT_PX
WIDTH_M = 0.4
HEAD_FROM_PANEL = Pose((0.0, -0.42, -1.0))
INK = np.array((200, 220, 235, 255), np.uint8)
PAPER = np.array((16, 18, 24, 255), np.uint8)
EVERY_S = 1.0
"""Between two writings: faster figures cannot be read."""


class Panel:
    """Owns a swapchain of the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._canvas = Canvas(session, WIDTH_PX, HEIGHT_PX)
        self._written_s = float("-inf")

    def is_due(self) -> bool:
        return time.monotonic() - self._written_s >= EVERY_S

    def write(self, lines: Sequence[str]) -> None:
        """Show these, LINES of 26 letters."""
        self._written_s = time.monotonic()
        padded = [f" {line}" for line in lines]
        dots = lettered([*padded, *[""] * LINES][:LINES], COLUMNS)
        dots = np.kron(dots, np.ones((DOT_PX, DOT_PX), np.bool_))
        pixels = np.where(dots[..., None], INK, PAPER)
        # GL's first row is the lowest.
        rows = np.ascontiguousarray(pixels[::-1])
        with self._canvas.next_picture() as texture:
            GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
            GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, 0)
            GL.glTexSubImage2D(
                *(GL.GL_TEXTURE_2D, 0, 0, 0, WIDTH_PX, HEIGHT_PX),
                *(GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, rows),
            )

    def layer(self) -> Any:
        """For ``xrEndFrame``, after the world."""
        whole = xr.Rect2Di(xr.Offset2Di(0, 0), xr.Extent2Di(WIDTH_PX, HEIGHT_PX))
        return xr.CompositionLayerQuad(
            space=self._session.head,
            eye_visibility=xr.EyeVisibility.BOTH,
            sub_image=xr.SwapchainSubImage(self._canvas.handle, whole, 0),
            pose=posef_from(HEAD_FROM_PANEL),
            size=xr.Extent2Df(WIDTH_M, WIDTH_M * HEIGHT_PX / WIDTH_PX),
        )

    def close(self) -> None:
        self._canvas.close()
