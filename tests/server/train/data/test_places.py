"""Whole scenes, drawn with the tests' own furniture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train.data.furniture import Library
from sharp_xr.train.data.layouts import LAYOUTS
from sharp_xr.train.data.outdoors import outdoors
from sharp_xr.train.data.places import Place
from sharp_xr.train.data.raycast import Camera, shoot
from sharp_xr.train.data.rooms import room
from sharp_xr.train.data.scene import FAR_M
from sharp_xr.train.data.views import Exposure, look_at, random_view

Make = Callable[[np.random.Generator, Library], Place]


@pytest.mark.parametrize("make", [make for make, _ in LAYOUTS])
def test_a_place_has_views_with_two_layers(make: Make, library: Library) -> None:
    rng = np.random.default_rng(1)
    place = make(rng, library)
    view = random_view(rng, place, 96, tries=60)
    assert view is not None
    _, shot = view
    assert shot.depth.shape == (96, 96) and shot.behind is not None
    assert np.isfinite(shot.depth).all() and shot.depth.min() > 0
    assert shot.depth.max() <= FAR_M
    known = shot.behind > 0
    assert known.mean() > 0.95
    # Rays of one pixel differ by a rounding; nothing else may be nearer behind than before.
    assert (shot.behind >= shot.depth * 0.999)[known].all()
    picture = Exposure.of(rng, shot.linear).applied(shot.linear)
    assert picture.std() > 10, "neither black nor burnt"


def test_the_shares_of_places_add_up() -> None:
    assert sum(share for _, share in LAYOUTS) == pytest.approx(1)


@pytest.mark.parametrize("make", [room, outdoors])
def test_there_is_sky_outdoors_and_hardly_any_in_a_room(make: Make, library: Library) -> None:
    place = make(np.random.default_rng(1), library)
    eye = ((place.low + place.high) / 2).astype(np.float32)
    sky = 0.0
    for x, z in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        aim = eye + np.array([x, 0.2, z], np.float32)
        shot = shoot(place.scene, Camera(eye, look_at(eye, aim, 0.0), 30.0, 48, 36))
        sky += float((shot.depth == FAR_M).mean()) / 4
    assert sky > 0.05 if make is outdoors else sky < 0.05
