"""The sky, its sun, and what the weather does to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharp_xr.train.data import textures
from sharp_xr.train.data.scene import Lights

Float = NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True)
class Weather:
    """Day or night, clear or overcast."""

    sun: Float
    """[3] unit, towards it."""
    sun_color: Float
    """[3] linear, at its strength."""
    sun_radius: float
    """Radians: an overcast sky's brightest part is wide."""
    high: Float
    """[3] linear colour of the sky overhead."""
    low: Float
    """[3] at the horizon."""

    @property
    def sun_strength(self) -> float:
        """Mean of its colour."""
        return float(self.sun_color.mean())

    @property
    def sky_color(self) -> Float:
        """[3] mean colour."""
        return np.asarray((self.high + self.low) / 2, np.float32)

    def lights(self, rng: Rng) -> Lights:
        """Of a place under this sky."""
        bounced = self.sky_color.mean() * np.array([0.5, 0.48, 0.42])
        ambient = rng.uniform(0.6, 1.1) * np.stack([bounced, self.sky_color])
        gloss = float(rng.uniform(0, 0.15))
        return Lights(
            np.append(self.sun, 0)[None].astype(np.float32),
            self.sun_color[None].astype(np.float32),
            ambient.astype(np.float32),
            gloss,
            np.full(1, self.sun_radius, np.float32),
            reach_m=4.0,
        )

    def sky(self, rng: Rng, gain: float = 1.0) -> Callable[[Float], Float]:
        """A colour per direction: darker overhead, bright at the horizon, clouds or none."""
        cover = rng.uniform(0.3, 0.9)
        noise = textures.value_noise(rng, (3, 6, 12, 24, 48))
        clouds = np.clip((noise - cover) * rng.uniform(2, 5), 0, 1)
        white = self.sky_color.max() * np.array([1.0, 1.0, 1.0]) * rng.uniform(0.7, 1.4)
        size = float(rng.uniform(15, 80))

        def color(directions: Float) -> Float:
            up = np.clip(directions[:, 1], 0, 1)
            share = np.sqrt(up)[:, None]
            plain = self.low * (1 - share) + self.high * share
            flat = directions[:, [0, 2]] / (up[:, None] + 0.15) * size
            whole = np.floor(flat)
            (u, v), (fu, fv) = whole.astype(int).T, (flat - whole).T
            n = len(clouds)
            near = clouds[u % n, v % n] * (1 - fv) + clouds[u % n, (v + 1) % n] * fv
            far = clouds[(u + 1) % n, v % n] * (1 - fv) + clouds[(u + 1) % n, (v + 1) % n] * fv
            cloud = ((near * (1 - fu) + far * fu) * np.clip(up * 12, 0, 1))[:, None]
            return np.asarray(gain * (plain * (1 - cloud) + white * cloud), np.float32)

        return color


def weather(rng: Rng) -> Weather:
    """Any."""
    elevation, around = rng.uniform(0.12, 1.4), rng.uniform(0, 2 * np.pi)
    flat = np.cos(elevation)
    sun = np.array([flat * np.sin(around), np.sin(elevation), flat * np.cos(around)], np.float32)
    overcast = rng.random() < 0.4
    strength = rng.uniform(0.0, 0.3) if overcast else rng.uniform(0.8, 2.2)
    warmth = np.array([1.0, 0.95, 0.85]) if elevation > 0.5 else np.array([1.0, 0.82, 0.6])
    radius = 0.5 if overcast else float(rng.uniform(0.005, 0.03))
    if overcast:
        high, low = np.full(3, rng.uniform(0.4, 0.9)), np.full(3, rng.uniform(0.6, 1.1))
    else:
        high = np.array([0.12, 0.28, 0.7]) * rng.uniform(0.5, 1.3)
        low = np.array([0.75, 0.85, 1.0]) * rng.uniform(0.7, 1.2)
    if rng.random() < 0.15:  # evening
        high, low = high * 0.5, np.array([1.1, 0.7, 0.4]) * rng.uniform(0.5, 1)
    if rng.random() < 0.07:  # night
        high, low, strength = high * 0.04, low * 0.04, 0.02
    color = (strength * warmth).astype(np.float32)
    return Weather(sun, color, radius, high.astype(np.float32), low.astype(np.float32))
