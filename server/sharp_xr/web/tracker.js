// The uplink: at the display's rate, where the head is and what its eyes shall see. Also while nothing moves:
// each pose carries the acknowledgement that the server's rate control lives on, and it draws only what changed.

import { KeyClock } from "./clock.js";
import { eyesOf } from "./optics.js";

/** @typedef {import("./wire.js").Scene} Scene */
/** @typedef {import("./frame.js").Sent} Sent */

export class Tracker {
  #keys = new KeyClock();
  #head;
  #history;
  #connection;
  /** @type {Scene | null} */
  #scene = null;
  /** @type {number | null} */
  #ack = null; // key of the newest decoded frame

  /**
   * @param {object} parts
   * @param {Pick<import("./head.js").Head, "pose">} parts.head
   * @param {Pick<import("./history.js").PoseHistory<Sent>, "remember">} parts.history
   * @param {Pick<import("./connection.js").Connection, "state" | "isFull" | "send">} parts.connection
   */
  constructor({ head, history, connection }) {
    this.#head = head;
    this.#history = history;
    this.#connection = connection;
  }

  /**
   * From now on the eyes look at this scene; null: nowhere.
   * @param {Scene | null} scene
   */
  enter(scene) {
    this.#scene = scene;
  }

  /** @param {number} key */
  acknowledge(key) {
    this.#ack = key;
  }

  /**
   * Once per display frame.
   * @param {number} now performance.now()
   */
  advance(now) {
    if (!this.#scene) return;
    const { head, velocity } = this.#head.pose;
    this.send(now, { head, eyes: eyesOf(this.#scene, head.position), velocity });
  }

  /**
   * The same for a head that somebody else follows, as a headset does.
   * @param {number} now
   * @param {import("./warp.js").Viewer & {velocity: import("./wire.js").Velocity}} viewer
   */
  send(now, { head, eyes, velocity }) {
    if (!this.#scene || this.#connection.state !== "live" || this.#connection.isFull) return;
    const key = this.#keys.next(now);
    const time_ns = BigInt(Math.round(now * 1e6));
    this.#history.remember(key, { at: now, head, eyes, scene: this.#scene });
    this.#connection.send({ type: "tracking", key, time_ns, head, eyes, velocity, ack: this.#ack });
  }
}
