"""The page's modules under node: unit tests, and their bytes read by the server's own code."""

import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from sharp_xr_protocol.codec import decode_from_client

HERE = Path(__file__).parent
NODE = shutil.which("node")
GOLDEN = json.loads((HERE.parent / "protocol" / "golden.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(
    NODE is None, reason="node is not installed (Debian: apt install nodejs)"
)


def node(*arguments: str) -> str:
    """What node prints; fails with all of it if node fails."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.js")), ids=lambda file: file.stem)
def test_unit_tests_of_the_page_pass(file: Path) -> None:
    report = node("--test", "--test-reporter=tap", str(file))
    assert "\n# pass 0\n" not in report, "no test ran"


def test_the_server_reads_every_message_that_the_page_writes() -> None:
    messages = [vector["message"] for vector in GOLDEN if vector["direction"] == "from_client"]
    lines = node(str(HERE / "encode_golden.js")).split()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        read = decode_from_client(bytes.fromhex(line))
        assert json.loads(msgspec.json.encode(read)) == message
