"""The call of gsplat, on machines without a GPU: names against the recorded signatures of its
versions (read off its sources), shapes and axes against a stand-in drawn with the reference."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from inspect import Parameter, Signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.server.render.scenes import front_view, odd_views, random_scene
from torch import Tensor

from sharp_xr.gaussians import COVARIANCE_ENTRIES, Gaussians
from sharp_xr.render import RenderSettings, View, create_renderer, tiny_scene
from sharp_xr.render.cuda import CudaRenderer, find_gpu, find_gsplat
from sharp_xr.render.reference import draw

SIGNATURES = json.loads(Path(__file__).with_name("gsplat_signatures.json").read_text())
HAS_GPU = torch.cuda.is_available()


def signature(version: str) -> Signature:
    """Of ``gsplat.rasterization``."""
    names = SIGNATURES[version]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    required = [Parameter(name, kind) for name in names["required"]]
    optional = [Parameter(name, kind, default=None) for name in names["optional"]]
    return Signature([*required, *optional])


def rasterize(**call: Any) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
    """What ``gsplat.rasterization`` does with covariances, RGB+ED and backgrounds."""
    bound = signature("1.5.3").bind(**call).arguments
    assert bound["quats"] is None and bound["scales"] is None
    assert bound["render_mode"] == "RGB+ED" and not bound["packed"]
    upper = [bound["covars"][:, i, j].numpy() for i, j in COVARIANCE_ENTRIES]
    gaussians = Gaussians(
        bound["means"].numpy(),
        np.stack(upper, axis=1),
        bound["colors"].numpy(),
        bound["opacities"].numpy(),
    )
    pictures = []
    for matrix, k, background in zip(
        bound["viewmats"].double().numpy(),
        bound["Ks"].double().numpy(),
        bound["backgrounds"].tolist(),
        strict=True,
    ):
        view = View(matrix, k[0, 0], k[1, 1], k[0, 2], k[1, 2], bound["width"], bound["height"])
        settings = RenderSettings(bound["near_plane"], bound["eps2d"], 0.999, tuple(background))
        pictures.append(draw(gaussians, view, settings))
    colors = [np.concatenate([p.rgb, p.depth[..., None]], axis=-1) for p in pictures]
    alphas = [p.alpha[..., None] for p in pictures]
    return torch.tensor(np.stack(colors)).float(), torch.tensor(np.stack(alphas)).float(), {}


@pytest.mark.parametrize("version", SIGNATURES)
def test_the_call_fits_gsplat(version: str) -> None:
    renderer = CudaRenderer(rasterization=rasterize)
    gaussians, view = tiny_scene()
    call = renderer.keywords(renderer.prepare(gaussians), [view, view], RenderSettings())
    arguments = signature(version).bind(**call).arguments
    shapes = {name: tuple(x.shape) for name, x in arguments.items() if isinstance(x, Tensor)}
    assert shapes == {
        "means": (2, 3),
        "covars": (2, 3, 3),
        "opacities": (2,),
        "colors": (2, 3),
        "viewmats": (2, 4, 4),
        "Ks": (2, 3, 3),
        "backgrounds": (2, 3),
    }
    assert all(x.dtype == torch.float32 for x in call.values() if isinstance(x, Tensor))


def test_the_installed_gsplat_takes_the_call() -> None:
    gsplat = pytest.importorskip("gsplat", reason="gsplat is not installed")
    renderer = CudaRenderer(rasterization=rasterize)
    gaussians, view = tiny_scene()
    call = renderer.keywords(renderer.prepare(gaussians), [view], RenderSettings())
    inspect.signature(gsplat.rasterization).bind(**call)


@pytest.mark.parametrize(
    "settings", [RenderSettings(), RenderSettings(2.0, 0.3, 0.999, (0.1, 0.7, 0.0))]
)
def test_the_frame_is_the_reference_s(settings: RenderSettings) -> None:
    renderer, reference = CudaRenderer(rasterization=rasterize), create_renderer("reference")
    scene, views = random_scene(150), odd_views()
    frame = renderer.render(renderer.prepare(scene), views, settings)
    expected = reference.render(reference.prepare(scene), views, settings)
    # The cameras go through float32.
    assert np.mean(np.abs(frame.rgb - expected.rgb) < 2e-5) > 0.99
    assert np.mean(np.abs(frame.depth - expected.depth) < 1e-4) > 0.99
    assert np.mean(np.abs(frame.alpha - expected.alpha) < 2e-5) > 0.99
    assert frame.rgb.dtype == frame.depth.dtype == frame.alpha.dtype == np.float32
    assert frame.rgb.shape == (2, 3, 45, 70)


def test_a_refocused_scene_is_drawn_as_its_gaussians_are() -> None:
    renderer, views = CudaRenderer(rasterization=rasterize), odd_views()
    scene = random_scene(150)
    frame = renderer.render(renderer.prepare(scene).refocused(2.5), views)
    expected = renderer.render(renderer.prepare(scene.refocused(2.5)), views)
    np.testing.assert_allclose(frame.depth, expected.depth, rtol=1e-4)
    np.testing.assert_allclose(frame.rgb, expected.rgb, atol=1e-4)


def test_warming_up_draws() -> None:
    calls = []

    def count(**call: Any) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        calls.append(call)
        return rasterize(**call)

    CudaRenderer(rasterization=count).warm_up()
    assert len(calls) == 1


def test_kernels_that_cannot_be_built_end_in_a_sentence() -> None:
    def broken(**call: Any) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        raise ImportError("no nvcc")

    with pytest.raises(RuntimeError, match=r"\(no nvcc\).*run with --device cpu"):
        CudaRenderer(rasterization=broken).warm_up()


def test_a_scene_of_another_renderer_is_refused() -> None:
    with pytest.raises(ValueError, match="another renderer prepared"):
        CudaRenderer(rasterization=rasterize).render(random_scene(1), [front_view()])


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_without_a_gpu_the_sentence_has_the_way_out() -> None:
    with pytest.raises(RuntimeError, match=r"GPU 0 cannot draw: .* no NVIDIA GPU; .*--device cpu"):
        create_renderer("cuda")


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_gpu(1) == torch.device("cuda", 1)
    with pytest.raises(RuntimeError, match="GPU 2 cannot draw: .* sees 2 NVIDIA GPUs"):
        find_gpu(2)


def test_without_gsplat_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(RuntimeError, match=r"pip install 'sharp-xr\[cuda\]'"):
        find_gsplat()


def test_gsplat_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", SimpleNamespace(rasterization=rasterize))
    assert find_gsplat() is rasterize


@pytest.mark.cuda
@pytest.mark.skipif(not HAS_GPU, reason="needs an NVIDIA GPU")
def test_a_gpu_draws_the_reference_s_picture() -> None:
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    renderer, reference = create_renderer("cuda"), create_renderer("reference")
    scene, views = random_scene(400), odd_views()
    frame = renderer.render(renderer.prepare(scene), views)
    expected = reference.render(reference.prepare(scene), views)
    assert np.mean(np.abs(frame.rgb - expected.rgb) < 2e-3) > 0.98
