"""What the user writes, and what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sharp_xr import devices
from sharp_xr.cli import Doctor, Predict, Render, Serve, Train, Weights, parse, run


def test_serve_needs_no_word_more() -> None:
    assert parse(["serve"]) == Serve()
    assert Serve().listens_on == "127.0.0.1"


def test_https_is_for_the_network_unless_a_host_is_named() -> None:
    assert parse(["serve", "--https"]) == Serve(https=True)
    assert Serve(https=True).listens_on == Serve(cert=Path("my.pem")).listens_on == "0.0.0.0"
    assert Serve(https=True, host="127.0.0.1").listens_on == "127.0.0.1"


def test_commands_take_what_the_documentation_shows() -> None:
    assert parse(["serve", "a.jpg", "--gpu", "0", "--port", "0", "--data", "d", "--log-json"]) == (
        Serve(show=Path("a.jpg"), gpu=0, port=0, data=Path("d"), log_json=True)
    )
    assert parse(["predict", "a.jpg", "b.heic", "-o", "out", "--focal-35mm", "26"]) == (
        Predict((Path("a.jpg"), Path("b.heic")), Path("out"), focal_35mm=26.0)
    )
    assert parse(
        ["predict", "a.jpg", "-o", "a.npz", "--model", "sharp", "--precision", "bf16", "--compile"]
    ) == (Predict((Path("a.jpg"),), Path("a.npz"), model="sharp", precision="bf16", compile=True))
    assert parse(["render", "s.ply", "-o", "s.mp4", "--stereo", "--trajectory", "swipe"]) == (
        Render(Path("s.ply"), Path("s.mp4"), stereo=True, trajectory="swipe")
    )
    assert parse(["render", "s.ply", "-o", "s.png", "--at", "-0.1,0,0", "--depth"]) == (
        Render(Path("s.ply"), Path("s.png"), at="-0.1,0,0", depth=True)
    )
    assert parse(["doctor", "--json"]) == Doctor(json=True)


def test_train_and_weights_pass_their_words_on() -> None:
    assert parse(["train", "lite", "--help"]) == Train(("lite", "--help"))
    assert parse(["weights", "fetch", "sharp"]) == Weights(("fetch", "sharp"))


@pytest.mark.parametrize("args", [[], ["fly"], ["serve", "--port", "x"], ["predict", "a.jpg"]])
def test_what_cannot_be_read_ends_with_argparse_s_status(args: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(args)
    assert ended.value.code == 2


def test_help_waits_for_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from sharp_xr.cli import parse\n"
        "try:\n"
        "    parse(['serve', '--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'numpy', 'numba', 'av', 'aiortc', 'starlette'} & set(sys.modules)\n"
        "    sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "--gpu" in ended.stdout


@pytest.mark.parametrize(
    ("package", "extra"), [("uvicorn", "server"), ("aiortc", "server"), ("av", "server")]
)
def test_a_missing_package_is_a_sentence_that_names_the_extra(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(self: Serve) -> int:
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.inner")

    monkeypatch.setattr(Serve, "run", missing)
    assert run(["serve"]) == 1
    assert capsys.readouterr().err == (
        f"sharp-xr: serve needs {package}, which is not installed: "
        f"pip install 'sharp-xr[{extra}]'\n"
    )


def test_a_missing_module_of_ours_is_a_fault_and_stays_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(self: Serve) -> int:
        raise ModuleNotFoundError("No module named 'sharp_xr.nothing'", name="sharp_xr.nothing")

    monkeypatch.setattr(Serve, "run", missing)
    with pytest.raises(ModuleNotFoundError):
        run(["serve"])


@pytest.mark.parametrize("command", [["serve"], ["predict", "a.jpg", "-o", "a.ply"]])
def test_a_gpu_that_is_not_there_is_a_sentence(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "usable_gpus", lambda: "there is no NVIDIA GPU")
    monkeypatch.setattr("sharp_xr.logs.configure", lambda **options: None)
    assert run([*command, "--gpu", "0"]) == 1
    assert "--device cpu" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["serve"], ["predict", "a.jpg", "-o", "a.ply"]])
def test_a_model_that_there_is_not_is_a_sentence(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sharp_xr.logs.configure", lambda **options: None)
    assert run([*command, "--device", "cpu", "--model", "flat"]) == 1
    sentence = (
        "sharp-xr: there is no model 'flat', wanted one of lite, sharp, or a file of weights\n"
    )
    assert capsys.readouterr().err == sentence
