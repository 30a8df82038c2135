"""What the headset's parts decide, without a headset: formats, spaces, bindings, names."""

from types import SimpleNamespace

import pytest

try:
    import xr
    from OpenGL import GL
except (ImportError, AttributeError) as error:  # AttributeError: no libGL
    pytest.skip(f"no OpenXR or no OpenGL here: {error}", allow_module_level=True)

from sharp_xr_client.hands import Hand
from sharp_xr_client.openxr import conversion, session, window
from sharp_xr_client.openxr.actions import NAMES, PROFILES, SIDES, TYPES, Actions, bindings
from sharp_xr_client.openxr.painting import choose_format
from sharp_xr_client.openxr.runtime import choose_rate, display_of
from sharp_xr_client.problem import ClientError
from sharp_xr_protocol.geometry import Fov, Pose, Velocity, from_rotation_vector

SPACES = xr.ReferenceSpaceType


def test_srgb_is_chosen_wherever_it_stands() -> None:
    linear_first = [GL.GL_RGBA16F, GL.GL_RGBA8, GL.GL_SRGB8_ALPHA8]
    assert choose_format(linear_first) == GL.GL_SRGB8_ALPHA8
    assert choose_format([GL.GL_RGBA8, GL.GL_SRGB8]) == GL.GL_SRGB8
    with pytest.raises(ClientError, match="offers no sRGB picture, only 0x8058"):
        choose_format([GL.GL_RGBA8])


def test_the_floor_is_chosen_where_there_is_one() -> None:
    assert session.choose_room([SPACES.LOCAL, SPACES.STAGE]) == SPACES.LOCAL
    assert session.choose_room([SPACES.LOCAL, SPACES.LOCAL_FLOOR]) == SPACES.LOCAL_FLOOR


@pytest.mark.parametrize(
    ("size", "hz", "longest", "found"),
    [
        ((1344, 1512), 60.0, None, (1344, 1512, 60.0)),
        ((1344, 1512), 60.0, 756, (672, 756, 60.0)),
        ((100, 100), 60.0, 512, (100, 100, 60.0)),
        ((1001, 1003), 90.0, None, (1000, 1004, 90.0)),
        ((20000, 10), 5000.0, None, (8192, 16, 1000.0)),
    ],
)
def test_a_display_is_even_and_within_the_protocol(
    size: tuple[int, int], hz: float, longest: int | None, found: tuple[int, int, float]
) -> None:
    display = display_of(size, hz, longest)
    assert (display.eye_width, display.eye_height, display.refresh_hz) == found


@pytest.mark.parametrize(
    ("offered", "wanted", "found"),
    [
        ([72.0, 90.0, 120.0], 90.0, 90.0),
        ([72.0, 90.0, 120.0], 60.0, 72.0),
        ([72.0, 90.0, 120.0], 144.0, 120.0),
        ([80.0, 100.0], 90.0, 100.0),
        ([72.0, 90.0], None, None),
        ([], 90.0, None),
    ],
)
def test_the_nearest_rate_is_asked_for(
    offered: list[float], wanted: float | None, found: float | None
) -> None:
    assert choose_rate(offered, wanted) == found


def test_a_runtime_without_rates_says_so_and_is_asked_for_none() -> None:
    bare = session.Session.__new__(session.Session)
    bare.runtime = SimpleNamespace(extensions=[])  # type: ignore[assignment]
    assert bare.request_rate(72.0) == (
        "this runtime does not let programs choose a rate, 72 Hz or any"
    )


def test_every_controller_binds_only_what_there_is() -> None:
    for profile, kinds in PROFILES.items():
        found = list(bindings(kinds))
        assert {binding.action for binding in found} <= set(TYPES) == set(NAMES), profile
        for side in SIDES:
            mine = [b.action for b in found if b.path.startswith(f"/user/hand/{side}/input/")]
            assert {"grip", "squeeze"} <= set(mine), f"{profile} cannot hold with the {side} hand"
            assert len(mine) == len(set(mine)), f"{profile} has two inputs for one action"


def test_a_side_in_a_name_binds_that_hand_alone() -> None:
    touch = [b.path for b in bindings(PROFILES["oculus/touch_controller"]) if b.action == "menu"]
    assert touch == ["/user/hand/left/input/menu/click", "/user/hand/right/input/b/click"]


def test_a_controller_that_the_runtime_does_not_know_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def only_simple(_: Actions, profile: str, kinds: object) -> None:
        asked.append(profile)
        if profile != "khr/simple_controller":
            raise xr.exception.PathUnsupportedError

    asked: list[str] = []
    monkeypatch.setattr(Actions, "_suggest", only_simple)
    actions = Actions.__new__(Actions)
    actions._suggest_all([])
    assert asked == [profile for profile in PROFILES if profile != "ext/hand_interaction_ext"]
    asked.clear()
    actions._suggest_all(["XR_EXT_hand_interaction"])
    assert asked == list(PROFILES)


def test_focus_that_went_since_the_last_event_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_focused(*_: object) -> None:
        raise xr.exception.SessionNotFocused

    monkeypatch.setattr(xr, "sync_actions", not_focused)
    actions = Actions.__new__(Actions)
    actions._session = SimpleNamespace(handle=None)  # type: ignore[assignment]
    actions._set = xr.ActionSet()
    assert actions.read(0) == (Hand(), Hand())


def test_poses_go_to_openxr_and_back() -> None:
    pose = Pose((0.25, -0.5, 1.0), from_rotation_vector((0.1, 0.2, 0.3)))
    back = conversion.pose_from(conversion.posef_from(pose))
    assert back.position == pose.position
    assert back.orientation == pytest.approx(pose.orientation, abs=1e-7)


def test_fields_of_view_go_to_openxr_and_back() -> None:
    fov = Fov(-0.75, 0.5, 0.625, -0.875)
    assert conversion.fov_from(conversion.fovf_from(fov)) == fov


def test_what_a_runtime_does_not_know_of_a_velocity_is_nothing() -> None:
    vectors = {
        "linear_velocity": xr.Vector3f(1, 2, 3),
        "angular_velocity": xr.Vector3f(4, 5, 6),
    }
    flags = xr.SpaceVelocityFlags
    for bit, found in (
        (flags.NONE, Velocity()),
        (flags.LINEAR_VALID_BIT, Velocity((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))),
        (flags.ANGULAR_VALID_BIT, Velocity((0.0, 0.0, 0.0), (4.0, 5.0, 6.0))),
    ):
        known = xr.SpaceVelocity(velocity_flags=bit, **vectors)
        assert conversion.velocity_from(known) == found


@pytest.mark.parametrize(
    ("platform", "environment", "found"),
    [("win32", {}, True), ("linux", {"DISPLAY": ":0"}, True), ("linux", {"DISPLAY": ""}, False)],
)
def test_a_screen_is_known_by_its_name(
    platform: str, environment: dict[str, str], found: bool
) -> None:
    assert window.has_screen(platform, environment) is found
