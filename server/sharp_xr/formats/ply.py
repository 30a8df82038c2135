"""PLY: the file that every splat viewer reads, in SHARP's layout (ml-sharp, ``save_ply``).

Axes are OpenCV's, as :class:`Gaussians` has them: x right, y down, z forward, the photo's camera at
the origin. Apple's files and INRIA's (through COLMAP) have the same, so that whatever a viewer does
to stand those upright stands ours upright too.

Colours: 3DGS blends the sRGB values of its training photos, so f_dc holds sRGB and ordinary viewers
look right. Ours are linear and are converted here, both ways.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sharp_xr.formats.ply_header import Element, PlyError, read_header
from sharp_xr.gaussians import Float32, Gaussians, decompose, linear_from_srgb

__all__ = [
    "MAX_GAUSSIANS",
    "PhotoCamera",
    "PlyError",
    "PlyInfo",
    "UNKNOWN_PHOTO",
    "read_ply",
    "write_ply",
]

log = logging.getLogger(__name__)

MAX_GAUSSIANS = 5_000_000

PROPERTIES = (
    *("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)
SH_C0 = 0.28209479177387814
"""The constant spherical harmonic, sqrt(1 / (4 pi))."""

_BLOCK = 1 << 13
"""Rows at a time: their 0.5 MB stay in the cache."""
_SRGB, _LINEAR = 0, 1
"""Values of the element color_space."""


@dataclass(frozen=True)
class PhotoCamera:
    """The camera of the photo that a scene was made from; its principal point is the middle."""

    width: int = 640
    """Pixels. The defaults are what SHARP's reader takes for a file that does not say."""
    height: int = 480
    focal_px: float = 512.0


UNKNOWN_PHOTO = PhotoCamera()


@dataclass(frozen=True)
class PlyInfo:
    """What a file says besides its Gaussians."""

    photo: PhotoCamera
    dropped: int
    """Gaussians left out because they hold a NaN or an infinity."""


# --- writing -------------------------------------------------------------------------------------


def write_ply(
    target: Path | BinaryIO, gaussians: Gaussians, photo: PhotoCamera = UNKNOWN_PHOTO
) -> None:
    """Writes binary little endian; 1.18 million take about 0.1 s (``scripts/bench export``).

    The file holds the logit of opacities and the logarithm of scales: opacities are kept a
    millionth off 0 and 1, scales at 1 nm or more.
    """
    with _opened(target, "wb") as file:
        file.write(_header(len(gaussians)))
        rows = np.empty((_BLOCK, len(PROPERTIES)), np.float32)
        for start in range(0, len(gaussians), _BLOCK):
            file.write(_filled(rows, gaussians[start : start + _BLOCK]).data)
        for _, _, values in _extras(gaussians, photo):
            file.write(values.tobytes())


def _header(count: int) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property float {name}" for name in PROPERTIES]
    for name, kind, values in _extras(None, UNKNOWN_PHOTO):
        lines += [f"element {name} {len(values)}", f"property {kind} {name}"]
    return "\n".join([*lines, "end_header\n"]).encode("ascii")


def _filled(rows: Float32, gaussians: Gaussians) -> Float32:
    """The first of the rows, in the order of :data:`PROPERTIES`: [N, 14], little endian."""
    # Numba takes half a second to import; who writes nothing does not wait for it.
    from sharp_xr.formats.ply_rows import fill_rows

    rows = rows[: len(gaussians)]
    quats, scales = decompose(gaussians.covariances)
    fill_rows(gaussians.means, gaussians.colors, gaussians.opacities, quats, scales, rows)
    return rows.astype("<f4", copy=False)


def _extras(
    gaussians: Gaussians | None, photo: PhotoCamera
) -> list[tuple[str, str, NDArray[np.generic]]]:
    """SHARP's elements (name, PLY type, values); without Gaussians for their lengths alone."""
    count, disparities = 0, (0.0, 0.0)
    if gaussians is not None:
        count, disparities = len(gaussians), _disparities(gaussians.means[:, 2])
    width, height, focal = photo.width, photo.height, photo.focal_px
    intrinsic = [focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1]
    return [
        ("extrinsic", "float", np.eye(4, dtype="<f4").ravel()),
        ("intrinsic", "float", np.array(intrinsic, "<f4")),
        ("image_size", "uint", np.array([width, height], "<u4")),
        ("frame", "int", np.array([1, count], "<i4")),
        ("disparity", "float", np.array(disparities, "<f4")),
        ("color_space", "uchar", np.array([_SRGB], "u1")),
        ("version", "uchar", np.array([1, 5, 0], "u1")),
    ]


def _disparities(depths: Float32) -> tuple[float, float]:
    """The 10 % and 90 % quantiles of 1/z in front of the camera; 0 where nothing is there."""
    depths = depths[depths > 0]
    if not len(depths):
        return 0.0, 0.0
    # 1/z falls with z: the far 10 % of one are the near 90 % of the other.
    near, far = np.quantile(depths, [0.1, 0.9])
    return 1 / float(far), 1 / float(near)


# --- reading -------------------------------------------------------------------------------------


def read_ply(source: Path | BinaryIO) -> tuple[Gaussians, PlyInfo]:
    """Reads our files, Apple's, and the 3DGS layout of INRIA, Nerfstudio, Postshot and others.

    Higher spherical harmonics (f_rest) are not used, which a line in the log says. The memory taken
    is the result's and 4 MB or so.

    Args:
        source: a path, or a seekable file.

    Raises:
        PlyError: not a scene of Gaussians, broken, or larger than :data:`MAX_GAUSSIANS`.
        OSError: a path that cannot be opened.
    """
    with _opened(source, "rb") as file:
        elements = read_header(file)
        vertex = _vertex(elements)
        srgb = _is_srgb(file, elements)
        photo = _photo(file, elements)
        gaussians, dropped = _read_rows(file, vertex, srgb)
    if dropped:
        log.warning("%d of %d Gaussians are not finite and left out", dropped, vertex.count)
    return gaussians, PlyInfo(photo, dropped)


def _vertex(elements: dict[str, Element]) -> Element:
    vertex = elements.get("vertex")
    if vertex is None:
        raise PlyError("the PLY file has no vertex data that can be read, wanted Gaussians")
    names = vertex.row.names or ()
    if "packed_position" in names:
        raise PlyError("this is a compressed PLY scene, wanted a plain one: export it as plain PLY")
    missing = [name for name in PROPERTIES if name not in names]
    if missing:
        raise PlyError(
            f"the PLY file is no scene of Gaussians: its vertices have no {', '.join(missing)}"
        )
    if vertex.count > MAX_GAUSSIANS:
        raise PlyError(f"the scene has {vertex.count} Gaussians, wanted at most {MAX_GAUSSIANS}")
    if any(name.startswith("f_rest_") for name in names):
        log.info("the PLY's view-dependent colours (f_rest) are not used")
    return vertex


def _is_srgb(file: BinaryIO, elements: dict[str, Element]) -> bool:
    """Which colours f_dc holds.

    SHARP's files say it; its early ones, without the element, are linear (its reader's rule). All
    other 3DGS files have none of its elements and hold sRGB: they were optimised against photos as
    they are.
    """
    color_space = _values(file, elements, "color_space")
    if len(color_space):
        return bool(color_space[0] != _LINEAR)
    return "intrinsic" not in elements


def _photo(file: BinaryIO, elements: dict[str, Element]) -> PhotoCamera:
    """From intrinsic and image_size, or the legacy intrinsic of four (fx, fy, width, height)."""
    intrinsic = _values(file, elements, "intrinsic")
    size = _values(file, elements, "image_size")
    if len(intrinsic) == 4 and not len(size):
        size = intrinsic[2:]
    if len(intrinsic) not in (4, 9) or len(size) != 2:
        return UNKNOWN_PHOTO
    focal, width, height = intrinsic[0], size[0], size[1]
    if not (0 < focal < 1e6 and 1 <= width <= 65535 and 1 <= height <= 65535):  # NaN is refused too
        raise PlyError(
            f"the PLY file names a photo of {width:g} x {height:g} px with focal length {focal:g}, "
            "wanted a real one"
        )
    return PhotoCamera(int(width), int(height), float(focal))


def _values(file: BinaryIO, elements: dict[str, Element], name: str) -> NDArray[np.float64]:
    """A short element of one column; empty where the file has none (or one that is not short)."""
    element = elements.get(name)
    if element is None or element.count > 64 or not element.row.names:
        return np.empty(0)
    column = element.read(file, 0, element.count)[element.row.names[0]]
    return column.astype(np.float64)


def _read_rows(file: BinaryIO, vertex: Element, srgb: bool) -> tuple[Gaussians, int]:
    """All finite Gaussians, and how many were not."""
    means = np.empty((vertex.count, 3), np.float32)
    covariances = np.empty((vertex.count, 6), np.float32)
    colors = np.empty((vertex.count, 3), np.float32)
    opacities = np.empty(vertex.count, np.float32)
    kept = 0
    for start in range(0, vertex.count, _BLOCK):
        rows = vertex.read(file, start, min(start + _BLOCK, vertex.count))
        block, _ = _from_rows(rows, srgb).finite()
        place = slice(kept, kept + len(block))
        means[place], covariances[place] = block.means, block.covariances
        colors[place], opacities[place] = block.colors, block.opacities
        kept += len(block)
    gaussians = Gaussians(means[:kept], covariances[:kept], colors[:kept], opacities[:kept])
    return gaussians, vertex.count - kept


def _from_rows(rows: NDArray[np.void], srgb: bool) -> Gaussians:
    def columns(*names: str) -> Float32:
        return np.stack([rows[name].astype(np.float32) for name in names], axis=1)

    # What overflows here becomes infinite and is dropped by the caller.
    with np.errstate(over="ignore", invalid="ignore"):
        colors = columns(*PROPERTIES[3:6]) * np.float32(SH_C0) + np.float32(0.5)
        return Gaussians.from_quats_scales(
            means=columns(*PROPERTIES[0:3]),
            quats=columns(*PROPERTIES[10:14]),
            scales=np.exp(columns(*PROPERTIES[7:10])),
            colors=linear_from_srgb(colors) if srgb else colors.clip(0, None),
            opacities=np.reciprocal(1 + np.exp(-columns("opacity")[:, 0])).astype(np.float32),
        )


@contextlib.contextmanager
def _opened(where: Path | BinaryIO, mode: str) -> Iterator[BinaryIO]:
    if isinstance(where, Path):
        with where.open(mode) as file:
            yield file  # type: ignore[misc]
    else:
        yield where
