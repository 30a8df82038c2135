"""The renderer for NVIDIA GPUs: gsplat, both eyes in one call, covariances straight in.

gsplat's ``rasterization`` has some forty parameters whose order changed between 1.5.3 and 1.6.0:
everything is passed by keyword, and tests/server/render/test_cuda.py binds the call to both
signatures. Its limit of opacity is compiled in (0.999 in 1.5.3, 0.99 in 1.6.0):
``RenderSettings.max_alpha`` has no say here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sharp_xr.device_gaussians import DeviceGaussians
from sharp_xr.gaussians import COVARIANCE_ENTRIES, Gaussians
from sharp_xr.render import Frame, RenderSettings, View, check_views, finite_gaussians, tiny_scene
from sharp_xr.render.device_frame import DeviceFrame, FrameTensors

Rasterization = Callable[..., tuple[Tensor, Tensor, Any]]

WAY_OUT = "to draw on the CPU, run with --device cpu"


@dataclass(frozen=True)
class CudaScene:
    """On the device."""

    means: Tensor
    """[N, 3]"""
    covariances: Tensor
    """[N, 3, 3]"""
    colors: Tensor
    """[N, 3] linear"""
    opacities: Tensor
    """[N]"""

    def __len__(self) -> int:
        return len(self.means)

    def refocused(self, ratio: float) -> CudaScene:
        """See :class:`sharp_xr.render.PreparedScene`."""
        along = torch.tensor([1.0, 1.0, ratio], device=self.means.device)
        covariances = self.covariances * along * along[:, None]
        return CudaScene(self.means * along, covariances, self.colors, self.opacities)


class CudaRenderer:
    """gsplat on one GPU.

    Args:
        gpu: number of the NVIDIA GPU.
        rasterization: what to call in place of ``gsplat.rasterization``, on the CPU; for tests.

    Raises:
        RuntimeError: there is no such GPU or no gsplat, in one sentence with the way out.
    """

    def __init__(self, gpu: int = 0, *, rasterization: Rasterization | None = None) -> None:
        if rasterization is not None:
            self._device, self.rasterization = torch.device("cpu"), rasterization
            self._name = "gsplat (stand-in)"
        else:
            self._device, self.rasterization = find_gpu(gpu), find_gsplat()
            self._name = f"gsplat ({torch.cuda.get_device_name(gpu)})"

    @property
    def name(self) -> str:
        """See :class:`sharp_xr.render.Renderer`."""
        return self._name

    def warm_up(self) -> None:
        """Build or load the kernels: minutes the first time, if the gsplat wheel brought none.

        Raises:
            RuntimeError: they cannot be built, in one sentence with the way out.
        """
        gaussians, view = tiny_scene()
        try:
            _ = self.render(self.prepare(gaussians), [view, view]).rgb  # waits for the device
        except (ImportError, AttributeError, RuntimeError) as error:
            # No nvcc: gsplat leaves its extension None. A failed build is any of them, with the
            # compiler's output behind the first line.
            reason = str(error).partition("\n")[0]
            raise RuntimeError(
                f"gsplat could not build or run its CUDA kernels ({reason}): it wants nvcc and a"
                f" C++ compiler that go with torch {torch.__version__}; {WAY_OUT}"
            ) from error

    def prepare(self, gaussians: Gaussians) -> CudaScene:
        """See :class:`sharp_xr.render.Renderer`."""
        finite = finite_gaussians(gaussians)
        # What a network left on a GPU stays there.
        source = finite.tensors if isinstance(finite, DeviceGaussians) else finite
        upper = self._upload(source.covariances)
        covariances = torch.empty((len(finite), 3, 3), device=self._device)
        for column, (i, j) in enumerate(COVARIANCE_ENTRIES):
            covariances[:, i, j] = upper[:, column]
            covariances[:, j, i] = upper[:, column]
        return CudaScene(
            self._upload(source.means),
            covariances,
            self._upload(source.colors),
            self._upload(source.opacities),
        )

    def render(
        self, scene: object, views: Sequence[View], settings: RenderSettings = RenderSettings()
    ) -> Frame:
        """See :class:`sharp_xr.render.Renderer`; the frame stays on the device until asked for."""
        if not isinstance(scene, CudaScene):
            raise ValueError("the cuda renderer got a scene that another renderer prepared")
        check_views(views)
        with torch.inference_mode():
            picture, alpha, _ = self.rasterization(**self.keywords(scene, views, settings))
            rgb = srgb_from_linear(picture[..., :3]).permute(0, 3, 1, 2).contiguous()
        return DeviceFrame(FrameTensors(rgb, picture[..., 3], alpha[..., 0]))

    def keywords(
        self, scene: CudaScene, views: Sequence[View], settings: RenderSettings
    ) -> dict[str, Any]:
        """The call of ``gsplat.rasterization`` for V views."""
        background = torch.tensor([settings.background] * len(views), device=self._device)
        return {
            "means": scene.means,
            "quats": None,
            "scales": None,
            "covars": scene.covariances,
            "opacities": scene.opacities,
            "colors": scene.colors,
            "viewmats": self._upload(np.stack([view.camera_from_photo for view in views])),
            "Ks": self._upload(np.stack([intrinsics(view) for view in views])),
            "width": views[0].width,
            "height": views[0].height,
            "near_plane": settings.near,
            "eps2d": settings.eps2d,
            "backgrounds": background,  # [V, 3]
            "render_mode": "RGB+ED",
            "rasterize_mode": "classic",
            # Two eyes see almost everything; packing would only cost.
            "packed": False,
        }

    def _upload(self, array: np.ndarray[Any, Any] | Tensor) -> Tensor:
        if isinstance(array, Tensor):
            return array.to(self._device)
        return torch.from_numpy(array.astype(np.float32, copy=False)).to(self._device)


def find_gpu(gpu: int) -> torch.device:
    """Raises RuntimeError with one sentence if it is not there."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpu >= count:
        seen = f"{count} NVIDIA GPU{'s' * (count != 1)}" if count else "no NVIDIA GPU"
        raise RuntimeError(
            f"GPU {gpu} cannot draw: torch {torch.__version__} sees {seen}; {WAY_OUT}"
        )
    return torch.device("cuda", gpu)


def find_gsplat() -> Rasterization:
    """Raises RuntimeError with one sentence if it is not installed."""
    try:
        found: Rasterization = importlib.import_module("gsplat").rasterization
    except ImportError as error:
        raise RuntimeError(
            f"the GPU cannot draw without gsplat ({error}): pip install 'sharp-xr[cuda]', or"
            f" {WAY_OUT}"
        ) from error
    return found


def intrinsics(view: View) -> np.ndarray[Any, Any]:
    """[3, 3] pixels."""
    return np.array([[view.fx, 0, view.cx], [0, view.fy, view.cy], [0, 0, 1]], np.float32)


def srgb_from_linear(linear: Tensor) -> Tensor:
    """IEC 61966-2-1, clipped to 0..1."""
    clipped = linear.clamp(0, 1)
    curve = 1.055 * clipped.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(clipped <= 0.0031308, 12.92 * clipped, curve)
