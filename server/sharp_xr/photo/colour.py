"""Pixels of any mode and colour space to sRGB."""

from __future__ import annotations

import io
import logging

import numpy as np
from PIL import Image, ImageCms

log = logging.getLogger(__name__)


def srgb(image: Image.Image) -> Image.Image:
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
