"""The OpenXR runtime: one instance of it, its headset, and what both can do."""

from __future__ import annotations

import os
from collections.abc import Sequence

import xr

from sharp_xr_client.problem import ClientError
from sharp_xr_client.room import PASSTHROUGH, BlendMode
from sharp_xr_protocol.messages import Display

OPENGL = "XR_KHR_opengl_enable"
EGL = "XR_MNDX_egl_enable"
LOCAL_FLOOR = "XR_EXT_local_floor"
REFRESH_RATE = "XR_FB_display_refresh_rate"
HAND_INTERACTION = "XR_EXT_hand_interaction"
OPTIONAL = (LOCAL_FLOOR, REFRESH_RATE, HAND_INTERACTION, PASSTHROUGH)
STEREO = xr.ViewConfigurationType.PRIMARY_STEREO


class RuntimeLostError(Exception):
    """The runtime ended under us; another one may be there in a while."""


class Runtime:
    """Owns the instance. A process may have one at a time.

    Args:
        egl: the GL context will be one of EGL.

    Raises:
        ClientError: there is no runtime, no headset, or the runtime cannot do OpenGL.
    """

    def __init__(self, egl: bool) -> None:
        # It would print several lines of its own; the person reads our one sentence.
        os.environ.setdefault("XR_LOADER_DEBUG", "none")
        required = (OPENGL, EGL) if egl else (OPENGL,)
        try:
            self.extensions = _choose_extensions(_offered(), required)
            self._instance = xr.create_instance(
                xr.InstanceCreateInfo(
                    application_info=xr.ApplicationInfo(
                        application_name="sharp-xr", api_version=xr.Version(1, 0, 0)
                    ),
                    enabled_extension_names=list(self.extensions),
                )
            )
        except xr.exception.XrException as error:
            raise ClientError(_why_no_runtime(error)) from error
        try:
            self.name = xr.get_instance_properties(self._instance).runtime_name.decode()
            self._system = self._find_headset()
            self.headset = xr.get_system_properties(
                self._instance, self._system
            ).system_name.decode()
            views = xr.enumerate_view_configuration_views(self._instance, self._system, STEREO)
            self.eye_size = (
                views[0].recommended_image_rect_width,
                views[0].recommended_image_rect_height,
            )
            """Width and height that the runtime recommends for one eye, pixels."""
            self.blend_modes: list[BlendMode] = [
                xr.EnvironmentBlendMode(mode).name
                for mode in xr.enumerate_environment_blend_modes(
                    self._instance, self._system, STEREO
                )
            ]
            # Mandatory before a session, whatever it says.
            xr.get_opengl_graphics_requirements_khr(self._instance, self._system)
        except BaseException:
            self.close()
            raise

    @property
    def instance(self) -> xr.Instance:
        return self._instance

    @property
    def system(self) -> int:
        """Its XrSystemId."""
        return int(self._system.value)

    def close(self) -> None:
        try:
            xr.destroy_instance(self._instance)
        except xr.exception.XrException:
            return  # it was lost: there is nothing left to end

    def _find_headset(self) -> xr.SystemId:
        wanted = xr.SystemGetInfo(form_factor=xr.FormFactor.HEAD_MOUNTED_DISPLAY)
        try:
            return xr.get_system(self._instance, wanted)
        except xr.exception.FormFactorUnavailableError as error:
            raise ClientError(
                f"{self.name} has no headset: is it switched on and connected?"
            ) from error


def choose_rate(offered: Sequence[float], wanted: float | None) -> float | None:
    """Of the display, Hz: the nearest to what is wanted. None: leave it as it is.

    Of two that are as near the higher one: a frame too many is less than one that is missing.
    """
    if wanted is None or not offered:
        return None
    return min(offered, key=lambda rate: (abs(rate - wanted), -rate))


def display_of(eye_size: tuple[int, int], refresh_hz: float, longest: int | None) -> Display:
    """What to ask a server for: the runtime's size, its longer side at most ``longest``."""
    width, height = eye_size
    share = min(1.0, longest / max(eye_size)) if longest else 1.0
    # Video wants even numbers; the protocol wants 16 to 8192.
    even = [min(max(2 * round(side * share / 2), 16), 8192) for side in (width, height)]
    return Display(even[0], even[1], min(max(refresh_hz, 1.0), 1000.0))


def _offered() -> set[str]:
    return {
        properties.extension_name.decode()
        for properties in xr.enumerate_instance_extension_properties()
    }


def _choose_extensions(offered: set[str], required: Sequence[str]) -> list[str]:
    for name in required:
        if name not in offered:
            raise ClientError(f"the OpenXR runtime cannot do {name}, which this client needs")
    return [*required, *(name for name in OPTIONAL if name in offered)]


def _why_no_runtime(error: Exception) -> str:
    return (
        f"no OpenXR runtime answers ({type(error).__name__}): start SteamVR, Monado, WiVRn or the "
        "headset's own software and make it the active one, or use --simulate"
    )
