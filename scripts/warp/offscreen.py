"""The OpenXR client's own shader, without headset and screen: by EGL, where this machine has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from sharp_xr_client.problem import ClientError
from sharp_xr_client.reprojection import Reprojection
from sharp_xr_protocol.messages import Layout


class NoGlError(Exception):
    """This machine cannot; the message says why."""


class GlWarp:
    """Paints frames; its context is current in the thread that made it."""

    def __init__(self, width: int, height: int) -> None:
        """``width`` and ``height`` of one eye's display, pixels."""
        from OpenGL import GL

        from sharp_xr_client.openxr.painting import Painter

        self._gl, self._size = GL, (width, height)
        self._painter = Painter()
        self._target = GL.glGenTextures(1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._target)
        GL.glTexImage2D(
            *(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA8, 2 * width, height, 0),
            *(GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, None),
        )

    def upload(self, picture: VideoFrame) -> None:
        self._painter.upload(picture)

    def paint(self, layout: Layout, eyes: tuple[Reprojection, Reprojection]) -> float:
        """Both eyes; wall-clock milliseconds until they were there."""
        self._gl.glFinish()
        began_s = time.perf_counter()
        self._painter.paint(self._target, self._size, layout, eyes)
        self._gl.glFinish()
        return 1e3 * (time.perf_counter() - began_s)

    def pixels(self) -> NDArray[np.uint8]:
        """[H, 2 W, 3] of what was painted last."""
        gl, (width, height) = self._gl, self._size
        gl.glBindTexture(gl.GL_TEXTURE_2D, self._target)
        gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
        data = gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGB, gl.GL_UNSIGNED_BYTE)
        return np.frombuffer(data, np.uint8).reshape(height, 2 * width, 3)[::-1]


@contextmanager
def offscreen(width: int, height: int) -> Iterator[GlWarp]:
    """Raises NoGlError where the client's parts or EGL are missing."""
    try:
        from sharp_xr_client.openxr.surfaceless import Surfaceless

        context = Surfaceless()
    except (ImportError, ClientError) as error:
        raise NoGlError(str(error)) from error
    context.make_current()
    try:
        yield GlWarp(width, height)
    finally:
        context.close()
