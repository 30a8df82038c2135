"""The decoder: features of five scales become one map at the finest (section 3).

    e4 --3x3--> fusion --x2--> fusion(+ e3) --x2--> fusion(+ e2) --x2--> fusion(+ e1) --x2-->
    fusion(+ e0) --> [B, C, S/2, S/2]

After RefineNet (Lin et al. 2017) and DPT (Ranftl et al. 2021). Two of it work here: one for depth,
one for the Gaussians.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MultiresDecoder(nn.Module):
    """See the module. Names are the checkpoint's."""

    def __init__(self, encoder_dims: Sequence[int], dim: int) -> None:
        super().__init__()
        finest = nn.Conv2d(encoder_dims[0], dim, 1, bias=False)
        self.convs = nn.ModuleList(
            [finest if encoder_dims[0] != dim else nn.Identity()]
            + [nn.Conv2d(width, dim, 3, padding=1, bias=False) for width in encoder_dims[1:]]
        )
        self.fusions = nn.ModuleList(Fusion(dim, double=level > 0) for level in range(5))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """e0 ... e4 -> [B, C, S/2, S/2]."""
        x: Tensor = self.fusions[4](self.convs[4](features[4]))
        for level in (3, 2, 1, 0):
            x = self.fusions[level](x, self.convs[level](features[level]))
        return x


class Fusion(nn.Module):
    """Adds a skip connection, refines, doubles the size (section 3.1)."""

    def __init__(self, dim: int, *, double: bool) -> None:
        super().__init__()
        self.resnet1 = ResidualUnit(dim)
        self.resnet2 = ResidualUnit(dim)
        self.deconv = (
            nn.ConvTranspose2d(dim, dim, 2, stride=2, bias=False) if double else nn.Identity()
        )
        self.out_conv = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """[B, C, h, w] -> the same, or twice as high and wide."""
        if skip is not None:
            x = x + self.resnet1(skip)
        result: Tensor = self.out_conv(self.deconv(self.resnet2(x)))
        return result


class ResidualUnit(nn.Module):
    """``u + conv(relu(conv(relu(u))))``, 3 x 3 each."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(dim, dim, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(dim, dim, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same."""
        result: Tensor = x + self.residual(x)
        return result
