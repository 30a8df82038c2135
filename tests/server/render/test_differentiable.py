"""Pictures that can be trained on: their gradients are those of the dense oracle in float64."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from tests.server.render.dense import dense
from tests.server.render.scenes import (
    FRAGILE,
    front_view,
    many,
    odd_views,
    one_gaussian,
    random_scene,
)
from torch import Tensor

from sharp_xr.gaussians import Gaussians
from sharp_xr.render import RenderSettings, View
from sharp_xr.render.cpu.backward import way_back
from sharp_xr.render.cpu.backward_chunks import run_chunks
from sharp_xr.render.cpu.backward_tiles import run_tiles
from sharp_xr.render.cpu.renderer import CpuRenderer
from sharp_xr.render.differentiable import (
    covariances_from,
    moved,
    rasterize,
    srgb_from_linear,
    warm_up,
)
from sharp_xr.render.reference import draw
from sharp_xr.render.reference import srgb_from_linear as reference_srgb

INPUTS = "means", "covariances", "colors", "opacities", "poses"
Outputs = tuple[Tensor, Tensor, Tensor]


def tensors_of(scene: Gaussians, views: Sequence[View]) -> list[Tensor]:
    """What ``rasterize`` takes, the poses rounded to float32 as the rasterizer does."""
    poses = np.stack([view.camera_from_photo for view in views]).astype(np.float32)
    arrays = scene.means, scene.covariances, scene.colors, scene.opacities, poses
    return [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]


def drawn(
    inputs: Sequence[Tensor],
    views: Sequence[View],
    settings: RenderSettings = RenderSettings(),
    threads: int | None = None,
) -> Outputs:
    picture = rasterize(
        *(inputs[0], inputs[1], inputs[2], inputs[3]),
        views,
        settings,
        camera_from_photo=inputs[4],
        threads=threads,
    )
    return picture.rgb, picture.depth, picture.alpha


def questions(scene: Gaussians, views: Sequence[View], settings: RenderSettings) -> list[Tensor]:
    """A random loss that looks away from pixels where float32 may decide otherwise."""
    margins = [draw(scene, view, settings).margin for view in views]
    firm = torch.from_numpy(np.stack(margins) > FRAGILE)
    random = torch.Generator().manual_seed(1)
    planes = torch.randn((5, *firm.shape), generator=random, dtype=torch.float64) * firm
    return [planes[:3].movedim(0, 1), planes[3], planes[4]]


def gradients(outputs: Outputs, wanted: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    loss = sum((out.double() * want).sum() for out, want in zip(outputs, wanted, strict=True))
    assert isinstance(loss, Tensor)
    return [gradient.double() for gradient in torch.autograd.grad(loss, inputs)]


def assert_same_gradients(
    scene: Gaussians, views: Sequence[View], settings: RenderSettings = RenderSettings()
) -> None:
    """Within 1e-5 of the oracle's, relative, in the L2 norm, for each input."""
    inputs = tensors_of(scene, views)
    poses = inputs[4].detach().double().numpy()
    views = [
        dataclasses.replace(view, camera_from_photo=pose)
        for view, pose in zip(views, poses, strict=True)
    ]
    wanted = questions(scene, views, settings)
    exact = [each.detach().double().requires_grad_() for each in inputs]
    right = gradients(
        dense(exact[0], exact[1], exact[2], exact[3], exact[4], views, settings), wanted, exact
    )
    ours = gradients(drawn(inputs, views, settings), wanted, inputs)
    errors = {
        name: ((our - true).norm() / true.norm()).item()
        for name, our, true in zip(INPUTS, ours, right, strict=True)
    }
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.parametrize(
    "settings",
    [
        RenderSettings(),
        RenderSettings(eps2d=0.3, background=(0.2, 0.9, 0.1)),
        RenderSettings(max_alpha=0.9, near=2.0),
    ],
)
def test_gradients_are_those_of_the_oracle(settings: RenderSettings) -> None:
    assert_same_gradients(random_scene(250), odd_views(), settings)


def test_a_dense_scene_of_small_gaussians() -> None:
    assert_same_gradients(random_scene(400, seed=2, sizes_m=(0.02, 0.1)), odd_views(80, 66)[:1])


def test_gaussians_at_the_rim_and_behind_the_camera() -> None:
    around = random_scene(500, seed=3, depths_m=(-2.0, 2.0), sizes_m=(0.05, 0.4))
    assert_same_gradients(around, odd_views())


def test_gradients_are_the_slopes_of_the_oracle() -> None:
    scene, views = random_scene(6, seed=5, sizes_m=(0.2, 0.5)), odd_views(14, 9)
    settings = RenderSettings(background=(0.1, 0.5, 0.9))
    inputs = tensors_of(scene, views)
    wanted = questions(scene, views, settings)

    def loss(moved_by: float, which: int, way: Tensor) -> float:
        exact = [each.detach().double() for each in inputs]
        exact[which] = exact[which] + moved_by * way
        outputs = dense(exact[0], exact[1], exact[2], exact[3], exact[4], views, settings)
        return float(sum((out * want).sum() for out, want in zip(outputs, wanted, strict=True)))

    ours = gradients(drawn(inputs, views, settings), wanted, inputs)
    random = torch.Generator().manual_seed(2)
    for which, gradient in enumerate(ours):
        way = torch.randn(gradient.shape, generator=random, dtype=torch.float64) * 1e-6
        if INPUTS[which] == "poses":
            way[:, 3] = 0
        slope = (loss(1, which, way) - loss(-1, which, way)) / 2
        scale = float(gradient.norm() * way.norm())
        assert abs(float((gradient * way).sum()) - slope) < 1e-4 * scale, INPUTS[which]


def test_quaternions_and_scales_have_gradients_through_torch() -> None:
    random = np.random.default_rng(3)
    quats = random.standard_normal((20, 4)).astype(np.float32)
    scales = random.uniform(0.1, 0.4, (20, 3)).astype(np.float32)
    scene = random_scene(20, seed=6)
    shaped = Gaussians.from_quats_scales(scene.means, quats, scales, scene.colors, scene.opacities)
    leaves = [torch.from_numpy(each).requires_grad_() for each in (quats, scales)]
    covariances = covariances_from(*leaves)
    np.testing.assert_allclose(covariances.detach(), shaped.covariances, rtol=1e-4, atol=1e-6)
    means, _, colors, opacities, poses = tensors_of(scene, odd_views())
    wanted = questions(shaped, odd_views(), RenderSettings())
    inputs = [means, covariances, colors, opacities, poses]
    ours = gradients(drawn(inputs, odd_views()), wanted, leaves)
    exact = [each.detach().double().requires_grad_() for each in leaves]
    others = [each.detach().double() for each in inputs]
    outputs = dense(
        others[0],
        covariances_from(*exact),
        *(others[2], others[3], others[4]),
        odd_views(),
        RenderSettings(),
    )
    for our, true in zip(ours, gradients(outputs, wanted, exact), strict=True):
        assert (our - true).norm() < 2e-5 * true.norm()


def test_the_picture_is_the_renderers_once_encoded(cpu: CpuRenderer) -> None:
    scene, settings = random_scene(400), RenderSettings(background=(0.2, 0.9, 0.1), eps2d=0.1)
    rgb, depth, alpha = drawn(tensors_of(scene, odd_views()), odd_views(), settings)
    frame = cpu.render(cpu.prepare(scene), odd_views(), settings)
    np.testing.assert_allclose(srgb_from_linear(rgb).detach(), frame.rgb, atol=5e-5)
    np.testing.assert_allclose(depth.detach(), frame.depth, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alpha.detach(), frame.alpha, atol=1e-5)


def test_srgb_is_the_references_and_has_a_slope_everywhere_inside() -> None:
    linear = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64, requires_grad=True)
    encoded = srgb_from_linear(linear)
    np.testing.assert_allclose(encoded.detach(), reference_srgb(linear.detach().numpy()))
    (slope,) = torch.autograd.grad(encoded.sum(), linear)
    inside = (linear > 0) & (linear < 1)
    assert (slope[inside] > 0).all()
    assert torch.isfinite(slope).all()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    scene, views = random_scene(3000, seed=9), odd_views(150, 140)
    wanted = [torch.ones(2, 3, 140, 150), torch.ones(2, 140, 150), torch.ones(2, 140, 150)]
    results = []
    for threads in (1, 2, 5):
        inputs = tensors_of(scene, views)
        results.append(gradients(drawn(inputs, views, threads=threads), wanted, inputs))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_pull_may_be_repeated() -> None:
    pull = way_back(random_scene(2000, seed=12), odd_views(150, 140), RenderSettings(), 2)
    first = pull()
    for name, again in vars(pull()).items():
        np.testing.assert_array_equal(again, getattr(first, name))


def test_several_threads_may_train_at_once() -> None:
    views = odd_views()

    def step(seed: int) -> list[Tensor]:
        scene = random_scene(300, seed=seed)
        inputs = tensors_of(scene, views)
        return gradients(
            drawn(inputs, views, threads=2), questions(scene, views, RenderSettings()), inputs
        )

    alone = [step(seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(step, range(6)))
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_cannot_be_seen_has_no_gradient_and_nothing_is_nan() -> None:
    behind, faint = one_gaussian((0.0, 0.0, -2.0)), one_gaussian(opacity=0.0)
    broken, solid = one_gaussian((0.1, 0.0, 2.0)), one_gaussian((0.3, 0.1, 3.0), opacity=1.0)
    broken.covariances[0, 2] = np.nan
    huge, point = one_gaussian((0, 0, 5), 1e4, 0.2), one_gaussian((0.2, 0.2, 1.0), 1e-12)
    vast, beyond = one_gaussian((3e38, 0, 1), 1e19), one_gaussian((0.0, 0.0, 1e-3), 1e18)
    scene = many(one_gaussian(), solid, huge, behind, faint, broken, point, vast, beyond)
    inputs = tensors_of(scene, odd_views())
    rgb, depth, alpha = drawn(inputs, odd_views())
    torch.autograd.backward(rgb.square().sum() + depth.sum() + alpha.sum())
    for each in inputs:
        assert each.grad is not None
        assert torch.isfinite(each.grad).all()
        if len(each) == len(scene):
            assert each.grad[:3].abs().sum() > 0
            assert not each.grad[3:6].any()


@pytest.mark.parametrize("scene", [random_scene(0), one_gaussian((0.0, 0.0, -1.0))])
def test_nothing_to_see_is_the_background_with_zero_gradients(scene: Gaussians) -> None:
    inputs = tensors_of(scene, odd_views())
    rgb, depth, alpha = drawn(inputs, odd_views(), RenderSettings(background=(0.5, 0.0, 0.0)))
    assert (rgb[:, 0] == 0.5).all()
    assert not depth.any()
    torch.autograd.backward(rgb.sum() + depth.sum() + alpha.sum())
    assert all(each.grad is not None and not each.grad.any() for each in inputs)


def test_a_tile_may_hold_more_splats_than_16_bits_can_number() -> None:
    # The picture is linear in the colours: what it asks of them must give the picture back.
    crowd = random_scene(90_000, seed=4, sizes_m=(0.06, 0.12), opacities=(0.01, 0.1))
    view = dataclasses.replace(front_view(48), fx=16.0, fy=16.0)
    inputs = tensors_of(crowd, [view])
    rgb, depth, alpha = drawn(inputs, [view])
    wanted = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(0))
    none = torch.zeros_like(depth)
    gradient = gradients((rgb, depth, alpha), [wanted, none, none], inputs)[2]
    assert np.count_nonzero(gradient.any(1)) > 10_000
    back, there = (gradient * inputs[2].detach()).sum(), (rgb.detach().double() * wanted).sum()
    assert abs(back - there) < 1e-5 * rgb.detach().norm() * wanted.norm()


def test_an_order_of_ones_own_changes_nothing() -> None:
    scene, views = random_scene(500, seed=8), odd_views()
    means, covariances, colors, opacities, _ = tensors_of(scene, views)
    order = np.random.default_rng(0).permutation(500)
    results = []
    for chosen in (None, order):
        picture = rasterize(means, covariances, colors, opacities, views, order=chosen)
        (gradient,) = torch.autograd.grad(picture.rgb.square().sum(), means)
        results.append((picture.rgb.detach(), gradient))
    torch.testing.assert_close(results[0][0], results[1][0])
    assert (results[0][1] - results[1][1]).norm() < 1e-5 * results[0][1].norm()


def test_a_moved_pose_stays_rigid_and_a_camera_finds_back() -> None:
    scene, views = random_scene(200, seed=10), odd_views()
    means, covariances, colors, opacities, poses = (
        each.detach() for each in tensors_of(scene, views)
    )
    twist = torch.tensor([[0.01, -0.02, 0.01, 0.01, 0.02, -0.01]] * 2).requires_grad_()
    start = moved(poses, twist).detach()
    turn = start[:, :3, :3] @ start[:, :3, :3].mT
    torch.testing.assert_close(turn, torch.eye(3).expand(2, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved(poses, torch.zeros(2, 6)), poses)
    goal = rasterize(means, covariances, colors, opacities, views).rgb
    optimizer = torch.optim.Adam([twist], lr=2e-3)
    losses = []
    for _ in range(40):
        picture = rasterize(
            means, covariances, colors, opacities, views, camera_from_photo=moved(poses, twist)
        )
        loss = (picture.rgb - goal).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 10


def test_gaussians_learn_a_picture() -> None:
    view = front_view(48)
    x, y = torch.meshgrid(torch.linspace(0, 6, 48), torch.linspace(0, 6, 48), indexing="xy")
    goal = torch.stack([0.5 + 0.5 * x.sin(), 0.5 + 0.5 * y.cos(), 0.5 + 0.5 * (x + y).sin()])
    scene = random_scene(200, seed=11, sizes_m=(0.1, 0.3), opacities=(0.5, 0.8))
    means, covariances, colors, opacities, _ = tensors_of(scene, [view])
    rates = [(means, 0.02), (colors, 0.05), (opacities, 0.03)]
    optimizer = torch.optim.Adam([{"params": [each], "lr": rate} for each, rate in rates])
    losses = []
    for _ in range(60):
        picture = rasterize(means, covariances, colors, opacities.clamp(0, 1), [view])
        loss = (picture.rgb[0] - goal).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 10


def test_warming_up_compiles_there_and_back() -> None:
    warm_up()
    assert run_tiles.signatures  # type: ignore[attr-defined]
    assert run_chunks.signatures  # type: ignore[attr-defined]


def test_input_that_does_not_fit_is_refused_with_a_sentence() -> None:
    means, covariances, colors, opacities, poses = tensors_of(random_scene(5), odd_views())
    with pytest.raises(ValueError, match=r"covariances has shape \(5, 5\), wanted \(5, 6\)"):
        rasterize(means, covariances[:, :5], colors, opacities, odd_views())
    with pytest.raises(ValueError, match="no views"):
        rasterize(means, covariances, colors, opacities, [])
    with pytest.raises(ValueError, match=r"camera_from_photo has shape \(1, 4, 4\)"):
        rasterize(means, covariances, colors, opacities, odd_views(), camera_from_photo=poses[:1])
    with pytest.raises(ValueError, match="is on meta"):
        rasterize(means.to("meta"), covariances, colors, opacities, odd_views())
