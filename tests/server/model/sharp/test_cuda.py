"""The GPU's forward pass, run on the CPU: all of it but streams, pinned memory and kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.server.model.sharp.oracle import Prediction
from tests.server.model.sharp.parity import errors, metric, reference, weights

from sharp_xr.device_gaussians import DeviceGaussians
from sharp_xr.model import silent
from sharp_xr.model.sharp import predictor as predictors
from sharp_xr.model.sharp.checkpoint import save_network
from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.config import TINY
from sharp_xr.model.sharp.cuda import CudaForward
from sharp_xr.model.sharp.network import SharpNetwork
from sharp_xr.model.sharp.predictor import SharpPredictor
from sharp_xr.model.sharp.preparation import squeezed
from sharp_xr.photo import Photo

CPU = torch.device("cpu")
FACTOR = 0.9


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    network = SharpNetwork(TINY)
    network.load_state_dict(weights(TINY))
    save_network(network, path, {})
    return path


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    data = pytest.importorskip("skimage.data", reason="its photos are test photos")
    return np.ascontiguousarray(np.asarray(data.coffee())[:300, :400])


@pytest.fixture(scope="module")
def wanted(image: NDArray[np.uint8]) -> Prediction:
    return reference(image, FACTOR, weights(TINY), TINY)


def test_float32_is_within_the_bars(
    checkpoint: Path, image: NDArray[np.uint8], wanted: Prediction
) -> None:
    forward = CudaForward(checkpoint, CPU, torch.float32)
    ndc = forward(squeezed(image, TINY.side_px), torch.tensor([FACTOR]), silent)
    found = errors(metric(ndc, image, FACTOR), wanted)
    assert found.position < 1e-4
    assert found.color < 1e-5
    assert found.opacity < 1e-5


def test_bf16_is_for_the_transformers_alone(
    checkpoint: Path, image: NDArray[np.uint8], wanted: Prediction
) -> None:
    forward = CudaForward(checkpoint, CPU, torch.bfloat16)
    ndc = forward(squeezed(image, TINY.side_px), torch.tensor([FACTOR]), silent)
    assert {tensor.dtype for tensor in vars(ndc).values()} == {torch.float32}
    ours = metric(ndc, image, FACTOR)
    depth = ((ours.means[:, 2] - wanted.means[:, 2]).abs() / wanted.means[:, 2]).float()
    assert depth.quantile(0.99) < 0.015
    assert (ours.colors - wanted.colors).square().mean() < 1e-6  # 60 dB
    # Rounded to bf16, depths of a neighbourhood would share a few values.
    assert len(np.unique(ours.means[:, 2].numpy())) > 0.5 * len(depth)


def test_bf16_reaches_all_linear_layers_of_both_transformers_and_no_convolution_behind(
    checkpoint: Path,
) -> None:
    forward = CudaForward(checkpoint, CPU, torch.bfloat16)
    seen: dict[str, torch.dtype] = {}
    for name, module in forward._network.named_modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.register_forward_hook(
                lambda _module, _inputs, made, name=name: seen.update({name: made.dtype})
            )
    forward.warm_up()
    in_bf16 = {name for name, dtype in seen.items() if dtype == torch.bfloat16}
    transformers = "encoder.patch_encoder.", "encoder.image_encoder."
    assert in_bf16 == {name for name in seen if any(part in name for part in transformers)}
    assert len(in_bf16) == 2 * (1 + 4 * TINY.vit_depth)


def test_float32_asks_the_gpu_for_no_tf32(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    CudaForward(checkpoint, CPU, torch.float32)
    assert not torch.backends.cudnn.allow_tf32
    CudaForward(checkpoint, CPU, torch.bfloat16)
    assert torch.backends.cudnn.allow_tf32


def test_progress_may_end_the_work(checkpoint: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(fraction: float, detail: str = "", /) -> None:
        raise StoppedError

    forward = CudaForward(checkpoint, CPU, torch.float32)
    with pytest.raises(StoppedError):
        forward(torch.rand(1, 3, TINY.side_px, TINY.side_px), torch.tensor([1.0]), stop)


def test_warming_up_runs_the_network_once(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = CudaForward(checkpoint, CPU, torch.float32)
    seen: list[torch.Size] = []
    whole = SharpNetwork.forward

    def counted(self: SharpNetwork, image: torch.Tensor, factor: torch.Tensor) -> NdcGaussians:
        seen.append(image.shape)
        return whole(self, image, factor)

    monkeypatch.setattr(SharpNetwork, "forward", counted)
    forward.warm_up()
    assert seen == [torch.Size([1, 3, TINY.side_px, TINY.side_px])]


def test_a_predictor_on_a_gpu_leaves_its_gaussians_there(
    checkpoint: Path,
    image: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The meta device in the GPU's place would have no numbers: the CPU is, under its name."""
    monkeypatch.setattr(predictors, "_device", lambda name: torch.device(name))
    on_cpu = SharpPredictor(checkpoint, "cpu", "fp32").predict(Photo(image, 360.0))

    def stand_in(path: Path, device: torch.device, dtype: torch.dtype, *, compiled: bool) -> object:
        assert (device.type, dtype, compiled) == ("cuda", torch.float32, False)
        return CudaForward(path, CPU, dtype)

    monkeypatch.setattr(predictors, "CudaForward", stand_in)
    gaussians = SharpPredictor(checkpoint, "cuda:0", "fp32").predict(Photo(image, 360.0))
    assert isinstance(gaussians, DeviceGaussians)
    assert set(vars(gaussians)) == {"tensors"}
    np.testing.assert_allclose(gaussians.means, on_cpu.means, rtol=2e-4, atol=1e-5)
    scale = np.linalg.norm(on_cpu.covariances, axis=1)
    error = np.linalg.norm(gaussians.covariances - on_cpu.covariances, axis=1)
    assert (error / scale).max() < 1e-3
