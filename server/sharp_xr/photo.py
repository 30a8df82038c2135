"""Bytes of an image file in, upright pixels and a focal length out.

    bytes --sniff--> format --header--> size (limits) --decode--> mode --sRGB, 3 channels--> upright

What a photo is, is read from its content, never from its name. Everything that SHARP's own
pre-processing decides (sharp-model, section 1) is kept, save for four things in which a user would
call its result wrong: all eight EXIF orientations are applied (SHARP: three), an embedded colour
profile is converted to sRGB (SHARP: ignored), transparent pixels are laid on white (SHARP: alpha
is dropped, which uncovers whatever colour the editor left there), and focal lengths that no lens
has are ignored.
"""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile

log = logging.getLogger(__name__)

MAX_BYTES = 64 << 20
MAX_PIXELS = 64 << 20
"""A bit above 64 million: cameras sold as "64 megapixels" make 9248 x 6936."""
MIN_SIDE = 16
"""Pixels; with less there is nothing to see depth in."""

DEFAULT_FOCAL_35MM = 30.0
"""Assumed where the file names no focal length: a phone's main camera, and SHARP's choice."""
MAX_FOCAL_35MM = 3000.0
"""No lens is longer; a broken field must not put the scene kilometres away."""
DIAGONAL_35MM = math.hypot(36.0, 24.0)

WANTED = "send a JPEG, PNG, WebP, HEIC or AVIF photo"


class PhotoError(Exception):
    """The file is not a photo that we take; the message is one sentence for the user."""


@dataclass(frozen=True)
class Photo:
    """An upright photo; its principal point is the middle."""

    image: NDArray[np.uint8]
    """[H, W, 3] sRGB."""
    focal_px: float
    """Focal length in pixels of this image."""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])


def read_photo(
    data: bytes, *, focal_35mm: float | None = None, focal_px: float | None = None
) -> Photo:
    """Decodes a photo at its full size.

    Memory: up to about 16 bytes a pixel at the peak (1 GB for the largest photo). Broken files are
    foreign code's input: run this where a crash is survived (prediction/ does).

    Args:
        data: the file's content.
        focal_35mm: focal length as on 35 mm film, in millimetres, in place of the file's own.
        focal_px: focal length in pixels of the upright photo; wins over ``focal_35mm``.

    Raises:
        PhotoError: not a photo that we take, one that is broken, too large or too small, or a focal
            length that is not positive.
    """
    image = _open(data)
    exif = _exif(image)
    pixels = np.asarray(_srgb(_load(image)))
    image.close()
    upright = np.ascontiguousarray(_turned(pixels, exif.get(ExifTags.Base.Orientation)))
    height, width = upright.shape[:2]
    if focal_px is None:
        focal_mm = _exif_focal_35mm(exif) if focal_35mm is None else focal_35mm
        # The diagonal of the frame is what "35 mm equivalent" keeps (CIPA DCG-001; SHARP likewise).
        focal_px = focal_mm * math.hypot(width, height) / DIAGONAL_35MM
    if not 0.0 < focal_px < math.inf:
        raise PhotoError(f"a focal length of {focal_px:g} px was given, wanted a positive one")
    return Photo(upright, float(focal_px))


def thumbnail(photo: Photo, size: int) -> bytes:
    """The photo as a JPEG whose longer side has ``size`` pixels (or fewer, if the photo has)."""
    # Every n-th pixel first: the box filter of `thumbnail` then works on little.
    step = max(1, min(photo.width, photo.height) // (4 * size))
    small = Image.fromarray(np.ascontiguousarray(photo.image[::step, ::step]))
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()


# --- what came -----------------------------------------------------------------------------------

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
REFUSED = (
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF or raw picture"),
    (b"MM\0*", "a TIFF or raw picture"),
    (b"BM", "a BMP picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1aE\xdf\xa3", "a video"),
)
"""First bytes of what people upload by mistake."""


def sniff(data: bytes) -> str:
    """ "jpeg", "png", "webp", "heic" or "avif", by content.

    Raises:
        PhotoError: anything else, said by name where we know it.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _sniff_iso(data)
    raise PhotoError(f"this file is {_name(data)}, not a photo that we take: {WANTED}")


def _sniff_iso(data: bytes) -> str:
    """HEIC, AVIF, films and Canon's raw files share one container (ISO/IEC 14496-12)."""
    (length,) = struct.unpack_from(">I", data)
    box = data[8 : min(length, 256)]
    brands = {box[:4]} | {box[at : at + 4] for at in range(8, len(box), 4)}
    if brands & AVIF_BRANDS:
        return "avif"
    if brands & HEIC_BRANDS:
        return "heic"
    what = "a Canon raw picture" if box[:4] == b"crx " else "a video"
    raise PhotoError(f"this file is {what}, not a photo that we take: {WANTED}")


def _name(data: bytes) -> str:
    if not data:
        return "empty"
    for magic, name in REFUSED:
        if data.startswith(magic):
            return name
    head = data[:512]
    if b"\0" not in head and sum(byte >= 32 or byte in b"\t\n\r" for byte in head) == len(head):
        return "text"
    return "of an unknown kind"


# --- decoding ------------------------------------------------------------------------------------


def _open(data: bytes) -> ImageFile.ImageFile:
    """Reads the header only, and holds it against the limits."""
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


def _load(image: ImageFile.ImageFile) -> Image.Image:
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


# --- colour --------------------------------------------------------------------------------------


def _srgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB in sRGB, nothing transparent."""
    if image.mode.startswith("I"):  # 16-bit grey; Pillow itself would clip it
        return _grey16(image)
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = _on_white(image.convert("RGBA"))
    elif image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    if profile:
        image = _converted(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey16(image: Image.Image) -> Image.Image:
    grey = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((grey + 128) // 257).clip(0, 255).astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    """Through the file's ICC profile: Display P3 of a phone, Adobe RGB, a press's CMYK."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and _is_srgb(source):
            return image
        return _to_srgb(image, source)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        # As other viewers do with a profile that they cannot read (or that is of another mode).
        log.info("a photo's colour profile is not used: %s", error)
        return image


def _to_srgb(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    assert converted is not None  # only with inPlace
    return converted


def _is_srgb(source: ImageCms.ImageCmsProfile) -> bool:
    """By what it does to 512 colours; names lie ("sRGB-elle-V2-g10" is linear). Most photos' are,
    and are spared a pass over all pixels."""
    steps = np.arange(0, 256, 36, dtype=np.uint8)  # 8 from 0 to 252
    colors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    after = np.asarray(_to_srgb(Image.fromarray(colors), source))
    return bool(np.abs(after.astype(int) - colors).max() <= 2)


# --- EXIF ----------------------------------------------------------------------------------------


def _exif(image: Image.Image) -> dict[int, object]:
    """The main tags and the camera's own (sub-IFD 0x8769) in one; empty where they are broken."""
    try:
        exif = image.getexif()
        return dict(exif) | dict(exif.get_ifd(ExifTags.IFD.Exif))
    except Exception as error:  # Pillow's parser fails in any way on hostile EXIF
        log.info("a photo's EXIF is not used: %s", error)
        return {}


def _exif_focal_35mm(exif: dict[int, object]) -> float:
    """Millimetres as on 35 mm film, by SHARP's rules (sharp-model, section 1, item 3)."""
    in_35mm = _number(exif.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if 1.0 <= in_35mm <= MAX_FOCAL_35MM:
        return in_35mm
    focal = _number(exif.get(ExifTags.Base.FocalLength))
    if focal < 10.0:  # cannot be a 35 mm value: the lens of a phone, whose sensor is 8.4 x smaller
        focal *= 8.4
    return focal if 1.0 <= focal <= MAX_FOCAL_35MM else DEFAULT_FOCAL_35MM


def _number(value: object) -> float:
    """The EXIF number; NaN where there is none (0/0, a text, nothing)."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan


def _turned(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Upright, for a camera held as EXIF's Orientation says (EXIF 2.32, 4.6.4 A)."""
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return pixels.swapaxes(0, 1)
        case 6:
            return pixels[::-1].swapaxes(0, 1)
        case 7:
            return pixels[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return pixels[:, ::-1].swapaxes(0, 1)
        case _:
            return pixels
