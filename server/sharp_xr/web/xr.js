// The immersive session: the same frames, the same warp, into the eyes of a headset. It hands out the viewer's
// poses, which the headset predicts for when its frame is shown, and ends as the viewer or the page wants it.

import { displayWorn } from "./display.js";
import { Controllers } from "./xrinput.js";
import { Place, fovOf, poseOf, velocityBetween } from "./xrview.js";

/** @typedef {import("./stage.js").Stage} Stage */
/** @typedef {import("./xrpanel.js").Panel3d} Panel3d */
/** @typedef {import("./geometry.js").Pose} Pose */
/** @typedef {import("./xrview.js").Velocity} Velocity */
/** @typedef {import("./xrview.js").View} View */
/** @typedef {"immersive-vr" | "immersive-ar"} Mode */

const LONGEST_STEP_S = 0.1; // between two poses that say how fast the head is

/**
 * Whether this browser has it, here and now.
 * @param {Mode} mode
 * @returns {Promise<boolean>}
 */
export async function offers(mode) {
  try {
    return (await navigator.xr?.isSessionSupported(mode)) ?? false;
  } catch {
    return false; // the page's permissions forbid it
  }
}

export class Headset {
  #stage;
  #panel;
  #onDisplay;
  #onPose;
  #onStep;
  #onEnd;
  #isKnown = false; // the display, to whoever hears of it
  /** @type {XRSession | null} */
  #session = null;
  #isEntering = false;
  #place = new Place();
  #isToRecentre = false;
  /** @type {Pose | null} */
  #room = null; // room_from_head, the newest
  /** @type {{head: Pose, at: number} | null} */
  #last = null; // the pose before
  /** @type {View | null} */
  #view = null; // the newest, in the scene's world

  /**
   * @param {object} parts
   * @param {Stage} parts.stage
   * @param {Panel3d} parts.panel what is shown inside
   * @param {(display: import("./display.js").Display) => void} parts.onDisplay is told what it shows frames on
   * @param {(now: number, viewer: View & {velocity: Velocity}) => void} parts.onPose in the scene's world
   * @param {(way: number) => void} parts.onStep another scene is wanted: -1 or 1
   * @param {() => void} parts.onEnd it is over
   */
  constructor({ stage, panel, onDisplay, onPose, onStep, onEnd }) {
    this.#stage = stage;
    this.#panel = panel;
    this.#onDisplay = onDisplay;
    this.#onPose = onPose;
    this.#onStep = onStep;
    this.#onEnd = onEnd;
    // What was made with a lost context is lost; the page gets a new one, a session does not.
    stage.canvas.addEventListener("webglcontextlost", () => {
      this.#panel.forgetContext();
      this.leave();
    });
  }

  get isActive() {
    return this.#session !== null;
  }

  get size() {
    return this.#place.size;
  }

  /** The viewer as it was last told, or null. */
  get view() {
    return this.#view;
  }

  /**
   * Must be called from a click. Throws what the browser says when it cannot be.
   * @param {Mode} mode
   */
  async enter(mode) {
    if (this.#session || this.#isEntering || !navigator.xr) return;
    this.#isEntering = true;
    try {
      const session = await navigator.xr.requestSession(mode);
      session.addEventListener("end", () => this.#ended(session));
      try {
        await this.#open(session, mode === "immersive-ar");
      } catch (error) {
        await session.end().catch(() => {}); // it may have ended by itself
        throw error;
      }
    } finally {
      this.#isEntering = false;
    }
  }

  async leave() {
    await this.#session?.end().catch(() => {}); // it may end by itself in the same moment
  }

  /** The photo's camera, and the panel if it is open, come to where the head is by the next frame. */
  recentre() {
    this.#isToRecentre = true;
  }

  /** Another scene: it is entered where its photo was taken from, in true scale. */
  arrive() {
    this.#place.size = 1;
    this.#panel.setSize(1);
    this.recentre();
  }

  /** @param {number} factor */
  resize(factor) {
    this.#place.resize(factor);
    this.#panel.setSize(this.size);
  }

  /**
   * @param {XRSession} session
   * @param {boolean} isClear whether the room is seen through
   */
  async #open(session, isClear) {
    const { gl } = this.#stage;
    await gl.makeXRCompatible();
    const layer = new XRWebGLLayer(session, gl, { antialias: false, depth: false, alpha: isClear });
    session.updateRenderState({ baseLayer: layer });
    // Its origin is at the head, level. The scene is put there anyway, so that the floor's height is of no use.
    const space = await session.requestReferenceSpace("local");
    space.addEventListener("reset", () => this.recentre()); // by the headset's own button
    const controllers = new Controllers(session, space, {
      point: (rays) => this.#panel.point(rays),
      press: (ray) => this.#room && this.#panel.press(ray, this.#room),
      recentre: () => this.recentre(),
      step: this.#onStep,
      resize: (factor) => this.resize(factor),
    });
    this.#session = session;
    this.#place = new Place();
    this.#panel.setSize(1);
    this.#panel.openAtNext();
    this.#isToRecentre = true;
    this.#isKnown = false;
    session.addEventListener("frameratechange", () => (this.#isKnown = false));
    [this.#room, this.#last, this.#view] = [null, null, null];
    this.#stage.isElsewhere = true;
    /** @type {XRFrameRequestCallback} */
    const turn = (_, frame) => {
      if (session !== this.#session) return;
      session.requestAnimationFrame(turn);
      const viewer = frame.getViewerPose(space);
      if (!viewer) return; // the headset does not know where it is
      const now = performance.now();
      this.#tellDisplay(session, layer, viewer);
      const view = this.#follow(viewer, now);
      controllers.advance(frame, now);
      this.#paint(viewer, layer, view, isClear);
    };
    session.requestAnimationFrame(turn);
  }

  /**
   * Its size is known when it has views.
   * @param {XRSession} session
   * @param {XRWebGLLayer} layer
   * @param {XRViewerPose} viewer
   */
  #tellDisplay(session, layer, viewer) {
    const viewport = this.#isKnown ? null : layer.getViewport(viewer.views[0]);
    if (!viewport) return;
    this.#isKnown = true;
    this.#onDisplay(displayWorn(viewport, session.frameRate));
  }

  /**
   * @param {XRViewerPose} viewer
   * @param {number} now
   */
  #follow(viewer, now) {
    this.#room = poseOf(viewer.transform);
    if (this.#isToRecentre) this.#place.recentre(this.#room);
    this.#panel.follow(this.#room, this.#isToRecentre);
    this.#isToRecentre = false;
    const eyes = inOrder(viewer.views).map((eye) => ({
      pose: poseOf(eye.transform),
      fov: fovOf(eye.projectionMatrix),
    }));
    const view = this.#place.view({ head: this.#room, eyes });
    this.#view = view;
    this.#onPose(now, { ...view, velocity: this.#place.turned(this.#velocity(viewer, this.#room, now)) });
    return view;
  }

  /**
   * Of the head in the room: the headset's own where it tells, else from one pose to the next.
   * @param {XRViewerPose} viewer
   * @param {Pose} head
   * @param {number} now
   * @returns {Velocity}
   */
  #velocity({ linearVelocity: v, angularVelocity: w }, head, now) {
    const before = this.#last;
    this.#last = { head, at: now };
    if (v && w) return { linear: [v.x, v.y, v.z], angular: [w.x, w.y, w.z] };
    const seconds = before ? (now - before.at) / 1000 : 0;
    if (before === null || seconds <= 0 || seconds > LONGEST_STEP_S) {
      return { linear: [0, 0, 0], angular: [0, 0, 0] };
    }
    return velocityBetween(before.head, head, seconds);
  }

  /**
   * @param {XRViewerPose} viewer
   * @param {XRWebGLLayer} layer
   * @param {View} view
   * @param {boolean} isClear
   */
  #paint(viewer, layer, view, isClear) {
    const { gl } = this.#stage;
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    gl.clearColor(0, 0, 0, isClear ? 0 : 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    /** @type {{side: number, viewport: [number, number, number, number], eye: XRView}[]} */
    const places = [];
    for (const [side, eye] of inOrder(viewer.views).entries()) {
      const at = layer.getViewport(eye);
      if (at) places.push({ side, viewport: [at.x, at.y, at.width, at.height], eye });
    }
    this.#stage.paintEyes(layer.framebuffer, places, view, isClear);
    for (const { eye, viewport } of places) this.#panel.draw(gl, eye, viewport);
  }

  /** @param {XRSession} session */
  #ended(session) {
    if (session !== this.#session) return; // it never began
    this.#session = null;
    this.#view = null;
    this.#panel.close();
    this.#stage.isElsewhere = false;
    this.#stage.redraw();
    this.#onEnd();
  }
}

/**
 * The left eye, then the right one; or the only one.
 * @param {readonly XRView[]} views
 */
function inOrder(views) {
  return views.length === 2 && views[0].eye === "right" ? [views[1], views[0]] : [...views.slice(0, 2)];
}
