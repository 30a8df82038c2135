import assert from "node:assert/strict";
import { test } from "node:test";

import * as pointer from "../../server/sharp_xr/web/pointer.js";

/** @typedef {import("../../server/sharp_xr/web/pointer.js").Point} Point */
/** @typedef {Required<import("../../server/sharp_xr/web/head.js").Move>} Move what is not said does not move */

const still = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, roll: 0 };

/**
 * @param {Parameters<typeof pointer.oneFinger>} drag
 * @returns {Move}
 */
const oneFinger = (...drag) => ({ ...still, ...pointer.oneFinger(...drag) });

/**
 * @param {Parameters<typeof pointer.twoFingers>} gesture
 * @returns {Move}
 */
const twoFingers = (...gesture) => ({ ...still, ...pointer.twoFingers(...gesture) });

test("dragging right grabs the scene: the head goes left, and up for a drag down", () => {
  const { x, y } = oneFinger([100, 100], [200, 150], false, 1000, 0.5);
  assert.ok(x < 0 && y > 0);
  assert.ok(Math.abs(x + 2 * y) < 1e-12); // as far as the finger went
});

test("turning follows the hand too: dragging right looks left", () => {
  assert.deepEqual(Object.keys(pointer.oneFinger([0, 0], [9, 9], true, 1000, 0.5)), ["yaw", "pitch"]);
  assert.ok(oneFinger([0, 0], [9, 0], true, 1000, 0.5).yaw > 0);
});

test("fingers that part come closer", () => {
  const { z, roll, yaw } = twoFingers([[0, 0], [100, 0]], [[-50, 0], [150, 0]], 1000, 0.5);
  assert.ok(z < 0);
  assert.ok(Math.abs(roll) < 1e-12 && Math.abs(yaw) < 1e-12);
});

test("fingers that turn clockwise tilt the head to the left shoulder", () => {
  const { z, roll } = twoFingers([[0, 0], [100, 0]], [[0, 0], [0, 100]], 1000, 0.5);
  assert.ok(Math.abs(roll - Math.PI / 2) < 1e-12);
  assert.ok(Math.abs(z) < 1e-12);
});

test("a twist across the half turn is a small one", () => {
  /** @type {Point[]} */
  const before = [[0, 0], [-100, 1]];
  /** @type {Point[]} */
  const after = [[0, 0], [-100, -1]];
  assert.ok(Math.abs(twoFingers(before, after, 1000, 0.5).roll) < 0.03);
});
