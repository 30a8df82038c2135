"""The full SHARP network as a predictor: a photo in, 1.18 million metric Gaussians out.

photo --preparation.py--> square --Engine (CPU) or CudaForward--> NDC --unprojection.py--> metres
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from sharp_xr.device_gaussians import DeviceGaussians, DeviceTensors
from sharp_xr.gaussians import Gaussians
from sharp_xr.model import ModelError, Precision, Progress, file_mark, silent
from sharp_xr.model.sharp.checkpoint import Checkpoint, check_fit, open_checkpoint
from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.cpu.engine import Engine
from sharp_xr.model.sharp.cuda import CudaForward
from sharp_xr.model.sharp.preparation import squeezed
from sharp_xr.model.sharp.unproject_kernel import unproject_arrays
from sharp_xr.model.sharp.unprojection import unproject
from sharp_xr.photo import Photo

log = logging.getLogger(__name__)


class ForwardPass(Protocol):
    """The network on some device: ``network.SharpNetwork`` or the same function otherwise."""

    def __call__(
        self, image: Tensor, disparity_factor: Tensor, progress: Progress, /
    ) -> NdcGaussians:
        """[1, 3, S, S] 0..1 and [1], both in this process's memory."""
        ...

    def warm_up(self) -> None:
        """What a first photo would wait for."""
        ...


class SharpPredictor:
    """See the module. Uses as many threads as torch does in this process."""

    name = "sharp"

    def __init__(
        self,
        checkpoint: Path,
        device: str = "cpu",
        precision: Precision = "auto",
        *,
        compiled: bool = False,
    ) -> None:
        """Opens the weights; on a CPU they stay in the file until a photo comes.

        Raises:
            ModelError: weights that cannot be read or do not fit, or no such device.
        """
        weights = MappedWeights(open_checkpoint(checkpoint))
        self.config = weights.checkpoint.config()
        check_fit(weights.checkpoint, self.config)
        self.device = _device(device)
        self.precision = chosen(precision, self.device)
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        self._forward: ForwardPass
        if self.device.type == "cpu":
            self._forward = Engine(weights, self.config, dtype)
        else:
            self._forward = CudaForward(checkpoint, self.device, dtype, compiled=compiled)
        self._mark = file_mark(checkpoint)
        log.info("sharp computes in %s on %s", self.precision, self.device)

    @property
    def identity(self) -> str:
        """Which weights, in which precision: see ``model.Identified``."""
        return f"{self.precision} {self._mark}"

    def warm_up(self) -> None:
        """What a first photo would wait for."""
        self._forward.warm_up()

    @torch.inference_mode()
    def predict(self, photo: Photo, progress: Progress = silent) -> Gaussians:
        """Two layers of Gaussians, 2 x 768 x 768, in order of layer, row, column."""
        progress(0.0, "preparing")
        image = squeezed(photo.image, self.config.side_px)
        factor = torch.tensor([photo.focal_px / photo.width])
        ndc = self._forward(image, factor, progress)
        if self.device.type == "cpu":
            return _on_host(ndc, photo)
        means, covariances = unproject(ndc, photo.width, photo.height, photo.focal_px)
        tensors = (means, covariances, ndc.colors, ndc.opacities)
        return DeviceGaussians(DeviceTensors(*(tensor[0] for tensor in tensors)))


def _on_host(ndc: NdcGaussians, photo: Photo) -> Gaussians:
    """``unproject`` in one pass over memory."""
    means_ndc, scales, quats = (
        tensor[0].contiguous().numpy() for tensor in (ndc.means, ndc.scales, ndc.quats)
    )
    half_views = (side / (2 * photo.focal_px) for side in (photo.width, photo.height))
    means, covariances = unproject_arrays(means_ndc, scales, quats, *half_views)
    return Gaussians(means, covariances, ndc.colors[0].numpy(), ndc.opacities[0].numpy())


class MappedWeights:
    """A checkpoint as the CPU's engine reads it: each tensor from the mapped file, then let go."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def __call__(self, key: str) -> Tensor:
        """Float32."""
        return self.checkpoint.tensor(key)

    def release(self) -> None:
        """A later tensor comes from a new mapping; the system keeps the file's pages as it can."""
        self.checkpoint.close()


def chosen(precision: Precision, device: torch.device) -> Precision:
    """ "fp32" or "bf16"; ``auto`` is bf16 where the hardware multiplies it."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Without such instructions oneDNN widens to float32 and is slower than float32 itself.
    return "bf16" if _cpu_multiplies_bf16() else "fp32"


def _cpu_multiplies_bf16() -> bool:
    supported: bool = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return supported


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"the model sharp cannot run on {name!r}: {error}") from error
    return device
