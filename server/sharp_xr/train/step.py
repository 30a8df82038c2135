"""One batch, from pictures to loss terms: predict, draw both views, judge.

input --network--> Gaussians --draw--> input again, novel view --terms--> [B] each
          ^
   true depth, in training alone: brings predicted depth to its scale
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sharp_xr.model.sharp.composer import NdcGaussians
from sharp_xr.model.sharp.network import Parts
from sharp_xr.model.sharp.unprojection import unproject
from sharp_xr.perceptual import Features
from sharp_xr.render import View
from sharp_xr.render.differentiable import rasterize, srgb_from_linear
from sharp_xr.train.networks import Network
from sharp_xr.train.objective import Weights
from sharp_xr.train.objective import depth as depth_terms
from sharp_xr.train.objective import gaussians as gaussian_terms
from sharp_xr.train.objective import image as image_terms
from sharp_xr.train.objective.perceptual import cached, perceptual
from sharp_xr.train.samples import Batch


@dataclass(frozen=True)
class Drawn:
    """Input view and novel view, as the prediction has them."""

    rgb: Tensor
    """[B, 2, 3, H, W] sRGB."""
    depth: Tensor
    """[B, 2, H, W] metres, 0 where nothing is."""
    alpha: Tensor
    """[B, 2, H, W]."""


@dataclass(frozen=True)
class Manner:
    """How a step computes."""

    weights: Weights = Weights()
    gram: bool = True
    """With the Gram terms of the perceptual loss."""
    adjustment: bool = True
    """Depth is aligned with the truth before it becomes Gaussians."""
    own_view: float = 1.0
    """What the photo's own view counts in the colour term, the novel view 1."""
    bf16: bool = False
    """The network in bfloat16; drawing and losses stay in float32."""
    surgery: bool = True
    """The perceptual network's gradient is kept in place of its graph."""


class Step(nn.Module):
    """A module, so that several processes can share a batch (DistributedDataParallel)."""

    def __init__(self, network: Network, manner: Manner, features: Features | None) -> None:
        """``features`` may be None if the perceptual term weighs nothing."""
        super().__init__()
        assert features is not None or not manner.weights.perceptual
        self.network = network
        self.manner = manner
        # In a tuple, so that it is no submodule: it is not trained, saved or shared.
        self._features = (features,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The terms that weigh something, [B] each."""
        true = batch.depth[:, :1] if self.manner.adjustment else None
        with torch.autocast(batch.rgb.device.type, torch.bfloat16, enabled=self.manner.bf16):
            parts = self.network.parts(batch.rgb[:, 0], batch.focal_over_width, true)
        drawn = draw(parts.gaussians, self.network.half_view(*batch.size), batch)
        return self._terms(parts, drawn, batch)

    def _terms(self, parts: Parts, drawn: Drawn, batch: Batch) -> dict[str, Tensor]:
        weights = self.manner.weights
        mask = novel_mask(batch)
        terms: dict[str, Tensor] = {}
        if weights.color:
            own = image_terms.color(drawn.rgb[:, 0], batch.rgb[:, 0])
            novel = image_terms.color(drawn.rgb[:, 1], batch.rgb[:, 1], mask)
            terms["color"] = self.manner.own_view * own + novel
        if weights.alpha:
            terms["alpha"] = image_terms.coverage(drawn.alpha[:, 0])
            terms["alpha"] = terms["alpha"] + image_terms.coverage(drawn.alpha[:, 1], mask)
        if weights.perceptual:
            terms["perceptual"] = self._perceptual(drawn.rgb[:, 1], batch.rgb[:, 1], mask)
        if weights.depth:
            terms["depth"] = depth_terms.disparity_error(parts.depth, batch.depth[:, :1])
        if weights.tv:
            terms["tv"] = depth_terms.second_layer_tv(parts.depth)
        if weights.grad:
            terms["grad"] = gaussian_terms.floaters(
                parts.gaussians.opacities, parts.base.inverse_depth
            )
        if weights.delta:
            terms["delta"] = gaussian_terms.offset_hinge(parts.delta)
        if weights.splat:
            variances = gaussian_terms.screen_variances(parts.gaussians, batch.size[1])
            terms["splat"] = gaussian_terms.splat_hinge(variances)
        if parts.scale is not None:
            if weights.scale:
                terms["scale"] = depth_terms.scale_error(parts.scale)
            if weights.grad_scale:
                terms["grad_scale"] = depth_terms.scale_roughness(parts.scale)
        return terms

    def _perceptual(self, drawn: Tensor, true: Tensor, mask: Tensor) -> Tensor:
        (features,) = self._features
        assert features is not None
        # Where the mask says no, both pictures are the true one: no edge, no difference.
        seen = torch.where(mask[:, None] > 0, drawn, true)

        def loss(picture: Tensor) -> Tensor:
            return perceptual(features, picture, true, gram=self.manner.gram)

        return cached(loss, seen) if self.manner.surgery else loss(seen)


def draw(gaussians: NdcGaussians, half_view: tuple[float, float], batch: Batch) -> Drawn:
    """What a batch's two views see of its pictures' Gaussians.

    Args:
        gaussians: in the network's normalised space.
        half_view: pixels of one unit of NDC along x and y.
        batch: lenses and poses.
    """
    frames = []
    for index in range(len(batch)):
        fx, fy = (float(f) for f in batch.lenses[index, 0, :2])
        one = NdcGaussians(*(tensor[index : index + 1] for tensor in vars(gaussians).values()))
        means, covariances = unproject(one, 2 * half_view[0] / fx, 2 * half_view[1] / fy, 1.0)
        frames.append(
            rasterize(
                means[0].float(),
                covariances[0].float(),
                one.colors[0].float(),
                one.opacities[0].float(),
                views_of(batch, index),
            )
        )
    rgb, depth, alpha = zip(*((f.rgb, f.depth, f.alpha) for f in frames), strict=True)
    return Drawn(srgb_from_linear(torch.stack(rgb)), torch.stack(depth), torch.stack(alpha))


def views_of(batch: Batch, index: int) -> list[View]:
    """The cameras of one of its pictures: input, novel."""
    height, width = batch.size
    poses = np.eye(4), batch.novel_from_input[index].cpu().numpy()
    lenses = batch.lenses[index].cpu().tolist()
    return [
        View(pose, fx, fy, cx, cy, width, height)
        for pose, (fx, fy, cx, cy) in zip(poses, lenses, strict=True)
    ]


def novel_mask(batch: Batch) -> Tensor:
    """[B, H, W] 1 where the novel view shows what the input saw, or could have by a little."""
    height, width = batch.size
    size = torch.tensor([[width, height]], device=batch.rgb.device).expand(len(batch), 2)
    input_from_novel = torch.linalg.inv(batch.novel_from_input)
    return image_terms.frustum_mask(
        batch.depth[:, 1], batch.lenses[:, 1], batch.lenses[:, 0], input_from_novel, size
    )
