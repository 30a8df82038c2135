"""The fast convolution against torch's, in float64 (rule 6: a plain one beside the fast one)."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sharp_xr.model.sharp.cpu.winograd import WinogradConvolution, tile_ranges
from sharp_xr.model.sharp.cpu.winograd_kernels import vector_shape

ROOT = Path(__file__).parents[5]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def random_map(height: int, width: int, channels: int, seed: int = 1) -> Tensor:
    return torch.randn(height, width, channels, generator=torch.Generator().manual_seed(seed))


def random_weights(cout: int, cin: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(cout, cin, 3, 3, generator=generator) / (9 * cin) ** 0.5
    return weight, torch.randn(cout, generator=generator)


def exact(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    bias = None if bias is None else bias.double()
    batch = x.double().permute(2, 0, 1)[None]
    return functional.conv2d(batch, weight.double(), bias, padding=1)[0].permute(1, 2, 0)


def relative_error(result: Tensor, expected: Tensor) -> float:
    """RMS of the difference over RMS of what was expected."""
    return float((result - expected).square().mean().sqrt() / expected.square().mean().sqrt())


@pytest.mark.parametrize("cin, cout", [(16, 32), (3, 5), (40, 70)])
@pytest.mark.parametrize("height, width", [(1, 1), (4, 8), (7, 2), (30, 61)])
def test_any_size_and_any_number_of_channels(
    height: int, width: int, cin: int, cout: int, threads: int
) -> None:
    x, (weight, bias) = random_map(height, width, cin), random_weights(cout, cin)
    result = WinogradConvolution(weight, bias)(x)
    torch.testing.assert_close(result.double(), exact(x, weight, bias), rtol=0, atol=1e-5)


def test_with_256_channels_the_error_is_a_millionth() -> None:
    x, (weight, _) = random_map(40, 40, 256), random_weights(64, 256)
    assert relative_error(WinogradConvolution(weight)(x).double(), exact(x, weight)) < 1e-6


def test_relu_before_and_behind_and_a_sum() -> None:
    x, more = random_map(9, 14, 24), random_map(9, 14, 20, seed=3)
    untouched, (weight, bias) = x.clone(), random_weights(20, 24)
    layer = WinogradConvolution(weight, bias)
    before = exact(x.relu(), weight, bias)
    torch.testing.assert_close(layer(x, relu_input=True).double(), before, rtol=0, atol=1e-5)
    behind = (exact(x, weight, bias) + more).relu()
    result = layer(x, add=more, relu_output=True)
    torch.testing.assert_close(result.double(), behind, rtol=0, atol=1e-5)
    assert torch.equal(x, untouched)


def test_a_residual_is_added_in_place(threads: int) -> None:
    """As the decoders do it: ``u + conv(relu(conv(relu(u))))``."""
    u, (weight, bias) = random_map(50, 37, 32), random_weights(32, 32)
    layer = WinogradConvolution(weight, bias)
    inner = exact(u.relu(), weight, bias).relu()
    expected = u.double() + exact(inner, weight, bias)
    hidden = layer(u, relu_input=True, relu_output=True)
    result = layer(hidden, add=u, out=u)
    assert result is u
    torch.testing.assert_close(u.double(), expected, rtol=0, atol=1e-5)


def test_the_result_does_not_depend_on_the_number_of_threads() -> None:
    x, (weight, bias) = random_map(61, 45, 16), random_weights(32, 16)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(WinogradConvolution(weight, bias)(x))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], result) for result in results)


@pytest.mark.parametrize("height, width", [(1, 1), (24, 24), (48, 48), (97, 203)])
def test_every_tile_is_in_one_piece(height: int, width: int, threads: int) -> None:
    ranges = tile_ranges(height, width)
    tiles = [tile for first, end in ranges for tile in range(first, end)]
    assert tiles == list(range(-(-height // 4) * -(-width // 4)))
    assert max(end - first for first, end in ranges) <= 56


def test_what_is_not_a_number_is_not_hidden_by_relu() -> None:
    x, (weight, _) = random_map(12, 12, 16), random_weights(32, 16)
    x[5, 5, 3] = torch.nan
    result = WinogradConvolution(weight)(x, relu_input=True, relu_output=True)
    assert result[4:7, 4:7].isnan().all()
    assert not result[8:].isnan().any()


def test_a_wrong_map_is_refused() -> None:
    weight, bias = random_weights(16, 16)
    layer, x = WinogradConvolution(weight, bias), random_map(8, 8, 16)
    with pytest.raises(AssertionError, match=r"\(8, 8, 20\) came, \(8, 8, 16\) was wanted"):
        layer(random_map(8, 8, 20))
    with pytest.raises(AssertionError, match="float64"):
        layer(x.double())
    with pytest.raises(AssertionError, match="neighbours"):
        layer(x, out=x)
    with pytest.raises(AssertionError, match="was wanted"):
        layer(x, add=random_map(8, 7, 16))


CONVOLVE_AND_SAVE = """
import sys, torch
from tests.server.model.sharp.cpu.test_winograd import random_map, random_weights
from sharp_xr.model.sharp.cpu.winograd import WinogradConvolution
from sharp_xr.model.sharp.cpu.winograd_kernels import vector_shape
result = WinogradConvolution(*random_weights(40, 24))(random_map(30, 61, 24))
torch.save({"shape": vector_shape(), "result": result}, sys.argv[1])
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 features")
def test_narrower_vectors_give_the_same(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+sse4.2,+avx,+avx2,+fma,-avx512f",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
    }
    file = tmp_path / "result.pt"
    command = [sys.executable, "-c", CONVOLVE_AND_SAVE, str(file)]
    subprocess.run(command, env=environment, check=True)
    narrow = torch.load(file)
    assert narrow["shape"] == (8, 6)
    weight, bias = random_weights(40, 24)
    expected = exact(random_map(30, 61, 24), weight, bias)
    assert relative_error(narrow["result"].double(), expected) < 1e-6


def test_vectors_are_as_wide_as_the_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for features, shape in (("+avx2,+avx512f", (16, 14)), ("+neon", (4, 14)), ("", (4, 6))):
        monkeypatch.setenv("NUMBA_CPU_FEATURES", features)
        assert vector_shape() == shape
