import assert from "node:assert/strict";
import { test } from "node:test";

import { figures, stageFigures } from "../../server/sharp_xr/web/panel.js";
import { told } from "./golden.js";

const nothing = { fps: null, median: null, p95: null, age: null, ageP95: null, matchedShare: null };

const state = {
  summary: { fps: 29.7, median: 31.4, p95: 52, age: 39.2, ageP95: 61, matchedShare: 1 },
  isStill: false,
  inbound: { framesDropped: 2, packetsLost: 5 },
  eyeSize: [512, 480],
  isCoarse: false,
  welcome: told("welcome"),
  scene: told("scene_ready").scene,
  quality: null,
};

test("shows what is known of the stream", () => {
  assert.deepEqual(figures(state, 7_650_000), {
    fps: "30",
    bitrate: "7.7 Mbit/s",
    latency: "31 / 52 ms",
    age: "39 / 61 ms",
    matched: "100 %",
    resolution: "2 × 512 × 480",
    lost: "2 / 5",
    warp: "full",
    renderer: "cpu (2 threads)",
    model: "lite",
    gaussians: "295 K",
  });
});

test("shows dashes before there is anything", () => {
  const empty = { inbound: null, eyeSize: [0, 0], isCoarse: true, welcome: null, scene: null, quality: null };
  const state = { summary: nothing, isStill: false, ...empty };
  const { warp, ...others } = figures(state, null);
  assert.ok(Object.values(others).every((text) => text.includes("–")));
  assert.equal(warp, "coarse"); // a device that has not the time is known before anything comes
});

test("says that the head is still instead of the frame a second that comes then", () => {
  assert.equal(figures({ ...state, isStill: true }, null).fps, "still");
  assert.equal(figures({ ...state, isStill: true, summary: nothing }, null).fps, "–"); // no frame came at all
});

test("shows the median of each stage, and dashes before the first frame", () => {
  const frames = [2, 4, 60].map((ms, at) => ({
    shownAt: at,
    split: { pose: ms, render: 2 * ms, encode: 1, network: 0.26, decode: 2, display: 3 },
  }));
  assert.deepEqual(stageFigures(frames), {
    "stage-pose": "4.0 ms",
    "stage-render": "8.0 ms",
    "stage-encode": "1.0 ms",
    "stage-network": "0.3 ms",
    "stage-decode": "2.0 ms",
    "stage-display": "3.0 ms",
  });
  assert.ok(Object.values(stageFigures([])).every((text) => text === "–"));
});
