"""The routes over real sockets. What needs no server is tested beside its own file."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import threading

import httpx
import msgspec
import pytest
from tests.server.straw import MakeSite, Site
from tests.server.viewer import sentence, stored, upload, viewer, welcomed
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sharp_xr.formats.ply import read_ply
from sharp_xr.routes import attachment
from sharp_xr_protocol.messages import (
    Bye,
    Progress,
    Scene,
    SceneList,
    SceneReady,
    SceneSelect,
)

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


def test_who_is_not_let_in_is_no_error_of_the_server_s(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site(token="secret")
    with pytest.raises(InvalidStatus), viewer(site):
        pass
    site.stop()
    told = [record for record in caplog.records if record.levelno > logging.INFO]
    assert [(record.levelname, record.message) for record in told] == [("WARNING", "refused")]
    assert "refused" in caplog.text


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
    monkeypatch.setattr("sharp_xr.app.warm_up", warm.set)
    make_site()
    assert warm.wait(20)


def test_unknown_paths_and_methods_are_refused_in_the_same_form(site: Site) -> None:
    assert sentence(site.client.get("/nothing"), 404) == "GET /nothing: not found"
    assert "not allowed" in sentence(site.client.put("/scenes"), 405)


def test_uploads_are_taken_side_by_side_up_to_a_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharp_xr.scenes.uploads.MAX_AT_A_TIME", 1)
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
