"""What cameras and files do to a picture: lens, sensor, development, JPEG; each by chance.

sharp linear scene --lens: defocus, shake, vignette--> --sensor: noise--> --development: tone,
cast, saturation, sharpening--> --file: small size, JPEG--> photo
"""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

Float = NDArray[np.float32]
Rng = np.random.Generator

GREY_SHARE = 0.2
"""So many photos have no colour."""


def developed(rng: Rng, rgb: NDArray[np.uint8], depth: Float) -> NDArray[np.uint8]:
    """A drawn picture as a camera would have delivered it.

    Args:
        rng: what decides.
        rgb: [H, W, 3] sRGB.
        depth: [H, W] metres, 0 unknown: what is out of focus depends on it.

    Returns:
        [H, W, 3] sRGB.
    """
    x: Float = rgb.astype(np.float32) / np.float32(255)
    if rng.random() < 0.25:
        x = defocused(rng, x, depth)
    if rng.random() < 0.4:
        x = shaken(rng, x)
    if rng.random() < 0.3:
        x = vignetted(rng, x)
    x = toned(rng, x)
    if rng.random() < 0.75:
        x = noisy(rng, x)
    if rng.random() < GREY_SHARE:
        x = np.repeat((x @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, -1)
    if rng.random() < 0.3:
        x = sharpened(rng, x)
    if rng.random() < 0.1:
        x = enlarged(rng, x)
    out = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    return jpeg(out, int(rng.integers(25, 96))) if rng.random() < 0.5 else out


# --- lens ----------------------------------------------------------------------------------------


def defocused(rng: Rng, x: Float, depth: Float, most_px: float = 3.0) -> Float:
    """Sharp at one depth, the farther from it in 1 / depth the more blurred (thin lens).

    A pixel is mixed of evenly blurred pictures; at an edge the blurred side spreads a little.
    """
    inverse = np.where(depth > 0, 1 / np.maximum(depth, 0.1), 0)
    focus = inverse.flat[int(rng.integers(inverse.size))]
    apart = np.abs(inverse - focus)
    share = apart / max(float(apart.max()), 1e-6)  # [H, W] 0 to 1
    steps = np.array([0.0, 0.33, 0.66, 1.0], np.float32)
    most = float(rng.uniform(0.3, 1)) * most_px
    levels = [x, *(blurred(x, most * float(s)) for s in steps[1:])]
    out = np.zeros_like(x)
    for step, level in zip(steps, levels, strict=True):
        weight = np.clip(1 - np.abs(share - step) / 0.33, 0, 1)
        out += weight[..., None].astype(np.float32) * level
    return out


def blurred(x: Float, sigma_px: float) -> Float:
    """[H, W, 3], by a Gaussian."""
    reach = max(1, int(2.5 * sigma_px + 0.5))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 0.05)) ** 2)
    row = torch.from_numpy((taps / taps.sum()).astype(np.float32)).view(1, 1, 1, -1)
    return _filtered(_filtered(x, row), row.transpose(2, 3))


def shaken(rng: Rng, x: Float) -> Float:
    """By a soft lens (evenly), or by a hand (along a line of up to 5 px, any way)."""
    if rng.random() < 0.6:
        return blurred(x, float(rng.uniform(0.4, 1.6)))
    angle, length = rng.uniform(0, np.pi), rng.uniform(1, 5)
    kernel = np.zeros((7, 7), np.float32)
    for t in np.linspace(-length / 2, length / 2, 15):
        kernel[round(3 + t * np.sin(angle)), round(3 + t * np.cos(angle))] += 1
    return _filtered(x, torch.from_numpy(kernel / kernel.sum())[None, None])


def _filtered(x: Float, kernel: torch.Tensor) -> Float:
    """[H, W, 3] with a kernel [1, 1, h, w] of odd sides; borders are continued."""
    h, w = kernel.shape[-2:]
    channels = torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[:, None]
    padded = functional.pad(channels, (w // 2, w // 2, h // 2, h // 2), mode="replicate")
    return np.asarray(functional.conv2d(padded, kernel)[:, 0].permute(1, 2, 0).numpy())


def vignetted(rng: Rng, x: Float) -> Float:
    """Darker to the corners."""
    across = np.linspace(-1, 1, x.shape[1]) ** 2
    away = np.linspace(-1, 1, x.shape[0])[:, None] ** 2 + across
    return np.asarray(x * (1 - rng.uniform(0, 0.35) * away[..., None]), np.float32)


# --- sensor --------------------------------------------------------------------------------------


def noisy(rng: Rng, x: Float) -> Float:
    """Of read-out (even) and of light (more where it is bright), with grain of one or two pixels,
    and at times blotches of colour, as noise reduction leaves them."""
    h, w = x.shape[:2]
    strength = 0.04 * rng.random() ** 2
    sigma = np.float32(strength) * np.sqrt(np.float32(0.3) + np.maximum(x, 0))
    grain: Float = rng.standard_normal(x.shape, np.float32)
    if rng.random() < 0.3:
        grain = np.float32(2) * blurred(grain, 0.7)
    x = x + sigma * grain
    if rng.random() < 0.2:
        coarse = rng.standard_normal((h // 6 + 1, w // 6 + 1, 3)).astype(np.float32)
        blotches = np.repeat(np.repeat(coarse, 6, 0), 6, 1)[:h, :w]
        x = x + np.float32(rng.uniform(0, 0.03)) * blurred(blotches, 2.5)
    return np.asarray(x, np.float32)


# --- development ---------------------------------------------------------------------------------


def toned(rng: Rng, x: Float) -> Float:
    """Response, exposure, white balance, saturation and contrast of some camera."""
    gains = np.exp(rng.normal(0, 0.15)) * np.clip(1 + rng.normal(0, 0.06, 3), 0.75, 1.25)
    x = np.maximum(x, 0) ** np.float32(np.exp(rng.normal(0, 0.25))) * gains.astype(np.float32)
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * np.float32(rng.uniform(0.3, 1.3))
    kind = rng.random()
    if kind < 0.3:  # flat, or hard
        x = 0.5 + (x - 0.5) * np.float32(rng.uniform(0.5, 1.3))
    elif kind < 0.5:  # an S-shaped curve: rich blacks, soft highlights
        t = np.clip(x, 0, 1)
        x = x + np.float32(rng.uniform(0, 0.8)) * (t * t * (3 - 2 * t) - t)
    return np.asarray(x, np.float32)


def sharpened(rng: Rng, x: Float) -> Float:
    """Unsharp masking, with the halos that phones leave at edges."""
    softer = blurred(x, float(rng.uniform(0.6, 1.5)))
    return np.asarray(x + np.float32(rng.uniform(0.2, 1.5)) * (x - softer), np.float32)


# --- file ----------------------------------------------------------------------------------------


def enlarged(rng: Rng, x: Float) -> Float:
    """Once 0.4 to 0.9 of the size, and made large again."""
    h, w = x.shape[:2]
    share = rng.uniform(0.4, 0.9)
    whole = torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]
    size = (max(8, int(h * share)), max(8, int(w * share)))
    small = functional.interpolate(whole, size, mode="bilinear", antialias=True)
    again = functional.interpolate(small, (h, w), mode="bilinear")
    return np.asarray(again[0].permute(1, 2, 0).numpy())


def jpeg(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Written and read again."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image)
