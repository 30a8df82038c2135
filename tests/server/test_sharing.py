"""Several viewers of one scene, interactive ones and spectators, share one copy of it."""

from __future__ import annotations

import asyncio
import contextlib

from tests.server.straw import MakeSite, Site
from tests.server.viewer import Viewer, stored, viewer, welcomed
from tests.server.whep_player import offer

from sharp_xr.clients.whep import SDP
from sharp_xr_protocol.messages import Display, Hello, SceneList, SceneReady, SceneSelect

VIEWERS = 3


async def an_offer() -> str:
    connection, _ = await offer()
    sdp = str(connection.localDescription.sdp)
    await connection.close()
    return sdp


def test_viewers_and_spectators_of_a_scene_share_one_prepared_copy(make_site: MakeSite) -> None:
    first = make_site()
    scene = stored(first)
    first.stop()
    site = make_site()
    assert site.renderer.prepared == []
    with contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(welcomed(site)) for _ in range(VIEWERS)]
        for one in viewers:
            one.say(SceneSelect(scene.id))
        assert {one.until(SceneReady).scene.id for one in viewers} == {scene.id}
        sdp, headers = asyncio.run(an_offer()), {"Content-Type": SDP}
        for _ in range(2):
            answer = site.client.post(f"/whep/{scene.id}", content=sdp, headers=headers)
            assert answer.status_code == 201, answer.text
        assert site.renderer.prepared == [scene.gaussians]


def test_a_client_that_never_reads_keeps_no_news_from_another(site: Site) -> None:
    scene = stored(site)
    with viewer(site) as silent, welcomed(site) as attentive:
        silent.say(Hello("silent", "simulated", Display(128, 128, 60.0)))
        for number in range(300):
            renamed = site.client.patch(f"/scenes/{scene.id}", json={"name": f"name {number}"})
            assert renamed.status_code == 200, renamed.text
        assert newest_name(attentive, "name 299", scene.id)


def newest_name(client: Viewer, wanted: str, scene_id: str) -> bool:
    """Whether the client hears of that name, sooner or later."""
    while True:
        names = {scene.id: scene.name for scene in client.until(SceneList).scenes}
        if names[scene_id] == wanted:
            return True
