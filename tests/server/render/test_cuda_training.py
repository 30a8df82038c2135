"""Training's picture by gsplat's interface: the same as the CPU's, and so are the gradients."""

from __future__ import annotations

from typing import Any

import torch
from tests.server.render.dense import dense
from tests.server.render.scenes import odd_views, random_scene
from torch import Tensor

from sharp_xr.render import RenderSettings
from sharp_xr.render.cuda_training import FULL, rasterize_on_gpu
from sharp_xr.render.differentiable import rasterize


def test_gsplat_s_interface_gives_the_cpu_s_picture_and_gradients() -> None:
    views = odd_views(24, 16)
    scene = random_scene(20, seed=2)
    settings = RenderSettings(background=(0.2, 0.1, 0.0))

    def stand_in(**call: Any) -> tuple[Tensor, Tensor, None]:
        """gsplat's shapes around the dense oracle."""
        assert call["render_mode"] == "RGB+ED" and call["quats"] is None
        six = torch.stack([call["covars"][:, i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1))], 1)
        six = torch.cat([six, call["covars"][:, 1:, 2]], 1)
        means, six, colors, opacities, poses = (
            t.double()
            for t in (call["means"], six, call["colors"], call["opacities"], call["viewmats"])
        )
        rgb, depth, alpha = dense(means, six, colors, opacities, poses, views, settings)
        picture = torch.cat([rgb.movedim(1, 3), depth[..., None]], -1).float()
        return picture, alpha[..., None].float(), None

    def outcome(on_gpu: bool) -> list[Tensor]:
        arrays = (scene.means, scene.covariances, scene.colors, scene.opacities)
        inputs = [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]
        means, covariances, colors, opacities = inputs
        if on_gpu:
            outputs = rasterize_on_gpu(
                *(means, covariances, colors, opacities, views, settings),
                rasterization=stand_in,
            )
        else:
            drawn = rasterize(means, covariances, colors, opacities, views, settings)
            outputs = drawn.rgb, drawn.depth, drawn.alpha
        random = torch.Generator().manual_seed(3)
        asked = [torch.randn(out.shape, generator=random) for out in outputs]
        loss = sum(
            ((out * ask).sum() for out, ask in zip(outputs, asked, strict=True)), torch.zeros(())
        )
        return [*(out.detach() for out in outputs), *torch.autograd.grad(loss, inputs)]

    for gpu, cpu in zip(outcome(True), outcome(False), strict=True):
        torch.testing.assert_close(gpu, cpu, rtol=2e-3, atol=2e-4 * float(cpu.abs().max()))


def test_six_numbers_are_a_symmetric_matrix() -> None:
    matrix = torch.arange(6.0)[torch.tensor(FULL)]
    assert torch.equal(matrix, matrix.mT) and matrix.diagonal().tolist() == [0, 3, 5]
