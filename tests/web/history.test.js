import assert from "node:assert/strict";
import { test } from "node:test";

import { PoseHistory } from "../../server/sharp_xr/web/history.js";

test("a frame finds exactly the pose of its key, and no other one", () => {
  const history = new PoseHistory();
  history.remember(90, "a");
  history.remember(180, "b");
  assert.equal(history.find(180), "b");
  assert.equal(history.find(181), null);
});

test("the oldest pose is forgotten after ten seconds at 60 Hz", () => {
  const history = new PoseHistory();
  for (let key = 0; key <= 600; key += 1) history.remember(key, key);
  assert.equal(history.find(0), null);
  assert.equal(history.find(1), 1);
  assert.equal(history.find(600), 600);
});
