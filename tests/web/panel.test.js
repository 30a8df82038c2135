import assert from "node:assert/strict";
import { test } from "node:test";

import { figures } from "../../server/sharp_xr/web/panel.js";
import { fromServer } from "./golden.js";

const message = (name) => fromServer.find((vector) => vector.name === name).message;
const nothing = { fps: null, median: null, p95: null, matchedShare: null };

const state = {
  summary: { fps: 29.7, median: 31.4, p95: 52, matchedShare: 1 },
  isStill: false,
  inbound: { framesDropped: 2, packetsLost: 5 },
  eyeSize: [512, 480],
  welcome: message("welcome"),
  scene: message("scene ready").scene,
  times: { pose_wait_ms: 0.4, render_ms: 21, encode_ms: 4.2 },
};

test("shows what is known of the stream", () => {
  assert.deepEqual(figures(state, 7_650_000), {
    fps: "30",
    bitrate: "7.7 Mbit/s",
    latency: "31 / 52 ms",
    matched: "100 %",
    resolution: "2 × 512 × 480",
    lost: "2 / 5",
    server: "0 + 21 + 4 ms",
    renderer: "cpu (2 threads)",
    model: "lite",
    gaussians: "295 K",
  });
});

test("shows dashes before there is anything", () => {
  const state = { summary: nothing, inbound: null, eyeSize: [0, 0], welcome: null, scene: null, times: null };
  assert.ok(Object.values(figures(state, null)).every((text) => text.includes("–")));
});

test("says that the head is still instead of the frame a second that comes then", () => {
  assert.equal(figures({ ...state, isStill: true }, null).fps, "still");
  assert.equal(figures({ ...state, isStill: true, summary: nothing }, null).fps, "–"); // no frame came at all
});
