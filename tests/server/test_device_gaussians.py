"""Gaussians on a device, with the CPU in the GPU's place: the same tensors, the same calls."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import numpy as np
import pytest
import torch

from sharp_xr.device_gaussians import DeviceGaussians, DeviceTensors
from sharp_xr.gaussians import Gaussians
from sharp_xr.render.cuda import CudaRenderer


def some(count: int = 5) -> DeviceGaussians:
    generator = torch.Generator().manual_seed(1)
    sizes = [(count, 3), (count, 6), (count, 3), (count,)]
    return DeviceGaussians(DeviceTensors(*(torch.rand(s, generator=generator) for s in sizes)))


def test_others_see_plain_gaussians_with_the_same_numbers() -> None:
    gaussians = some()
    assert isinstance(gaussians, Gaussians)
    assert len(gaussians) == 5
    np.testing.assert_array_equal(gaussians.covariances, gaussians.tensors.covariances.numpy())
    assert gaussians[np.array([1, 3])].colors.shape == (2, 3)


def test_nothing_is_on_the_host_before_it_is_asked_for() -> None:
    gaussians = some()
    gaussians.finite()
    len(gaussians)
    assert set(vars(gaussians)) == {"tensors"}


def test_what_is_not_finite_is_dropped_on_the_device() -> None:
    gaussians = some()
    gaussians.tensors.colors[2, 1] = float("nan")
    gaussians.tensors.opacities[4] = float("inf")
    finite, dropped = gaussians.finite()
    assert dropped == 2
    assert isinstance(finite, DeviceGaussians)
    assert torch.equal(finite.tensors.means, gaussians.tensors.means[[0, 1, 3]])


def test_another_focal_length_and_the_depth_of_focus_stay_on_the_device() -> None:
    gaussians = some(1001)
    plain = Gaussians(*(tensor.numpy() for tensor in vars(gaussians.tensors).values()))
    longer = gaussians.refocused(1.3)
    assert gaussians.depth_quantile(0.1) == pytest.approx(plain.depth_quantile(0.1), rel=1e-3)
    assert set(vars(gaussians)) == set(vars(longer)) == {"tensors"}
    np.testing.assert_allclose(longer.means, plain.refocused(1.3).means, rtol=1e-6)
    np.testing.assert_allclose(longer.covariances, plain.refocused(1.3).covariances, rtol=1e-6)


def test_tensors_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(5, 3\), \(4, 6\)"):
        DeviceGaussians(
            DeviceTensors(torch.zeros(5, 3), torch.zeros(4, 6), torch.zeros(5, 3), torch.zeros(5))
        )


def test_the_renderer_takes_the_tensors_as_they_are() -> None:
    gaussians = some()
    scene = CudaRenderer(rasterization=lambda **_: pytest.fail("nothing is drawn")).prepare(
        gaussians
    )
    assert scene.means.data_ptr() == gaussians.tensors.means.data_ptr()
    assert scene.opacities.data_ptr() == gaussians.tensors.opacities.data_ptr()
    assert set(vars(gaussians)) == {"tensors"}


def _send(pipe: Connection) -> None:
    gaussians = some(1000)
    gaussians.tensors.means[7] = 7.0
    pipe.send(gaussians)
    pipe.recv()
    gaussians.tensors.means[7] = 8.0  # the receiver's are its own by then
    pipe.send("done")


def test_another_process_shares_its_memory_and_may_end() -> None:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_send, args=(theirs,), daemon=True)
    process.start()
    received = ours.recv()
    ours.send("got it")
    assert ours.recv() == "done"
    process.join(30)
    assert isinstance(received, DeviceGaussians)
    assert set(vars(received)) == {"tensors"}
    assert received.means[7].tolist() == [7.0, 7.0, 7.0]
    np.testing.assert_array_equal(received.colors, some(1000).colors)
