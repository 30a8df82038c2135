import asyncio
from types import SimpleNamespace

import pytest

from sharp_xr.stream import selftest
from sharp_xr.stream.selftest import SENDER_HOOKS, check_aiortc, check_hooks


def test_the_installed_aiortc_has_everything() -> None:
    check_aiortc()


def test_the_check_runs_inside_a_running_loop_as_well() -> None:
    async def run() -> None:
        check_aiortc()

    asyncio.run(run())


@pytest.mark.parametrize("missing", SENDER_HOOKS)
def test_a_missing_hook_is_named_with_versions_and_remedy(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "version", lambda package: "1.17.0")
    stub = SimpleNamespace(**{name: None for name in SENDER_HOOKS if name != missing})
    with pytest.raises(RuntimeError) as error:
        check_hooks("RTCRtpSender", stub, SENDER_HOOKS)
    assert str(error.value) == (
        "aiortc 1.17.0 is installed, sharp-xr needs 1.16: RTCRtpSender has no "
        f"'{missing.removeprefix('_RTCRtpSender')}'; install with constraints.txt"
    )


def test_a_hook_that_aiortc_itself_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("aiortc.rtcrtpsender.RTCRtpSender._run_rtp")
    with pytest.raises(RuntimeError, match="RTCRtpSender has no '_run_rtp'"):
        check_aiortc()
