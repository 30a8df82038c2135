"""Stage 2's batch, made of photos by the network of stage 1 (SSFT, self-supervised fine-tuning).

    photo --network--> Gaussians --draw, a little aside--> pseudo photo     no gradient so far
    pseudo photo: the input        photo: the novel view that it must give

So the network sees inputs with its own flaws, and is held to pictures of the world. What draws them
stays as it was when stage 2 began: were it the one that learns, both would agree on a world that is
so far away that nothing moves. The pseudo photo's depth, as drawn, stands in for the truth; where
nothing was drawn it is unknown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharp_xr.train.networks import Network
from sharp_xr.train.samples import Batch, Samples, resized
from sharp_xr.train.step import draw

COVERED = 0.5
"""Alpha from which a drawn depth counts as known."""


def photos_of(
    samples: Samples,
    seed: int,
    step: int,
    places: Sequence[int],
    size: tuple[int, int],
    *,
    squeezed: bool = False,
) -> Batch:
    """As ``samples.batch_of``, of photos without novel views: both views are the photo.

    Each photo gives its middle, of the aspect of ``size``; or, squeezed, all of it, as SHARP sees
    it.
    """
    pictures, lenses = [], []
    for place in places:
        rng = np.random.default_rng((seed, step, place))
        sample = samples[int(rng.integers(len(samples)))]
        rgb, lens = sample.rgb[:1], sample.lenses[:1]
        if not squeezed:
            rgb, lens = _middle(rgb, lens, size)
        picture, lens_px = resized(rgb, lens, size)
        pictures.append(picture)
        lenses.append(lens_px)
    poses = np.stack([lean(seed, step, place) for place in places])
    return Batch(
        rgb=torch.stack(pictures).expand(-1, 2, -1, -1, -1),
        depth=torch.zeros(len(pictures), 2, *size),
        lenses=torch.stack(lenses).expand(-1, 2, -1),
        novel_from_input=torch.from_numpy(poses),
    )


def _middle(
    rgb: NDArray[np.uint8], lenses: NDArray[np.float64], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The largest part in the middle that has the aspect of ``size``, to a pixel."""
    height, width = rgb.shape[1:3]
    rows = min(height, max(1, round(width * size[0] / size[1])))
    columns = min(width, max(1, round(height * size[1] / size[0])))
    top, left = (height - rows) // 2, (width - columns) // 2
    return rgb[:, top : top + rows, left : left + columns], lenses - (0, 0, left, top)


def lean(seed: int, step: int, place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[4, 4] to a camera anywhere in a flat ball of radius 1; ``swapped`` says how long that is."""
    rng = np.random.default_rng((seed, step, place, 1))
    direction = rng.normal(0, 1, 3)
    offset = direction / np.linalg.norm(direction) * rng.uniform(0, 1) ** (1 / 3)
    pose = np.eye(4)
    pose[:3, 3] = offset * (1, 1, 0.3)  # heads move aside more than back and forth
    return pose


def swapped(network: Network, photos: Batch, lean_m: float) -> Batch:
    """Pseudo photos as inputs, the photos as their novel views.

    Args:
        network: what stage 2 began with; it gets no gradient here.
        photos: of ``photos_of``.
        lean_m: metres that a lean of 1 stands for.
    """
    aside = photos.novel_from_input.clone()
    aside[:, :3, 3] *= lean_m
    with torch.no_grad():
        parts = network.parts(photos.rgb[:, 0], photos.focal_over_width)
        seen = dataclasses.replace(photos, novel_from_input=aside)
        drawn = draw(parts.gaussians, network.half_view(*photos.size), seen)
    pseudo_first = (1, 0)
    return Batch(
        rgb=torch.stack([drawn.rgb[:, 1].clamp(0, 1), photos.rgb[:, 0]], 1),
        depth=_known(drawn.depth, drawn.alpha)[:, pseudo_first],
        lenses=photos.lenses,
        novel_from_input=torch.linalg.inv(aside),
    )


def _known(depth: Tensor, alpha: Tensor) -> Tensor:
    return torch.where(alpha > COVERED, depth, torch.zeros_like(depth))
