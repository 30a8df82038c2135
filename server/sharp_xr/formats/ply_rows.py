"""Gaussians to the numbers of a PLY vertex: sRGB, logits and logarithms, a million at a time.

What costs are the logarithms: eight for each Gaussian. They are done for 256 Gaussians side by side
from polynomials in float32, exact to the last digit or two, which the compiler turns into vector
instructions wherever it runs. The standard library's would be taken one by one.

Compiled on first use, cached on disk; holds no GIL, so that frames go on while a scene is stored.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
f32, i32 = np.float32, np.int32

_LANES = 256
"""Gaussians side by side, each of their numbers in its own row."""
_LARGEST = np.finfo(np.float32).max
_LEAST_OPACITY, _MOST_OPACITY = f32(1e-6), f32(1 - 1e-6)
"""Opacities keep this far from 0 and 1, whose logits are infinite."""
_LEAST_SCALE = f32(1e-9)
"""Metres. Flat Gaussians are written this thick: the logarithm of 0 is infinite."""

_SH = math.sqrt(1 / (4 * math.pi))
"""The constant spherical harmonic: f_dc = (sRGB - 1/2) / _SH."""
_LINEAR_UP_TO = f32(0.0031308)
_LINEAR_SLOPE, _LINEAR_OFFSET = f32(12.92 / _SH), f32(-0.5 / _SH)
_CURVE_SLOPE, _CURVE_OFFSET = f32(1.055 / _SH), f32(-0.555 / _SH)
"""Of the two pieces of sRGB (IEC 61966-2-1), f_dc's offset and factor included."""
_GAMMA = f32(1 / (2.4 * 0.6931471805599453))
"""x^(1/2.4) = 2^(_GAMMA ln x)."""

_SQRT_HALF, _MANTISSA_BITS = 0x3F3504F3, 23
"""The bits of the float32 sqrt(1/2), and how many of them lie below the exponent."""
_LN2 = f32(0.6931471805599453)
_LOG = tuple(
    f32(c)
    for c in (
        *(-0.08101626231355857, 0.12712412800751266, -0.12972259272093614, 0.14202162781633884),
        *(-0.1664224527084472, 0.20001468869675837, -0.2500029658819878, 0.33333328595569783),
    )
)
"""(ln(1 + f) - f + f^2 / 2) / f^3 for 1 + f in sqrt(1/2)..sqrt(2), highest power first."""
_EXP2 = tuple(
    f32(c)
    for c in (
        *(0.00015469736167802154, 0.001340043694460743, 0.009618025589851871),
        *(0.05550327202261387, 0.24022651213693555, 0.69314720671622, 1.0),
    )
)
"""2^f for f in -1/2..1/2, highest power first."""
_ROUNDER = f32(12582912.0)
"""1.5 2^23: a sum with it has the other number, rounded to an integer, in its low bits."""

_kernel = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
_inlined = numba.njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True
)


@_kernel
def fill_rows(
    means: Float32,
    colors: Float32,
    opacities: Float32,
    quats: Float32,
    scales: Float32,
    rows: Float32,
) -> None:
    """[N, 14]: x y z, f_dc_0..2, opacity, scale_0..2, rot_0..3. NaN and infinity stay themselves.

    Args:
        means: [N, 3] metres.
        colors: [N, 3] linear RGB; what is below 0 becomes 0.
        opacities: [N] 0 to 1.
        quats: [N, 4] (w, x, y, z).
        scales: [N, 3] metres.
        rows: [N, 14], written.
    """
    lanes = np.ones((7, _LANES), np.float32)
    for start in range(0, len(rows), _LANES):
        end = min(start + _LANES, len(rows))
        for n in range(start, end):
            for k in range(3):
                lanes[k, n - start] = colors[n, k]
                lanes[4 + k, n - start] = scales[n, k]
            lanes[3, n - start] = opacities[n]
        _encode_lanes(lanes)
        _fill(means[start:end], lanes, quats[start:end], rows[start:end])


@_kernel
def _fill(means: Float32, lanes: Float32, quats: Float32, rows: Float32) -> None:
    for n in range(len(rows)):
        for k in range(3):
            rows[n, k] = means[n, k]
        for k in range(7):
            rows[n, 3 + k] = lanes[k, n]
        for k in range(4):
            rows[n, 10 + k] = quats[n, k]


@_kernel
def _encode_lanes(lanes: Float32) -> None:
    """[7, _LANES]: colours, opacity and scales become what the file holds."""
    for k in range(3):
        for i in range(_LANES):
            lanes[k, i] = _f_dc(lanes[k, i])
    for i in range(_LANES):
        lanes[3, i] = _logit(lanes[3, i])
    for k in range(4, 7):
        for i in range(_LANES):
            scale = lanes[k, i]
            lanes[k, i] = _log(_LEAST_SCALE if scale < _LEAST_SCALE else scale)


@_inlined
def _f_dc(linear: np.float32) -> np.float32:
    """Of a colour in linear light."""
    curve = _exp2(_GAMMA * _log(linear if linear > _LINEAR_UP_TO else _LINEAR_UP_TO))
    line = linear if linear > f32(0) else f32(0)
    bent = _CURVE_SLOPE * curve + _CURVE_OFFSET
    straight = _LINEAR_SLOPE * line + _LINEAR_OFFSET
    value = straight if linear <= _LINEAR_UP_TO else bent
    return value if linear <= _LARGEST else linear


@_inlined
def _logit(opacity: np.float32) -> np.float32:
    opacity = _LEAST_OPACITY if opacity < _LEAST_OPACITY else opacity
    opacity = _MOST_OPACITY if opacity > _MOST_OPACITY else opacity
    return _log(opacity / (f32(1) - opacity))


@_inlined
def _log(x: np.float32) -> np.float32:
    """Natural; x is a normal number above 0. Infinity and NaN are returned."""
    bits = f32(x).view(i32)
    exponent = i32(i32(bits - i32(_SQRT_HALF)) >> i32(_MANTISSA_BITS))
    f = i32(bits - i32(exponent << i32(_MANTISSA_BITS))).view(f32) - f32(1)
    squared = f * f
    small = f * squared * _horner(_LOG, f) - f32(0.5) * squared
    return f32(exponent) * _LN2 + (f + small) if x <= _LARGEST else x


@_inlined
def _exp2(x: np.float32) -> np.float32:
    """x is between -126 and 127."""
    shifted = f32(x + _ROUNDER)
    f = x - (shifted - _ROUNDER)
    exponent = i32(shifted.view(i32) << i32(_MANTISSA_BITS))
    return i32(f32(_horner(_EXP2, f)).view(i32) + exponent).view(f32)


@_inlined
def _horner(coefficients: tuple[np.float32, ...], x: np.float32) -> np.float32:
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
