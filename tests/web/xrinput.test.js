import assert from "node:assert/strict";
import { test } from "node:test";

import { Controllers } from "../../server/sharp_xr/web/xrinput.js";

const AT = { position: { x: 1, y: 2, z: 3 }, orientation: { x: 0, y: 0, z: 0, w: 1 } };
const RAY = { position: [1, 2, 3], orientation: [0, 0, 0, 1] };

// Two hands, the second of which the headset has lost.
function hands() {
  /** @type {unknown[][]} */
  const heard = [];
  const gamepad = { axes: [0, 0, 0, 0] };
  const right = { targetRayMode: "tracked-pointer", targetRaySpace: "right", gamepad };
  const lost = { targetRayMode: "tracked-pointer", targetRaySpace: "lost", gamepad: null };
  const gaze = { targetRayMode: "gaze", targetRaySpace: "right", gamepad: null };
  const session = Object.assign(new EventTarget(), { visibilityState: "visible", inputSources: [right, lost, gaze] });
  const frame = { getPose: (/** @type {string} */ space) => (space === "lost" ? null : { transform: AT }) };
  const hear = (/** @type {string} */ what) => (/** @type {unknown[]} */ ...with_) => heard.push([what, ...with_]);
  const wishes = Object.fromEntries(["point", "press", "recentre", "step", "resize"].map((what) => [what, hear(what)]));
  const controllers = new Controllers(/** @type {any} */ (session), /** @type {any} */ ({}), /** @type {any} */ (wishes));
  let now = 0;
  const advance = (/** @type {number[]} */ axes, ms = 10) => {
    now += ms;
    gamepad.axes = axes;
    heard.length = 0;
    controllers.advance(/** @type {any} */ (frame), now);
    return heard.filter(([what]) => what !== "point");
  };
  advance([0, 0, 0, 0]);
  return { session, heard, frame, right, lost, advance };
}

test("all hands that the headset sees point; only held ones have a beam", () => {
  const { heard, advance } = hands();
  advance([0, 0, 0, 0]);
  assert.deepEqual(heard, [["point", [{ ray: RAY, isHeld: true }, { ray: RAY, isHeld: false }]]]);
});

test("a trigger presses along its ray, a lost hand's along none; a squeeze recentres", () => {
  const { session, heard, frame, right, lost } = hands();
  heard.length = 0;
  for (const inputSource of [right, lost]) {
    session.dispatchEvent(Object.assign(new Event("select"), { frame, inputSource }));
  }
  session.dispatchEvent(new Event("squeeze"));
  assert.deepEqual(heard, [["press", RAY], ["press", null], ["recentre"]]);
});

test("a flick steps once until the stick is back, to the side that it went", () => {
  const { advance } = hands();
  assert.deepEqual(advance([0, 0, 0.5, 0]), []);
  assert.deepEqual(advance([0, 0, 0.9, 0]), [["step", 1]]);
  assert.deepEqual(advance([0, 0, 1, 0]), []);
  assert.deepEqual(advance([0, 0, 0.5, 0]), []); // not back yet
  assert.deepEqual(advance([0, 0, 1, 0]), []);
  advance([0, 0, 0.1, 0]);
  assert.deepEqual(advance([0, 0, -0.8, 0.3]), [["step", -1]]);
});

test("a stick held up doubles the size in a second, held down halves it, at any frame rate", () => {
  for (const [ms, frames] of [[10, 100], [50, 20]]) {
    for (const [y, wanted] of [[-1, 2], [1, 0.5]]) {
      const { advance } = hands();
      let size = 1;
      for (let i = 0; i < frames; i += 1) {
        for (const [what, factor] of advance([0, 0, 0.2, y], ms)) {
          assert.equal(what, "resize");
          size *= Number(factor);
        }
      }
      assert.ok(Math.abs(size - wanted) < 1e-9, `${size}`);
    }
  }
});

test("a pause, as in another app, is no long push", () => {
  const { advance } = hands();
  const [[, factor]] = advance([0, 0, 0, -1], 60_000);
  assert.ok(Number(factor) < 1.1);
});

test("a controller with a touch pad only is heard too, and a resting stick is not", () => {
  const { advance } = hands();
  assert.deepEqual(advance([0.9, 0]), [["step", 1]]);
  assert.deepEqual(advance([0.05, -0.2]), []);
  assert.deepEqual(advance([]), []);
});

test("no hand is heard while the headset's own menu has them", () => {
  const { session, heard, advance } = hands();
  session.visibilityState = "visible-blurred";
  assert.deepEqual(advance([0, 0, 1, 0]), []);
  assert.deepEqual(heard, [["point", []]]);
});
