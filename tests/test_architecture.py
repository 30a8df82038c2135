"""The plan of the house, checked on the source text: which part may import which.

A module belongs to the key that it is or lies under; a key that has keys below it stands for
itself only, so every new module must be given a part. Imports inside functions count too.
"""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ["protocol", "server", "client_openxr"]

MAY_IMPORT: dict[str, set[str]] = {
    "sharp_xr_protocol": set(),
    "sharp_xr_client": {"sharp_xr_protocol"},
    "sharp_xr": set(),
    "sharp_xr.folders": set(),
    "sharp_xr.photo": set(),
    "sharp_xr.eigen": set(),
    "sharp_xr.rotation": set(),
    "sharp_xr.gaussians": {"sharp_xr.eigen", "sharp_xr.rotation"},
    "sharp_xr.device_gaussians": {"sharp_xr.gaussians"},
    "sharp_xr.formats": {"sharp_xr.gaussians"},
    "sharp_xr.model": {
        "sharp_xr.folders",
        "sharp_xr.photo",
        "sharp_xr.gaussians",
        "sharp_xr.device_gaussians",
        "sharp_xr.rotation",
    },
    "sharp_xr.weights": {"sharp_xr.model"},
    "sharp_xr.prediction": {"sharp_xr.photo", "sharp_xr.gaussians", "sharp_xr.model"},
    "sharp_xr.render": {
        "sharp_xr.gaussians",
        "sharp_xr.device_gaussians",
        "sharp_xr.rotation",
        "sharp_xr_protocol",
    },
    "sharp_xr.stream": {"sharp_xr.render", "sharp_xr_protocol"},
    "sharp_xr.perceptual": set(),
    "sharp_xr.train": {
        "sharp_xr.eval",
        "sharp_xr.perceptual",
        "sharp_xr.photo",
        "sharp_xr.progress",
        "sharp_xr.model",
        "sharp_xr.render",
    },
    "sharp_xr.eval": {
        "sharp_xr.perceptual",
        "sharp_xr.photo",
        "sharp_xr.gaussians",
        "sharp_xr.model",
        "sharp_xr.render",
    },
    "sharp_xr.logs": set(),
    "sharp_xr.devices": {"sharp_xr.render"},
    "sharp_xr.http": {"sharp_xr_protocol"},
    "sharp_xr.clients": {"sharp_xr.http", "sharp_xr.stream", "sharp_xr_protocol"},
    "sharp_xr.scenes": set(),
    "sharp_xr.scenes.index": {"sharp_xr.formats"},
    "sharp_xr.scenes.store": {"sharp_xr.gaussians", "sharp_xr.formats", "sharp_xr.scenes.index"},
    "sharp_xr.scenes.focal": {
        "sharp_xr.photo",
        "sharp_xr.scenes.index",
        "sharp_xr.scenes.store",
    },
    "sharp_xr.scenes.ready": {"sharp_xr.stream"},
    "sharp_xr.scenes.snapshot": {
        "sharp_xr.photo",
        "sharp_xr.gaussians",
        "sharp_xr.formats",
        "sharp_xr.render",
        "sharp_xr_protocol",
    },
    "sharp_xr.scenes.gallery": {
        "sharp_xr.gaussians",
        "sharp_xr.formats",
        "sharp_xr.scenes.focal",
        "sharp_xr.scenes.index",
        "sharp_xr.scenes.ready",
        "sharp_xr.scenes.snapshot",
        "sharp_xr.scenes.store",
        "sharp_xr.render",
        "sharp_xr.stream",
        "sharp_xr_protocol",
    },
    "sharp_xr.scenes.jobs": {"sharp_xr.http"},
    "sharp_xr.scenes.uploads": {
        "sharp_xr.photo",
        "sharp_xr.formats",
        "sharp_xr.http",
        "sharp_xr.model",
        "sharp_xr.prediction",
        "sharp_xr.scenes.gallery",
        "sharp_xr.scenes.index",
        "sharp_xr.scenes.jobs",
        "sharp_xr_protocol",
    },
    "sharp_xr.app": {
        "sharp_xr.clients",
        "sharp_xr.http",
        "sharp_xr.render",
        "sharp_xr.scenes.gallery",
        "sharp_xr.scenes.store",
        "sharp_xr.scenes.uploads",
        "sharp_xr.stream",
        "sharp_xr_protocol",
    },
    "sharp_xr.routes": {
        "sharp_xr.app",
        "sharp_xr.clients",
        "sharp_xr.http",
        "sharp_xr.scenes.index",
        "sharp_xr_protocol",
    },
    "sharp_xr.serve": {
        "sharp_xr.app",
        "sharp_xr.devices",
        "sharp_xr.http",
        "sharp_xr.model",
        "sharp_xr.prediction",
        "sharp_xr.routes",
        "sharp_xr.scenes.index",
        "sharp_xr.scenes.uploads",
        "sharp_xr.stream",
    },
    "sharp_xr.predict": {
        "sharp_xr.photo",
        "sharp_xr.formats",
        "sharp_xr.model",
        "sharp_xr.prediction",
        "sharp_xr.progress",
    },
    "sharp_xr.progress": set(),
    "sharp_xr.draw": {
        "sharp_xr.devices",
        "sharp_xr.formats",
        "sharp_xr.render",
        "sharp_xr_protocol",
    },
    "sharp_xr.doctor": {
        "sharp_xr.devices",
        "sharp_xr.model",
        "sharp_xr.render",
        "sharp_xr.stream",
    },
    "sharp_xr.cli": {
        "sharp_xr.devices",
        "sharp_xr.doctor",
        "sharp_xr.draw",
        "sharp_xr.eval",
        "sharp_xr.folders",
        "sharp_xr.logs",
        "sharp_xr.model",
        "sharp_xr.predict",
        "sharp_xr.prediction",
        "sharp_xr.progress",
        "sharp_xr.serve",
        "sharp_xr.train",
        "sharp_xr.weights",
    },
}
LIGHT = ["sharp_xr_protocol"]
HEAVY = {"torch", "gsplat", "aiortc", "starlette", "av", "xr"}

FILES = [file for source in SOURCES for file in sorted((ROOT / source).rglob("*.py"))]


def module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(part for part in parts if part != "__init__")


def part(name: str) -> str | None:
    """The part of the house that a dotted name is in; None for what is not ours."""
    for key in MAY_IMPORT:
        has_parts = any(other.startswith(key + ".") for other in MAY_IMPORT)
        if name == key or (name.startswith(key + ".") and not has_parts):
            return key
    return None


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import; write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=module)
def test_imports_only_what_its_part_may(file: Path) -> None:
    here = part(module(file))
    assert here, f"{file} is in no part of the house: add it to MAY_IMPORT"
    there = {part(name) for name in imports(file)} - {None, here}
    assert there <= MAY_IMPORT[here], f"{here} must not import {there - MAY_IMPORT[here]}"


@pytest.mark.parametrize("file", [f for f in FILES if part(module(f)) in LIGHT], ids=module)
def test_light_parts_stay_light(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & HEAVY


def test_no_arrow_of_the_plan_is_without_an_import() -> None:
    unused = {here: set(there) for here, there in MAY_IMPORT.items() if there}
    for file in FILES:
        here = part(module(file))
        assert here
        unused.setdefault(here, set()).difference_update(part(name) for name in imports(file))
    left = {here: there for here, there in unused.items() if there}
    assert not left, f"take these out of MAY_IMPORT, nothing imports them: {left}"


def at_once(body: list[ast.stmt]) -> Iterator[str]:
    """What is imported when a module is; not for types alone, and not within functions."""
    for node in body:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case ast.If() if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from at_once(node.body + node.orelse)
            case ast.Try():
                yield from at_once(node.body + node.orelse)


def test_no_module_imports_itself_through_others() -> None:
    """Within a part too: what is at the bottom of a room knows nothing of what stands on it."""
    names = {module(file) for file in FILES}
    graph: dict[str, set[str]] = {}
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        # Of `from a.b import c`, the module a.b.c where there is one, else a.b.
        found = ({name, name.rpartition(".")[0]} & names for name in at_once(tree.body))
        graph[module(file)] = {max(there, key=len) for there in found if there}
    TopologicalSorter(graph).prepare()  # CycleError names the circle
