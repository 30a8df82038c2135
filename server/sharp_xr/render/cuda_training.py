"""Training's picture on an NVIDIA GPU: gsplat, with gradients. **Not run on a GPU.**

``differentiable.rasterize`` comes here with tensors that are on one; so a training says once what
it draws, and the tensors' device decides what draws it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from sharp_xr.render import RenderSettings, View
from sharp_xr.render.cuda import CudaRenderer, CudaScene, Rasterization

FULL = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
"""Which of the six stored numbers an entry of the symmetric matrix is."""


def rasterize_on_gpu(
    means: Tensor,
    covariances: Tensor,
    colors: Tensor,
    opacities: Tensor,
    views: Sequence[View],
    settings: RenderSettings,
    camera_from_photo: Tensor | None = None,
    *,
    rasterization: Rasterization | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """rgb [V, 3, H, W] linear, depth [V, H, W] and alpha [V, H, W], as ``differentiable.Drawn``.

    Args:
        means ... settings, camera_from_photo: as of ``differentiable.rasterize``.
        rasterization: in place of ``gsplat.rasterization``, on the CPU; for tests.

    Raises:
        RuntimeError: there is no gsplat.
    """
    renderer = _renderer(means.device.index or 0) if rasterization is None else None
    renderer = renderer or CudaRenderer(rasterization=rasterization)
    full = covariances[:, torch.tensor(FULL, device=means.device)]  # [N, 3, 3]
    call = renderer.keywords(CudaScene(means, full, colors, opacities), views, settings)
    if camera_from_photo is not None:
        call["viewmats"] = camera_from_photo.to(means)
    picture, alpha, _ = renderer.rasterization(**call)
    return picture[..., :3].permute(0, 3, 1, 2), picture[..., 3], alpha[..., 0]


@functools.cache
def _renderer(gpu: int) -> CudaRenderer:
    return CudaRenderer(gpu)
