"""The fast attention against torch's, in float64 (rule 6: a plain one beside the fast one)."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sharp_xr.model.sharp.cpu import attention as module
from sharp_xr.model.sharp.cpu.attention import attention, plain_attention
from sharp_xr.model.sharp.cpu.attention_vectors import EXP2

ROOT = Path(__file__).parents[5]
DTYPES = [torch.float32, torch.bfloat16]


def random_qkv(
    batch: int, count: int, heads: int, depth: int, dtype: torch.dtype = torch.float32
) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return (1.5 * torch.randn(batch, count, 3, heads, depth, generator=generator)).to(dtype)


def error(result: Tensor, qkv: Tensor, rows: Tensor | None = None) -> float:
    """RMS of the difference over RMS of what is exact."""
    exact = plain_attention(qkv.double(), rows)
    assert result.shape == exact.shape and result.dtype == qkv.dtype
    return float((result - exact).square().mean().sqrt() / exact.square().mean().sqrt())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [15, 48, 97, 129, 577])
def test_any_number_of_tokens_errs_no_more_than_torch(count: int, dtype: torch.dtype) -> None:
    qkv = random_qkv(2, count, 3, 64, dtype)
    bar = error(plain_attention(qkv), qkv)
    # In bfloat16 both are what rounding makes of it, which is a matter of chance.
    assert error(attention(qkv), qkv) <= bar * (1.0 if dtype == torch.float32 else 1.02)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_tokens_are_exact_but_for_rounding(count: int, dtype: torch.dtype) -> None:
    """Torch is a little nearer for two: what rounds a score of 5 by half a bit costs 3e-7."""
    qkv = random_qkv(2, count, 3, 64, dtype)
    rounding = {torch.float32: 3e-7, torch.bfloat16: 3e-3}[dtype]
    assert error(attention(qkv), qkv) <= (0 if count == 1 else rounding)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [16, 20, 32, 96, 128])
def test_any_number_of_channels(depth: int, dtype: torch.dtype) -> None:
    qkv = random_qkv(1, 50, 2, depth, dtype)
    assert error(attention(qkv), qkv) < (1e-6 if dtype == torch.float32 else 3e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_some_tokens_ask_in_any_order(dtype: torch.dtype) -> None:
    qkv = random_qkv(2, 70, 3, 64, dtype)
    rows = torch.tensor([69, 3, 3, *range(10, 60)])
    result = attention(qkv, rows)
    assert torch.equal(result, attention(qkv)[:, rows])
    assert attention(qkv, rows[:0]).shape == (2, 0, 192)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scores_far_above_what_can_be_exponentiated(dtype: torch.dtype) -> None:
    """Scores to +-10,000; beside the best key, most shares are nothing."""
    qkv = random_qkv(1, 60, 1, 64, dtype)
    qkv[:, :, :2] *= 30
    assert error(attention(qkv), qkv) < (1e-3 if dtype == torch.float32 else 3e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_a_number_stays_in_its_head_and_is_not_hidden(dtype: torch.dtype) -> None:
    for part in (1, 2):
        qkv = random_qkv(1, 61, 2, 64, dtype)
        qkv[0, 60, part, 1, 5] = torch.nan
        result = attention(qkv).view(61, 2, 64)
        wrong = result[:, 1] if part == 1 else result[:, 1, 5]
        assert wrong.isnan().all()
        assert not result[:, 0].isnan().any()
    assert not attention(random_qkv(1, 61, 2, 64, dtype)).isnan().any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_result_does_not_depend_on_the_number_of_threads(dtype: torch.dtype) -> None:
    qkv = random_qkv(2, 131, 5, 64, dtype)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(attention(qkv))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], result) for result in results)


def test_a_processor_that_does_not_multiply_pairs_is_no_less_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAIRS", False)
    qkv = random_qkv(1, 97, 2, 64, torch.bfloat16)
    assert error(attention(qkv), qkv) < 1.8e-3


def test_the_input_may_have_gaps_and_stays_as_it_is() -> None:
    wide = random_qkv(1, 40, 2, 128)
    qkv = wide[..., :64]
    before = wide.clone()
    assert error(attention(qkv), qkv) < 1e-6
    assert torch.equal(wide, before)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"\(1, 5, 2, 2, 64\) came"):
        attention(torch.zeros(1, 5, 2, 2, 64))
    with pytest.raises(AssertionError, match="rows 0 to 5 of 5"):
        attention(torch.zeros(1, 5, 3, 2, 64), torch.tensor([0, 5]))
    with pytest.raises(AssertionError, match="rows -1 to 2 of 5"):
        attention(torch.zeros(1, 5, 3, 2, 64), torch.tensor([2, -1]))


@pytest.mark.parametrize("degree, bar", [(3, 8e-5), (5, 1e-7)])
def test_powers_of_two_are_as_exact_as_they_say(degree: int, bar: float) -> None:
    x = torch.linspace(-0.5, 0.5, 10001, dtype=torch.float64)
    power = sum(c * x**n for n, c in enumerate(EXP2[degree]))
    assert float((power / x.exp2() - 1).abs().max()) < bar


ATTEND_AND_SAVE = """
import sys, torch
from tests.server.model.sharp.cpu.test_attention import random_qkv
from sharp_xr.model.sharp.cpu.attention import attention
from sharp_xr.model.sharp.cpu.winograd_kernels import LANES
results = [attention(random_qkv(1, 59, 2, 24, dtype)) for dtype in (torch.float32, torch.bfloat16)]
torch.save({"lanes": LANES, "results": results}, sys.argv[1])
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
    command = [sys.executable, "-c", ATTEND_AND_SAVE, str(file)]
    subprocess.run(command, env=environment, check=True)
    narrow = torch.load(file)
    assert narrow["lanes"] == 8
    for result, bar in zip(narrow["results"], (1e-6, 3e-3), strict=True):
        assert error(result, random_qkv(1, 59, 2, 24, result.dtype)) < bar
