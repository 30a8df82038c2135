"""Photos become pairs: a wall whose colours say where it is, seen from where nobody stood."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sharp_xr.model.lite_gaussians import TINY_GAUSSIANS, LiteGaussians
from sharp_xr.model.sharp.network import Parts
from sharp_xr.train.samples import Batch, Sample
from sharp_xr.train.swapping import photos_of, swapped

SIZE, FOCAL = 64, 50.0
LEAN_M = 0.4


def distance(x: Tensor, y: Tensor) -> Tensor:
    """Of the wall, metres; it recedes to the right and downwards."""
    return 2 + 0.4 * x + 0.3 * y


def rays() -> Tensor:
    """[3, SIZE, SIZE] through the pixels, 1 m deep."""
    at = (torch.arange(SIZE) + 0.5 - SIZE / 2) / FOCAL
    v, u = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([u, v, torch.ones_like(u)]).double()


def wall() -> Tensor:
    """[SIZE, SIZE] its depth in the photo: z = distance(u z, v z)."""
    u, v, _ = rays()
    depth: Tensor = 2 / (1 - 0.4 * u - 0.3 * v)
    return depth


class Wall:
    """A photo of it: red is x, green is y, each 1 for 4 m."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Sample:
        place = rays() * wall()
        paint = torch.stack(
            [0.5 + place[0] / 4, 0.5 + place[1] / 4, torch.full_like(place[0], 0.5)]
        )
        return Sample(
            rgb=(255 * paint).round().byte().permute(1, 2, 0)[None].numpy(),
            depth=np.zeros((1, SIZE, SIZE), np.float32),
            lenses=np.array([[FOCAL, FOCAL, SIZE / 2, SIZE / 2]]),
            camera_from_input=np.eye(4)[None],
        )


class KnowsTheWall(LiteGaussians):
    """The rules' Gaussians at the true depth."""

    def parts(
        self, image: Tensor, disparity_factor: Tensor, true_depth: Tensor | None = None
    ) -> Parts:
        inverse = (1 / wall()).float().expand(len(image), 2, -1, -1)
        half = torch.nn.functional.avg_pool2d(inverse, 2)
        features = torch.zeros(len(image), TINY_GAUSSIANS.depth.decoder[-1], *half.shape[2:])
        made, base, delta = self.corrected(image, half, features, disparity_factor)
        return Parts(made, base, delta, 1 / inverse, None)


def errors(batch: Batch, index: int) -> Tensor:
    """[3, known pixels] metres from where a pseudo photo's pixel is, by its depth and pose, to
    where the wall is that its colour names."""
    depth, pose = batch.depth[index, 0].double(), batch.novel_from_input[index]
    place = torch.einsum("ij,jhw->ihw", pose[:3, :3], rays() * depth) + pose[:3, 3, None, None]
    x, y, _ = 4 * (batch.rgb[index, 0].double() - 0.5)
    return (place - torch.stack([x, y, distance(x, y)])).abs()[:, depth > 0]


def test_a_pseudo_photo_s_depth_and_pose_lead_to_what_its_colours_show_in_the_photo() -> None:
    photos = photos_of(Wall(), 0, 0, range(3), (SIZE, SIZE))
    batch = swapped(KnowsTheWall(TINY_GAUSSIANS), photos, LEAN_M)
    assert (batch.novel_from_input[:, :3, 3].norm(dim=1) > 0.1).all()
    for index in range(3):
        off = errors(batch, index)
        assert off.shape[1] > 0.8 * SIZE**2
        assert off.quantile(0.95, dim=1).max() < 0.05
