import assert from "node:assert/strict";
import { test } from "node:test";

import { Frames } from "../../server/sharp_xr/web/frame.js";
import { PoseHistory } from "../../server/sharp_xr/web/history.js";
import { told } from "./golden.js";
import { certain } from "./standin.js";

/** @typedef {import("../../server/sharp_xr/web/wire.js").Layout} Layout */

const header = told("frame_header", "frame header with depth");
const { scene } = told("scene_ready");
const DRAWN = { position: [1, 0, 0], orientation: [0, 0, 0, 1] };
const SENT = { position: [2, 0, 0], orientation: [0, 0, 0, 1] };
const large = { eye_width: 512, eye_height: 480, depth_width: 256, depth_height: 240 };
const small = { eye_width: 448, eye_height: 416, depth_width: 224, depth_height: 208 };
const NONE = { depth_width: 0, depth_height: 0 };

function made() {
  /** @type {PoseHistory<import("../../server/sharp_xr/web/frame.js").Header>} */
  const headers = new PoseHistory();
  /** @type {PoseHistory<import("../../server/sharp_xr/web/frame.js").Sent>} */
  const history = new PoseHistory();
  return { headers, history, frames: new Frames({ headers, history }) };
}

/**
 * @param {ReturnType<typeof made>} world
 * @param {number} key
 * @param {Layout | null} [layout] null: no header comes
 */
function send({ headers, history }, key, layout = null) {
  history.remember(key, { at: key, head: SENT, eyes: header.eyes, scene });
  if (layout) headers.remember(key, { ...header, key, head: DRAWN, layout, near_m: 0.75 });
}

test("takes each frame's layout from its own header, also as the size changes", () => {
  const world = made();
  send(world, 1, large);
  send(world, 2, small);
  assert.deepEqual(world.frames.identify(1, 1024, 720)?.layout, large);
  assert.deepEqual(world.frames.identify(2, 896, 624)?.layout, small);
});

test("takes a frame without header to be as the last one, where it has its size", () => {
  const world = made();
  send(world, 1, large);
  world.frames.identify(1, 1024, 720);
  send(world, 2);
  const { layout, near_m, drawn } = certain(world.frames.identify(2, 1024, 720));
  assert.deepEqual([layout, near_m, drawn.head], [large, 0.75, SENT]);
});

test("leaves out the frame of a new size whose header has not come: depth would show as colour", () => {
  const world = made();
  send(world, 1, large);
  world.frames.identify(1, 1024, 720);
  send(world, 2);
  assert.equal(world.frames.identify(2, 896, 624), null);
  send(world, 3, small);
  assert.deepEqual(world.frames.identify(3, 896, 624)?.layout, small);
});

test("takes the first frames to be as the newest header says, also where its own picture was never seen", () => {
  const world = made();
  send(world, 1, large);
  send(world, 2);
  assert.deepEqual(world.frames.identify(2, 1024, 720)?.layout, large);
  send(world, 3);
  assert.equal(world.frames.identify(3, 896, 624), null);
});

test("takes all for colour where no header ever came", () => {
  const world = made();
  send(world, 1);
  const { layout, near_m } = certain(world.frames.identify(1, 1024, 480));
  assert.deepEqual([layout, near_m], [{ eye_width: 512, eye_height: 480, ...NONE }, 0]);
});

test("where the browser tells no keys, a picture is as the newest header says, and as it was drawn", () => {
  const world = made();
  assert.equal(world.frames.identify(null, 1024, 720), null);
  send(world, 1, small);
  send(world, 2, large);
  const { sent, layout, drawn } = certain(world.frames.identify(null, 1024, 720));
  assert.deepEqual([sent, layout, drawn.head], [null, large, DRAWN]);
  assert.equal(world.frames.identify(null, 896, 624), null);
});
