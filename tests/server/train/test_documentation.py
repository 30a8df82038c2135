"""Every command that the pages on training show is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tyro

from sharp_xr import cli as whole
from sharp_xr.train import cli, running
from sharp_xr.train.ablate import Ablate
from sharp_xr.train.data.look import Look
from sharp_xr.train.data.synth import Synth
from sharp_xr.train.depth_training import TrainLite
from sharp_xr.train.stages import Stage1, Stage2

ROOT = Path(__file__).parents[3]
TRAIN = ROOT / "server" / "sharp_xr" / "train"
PAGES = {
    ROOT / "docs" / "train-your-own.md": {
        **{Synth: 3, Look: 1, TrainLite: 1, Ablate: 6, Stage1: 2, Stage2: 1},
        **{whole.Serve: 2, whole.Predict: 1},
    },
    TRAIN / "README.md": {Synth: 1, Look: 1, TrainLite: 1},
    TRAIN / "data" / "README.md": {Synth: 1, Look: 1},
}


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command in an indented block; one for each of ``a|b``."""
    for line in re.sub(r"\\\n *", "", page).splitlines():
        if line.startswith("    "):
            said = re.split(r" #|    ", line.strip())[0]
            yield from alternatives(said.split())


def alternatives(words: list[str]) -> Iterator[list[str]]:
    for i, word in enumerate(words):
        if "|" in word:
            for choice in word.split("|"):
                yield from alternatives([*words[:i], choice, *words[i + 1 :]])
            return
    yield words


def parsed(words: list[str]) -> object:
    """What a command's words say, or None if it is not ours."""
    words = ["1" if word == "N" else word for word in words]
    module = ["-m", "sharp_xr.train.running"]
    if module[1] in words:
        return running.stage_of(words[words.index(module[1]) + 1 :])
    if words[:1] != ["sharp-xr"]:
        return None
    if words[1:3] == ["train", "run"]:
        return running.stage_of(words[3:])
    if words[1] == "train":
        return tyro.cli(cli.Command, args=words[2:])
    return whole.parse(words[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_understood(page: Path) -> None:
    found = [parsed(words) for words in commands(page.read_text())]
    for kind, count in PAGES[page].items():
        assert [type(command) for command in found].count(kind) == count, kind.__name__
    assert len([command for command in found if command]) == sum(PAGES[page].values())
