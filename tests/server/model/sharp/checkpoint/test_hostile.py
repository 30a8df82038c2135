"""Whatever a file of weights is, it costs one sentence: nothing runs, little memory, no time."""

from __future__ import annotations

import io
import os
import pickle
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from tests.server.model.sharp.checkpoint.weight_files import (
    entry,
    raw_safetensors,
    save_pt,
    tiny_state,
    zipped,
)
from torch import nn

from sharp_xr.model import ModelError
from sharp_xr.model.sharp.checkpoint import load_network, open_checkpoint
from sharp_xr.model.sharp.checkpoint.table import MAX_TABLE_BYTES, MAX_TENSORS


def refused(path: Path) -> str:
    """The sentence, which names the file first, without line breaks."""
    with pytest.raises(ModelError) as error:
        open_checkpoint(path)
    sentence = str(error.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400
    return sentence


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (picture("JPEG"), "a JPEG picture"),
        (picture("PNG"), "a PNG picture"),
        (picture("WEBP"), "a WebP picture"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\n  <HTML>Sign in to this network</HTML>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"ply\nformat binary_little_endian 1.0\n", "a .ply scene"),
        (pickle.dumps({"a": 1}, 2), "save it again"),
        (bytes(4096), "full of zeros"),
        (b"some notes of mine", "of an unknown kind"),
        (b"PK\3\4 and no more", "its directory is missing"),
    ],
)
def test_what_is_no_weights_is_called_by_its_name(
    tmp_path: Path, content: bytes, what: str
) -> None:
    path = tmp_path / "sharp.pt"
    path.write_bytes(content)
    assert what in refused(path)


def test_a_path_without_a_readable_file_is_said(tmp_path: Path) -> None:
    assert "there are no weights at" in refused(tmp_path / "nowhere.pt")
    assert "is a folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is a device or a pipe" in refused(tmp_path / "pipe")
    if os.geteuid():
        (tmp_path / "secret").touch(mode=0)
        assert "cannot be read" in refused(tmp_path / "secret")


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    state = {f"layer{i}.weight": torch.randn(7, 9) for i in range(4)}
    if kind == "pt":
        torch.save(state, tmp_path / "whole")
        whole = (tmp_path / "whole").read_bytes()
    else:
        whole = save(state)
    path = tmp_path / "cut"
    lengths = {*range(0, len(whole), 97), *range(20), *range(len(whole) - 70, len(whole))}
    for length in lengths:
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_file_damaged_anywhere_loads_or_costs_one_sentence(tmp_path: Path, kind: str) -> None:
    state = {f"layer{i}.weight": torch.randn(3, 5) for i in range(4)}
    save_pt(tmp_path / "whole", state)
    whole = (tmp_path / "whole").read_bytes() if kind == "pt" else save(state)
    path = tmp_path / "damaged"
    dice = random.Random(0)
    loaded = 0
    for _ in range(250):
        damaged = bytearray(whole)
        for _ in range(dice.choice([1, 1, 3, 30])):
            damaged[dice.randrange(len(damaged))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
        path.write_bytes(damaged)
        try:
            with open_checkpoint(path) as checkpoint:
                for key in checkpoint.shapes():
                    checkpoint.tensor(key).sum()
            loaded += 1
        except ModelError as error:
            assert str(path) in str(error)
    assert 0 < loaded < 250


class Calls:
    """Pickles as a call of something."""

    def __init__(self, callee: Callable[..., object], *arguments: object) -> None:
        self.called = (callee, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.called


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        (lambda trap: Calls(os.system, f"touch {trap}"), "system"),
        (lambda trap: {"a": Calls(os.mkdir, str(trap))}, "mkdir"),
        (lambda trap: {"a": torch.ones(2), "b": Calls(eval, f"open({str(trap)!r}, 'w')")}, "eval"),
        (lambda trap: nn.Linear(2, 2), "torch.nn.modules"),
        (lambda trap: {"a": Calls(bytearray, 1 << 40)}, "bytearray"),
        (lambda trap: {"a": np.ones(3)}, "numpy"),
    ],
)
def test_a_program_in_a_pt_is_named_and_not_run(
    tmp_path: Path, hidden: Callable[[Path], object], named: str, protocol: int
) -> None:
    trap = tmp_path / "trap"
    torch.save(hidden(trap), tmp_path / "a.pt", pickle_protocol=protocol)
    assert named in refused(tmp_path / "a.pt")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"model": {"a": torch.ones(2)}}, "a dictionary under 'model', wanted tensors only"),
        ({"a": torch.ones(2), "epoch": 7}, "7 under 'epoch'"),
        ({3: torch.ones(2)}, "3 as a name"),
        (torch.ones(3), "a single tensor, wanted a dictionary"),
        ((torch.ones(3),), "wanted a dictionary"),
        ([torch.ones(3)], "instruction"),
        ({"a": torch.ones(1).expand(1000, 1000)}, "gaps or repetitions"),
        ({"a": torch.ones(10, 10)[:, ::2]}, "gaps or repetitions"),
        ({"a": torch.ones(10)[torch.tensor([], dtype=torch.long)]}, "positive numbers"),
        ({"a": (whole := torch.ones(100)), "b": whole}, "in the same bytes"),
        ({"a": (whole := torch.ones(100))[:60], "b": whole[40:]}, "in the same bytes"),
    ],
)
def test_what_is_no_flat_state_dict_is_refused(
    tmp_path: Path, content: object, complaint: str
) -> None:
    assert complaint in refused(save_pt(tmp_path / "a.pt", content))


def pickled_tensor(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    """Of one tensor "a" in record 0, whatever is in there."""
    file = io.BytesIO()
    torch.save({"a": torch.ones(4)}, file)
    with zipfile.ZipFile(file) as archive:
        honest = archive.read("archive/data.pkl")
    written = b"K\0K\4\x85q\x08K\1\x85"
    assert written in honest

    def numbers(values: tuple[int, ...]) -> bytes:
        coded = b"".join(
            b"\x8a\x10" + value.to_bytes(16, "little", signed=True) for value in values
        )
        return b"(" + coded + b"t"

    claimed = numbers((offset,))[1:-1] + numbers(shape) + b"q\x08" + numbers(strides)
    return honest.replace(written, claimed)


def test_our_own_pickle_of_a_tensor_is_read_if_it_is_honest(tmp_path: Path) -> None:
    data = np.arange(8, dtype=np.float32)
    path = zipped(tmp_path / "a.pt", pickled_tensor((2, 3), (3, 1), 2), {"0": data.tobytes()})
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.tensor("a").tolist() == [[2.0, 3.0, 4.0], [5.0, 6.0, 7.0]]


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((1 << 40,), (1,), 0),
        ((1 << 62, 1 << 62), (1 << 62, 1), 0),
        ((1 << 120,), (1,), 0),
        ((4,), (1,), 1),
        ((4,), (1,), -1),
        ((4,), (1,), 1 << 62),
        ((-4,), (1,), 0),
        ((0,), (1,), 0),
        ((4,), (-1,), 0),
        ((2, 2), (1,), 0),
        ((1,) * 65, (1,) * 65, 0),
    ],
)
def test_a_pt_that_claims_what_it_does_not_have_is_refused(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    refused(zipped(tmp_path / "a.pt", pickled_tensor(shape, strides, offset), {"0": bytes(16)}))


def test_a_pt_without_its_records_or_with_others_is_refused(tmp_path: Path) -> None:
    pickled = pickled_tensor((4,), (1,))
    path = tmp_path / "a.pt"
    assert "lacks the record" in refused(zipped(path, pickled, {}))
    squeezed = zipped(path, pickled, {"0": bytes(16)}, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(squeezed)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no weights here")
    assert "none that torch.save wrote" in refused(path)
    with zipfile.ZipFile(zipped(path, pickled, {"0": bytes(16)}), "a") as archive:
        archive.writestr("archive/byteorder", "big")
    assert "big-endian" in refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_pt_with_two_lists_of_tensors_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.pt", pickled_tensor((4,), (1,)), {"0": bytes(16)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data.pkl", pickled_tensor((4,), (1,)))
    assert "two records" in refused(path)


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02(((((.",
        b"\x80\x02}q\0r\xff\xff\xff\xff.",  # a memo that C's pickle would make gigabytes of
        b"\x80\x02h\x05.",
        b"\x80\x02)R.",
        b"\x80\x02}U\x05aaaaa}s.",
        b"\x80\x02ccollections\nOrderedDict\nK\1\x85R.",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
        b"\x80\x02" + b"}" * 100_000 + b".",
        b"\x80\x02K\1" + b"2\x86" * 500 + b"}q\0h\0K\1s.",
        b"\x80\x02)" + b"q\0h\0\x86" * 2000 + b"q\1}h\1K\1s.",  # a name that takes ever to hash
        b"no pickle at all",
    ],
)
def test_senseless_pickles_end_soon_in_a_sentence(tmp_path: Path, program: bytes) -> None:
    refused(zipped(tmp_path / "a.pt", program, {}))


def test_a_directory_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    """Sparse: the file says that it is huge, and takes no room."""
    path = tmp_path / "huge.pt"
    size = 1 << 33
    with path.open("wb") as file:
        file.write(b"PK\3\4")
        file.seek(size)
        at = struct.pack("<QQQQ", 1 << 20, 1 << 20, size - 4, 4)
        file.write(b"PK\6\6" + struct.pack("<QHHLL", 44, 45, 45, 0, 0) + at)
        file.write(b"PK\6\7" + struct.pack("<LQL", 0, size, 1))
        file.write(b"PK\5\6" + struct.pack("<HHHHLLH", *[0xFFFF] * 4, *[0xFFFFFFFF] * 2, 0))
    assert "directory of 8," in refused(path)


@pytest.mark.parametrize("place", [0, 1 << 20, 1 << 62, 1 << 63, (1 << 64) - 1])
def test_a_directory_said_to_be_elsewhere_is_refused(tmp_path: Path, place: int) -> None:
    path = save_pt(tmp_path / "a.pt", {"a": torch.ones(4)})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\6\6") + 48
    data[at : at + 8] = place.to_bytes(8, "little")
    path.write_bytes(data)
    refused(path)


SAFETENSORS_LIES: list[tuple[object, bytes, str]] = [
    ({"a": entry([4], 0, 16)}, bytes(12), "is cut off"),
    ({"a": entry([4], 0, 16)}, bytes(20), "nobody asked for"),
    ({"a": entry([4], 0, 12)}, bytes(12), "its shape wants 16"),
    ({"a": entry([4], 4, 20)}, bytes(20), "gap or an overlap"),
    ({"a": entry([4], 0, 16), "b": entry([4], 0, 16)}, bytes(16), "gap or an overlap"),
    ({"a": entry([4], 0, 16), "b": entry([4], 8, 24)}, bytes(24), "gap or an overlap"),
    ({"a": entry([4], -16, 0)}, bytes(16), "where"),
    ({"a": entry([1 << 62, 1 << 62], 0, 16)}, bytes(16), "its shape wants"),
    ({"a": entry([0], 0, 0)}, b"", "positive numbers"),
    ({"a": entry([-4], 0, 16)}, bytes(16), "positive numbers"),
    ({"a": entry([4.0], 0, 16)}, bytes(16), "positive numbers"),
    ({"a": entry([True], 0, 4)}, bytes(4), "positive numbers"),
    ({"a": entry(["4"], 0, 16)}, bytes(16), "positive numbers"),
    ({"a": entry([4], 0, 16, "F33")}, bytes(16), "unknown type"),
    ({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}, bytes(4), "unknown type"),
    ({"a": {"dtype": "F32", "shape": 4, "data_offsets": [0, 16]}}, bytes(16), "no shape"),
    ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0]}}, bytes(16), "where"),
    ({"a": 7}, b"", "says nothing of"),
    ({"__metadata__": {"a": 7}}, b"", "no texts"),
    ({"__metadata__": ["a"]}, b"", "no texts"),
    (b'{"a": 1', b"", "no JSON"),
    (b"{" + b'"a":{' * 50_000, b"", "no JSON"),
    (b'{"a": ' + b"9" * 5000 + b"}", b"", "no JSON"),
    (b'{"\xff": 1}', b"", "no JSON"),
    (b'{"a": 1, "a": 2}', b"", "twice"),
]


@pytest.mark.parametrize(("header", "data", "complaint"), SAFETENSORS_LIES)
def test_a_safetensors_header_that_lies_is_refused(
    tmp_path: Path, header: object, data: bytes, complaint: str
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw_safetensors(header, data))
    assert complaint in refused(path)


def test_tables_of_contents_have_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((MAX_TABLE_BYTES + 1).to_bytes(8, "little") + b"{}")
    assert "table of contents of 4,194,305 bytes" in refused(path)
    path.write_bytes(b"\xff" * 7 + b"\x7f" + b"{}")
    assert "table of contents of" in refused(path)
    many = {str(i): entry([1], 4 * i, 4 * i + 4) for i in range(MAX_TENSORS + 1)}
    path.write_bytes(raw_safetensors(many, bytes(4 * len(many))))
    assert "16,385 tensors" in refused(path)


def test_a_key_cannot_order_a_huge_network(tmp_path: Path) -> None:
    state = tiny_state()
    key = "monodepth_model.monodepth_predictor.encoder.patch_encoder.blocks.999999999.norm1.weight"
    state[key] = torch.ones(48)
    with pytest.raises(ModelError, match=re.escape("too few for 1,000,000,000 blocks")):
        load_network(save_pt(tmp_path / "a.pt", state))


def test_names_from_a_file_stay_on_one_line_of_the_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw_safetensors({"x\n\x1b[31m" + "y" * 1000: entry([4], 0, 12)}, bytes(12)))
    sentence = refused(path)
    assert "\x1b" not in sentence
    state = {**tiny_state(), "new\nline" * 100: torch.ones(1)}
    with pytest.raises(ModelError) as error:
        load_network(save_pt(tmp_path / "b.pt", state))
    assert "\n" not in str(error.value)
