// What hands do inside a headset: the trigger presses what it points at; a squeeze recentres; a stick goes to the
// next scene sideways and changes the size up and down.

import { poseOf } from "./xrview.js";

/** @typedef {import("./geometry.js").Pose} Pose */
/**
 * What is asked for. Rays are room_from_ray and go along -z; null where the headset has lost the hand.
 * @typedef {object} Wishes
 * @property {(rays: {ray: Pose, isHeld: boolean}[]) => void} point  each frame: where hands point, held ones from a hand
 * @property {(ray: Pose | null) => void} press
 * @property {() => void} recentre
 * @property {(way: number) => void} step  to another scene: -1 or 1
 * @property {(factor: number) => void} resize
 */

const FLICK = 0.7; // how far a stick goes to mean it
const REST = 0.3; // and comes back before it can mean it again
const SIZE_PER_S = 2; // times as large or small, at the stick's end
const LONGEST_STEP_S = 0.1;

export class Controllers {
  #session;
  #space;
  #wishes;
  /** @type {WeakSet<XRInputSource>} */
  #flicked = new WeakSet(); // whose stick has not come back yet
  /** @type {number | null} */
  #before = null;

  /**
   * @param {XRSession} session
   * @param {XRReferenceSpace} space
   * @param {Wishes} wishes
   */
  constructor(session, space, wishes) {
    this.#session = session;
    this.#space = space;
    this.#wishes = wishes;
    session.addEventListener("select", ({ frame, inputSource }) => {
      wishes.press(this.#ray(frame, inputSource));
    });
    session.addEventListener("squeeze", () => wishes.recentre());
  }

  /**
   * Once for each frame of the headset. Nothing is heard while a system menu has the hands.
   * @param {XRFrame} frame
   * @param {number} now performance.now()
   */
  advance(frame, now) {
    const seconds = Math.min((now - (this.#before ?? now)) / 1000, LONGEST_STEP_S);
    this.#before = now;
    const rays = [];
    const sources = this.#session.visibilityState === "visible" ? this.#session.inputSources : [];
    for (const source of sources) {
      const ray = this.#ray(frame, source);
      if (ray) rays.push({ ray, isHeld: source.targetRayMode === "tracked-pointer" });
      if (source.gamepad) this.#stick(source, source.gamepad.axes, seconds);
    }
    this.#wishes.point(rays);
  }

  /**
   * @param {XRFrame} frame
   * @param {XRInputSource} source
   */
  #ray(frame, source) {
    const pose = frame.getPose(source.targetRaySpace, this.#space);
    return pose ? poseOf(pose.transform) : null;
  }

  /**
   * The xr-standard mapping has the stick at the axes 2 and 3, the touch pad before it.
   * @param {XRInputSource} source
   * @param {readonly number[]} axes
   * @param {number} seconds
   */
  #stick(source, axes, seconds) {
    const [x, y] = axes.length >= 4 ? [axes[2], axes[3]] : [axes[0] ?? 0, axes[1] ?? 0];
    if (Math.abs(x) < REST) this.#flicked.delete(source);
    else if (Math.abs(x) > FLICK && Math.abs(x) > Math.abs(y) && !this.#flicked.has(source)) {
      this.#flicked.add(source);
      this.#wishes.step(Math.sign(x));
    }
    if (Math.abs(y) > REST && Math.abs(y) > Math.abs(x)) {
      this.#wishes.resize(SIZE_PER_S ** (-y * seconds)); // up is negative
    }
  }
}
