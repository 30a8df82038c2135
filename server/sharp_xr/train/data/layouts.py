"""Which kinds of places there are, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.outdoors import outdoors
from sharp_xr.train.data.places import Place
from sharp_xr.train.data.rooms import room, tabletop

LAYOUTS: tuple[tuple[Callable[[np.random.Generator, Library], Place], float], ...] = (
    (room, 0.45),
    (tabletop, 0.17),
    (outdoors, 0.38),
)
"""A maker of places and the share of scenes that it makes."""


def random_place(rng: np.random.Generator, library: Library) -> Place:
    """A place of any kind."""
    chosen = int(rng.choice(len(LAYOUTS), p=[share for _, share in LAYOUTS]))
    return LAYOUTS[chosen][0](rng, library)
