"""Uploads over real sockets: refused, shown, predicted once, cancelled."""

from __future__ import annotations

import socket
import threading
from typing import Any

import httpx
import pytest
from tests.server.straw import MakeSite, Site
from tests.server.viewer import Viewer, sentence, stored, upload, welcomed

from sharp_xr.scenes.index import DiskError
from sharp_xr_protocol.messages import Progress, SceneReady, SceneSelect

# --- uploads that are refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status", "wanted"),
    [
        (b"", 400, "the upload is empty, wanted the bytes of a photo or of a .ply"),
        (b"hello", 400, "this is no photo"),
        (b"ply\nformat nonsense\n", 400, ""),
        (b"tired", 503, "the model is tired"),
    ],
)
def test_a_refused_upload_is_told_in_a_sentence_and_the_server_goes_on(
    site: Site, data: bytes, status: int, wanted: str
) -> None:
    assert wanted in sentence(upload(site, data, filename="x.jpg"), status)
    stored(site)


def test_a_fault_of_ours_keeps_its_details(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with welcomed(site) as client:
        answer = upload(site, b"fault")
        while (step := client.until(Progress)).stage != "failed":
            pass
        assert step.message == "the server failed; its log says why"
    assert sentence(answer, 500) == "the server failed; its log says why"
    assert "a secret detail" in caplog.text
    stored(site)


def test_progress_of_an_upload_reaches_every_session(site: Site) -> None:
    with welcomed(site) as one, welcomed(site) as other:
        answer = upload(site, job="job-1")
        for client in (one, other):
            steps = [client.until(Progress)]
            while steps[-1].stage != "done":
                steps.append(client.until(Progress))
            fractions = [step.fraction for step in steps]
            assert fractions == sorted(fractions) and fractions[-1] == 1.0
            assert {step.job for step in steps} == {"job-1"}
            assert steps[-1].message == answer.json()["id"]


def hold_storing(site: Site, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is stored before the event."""
    may_store, add = threading.Event(), site.store.add

    def slow(*args: Any) -> None:
        assert may_store.wait(20)
        add(*args)

    monkeypatch.setattr(site.store, "add", slow)
    return may_store


def test_a_photo_is_seen_before_it_is_stored_and_answered_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_store = hold_storing(site, monkeypatch)
    answers: list[httpx.Response] = []
    with welcomed(site) as client:
        sending = threading.Thread(target=lambda: answers.append(upload(site)))
        sending.start()
        while (step := client.until(Progress)).stage != "store":
            pass
        client.say(SceneSelect(step.message))
        while client.until(SceneReady).scene.id != step.message:
            pass
        assert not answers
        may_store.set()
        while client.until(Progress).stage != "done":
            pass
        sending.join(10)
    assert (answers[0].status_code, answers[0].json()["id"]) == (201, step.message)


def test_a_scene_that_cannot_be_stored_is_taken_back_in_a_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise DiskError("cannot store the scene: the disk is full")

    monkeypatch.setattr(site.store, "add", full)
    with welcomed(site) as client:
        answer = upload(site)
        while (step := client.until(Progress)).stage != "store":
            pass
        lost = step.message
        while (step := client.until(Progress)).stage != "failed":
            pass
        assert step.message == sentence(answer, 507) == "cannot store the scene: the disk is full"
    assert lost not in [scene["id"] for scene in site.client.get("/scenes").json()["scenes"]]


def test_a_refusal_reaches_the_sessions_as_well(site: Site) -> None:
    with welcomed(site) as client:
        upload(site, b"hello", job="job-2")
        failed = client.until(Progress)
        while failed.stage != "failed":
            failed = client.until(Progress)
        assert (failed.job, failed.message) == ("job-2", "this is no photo")


def test_the_same_photo_is_predicted_once(site: Site) -> None:
    photo = b"photo of the sea"
    first = upload(site, photo, filename="sea.jpg")
    stored(site)
    with welcomed(site) as client:
        again = upload(site, photo, filename="again.jpg", job="again")
        steps = [client.until(Progress)]
        while steps[-1].stage != "done":
            steps.append(client.until(Progress))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "created": again.json()["created"]}
    assert site.client.get("/scenes").json()["scenes"][0] == again.json()  # the newest again
    assert steps[-1].message == again.json()["id"]
    assert "predict" not in [step.stage for step in steps]
    site.client.delete(f"/scenes/{first.json()['id']}")
    assert upload(site, photo).status_code == 201


def test_the_same_photo_twice_at_once_becomes_one_scene(site: Site) -> None:
    photo, answers = b"photo of a wave", list[httpx.Response]()
    site.worker.hold.clear()
    with welcomed(site) as client:
        senders = [
            threading.Thread(target=lambda: answers.append(upload(site, photo))) for _ in range(2)
        ]
        for sender in senders:
            sender.start()
        until_stage(client, "predict")
        site.worker.hold.set()
        for sender in senders:
            sender.join(20)
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_another_model_sees_the_same_photo_anew_and_a_restart_forgets_nothing(
    make_site: MakeSite,
) -> None:
    from tests.server.straw import running_site

    site = make_site()
    photo = b"photo of a reef"
    first = upload(site, photo).json()
    stored(site)
    site.stop()
    with running_site(site.app.config.data) as again:
        answer = upload(again, photo)
        assert (answer.status_code, answer.json()["id"]) == (200, first["id"])
        again.worker.kind = "straw of another field"
        assert upload(again, photo).status_code == 201


# --- uploads that are cancelled ------------------------------------------------------------------


def until_stage(client: Viewer, stage: str) -> Progress:
    while (step := client.until(Progress)).stage != stage:
        pass
    return step


def test_a_viewer_cancels_a_photo_and_all_are_told(site: Site) -> None:
    site.worker.hold.clear()
    answers: list[httpx.Response] = []
    with welcomed(site) as client:
        sending = threading.Thread(target=lambda: answers.append(upload(site, job="job 3")))
        sending.start()
        assert until_stage(client, "predict").message == "tile 1 of 2"
        assert site.client.delete("/jobs/job 3").status_code == 204
        failed = until_stage(client, "failed")
        sending.join(10)
        assert (failed.job, failed.message) == ("job 3", "cancelled by a viewer")
        assert sentence(answers[0], 409) == "cancelled by a viewer"
        assert site.worker.cancelled.wait(10)
        assert "no such upload" in sentence(site.client.delete("/jobs/job 3"), 404)
        site.worker.hold.set()
        scene = stored(site)
        assert until_stage(client, "done").message == scene.id


def test_a_photo_whose_sender_is_gone_is_not_predicted_to_its_end(site: Site) -> None:
    site.worker.hold.clear()
    site.worker.cancelled.clear()
    host, port = site.host.split(":")
    with welcomed(site) as client:
        with socket.create_connection((host, int(port))) as connection:
            head = "POST /scenes?job=gone HTTP/1.1\r\nContent-Length: 5\r\n"
            connection.sendall(f"{head}Host: {site.host}\r\n\r\nphoto".encode())
            until_stage(client, "predict")
        assert until_stage(client, "failed").message == "cancelled because its sender is gone"
    assert site.worker.cancelled.wait(10)
    site.worker.hold.set()
    stored(site)


def test_a_file_on_its_way_is_cancelled_and_its_sender_told(site: Site) -> None:
    host, port = site.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = "POST /scenes?job=slow HTTP/1.1\r\nContent-Length: 10\r\n"
        connection.sendall(f"{head}Host: {site.host}\r\n\r\nphoto".encode())
        while site.client.delete("/jobs/slow").status_code != 204:
            pass  # its head has not been read yet
        connection.sendall(b"photo")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 409 ")
    assert answer.endswith(b'{"error":"cancelled by a viewer"}')


def test_what_is_seen_is_deleted_and_not_cancelled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_store = hold_storing(site, monkeypatch)
    answers: list[httpx.Response] = []
    with welcomed(site) as client:
        sending = threading.Thread(target=lambda: answers.append(upload(site, job="late")))
        sending.start()
        until_stage(client, "store")
        assert "it is a scene by now" in sentence(site.client.delete("/jobs/late"), 404)
        may_store.set()
        sending.join(10)
    assert answers[0].status_code == 201


def test_an_id_is_one_upload_s_at_a_time(site: Site) -> None:
    site.worker.hold.clear()
    answers: list[httpx.Response] = []
    with welcomed(site) as client:
        sending = threading.Thread(target=lambda: answers.append(upload(site, job="twice")))
        sending.start()
        until_stage(client, "predict")
        assert "under way already" in sentence(upload(site, job="twice"), 409)
        site.worker.hold.set()
        until_stage(client, "done")  # the second one has not made it fail
        sending.join(10)
    assert answers[0].status_code == 201


def test_a_foreign_page_cannot_cancel(site: Site) -> None:
    answer = site.client.delete("/jobs/x", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
