import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { rotate } from "../../server/sharp_xr/web/geometry.js";
import { Head } from "../../server/sharp_xr/web/head.js";
import { Tilt, earthFromScreen } from "../../server/sharp_xr/web/tilt.js";

const FOCUS_M = 2;
const UPRIGHT = { alpha: 0, beta: 90, gamma: 0 }; // in portrait, before the face

const scope = /** @type {any} */ (globalThis);
afterEach(() => {
  delete scope.screen;
  delete scope.DeviceOrientationEvent;
});

/** @param {object} angles */
function event(angles) {
  return Object.assign(new Event("deviceorientation"), angles);
}

async function held(/** @type {object | null} */ angles = UPRIGHT) {
  const head = new Head();
  head.enter(FOCUS_M, false);
  const target = new EventTarget();
  const tilt = new Tilt({ head, focus: () => FOCUS_M, target, waitMs: 1 });
  const on = tilt.toggle();
  await Promise.resolve();
  if (angles) target.dispatchEvent(event(angles));
  await on;
  tilt.advance(1 / 60);
  const turn = (/** @type {object} */ to, seconds = 1 / 60) => {
    target.dispatchEvent(event(to));
    tilt.advance(seconds);
    for (let i = 0; i < 120; i += 1) head.advance(1 / 60);
    return head.pose.head.position;
  };
  return { head, tilt, turn };
}

/**
 * @param {readonly number[]} actual
 * @param {readonly number[]} wanted
 */
function near(actual, wanted, tolerance = 1e-9) {
  actual.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < tolerance, `${actual} is not ${wanted}`));
}

test("the axes of the screen are where the W3C's drawing has them", () => {
  const flat = earthFromScreen({ alpha: 0, beta: 0, gamma: 0 }, 0); // on a table: x east, y north, z up
  near(rotate(flat, [0, 0, 1]), [0, 0, 1]);
  near(rotate(earthFromScreen(UPRIGHT, 0), [0, 1, 0]), [0, 0, 1]); // its top is up,
  near(rotate(earthFromScreen(UPRIGHT, 0), [0, 0, 1]), [0, -1, 0]); // its screen faces south
  // Its right edge up, its top to the left: the picture is turned clockwise on it. And the other way round.
  near(rotate(earthFromScreen({ alpha: 0, beta: 0, gamma: -90 }, 90), [0, 1, 0]), [0, 0, 1]);
  near(rotate(earthFromScreen({ alpha: 0, beta: 0, gamma: 90 }, 270), [0, 1, 0]), [0, 0, 1]);
});

test("a phone whose right edge goes away shows what a head further left sees, by as much as the angle says", async () => {
  const { turn } = await held();
  // alpha turns it to the left, seen from above: its right edge goes away from the face.
  const [x, y] = turn({ ...UPRIGHT, alpha: 5 });
  const wanted = (-5 * Math.PI * FOCUS_M) / 180;
  assert.ok(Math.abs(x - wanted) < 0.01 * FOCUS_M, `${x}, wanted ${wanted}`);
  assert.ok(Math.abs(y) < 1e-3);
});

test("a phone whose top tips towards the face shows what a head further up sees", async () => {
  const { turn } = await held();
  const [x, y] = turn({ ...UPRIGHT, beta: 95 });
  assert.ok(y > 0.1 && y < 0.2, `${y}`);
  assert.ok(Math.abs(x) < 1e-3);
});

test("the same in landscape", async () => {
  scope.screen = { orientation: { angle: 90 } };
  const { turn } = await held({ alpha: 0, beta: 0, gamma: -90 });
  const [x, y] = turn({ alpha: 5, beta: 0, gamma: -90 });
  assert.ok(Math.abs(x + (5 * Math.PI * FOCUS_M) / 180) < 0.02, `${x}`);
  assert.ok(Math.abs(y) < 1e-3);
});

test("across north there is no jump", async () => {
  const { turn } = await held({ ...UPRIGHT, alpha: 359 });
  const [x] = turn({ ...UPRIGHT, alpha: 1 });
  assert.ok(Math.abs(x + (2 * Math.PI * FOCUS_M) / 180) < 0.01, `${x}`);
});

test("how it is held is forgotten slowly", async () => {
  const { turn } = await held();
  const tipped = { ...UPRIGHT, alpha: 5 };
  const before = turn(tipped)[0];
  for (let i = 0; i < 30; i += 1) turn(tipped, 1);
  assert.ok(Math.abs(turn(tipped)[0]) < 0.05 * Math.abs(before));
});

test("a phone turned too far and back has the head where it was, and so after a while", async () => {
  const { turn } = await held();
  const most = turn({ ...UPRIGHT, alpha: 60 }, 0)[0];
  assert.equal(most, -0.5); // the head's own limit
  assert.ok(Math.abs(turn(UPRIGHT, 0)[0]) < 1e-3);
  for (let i = 0; i < 30; i += 1) turn(UPRIGHT, 1);
  assert.ok(Math.abs(turn(UPRIGHT)[0]) < 1e-3);
});

test("the sensor's noise leaves the head at rest", async () => {
  const { head, turn } = await held();
  turn({ ...UPRIGHT, alpha: 0.005 });
  assert.equal(head.isTouched, false);
});

test("recentred, the way that it is held is straight; off, it is not heard", async () => {
  const { head, tilt, turn } = await held();
  turn({ ...UPRIGHT, alpha: 5 });
  head.recentre();
  assert.deepEqual(turn({ ...UPRIGHT, alpha: 5 }), [0, 0, 0]);
  assert.equal(await tilt.toggle(), false);
  assert.deepEqual(turn({ ...UPRIGHT, alpha: 20 }), [0, 0, 0]);
});

test("a device without the sensor is told in a sentence, and it is off again", async () => {
  for (const silent of [null, { alpha: null, beta: null, gamma: null }]) {
    await assert.rejects(held(silent), /does not tell how it is held.*https/);
  }
});

test("Safari's question is put, and a no is told with what to do", async () => {
  /** @type {string[]} */
  const answers = ["denied", "granted"];
  scope.DeviceOrientationEvent = { requestPermission: async () => answers.shift() };
  const tilt = new Tilt({ head: new Head(), focus: () => 1, target: new EventTarget(), waitMs: 1 });
  await assert.rejects(tilt.toggle(), /allow motion/);
  assert.equal(tilt.isOn, false);
  await assert.rejects(tilt.toggle(), /does not tell/); // it was allowed, but nothing came
  scope.DeviceOrientationEvent = { requestPermission: async () => Promise.reject(new Error("no click")) };
  await assert.rejects(tilt.toggle(), /allow motion/);
});
