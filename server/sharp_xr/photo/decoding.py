"""A file's bytes to pixels, within limits: decoders are foreign code, bytes a stranger's."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from PIL import Image, ImageFile

from sharp_xr.photo.kind import sniff
from sharp_xr.photo.photo import PhotoError

MAX_BYTES = 64 << 20
MAX_PIXELS = 64 << 20
"""A bit above 64 million: cameras sold as "64 megapixels" make 9248 x 6936."""
MIN_SIDE = 16
"""Pixels; with less there is nothing to see depth in."""


def opened(data: bytes) -> ImageFile.ImageFile:
    """The header alone, held against the limits. Raises PhotoError."""
    if len(data) > MAX_BYTES:
        raise PhotoError(
            f"the photo's file has {len(data) / 1e6:.0f} MB, wanted at most {MAX_BYTES >> 20} MB"
        )
    kind = sniff(data)
    if kind == "webp":
        # Its decoder takes the memory of the whole canvas when it is opened.
        _check_size(*_webp_size(data))
    try:
        image = _plugin(kind)(io.BytesIO(data))
    except Exception as error:  # a decoder fails in any way on a hostile file
        raise _broken(kind, error) from error
    _check_size(*image.size)
    return image


def _plugin(kind: str) -> Callable[[io.BytesIO], ImageFile.ImageFile]:
    """Pillow's class for one format. ``Image.open`` would try all that it knows, and warn of sizes
    that are in our limits."""
    match kind:
        case "jpeg":
            from PIL.JpegImagePlugin import JpegImageFile

            return JpegImageFile
        case "png":
            from PIL.PngImagePlugin import PngImageFile

            return PngImageFile
        case "webp":
            from PIL.WebPImagePlugin import WebPImageFile

            return WebPImageFile
        case "avif":
            from PIL.AvifImagePlugin import AvifImageFile

            return AvifImageFile
        case _:
            from pi_heif import HeifImageFile

            heif: Callable[[io.BytesIO], ImageFile.ImageFile] = HeifImageFile
            return heif


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height by RFC 9649, sections 2.5 to 2.7."""
    if len(data) < 30:
        raise _broken("webp", EOFError("it ends in its header"))
    match data[12:16]:
        case b"VP8X":
            return (
                int.from_bytes(data[24:27], "little") + 1,
                int.from_bytes(data[27:30], "little") + 1,
            )
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"the photo has {width} x {height} pixels, wanted at most {MAX_PIXELS >> 20} megapixels"
        )
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            f"the photo has {width} x {height} pixels, wanted at least {MIN_SIDE} x {MIN_SIDE}"
        )


def decoded(image: ImageFile.ImageFile) -> Image.Image:
    """With its pixels, in whatever mode the file has. Raises PhotoError."""
    try:
        image.load()  # of an animation: the first frame
    except MemoryError as error:
        raise PhotoError(
            f"the photo ({image.width} x {image.height} pixels) takes more memory than there is"
        ) from error
    except Exception as error:  # a decoder fails in any way on a hostile file
        raise _broken(image.format or "image", error) from error
    return image


def _broken(kind: str, error: Exception) -> PhotoError:
    why = " ".join(str(error).split()).rstrip(".")[:120] or type(error).__name__
    return PhotoError(f"the {kind.upper()} file is broken or cut short ({why}): send it again")
