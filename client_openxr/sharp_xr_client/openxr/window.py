"""The GL context that OpenXR draws with: of a hidden window, or of EGL where there is no screen.

Linux-only: :func:`glx_binding` here and the whole of ``surfaceless``. Windows-only:
:func:`wgl_binding`, not run so far.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import glfw
import xr

from sharp_xr_client.problem import ClientError


class Context(Protocol):
    """A GL 3.3 core context; current in one thread at a time."""

    def make_current(self) -> None: ...

    def let_go(self) -> None:
        """Current in no thread."""
        ...

    def binding(self) -> Any:
        """What ``xrCreateSession`` wants of it; the context must be current."""
        ...

    def close(self) -> None: ...


class HiddenWindow:
    """A window that nobody sees, for its context. Made on the main thread, as GLFW wants it.

    Raises:
        ClientError: there is no screen to have a window on, or no such GL.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            # OpenXR's binding is GLX; on Wayland that is had through XWayland.
            glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_X11)
        if not glfw.init():
            raise ClientError("no window could be made: is there a screen (DISPLAY)?")
        glfw.window_hint(glfw.VISIBLE, glfw.FALSE)
        glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, 3)
        glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, 3)
        glfw.window_hint(glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE)
        self._window = glfw.create_window(64, 64, "sharp-xr", None, None)
        if not self._window:
            glfw.terminate()
            raise ClientError("no OpenGL 3.3 on this screen: is a graphics driver installed?")

    def make_current(self) -> None:
        glfw.make_context_current(self._window)

    def let_go(self) -> None:
        glfw.make_context_current(None)  # type: ignore[arg-type]

    def binding(self) -> Any:
        return wgl_binding() if sys.platform == "win32" else glx_binding()

    def close(self) -> None:
        """On the main thread, when no other thread has the context."""
        glfw.destroy_window(self._window)
        glfw.terminate()


def has_screen(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a window can be had."""
    return platform == "win32" or bool(environment.get("DISPLAY"))


def glx_binding() -> xr.GraphicsBindingOpenGLXlibKHR:
    """Linux: of the current context."""
    from OpenGL import GLX

    return xr.GraphicsBindingOpenGLXlibKHR(
        x_display=GLX.glXGetCurrentDisplay(),
        glx_drawable=GLX.glXGetCurrentDrawable(),
        glx_context=GLX.glXGetCurrentContext(),
    )


def wgl_binding() -> Any:
    """Windows: of the current context. Not run so far."""
    from OpenGL import WGL

    return xr.GraphicsBindingOpenGLWin32KHR(
        h_dc=WGL.wglGetCurrentDC(), h_glrc=WGL.wglGetCurrentContext()
    )
