"""Keys of poses and their history."""

from hypothesis import given
from hypothesis import strategies as st

from sharp_xr_client.poses import KEYS, KeyClock, PoseHistory, key_difference
from sharp_xr_client.simulated import eyes
from sharp_xr_protocol.geometry import Pose
from sharp_xr_protocol.messages import Tracking


def tracking(key: int) -> Tracking:
    return Tracking(key, 0, Pose(), eyes())


@given(st.lists(st.integers(0, 1 << 62), min_size=2, max_size=20).map(sorted))
def test_keys_rise_strictly_whatever_the_clock_does(times_ns: list[int]) -> None:
    # Steps of under 2**31 ticks: a viewer sends more often than every 6 hours.
    step_ns = (1 << 31) * 11_000
    close = [times_ns[0] + (time - times_ns[0]) % step_ns for time in times_ns]
    clock = KeyClock()
    keys = [clock.key(time_ns) for time_ns in sorted(close)]
    for older, newer in zip(keys, keys[1:], strict=False):
        assert 0 <= newer < KEYS
        assert key_difference(newer, older) > 0


def test_a_key_is_the_90_khz_clock() -> None:
    clock = KeyClock()
    assert clock.key(1_000_000_000) == 90_000
    assert clock.key(1_500_000_000) == 135_000


def test_two_poses_in_one_tick_get_two_keys() -> None:
    clock = KeyClock()
    first, second, third = (clock.key(time_ns) for time_ns in (5_000_000, 5_000_001, 5_000_002))
    assert (second - first, third - second) == (1, 1)


def test_keys_wrap_after_thirteen_hours() -> None:
    wrap_ns = KEYS * 1_000_000_000 // 90_000
    clock = KeyClock()
    before, after = clock.key(wrap_ns - 50_000), clock.key(wrap_ns + 50_000)
    assert before > after
    assert key_difference(after, before) == 9


def test_a_frame_finds_exactly_its_pose_even_if_frames_are_lost_or_reordered() -> None:
    history = PoseHistory()
    poses = [tracking(1500 * number) for number in range(10)]
    for pose in poses:
        history.add(pose)
    for number in (7, 2, 9, 3):
        assert history.get(1500 * number) is poses[number]
    assert history.get(1501) is None


def test_the_history_forgets_the_oldest() -> None:
    history = PoseHistory(capacity=3)
    for key in range(5):
        history.add(tracking(key))
    assert [history.get(key) is not None for key in range(5)] == [False, False, True, True, True]
