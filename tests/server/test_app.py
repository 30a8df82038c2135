"""The routes over real sockets. What needs no server is tested beside its own file."""

from __future__ import annotations

import contextlib
import io
import math
import secrets
import socket
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from tests.server.straw import MakeSite, Site
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from sharp_xr.app import attachment
from sharp_xr.formats.ply import read_ply
from sharp_xr.scene_index import DiskError
from sharp_xr_protocol.messages import (
    Bye,
    Display,
    FromServer,
    Hello,
    Progress,
    Scene,
    SceneList,
    SceneReady,
    SceneSelect,
    Welcome,
    decode_from_server,
    encode,
)

T = TypeVar("T", bound=FromServer)


class Viewer:
    """A client of /session."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, message: object) -> None:
        self.connection.send(encode(message))  # type: ignore[arg-type]

    def until(self, kind: type[T]) -> T:
        """The next message of that kind; the others before it are skipped."""
        while True:
            data = self.connection.recv(timeout=10)
            assert isinstance(data, bytes)
            message = decode_from_server(data)
            if isinstance(message, kind):
                return message


@contextlib.contextmanager
def viewer(site: Site, path: str = "/session", **headers: str) -> Iterator[Viewer]:
    with connect(
        f"ws://{site.host}{path}", additional_headers=headers, compression=None, proxy=None
    ) as connection:
        yield Viewer(connection)


@contextlib.contextmanager
def welcomed(site: Site) -> Iterator[Viewer]:
    with viewer(site) as client:
        client.say(Hello("test", "simulated", Display(128, 128, 60.0)))
        client.until(Welcome)
        yield client


def upload(site: Site, data: bytes | None = None, **query: str) -> httpx.Response:
    """Of a photo that the server has not seen, if none is given."""
    photo = b"photo" + secrets.token_bytes(8) if data is None else data
    return site.client.post("/scenes", params=query, content=photo)


def stored(site: Site, name: str = "IMG.jpg") -> Scene:
    answer = upload(site, filename=name)
    assert answer.status_code == 201, answer.text
    return msgspec.convert(answer.json(), Scene)


def sentence(answer: httpx.Response, status: int) -> str:
    """Of a refusal, which must have the one form that all have."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["error"]
    return str(body["error"])


# --- scenes --------------------------------------------------------------------------------------


def test_a_photo_becomes_a_scene_of_the_list(site: Site) -> None:
    scene = stored(site, "../My  holiday.JPG")
    assert (scene.name, scene.gaussians, scene.model) == ("My holiday", 3, "lite")
    assert scene.photo_fov.right == pytest.approx(0.519, abs=1e-3)  # atan(20 / 35)
    assert site.client.get("/scenes").json()["scenes"][0] == msgspec.to_builtins(scene)


def test_a_scene_has_a_thumbnail_and_a_file_to_download(site: Site) -> None:
    scene = stored(site, "Küche.png")
    picture = site.client.get(f"/scenes/{scene.id}/thumbnail")
    assert (picture.content, picture.headers["content-type"]) == (b"a jpeg", "image/jpeg")
    file = site.client.get(f"/scenes/{scene.id}.ply")
    assert "filename*=UTF-8''K%C3%BCche.ply" in file.headers["content-disposition"]
    gaussians, info = read_ply(io.BytesIO(file.content))
    assert (len(gaussians), info.photo.width, info.photo.focal_px) == (3, 40, 35.0)


def test_a_downloaded_scene_can_be_uploaded_and_gets_a_picture(site: Site) -> None:
    file = site.client.get(f"/scenes/{stored(site).id}.ply").content
    answer = upload(site, file, filename="shared.ply")
    scene = msgspec.convert(answer.json(), Scene)
    assert (answer.status_code, scene.name, scene.model) == (201, "shared", "ply")
    picture = site.client.get(f"/scenes/{scene.id}/thumbnail").content
    assert picture.startswith(b"\xff\xd8\xff")


def test_a_scene_is_renamed(site: Site) -> None:
    scene = stored(site)
    answer = site.client.patch(f"/scenes/{scene.id}", json={"name": " A  new\nname "})
    assert (answer.status_code, answer.json()["name"]) == (200, "A new name")
    assert site.client.get("/scenes").json()["scenes"][0]["name"] == "A new name"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"name": 1}', b'{"title": "x"}']
    + [b'{"focal_35mm": "26"}', b'{"focal_35mm": true}', b'{"focal_35mm": NaN}'],
)
def test_a_change_of_nothing_is_refused(site: Site, body: bytes) -> None:
    scene = stored(site)
    answer = site.client.patch(f"/scenes/{scene.id}", content=body)
    assert sentence(answer, 400) == 'wanted {"name": "..."}, {"focal_35mm": 26}, or both'
    assert "empty" in sentence(site.client.patch(f"/scenes/{scene.id}", json={"name": " "}), 400)
    answer = site.client.patch(f"/scenes/{scene.id}", content=b" " * 70_000)
    assert sentence(answer, 413) == "the upload is larger than 64 KB, the limit"


def focal_35mm(scene: Scene) -> float:
    fov = scene.photo_fov
    return math.hypot(36, 24) / 2 / math.hypot(math.tan(fov.right), math.tan(fov.up))


def test_a_photo_s_focal_length_is_corrected_for_all_who_see_it(site: Site) -> None:
    scene = stored(site)
    path = f"/scenes/{scene.id}"
    with welcomed(site) as client:
        while client.until(SceneReady).scene != scene:
            pass
        answer = site.client.patch(path, json={"focal_35mm": 26, "name": "wide"})
        changed = msgspec.convert(answer.json(), Scene)
        assert (answer.status_code, changed.name) == (200, "wide")
        assert focal_35mm(changed) == pytest.approx(26)
        assert client.until(SceneReady).scene.photo_fov == changed.photo_fov
    file = site.client.get(f"{path}.ply").content
    gaussians, info = read_ply(io.BytesIO(file))
    ratio = info.photo.focal_px / 35.0
    assert ratio == pytest.approx(26 / focal_35mm(scene), rel=1e-5)
    assert list(gaussians.means[:, 2]) == pytest.approx([ratio, 2 * ratio, 3 * ratio], rel=1e-5)
    back = site.client.patch(path, json={"focal_35mm": None})
    assert msgspec.convert(back.json(), Scene).photo_fov == scene.photo_fov


@pytest.mark.parametrize("mm", [7.9, 401, -26, 0])
def test_a_focal_length_that_no_lens_has_is_a_sentence(site: Site, mm: float) -> None:
    answer = site.client.patch(f"/scenes/{stored(site).id}", json={"focal_35mm": mm})
    assert sentence(answer, 400) == f"a focal length of {mm:g} mm, wanted 8 to 400"


def test_a_deleted_scene_is_gone(site: Site) -> None:
    scene = stored(site)
    assert site.client.delete(f"/scenes/{scene.id}").status_code == 204
    for answer in (
        site.client.delete(f"/scenes/{scene.id}"),
        site.client.get(f"/scenes/{scene.id}.ply"),
        site.client.get(f"/scenes/{scene.id}/thumbnail"),
        site.client.patch(f"/scenes/{scene.id}", json={"name": "x"}),
    ):
        assert "no such scene" in sentence(answer, 404)


@pytest.mark.parametrize("scene_id", ["x", "..", "%2e%2e%2findex", "..%2F..%2Fetc%2Fpasswd", "%00"])
def test_an_id_that_is_a_path_leads_nowhere(site: Site, scene_id: str) -> None:
    for path in (f"/scenes/{scene_id}.ply", f"/scenes/{scene_id}/thumbnail"):
        assert sentence(site.client.get(path), 404)


def test_scenes_stay_when_the_server_ends(make_site: MakeSite) -> None:
    with contextlib.ExitStack() as stack:
        from tests.server.straw import running_site

        site = make_site()
        scene = stored(site)
        data = site.app.config.data
        site.stop()
        again = stack.enter_context(running_site(data))
        assert [each["id"] for each in again.client.get("/scenes").json()["scenes"]] == [scene.id]


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


def test_a_photo_is_seen_before_it_is_stored_and_answered_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_store, add = threading.Event(), site.store.add

    def slow(*args: Any) -> None:
        assert may_store.wait(20)
        add(*args)

    monkeypatch.setattr(site.store, "add", slow)
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
    may_store, add = threading.Event(), site.store.add

    def slow(*args: Any) -> None:
        assert may_store.wait(20)
        add(*args)

    monkeypatch.setattr(site.store, "add", slow)
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


# --- sessions ------------------------------------------------------------------------------------


def test_a_new_scene_is_told_to_all_and_shown_to_whom_asks(site: Site) -> None:
    with welcomed(site) as client:
        scene = stored(site)
        while client.until(SceneList).scenes[0] != scene:
            pass
        client.say(SceneSelect(scene.id))
        while client.until(SceneReady).scene != scene:
            pass


def test_a_text_message_ends_the_session_with_a_sentence(site: Site) -> None:
    with viewer(site) as client:
        client.connection.send("hello")
        assert client.until(Bye).reason == "a text message came, wanted binary msgpack"


def test_an_enormous_message_ends_the_session(site: Site) -> None:
    with viewer(site) as client, pytest.raises(ConnectionClosed):
        client.connection.send(b"\0" * (1 << 20 | 1))
        client.connection.recv(timeout=10)
    with welcomed(site):
        pass


def test_a_session_too_many_gets_a_sentence(make_site: MakeSite) -> None:
    site = make_site(max_sessions=1)
    with welcomed(site):
        with viewer(site) as second:
            assert "1 sessions, its limit" in second.until(Bye).reason
    while site.client.get("/readyz").json()["sessions"]:
        pass  # the first one is being ended
    with welcomed(site):
        pass


def test_a_drained_server_says_bye_and_takes_no_new_sessions(make_site: MakeSite) -> None:
    site = make_site()
    with welcomed(site) as client:
        site.drain()
        assert client.until(Bye).reason == "the server was stopped"
    with viewer(site) as late:
        assert late.until(Bye).reason == "the server was stopped"
    assert sentence(site.client.get("/readyz"), 503)


# --- who may come in -----------------------------------------------------------------------------


def test_a_foreign_page_can_neither_upload_nor_watch(site: Site) -> None:
    foreign = {"Origin": "http://evil.example"}
    answer = site.client.post("/scenes", content=b"photo", headers=foreign)
    assert "evil.example" in sentence(answer, 403)
    with pytest.raises(InvalidStatus) as refused, viewer(site, **foreign):
        pass
    assert refused.value.response.status_code == 403
    assert b"evil.example" in (refused.value.response.body or b"")
    with viewer(site, Origin=f"http://{site.host}"):
        pass


def test_a_server_with_a_token_wants_it_everywhere_but_for_its_health(make_site: MakeSite) -> None:
    site = make_site(token="secret")
    for path in ("/", "/web/main.js", "/scenes"):
        assert "token" in sentence(site.client.get(path), 401)
    with pytest.raises(InvalidStatus), viewer(site):
        pass
    assert site.client.get("/healthz").status_code == 200
    assert site.client.get("/scenes?token=secret").status_code == 200
    with viewer(site, "/session?token=secret"), viewer(site, Authorization="Bearer secret"):
        pass


def test_a_browser_that_came_with_the_token_keeps_it_as_a_cookie(make_site: MakeSite) -> None:
    site = make_site(token="secret")
    first = site.client.get("/?token=secret")
    assert first.status_code == 200
    assert first.headers["set-cookie"].endswith("=secret; Path=/; HttpOnly; SameSite=Strict")
    assert site.client.get("/scenes").status_code == 200


# --- the rest ------------------------------------------------------------------------------------


def test_the_server_is_alive_before_it_is_ready(make_site: MakeSite) -> None:
    site = make_site(started=False)
    assert site.client.get("/healthz").status_code == 200
    assert sentence(site.client.get("/readyz"), 503)
    site.start()
    assert site.client.get("/readyz").json() == {"ready": True, "sessions": 0}
    assert site.renderer.warm and site.worker.running


def test_a_server_whose_model_is_away_is_not_ready_and_says_why(make_site: MakeSite) -> None:
    site = make_site()
    site.worker.trouble = "the model lite is being loaded"
    assert sentence(site.client.get("/readyz"), 503) == "the model lite is being loaded"
    site.worker.trouble = None
    assert site.client.get("/readyz").status_code == 200


def test_what_storing_compiles_is_compiled_before_the_first_photo_comes(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = threading.Event()
    monkeypatch.setattr("sharp_xr.scenes.warm_up", warm.set)
    make_site()
    assert warm.wait(20)


def test_unknown_paths_and_methods_are_refused_in_the_same_form(site: Site) -> None:
    assert sentence(site.client.get("/nothing"), 404) == "GET /nothing: not found"
    assert "not allowed" in sentence(site.client.put("/scenes"), 405)


def test_uploads_are_taken_side_by_side_up_to_a_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr.uploads.MAX_AT_A_TIME", 1)
    site.worker.hold.clear()
    answers: list[httpx.Response] = []
    with welcomed(site) as client:
        first = threading.Thread(target=lambda: answers.append(upload(site, job="one")))
        first.start()
        while client.until(Progress).stage != "predict":
            pass
        assert "1 photos are on their way" in sentence(upload(site), 503)
        site.worker.hold.set()
        first.join(10)
    assert answers[0].status_code == 201


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.ply", "attachment; filename=\"a.ply\"; filename*=UTF-8''a.ply"),
        ('"\r\n.ply', "attachment; filename=\"___.ply\"; filename*=UTF-8''%22%0D%0A.ply"),
    ],
)
def test_a_file_s_name_cannot_break_out_of_its_header(name: str, header: str) -> None:
    assert attachment(name) == header
