"""Unprojection on a CPU, against the specification's formula (section 8) in float64."""

import numpy as np
import pytest
import torch

from sharp_xr.gaussians import COVARIANCE_ENTRIES, Float32
from sharp_xr.model.sharp.unproject_kernel import unproject_arrays

MX, MY = 4000 / (2 * 2800.0), 3000 / (2 * 2800.0)


def gaussians(count: int) -> tuple[Float32, Float32, Float32]:
    """NDC means, scales and quaternions as the network makes them: about one, not normalised."""
    rng = np.random.default_rng(8)
    means = rng.normal(0, [1, 2, 5], (count, 3)).astype(np.float32)
    scales = (10 ** rng.uniform(-4, 0, (count, 3))).astype(np.float32)
    quats = (rng.normal(size=(count, 4)) * rng.uniform(0.2, 3, (count, 1))).astype(np.float32)
    return means, scales, quats


def exact_covariances(scales: Float32, quats: Float32) -> Float32:
    """M R diag(s^2) R^T M, the rotation by the quaternion product q v q* of each axis."""
    w, v = quats[:, :1].astype(np.float64), quats[:, 1:].astype(np.float64)
    norm = w**2 + (v**2).sum(1, keepdims=True)
    columns = []
    for axis in np.eye(3):
        cross = np.cross(v, axis)
        columns.append(axis + 2 * (w * cross + np.cross(v, cross)) / norm)
    factor = np.diag([MX, MY, 1.0]) @ np.stack(columns, 2) * scales[:, None, :].astype(np.float64)
    full = factor @ factor.transpose(0, 2, 1)
    return np.stack([full[:, i, j] for i, j in COVARIANCE_ENTRIES], 1).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 3])
def test_means_and_covariances_are_the_specifications(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ndc, scales, quats = gaussians(1001)
        means, covariances = unproject_arrays(ndc, scales, quats, MX, MY)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(means, ndc * [MX, MY, 1.0], rtol=1e-6)
    wanted = exact_covariances(scales, quats)
    size = np.abs(wanted).max(axis=1, keepdims=True)
    assert np.all(np.abs(covariances - wanted) <= 2e-6 * size)


def test_no_gaussians_are_no_gaussians() -> None:
    means, covariances = unproject_arrays(*gaussians(0), MX, MY)
    assert means.shape == (0, 3)
    assert covariances.shape == (0, 6)
