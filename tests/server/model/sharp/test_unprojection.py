"""From coordinates of the picture to metres: lines of sight, and covariances of turned axes."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.unprojection import unproject

WIDTH, HEIGHT, FOCAL_PX = 640, 360, 500.0


def gaussians(means: Tensor, scales: Tensor, quats: Tensor) -> NdcGaussians:
    """Of means [N, 3] ..., with colours and opacities that do not matter."""
    count = len(means)
    return NdcGaussians(
        means[None], scales[None], quats[None], torch.zeros(1, count, 3), torch.zeros(1, count)
    )


def test_each_mean_lies_on_its_pixels_line_of_sight() -> None:
    pixels = torch.tensor([[0.0, 0.0], [640.0, 360.0], [320.0, 180.0], [500.0, 20.0]])
    z = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    ndc = torch.stack([2 * pixels[:, 0] / WIDTH - 1, 2 * pixels[:, 1] / HEIGHT - 1], 1)
    unit = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(4, -1)
    g = gaussians(torch.cat([ndc * z, z], 1), torch.ones(4, 3), unit)
    means, _ = unproject(g, WIDTH, HEIGHT, FOCAL_PX)
    middle = torch.tensor([WIDTH / 2, HEIGHT / 2])
    wanted = torch.cat([(pixels - middle) * z / FOCAL_PX, z], 1)
    torch.testing.assert_close(means[0], wanted, rtol=0, atol=1e-6)


def turned(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """The rotation matrix by Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    result: NDArray[np.float64] = (
        np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    )
    return result


def test_a_covariance_is_turned_then_stretched_with_the_view() -> None:
    rng = np.random.default_rng(0)
    stretch = np.diag([WIDTH / (2 * FOCAL_PX), HEIGHT / (2 * FOCAL_PX), 1.0])
    quats, scales, wanted = [], [], []
    for _ in range(20):
        axis = rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        angle, s = rng.uniform(0, math.pi), rng.uniform(0.01, 1, 3)
        length = rng.uniform(0.2, 5)  # a quaternion of any length is the same rotation
        quats.append(length * np.array([math.cos(angle / 2), *math.sin(angle / 2) * axis]))
        scales.append(s)
        rotation = turned(axis, angle)
        full = stretch @ rotation @ np.diag(s**2) @ rotation.T @ stretch
        wanted.append(full[np.triu_indices(3)])
    g = gaussians(
        torch.ones(20, 3).double(), torch.tensor(np.array(scales)), torch.tensor(np.array(quats))
    )
    _, covariances = unproject(g, WIDTH, HEIGHT, FOCAL_PX)
    torch.testing.assert_close(covariances[0], torch.tensor(np.array(wanted)))
