"""The one currency between all parts of the server: a cloud of 3D Gaussians.

Axes are the photo's: OpenCV (x right, y down, z forward), metres, the photo's camera at the origin.
Shape is held as covariances, never as quaternions and scales: that is what a predictor computes and
a renderer wants; :func:`decompose` serves the file formats that want the other form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.rotation import rotation_rows

Float32 = NDArray[np.float32]

COVARIANCE_ENTRIES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""(row, column) of the six stored numbers of a symmetric 3 x 3 matrix (gsplat's order)."""


@dataclass(frozen=True)
class Gaussians:
    """N Gaussians, C-contiguous float32. Made through the constructor, which checks the shapes.

    Raises:
        ValueError: shapes that do not fit each other.
    """

    means: Float32
    """[N, 3] metres."""
    covariances: Float32
    """[N, 6] square metres, the upper triangle: xx, xy, xz, yy, yz, zz."""
    colors: Float32
    """[N, 3] linear RGB, 1 is white."""
    opacities: Float32
    """[N] 0 to 1."""

    def __post_init__(self) -> None:
        count = len(self.means)
        wanted = {
            "means": (count, 3),
            "covariances": (count, 6),
            "colors": (count, 3),
            "opacities": (count,),
        }
        for name, shape in wanted.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, wanted {shape}")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.means)

    @staticmethod
    def from_quats_scales(
        means: Float32, quats: Float32, scales: Float32, colors: Float32, opacities: Float32
    ) -> Gaussians:
        """From quaternions [N, 4] (w, x, y, z; any norm but 0) and deviations [N, 3] in metres.

        Covariance = R diag(s)^2 R^T (Kerbl et al. 2023, equation 6).
        """
        factor = rotation_matrices(quats) * np.asarray(scales, np.float32)[:, None, :]  # [N, 3, 3]
        covariances = np.stack(
            [np.einsum("nk,nk->n", factor[:, i], factor[:, j]) for i, j in COVARIANCE_ENTRIES],
            axis=1,
        )
        return Gaussians(means, covariances, colors, opacities)

    def finite(self) -> tuple[Gaussians, int]:
        """Without the Gaussians that hold a NaN or an infinity, and how many those were."""
        keep = (
            np.isfinite(self.means).all(1)
            & np.isfinite(self.covariances).all(1)
            & np.isfinite(self.colors).all(1)
            & np.isfinite(self.opacities)
        )
        dropped = int(len(keep) - np.count_nonzero(keep))
        if not dropped:
            return self, 0
        return self[keep], dropped

    def refocused(self, ratio: float) -> Gaussians:
        """As if the photo's focal length were ``ratio`` times what it was taken for.

        Exact for SHARP, whose network never sees it: depth goes with the focal length, and what a
        pixel is wide at that depth is f / f' of it, so that x and y stay.
        Hence means' = D means and covariances' = D covariances D with D = diag(1, 1, ratio).
        """
        factor = np.float32(ratio)
        along = np.array([1, 1, factor], np.float32)
        twice = np.array([1, 1, factor, 1, factor, factor * factor], np.float32)
        return Gaussians(self.means * along, self.covariances * twice, self.colors, self.opacities)

    def depth_quantile(self, share: float) -> float | None:
        """The depth in metres that this share of what is before the photo's camera is nearer than;
        None if nothing is there."""
        depths = self.means[:, 2]
        depths = depths[depths > 0]
        return float(np.quantile(depths, share)) if len(depths) else None

    def __getitem__(self, index: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Gaussians:
        """The Gaussians that a mask, an index array or a slice chooses."""
        return Gaussians(
            self.means[index], self.covariances[index], self.colors[index], self.opacities[index]
        )


def decompose(covariances: Float32) -> tuple[Float32, Float32]:
    """Covariances as rotations and lengths, for file formats: the inverse of ``from_quats_scales``.

    Some 20 ms a million, without the GIL. Signs and order are canonical (SHARP's own are not):
    lengths fall, and of the four rotations that differ by signs of axes the least one is taken, so
    that w >= 1/2. A covariance that is zero or a multiple of the unit matrix has the unit rotation;
    one with a NaN or an infinity has it too, and lengths of NaN.

    Args:
        covariances: [N, 6] as in :class:`Gaussians`, positive semi-definite up to rounding.

    Returns:
        Unit quaternions [N, 4] (w, x, y, z) and standard deviations [N, 3] in metres.
    """
    # Numba takes half a second to import; who stores nothing does not wait for it.
    from sharp_xr.eigen import decompose_into

    covariances = np.ascontiguousarray(covariances, np.float32)
    if covariances.ndim != 2 or covariances.shape[1] != 6:
        raise ValueError(f"covariances have shape {covariances.shape}, wanted (N, 6)")
    quats = np.empty((len(covariances), 4), np.float32)
    scales = np.empty((len(covariances), 3), np.float32)
    decompose_into(covariances, quats, scales)
    return quats, scales


def srgb_from_linear(linear: Float32) -> Float32:
    """Encodes colours (IEC 61966-2-1); what is above 1 stays above, what is below 0 becomes 0."""
    linear = np.maximum(np.asarray(linear, np.float32), np.float32(0))
    curve = np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(linear <= np.float32(0.0031308), np.float32(12.92) * linear, curve)


def linear_from_srgb(srgb: Float32) -> Float32:
    """Decodes colours, the inverse of :func:`srgb_from_linear`."""
    srgb = np.maximum(np.asarray(srgb, np.float32), np.float32(0))
    curve = ((srgb + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(srgb <= np.float32(0.04045), srgb / np.float32(12.92), curve)


def rotation_matrices(quats: Float32) -> Float32:
    """[N, 4] quaternions (w, x, y, z), normalised here -> [N, 3, 3] rotation matrices."""
    unit = np.asarray(quats, np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.float32(1e-12))
    rows = rotation_rows(*unit.T)
    return np.ascontiguousarray(np.moveaxis(np.array(rows, np.float32), 2, 0))
