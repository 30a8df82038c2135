"""What every benchmark takes and gives: ``--json FILE``, a line for each figure, the load."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path


def bench_parser(docstring: str | None) -> argparse.ArgumentParser:
    """A benchmark's options, ``--json`` among them; its help is the docstring's first line."""
    options = argparse.ArgumentParser(description=(docstring or "").partition("\n")[0])
    options.add_argument("--json", type=Path, help="write the figures to this file")
    return options


def report(figures: Mapping[str, float], file: Path | None) -> None:
    """Print each figure and the machine's load, then write the figures to ``file``."""
    for name, value in figures.items():
        print(f"{name:40} {value:10.4g}")
    print(f"load of the machine's {os.cpu_count()} cores: {os.getloadavg()[0]:.1f}")
    write_json(figures, file)


def write_json(figures: Mapping[str, float], file: Path | None) -> None:
    """To ``file`` alone, if there is one, for a benchmark that has shown them in its own table."""
    if file:
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
