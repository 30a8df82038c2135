"""SHARP's forward pass on a GPU: ``network.SharpNetwork``, its transformers in bf16.

What is pinned, streamed and warmed here needs a CUDA device; the rest, the precision above all,
does the same on any (tests run it on the CPU). Not run on a GPU yet.

As in the CPU's engine, bf16 is for the transformers' matrices alone, two thirds of the work: their
residual stream and norms, and all that comes behind them, are float32. With that in bf16 as well,
depth is 2.4 to 4 times as far off and colours lose 8 to 13 dB (tiny networks, random weights).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from sharp_xr.model import Progress, silent
from sharp_xr.model.sharp.checkpoint import load_network
from sharp_xr.model.sharp.composer import NdcGaussians


class CudaForward:
    """The network on one device; the result stays there."""

    def __init__(
        self, checkpoint: Path, device: torch.device, dtype: torch.dtype, *, compiled: bool = False
    ) -> None:
        """Uploads the weights, 2.6 GB at full size.

        Args:
            checkpoint: weights that fit.
            device: a GPU (or the CPU, for tests).
            dtype: bfloat16 for the transformers, or float32 for all. Beside bfloat16, convolutions
                multiply in TF32, which has three bits more; the whole process does.
            compiled: through torch.compile; the first photo, or warm_up, then takes a minute.

        Raises:
            ModelError: the checkpoint cannot be read or does not fit.
        """
        self._network = load_network(checkpoint).to(device)
        self._device = device
        torch.backends.cudnn.allow_tf32 = dtype == torch.bfloat16
        if dtype == torch.bfloat16:
            encoder = self._network.monodepth_model.monodepth_predictor.encoder
            for transformer in (encoder.patch_encoder, encoder.image_encoder):
                lowered = torch.autocast(device.type, dtype)(transformer.forward)
                transformer.forward = lowered  # type: ignore[method-assign]
        self._stream = (
            torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            if device.type == "cuda"
            else None
        )
        if compiled:
            self._network.compile()

    def warm_up(self) -> None:
        """What a first photo would wait for: kernels are chosen, memory is taken."""
        side = self._network.config.side_px
        self(torch.full((1, 3, side, side), 0.5), torch.tensor([0.8]), silent)

    @torch.inference_mode()
    def __call__(
        self, image: Tensor, disparity_factor: Tensor, progress: Progress, /
    ) -> NdcGaussians:
        """As ``SharpNetwork.forward``; comes back when the result is there.

        Args:
            image: [1, 3, S, S] 0..1 on the host.
            disparity_factor: [1] on the host.
            progress: told before and after: all of it takes less than a second.
        """
        progress(0.1, "on the GPU")
        with self._own_stream():
            inputs = [self._upload(tensor) for tensor in (image, disparity_factor)]
            gaussians: NdcGaussians = self._network(*inputs)
        progress(1.0, "")
        return gaussians

    @contextlib.contextmanager
    def _own_stream(self) -> Iterator[None]:
        """Beside the renderer's work, which goes on meanwhile; waits for the end of its own."""
        if self._stream is None:
            yield
            return
        with torch.cuda.stream(self._stream):
            yield
        self._stream.synchronize()

    def _upload(self, tensor: Tensor) -> Tensor:
        if self._stream is not None:
            tensor = tensor.pin_memory()  # or the copy would stop all streams
        return tensor.to(self._device, non_blocking=True)
