"""WHEP over real sockets, with players that nobody here wrote: aiortc as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aioice.ice
import httpx
import pytest
from tests.server.straw import MakeSite, Site
from tests.server.viewer import sentence, stored
from tests.server.whep_player import offer, playing

from sharp_xr.clients.whep import FRAGMENT, SDP, read_fragment
from sharp_xr.stream.sender import use_loopback_candidates
from sharp_xr_protocol.messages import Candidate


@pytest.fixture(autouse=True, scope="module")
def loopback() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aioice.ice, "get_host_addresses", aioice.ice.get_host_addresses)
        use_loopback_candidates()
        yield


@pytest.fixture(scope="module")
def sdp() -> str:
    """An offer whose maker is gone: nobody will connect."""

    async def make() -> str:
        connection, _ = await offer()
        text = connection.localDescription.sdp
        await connection.close()
        return str(text)

    return asyncio.run(make())


def address(site: Site) -> str:
    return f"http://{site.host}"


def test_a_foreign_player_plays_a_scene_and_ends_it(site: Site) -> None:
    scene = stored(site).id

    async def play() -> None:
        async with playing(address(site), scene) as player:
            first = await player.frame()
            # The photo was 40 x 30: its shape, in whole macroblocks.
            assert (first.width, first.height) == (512, 384)
            grey = first.to_ndarray(format="gray")
            assert abs(float(grey.mean()) - (16 + 219 * 0.5)) < 3
            for _ in range(5):
                await player.frame()
            assert len(site.app.spectators) == 1
            assert (await player.http.delete(player.session)).status_code == 200
            assert sentence(await player.http.delete(player.session), 404)
        assert len(site.app.spectators) == 0
        assert site.app.spectators.channel(scene) is None

    asyncio.run(play())


def test_what_a_session_is_answered(site: Site, sdp: str) -> None:
    scene = stored(site).id
    headers = {"Content-Type": f"{SDP}; charset=utf-8"}
    one, other = (
        site.client.post(f"/whep/{scene}", content=sdp, headers=headers) for _ in range(2)
    )
    assert (one.status_code, one.headers["content-type"]) == (201, SDP)
    assert one.text.startswith("v=0") and "a=sendonly" in one.text and "127.0.0.1" in one.text
    path = one.headers["location"]
    assert path.startswith(f"/whep/{scene}/") and len(path.rpartition("/")[2]) >= 22
    assert path != other.headers["location"] and one.headers["etag"] != other.headers["etag"]
    assert one.headers["etag"].startswith('"')
    assert one.headers["accept-patch"] == FRAGMENT
    for created in (one, other):
        assert site.client.delete(created.headers["location"]).status_code == 200


def test_candidates_trickle(site: Site, sdp: str) -> None:
    path, etag = _session(site, sdp)
    headers = {"Content-Type": FRAGMENT, "If-Match": etag}
    line = "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host"
    good = f"a=ice-options:trickle\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n{line}\r\n"
    patch = site.client.patch
    assert patch(path, content=good, headers=headers).status_code == 204
    assert patch(path, content="a=end-of-candidates\r\n", headers=headers).status_code == 204
    bad = good.replace("127.0.0.1", "nowhere")
    assert "not an ICE candidate" in sentence(patch(path, content=bad, headers=headers), 400)
    astray = sentence(patch(path, content=line, headers=headers), 400)
    assert astray.startswith("an ICE candidate of no media section")
    site.client.delete(path)


@pytest.mark.parametrize(
    ("headers", "body", "status", "words"),
    [
        ({}, "", 428, "If-Match is missing"),
        ({"If-Match": '"another"'}, "", 412, "another session's ETag"),
        ({"If-Match": "*"}, "a=ice-ufrag:new\r\na=ice-pwd:x\r\n", 422, "restarts no ICE"),
        ({"If-Match": "ETAG"}, "a=ice-ufrag:new\r\na=ice-pwd:x\r\n", 422, "restarts no ICE"),
        ({"If-Match": "ETAG", "Content-Type": SDP}, "", 415, f"wanted {FRAGMENT}"),
    ],
)
def test_a_patch_that_cannot_be_met_is_a_sentence(
    site: Site, sdp: str, headers: dict[str, str], body: str, status: int, words: str
) -> None:
    path, etag = _session(site, sdp)
    given = {"Content-Type": FRAGMENT} | headers
    if given.get("If-Match") == "ETAG":
        given["If-Match"] = etag
    assert words in sentence(site.client.patch(path, content=body, headers=given), status)
    site.client.delete(path)


def test_an_offer_that_cannot_be_met_is_a_sentence(site: Site, sdp: str) -> None:
    scene, headers = stored(site).id, {"Content-Type": SDP}
    post = site.client.post
    assert "no such scene" in sentence(post("/whep/none", content=sdp, headers=headers), 404)
    assert f"wanted {SDP}" in sentence(post(f"/whep/{scene}", content=sdp), 415)
    assert "offer" in sentence(post(f"/whep/{scene}", content="v=0", headers=headers), 400)
    assert "UTF-8" in sentence(post(f"/whep/{scene}", content=b"\xff", headers=headers), 400)
    large = post(f"/whep/{scene}", content=b"v" * 70_000, headers=headers)
    assert "64 KB" in sentence(large, 413)
    no_h264 = sdp.replace("H264", "H265")
    assert "H.264" in sentence(post(f"/whep/{scene}", content=no_h264, headers=headers), 400)
    assert "not allowed" in sentence(site.client.get(f"/whep/{scene}"), 405)
    assert "never was" in sentence(site.client.delete(f"/whep/{scene}/guessed"), 404)
    assert len(site.app.spectators) == 0


def test_one_spectator_too_many_is_told_when_to_come_again(make_site: MakeSite, sdp: str) -> None:
    site = make_site(max_spectators=1)
    scene, headers = stored(site).id, {"Content-Type": SDP}
    first = site.client.post(f"/whep/{scene}", content=sdp, headers=headers)
    full = site.client.post(f"/whep/{scene}", content=sdp, headers=headers)
    assert "1 spectators watch" in sentence(full, 503)
    assert int(full.headers["retry-after"]) > 0
    site.client.delete(first.headers["location"])
    again = site.client.post(f"/whep/{scene}", content=sdp, headers=headers)
    assert again.status_code == 201


def test_a_session_ends_with_its_scene(site: Site, sdp: str) -> None:
    path, _ = _session(site, sdp)
    scene = path.split("/")[2]
    assert site.client.delete(f"/scenes/{scene}").status_code == 204
    assert "ended" in sentence(site.client.delete(path), 404)


def _session(site: Site, sdp: str) -> tuple[str, str]:
    """Path and ETag."""
    created = site.client.post(
        f"/whep/{stored(site).id}", content=sdp, headers={"Content-Type": SDP}
    )
    assert created.status_code == 201, created.text
    return created.headers["location"], created.headers["etag"]


# --- who may play --------------------------------------------------------------------------------


def test_with_a_token_players_of_any_page_may_come_that_have_it(
    make_site: MakeSite, sdp: str
) -> None:
    site = make_site(token="secret")
    site.client.headers["Authorization"] = "Bearer secret"
    path = f"/whep/{stored(site).id}"
    foreign = {"Content-Type": SDP, "Origin": "https://player.example"}
    site.client.headers["Authorization"] = "Bearer wrong"
    refused = site.client.post(path, content=sdp, headers=foreign)
    assert "player.example" in sentence(refused, 403)
    site.client.headers["Authorization"] = "Bearer secret"
    created = site.client.post(path, content=sdp, headers=foreign)
    assert created.status_code == 201
    assert created.headers["access-control-allow-origin"] == "*"
    assert "Location, ETag" in created.headers["access-control-expose-headers"]
    # The Origin rule of everything else stays.
    other = site.client.post("/scenes", content=b"photo", headers=foreign)
    assert "player.example" in sentence(other, 403)
    del site.client.headers["Authorization"]
    cookie = {"Cookie": f"{_cookie(site)}=secret"}
    assert site.client.post(path, content=sdp, headers=foreign | cookie).status_code == 403
    site.client.cookies.clear()
    assert "token" in sentence(site.client.delete(created.headers["location"]), 401)


def _cookie(site: Site) -> str:
    answer = site.client.get("/?token=secret")
    return answer.headers["set-cookie"].partition("=")[0]


def test_a_browser_s_question_is_answered_by_whether_there_is_a_token(
    make_site: MakeSite, site: Site
) -> None:
    question = {
        "Origin": "https://player.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with_token = make_site(token="secret").client.options("/whep/any", headers=question)
    assert with_token.status_code == 204
    assert with_token.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in with_token.headers["access-control-allow-methods"]
    assert "Authorization" in with_token.headers["access-control-allow-headers"]
    assert with_token.headers["accept-post"] == SDP
    without = site.client.options("/whep/any", headers=question)
    assert (without.status_code, without.headers["accept-post"]) == (204, SDP)
    assert not [name for name in without.headers if name.startswith("access-control")]


def test_without_a_token_no_other_page_may_play(site: Site, sdp: str) -> None:
    path, headers = f"/whep/{stored(site).id}", {"Content-Type": SDP}
    foreign = headers | {"Origin": "https://player.example"}
    answer: httpx.Response = site.client.post(path, content=sdp, headers=foreign)
    assert "player.example" in sentence(answer, 403)
    assert "access-control-allow-origin" not in answer.headers


def test_a_fragment_s_candidates_have_their_media_section() -> None:
    text = (
        "a=ice-ufrag:EsAw\r\na=group:BUNDLE 0 1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\nm=video 9 RTP/AVP 0\r\n"
        "a=candidate:2 1 udp 1 10.0.0.1 6 typ host\r\n"
    )
    fragment = read_fragment(text)
    assert fragment.ufrag == "EsAw"
    assert fragment.candidates == [
        Candidate("candidate:1 1 udp 1 10.0.0.1 5 typ host", "0", 0),
        Candidate("candidate:2 1 udp 1 10.0.0.1 6 typ host", None, 1),
    ]
