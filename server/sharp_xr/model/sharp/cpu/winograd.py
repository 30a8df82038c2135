"""3 x 3 convolutions with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

Four neighbours of a row that is convolved with three weights are coefficients of a product of
polynomials, and a polynomial of degree 5 is known from its values at six points (infinity, its
leading coefficient, is one): 6 multiplications instead of 12. In both directions, for a tile of
4 x 4 pixels, which depends on a patch d of 6 x 6, and for weights g:

    tile = A^T [ (G g G^T) * (B^T d B) ] A       36 products instead of 144

The sum over input channels stays between the brackets: for each of the 36 points one product of
matrices [tiles, Cin] [Cin, Cout]. The rest is additions, but on 2.25 times as much data: it pays
only while that stays in cache, so some 56 tiles at a time go through all three steps
(winograd_kernels.py).

What it costs is accuracy: RMS of the error over that of the result, in millionths, for random input
of 256 channels (maps of a network, which are smoother, come to half of that or less):

    directly in float32                                     0.2
    points 0, +-1, +-2 (the usual), one sum over channels   3
    points 0, +-5/8, +-3/2, one sum over channels           1.4
    the same, a sum of sums over 64 channels: this file     0.8

F(2 x 2, 3 x 3) reaches 0.4, but saves a factor of 2.25, not 4; F(6 x 6, 3 x 3) is at 5.

Lavin & Gray 2015 (arXiv:1509.09308); how to choose points: Barabasz et al. 2018 (arXiv:1803.10986).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sharp_xr.model.kernels import over_rows
from sharp_xr.model.sharp.cpu.winograd_kernels import (
    COLUMNS,
    FAR,
    LANES,
    NEAR,
    POINTS,
    ROWS,
    TILE,
    convolve_tiles,
)

TILES_AT_ONCE = 56
"""Of a thread. With 256 channels, what lies between the steps is 2.3 MB: just outside of the second
cache. From 14 to 112 the time hardly changes, but half as many fetch the weights twice as often."""


class WinogradConvolution:
    """A 3 x 3 convolution of stride 1, padded with one row of zeros, in float32 on the CPU.

    Three times as fast as oneDNN's. Deterministic, and the same for any number of threads. An
    infinity or NaN in the input makes NaN of all tiles whose patch it is in. Beside the result it
    needs 2.5 MB per thread (256 channels; 8.5 MB for 1024), and four times the memory of the
    weights for as long as it lives.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """``weight`` [Cout, Cin, 3, 3], ``bias`` [Cout]. Takes 15 ms for 256 x 256 channels."""
        assert weight.ndim == 4 and weight.shape[2:] == (3, 3), weight.shape
        self._out = weight.shape[0]
        self._in = weight.shape[1]
        self._weights = transformed_weights(weight)
        bias = weight.new_zeros(self._out) if bias is None else bias
        assert bias.shape == (self._out,), bias.shape
        self._bias = bias.detach().float().contiguous()

    def __call__(
        self,
        x: Tensor,
        *,
        relu_input: bool = False,
        relu_output: bool = False,
        add: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """``relu_output(convolution(relu_input(x)) + bias + add)``.

        Args:
            x: [h, w, Cin], contiguous, float32.
            relu_input: put a ReLU before; x itself stays as it is.
            relu_output: put a ReLU behind all.
            add: [h, w, Cout], as x; may be ``out``.
            out: [h, w, Cout] for the result, as x; must not be x.
        """
        height, width, _ = x.shape
        out = x.new_empty(height, width, self._out) if out is None else out
        assert_map(x, (height, width, self._in))
        assert_map(out, (height, width, self._out))
        assert not overlap(x, out), "tiles are read after their neighbours were written"
        if add is None:
            add = x.new_empty(0, 0, 0)  # all of its pixels are outside
        else:
            assert_map(add, (height, width, self._out))
            assert add.data_ptr() == out.data_ptr() or not overlap(add, out)
        self._convolve(x, add, out, (relu_input, relu_output))
        return out

    def _convolve(self, x: Tensor, add: Tensor, out: Tensor, relu: tuple[bool, bool]) -> None:
        source, added, target, bias, weights = (
            tensor.detach().numpy() for tensor in (x, add, out, self._bias, self._weights)
        )
        low_in, low_out = (0.0 if here else -math.inf for here in relu)
        ranges = tile_ranges(x.shape[0], x.shape[1])
        # One iterator for all: a thread whose core is slow, or busy elsewhere, takes fewer.
        remaining = iter(ranges)

        def work(_first: int, _end: int) -> None:
            v, m = (
                torch.empty(POINTS * TILES_AT_ONCE * depth).numpy()
                for depth in (weights.shape[2], COLUMNS)
            )
            pads = torch.zeros(2, max(self._in, self._out)).numpy()
            for first, end in remaining:
                convolve_tiles(
                    source, added, target, bias, weights, (v, m), pads, first, end, low_in, low_out
                )

        over_rows(min(len(ranges), torch.get_num_threads()), work)


def tile_ranges(height: int, width: int) -> list[tuple[int, int]]:
    """All tiles of a map, in pieces of at most TILES_AT_ONCE, and of whole groups but for the last.

    The pieces are as equal as can be, and a multiple of the number of threads where they are few.
    """
    tiles = -(-height // TILE) * -(-width // TILE)
    groups = -(-tiles // ROWS)
    threads = torch.get_num_threads()
    pieces = -(-groups // (TILES_AT_ONCE // ROWS))
    pieces = min(groups, -(-pieces // threads) * threads)
    cuts = [groups * piece // pieces * ROWS for piece in range(pieces)]
    return list(zip(cuts, [*cuts[1:], tiles], strict=True))


def transformed_weights(weight: Tensor) -> Tensor:
    """[Cout, Cin, 3, 3] -> G g G^T as the kernels want it, [Cout / COLUMNS, 36, Cin, COLUMNS].

    Computed in float64. Channels that fill up a vector have weights of zero.
    """
    cout, cin = weight.shape[:2]
    blocks, depth = -(-cout // COLUMNS), -(-cin // LANES) * LANES
    result = torch.zeros(blocks, POINTS, depth, COLUMNS)
    both_ways = torch.kron(weights_to_points(), weights_to_points())  # [36, 9]
    for block, part in zip(result, torch.split(weight.detach(), COLUMNS), strict=True):
        values = part.double().flatten(2) @ both_ways.T  # [COLUMNS, Cin, 36]
        block[:, :cin, : part.shape[0]] = values.permute(2, 1, 0)
    return result


def weights_to_points() -> Tensor:
    """G [6, 3]: three weights -> their polynomial at the points, over Lagrange's denominators."""
    points = [0.0, NEAR, -NEAR, FAR, -FAR]
    rows = []
    for point in points:
        denominator = math.prod(point - other for other in points if other != point)
        rows.append([point**power / denominator for power in range(3)])
    return torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float64)


def assert_map(x: Tensor, shape: tuple[int, ...]) -> None:
    assert x.shape == shape, f"{tuple(x.shape)} came, {shape} was wanted"
    assert x.dtype == torch.float32 and x.is_contiguous(), (x.dtype, x.stride())


def overlap(a: Tensor, b: Tensor) -> bool:
    """Whether two contiguous tensors share memory."""
    ends = [(t.data_ptr(), t.data_ptr() + t.numel() * t.element_size()) for t in (a, b)]
    (first, first_end), (second, second_end) = ends
    return first < second_end and second < first_end
