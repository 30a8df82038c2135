"""Procedural textures."""

from __future__ import annotations

import numpy as np
import pytest

from sharp_xr.train.data import textures

KINDS = dict.fromkeys(
    [
        *textures.WALLS,
        *textures.FLOORS,
        *textures.GROUNDS,
        *textures.THINGS,
        textures.facade,
        textures.foliage,
        textures.skin,
        textures.fur,
    ]
)
"""Each once."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_texture_follows_from_its_seed_and_is_not_flat(kind: textures.Kind) -> None:
    a, b, other = (kind(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert a.shape == (textures.SIZE, textures.SIZE, 3) and a.dtype == np.uint8
    assert not np.array_equal(a, other)
    assert a.std() > 0.5


def test_noise_tiles() -> None:
    noise = textures.value_noise(np.random.default_rng(0), (4, 8))
    inside = np.abs(np.diff(noise, axis=0)).max()
    across = np.abs(noise[0] - noise[-1]).max()
    assert across <= inside + 1e-6
