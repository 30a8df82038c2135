"""Cameras: the photographer's, and those beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("embreex", reason="drawing scenes needs embreex: pip install 'sharp-xr[train]'")

from sharp_xr.train.data import shapes, views
from sharp_xr.train.data.mesh import SceneBuilder
from sharp_xr.train.data.places import Place, Subject
from sharp_xr.train.data.raycast import Camera, shoot
from sharp_xr.train.data.scene import Lights, scene_of
from sharp_xr.train.data.views import (
    BESIDE_M,
    Exposure,
    chosen_subject,
    look_at,
    novel_cameras,
    overview,
    random_view,
)

LIGHTS = Lights(
    np.array([[0, 1, 0, 0]], np.float32),
    np.ones((1, 3), np.float32),
    np.ones((2, 3), np.float32),
    0.0,
    np.zeros(1, np.float32),
)


def black(directions: np.ndarray) -> np.ndarray:
    return np.zeros_like(directions)


def hall(distance_m: float, screen: bool = False) -> tuple[Place, Camera]:
    """A wall that far before a camera at the origin; by choice a screen close to its right."""
    builder = SceneBuilder()
    corners = np.array([(-50, -50, 0), (50, -50, 0), (50, 50, 0), (-50, 50, 0)], np.float32)
    builder.add(shapes.quad(corners + np.array([0, 0, distance_m], np.float32)))
    if screen:
        side = np.array([(-0.1, -9, -9), (-0.1, 9, -9), (-0.1, 9, 9), (-0.1, -9, 9)], np.float32)
        builder.add(shapes.quad(side))
    eye = np.array([0, 1, 0], np.float32)
    low, high = np.full(3, -9, np.float32), np.full(3, 9, np.float32)
    place = Place("hall", scene_of(builder, LIGHTS, black), [], low, high)
    return place, Camera(eye, look_at(eye, eye + np.array([0, 0, 1], np.float32), 0), 48, 48, 48)


def beside(distance_m: float, count: int = 10, screen: bool = False) -> list[Camera]:
    place, camera = hall(distance_m, screen)
    shot = shoot(place.scene, camera)
    return novel_cameras(np.random.default_rng(0), place, camera, shot, count)


def test_a_camera_looks_at_its_target_upright() -> None:
    eye, target = np.array([1, 2, 3], np.float32), np.array([4, 1, 5], np.float32)
    right, up, forward = look_at(eye, target, roll=0.0).T
    np.testing.assert_allclose(forward, (target - eye) / np.linalg.norm(target - eye), atol=1e-6)
    assert right[1] == pytest.approx(0, abs=1e-6) and up[1] > 0
    np.testing.assert_allclose(np.cross(right, up), -forward, atol=1e-6)


def test_ten_novel_views_lie_in_rings_and_look_at_the_same_thing() -> None:
    cameras = beside(3.0)
    assert len(cameras) == 10
    away = np.array([np.linalg.norm(c.position - [0, 1, 0]) for c in cameras])
    assert 0.5 < away.max() <= BESIDE_M + 1e-5 and away.min() < 0.3
    for camera in cameras:
        to_target = np.array([0, 1, 3]) - camera.position
        local = camera.world_from_camera.T @ to_target
        np.testing.assert_allclose(local[:2] / local[2], 0, atol=1e-5)


def test_before_near_things_the_rings_are_narrower() -> None:
    away = [np.linalg.norm(c.position - [0, 1, 0]) for c in beside(0.6)]
    assert max(away) <= 0.3 + 1e-5


def test_no_view_from_behind_a_screen() -> None:
    cameras = beside(3.0, screen=True)
    assert 1 <= len(cameras) < 10
    assert all(c.position[0] > -0.1 for c in cameras)


def test_fewer_views_can_be_asked_for() -> None:
    assert len(beside(3.0, count=4)) == 4
    assert beside(3.0, count=0) == []


def test_an_exposure_is_one_for_all_views() -> None:
    light = np.linspace(0, 1, 300, dtype=np.float32).reshape(10, 10, 3)
    exposure = Exposure.of(np.random.default_rng(0), light)
    first = exposure.applied(light)
    assert first.max() > 120 and (np.diff(first.reshape(-1).astype(int)) >= 0).all()
    np.testing.assert_array_equal(exposure.applied(light[5:]), first[5:])
    brighter = Exposure.of(np.random.default_rng(0), 9 * light)
    assert brighter.gain == pytest.approx(exposure.gain / 9, rel=1e-3), "as a camera does"


def test_novel_views_turn_to_a_thing_in_the_middle_rather_than_to_what_is_behind_it() -> None:
    place, camera = hall(6.0)
    shot = shoot(place.scene, camera)
    shot.depth[16:32, 16:22] = 1.0  # a third of the middle third
    cameras = novel_cameras(np.random.default_rng(0), place, camera, shot, 10)
    for novel in cameras:
        local = novel.world_from_camera.T @ (np.array([0, 1, 1]) - novel.position)
        np.testing.assert_allclose(local[:2] / local[2], 0, atol=1e-4)


def test_an_overview_looks_from_one_side_of_a_room_over_to_the_other() -> None:
    place, _ = hall(3.0)
    rng = np.random.default_rng(1)
    sights = []
    for _ in range(200):
        camera = overview(rng, place, 96)
        assert np.all(camera.position >= place.low) and np.all(camera.position <= place.high)
        forward, eye = camera.world_from_camera[[0, 2], 2], camera.position[[0, 2]]
        walls = np.where(forward > 0, place.high[[0, 2]], place.low[[0, 2]])
        sights.append(float(((walls - eye) / forward).min() * np.linalg.norm(forward)))
    width = float(place.high[0] - place.low[0])
    # To any part of the room, a fifth would see less than 0.55 of its width.
    assert np.percentile(sights, 20) > 0.62 * width


@pytest.mark.parametrize(
    ("x", "is_taken"), [(0.2, False), (1.2, True)], ids=["blocked by a screen", "beside it"]
)
def test_an_overview_is_taken_from_where_nothing_blocks_it(
    x: float, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, ahead = hall(3.0, screen=True)
    camera = replace(ahead, position=np.array([x, 1, 0], np.float32), focal_px=24)
    monkeypatch.setattr(views, "overview", lambda *_: camera)
    watched = replace(place, overview_share=1.0)
    assert (random_view(np.random.default_rng(0), watched, 48) is not None) is is_taken


@pytest.mark.parametrize(("screen", "is_worth"), [(False, False), (True, True)])
def test_a_bare_wall_is_no_photo_however_it_slants(
    screen: bool, is_worth: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, ahead = hall(3.0, screen)
    eye = np.array([1.2, 1, 0], np.float32)
    slanting = look_at(eye, eye + np.array([-0.7, 0, 1], np.float32), 0)
    camera = replace(ahead, position=eye, world_from_camera=slanting, focal_px=24)
    monkeypatch.setattr(views, "random_camera", lambda *_: camera)
    assert (random_view(np.random.default_rng(0), place, 48) is not None) is is_worth


def test_large_things_are_photographed_more_often_than_small_ones() -> None:
    cup, sofa = (Subject(np.zeros(3, np.float32), size, 0.0, False) for size in (0.1, 2.0))
    rng = np.random.default_rng(0)
    sizes = [chosen_subject(rng, [cup, cup, cup, sofa]).size for _ in range(300)]
    assert 0.7 < np.mean(np.array(sizes) > 1) < 0.95
