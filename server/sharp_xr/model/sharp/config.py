"""Sizes of a SHARP network: the released one, a tiny one for tests, and what a checkpoint says.

Not every size is a field: some follow from others in the whole family (a tile is 24 x 24 patches
in a picture of 4 x 4 tiles, so its overlaps are 3 and 6 tokens), and those are properties here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sharp_xr.model import ModelError

LAYERS = 2
"""Gaussians per cell: what is visible, and what is behind it."""
ATTRIBUTES = 14
"""Numbers of a Gaussian that the network corrects (apple/ml-sharp, ``models/heads.py``)."""
GEOMETRY = 3
"""The first three of them, x, y and 1/z, which come from the geometry features."""
PATCH_PX = 16
"""Side of a ViT's patch: five doublings, and a Gaussian for 2 x 2 pixels, allow no other."""
HEAD_DIM = 64
"""Of the attention of every published ViT of this family."""


@dataclass(frozen=True)
class SharpConfig:
    """Sizes of one network; the defaults are the released checkpoint's (702,305,169 numbers)."""

    vit_width: int = 1024
    vit_depth: int = 24
    vit_heads: int = 16
    vit_mlp: int = 4096
    vit_classes: int = 21841
    """Of the classifiers that the checkpoint carries along; nothing evaluates them."""
    hooks: tuple[int, int] = (5, 11)
    """Blocks of the patch encoder, from 0, whose outputs are the two finest features."""
    grid: int = 24
    """Patches along a tile's side; a multiple of 8, so that the overlaps are whole tokens."""
    encoder_dims: tuple[int, int, int, int, int] = (256, 256, 512, 1024, 1024)
    """Channels of the encoder's features e0 (finest) to e4."""
    depth_dim: int = 256
    """Channels of the depth decoder."""
    depth_head_dims: tuple[int, int] = (128, 32)
    gaussian_dim: int = 128
    """Channels of the Gaussian decoder."""
    gaussian_hidden: int = 64
    """Inside the residual blocks of its heads."""
    gaussian_features: int = 32
    """Channels that the heads hand to the prediction."""
    gaussian_groups: int = 8
    alignment_dims: tuple[int, int, int, int, int] = (16, 32, 64, 128, 256)
    """Widths of the U-Net that training aligns depth with."""
    alignment_groups: int = 4

    def __post_init__(self) -> None:
        if self.grid % 8 or self.vit_width % self.vit_heads:
            raise ModelError(
                f"a SHARP network of {self.grid} patches per tile and {self.vit_heads} heads for "
                f"{self.vit_width} channels cannot be, wanted a multiple of 8 and a divisor"
            )
        if not 0 <= self.hooks[0] < self.hooks[1] < self.vit_depth:
            raise ModelError(f"hooks {self.hooks} are not rising and below {self.vit_depth}")

    @property
    def tile_px(self) -> int:
        """Side of a tile, the ViTs' input: 384."""
        return PATCH_PX * self.grid

    @property
    def side_px(self) -> int:
        """Side of the network's input, a square: 1536."""
        return 4 * self.tile_px

    @property
    def cells(self) -> int:
        """Side of the grid of Gaussians: 768."""
        return self.side_px // 2

    @property
    def tokens(self) -> int:
        """Of a tile, the class token included: 577."""
        return self.grid * self.grid + 1


SHARP = SharpConfig()
"""The released checkpoint."""

TINY = SharpConfig(
    vit_width=64,
    vit_depth=4,
    vit_heads=1,
    vit_mlp=96,
    vit_classes=10,
    hooks=(0, 1),
    grid=8,
    encoder_dims=(16, 16, 24, 32, 32),
    depth_dim=16,
    depth_head_dims=(16, 8),
    gaussian_dim=24,
    gaussian_hidden=16,
    gaussian_features=8,
    alignment_dims=(8, 8, 16, 16, 16),
)
"""The same code paths in well under a second."""


def config_of(shapes: Mapping[str, Sequence[int]]) -> SharpConfig:
    """The sizes that a state dict's shapes tell.

    What no shape tells is taken from the family: heads of 64 channels, hooks after a quarter and
    a half of the blocks.

    Args:
        shapes: each key's shape.

    Raises:
        ModelError: keys that sizes are read from are missing, or sizes that cannot be.
    """
    read = _Shapes(shapes)
    vit = "monodepth_model.monodepth_predictor.encoder.patch_encoder"
    encoder = "monodepth_model.monodepth_predictor.encoder"
    width = read(f"{vit}.cls_token")[2]
    patch = read(f"{vit}.patch_embed.proj.weight")[2]
    if patch != PATCH_PX:
        raise ModelError(f"these weights cut patches of {patch} px, wanted {PATCH_PX}")
    depth = read.blocks(vit)
    grid = round((read(f"{vit}.pos_embed")[1] - 1) ** 0.5)
    e0, e1 = (read(f"{encoder}.upsample_latent{i}.0.weight")[0] for i in (0, 1))
    e2, e3 = (read(f"{encoder}.upsample{i}.0.weight")[0] for i in (0, 1))
    alignment = "depth_alignment.scale_map_estimator.encoder"
    down = [read(f"{alignment}.convs_down.{i}.1.residual.5.weight")[0] for i in range(4)]
    return SharpConfig(
        vit_width=width,
        vit_depth=depth,
        vit_heads=max(1, width // HEAD_DIM),
        vit_mlp=read(f"{vit}.blocks.0.mlp.fc1.weight")[0],
        vit_classes=read(f"{vit}.head.weight")[0],
        hooks=(depth // 4 - 1, depth // 2 - 1),
        grid=grid,
        encoder_dims=(e0, e1, e2, e3, read(f"{encoder}.fuse_lowres.weight")[0]),
        depth_dim=read("monodepth_model.monodepth_predictor.head.0.weight")[1],
        depth_head_dims=(
            read("monodepth_model.monodepth_predictor.head.0.weight")[0],
            read("monodepth_model.monodepth_predictor.head.2.weight")[0],
        ),
        gaussian_dim=read("feature_model.image_encoder.conv.weight")[0],
        gaussian_hidden=read("feature_model.texture_head.0.residual.2.weight")[0],
        gaussian_features=read("feature_model.texture_head.3.weight")[0],
        alignment_dims=(read(f"{alignment}.conv_in.0.weight")[0], *down),  # type: ignore[arg-type]
    )


class _Shapes:
    """Reads shapes, and says which key is missing."""

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        self._shapes = shapes

    def __call__(self, key: str) -> Sequence[int]:
        shape = self._shapes.get(key)
        if shape is None or len(shape) < 1:
            raise ModelError(f"these are no weights of a SHARP network: there is no {key}")
        # Scalars or vectors where matrices are wanted: the strict load would say so, too late.
        return [*shape, 1, 1, 1][: max(len(shape), 4)]

    def blocks(self, vit: str) -> int:
        """How many transformer blocks there are."""
        pattern = re.compile(re.escape(vit) + r"\.blocks\.(\d+)\.norm1\.weight")
        found = [int(match[1]) for key in self._shapes if (match := pattern.fullmatch(key))]
        return max(found, default=-1) + 1


def with_hooks(config: SharpConfig, hooks: tuple[int, int], heads: int) -> SharpConfig:
    """The same sizes with what no shape tells."""
    return replace(config, hooks=hooks, vit_heads=heads)
