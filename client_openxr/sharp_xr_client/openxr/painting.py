"""A decoded frame into a swapchain's picture: uploaded once, warped as often as the head moves.

The swapchain holds sRGB and the frame is sRGB, so the shader copies codes: FRAMEBUFFER_SRGB stays
off, as it is in a new context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import xr
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from OpenGL import GL

from sharp_xr_client.openxr.session import Session
from sharp_xr_client.openxr.shader import FRAGMENT, VERTEX
from sharp_xr_client.problem import ClientError
from sharp_xr_client.reprojection import Reprojection
from sharp_xr_protocol.geometry import rotate
from sharp_xr_protocol.messages import Layout

FORMATS = (GL.GL_SRGB8_ALPHA8, GL.GL_SRGB8)
"""What runtimes offer that takes the stream's codes as they are; the first that is offered."""


@dataclass(frozen=True)
class Style:
    """What is shown beside the world itself."""

    fade: float = 0.0
    """0 the world, 1 the vignette alone."""
    is_clear: bool = False
    """The room is seen where the frame has nothing."""


class Painter:
    """Owns the GL objects of one context, which is current in the thread that calls."""

    def __init__(self) -> None:
        self._program = _link(VERTEX, FRAGMENT)
        self._at = _uniforms(self._program)
        self._vertices = GL.glGenVertexArrays(1)
        self._target = GL.glGenFramebuffers(1)
        self._texture = GL.glGenTextures(1)
        self._size = (0, 0)
        self._reformatter = VideoReformatter()

    def upload(self, picture: VideoFrame) -> None:
        """Keep this frame to be painted; the one before is gone."""
        rgba = self._reformatter.reformat(picture, format="rgba")
        plane = rgba.planes[0]
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._texture)
        if self._size != (rgba.width, rgba.height):
            self._size = (rgba.width, rgba.height)
            self._allocate()
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 4)
        GL.glPixelStorei(GL.GL_UNPACK_ROW_LENGTH, plane.line_size // 4)
        pixels = np.frombuffer(memoryview(plane), np.uint8)
        GL.glTexSubImage2D(
            GL.GL_TEXTURE_2D, 0, 0, 0, *self._size, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, pixels
        )

    def paint(
        self,
        target: int,
        size: tuple[int, int],
        layout: Layout,
        eyes: Sequence[Reprojection],
        style: Style = Style(),
    ) -> None:
        """The frame into the texture ``target``: left eye left, each ``size`` (width, height)."""
        width, height = size
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._target)
        GL.glFramebufferTexture2D(
            GL.GL_FRAMEBUFFER, GL.GL_COLOR_ATTACHMENT0, GL.GL_TEXTURE_2D, target, 0
        )
        GL.glUseProgram(self._program)
        GL.glBindVertexArray(self._vertices)
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._texture)
        GL.glUniform1i(self._at["frame"], 0)
        GL.glUniform4f(self._at["colourBox"], *self._box(layout.eye_width, layout.eye_height))
        GL.glUniform4f(self._at["depthBox"], *self._box(layout.depth_width, layout.depth_height))
        GL.glUniform1f(self._at["fade"], style.fade)
        GL.glUniform1i(self._at["isClear"], int(style.is_clear))
        for side, eye in enumerate(eyes):
            GL.glViewport(side * width, 0, width, height)
            self._paint_eye(side, eye)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)

    def close(self) -> None:
        GL.glDeleteProgram(self._program)
        GL.glDeleteVertexArrays(1, [self._vertices])
        GL.glDeleteFramebuffers(1, [self._target])
        GL.glDeleteTextures([self._texture])

    def _paint_eye(self, side: int, eye: Reprojection) -> None:
        at = self._at
        GL.glUniform1i(at["eye"], side)
        GL.glUniformMatrix3fv(at["turn"], 1, GL.GL_FALSE, _columns(eye))
        GL.glUniform3f(at["shift"], *eye.shift)
        GL.glUniform4f(at["shown"], *eye.shown)
        GL.glUniform4f(at["drawn"], *eye.drawn)
        GL.glUniform3f(at["plan"], eye.nearest, eye.steps, eye.wall)
        GL.glUniform1f(at["nearM"], eye.near_m)
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)

    def _box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Size and half a texel of a part of the frame, as texture coordinates."""
        full_width, full_height = self._size
        return width / full_width, height / full_height, 0.5 / full_width, 0.5 / full_height

    def _allocate(self) -> None:
        GL.glTexImage2D(
            *(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA8, *self._size, 0),
            *(GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, None),
        )
        for name in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_LINEAR)
        for name in (GL.GL_TEXTURE_WRAP_S, GL.GL_TEXTURE_WRAP_T):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_CLAMP_TO_EDGE)


class Canvas:
    """A swapchain to paint into.

    Raises:
        ClientError: the runtime offers no format of :data:`FORMATS`.
    """

    def __init__(self, session: Session, width: int, height: int) -> None:
        """``width`` and ``height`` in pixels, of all that it holds."""
        self.width, self.height = width, height
        flags = xr.SwapchainUsageFlags
        self.handle = xr.create_swapchain(
            session.handle,
            xr.SwapchainCreateInfo(
                usage_flags=(
                    flags.SAMPLED_BIT | flags.COLOR_ATTACHMENT_BIT | flags.TRANSFER_DST_BIT
                ),
                format=choose_format(xr.enumerate_swapchain_formats(session.handle)),
                sample_count=1,
                width=width,
                height=height,
                face_count=1,
                array_size=1,
                mip_count=1,
            ),
        )
        images = xr.enumerate_swapchain_images(self.handle, xr.SwapchainImageOpenGLKHR)
        self._textures = [int(image.image) for image in images]

    @contextmanager
    def next_picture(self) -> Iterator[int]:
        """The texture to paint the next picture into; it is shown from here on."""
        index = xr.acquire_swapchain_image(self.handle, xr.SwapchainImageAcquireInfo())
        wait = xr.SwapchainImageWaitInfo(timeout=xr.INFINITE_DURATION)
        xr.wait_swapchain_image(self.handle, wait)
        yield self._textures[index]
        xr.release_swapchain_image(self.handle, xr.SwapchainImageReleaseInfo())

    def close(self) -> None:
        """Also after the runtime was lost."""
        try:
            xr.destroy_swapchain(self.handle)
        except xr.exception.XrException:
            return


def choose_format(offered: Sequence[int]) -> int:
    """The first of FORMATS that is offered, in our order: runtimes put linear ones first."""
    for wanted in FORMATS:
        if wanted in [int(format_) for format_ in offered]:
            return int(wanted)
    names = ", ".join(hex(int(format_)) for format_ in offered)
    raise ClientError(f"the OpenXR runtime offers no sRGB picture, only {names}")


def _columns(eye: Reprojection) -> ctypes.Array[ctypes.c_float]:
    """[3, 3] of its turn, column by column, as GLSL takes matrices."""
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    values = [value for axis in axes for value in rotate(eye.turn, axis)]
    return (ctypes.c_float * 9)(*values)


def _link(vertex: str, fragment: str) -> int:
    program = int(GL.glCreateProgram())
    for kind, source in ((GL.GL_VERTEX_SHADER, vertex), (GL.GL_FRAGMENT_SHADER, fragment)):
        shader = GL.glCreateShader(kind)
        GL.glShaderSource(shader, source)
        GL.glCompileShader(shader)
        if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
            reason = GL.glGetShaderInfoLog(shader)
            raise ClientError(f"the graphics driver refused the warp's shader: {reason!r}")
        GL.glAttachShader(program, shader)
        GL.glDeleteShader(shader)
    GL.glLinkProgram(program)
    if not GL.glGetProgramiv(program, GL.GL_LINK_STATUS):
        reason = GL.glGetProgramInfoLog(program)
        raise ClientError(f"the graphics driver refused the warp's program: {reason!r}")
    return program


def _uniforms(program: int) -> dict[str, int]:
    """Name to location."""
    found = {}
    for index in range(GL.glGetProgramiv(program, GL.GL_ACTIVE_UNIFORMS)):
        name = GL.glGetActiveUniform(program, index)[0]
        found[name.decode()] = GL.glGetUniformLocation(program, name)
    return found
