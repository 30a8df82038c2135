"""The call of gsplat, on machines without a GPU: bound to the signatures of its versions (read off
its sources), and run through gsplat's own Python with stand-ins for its kernels."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from inspect import Parameter, Signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gsplat
import numpy as np
import pytest
import torch
from tests.server.render import gsplat_kernels
from tests.server.render.scenes import (
    assert_same_picture,
    front_view,
    many,
    odd_views,
    one_gaussian,
    random_scene,
)
from torch import Tensor

from sharp_xr.device_gaussians import DeviceGaussians, DeviceTensors
from sharp_xr.render import RenderSettings, create_renderer, tiny_scene
from sharp_xr.render.cuda import CudaRenderer, Rasterization, find_gpu, find_gsplat

SIGNATURES = json.loads(Path(__file__).with_name("gsplat_signatures.json").read_text())
"""Version -> name -> type and default of each parameter of ``gsplat.rasterization``."""
HAS_GPU = torch.cuda.is_available()
LEANT_ON = {
    "far_plane": "10000000000.0",
    "radius_clip": "0.0",
    "sh_degree": "None",
    "sparse_grad": "False",
    "distributed": "False",
    "camera_model": "'pinhole'",
    "with_ut": "False",
    "with_eval3d": "False",
}
"""Defaults that the meaning of our call depends on."""


@pytest.fixture
def rasterization(monkeypatch: pytest.MonkeyPatch) -> Rasterization:
    """gsplat's own, on the CPU."""
    monkeypatch.setitem(sys.modules, "gsplat.cuda._backend", gsplat_kernels.backend())
    found: Rasterization = gsplat.rasterization
    return found


@pytest.fixture
def renderer(rasterization: Rasterization) -> CudaRenderer:
    return CudaRenderer(rasterization=rasterization)


def signature(version: str) -> Signature:
    """Of ``gsplat.rasterization``."""
    kind = Parameter.POSITIONAL_OR_KEYWORD
    return Signature(
        [
            Parameter(name, kind, default=Parameter.empty if default == "<required>" else default)
            for name, (_, default) in SIGNATURES[version].items()
        ]
    )


def never(**call: Any) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
    pytest.fail("nothing is to be drawn")


@pytest.mark.parametrize("version", SIGNATURES)
def test_the_call_fits_gsplat(version: str) -> None:
    renderer = CudaRenderer(rasterization=never)
    gaussians, view = tiny_scene()
    call = renderer.keywords(renderer.prepare(gaussians), [view, view], RenderSettings())
    bound = signature(version).bind(**call)
    shapes = {name: tuple(x.shape) for name, x in call.items() if isinstance(x, Tensor)}
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
    assert torch.equal(call["covars"], call["covars"].mT)
    bound.apply_defaults()
    assert {name: bound.arguments[name] for name in LEANT_ON} == LEANT_ON


def test_the_recorded_signature_is_the_installed_one() -> None:
    recorded = SIGNATURES[gsplat.__version__]
    installed = inspect.signature(gsplat.rasterization).parameters
    assert list(installed) == list(recorded)
    for name, parameter in installed.items():
        required = parameter.default is Parameter.empty
        assert recorded[name][1] == ("<required>" if required else str_of(parameter.default)), name


def str_of(default: object) -> str:
    """As the sources have it."""
    return repr(default) if not isinstance(default, gsplat.RollingShutterType) else str(default)


@pytest.mark.parametrize(
    "settings",
    [RenderSettings(), RenderSettings(near=2.0, eps2d=0.3, background=(0.1, 0.7, 0.0))],
)
def test_gsplat_s_picture_is_the_reference_s(
    renderer: CudaRenderer, settings: RenderSettings
) -> None:
    assert_same_picture(renderer, random_scene(150), odd_views(), settings, tolerance=5e-6)
    scene, views = random_scene(1), odd_views()
    frame = renderer.render(renderer.prepare(scene), views, settings)
    assert frame.rgb.dtype == frame.depth.dtype == frame.alpha.dtype == np.float32
    assert frame.rgb.shape == (2, 3, 45, 70)
    assert frame.depth.shape == frame.alpha.shape == (2, 45, 70)


def test_scenes_at_the_edges_are_the_reference_s_too(renderer: CudaRenderer) -> None:
    near = random_scene(60, seed=1, depths_m=(-0.5, 0.5), sizes_m=(0.005, 0.05))
    faint = random_scene(40, seed=2, opacities=(0.003, 0.005))
    walls = many(*(one_gaussian((0, 0, z), 9.0, 1.0) for z in (2.0, 3.0, 4.0)))
    for scene in (
        near,
        faint,
        walls,
        one_gaussian(),
        one_gaussian((0, 0, -1)),
        near[np.array([], int)],
    ):
        assert_same_picture(renderer, scene, odd_views(), tolerance=5e-6)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("packed", True),
        ("covars", torch.zeros(2, 6)),
        ("backgrounds", torch.zeros(3)),
        ("viewmats", torch.eye(4).expand(3, 4, 4)),
        ("Ks", torch.eye(3).double().expand(2, 3, 3)),
        ("render_mode", "RGBED"),
        ("width", 64.0),
        ("near_plane", torch.zeros(1)),
        ("camera_model", "pin-hole"),
        ("eps_2d", 0.3),
    ],
)
def test_a_wrong_argument_fails_here_and_not_on_a_gpu(
    renderer: CudaRenderer, rasterization: Rasterization, wrong: str, value: object
) -> None:
    gaussians, view = tiny_scene()
    call = renderer.keywords(renderer.prepare(gaussians), [view, view], RenderSettings())
    rasterization(**call)
    with pytest.raises((AssertionError, AttributeError, RuntimeError, TypeError)):
        rasterization(**call | {wrong: value})


def test_what_a_prediction_left_on_the_device_is_drawn_from_there(renderer: CudaRenderer) -> None:
    plain = random_scene(150)
    arrays = plain.means, plain.covariances, plain.colors, plain.opacities
    tensors = DeviceTensors(*(torch.from_numpy(array.copy()) for array in arrays))
    gaussians = DeviceGaussians(tensors)
    scene = renderer.prepare(gaussians)
    for name in ("means", "colors", "opacities"):
        assert getattr(scene, name).data_ptr() == getattr(tensors, name).data_ptr()
    views = odd_views()
    frame = renderer.render(scene, views)
    expected = renderer.render(renderer.prepare(plain), views)
    np.testing.assert_array_equal(frame.rgb, expected.rgb)
    # An array would be among them had the host asked for it.
    assert set(vars(gaussians)) == {"tensors"}


def test_a_frame_stays_on_the_device_but_for_what_is_asked_for(renderer: CudaRenderer) -> None:
    frame = renderer.render(renderer.prepare(random_scene(10)), odd_views())
    assert set(vars(frame)) == {"tensors"}
    assert frame.depth is frame.depth
    assert set(vars(frame)) == {"tensors", "depth"}


def test_a_refocused_scene_is_drawn_as_its_gaussians_are(renderer: CudaRenderer) -> None:
    scene, views = random_scene(150), odd_views()
    frame = renderer.render(renderer.prepare(scene).refocused(2.5), views)
    expected = renderer.render(renderer.prepare(scene.refocused(2.5)), views)
    np.testing.assert_allclose(frame.depth, expected.depth, rtol=1e-4)
    np.testing.assert_allclose(frame.rgb, expected.rgb, atol=1e-4)


def test_warming_up_draws(rasterization: Rasterization) -> None:
    calls = []

    def count(**call: Any) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        calls.append(call)
        return rasterization(**call)

    CudaRenderer(rasterization=count).warm_up()
    assert len(calls) == 1


def test_kernels_that_cannot_be_built_end_in_a_sentence() -> None:
    def broken(**call: Any) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        raise RuntimeError("Error building extension 'gsplat_cuda': [1/9] nvcc\nptxas: no")

    with pytest.raises(RuntimeError, match="'gsplat_cuda': .*nvcc\\).*run with --device cpu$"):
        CudaRenderer(rasterization=broken).warm_up()


def test_without_a_cuda_toolkit_gsplat_ends_in_a_sentence(
    rasterization: Rasterization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["gsplat.cuda._backend"], "_C", None)
    with pytest.raises(RuntimeError, match=r"could not build or run .*run with --device cpu$"):
        CudaRenderer(rasterization=rasterization).warm_up()


def test_a_scene_of_another_renderer_is_refused() -> None:
    with pytest.raises(ValueError, match="another renderer prepared"):
        CudaRenderer(rasterization=never).render(random_scene(1), [front_view()])


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
    monkeypatch.setitem(sys.modules, "gsplat", SimpleNamespace(rasterization=never))
    assert find_gsplat() is never


@pytest.mark.cuda
@pytest.mark.skipif(not HAS_GPU, reason="needs an NVIDIA GPU")
def test_a_gpu_draws_the_reference_s_picture() -> None:
    renderer, reference = create_renderer("cuda"), create_renderer("reference")
    scene, views = random_scene(400), odd_views()
    frame = renderer.render(renderer.prepare(scene), views)
    expected = reference.render(reference.prepare(scene), views)
    assert np.mean(np.abs(frame.rgb - expected.rgb) < 2e-3) > 0.98
