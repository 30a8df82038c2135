"""Gaussians and views in, pixels out, and back: what training runs on.

    drawn = rasterize(means, covariances, colors, opacities, views)
    loss(drawn.rgb, drawn.depth, drawn.alpha).backward()

The picture is the one that every renderer draws (the head of ``reference.py``), in float32, but the
colours are linear light and not clipped: ``srgb_from_linear`` encodes them, with a gradient. What
falls under a threshold (an alpha below 1/255, a splat behind a closed pixel) has no gradient, nor
has an alpha at ``max_alpha`` with respect to its splat's shape and opacity. Tensors on an NVIDIA
GPU are drawn there, by gsplat (``cuda_training.py``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sharp_xr.gaussians import COVARIANCE_ENTRIES, Gaussians
from sharp_xr.render import RenderSettings, View, check_views, tiny_scene
from sharp_xr.render.cpu.backward import Order, Workshop, visible_only
from sharp_xr.render.cpu.backward_picture import cotangents_of, picture_of
from sharp_xr.render.cpu.projection import camera_row, lens_of
from sharp_xr.render.cuda_training import rasterize_on_gpu
from sharp_xr.rotation import rotation_rows


@dataclass(frozen=True)
class Drawn:
    """What V views of H x W pixels see, float32 with gradients."""

    rgb: Tensor
    """[V, 3, H, W] linear light, the background included, not clipped."""
    depth: Tensor
    """[V, H, W] metres along the optical axis, expected: sum(w z) / sum(w); 0 where alpha is."""
    alpha: Tensor
    """[V, H, W] how much of the background is covered, 0 to 1."""


def rasterize(
    means: Tensor,
    covariances: Tensor,
    colors: Tensor,
    opacities: Tensor,
    views: Sequence[View],
    settings: RenderSettings = RenderSettings(),
    *,
    camera_from_photo: Tensor | None = None,
    order: Order | None = None,
    threads: int | None = None,
) -> Drawn:
    """Draw N Gaussians; every tensor that wants a gradient gets one.

    A Gaussian that holds a NaN or an infinity is not drawn, as everywhere; its gradient is zero.
    Gradients are the same to the bit for any number of threads. Any number of threads may call.

    Args:
        means: [N, 3] metres, photo axes.
        covariances: [N, 6] square metres: xx, xy, xz, yy, yz, zz; see ``covariances_from``. The
            gradient of an entry off the diagonal is that of both of the matrix.
        colors: [N, 3] linear RGB.
        opacities: [N] 0 to 1.
        views: all of one size.
        settings: ``fast`` is ignored.
        camera_from_photo: [V, 4, 4] in place of the views' own poses, to have a gradient by them.
            Each entry of the upper three rows counts for itself; ``moved`` keeps a pose rigid.
        order: [N] a permutation in which neighbours stand together, to save looking for one (a
            tenth of a second a million): SHARP's grid has the same one for all photos.
        threads: as many as the machine has processors if None.

    Raises:
        ValueError: shapes that do not fit, tensors on several devices, no views.
    """
    width, height = check_views(views)
    if means.is_cuda:
        return Drawn(
            *rasterize_on_gpu(
                means, covariances, colors, opacities, views, settings, camera_from_photo
            )
        )
    if camera_from_photo is None:
        camera_from_photo = torch.from_numpy(np.stack([view.camera_from_photo for view in views]))
    _check(means, covariances, colors, opacities, camera_from_photo, len(views))
    exact = dataclasses.replace(settings, fast=False)
    rgb, depth, alpha = _Picture.apply(  # type: ignore[no-untyped-call]
        means,
        covariances,
        colors,
        opacities,
        camera_from_photo,
        (tuple(views), lens_of(width, height, exact), order, _workshop(threads)),
    )
    return Drawn(rgb, depth, alpha)


def covariances_from(quats: Tensor, scales: Tensor) -> Tensor:
    """[N, 6] from quaternions [N, 4] (w, x, y, z; any norm but 0) and deviations [N, 3] in metres:
    R diag(s)^2 R^T, as ``Gaussians.from_quats_scales``."""
    unit = torch.nn.functional.normalize(quats, dim=1).unbind(1)
    rotation = torch.stack([torch.stack(row, 1) for row in rotation_rows(*unit)], 1)
    factor = rotation * scales[:, None]
    return torch.stack([(factor[:, i] * factor[:, j]).sum(1) for i, j in COVARIANCE_ENTRIES], 1)


def moved(camera_from_photo: Tensor, twist: Tensor) -> Tensor:
    """Poses [V, 4, 4] after a motion exp(twist) of the photo's points in the camera's axes.

    ``twist`` [V, 6] is a translation in metres, then a rotation vector in radians; at zero its
    gradient is that of the pose along the six ways in which it may move and stay rigid.
    """
    x, y, z, a, b, c = twist.unbind(1)
    zero = torch.zeros_like(x)
    rows = (zero, -c, b, x), (c, zero, -a, y), (-b, a, zero, z), (zero, zero, zero, zero)
    generator = torch.stack([torch.stack(row, 1) for row in rows], 1)
    motion: Tensor = torch.linalg.matrix_exp(generator)
    return motion @ camera_from_photo


def srgb_from_linear(linear: Tensor) -> Tensor:
    """IEC 61966-2-1, clipped to 0..1; there is no gradient where it clips."""
    clipped = linear.clamp(0, 1)
    curve = 1.055 * clipped.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(clipped <= 0.0031308, 12.92 * clipped, curve)


def warm_up() -> None:
    """Compile, or read what was compiled: by a picture of two Gaussians, there and back."""
    gaussians, view = tiny_scene()
    drawn = rasterize(
        torch.from_numpy(gaussians.means).requires_grad_(),
        torch.from_numpy(gaussians.covariances),
        torch.from_numpy(gaussians.colors),
        torch.from_numpy(gaussians.opacities),
        [view, view],
    )
    drawn.rgb.sum().backward()  # type: ignore[no-untyped-call]


class _Picture(torch.autograd.Function):
    """Means, covariances, colours, opacities, poses -> what ``Drawn`` holds."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        *tensors, poses, (views, lens, order, workshop) = inputs
        arrays = (tensor.detach().to(torch.float32).numpy() for tensor in tensors)
        gaussians = visible_only(Gaussians(*arrays))
        poses = poses.detach().to(torch.float64).numpy()
        cameras = np.stack(
            [
                camera_row(dataclasses.replace(view, camera_from_photo=pose))
                for view, pose in zip(views, poses, strict=True)
            ]
        )
        ctx.workshop, ctx.drawing = workshop, workshop.draw(gaussians, cameras, lens, order)
        return tuple(torch.from_numpy(array) for array in picture_of(ctx.drawing))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *wanted: Tensor) -> Any:
        cotangents = cotangents_of(ctx.drawing, *(each.contiguous().numpy() for each in wanted))
        pulled = ctx.workshop.pull(ctx.drawing, cotangents)
        poses = np.zeros((len(pulled.poses), 4, 4))
        poses[:, :3, :3] = pulled.poses[:, :9].reshape(-1, 3, 3)
        poses[:, :3, 3] = pulled.poses[:, 9:]
        arrays = pulled.means, pulled.covariances, pulled.colors, pulled.opacities, poses
        return *(torch.from_numpy(array) for array in arrays), None


@functools.cache
def _workshop(threads: int | None) -> Workshop:
    return Workshop(threads)


def _check(
    means: Tensor,
    covariances: Tensor,
    colors: Tensor,
    opacities: Tensor,
    poses: Tensor,
    views: int,
) -> None:
    count = len(means)
    wanted = {
        "means": (means, (count, 3)),
        "covariances": (covariances, (count, 6)),
        "colors": (colors, (count, 3)),
        "opacities": (opacities, (count,)),
        "camera_from_photo": (poses, (views, 4, 4)),
    }
    for name, (tensor, shape) in wanted.items():
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, wanted {shape}")
        if tensor.device.type != "cpu":
            raise ValueError(f"{name} is on {tensor.device}, this rasterizer draws on the CPU")
