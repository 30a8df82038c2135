import assert from "node:assert/strict";
import { test } from "node:test";

import { Showing } from "../../server/sharp_xr/web/showing.js";
import { told } from "./golden.js";

const { scene: some } = told("scene_ready");
const scenes = ["new", "old"].map((id) => ({ ...some, id, name: id }));

function stage(favourite = "", first = scenes) {
  /** @type {string[]} */
  const heard = [];
  const showing = new Showing({
    favourite,
    select: (id) => heard.push(`select ${id}`),
    onEnter: (scene, isOther) => heard.push(`${isOther ? "enter" : "again"} ${scene.id}`),
    onLeave: () => heard.push("leave"),
  });
  showing.welcomed();
  showing.listed(first);
  return { showing, heard };
}

test("without a wish it takes the scene that the server shows", () => {
  const { showing, heard } = stage();
  showing.ready(scenes[0]);
  assert.deepEqual(heard, ["enter new"]);
});

test("the scene of the page's address is asked for, and the server's own choice passed over", () => {
  const { showing, heard } = stage("old");
  showing.ready(scenes[0]);
  showing.ready(scenes[1]);
  assert.deepEqual(heard, ["select old", "enter old"]);
});

test("an address of a scene that is gone does no harm", () => {
  const { showing, heard } = stage("gone");
  showing.ready(scenes[0]);
  assert.deepEqual(heard, ["enter new"]);
});

test("after an interruption the same scene goes on", () => {
  const { showing, heard } = stage();
  showing.ready(scenes[0]);
  showing.ask("old");
  showing.ready(scenes[1]);
  heard.length = 0;
  showing.welcomed();
  showing.listed(scenes);
  showing.ready(scenes[0]); // the server's newest
  showing.ready(scenes[1]);
  assert.deepEqual(heard, ["select old", "again old"]);
});

test("a scene that somebody deletes leaves the stage to the server's next one", () => {
  const { showing, heard } = stage();
  showing.ready(scenes[0]);
  showing.listed([scenes[1]]);
  showing.ready(scenes[1]);
  assert.deepEqual(heard, ["enter new", "leave", "enter old"]);
});

test("whoever waits before an empty gallery sees the first scene that comes", () => {
  const { showing, heard } = stage("", []);
  showing.listed([scenes[1]]);
  showing.ready(scenes[1]);
  showing.listed(scenes);
  assert.deepEqual(heard, ["select old", "enter old"]);
});

test("an emptied stage stays empty until a scene is asked for", () => {
  const { showing, heard } = stage();
  showing.ready(scenes[0]);
  showing.leave();
  assert.equal(showing.current, null);
  showing.listed([]);
  showing.ask("new");
  showing.ready(scenes[0]);
  assert.deepEqual(heard, ["enter new", "leave", "select new", "enter new"]);
});

test("a refused wish leaves the stage as it is, open for the next", () => {
  const { showing, heard } = stage();
  showing.ready(scenes[0]);
  showing.ask("gone");
  showing.refused();
  assert.equal(showing.current?.id, "new");
  showing.ready(scenes[1]);
  assert.deepEqual(heard, ["enter new", "select gone", "enter old"]);
});
