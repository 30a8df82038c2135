"""What is wrong with a scene of fewer Gaussians is told, and mended."""

from __future__ import annotations

import dataclasses

import numpy as np
from tests.server.render.photo_scene import photo_scene
from tests.server.render.scenes import many, one_gaussian

from sharp_xr.gaussians import Float32, Gaussians
from sharp_xr.render.cpu.likeness import Likeness
from sharp_xr.render.cpu.vantages import photo_view

CELLS = 48


def likeness_to(scene: Gaussians) -> Likeness:
    view = photo_view(scene, CELLS * CELLS)
    assert view is not None
    return Likeness(scene, view, threads=2)


def recoloured(scene: Gaussians, colors: Float32) -> Gaussians:
    return dataclasses.replace(scene, colors=colors.astype(np.float32))


def test_a_scene_is_like_itself() -> None:
    scene = photo_scene(CELLS)
    assert likeness_to(scene).errors(scene).max() == 0


def test_the_guilty_gaussian_has_to_answer_for_the_error() -> None:
    far = [one_gaussian((x, 0.0, 2.0), 0.1, 0.6) for x in (-0.8, 0.0, 0.8)]
    scene = many(*far)
    wrong = scene.colors.copy()
    wrong[1] += 0.3
    errors = likeness_to(scene).errors(recoloured(scene, wrong))
    assert errors[1] > 100 * max(errors[0], errors[2])


def test_colours_are_found_back_where_they_are_seen() -> None:
    scene = photo_scene(CELLS)
    random = np.random.default_rng(0)
    factors = random.uniform(0.6, 1.4, (len(scene), 1)).astype(np.float32)
    spoilt = recoloured(scene, scene.colors * factors)
    likeness = likeness_to(scene)
    mended = likeness.refit(spoilt)
    assert likeness.errors(mended).sum() < 0.4 * likeness.errors(spoilt).sum()
    assert mended.colors.min() >= 0
    # Nothing but colours.
    assert mended.means is spoilt.means
    assert mended.covariances is spoilt.covariances


def test_what_nobody_sees_keeps_its_colour() -> None:
    scene = many(photo_scene(CELLS), one_gaussian((0.0, 0.0, 500.0), 0.01))
    spoilt = recoloured(scene, scene.colors * 0.5)
    mended = likeness_to(scene).refit(spoilt)
    np.testing.assert_allclose(mended.colors[-1], spoilt.colors[-1], atol=1e-4)
