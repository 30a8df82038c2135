import assert from "node:assert/strict";
import { test } from "node:test";

import {
  LONGEST_MM,
  SHORTEST_MM,
  degreesOf,
  millimetresAt,
  millimetresOf,
  stepOf,
} from "../../server/sharp_xr/web/lens.js";

/**
 * A 3:2 photo of a camera with 35 mm film and this focal length.
 * @param {number} mm
 */
function fovOf(mm) {
  const [half_width, half_height] = [Math.atan(18 / mm), Math.atan(12 / mm)];
  return { left: -half_width, right: half_width, up: half_height, down: -half_height };
}

test("a focal length on 35 mm film is read off a field of view", () => {
  for (const mm of [8, 24, 50, 400]) assert.ok(Math.abs(millimetresOf(fovOf(mm)) - mm) < 1e-9);
});

test("a photo of another shape counts by its diagonal, upright as across", () => {
  const square = Math.atan(43.2666 / Math.SQRT2 / 2 / 30);
  const fov = { left: -square, right: square, up: square, down: -square };
  assert.ok(Math.abs(millimetresOf(fov) - 30) < 1e-4);
  const { left, right, up, down } = fovOf(35);
  const upright = { left: down, right: up, up: right, down: left };
  assert.ok(Math.abs(millimetresOf(upright) - 35) < 1e-9);
});

test("degrees are the diagonal ones that a lens is sold by", () => {
  assert.deepEqual([24, 35, 50, 85].map((mm) => Math.round(degreesOf(mm))), [84, 63, 47, 29]);
});

test("the slider goes from the shortest to the longest in equal ratios", () => {
  assert.equal(millimetresAt(0), SHORTEST_MM);
  assert.ok(Math.abs(millimetresAt(200) - LONGEST_MM) < 1e-9);
  assert.ok(Math.abs(millimetresAt(51) / millimetresAt(50) - millimetresAt(151) / millimetresAt(150)) < 1e-12);
  for (const step of [0, 1, 77, 200]) assert.equal(stepOf(millimetresAt(step)), step);
  assert.deepEqual([stepOf(2), stepOf(5000)], [0, 200]); // beyond the ends
});
