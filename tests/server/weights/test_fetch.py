"""`sharp-xr weights`: from a yes to a licence to a checked file, and every way that can fail."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.server.model.sharp.checkpoint.weight_files import save_pt, tiny_state
from tests.server.weights.file_server import Served, serving

from sharp_xr.cli import run
from sharp_xr.model import ModelError
from sharp_xr.model.sharp import released
from sharp_xr.model.sharp.checkpoint import load_network, open_checkpoint
from sharp_xr.model.sharp.released import SHARP_RELEASE, Release, find_sharp_weights
from sharp_xr.weights import download, fetch


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small network's weights, as Apple published those of the large one."""
    return save_pt(tmp_path_factory.mktemp("apple") / "a.pt", tiny_state()).read_bytes()


@pytest.fixture
def served(published: bytes) -> Iterator[Served]:
    with serving(published) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights go."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    patient = functools.partial(download.download, pause=lambda seconds: None)
    monkeypatch.setattr(fetch, "download", patient)
    return tmp_path / "sharp-xr" / "weights"


@pytest.fixture
def release(served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """The catalogue's entry, with the small file in place of the large one."""
    entry = replace(
        SHARP_RELEASE,
        url=served.url,
        size=len(served.content),
        sha256=hashlib.sha256(served.content).hexdigest(),
    )
    put(entry, monkeypatch)
    return entry


def put(entry: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(released.RELEASES, "sharp", entry)
    monkeypatch.setattr(released, "SHARP_RELEASE", entry)


FETCH = ["weights", "fetch", "sharp", "--accept-license"]


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on stderr, which is what went wrong."""
    return capsys.readouterr().err.splitlines()[-1]


def answer(words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which the user types this; None: no terminal."""

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return words is not None

    monkeypatch.setattr(sys, "stdin", Typed(words or ""))


def test_the_catalogue_names_the_released_file_of_702_million_numbers() -> None:
    assert SHARP_RELEASE.url == "https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt"
    assert 0 < SHARP_RELEASE.size - 4 * 702_305_169 < 1_000_000
    assert len(bytes.fromhex(SHARP_RELEASE.sha256)) == 32


def test_a_fetch_leaves_checked_weights_of_our_kind_alone_in_the_folder(
    release: Release, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(FETCH) == 0
    assert [path.name for path in folder.iterdir() if path.suffix] == ["sharp.safetensors"]
    assert find_sharp_weights() == folder / "sharp.safetensors"
    with open_checkpoint(find_sharp_weights()) as checkpoint:
        assert checkpoint.metadata["source_sha256"] == release.sha256
        assert checkpoint.metadata["source"] == release.url
        assert "research only" in checkpoint.metadata["license"]
        assert release.licence_url in checkpoint.metadata["license"]
    load_network(find_sharp_weights())
    said = capsys.readouterr()
    assert str(folder / "sharp.safetensors") in said.out
    assert "downloading sharp_2572gikvuh.pt: 3 of 3 MB" in said.err


def test_the_published_file_can_be_kept(release: Release, folder: Path, published: bytes) -> None:
    assert run([*FETCH, "--keep"]) == 0
    assert (folder / release.file).read_bytes() == published


def test_weights_that_are_here_are_not_fetched_again(
    release: Release, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(FETCH) == 0
    served.asked.clear()
    assert run(["weights", "fetch", "sharp"]) == 0
    assert "already there" in capsys.readouterr().out
    assert served.asked == []


@pytest.mark.parametrize("words", ["yes\n", "y\n", " YES \n"])
def test_a_yes_on_a_terminal_is_enough(
    release: Release,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(words, monkeypatch)
    assert run(FETCH[:3]) == 0
    said = capsys.readouterr().out
    assert "non-commercial" in said
    assert release.licence_url in said


@pytest.mark.parametrize("words", ["no\n", "\n", "yes please, and thanks\n", "", None])
def test_nothing_is_fetched_without_a_yes(
    release: Release,
    served: Served,
    folder: Path,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(words, monkeypatch)
    assert run(FETCH[:3]) == 1
    assert "--accept-license" in sentence(capsys)
    assert served.asked == []
    assert not folder.exists()


def test_an_unknown_name_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "fetch", "flat"]) == 1
    assert sentence(capsys) == "sharp-xr: there are no weights 'flat', wanted one of sharp"


def test_a_fetch_goes_on_after_a_broken_connection(
    release: Release, served: Served, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.cuts = [100_000] + [0] * download.TRIES
    assert run(FETCH) == 1
    assert "try again later to go on" in sentence(capsys)
    assert run(["weights", "list"]) == 0
    assert "4% of it is here; go on: sharp-xr weights fetch sharp" in capsys.readouterr().out
    served.cuts.clear()
    served.asked.clear()
    assert run(FETCH) == 0
    assert served.asked == [("bytes=100000-", '"v1"')]


def test_without_a_network_the_sentence_names_address_file_and_folder(
    release: Release,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(replace(release, url="https://host.invalid/sharp_2572gikvuh.pt"), monkeypatch)
    monkeypatch.setattr(download, "TRIES", 1)
    assert run(FETCH) == 1
    said = sentence(capsys)
    assert "host.invalid cannot be reached" in said
    for named in ("https://host.invalid/sharp_2572gikvuh.pt", release.file, str(folder)):
        assert named in said


def test_a_file_placed_by_hand_is_checked_and_converted_without_a_network(
    release: Release,
    served: Served,
    folder: Path,
    published: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder.mkdir(parents=True)
    (folder / release.file).write_bytes(published)
    with pytest.raises(ModelError, match="not yet checked and converted: sharp-xr weights fetch"):
        find_sharp_weights()
    run(["weights", "list"])
    assert "not yet checked and converted" in capsys.readouterr().out
    assert run(FETCH) == 0
    assert served.asked == []
    assert find_sharp_weights().exists()


def test_a_file_with_another_checksum_is_removed(
    release: Release, served: Served, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.content = served.content[:-1] + b"\1"
    assert run(FETCH) == 1
    said = sentence(capsys)
    assert release.sha256 in said
    assert hashlib.sha256(served.content).hexdigest() in said
    assert [path.name for path in folder.iterdir() if path.suffix] == []


def test_a_file_of_another_size_is_refused(
    release: Release, served: Served, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.content = b"<html>Sign in to this network</html>"
    assert run(FETCH) == 1
    assert "a file of 36 bytes" in sentence(capsys)
    (folder / release.file).write_bytes(b"placed by hand")
    assert run(FETCH) == 1
    assert "has 14 bytes" in sentence(capsys)
    assert (folder / release.file).exists()


def test_a_file_that_is_gone_is_a_sentence(
    release: Release, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.status = [404]
    assert run(FETCH) == 1
    assert "is not there: 404" in sentence(capsys)


def test_a_published_file_that_is_no_network_is_not_converted(
    release: Release,
    served: Served,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served.content = bytes(1000)
    digest = hashlib.sha256(served.content).hexdigest()
    put(replace(release, size=1000, sha256=digest), monkeypatch)
    assert run(FETCH) == 1
    assert "full of zeros" in sentence(capsys)
    assert not (folder / release.converted).exists()


def test_a_full_disk_is_said_before_the_download(
    release: Release,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    free = shutil.disk_usage("/")._replace(free=54_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    assert run(FETCH) == 1
    assert "has 54 MB left, wanted 56 MB" in sentence(capsys)
    assert served.asked == []


def test_a_folder_that_cannot_be_made_is_a_sentence(
    release: Release, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.parent.write_bytes(b"a file where the folder should be")
    assert run(FETCH) == 1
    assert f"{folder} cannot be written to" in sentence(capsys)


@pytest.mark.skipif(os.name == "nt", reason="locks files otherwise")
def test_two_fetches_do_not_write_into_one_file(
    release: Release, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir(parents=True)
    with fetch._alone(folder):
        assert run(FETCH) == 1
    assert "another fetch is at work" in sentence(capsys)
    assert run(FETCH) == 0


def test_what_a_killed_conversion_left_is_tidied_up(release: Release, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "sharp.safetensors.4711.part").write_bytes(b"half of it")
    assert run(FETCH) == 0
    assert [path.name for path in folder.iterdir() if path.suffix] == ["sharp.safetensors"]


def test_the_list_tells_licence_place_and_state(
    release: Release, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> str:
        assert run(["weights", "list"]) == 0
        return capsys.readouterr().out

    assert "lite   licence: MIT" in said()
    assert release.licence_url in said()
    assert "not here (0.0 GB); get it: sharp-xr weights fetch sharp" in said()
    assert run(FETCH) == 0
    capsys.readouterr()
    assert f"here, made of the published file: {folder / 'sharp.safetensors'}" in said()
    (folder / "sharp.safetensors").write_bytes(b"something else")
    assert "not made of the published file" in said()


def test_without_weights_the_model_s_sentence_says_what_to_do(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"sharp-xr weights fetch sharp") as missing:
        find_sharp_weights()
    assert str(folder) in str(missing.value)
