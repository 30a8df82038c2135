"""A store of scenes keeps what it was given, whatever is asked of it and whenever it is killed."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.server.straw import some_gaussians

from sharp_xr.formats.ply import PhotoCamera, read_ply
from sharp_xr.gaussians import Gaussians
from sharp_xr.scenes.index import (
    FOCUS_RANGE_M,
    MIGRATIONS,
    Origin,
    SceneError,
    SceneNotFound,
    SceneRecord,
)
from sharp_xr.scenes.store import MAX_NAME, SceneStore, clean_name, near_distance, new_record

ROOT = Path(__file__).parents[3]
PHOTO = PhotoCamera(4000, 3000, 3500.0)
UNKNOWN_IDS = ["0" * 24, "", ".", "..", "../index.sqlite", "/etc", "' OR 1=1 --", "a\0b"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SceneStore]:
    with SceneStore(tmp_path) as store:
        yield store


def add(store: SceneStore, name: str = "Garden", count: int = 3) -> SceneRecord:
    gaussians = some_gaussians(count)
    record = new_record(gaussians, name=name, model="lite", photo=PHOTO)
    store.add(record, gaussians, b"a jpeg")
    return record


def at_depths(*depths: float) -> Gaussians:
    means = np.zeros((len(depths), 3), np.float32)
    means[:, 2] = depths
    ones = np.ones((len(depths), 6), np.float32)
    return Gaussians(means, ones, ones[:, :3], ones[:, 0])


# --- what is kept --------------------------------------------------------------------------------


def test_a_scene_comes_back_as_it_was_stored(store: SceneStore) -> None:
    record = add(store, count=5)
    loaded, stored = store.load(record.id), some_gaussians(5)
    np.testing.assert_array_equal(loaded.means, stored.means)
    np.testing.assert_allclose(loaded.covariances, stored.covariances, atol=1e-7)
    np.testing.assert_allclose(loaded.colors, stored.colors, atol=1e-6)
    np.testing.assert_allclose(loaded.opacities, stored.opacities, atol=1e-6)
    assert store.thumbnail(record.id) == b"a jpeg"
    assert (record.gaussians, record.model, record.photo) == (5, "lite", PHOTO)
    assert store.get(record.id) == record


def test_scenes_are_there_after_a_restart(tmp_path: Path) -> None:
    with SceneStore(tmp_path) as store:
        records = [add(store, "first"), add(store, "second")]
    with SceneStore(tmp_path) as store:
        assert store.list() == records[::-1]
        assert len(store.load(records[0].id)) == 3


def test_the_newest_scene_comes_first_also_within_one_tick_of_the_clock(
    store: SceneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([7.0, 9.0, 9.0, 8.0])
    monkeypatch.setattr("sharp_xr.scenes.store.time.time", lambda: next(ticks))
    for name in ("seven", "nine", "nine too", "eight"):
        add(store, name)
    assert [record.name for record in store.list()] == ["nine too", "nine", "eight", "seven"]


def test_a_renamed_scene_differs_in_its_name_only(store: SceneStore) -> None:
    record, other = add(store), add(store, "Other")
    renamed = store.rename(record.id, "  Back\tyard ")
    assert renamed == store.get(record.id)
    assert renamed.name == "Back yard"
    assert (renamed.id, renamed.created) == (record.id, record.created)
    assert store.get(other.id).name == "Other"


def test_a_renewed_scene_is_the_newest(tmp_path: Path) -> None:
    with SceneStore(tmp_path) as store:
        old, new = add(store, "old"), add(store, "new")
        renewed = store.renew(old.id)
        assert renewed.created >= new.created
        with pytest.raises(SceneNotFound):
            store.renew("none")
    with SceneStore(tmp_path) as store:
        assert [record.name for record in store.list()] == ["old", "new"]


def test_a_deleted_scene_leaves_nothing(store: SceneStore, tmp_path: Path) -> None:
    record, other = add(store), add(store)
    store.delete(record.id)
    assert store.list() == [other]
    assert [folder.name for folder in (tmp_path / "scenes").iterdir()] == [other.id]
    with pytest.raises(SceneNotFound):
        store.load(record.id)


def test_two_threads_may_add_at_once(store: SceneStore, tmp_path: Path) -> None:
    together = threading.Barrier(2)
    added: list[SceneRecord] = []

    def work() -> None:
        together.wait(20)
        added.extend(add(store) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(added) == 10
    ids = {record.id for record in store.list()}
    assert ids == {record.id for record in added}
    assert {folder.name for folder in (tmp_path / "scenes").iterdir()} == ids


# --- names and ids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("IMG_0001.jpg", "IMG_0001.jpg"),
        ("  two\n\tlines  ", "two lines"),
        ("bell\a and nul\0", "bell and nul"),
        ("turned \u202egpj.exe", "turned gpj.exe"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("../../etc/passwd", "../../etc/passwd"),  # a name is never a path
        ("long " * 1000, ("long " * 1000)[: MAX_NAME - 1]),
        ("\u202e\0\n", ""),
    ],
)
def test_a_name_is_one_visible_line(given: str, kept: str) -> None:
    assert clean_name(given) == kept


def test_a_scene_without_a_visible_name_is_untitled(store: SceneStore) -> None:
    assert add(store, "\0 \u202e").name == "Untitled"


def test_a_scene_is_not_renamed_to_nothing(store: SceneStore) -> None:
    record = add(store)
    with pytest.raises(SceneError, match="the name is empty, wanted 1 to 120 characters"):
        store.rename(record.id, " \n")
    assert store.get(record.id) == record


@pytest.mark.parametrize("scene_id", UNKNOWN_IDS)
def test_an_id_that_is_none_or_a_path_leads_nowhere(
    store: SceneStore, tmp_path: Path, scene_id: str
) -> None:
    record = add(store)
    for ask in (store.get, store.load, store.thumbnail, store.ply_path, store.delete):
        with pytest.raises(LookupError, match="^there is no such scene: it may have been deleted$"):
            ask(scene_id)
    with pytest.raises(SceneNotFound):
        store.rename(scene_id, "mine")
    assert store.list() == [record]
    assert (tmp_path / "index.sqlite").exists()
    assert len(store.load(record.id)) == 3


def test_ids_cannot_be_guessed(store: SceneStore) -> None:
    ids = {add(store).id for _ in range(3)}
    assert len(ids) == 3
    assert all(len(bytes.fromhex(scene_id)) == 12 for scene_id in ids)


# --- what goes wrong -----------------------------------------------------------------------------

KILLED_IN_ADD = """
import os, signal, sys
from pathlib import Path
from tests.server.scenes.test_store import add
from sharp_xr.scenes.store import SceneStore

store = SceneStore(Path(sys.argv[1]))
add(store, "earlier")
flush, left = os.fsync, int(sys.argv[2])

def flush_and_die(descriptor):
    global left
    flush(descriptor)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = flush_and_die
add(store, "interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
@pytest.mark.parametrize(
    ("flushes", "leaves"), [(1, ".new-"), (3, ".new-"), (4, "")], ids=["ply", "files", "renamed"]
)
def test_a_kill_while_a_scene_is_added_costs_that_scene_only(
    tmp_path: Path, flushes: int, leaves: str
) -> None:
    command = [sys.executable, "-c", KILLED_IN_ADD, str(tmp_path), str(flushes)]
    ended = subprocess.run(command, check=False, timeout=60, cwd=ROOT)
    assert ended.returncode == -signal.SIGKILL
    folders = [folder.name for folder in (tmp_path / "scenes").iterdir()]
    assert len(folders) == 2, "the kill came too early or too late to test anything"
    assert sum(name.startswith(".new-") for name in folders) == bool(leaves)
    with SceneStore(tmp_path) as store:
        (earlier,) = store.list()
        assert earlier.name == "earlier"
        assert len(store.load(earlier.id)) == 3
        assert [folder.name for folder in (tmp_path / "scenes").iterdir()] == [earlier.id]
        add(store, "next")
        assert len(store.list()) == 2


def test_a_scene_whose_files_are_gone_is_not_listed(tmp_path: Path) -> None:
    with SceneStore(tmp_path) as store:
        lost, kept = add(store), add(store)
        folder = store.ply_path(lost.id).parent
    folder.rename(tmp_path / "elsewhere")
    with SceneStore(tmp_path) as store:
        assert store.list() == [kept]


def test_a_damaged_file_is_one_sentence(store: SceneStore) -> None:
    record, other = add(store), add(store)
    path = store.ply_path(record.id)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SceneError, match="^the scene's file is damaged: [^\n]+$"):
        store.load(record.id)
    path.unlink()
    with pytest.raises(SceneError, match="^cannot load the scene: No such file or directory$"):
        store.load(record.id)
    assert len(store.load(other.id)) == 3


def test_a_scene_that_cannot_be_written_leaves_nothing(
    store: SceneStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(SceneError, match="^cannot store the scene: the disk is full$"):
            add(store)
    assert store.list() == []
    assert list((tmp_path / "scenes").iterdir()) == []
    add(store)


def test_a_second_server_is_told_that_the_directory_is_taken(
    store: SceneStore, tmp_path: Path
) -> None:
    with pytest.raises(SceneError, match="another sharp-xr is using them"):
        SceneStore(tmp_path)
    add(store)


COUNTING_KERNELS = """
import sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from tests.server.scenes.test_store import add
from sharp_xr.scenes.store import SceneStore, warm_up

def compiled():
    modules = [m for name, m in sys.modules.items() if name.startswith("sharp_xr.")]
    kernels = {k for m in modules for k in vars(m).values() if isinstance(k, Dispatcher)}
    return sum(len(kernel.signatures) for kernel in kernels)

warm_up()
before = compiled()
with SceneStore(Path(sys.argv[1])) as store:
    add(store)
print(before, compiled())
"""


def test_the_first_scene_finds_all_kernels_compiled(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNTING_KERNELS, str(tmp_path)]
    counted = subprocess.check_output(command, text=True, timeout=100, cwd=ROOT)
    before, after = map(int, counted.split())
    assert 0 < before == after


# --- origin --------------------------------------------------------------------------------------


def test_what_a_scene_was_made_of_is_kept(tmp_path: Path) -> None:
    gaussians, origin = some_gaussians(), Origin("ab" * 32, "lite 0.1.0 packaged")
    record = new_record(gaussians, name="n", model="lite", photo=PHOTO, origin=origin)
    with SceneStore(tmp_path) as store:
        store.add(record, gaussians, b"a jpeg")
        without = add(store)
    with SceneStore(tmp_path) as store:
        assert store.get(record.id) == record
        assert store.get(without.id).origin is None


def test_the_index_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    with SceneStore(tmp_path) as store:
        predicted, uploaded = add(store, "predicted"), add(store, "uploaded")
    index = sqlite3.connect(tmp_path / "index.sqlite")
    with contextlib.closing(index), index:  # as the first version left it
        for column in ("predicted_focal_px", "photo_sha256", "predictor"):
            index.execute(f"ALTER TABLE scenes DROP COLUMN {column}")
        index.execute("UPDATE scenes SET model = 'ply' WHERE name = 'uploaded'")
        index.execute("PRAGMA user_version = 0")
    with SceneStore(tmp_path) as store:
        assert store.get(predicted.id) == predicted
        assert store.get(uploaded.id).predicted_focal_px is None
    with SceneStore(tmp_path) as store:  # and only once
        assert len(store.list()) == 2


def test_the_index_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    with SceneStore(tmp_path) as store:
        add(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "index.sqlite")) as index:
        index.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(SceneError, match="^a newer sharp-xr has written the index of scenes"):
        SceneStore(tmp_path)


# --- focal length and focus ----------------------------------------------------------------------


def test_a_corrected_focal_length_stretches_what_was_predicted_each_time_anew(
    store: SceneStore,
) -> None:
    record = add(store)
    for focal_px in (7000.0, 1000.0, 1750.0):
        corrected = store.refocus(record.id, focal_px)
        gaussians, info = read_ply(store.ply_path(record.id))
        assert corrected.photo.focal_px == info.photo.focal_px == focal_px
    np.testing.assert_allclose(gaussians.means[:, 2], [0.5, 1.0, 1.5], rtol=1e-6)
    np.testing.assert_allclose(gaussians.covariances[0, [0, 3, 5]], [0.01, 0.01, 0.0025], rtol=1e-5)
    assert corrected.focus_m == pytest.approx(record.focus_m / 2)
    np.testing.assert_array_equal(store.load(record.id).means, some_gaussians().means)
    assert len(list(store.ply_path(record.id).parent.glob("*.ply"))) == 2
    assert store.refocus(record.id, PHOTO.focal_px) == record
    assert store.ply_path(record.id).name == "scene.ply"


def test_a_scene_of_an_unknown_camera_keeps_its_focal_length(store: SceneStore) -> None:
    gaussians = some_gaussians()
    record = new_record(gaussians, name="n", model="ply", photo=PHOTO, camera_is_known=False)
    store.add(record, gaussians, b"a jpeg")
    with pytest.raises(SceneError, match="does not say with which camera"):
        store.refocus(record.id, 1000.0)
    with pytest.raises(SceneNotFound):
        store.refocus("none", 1000.0)
    assert store.get(record.id) == record


@pytest.mark.parametrize(
    ("depths", "near_m"),
    [
        (tuple(range(1, 12)), 2.0),  # a tenth is nearer
        ((-5.0, -4.0, 3.0), 3.0),  # what is behind the camera does not count
        ((0.01,), 0.01),
        ((), 2.0),
    ],
)
def test_what_is_near_is_the_nearest_tenth(depths: tuple[float, ...], near_m: float) -> None:
    assert near_distance(at_depths(*depths)) == pytest.approx(near_m)


@pytest.mark.parametrize(
    ("near_m", "focus_m"), [(2.0, 2.0), (0.01, FOCUS_RANGE_M[0]), (5000.0, FOCUS_RANGE_M[1])]
)
def test_the_focus_is_what_is_near_within_reason(near_m: float, focus_m: float) -> None:
    record = new_record(at_depths(near_m), name="n", model="lite", photo=PHOTO)
    assert record.focus_m == pytest.approx(focus_m)


def test_a_record_knows_the_focus_of_its_scene(store: SceneStore) -> None:
    record = add(store, count=11)
    assert record.focus_m == store.get(record.id).focus_m == pytest.approx(2.0)
