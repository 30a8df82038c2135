"""What the doctor finds, and what it advises."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from sharp_xr import devices, doctor
from sharp_xr.doctor import Finding, active_runtime, data_folder, free_port, openxr_runtime


def test_this_machine_can_be_examined(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = doctor.run(tmp_path, 0, as_json=True)
    findings = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert code == 0, findings
    assert findings["encoder"]["found"].startswith("x264")
    assert findings["aiortc"]["state"] == "ok"
    assert findings["renderer"]["found"].startswith("cpu (")


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("note", 0), ("bad", 1)])
def test_only_what_serve_cannot_do_without_is_a_failure(
    state: doctor.State,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finding = Finding("x", state, "found this", "do that" if code else "")
    monkeypatch.setattr(doctor, "examine", lambda data, port: [finding])
    assert doctor.run(Path("."), 0, as_json=False) == code
    out = capsys.readouterr().out
    assert "found this" in out and ("-> do that" in out) == bool(code)


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> Finding:
        raise OSError("the bus is on fire")

    def missing() -> Finding:
        raise ModuleNotFoundError(name="numba")

    monkeypatch.setattr(doctor, "memory", broken)
    monkeypatch.setattr(doctor, "renderer", missing)
    monkeypatch.setattr(doctor, "model", lambda: Finding("model", "ok", ""))
    findings = {each.name: each for each in doctor.examine(tmp_path, 0)}
    assert findings["memory"].found == "OSError: the bus is on fire"
    assert findings["renderer"].remedy == "pip install 'sharp-xr[server]'"
    assert findings["port"].state == "ok"


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SERVER_PACKAGES", ("numpy", "no-such-package"))
    finding = doctor.packages()
    assert (finding.state, finding.found) == ("bad", "missing: no-such-package")


def test_a_gpu_without_gsplat_draws_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_gpus", lambda: ["H100"])
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    finding = doctor.gpu()
    assert finding.state == "note" and "0: H100" in finding.found
    assert finding.remedy == "pip install 'sharp-xr[cuda]'"


def test_little_memory_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "free_memory", lambda: 1 << 30)
    assert doctor.memory() == Finding(
        "memory", "note", "1.0 GiB free", "close programs; large photos need 2 GiB"
    )
    monkeypatch.setattr(doctor, "free_memory", lambda: None)
    assert doctor.memory().state == "note"


def test_a_port_that_is_taken_is_noted() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        finding = free_port(taken.getsockname()[1])
    assert finding.state == "note" and "--port 0" in finding.remedy


def test_a_folder_that_will_be_made_is_writable_and_one_below_a_file_is_not(tmp_path: Path) -> None:
    assert data_folder(tmp_path / "new" / "newer").state == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert data_folder(tmp_path / "file").state == "bad"


def test_the_active_openxr_runtime_is_found_as_the_loader_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XR_RUNTIME_JSON", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    manifest = tmp_path / "openxr" / "1" / "active_runtime.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"runtime": {"library_path": "libmonado.so"}}', encoding="utf-8")
    assert active_runtime() == manifest
    assert openxr_runtime().found == f"libmonado.so ({manifest})"
    other = tmp_path / "other.json"
    monkeypatch.setenv("XR_RUNTIME_JSON", str(other))
    assert active_runtime() == other
    assert "no runtime's manifest" in openxr_runtime().found


def test_encoders_that_are_missing_are_named_with_their_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sharp_xr.stream import encoder

    monkeypatch.setattr(
        encoder, "why_not", lambda name, settings: None if name == "nvenc" else "no such chip"
    )
    found = doctor.encoders().found
    assert "; NVENC" in found and "no NVENC" not in found
    assert found.count("(no such chip)") == 2


def test_little_disk_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 29)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    finding = doctor.data_folder(tmp_path)
    assert finding.state == "note" and finding.found.endswith(", 0.5 GiB free")
