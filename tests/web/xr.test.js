import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Headset, offers } from "../../server/sharp_xr/web/xr.js";

// As little of a headset as the page asks for; tests/e2e has the whole one, in a browser.

const SYMMETRIC = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, -1, 0, 0, -0.2, 0];
const SHIFTED = [1, 0, 0, 0, 0, 1, 0, 0, 0.5, 0, -1, -1, 0, 0, -0.2, 0];
const LEVEL = { x: 0, y: 0, z: 0, w: 1 };

class Session extends EventTarget {
  visibilityState = "visible";
  /** @type {unknown[]} */
  inputSources = [];
  /** @type {Function[]} */
  turns = [];
  space = new EventTarget();
  hasEnded = false;
  /** @type {number | undefined} */
  frameRate;
  updateRenderState() {}
  async requestReferenceSpace() {
    if (failing === "space") throw new Error("no such space");
    return this.space;
  }
  /** @param {Function} turn */
  requestAnimationFrame(turn) {
    this.turns.push(turn);
  }
  async end() {
    if (this.hasEnded) throw new Error("it has ended");
    this.hasEnded = true;
    this.dispatchEvent(new Event("end"));
  }
  // One frame of the display, with the head at this place; null: the headset does not know.
  /** @param {{x?: number, velocity?: object, backwards?: boolean} | null} head */
  turn(head) {
    const [turn] = this.turns.splice(0);
    turn?.(0, { getViewerPose: () => head && viewer(head), getPose: () => null });
  }
}

/** @param {{x?: number, velocity?: object, backwards?: boolean}} head */
function viewer({ x = 0, velocity = {}, backwards = false }) {
  const at = (/** @type {number} */ offset) => ({ position: { x: x + offset, y: 1.6, z: 0 }, orientation: LEVEL });
  const views = [
    { eye: "left", transform: at(-0.03), projectionMatrix: SYMMETRIC },
    { eye: "right", transform: at(0.03), projectionMatrix: SHIFTED },
  ];
  return { transform: at(0), views: backwards ? views.reverse() : views, ...velocity };
}

/** @type {string | null} */
let failing = null;
/** @type {Session[]} */
let sessions = [];
/** @type {any[][]} */
let heard = [];

const hear = (/** @type {string} */ what) => (/** @type {any[]} */ ...more) => heard.push([what, ...more]);
const of = (/** @type {string} */ what) => heard.filter(([name]) => name === what).map(([, ...more]) => more);

function headset() {
  const gl = { makeXRCompatible: async () => {}, bindFramebuffer() {}, clearColor() {}, clear() {} };
  const stage = { canvas: new EventTarget(), gl, isElsewhere: false, paintEyes: hear("eyes"), redraw: hear("redraw") };
  const names = ["open", "openAtNext", "close", "follow", "point", "press", "draw", "setSize", "forgetContext"];
  const panel = Object.fromEntries(names.map((name) => [name, hear(name)]));
  const made = new Headset(/** @type {any} */ ({
    stage, panel, onDisplay: hear("display"), onPose: hear("pose"), onStep: hear("step"), onEnd: hear("end"),
  }));
  return { made, stage };
}

beforeEach(() => {
  [failing, sessions, heard] = [null, [], []];
  const xr = {
    isSessionSupported: async (/** @type {string} */ mode) => {
      if (failing === "policy") throw new Error("forbidden");
      return mode === "immersive-vr";
    },
    requestSession: async () => {
      if (failing === "session") throw new Error("busy");
      sessions.push(new Session());
      return sessions.at(-1);
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { xr }, configurable: true });
  const Layer = class {
    getViewport(/** @type {{eye: string}} */ { eye }) {
      return { x: eye === "left" ? 0 : 100, y: 0, width: 100, height: 90 };
    }
  };
  Object.assign(globalThis, { XRWebGLLayer: Layer });
});

test("a headset is offered where the browser says so, and not where it may not or cannot", async () => {
  assert.equal(await offers("immersive-vr"), true);
  assert.equal(await offers("immersive-ar"), false);
  failing = "policy";
  assert.equal(await offers("immersive-vr"), false);
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  assert.equal(await offers("immersive-vr"), false);
});

test("what it shows frames on is told with its first pose, and again when its rate is another", async () => {
  const { made } = headset();
  await made.enter("immersive-vr");
  const [session] = sessions;
  session.frameRate = 72;
  session.turn(null);
  assert.deepEqual(of("display"), []);
  for (const x of [0, 1]) session.turn({ x });
  session.frameRate = 90;
  session.dispatchEvent(new Event("frameratechange"));
  for (const x of [0, 1]) session.turn({ x });
  const eye = { eye_width: 100, eye_height: 90 };
  assert.deepEqual(of("display"), [[{ ...eye, refresh_hz: 72 }], [{ ...eye, refresh_hz: 90 }]]);
});

test("poses and fields of view of the eyes are the headset's, from where the head was at first", async () => {
  const { made, stage } = headset();
  await made.enter("immersive-vr");
  assert.equal(stage.isElsewhere, true);
  sessions[0].turn({ x: 5 });
  sessions[0].turn({ x: 5.1 });
  const [, [, view]] = of("pose");
  assert.ok(Math.abs(view.head.position[0] - 0.1) < 1e-9);
  assert.ok(Math.abs(view.eyes[0].pose.position[0] + 0.03) < 1e-9);
  assert.ok(Math.abs(Math.tan(view.eyes[1].fov.right) - 1.5) < 1e-9);
  const [, [, places, shown]] = of("eyes");
  assert.deepEqual(places.map((/** @type {any} */ { viewport }) => viewport[0]), [0, 100]);
  assert.equal(shown.head, view.head);
});

test("the left eye is the left eye, in whatever order a browser names them", async () => {
  const { made } = headset();
  await made.enter("immersive-vr");
  sessions[0].turn({ backwards: true });
  const [[, view]] = of("pose");
  assert.ok(view.eyes[0].pose.position[0] < view.eyes[1].pose.position[0]);
  const [[, places]] = of("eyes");
  assert.deepEqual(places.map((/** @type {any} */ { side, eye }) => [side, eye.eye]), [[0, "left"], [1, "right"]]);
});

test("the head's velocity is the headset's where it tells, else what the last two poses say", async () => {
  const { made } = headset();
  await made.enter("immersive-vr");
  const told = { linearVelocity: { x: 1, y: 2, z: 3 }, angularVelocity: { x: 4, y: 5, z: 6 } };
  sessions[0].turn({});
  sessions[0].turn({ velocity: told });
  sessions[0].turn({ x: 0.001 });
  const [[, first], [, second], [, third]] = of("pose");
  assert.deepEqual(first.velocity, { linear: [0, 0, 0], angular: [0, 0, 0] });
  assert.deepEqual(second.velocity, { linear: [1, 2, 3], angular: [4, 5, 6] });
  assert.ok(third.velocity.linear[0] > 0);
});

test("no pose is made up while the headset does not know where it is", async () => {
  const { made } = headset();
  await made.enter("immersive-vr");
  sessions[0].turn(null);
  assert.deepEqual(of("pose"), []);
  sessions[0].turn({ x: 3 });
  assert.equal(of("pose").length, 1);
  assert.equal(made.view?.head.position[0], 0);
});

test("the headset's own recentring and another scene bring the scene to the head; another one is in true size", async () => {
  const { made } = headset();
  await made.enter("immersive-vr");
  sessions[0].turn({});
  sessions[0].turn({ x: 1 });
  assert.equal(made.view?.head.position[0], 1);
  sessions[0].space.dispatchEvent(new Event("reset"));
  sessions[0].turn({ x: 1 });
  assert.equal(made.view?.head.position[0], 0);
  made.resize(2);
  sessions[0].turn({ x: 2 });
  assert.equal(made.view?.head.position[0], 0.5);
  made.arrive();
  sessions[0].turn({ x: 2 });
  assert.equal(made.view?.head.position[0], 0);
  assert.equal(made.size, 1);
});

test("a second click does not open a second session", async () => {
  const { made } = headset();
  await Promise.all([made.enter("immersive-vr"), made.enter("immersive-vr")]);
  await made.enter("immersive-vr");
  assert.equal(sessions.length, 1);
});

test("what cannot be opened is said and left, and can be tried again", async () => {
  const { made, stage } = headset();
  failing = "session";
  await assert.rejects(made.enter("immersive-vr"), /busy/);
  failing = "space";
  await assert.rejects(made.enter("immersive-vr"), /no such space/);
  assert.equal(sessions[0].hasEnded, true);
  assert.equal(made.isActive, false);
  assert.equal(stage.isElsewhere, false);
  assert.deepEqual(of("end"), []);
  failing = null;
  await made.enter("immersive-vr");
  assert.equal(made.isActive, true);
});

for (const [name, leave] of /** @type {[string, (made: Headset, canvas: EventTarget) => unknown][]} */ ([
  ["by the page", (made) => made.leave()],
  ["by the headset", () => sessions[0].end()],
  ["with the context that it draws with", (_, canvas) => canvas.dispatchEvent(new Event("webglcontextlost"))],
])) {
  test(`a session that ends ${name} gives the stage back once, and no pose follows`, async () => {
    const { made, stage } = headset();
    await made.enter("immersive-vr");
    sessions[0].turn({});
    await leave(made, stage.canvas);
    await made.leave();
    sessions[0].turn({});
    assert.equal(made.isActive, false);
    assert.equal(made.view, null);
    assert.equal(stage.isElsewhere, false);
    assert.equal(of("pose").length, 1);
    assert.equal(of("end").length, 1);
    assert.equal(of("redraw").length, 1);
  });
}
