"""A GL context without any screen, by EGL_MESA_platform_surfaceless. Linux only.

Plain ctypes, because ``import xr`` turns PyOpenGL to GLX for good; GL's calls through PyOpenGL work
in this context all the same.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_uint, c_void_p
from typing import Any

import xr

from sharp_xr_client.problem import ClientError

# Names and numbers of the EGL registry (egl.xml).
PLATFORM_SURFACELESS_MESA = 0x31DD
OPENGL_API, OPENGL_BIT, NONE = 0x30A2, 0x0008, 0x3038
RENDERABLE_TYPE, SURFACE_TYPE, PBUFFER_BIT = 0x3040, 0x3033, 0x0001
MAJOR_VERSION, MINOR_VERSION, PROFILE_MASK, CORE_PROFILE_BIT = 0x3098, 0x30FB, 0x30FD, 0x1


class Surfaceless:
    """GL 3.3 core, current nowhere yet.

    Raises:
        ClientError: EGL or its surfaceless platform is missing.
    """

    def __init__(self) -> None:
        try:
            self._egl = egl = ctypes.CDLL("libEGL.so.1", mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise ClientError(f"no screen, and no EGL to do without: {error}") from error
        egl.eglGetProcAddress.restype, egl.eglGetProcAddress.argtypes = c_void_p, [c_char_p]
        egl.eglInitialize.argtypes = [c_void_p] * 3
        egl.eglTerminate.argtypes = [c_void_p]
        egl.eglChooseConfig.argtypes = [c_void_p, c_void_p, c_void_p, c_int, c_void_p]
        egl.eglCreateContext.restype, egl.eglCreateContext.argtypes = c_void_p, [c_void_p] * 4
        egl.eglDestroyContext.argtypes = [c_void_p] * 2
        egl.eglMakeCurrent.argtypes = [c_void_p] * 4
        self._display = self._open_display()
        self._config = self._choose_config()
        wanted = (MAJOR_VERSION, 3, MINOR_VERSION, 3, PROFILE_MASK, CORE_PROFILE_BIT, NONE)
        self._context = egl.eglCreateContext(self._display, self._config, None, _list(*wanted))
        if not self._context:
            raise ClientError("no screen, and EGL has no OpenGL 3.3")

    def make_current(self) -> None:
        if not self._egl.eglMakeCurrent(self._display, None, None, self._context):
            raise ClientError("EGL's context cannot be used")

    def let_go(self) -> None:
        self._egl.eglMakeCurrent(self._display, None, None, None)

    def binding(self) -> Any:
        """``XR_MNDX_egl_enable``'s."""
        types = dict(xr.GraphicsBindingEGLMNDX._fields_)

        def handle(name: str, value: int) -> Any:
            return ctypes.cast(c_void_p(value), types[name])

        return xr.GraphicsBindingEGLMNDX(
            get_proc_address=ctypes.cast(
                self._egl.eglGetProcAddress, xr.PFN_xrEglGetProcAddressMNDX
            ),
            display=handle("display", self._display),
            config=handle("config", self._config),
            context=handle("context", self._context),
        )

    def close(self) -> None:
        self.let_go()
        self._egl.eglDestroyContext(self._display, self._context)
        self._egl.eglTerminate(self._display)

    def _open_display(self) -> int:
        address = self._egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
        display = None
        if address:
            get_display = ctypes.CFUNCTYPE(c_void_p, c_uint, c_void_p, c_void_p)(address)
            display = get_display(PLATFORM_SURFACELESS_MESA, None, None)
        if not display or not self._egl.eglInitialize(display, None, None):
            raise ClientError("no screen, and EGL cannot do without one here")
        return int(display)

    def _choose_config(self) -> int:
        self._egl.eglBindAPI(OPENGL_API)
        wanted = (RENDERABLE_TYPE, OPENGL_BIT, SURFACE_TYPE, PBUFFER_BIT, NONE)
        config, found = c_void_p(), c_int()
        chosen = self._egl.eglChooseConfig(
            self._display, _list(*wanted), ctypes.byref(config), 1, ctypes.byref(found)
        )
        if not chosen or not found.value or not config.value:
            raise ClientError("no screen, and EGL has no configuration for OpenGL")
        return config.value


def _list(*values: int) -> ctypes.Array[c_int]:
    return (c_int * len(values))(*values)
