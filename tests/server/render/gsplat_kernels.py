"""gsplat 1.5.3's compiled kernels, rewritten in dense torch, for machines without CUDA.

All of gsplat's own Python runs above them: ``rasterization``, its checks, its autograd functions.
Each stand-in has the parameters of its C++ namesake (``gsplat/cuda/include/Ops.h``), in that order,
and refuses what pybind or the kernel's ``CHECK_INPUT`` would. Shapes below are those of a call
without batch dimensions: C cameras, N Gaussians.

Numbers are float64 between kernels: what then differs from the reference is the call's doing.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, get_type_hints

import torch
from gsplat.cuda._torch_impl import _fully_fused_projection
from torch import Tensor

from sharp_xr.gaussians import COVARIANCE_ENTRIES

F = TypeVar("F", bound=Callable[..., Any])

ALPHA_THRESHOLD = 1 / 255
TRANSMITTANCE_THRESHOLD = 1e-4
MAX_ALPHA = 0.999


class CameraModelType(Enum):
    """As of the extension."""

    PINHOLE = 0
    ORTHO = 1
    FISHEYE = 2
    FTHETA = 3


def as_compiled(function: F) -> F:
    """By position only, of the declared types; tensors contiguous, and float32 at the door."""
    hints = get_type_hints(function)
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: Any) -> Any:
        for name, value in signature.bind(*args).arguments.items():
            kind = (int, float) if hints[name] is float else hints[name]
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise TypeError(f"{function.__name__}: {name} is a {type(value)}, wanted {kind}")
            if isinstance(value, Tensor) and not value.is_contiguous():
                raise RuntimeError(f"{function.__name__}: {name} must be contiguous")
        return function(*args)

    return checked  # type: ignore[return-value]


@as_compiled
def projection_ewa_3dgs_fused_fwd(
    means: Tensor,  # [N, 3]
    covars: Tensor | None,  # [N, 6]
    quats: Tensor | None,
    scales: Tensor | None,
    opacities: Tensor | None,  # [N]
    viewmats: Tensor,  # [C, 4, 4]
    ks: Tensor,  # [C, 3, 3]
    image_width: int,
    image_height: int,
    eps2d: float,
    near_plane: float,
    far_plane: float,
    radius_clip: float,
    calc_compensations: bool,
    camera_model: CameraModelType,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
    """gsplat's own torch projection, which leaves out the culling by opacity and radius."""
    assert covars is not None and quats is None and scales is None, "the stand-in is for covars"
    assert opacities is not None and camera_model is CameraModelType.PINHOLE
    inputs = means, covars, opacities, viewmats, ks
    assert {tensor.dtype for tensor in inputs} == {torch.float32}, "the kernels read floats"
    full = torch.empty(len(means), 3, 3, dtype=torch.float64)
    for column, (i, j) in enumerate(COVARIANCE_ENTRIES):
        full[:, i, j] = full[:, j, i] = covars[:, column].double()
    radii, means2d, depths, conics, compensations = _fully_fused_projection(
        means.double(),
        full,
        viewmats.double(),
        ks.double(),
        image_width,
        image_height,
        eps2d=eps2d,
        near_plane=near_plane,
        far_plane=far_plane,
        calc_compensations=calc_compensations,
    )
    radii[:, opacities < ALPHA_THRESHOLD] = 0
    radii[(radii <= radius_clip).all(-1)] = 0
    return radii, means2d, depths, conics, compensations


@as_compiled
def intersect_tile(
    means2d: Tensor,  # [C, N, 2]
    radii: Tensor,  # [C, N, 2]
    depths: Tensor,  # [C, N]
    image_ids: Tensor | None,
    gaussian_ids: Tensor | None,
    images: int,
    tile_size: int,
    tile_width: int,
    tile_height: int,
    sort: bool,
    segmented: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """What is seen, by image and depth; every tile then looks at all of its image."""
    assert image_ids is None and gaussian_ids is None and sort, "the stand-in is not for packed"
    image, gaussian = torch.nonzero((radii > 0).all(-1), as_tuple=True)
    order = torch.argsort(depths[image, gaussian], stable=True)
    order = order[torch.argsort(image[order], stable=True)]
    flatten_ids = (image * depths.shape[-1] + gaussian)[order]
    return (radii > 0).all(-1).int(), image[order], flatten_ids.int()


@as_compiled
def intersect_offset(isect_ids: Tensor, images: int, tile_width: int, tile_height: int) -> Tensor:
    """[C, tile_height, tile_width] where each tile's list begins: its image's."""
    starts = torch.searchsorted(isect_ids, torch.arange(images))
    return starts[:, None, None].expand(images, tile_height, tile_width).int().contiguous()


@as_compiled
def rasterize_to_pixels_3dgs_fwd(
    means2d: Tensor,  # [C, N, 2]
    conics: Tensor,  # [C, N, 3]
    colors: Tensor,  # [C, N, D]
    opacities: Tensor,  # [C, N]
    backgrounds: Tensor | None,  # [C, D]
    masks: Tensor | None,
    image_width: int,
    image_height: int,
    tile_size: int,
    tile_offsets: Tensor,  # [C, tile_height, tile_width]
    flatten_ids: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Every Gaussian of an image at every pixel."""
    assert masks is None
    count, channels = means2d.shape[1], colors.shape[-1]
    ends = [*tile_offsets[1:, 0, 0].tolist(), len(flatten_ids)]
    pictures, alphas = [], []
    for image, end in enumerate(ends):
        seen = flatten_ids[tile_offsets[image, 0, 0] : end].long() - image * count
        alpha = opacities[image, seen, None] * gauss(
            means2d[image, seen], conics[image, seen], image_width, image_height
        )
        weights = weights_of(alpha.clamp(max=MAX_ALPHA))  # [M, H W]
        cover = weights.sum(0)[:, None]  # [H W, 1]
        picture = weights.T @ colors[image, seen].double()
        if backgrounds is not None:
            picture = picture + (1 - cover) * backgrounds[image]
        pictures.append(picture.view(image_height, image_width, channels))
        alphas.append(cover.view(image_height, image_width, 1))
    rendered = torch.stack(pictures).float()
    return rendered, torch.stack(alphas), torch.zeros(rendered.shape[:3], dtype=torch.int32)


def gauss(means2d: Tensor, conics: Tensor, width: int, height: int) -> Tensor:
    """[M, H W] exp(-sigma) at the pixels' centres."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    dx = means2d[:, :1] - x.reshape(1, -1)
    dy = means2d[:, 1:] - y.reshape(1, -1)
    a, b, c = (conics[:, column, None] for column in range(3))
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    return torch.where(sigma < 0, 0.0, torch.exp(-sigma))


def weights_of(alpha: Tensor) -> Tensor:
    """[M, P] nearest first -> what each adds to a pixel."""
    alpha = torch.where(alpha < ALPHA_THRESHOLD, 0.0, alpha)
    after = torch.cumprod(1 - alpha, 0)
    before = torch.cat([torch.ones_like(after[:1]), after[:-1]])
    return torch.where(after > TRANSMITTANCE_THRESHOLD, alpha * before, 0.0)


def backend() -> types.ModuleType:
    """In place of the module ``gsplat.cuda._backend``, which would look for a compiler."""
    module = types.ModuleType("gsplat.cuda._backend")
    module.__dict__["_C"] = types.SimpleNamespace(
        CameraModelType=CameraModelType,
        # pybind exports the values beside the enum, and there gsplat looks for them.
        **CameraModelType.__members__,
        projection_ewa_3dgs_fused_fwd=projection_ewa_3dgs_fused_fwd,
        intersect_tile=intersect_tile,
        intersect_offset=intersect_offset,
        rasterize_to_pixels_3dgs_fwd=rasterize_to_pixels_3dgs_fwd,
    )
    return module
