import assert from "node:assert/strict";
import { test } from "node:test";

import { displayOf, displayWorn, isWorthAsking } from "../../server/sharp_xr/web/display.js";

/**
 * @param {number} eye_width
 * @param {number} eye_height
 * @param {number} refresh_hz
 */
const display = (eye_width, eye_height, refresh_hz) => ({ eye_width, eye_height, refresh_hz });
/**
 * @param {number} side
 * @param {number} max_hz
 */
const video = (side, max_hz) => ({ eye_width: side, eye_height: side, max_hz });
const PAGE = display(1024, 1024, 60);
const WORN = display(1440, 1536, 90);

test("a page asks for as many pixels as its longer side has, within bounds", () => {
  const sides = [[100, 50, 1], [700, 500, 1], [390, 600, 1.5], [3840, 2000, 2]].map(
    ([clientWidth, clientHeight, ratio]) => displayOf({ clientWidth, clientHeight }, ratio).eye_width,
  );
  assert.deepEqual(sides, [256, 700, 900, 1024]);
});

test("a headset asks for its own eyes, in their shape, at its own rate", () => {
  assert.deepEqual(displayWorn({ width: 1680, height: 1760 }, 72), display(1466, 1536, 72));
  assert.deepEqual(displayWorn({ width: 240, height: 360 }, undefined), display(240, 360, 60));
  assert.deepEqual(displayWorn({ width: 4, height: 4000 }, NaN).eye_width, 16);
});

test("what the server takes is what is told, whatever a headset says of its rate", () => {
  for (const rate of [0, -5, NaN, Infinity, undefined]) {
    const { refresh_hz } = displayWorn({ width: 100, height: 100 }, rate);
    assert.ok(refresh_hz >= 1 && refresh_hz <= 1000, `${rate} became ${refresh_hz}`);
  }
});

test("a server that gives more to a headset is asked", () => {
  assert.ok(isWorthAsking(PAGE, video(1024, 60), WORN));
  assert.ok(isWorthAsking(PAGE, video(1024, 60), display(1024, 1024, 72)), "more frames");
  assert.ok(isWorthAsking(PAGE, video(1024, 60), display(700, 700, 60)), "fewer pixels do");
  assert.ok(isWorthAsking(PAGE, video(512, 60), display(512, 1024, 60)), "another shape");
});

test("one that gives all it has is not asked for nothing", () => {
  assert.ok(!isWorthAsking(PAGE, video(512, 60), display(1440, 1536, 60)));
  assert.ok(!isWorthAsking(PAGE, video(512, 60), display(900, 900, 60)));
  assert.ok(!isWorthAsking(display(1024, 1024, 120), video(512, 60), display(1024, 1024, 90)));
  assert.ok(!isWorthAsking(PAGE, video(1152, 60), display(1040, 1024, 62)), "hardly another");
});
