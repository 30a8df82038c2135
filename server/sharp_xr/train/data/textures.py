"""Procedural textures, all this project's own: surfaces that tile, facades, pictures to hang.

A texture is [H, W, 3] uint8 sRGB. Every one is drawn from the generator it is given, so a scene's
seed decides its textures too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Texture = NDArray[np.uint8]
Float = NDArray[np.float32]
Rng = np.random.Generator
Kind = Callable[[Rng], Texture]
"""Draws a texture of its kind."""

SIZE = 256


def value_noise(
    rng: Rng, octaves: tuple[int, ...], size: int = SIZE, falloff: float = 0.6
) -> Float:
    """[size, size] in 0..1: random grids of so many cells, enlarged and summed; it tiles."""
    return stretched_noise(rng, tuple((n, n) for n in octaves), size, falloff)


def stretched_noise(
    rng: Rng, octaves: tuple[tuple[int, int], ...], size: int = SIZE, falloff: float = 0.6
) -> Float:
    """As :func:`value_noise`, with (rows, columns) of cells: grain that runs one way."""
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for rows, columns in octaves:
        grid = rng.random((rows, columns)).astype(np.float32)
        total += weight * _enlarge(_enlarge(grid, size).T, size).T
        weight *= falloff
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def _enlarge(grid: Float, size: int) -> Float:
    """[n, m] -> [size, m], linear between rows, the last row joined to the first."""
    x = np.arange(size) * len(grid) / size
    i = x.astype(int)
    w = (x - i).astype(np.float32)[:, None]
    return np.asarray(grid[i] * (1 - w) + grid[(i + 1) % len(grid)] * w, np.float32)


def random_color(rng: Rng, low: float = 0.1, high: float = 0.95, vivid: float = 0.15) -> Float:
    """An sRGB colour [3] in 0..1: a brightness from that range, its channels `vivid` apart."""
    color = rng.uniform(low, high) + rng.normal(0, vivid, 3)
    return np.clip(color, 0.03, 0.97).astype(np.float32)


def wall_color(rng: Rng) -> Float:
    """An sRGB colour [3] as people paint walls: mostly near white, at times a muted tone."""
    if rng.random() < 0.65:
        warm = rng.normal(0.02, 0.02)
        return np.clip(rng.uniform(0.6, 0.97) + np.array([warm, 0, -1.5 * warm]), 0, 1).astype(
            np.float32
        )
    return random_color(rng, 0.25, 0.85, 0.09)


def mix(a: Float, b: Float, share: Float) -> Float:
    """Colours a and b [3], mixed by share [H, W] -> [H, W, 3]."""
    return np.asarray(a + (b - a) * share[..., None], np.float32)


def quantised(image: Float) -> Texture:
    """[H, W, 3] in 0..1 -> uint8."""
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def _grain(rng: Rng, strength: float = 0.3) -> Float:
    noise = value_noise(rng, (32, 64, 128), falloff=0.9)
    return (1 - strength / 2 + strength * noise)[..., None]


def _grid() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    y, x = np.mgrid[:SIZE, :SIZE]
    return y, x


def plaster(rng: Rng) -> Texture:
    """A painted wall: one colour, faintly stained."""
    stain = value_noise(rng, (2, 4, 8, 16))
    color = wall_color(rng)
    return quantised(mix(color, color * 0.85, stain * rng.uniform(0, 0.6)) * _grain(rng, 0.08))


def wallpaper(rng: Rng) -> Texture:
    """Stripes, checks or dots in two colours."""
    y, x = _grid()
    a = random_color(rng, 0.4, 0.95, 0.07)
    b = np.clip(a * rng.uniform(0.6, 1.05) + rng.normal(0, 0.08, 3), 0.03, 1).astype(np.float32)
    step = SIZE // int(rng.choice([2, 4, 8, 16]))
    match rng.integers(3):
        case 0:
            mask = (x % step) < step * rng.uniform(0.2, 0.7)
        case 1:
            mask = (x // step + y // step) % 2 == 0
        case _:
            shifted = x + (y // step % 2) * step // 2
            radius = step * rng.uniform(0.15, 0.4)
            mask = np.hypot(shifted % step - step / 2, y % step - step / 2) < radius
    return quantised(mix(a, b, mask.astype(np.float32)) * _grain(rng, 0.15))


def bricks(rng: Rng) -> Texture:
    """Bricks, blocks or tiles with joints, each of its own shade."""
    y, x = _grid()
    height = SIZE // int(rng.choice([4, 8, 16]))
    width = height * int(rng.choice([1, 2, 2, 4]))
    offset = (y // height % 2) * (width // 2) if rng.random() < 0.7 else 0 * y
    row, column = y // height, (x + offset) % SIZE // width
    shade = rng.uniform(0.75, 1.1, (SIZE // height + 1, SIZE // width + 1))[row, column]
    gap = max(1, int(height * rng.uniform(0.04, 0.12)))
    joint = ((y % height < gap) | ((x + offset) % width < gap)).astype(np.float32)
    red = rng.random() < 0.3
    color = random_color(rng, 0.25, 0.85, 0.03)
    if red:
        color = np.array([0.6, 0.33, 0.25], np.float32) * np.float32(rng.uniform(0.6, 1.3))
    mortar = random_color(rng, 0.3, 0.85, 0.03)
    return quantised(mix(color, mortar, joint) * shade[..., None] * _grain(rng, 0.25))


def planks(rng: Rng) -> Texture:
    """Wooden boards along x, with grain."""
    y, _ = _grid()
    height = SIZE // int(rng.choice([2, 4, 8, 16]))
    shade = rng.uniform(0.75, 1.1, SIZE // height + 1)[y // height]
    rings = stretched_noise(rng, ((8, 1), (32, 2), (128, 4)))
    dark = rng.uniform(0.2, 0.8)
    color = np.array([1.0, rng.uniform(0.6, 0.9), rng.uniform(0.35, 0.75)], np.float32) * dark
    gap = (y % height < 2).astype(np.float32) * rng.uniform(0, 0.7)
    image = mix(color, color * 0.55, rings) * shade[..., None] * (1 - gap[..., None])
    return quantised(image)


def marble(rng: Rng) -> Texture:
    """Stone or concrete: clouds of two near colours, sometimes veined."""
    noise = value_noise(rng, (3, 6, 12, 24, 48))
    if rng.random() < 0.5:
        noise = np.sqrt(np.abs(2 * noise - 1))
    a = random_color(rng, 0.3, 0.9, 0.05)
    b = np.clip(a * rng.uniform(0.5, 0.9), 0, 1).astype(np.float32)
    return quantised(mix(b, a, noise) * _grain(rng, 0.2))


def fabric(rng: Rng) -> Texture:
    """Cloth: a weave, sometimes striped or blotched, in any colour."""
    y, x = _grid()
    vivid = 0.18 if rng.random() < 0.3 else 0.05  # most cloth is dull
    a, b = random_color(rng, 0.05, 0.9, vivid), random_color(rng, 0.05, 0.9, vivid)
    match rng.integers(4):
        case 0:
            step = SIZE // int(rng.choice([4, 8, 16, 32]))
            share = ((y % step) < step / 2).astype(np.float32)
        case 1:
            share = (value_noise(rng, (4, 8, 16)) > 0.55).astype(np.float32)
        case _:
            share = value_noise(rng, (2, 4)) * 0.2
    weave = (1 + 0.06 * np.sign(np.sin(x * 1.6) * np.sin(y * 1.6)))[..., None]
    return quantised(mix(a, b, share) * weave * _grain(rng, 0.3))


def grass(rng: Rng) -> Texture:
    """Lawn, meadow or moss."""
    noise = value_noise(rng, (4, 16, 64, 128), falloff=0.85)
    green = np.array([rng.uniform(0.25, 0.5), rng.uniform(0.35, 0.55), rng.uniform(0.12, 0.28)])
    dry = green * rng.uniform(0.3, 0.8) + np.array([rng.uniform(0, 0.2), 0.05, 0.0])
    return quantised(mix(dry.astype(np.float32), green.astype(np.float32), noise))


def snow(rng: Rng) -> Texture:
    """White, faintly blue, hardly any structure."""
    drifts = value_noise(rng, (2, 4, 8, 16))
    shade = 0.8 + 0.15 * drifts + rng.normal(0, 0.012, (SIZE, SIZE))
    return quantised(shade[..., None] * np.array([0.95, 0.97, 1.0]))


def print_on(rng: Rng) -> Texture:
    """A label: bands of colour, blocks, lines of what looks like writing."""
    image = np.broadcast_to(random_color(rng, 0.1, 0.95, 0.25), (SIZE, SIZE, 3)).copy()
    for _ in range(int(rng.integers(1, 6))):
        y, x = rng.integers(0, SIZE, 2)
        h, w = rng.integers(12, SIZE, 2)
        image[y : y + h, x : x + w] = random_color(rng, 0.05, 0.95, 0.3)
    ink = random_color(rng, 0.03, 0.95, 0.2)
    for _ in range(int(rng.integers(2, 14))):
        y, x = rng.integers(0, SIZE - 20, 2)
        high = int(rng.integers(3, 18))
        length = min(SIZE - x, int(rng.integers(20, 200)))
        letters = rng.random(length // 3 + 1) < 0.65
        mask = np.repeat(letters, 3)[:length]
        image[y : y + high, x : x + length][:, mask] = ink
    return quantised(image)


def gravel(rng: Rng) -> Texture:
    """Asphalt, sand, earth, snow: fine speckle."""
    speckle = rng.random((SIZE, SIZE)).astype(np.float32)
    patches = value_noise(rng, (3, 6, 12))
    tint = np.array([1.0, rng.uniform(0.82, 1), rng.uniform(0.65, 1.05)], np.float32)
    color = rng.uniform(0.15, 0.9) * tint
    shade = 0.75 + 0.3 * speckle * rng.uniform(0.3, 1) + 0.15 * patches
    return quantised(color * shade[..., None])


def facade(rng: Rng) -> Texture:
    """One tile of a building's front: rows of windows on a wall; a tile holds 4 x 4 windows."""
    wall = (bricks if rng.random() < 0.4 else marble)(rng).astype(np.float32) / 255
    y, x = _grid()
    cell = SIZE // 4
    w, h = rng.uniform(0.3, 0.8), rng.uniform(0.35, 0.8)
    u, v = (x % cell) / cell - 0.5, (y % cell) / cell - 0.5
    window = (np.abs(u) < w / 2) & (np.abs(v) < h / 2)
    frame = window & ((np.abs(u) > w / 2 - 0.05) | (np.abs(v) > h / 2 - 0.04) | (np.abs(u) < 0.015))
    glass = rng.uniform(0.08, 0.6, (4, 4))[y // cell, x // cell] * (1 - 0.5 * v)
    tint = np.array([0.8, 0.95, 1.1], np.float32)
    image = np.where(window[..., None], glass[..., None] * tint, wall)
    image = np.where(frame[..., None], random_color(rng, 0.1, 0.95, 0.03), image)
    ledge = (np.abs(v - h / 2 - 0.03) < 0.025) & (np.abs(u) < w / 2 + 0.04)
    return quantised(np.where(ledge[..., None], image * 0.6 + 0.3, image))


def foliage(rng: Rng) -> Texture:
    """Leaves seen from afar: blotches of light and dark green, red or yellow."""
    noise = value_noise(rng, (8, 16, 32, 64, 128), falloff=0.9)
    hue = rng.choice(3, p=[0.75, 0.15, 0.1])
    base = [(0.3, 0.5, 0.15), (0.6, 0.45, 0.12), (0.6, 0.25, 0.15)][hue]
    light = np.array(base) * rng.uniform(0.7, 1.4) + rng.normal(0, 0.04, 3)
    dark = light * rng.uniform(0.3, 0.7)
    return quantised(mix(dark.astype(np.float32), light.astype(np.float32), noise))


def skin(rng: Rng) -> Texture:
    """Skin or fur of one colour, softly mottled."""
    tone = np.array([1.0, rng.uniform(0.68, 0.82), rng.uniform(0.5, 0.68)]) * rng.uniform(0.3, 0.97)
    noise = value_noise(rng, (4, 16, 64))
    return quantised(mix((tone * 0.85).astype(np.float32), tone.astype(np.float32), noise))


def fur(rng: Rng) -> Texture:
    """An animal's coat: hairs along y, sometimes in patches of two colours."""
    hairs = stretched_noise(rng, ((4, 64), (8, 128), (16, 256)), falloff=0.9)
    a, b = random_color(rng, 0.1, 0.9, 0.06), random_color(rng, 0.1, 0.9, 0.06)
    patches = (value_noise(rng, (2, 4, 8)) > rng.uniform(0.3, 0.9)).astype(np.float32)
    return quantised(mix(a, b, patches) * (0.6 + 0.6 * hairs)[..., None])


def picture(rng: Rng) -> Texture:
    """Something flat that shows depth of its own: a painted view, a poster, a lit screen.

    It must not fool the network, so there are many of them, and their depth is the wall's.
    """
    y, x = (g / SIZE for g in _grid())
    horizon = rng.uniform(0.3, 0.7)
    above, below = random_color(rng, 0.2, 0.95, 0.2), random_color(rng, 0.1, 0.8, 0.2)
    image = np.where((y < horizon)[..., None], above * (1 - 0.4 * y[..., None]), below)
    for _ in range(int(rng.integers(0, 9))):
        cx, cy, r = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.35)
        if rng.random() < 0.5:
            mask = np.hypot(x - cx, (y - cy) * rng.uniform(0.5, 2)) < r
        else:
            mask = (np.abs(x - cx) < r) & (np.abs(y - cy) < r * rng.uniform(0.3, 2))
        image = np.where(mask[..., None], random_color(rng, 0.05, 0.95, 0.25), image)
    return quantised(np.asarray(image, np.float32) * _grain(rng, 0.15))


WALLS: tuple[Kind, ...] = (plaster, plaster, wallpaper, bricks, planks, marble)
FLOORS: tuple[Kind, ...] = (planks, planks, planks, bricks, fabric, gravel, marble, plaster)
GROUNDS: tuple[Kind, ...] = (grass, grass, grass, gravel, gravel, gravel, bricks, snow)
THINGS: tuple[Kind, ...] = (fabric, marble, print_on, print_on, planks, picture, plaster)


def any_of(rng: Rng, kinds: tuple[Kind, ...]) -> Texture:
    """A texture of one of those kinds."""
    return kinds[int(rng.integers(len(kinds)))](rng)
